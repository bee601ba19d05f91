//! The building blocks of tests: wheels, interpreters, and worlds for them.

mod case;
mod fake;
pub mod http_server;
mod launch;
mod oci_registry;
mod package_index;
mod python;
mod snapshot;
// Registers and system call numbers are those of one architecture.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod trace;
mod wheel;
mod world;

pub use case::Case;
pub use fake::Fake;
pub use launch::{Launch, Outcome, has_strace, start};
pub use oci_registry::OciRegistry;
pub use package_index::{Listed, PackageIndex};
pub use python::Python;
pub use snapshot::Expected;
pub use wheel::{Fault, Wheel, planned};
pub use world::{MOUNTS, VPYTHON, World, files, interpreter_warning, tree, write_with_mode};

/// Checks whether `VPYTHON_SWEEP` asks for more than the default.
pub fn is_sweep() -> bool {
    std::env::var_os("VPYTHON_SWEEP").is_some()
}

/// Reports on standard error that the running test, or a part of it, is skipped. The text bypasses
/// libtest, which shows the output of a test only if it fails.
pub fn not_tested(why: &str) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("not tested here: {test}: {why}\n").as_bytes(),
    );
}
