//! The log on stderr and the trace of a run, if requested. Initialization costs more than a warm
//! launch may take, so it is skipped otherwise.

use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Result, ensure};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_chrome::{ChromeLayerBuilder, FlushGuard};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::progress;
use crate::fs;
use crate::process::threads;

/// The prefix of the targets of vpython's own events.
const OURS: &str = "vpython";
/// The prefixes of the targets of events that may quote a request, with its signature or login.
const SECRETIVE: [&str; 2] = ["ureq", "rustls"];
/// Flushes and ends the trace when it is dropped. No code panics while holding the lock.
static TRACE: Mutex<Option<FlushGuard>> = Mutex::new(None);

/// Starts the log with events of at least `level`, and the trace in the file `trace`: a JSON array
/// of events, as described in
/// <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.
///
/// # Errors
/// The file cannot be created, or another user than `user` may have put the existing one there.
pub fn start(level: Option<Level>, trace: Option<&Path>, user: u32) -> Result<()> {
    if level.is_none() && trace.is_none() {
        return Ok(());
    }
    let log = level.map(|level| {
        let log = tracing_subscriber::fmt::layer()
            .with_writer(|| Aside)
            .with_ansi(false);
        if level == Level::INFO {
            // The resolver's own events at that level help only its developers.
            let is_ours = |event: &Metadata| {
                *event.level() <= Level::INFO && event.target().starts_with(OURS)
            };
            log.event_format(Plain)
                .with_filter(filter_fn(is_ours).with_max_level_hint(level))
                .boxed()
        } else {
            let is_shown = move |event: &Metadata| *event.level() <= level && has_no_secret(event);
            log.with_filter(filter_fn(is_shown).with_max_level_hint(level))
                .boxed()
        }
    });
    let trace = trace.map(|path| {
        let writer = fs::create_named(path, user)?;
        ensure!(
            threads::can_start_thread(),
            "cannot write the trace `{}`: the system refuses to start a thread",
            path.display()
        );
        let (layer, guard) = ChromeLayerBuilder::new()
            .writer(writer)
            .include_args(true)
            .build();
        if let Ok(mut trace) = TRACE.lock() {
            *trace = Some(guard);
        }
        Ok::<_, anyhow::Error>(layer.with_filter(filter_fn(has_no_secret)))
    });
    // Setting a second subscriber fails, which happens only in tests.
    let _ = tracing_subscriber::registry()
        .with(log)
        .with(trace.transpose()?)
        .try_init();
    Ok(())
}

/// Checks whether an event is not one of the HTTP client's libraries. Its own events, which hide
/// secrets, are those of `remote`.
fn has_no_secret(event: &Metadata) -> bool {
    !SECRETIVE
        .iter()
        .any(|prefix| event.target().starts_with(prefix))
}

/// The format for users: like warnings, without module and time.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let mut message = String::new();
        context.format_fields(Writer::new(&mut message), event)?;
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        writeln!(to, "vpython: {level}: {}", super::printable(&message))
    }
}

/// Standard error, with the progress line suspended during a write.
struct Aside;

impl Write for Aside {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        progress::aside(|| std::io::stderr().write(text))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Ends the trace, if there is one. Later events are not recorded.
pub fn finish_trace() {
    drop(TRACE.lock().map(|mut trace| trace.take()));
}
