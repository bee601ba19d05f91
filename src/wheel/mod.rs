//! Wheels: what their file names, archives and metadata say, and where their files are installed.
//!
//! The format is that of
//! <https://packaging.python.org/en/latest/specifications/binary-distribution-format/>.

pub mod archive;
pub mod dist_info;
pub mod entry_points;
mod file_name;
mod impostor;
mod lenient;
mod metadata;
pub mod oddities;
pub mod record;
pub mod scheme;

pub use archive::{Archive, InMemory, Listing, Member, MemberReader, ReadAt, Source, Tap};
pub use file_name::WheelName;
pub use impostor::Impostor;
pub use lenient::{read_requirement, read_specifiers};
pub use metadata::{Metadata, requires_dist};
