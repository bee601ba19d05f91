//! Environments that leave the store: exported, packed, unpacked and relocated.

mod audit;
mod elf;
mod export;
mod include;
mod interpreter_copy;
pub mod pack;
mod python_image;
pub mod relocate;
mod standalone;
mod unpack;

pub use export::export;
pub use pack::pack;
pub use python_image::PythonImage;
pub use standalone::Standalone;
pub use unpack::unpack;
