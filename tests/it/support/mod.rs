//! What tests are made of: wheels, interpreters, and worlds to put them into.

mod case;
mod fake;
mod launch;
mod python;
// Registers and numbers of calls are those of one architecture.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod trace;
mod wheel;
mod world;

pub use case::Case;
pub use fake::Fake;
pub use launch::{Launch, Outcome, has_strace, start};
pub use python::Python;
pub use wheel::{Fault, Wheel, planned};
pub use world::{VPYTHON, World, told_of_interpreter, tree, write_with_mode};
