//! The threads of this process. The system may refuse to start any: because of a limit on the number
//! of processes (`RLIMIT_NPROC`, `pids.max` of a control group), or by a filter of system calls.
//!
//! `rayon` starts its threads at its first use, and panics if one of them cannot be started. So
//! vpython starts them, before its first use, and hands them to `rayon`.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use rayon::{ThreadBuilder, ThreadPoolBuilder};

use super::Process;

/// Whether no thread could be started when `rayon` needed them.
static IS_ALONE: AtomicBool = AtomicBool::new(false);

impl Process {
    /// Starts the threads of `rayon`: as many as it would, or fewer if the system refuses some.
    /// Without any, the calling thread does all the work; call it from the main thread, and not
    /// before a fork. A second call has no effect.
    pub fn start_threads(&self) {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| start(self.wanted_threads()));
    }

    /// Returns the number of threads that `rayon` would start.
    fn wanted_threads(&self) -> usize {
        let stated = self.variable("RAYON_NUM_THREADS");
        let stated = stated.and_then(|text| text.to_str()?.parse().ok());
        stated
            .filter(|number| *number > 0)
            .or_else(|| Some(std::thread::available_parallelism().ok()?.get()))
            .unwrap_or(1)
    }
}

fn start(wanted: usize) {
    // Each thread waits for its part of the pool, whose size is known when all have started.
    let parts: Vec<mpsc::Sender<ThreadBuilder>> = (0..wanted)
        .map_while(|_| {
            let (part, given) = mpsc::channel::<ThreadBuilder>();
            let run = move || given.into_iter().for_each(ThreadBuilder::run);
            Builder::new().spawn(run).is_ok().then_some(part)
        })
        .collect();
    let pool = ThreadPoolBuilder::new().num_threads(parts.len().max(1));
    let built = if parts.is_empty() {
        IS_ALONE.store(true, Ordering::Relaxed);
        pool.use_current_thread().build_global()
    } else {
        let mut parts = parts.into_iter();
        let hand_over = |thread| {
            let part = parts.next().ok_or(std::io::ErrorKind::WouldBlock)?;
            part.send(thread)
                .map_err(|_| std::io::ErrorKind::BrokenPipe.into())
        };
        pool.spawn_handler(hand_over).build_global()
    };
    if let Err(error) = built {
        // Only in tests, whose pool exists already.
        tracing::debug!("the pool of threads is not vpython's: {error}");
    }
}

/// Starts a thread in a scope. Returns `None` if the system refuses it, or has refused those of
/// `rayon`: then `rayon`'s only thread is the main one, for which another thread would wait
/// endlessly.
pub fn spawn_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Option<ScopedJoinHandle<'scope, T>> {
    if IS_ALONE.load(Ordering::Relaxed) {
        return None;
    }
    Builder::new().spawn_scoped(scope, work).ok()
}

/// Returns whether a thread can be started now.
#[must_use]
pub fn can_start_thread() -> bool {
    let thread = Builder::new().spawn(|| ());
    thread.is_ok_and(|thread| thread.join().is_ok())
}
