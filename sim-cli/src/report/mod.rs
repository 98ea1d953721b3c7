//! What the tool says: events, and the two ways of saying them.
//!
//! The JSON form is the contract with other programs (one object a line, new fields may come). The
//! human form tells the same events. Everything else, cargo's output among it, goes to standard error.

mod human;
mod json;

use crate::config::parse::Format;
use crate::plan::Reached;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::{self, IsTerminal as _, Write};

/// Something to say.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Event {
    /// The campaign begins.
    Start {
        version: &'static str,
        seed: String,
        tests: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        runs: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        time_seconds: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        shard: Option<String>,
    },
    /// A test is done.
    Test(TestDone),
    /// A failure, found or stored.
    Failure(Box<Failure>),
    /// The same choices gave two executions.
    Divergence(Box<Diverged>),
    /// What the runs of a test explored.
    Coverage {
        test: String,
        /// How many different orders of actors there were.
        schedules: usize,
        /// How many different executions there were.
        executions: usize,
        /// How often more than one actor could be next, over all runs.
        choices: u64,
        /// The probes that some run has come by, with how many runs reached each.
        probes: Vec<Reached>,
    },
    /// Something to know.
    Note {
        #[serde(skip_serializing_if = "Option::is_none")]
        test: Option<String>,
        message: String,
    },
    /// The end.
    Summary {
        tests: usize,
        runs: u64,
        failures: u64,
        divergences: u64,
        sim_seconds: f64,
        wall_seconds: f64,
    },
}

/// A test that is done.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct TestDone {
    pub(crate) test: String,
    /// Whether it is a plain `#[test]`, which is run once as it is.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) plain: bool,
    pub(crate) runs: u64,
    /// Stored failures that were replayed before.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) replayed: u64,
    pub(crate) failures: u64,
    /// Whether a run had two executions.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) diverged: bool,
    pub(crate) sim_seconds: f64,
    pub(crate) wall_seconds: f64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) fingerprint: String,
}

/// A failure.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Failure {
    pub(crate) test: String,
    /// The base seed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) seed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<u64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) run_seed: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) strategy: String,
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) location: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) replay: String,
    /// How many choices are recorded; `null` where the process died.
    pub(crate) choices: Option<usize>,
    /// How many are left of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shrunk_choices: Option<usize>,
    /// What shrinking came to, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shrunk: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) shrink_runs: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    pub(crate) shrink_wall_seconds: f64,
    /// Other failures that were found meanwhile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) found: Vec<String>,
    /// For a stored failure whose choices pass now: where it has gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) moved: Option<String>,
    pub(crate) details: String,
    pub(crate) last_events: Vec<String>,
    /// For a stored failure: whether it is the one that was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) same: Option<bool>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) drift: u64,
}

/// A divergence.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Diverged {
    pub(crate) test: String,
    /// The base seed.
    pub(crate) seed: String,
    pub(crate) run: u64,
    /// `null` where the difference did not come again.
    pub(crate) first_event: Option<u64>,
    pub(crate) hint: String,
    /// The difference, both sides with their tasks.
    pub(crate) difference: String,
    /// What was varied between the two.
    pub(crate) between: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_nothing(number: &f64) -> bool {
    *number == 0.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(truth: &bool) -> bool {
    !truth
}

/// Where events go.
#[derive(Debug)]
pub(crate) struct Report {
    format: Format,
    bar: ProgressBar,
    /// Whether whoever reads has gone away.
    is_closed: bool,
}

impl Report {
    /// A report in `format`. A bar of `tests` steps is drawn for people at a terminal only.
    pub(crate) fn new(format: Format, tests: usize) -> Self {
        let bar = match format == Format::Human && io::stderr().is_terminal() {
            true => ProgressBar::new(tests as u64),
            false => ProgressBar::hidden(),
        };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} tests, {msg}") {
            bar.set_style(style);
        }
        Self { format, bar, is_closed: false }
    }

    /// Says an event.
    pub(crate) fn say(&mut self, event: &Event) {
        let text = match self.format {
            Format::Human => human::text(event),
            Format::Json => json::line(event),
        };
        if !self.is_closed && !text.is_empty() {
            let mut out = io::stdout().lock();
            let said =
                self.bar.suspend(|| out.write_all(text.as_bytes()).and_then(|()| out.flush()));
            // A reader such as `head` may leave; the exit code is still owed to whoever waits for it.
            self.is_closed = said.is_err();
        }
    }

    /// Shows how far the campaign is.
    pub(crate) fn progress(&self, tests: usize, runs: u64) {
        self.bar.set_position(tests as u64);
        self.bar.set_message(format!("{runs} runs"));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
