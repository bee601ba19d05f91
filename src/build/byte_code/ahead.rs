//! Compiling wheels while others are still being downloaded and unpacked, for `install`.
//!
//! What is compiled ahead is in the store when [`add`](super::add) looks for it. An error here is only
//! logged: `add` compiles what is missing, and reports why it cannot.

use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::Result;
use tracing::debug;

use super::compiler::Compiler;
use super::server::Form;
use super::wheel::{directory_in, of_wheel, size_of_sources};
use crate::build::unpacked::UnpackedWheel;
use crate::fs::{self, Digest};
use crate::interpreter::Facts;
use crate::process::{Process, threads};
use crate::report::Progress;
use crate::store::Store;

/// Compiles wheels on threads of its own, as many as there are processors.
pub struct Ahead<'a> {
    store: &'a Store,
    /// The version of python that the byte code is for.
    version: String,
    compiler: Compiler,
    queue: Mutex<Queue>,
    /// Wakes a thread that waits for a wheel.
    changed: Condvar,
    /// The bytes of the sources that were handed over, and of those that are compiled.
    wanted: AtomicU64,
    done: AtomicU64,
    /// The progress, from when nothing else has any.
    progress: OnceLock<Progress>,
}

#[derive(Default)]
struct Queue {
    /// The wheels by the size of their sources; the largest is compiled first.
    waiting: BinaryHeap<(u64, Digest)>,
    is_closed: bool,
}

impl<'a> Ahead<'a> {
    /// Does some work, and compiles the wheels that it hands over meanwhile. Returns when all are
    /// compiled, or soon after the work has failed.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn during<T>(
        interpreter: &Facts,
        store: &'a Store,
        process: &Process,
        work: impl FnOnce(Option<&Self>) -> Result<T>,
    ) -> Result<T> {
        let Some(version) = interpreter.byte_code_version() else {
            return work(None);
        };
        let ahead = Self {
            store,
            version,
            compiler: Compiler::new(
                interpreter.executable.clone(),
                process.environment.clone(),
                Form::Unchecked,
            ),
            queue: Mutex::default(),
            changed: Condvar::new(),
            wanted: AtomicU64::new(0),
            done: AtomicU64::new(0),
            progress: OnceLock::new(),
        };
        std::thread::scope(|scope| {
            // Without any thread, `add` compiles everything.
            for _ in 0..rayon::current_num_threads() {
                let _ = threads::spawn_scoped(scope, || ahead.compile());
            }
            let end = End(&ahead);
            let result = work(Some(&ahead));
            if result.is_ok() {
                end.0.wait_for_the_rest();
            }
            result
        })
    }

    /// Hands over a wheel in the store, unless it has byte code.
    pub(in crate::build) fn add(&self, wheel: &UnpackedWheel) {
        let size = size_of_sources(wheel);
        if size == 0 || fs::exists(&directory_in(wheel, &self.version)) {
            return;
        }
        self.wanted.fetch_add(size, Ordering::Relaxed);
        self.queue().waiting.push((size, wheel.sha256));
        self.changed.notify_one();
    }

    /// Compiles wheels until the queue is closed and empty, or one cannot be compiled.
    fn compile(&self) {
        while let Some(sha256) = self.next() {
            let wheel = UnpackedWheel::read(&self.store.unpacked_wheel(&sha256), sha256);
            let compiled = wheel.and_then(|wheel| {
                let advance = |bytes| self.advance(bytes);
                of_wheel(&wheel, &self.version, &self.compiler, self.store, &advance)
            });
            if let Err(error) = compiled {
                debug!("compiles no more wheels ahead: {error:#}");
                self.stop();
            }
        }
    }

    /// Waits for a wheel.
    fn next(&self) -> Option<Digest> {
        let is_idle = |queue: &mut Queue| queue.waiting.is_empty() && !queue.is_closed;
        let queue = self.changed.wait_while(self.queue(), is_idle);
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        queue.waiting.pop().map(|(_, sha256)| sha256)
    }

    fn advance(&self, bytes: u64) {
        match self.progress.get() {
            Some(progress) => progress.advance(bytes),
            None => drop(self.done.fetch_add(bytes, Ordering::Relaxed)),
        }
    }

    /// Shows the progress from now on, and lets the threads end after the last wheel.
    fn wait_for_the_rest(&self) {
        let wanted = self.wanted.load(Ordering::Relaxed);
        let done = self.done.load(Ordering::Relaxed);
        if done < wanted {
            let progress = || Progress::start("compiling", wanted);
            self.progress.get_or_init(progress).advance(done);
        }
        self.close();
    }

    /// Gives up the wheels that wait.
    fn stop(&self) {
        self.compiler.stop();
        self.queue().waiting.clear();
        self.close();
    }

    fn close(&self) {
        self.queue().is_closed = true;
        self.changed.notify_all();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the threads end, also after an error or a panic.
struct End<'a, 'b>(&'a Ahead<'b>);

impl Drop for End<'_, '_> {
    fn drop(&mut self) {
        if !self.0.queue().is_closed {
            self.0.stop();
        }
    }
}
