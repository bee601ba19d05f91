//! The signal SIGCHLD. Some supervisors start programs with this signal ignored; then the kernel removes
//! children that end, and nothing can wait for them (wait(2)).
#![allow(
    unsafe_code,
    reason = "`signal` may set a function of this program, which no call here does"
)]

use nix::sys::signal::{SigHandler, Signal, signal};

/// While this value exists, the process can wait for its children. Dropping it restores the caller's
/// setting, which the program inherits.
pub struct ChildSignal(Option<SigHandler>);

impl ChildSignal {
    /// Sets the signal to its default.
    #[must_use]
    pub fn set_default() -> Self {
        // SAFETY: the default is not a function of this program.
        let before = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
        Self(
            before
                .ok()
                .filter(|before| matches!(before, SigHandler::SigIgn)),
        )
    }
}

impl Drop for ChildSignal {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            // SAFETY: it is that of an ignored signal, not a function.
            let _ = unsafe { signal(Signal::SIGCHLD, before) };
        }
    }
}
