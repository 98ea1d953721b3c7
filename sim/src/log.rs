//! What the program logs through `tracing`: with virtual time, host and task on every line.
//!
//! A subscriber is put in place for the time of a run, if its lines are kept or echoed; otherwise
//! logging costs what it costs without one. The text is built outside the runtime's borrow, since a
//! value's `Debug` is the program's code.

use core::fmt::{self, Write};
use sim_core::rt;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// What becomes of a run's log lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines {
    /// They are part of the trace that is kept.
    pub(crate) kept: bool,
    /// They are printed, as `RUST_LOG` decides.
    pub(crate) echoed: bool,
}

impl Lines {
    /// Lets the lines go where they should for as long as the guard lives. A guard and no closure, because the place of a
    /// caller (`#[track_caller]`) does not pass through a closure.
    pub(crate) fn put_in_place(self) -> Option<DefaultGuard> {
        if !self.kept && !self.echoed {
            return None;
        }
        let echo = self.echoed.then(|| {
            EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy()
        });
        let kept = self.kept.then_some(Keep);
        let echo = echo.map(|filter| Echo.with_filter(filter));
        Some(tracing::subscriber::set_default(Registry::default().with(kept).with(echo)))
    }
}

/// Appends lines to the trace.
struct Keep;

/// Prints lines to standard error.
struct Echo;

/// A span's fields, as text.
struct SpanText(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Keep {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        note_span(attributes, id, &context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let text = line(event, &context);
        rt::try_with(|runtime| {
            let (now, path) = (runtime.env().now, runtime.actor_path());
            runtime.env().trace.line(now, path, text);
        });
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Echo {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        note_span(attributes, id, &context);
    }

    #[expect(
        clippy::print_stderr,
        reason = "an echoed run writes to standard error; that is what it is for"
    )]
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let text = line(event, &context);
        let place = rt::try_with(|runtime| {
            let (now, path, host) = (runtime.env().now, runtime.actor_path(), runtime.host());
            let task = runtime.env().choices.names.text(path);
            format!("{now} {} {task}", runtime.backend().host_name(host))
        });
        eprintln!("{} {text}", place.unwrap_or_default());
    }
}

/// Keeps a new span's fields beside it.
fn note_span<S: Subscriber + for<'a> LookupSpan<'a>>(
    attributes: &Attributes<'_>,
    id: &Id,
    context: &Context<'_, S>,
) {
    let Some(span) = context.span(id) else { return };
    let mut text = Text(String::from(attributes.metadata().name()));
    attributes.record(&mut text);
    // Both layers hear of the span; the second finds it noted.
    if span.extensions().get::<SpanText>().is_none() {
        span.extensions_mut().insert(SpanText(text.0));
    }
}

/// `LEVEL target: span{field=value}: message field=value`.
fn line<S: Subscriber + for<'a> LookupSpan<'a>>(
    event: &Event<'_>,
    context: &Context<'_, S>,
) -> String {
    let metadata = event.metadata();
    let level: &Level = metadata.level();
    let mut text = Text(format!("{level} {}:", metadata.target()));
    for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
        if let Some(SpanText(span)) = span.extensions().get() {
            write!(text.0, " {span}:").expect("writing to a string does not fail");
        }
    }
    event.record(&mut text);
    text.0
}

/// Fields as ` name=value`, the message as itself.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        written.expect("writing to a string does not fail");
    }
}
