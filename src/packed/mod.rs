//! Archives and images that `pack` and `push --python` have written: their manifest, their members,
//! and their extraction.

mod extract;
pub mod manifest;
pub mod member;
mod paths;

pub use extract::{Packed, PackedImage, extract, extract_archive};

/// The annotation of a layer that says what it contains.
pub const LAYER: &str = "vpython.layer";
/// The annotation of a layer with the C library of an interpreter.
pub const C_LIBRARY: &str = "vpython.c-library";
/// The annotation of the image of an interpreter with its architecture, in the words of Go.
pub const PLATFORM: &str = "vpython.architecture";
/// The value of [`LAYER`] for the layer that has the pack manifest.
pub const SKELETON: &str = "skeleton";
