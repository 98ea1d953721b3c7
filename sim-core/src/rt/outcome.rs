//! Why a run ended, and what there is to say about it.

use crate::choice::Log;
use crate::policy::Lesson;
use crate::trace::{Fingerprint, Notice, Probe, Recorded};
use core::fmt;
use sim_time::Instant;

/// What went wrong, in the words of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FailureKind {
    /// The program panicked, in its root task or in one that nobody joins.
    Panic,
    /// The test returned an error.
    Error,
    /// An assertion of the program's own does not hold, or an invariant.
    Assertion,
    /// No run of many has reached what some run must. A single run never ends so.
    Unreached,
    /// Nothing can ever happen again, and the root task has not ended.
    Deadlock,
    /// Tasks are polled for ever and nothing comes of it.
    Livelock,
    /// A limit of the configuration was reached.
    Limit,
    /// The limit of virtual time was reached.
    Timeout,
    /// Tasks were left behind.
    Leak,
    /// Something outside the world took part.
    Escape,
    /// The same choices gave another execution.
    Divergence,
}

impl FailureKind {
    /// Every kind, with its name on the command line.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Panic, "panic"),
        (Self::Error, "error"),
        (Self::Assertion, "assertion"),
        (Self::Unreached, "unreached"),
        (Self::Deadlock, "deadlock"),
        (Self::Livelock, "livelock"),
        (Self::Limit, "limit"),
        (Self::Timeout, "timeout"),
        (Self::Leak, "leak"),
        (Self::Escape, "escape"),
        (Self::Divergence, "divergence"),
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("failure", |(_, name)| name)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// What happened, in a line.
    pub message: String,
    /// `file:line:column`, where one is known.
    pub location: Option<String>,
    /// More lines: who waits for what, who was left behind.
    pub details: String,
}

impl Failure {
    /// A failure without a place.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), location: None, details: String::new() }
    }

    /// With more lines.
    #[must_use]
    pub fn with_details(mut self, details: String) -> Self {
        self.details = details;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)?;
        if let Some(location) = &self.location {
            write!(f, ", at {location}")?;
        }
        if !self.details.is_empty() {
            write!(f, "\n{}", self.details.trim_end())?;
        }
        Ok(())
    }
}

impl core::error::Error for Failure {}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The root task completed.
    Done,
    /// It did not, or something else is to be reported.
    Failed(Failure),
}

impl End {
    /// The failure, if it is one.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Done => None,
            Self::Failed(failure) => Some(failure),
        }
    }
}

/// What there is to say about a run that ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it ended.
    pub end: End,
    /// The hash of all its events.
    pub fingerprint: Fingerprint,
    /// The hash of the order of actors.
    pub schedule: Fingerprint,
    /// How many turns were given.
    pub steps: u64,
    /// How many of them had more than one actor to choose from.
    pub choices: u64,
    /// How much virtual time passed.
    pub elapsed: Instant,
    /// Remarks: what was asked for and is not modelled, what was left behind.
    pub notices: Vec<Notice>,
    /// The probes that the run has come by, ordered by message.
    pub probes: Vec<Probe>,
    /// The most recent events, as text.
    pub recent: Vec<String>,
    /// The choice log, if it was recorded.
    pub log: Option<Log>,
    /// Every event and log line, if they were kept.
    pub recorded: Option<Recorded>,
    /// How many entries of a replayed log no question asked for.
    pub drift: usize,
    /// What the run has taught, if it was counted.
    pub lesson: Option<Lesson>,
}

/// A run that ended: what its root task gave, and the report.
#[derive(Debug)]
pub struct Run<T> {
    /// The root task's output, if it completed.
    pub output: Option<T>,
    /// The report.
    pub report: Report,
}

impl<T> Run<T> {
    /// The root task's output.
    ///
    /// # Panics
    /// If the run failed, with the failure.
    #[track_caller]
    pub fn unwrap(self) -> T {
        match (self.report.end, self.output) {
            (End::Done, Some(output)) => output,
            (End::Failed(failure), _) => panic!("{failure}"),
            (End::Done, None) => unreachable!("a run that is done has an output"),
        }
    }
}
