//! A bar for what takes longer than a second, on a terminal only. Elsewhere nothing is drawn.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is done in less time than this is not worth a bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// The progress of one piece of work, counted in bytes. Shared between threads; the bar goes away when it is dropped.
pub struct Progress {
    bar: ProgressBar,
    /// When the bar becomes visible; none once it is, and where there is no terminal.
    hidden_until: Mutex<Option<Instant>>,
}

impl Progress {
    /// Begins to count towards `total` bytes. `what` is what is being done, as in `building environment`.
    #[must_use]
    pub fn start(what: &'static str, total: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        bar.set_message(what);
        if let Ok(style) = ProgressStyle::with_template("vpython: {msg} [{bar:30}] {bytes} of {total_bytes}") {
            bar.set_style(style.progress_chars("=> "));
        }
        let hidden_until = std::io::stderr().is_terminal().then(|| Instant::now() + PATIENCE);
        Self { bar, hidden_until: Mutex::new(hidden_until) }
    }

    /// Counts `bytes` more as done.
    pub fn advance(&self, bytes: u64) {
        if let Ok(mut hidden_until) = self.hidden_until.lock()
            && hidden_until.is_some_and(|time| Instant::now() >= time)
        {
            *hidden_until = None;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
