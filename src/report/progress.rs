//! The progress line on a terminal.
//!
//! The process has one such line. Each stage reports its start with [`phase`] or
//! [`Progress::start`], and a thread redraws the line periodically, so that it moves while a stage
//! waits for another program. Nothing is drawn for the first 400 ms, so that a quick launch stays
//! silent. If stderr is not a terminal, there is neither a line nor a thread.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The delay before the line appears.
const PATIENCE: Duration = Duration::from_millis(400);
/// The interval between redraws.
const TICK: Duration = Duration::from_millis(100);
/// The formats for a known and an unknown total. Both fit a terminal of any usual width.
const COUNTED: &str = "vpython: {msg} [{wide_bar}] {percent:>3}%";
const UNCOUNTED: &str = "vpython: {msg} {spinner} {elapsed}";
/// The format for downloads, with a message such as `3/37 files`.
const DOWNLOAD: &str =
    "vpython: downloading {msg}, {bytes}/{total_bytes} at {bytes_per_sec} [{wide_bar}]";
/// The same for uploads.
const UPLOAD: &str =
    "vpython: uploading {msg}, {bytes}/{total_bytes} at {bytes_per_sec} [{wide_bar}]";

static LINE: Mutex<Option<Line>> = Mutex::new(None);

/// The line and the thread that draws it.
struct Line {
    bar: ProgressBar,
    done: Arc<AtomicU64>,
    /// Ends the thread when it is dropped.
    stop: Sender<()>,
    timer: JoinHandle<()>,
}

impl Line {
    /// Starts drawing. Returns `None` if stderr is not a terminal, or no thread can be started.
    fn start() -> Option<Self> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let done = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = mpsc::channel();
        let (shown, counted) = (bar.clone(), Arc::clone(&done));
        // Draw nothing until the delay has passed, so that a quick stage stays silent.
        let draw = move || {
            if stopped.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            shown.set_draw_target(ProgressDrawTarget::stderr());
            loop {
                shown.set_position(counted.load(Ordering::Relaxed));
                shown.tick();
                if stopped.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let timer = Builder::new().spawn(draw).ok()?;
        Some(Self {
            bar,
            done,
            stop,
            timer,
        })
    }

    fn begin(&self, message: impl Into<Cow<'static, str>>, template: &str, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar
                .set_style(style.progress_chars("=> ").tick_chars("|/-\\ "));
        }
        self.bar.set_length(total);
        self.bar.set_position(0);
        self.bar.reset_eta();
        self.bar.set_message(message);
    }

    fn end(self) {
        drop(self.stop);
        let _ = self.timer.join();
        self.bar.finish_and_clear();
    }
}

fn line() -> MutexGuard<'static, Option<Line>> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reports the start of a stage of unknown length, in a few words such as `finding the
/// interpreter`.
pub fn phase(what: &'static str) {
    drop(Progress::start(what, 0));
}

/// Clears the line and ends its thread. Call it before another program writes to the terminal or
/// replaces this process.
pub fn end() {
    // The lock is not held while joining the thread.
    let ended = line().take();
    if let Some(ended) = ended {
        ended.end();
    }
}

/// Runs a function that may write to the terminal, with the line suspended.
pub(super) fn aside<T>(write: impl FnOnce() -> T) -> T {
    match &*line() {
        Some(line) => line.bar.suspend(write),
        None => write(),
    }
}

/// The progress of one task. Shared between threads.
pub struct Progress(Option<Task>);

/// The task that the line shows.
#[derive(Default)]
struct Task {
    done: Arc<AtomicU64>,
    files: Option<Files>,
}

/// The number of files of a transfer, which are complete and which are not.
struct Files {
    bar: ProgressBar,
    done: AtomicU64,
    total: u64,
}

impl Progress {
    /// Starts a task of size `total`, in bytes or files. `what` describes it, as in `unpacking the
    /// wheels`.
    #[must_use]
    pub fn start(what: &'static str, total: u64) -> Self {
        let template = if total == 0 { UNCOUNTED } else { COUNTED };
        Self::begin(|line| {
            line.begin(what, template, total);
            None
        })
    }

    /// Starts the download of `files` files of together `bytes` bytes. The line shows the bytes,
    /// their rate, and the number of complete files.
    #[must_use]
    pub fn download(files: u64, bytes: u64) -> Self {
        Self::transfer(DOWNLOAD, files, bytes)
    }

    /// Starts the upload of `files` files of together `bytes` bytes.
    #[must_use]
    pub fn upload(files: u64, bytes: u64) -> Self {
        Self::transfer(UPLOAD, files, bytes)
    }

    fn transfer(template: &'static str, files: u64, bytes: u64) -> Self {
        Self::begin(|line| {
            line.begin(files_done(0, files), template, bytes);
            Some(Files {
                bar: line.bar.clone(),
                done: AtomicU64::new(0),
                total: files,
            })
        })
    }

    /// Makes sure that there is a line, if one can be drawn, and starts a task on it.
    fn begin(start: impl FnOnce(&Line) -> Option<Files>) -> Self {
        let mut line = line();
        if line.is_none() {
            *line = Line::start();
        }
        Self(line.as_ref().map(|line| Task {
            files: start(line),
            done: Arc::clone(&line.done),
        }))
    }

    /// Counts a file of a transfer as complete.
    pub fn finish_file(&self) {
        if let Some(files) = self.0.as_ref().and_then(|task| task.files.as_ref()) {
            let done = files.done.fetch_add(1, Ordering::Relaxed) + 1;
            files.bar.set_message(files_done(done, files.total));
        }
    }

    /// Counts `more` units as done.
    pub fn advance(&self, more: u64) {
        if let Some(task) = &self.0 {
            task.done.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Returns a part of the task of the given size.
    #[must_use]
    pub fn part(&self, size: u64) -> Part<'_> {
        Part {
            of: self,
            rest: AtomicU64::new(size),
        }
    }
}

fn files_done(done: u64, total: u64) -> String {
    let plural = if total == 1 { "" } else { "s" };
    format!("{done}/{total} file{plural}")
}

/// A part of a task. When it is dropped, its remainder counts as done.
pub struct Part<'a> {
    of: &'a Progress,
    rest: AtomicU64,
}

impl Part<'_> {
    /// Counts `more` units of the part as done.
    pub fn advance(&self, more: u64) {
        let take = |rest: u64| Some(rest.saturating_sub(more));
        let rest = self
            .rest
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .unwrap_or_default();
        self.of.advance(more.min(rest));
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        self.of.advance(*self.rest.get_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_valid() {
        for template in [COUNTED, UNCOUNTED, DOWNLOAD] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
        assert_eq!(
            [files_done(0, 1), files_done(3, 37)],
            ["0/1 file", "3/37 files"]
        );
    }

    #[test]
    fn a_part_counts_for_its_whole_size() {
        for (counted, expected) in [(&[][..], 0), (&[3, 4][..], 7), (&[3, 4, 5][..], 10)] {
            let progress = Progress(Some(Task::default()));
            let done = || progress.0.as_ref().unwrap().done.load(Ordering::Relaxed);
            let part = progress.part(10);
            for more in counted {
                part.advance(*more);
            }
            assert_eq!(done(), expected);
            drop(part);
            assert_eq!(done(), 10);
        }
    }
}
