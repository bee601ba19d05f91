//! The log on stderr, and the trace of one run, where they are asked for. Setting up either costs
//! more than a warm launch may: without, there is neither.

use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use anyhow::Result;
use tracing::level_filters::LevelFilter;
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

/// What the targets of this program's own events begin with.
const OURS: &str = "vpython";
/// Ends the trace when it is dropped. Nobody panics while he has it.
static TRACE: Mutex<Option<FlushGuard>> = Mutex::new(None);

/// Starts the log, with what is as important as `level`, and the trace in the file `trace`: a JSON
/// array of events, as
/// <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU> describes
/// them.
///
/// # Errors
/// The file cannot be made.
pub fn start(level: Option<Level>, trace: Option<&Path>) -> Result<()> {
    if level.is_none() && trace.is_none() {
        return Ok(());
    }
    let log = level.map(|level| {
        let log = tracing_subscriber::fmt::layer()
            .with_writer(|| Aside)
            .with_ansi(false);
        if level == Level::INFO {
            // What the resolver tells at that level is of use to its authors.
            let is_ours = |event: &Metadata| {
                *event.level() <= Level::INFO && event.target().starts_with(OURS)
            };
            log.event_format(Plain)
                .with_filter(filter_fn(is_ours).with_max_level_hint(level))
                .boxed()
        } else {
            log.with_filter(LevelFilter::from_level(level)).boxed()
        }
    });
    let trace = trace.map(|path| {
        let (layer, guard) = ChromeLayerBuilder::new()
            .writer(fs::create(path)?)
            .include_args(true)
            .build();
        if let Ok(mut trace) = TRACE.lock() {
            *trace = Some(guard);
        }
        Ok::<_, anyhow::Error>(layer)
    });
    // A second subscriber in one process would be a test's.
    let _ = tracing_subscriber::registry()
        .with(log)
        .with(trace.transpose()?)
        .try_init();
    Ok(())
}

/// Lines for users: what is told, like warnings, and not by which part of the program, or when.
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
        let mut told = String::new();
        context.format_fields(Writer::new(&mut told), event)?;
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        writeln!(to, "vpython: {level}: {}", super::printable(&told))
    }
}

/// Standard error, with the line of progress out of the way.
struct Aside;

impl Write for Aside {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        progress::aside(|| std::io::stderr().write(text))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Ends the trace, if there is one: what the process does or becomes from here on is not in it.
pub fn finish_trace() {
    drop(TRACE.lock().map(|mut trace| trace.take()));
}
