//! The formats of the Open Container Initiative, in which registries and container tools exchange
//! bytes by their SHA-256 digests: references, descriptors and manifests, and image layouts on disk.
//!
//! | file | responsibility |
//! |---|---|
//! | `reference` | [`Reference`]: `oci:DIR[:TAG]` and `oci://HOST/REPO[:TAG]`, as users write them |
//! | `pinned` | [`PinnedReference`]: a reference with the digest of its manifest |
//! | `document` | [`Descriptor`], [`Manifest`], [`ImageIndex`], [`ImageConfig`]: the JSON documents |
//! | `layout` | [`Layout`]: an image layout that is read, a directory or a `.tar` |
//! | `new_layout` | [`NewLayout`]: an image layout that is written |
//! | `growing_layout` | [`GrowingLayout`]: an image layout that manifests are added to |
//!
//! Sources: the image specification, <https://github.com/opencontainers/image-spec>, version 1.1.
//! Nothing here uses a network.

mod document;
mod growing_layout;
mod layout;
mod new_layout;
mod pinned;
mod reference;

pub use document::{
    Annotations, Descriptor, History, ImageConfig, ImageIndex, Manifest, Platform, Process, RootFs,
    media_type,
};
pub use growing_layout::GrowingLayout;
pub use layout::{BLOBS, Blob, INDEX, Image, Layout};
pub use new_layout::{NewLayout, is_layout};
pub use pinned::PinnedReference;
pub use reference::{LayoutReference, Reference, RegistryReference, Version, is_tag};

/// The type of a manifest whose layers are wheels, each with its file name as [`TITLE`].
pub const WHEELS_TYPE: &str = "application/vnd.vpython.wheels.v1";
/// The beginning of the tags that `push` derives from the wheels of a manifest.
pub const DERIVED_TAG: &str = "lock-";
/// The annotation of a blob with the name of its file, as `oras` writes and reads it.
pub const TITLE: &str = "org.opencontainers.image.title";

/// The largest manifest, index or configuration that is read, in bytes: registries accept 4 MiB.
pub const MAX_DOCUMENT: u64 = 4 << 20;
