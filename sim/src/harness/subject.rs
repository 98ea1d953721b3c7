//! The test itself, and one run of it.

use super::{TestSpec, Verdict};
use crate::Builder;
use core::any::Any;
use sim_core::choice::{Log, Seed};
use sim_core::policy::{PolicyError, PolicyKind};
use sim_core::rt::{End, Failure, FailureKind, Report};
use sim_core::simtrace::Simtrace;
use std::thread;

/// A test: what the attribute knows, how the user configures a run, and the body.
#[derive(Clone, Debug)]
pub(super) struct Subject<F> {
    pub(super) spec: TestSpec,
    configure: fn(Builder) -> Builder,
    body: F,
}

/// What one run is to be.
#[derive(Clone, Debug)]
pub(super) struct RunPlan {
    pub(super) seed: Seed,
    pub(super) policy: PolicyKind,
    /// How many choices the head of the batch made.
    pub(super) expected: Option<u32>,
    /// The log to follow instead of the seed.
    pub(super) replay: Option<Log>,
    /// Whether to keep the choice log.
    pub(super) record: bool,
    /// Whether to keep every event.
    pub(super) keep_trace: bool,
    /// Whether log lines and panics are printed as they happen.
    pub(super) echo: bool,
    /// The thread's name.
    pub(super) thread: String,
}

impl RunPlan {
    /// A run by seed that keeps nothing: what a search does.
    pub(super) fn by_seed(seed: Seed, policy: PolicyKind, expected: Option<u32>) -> Self {
        let thread = String::from("sim");
        Self {
            seed,
            policy,
            expected,
            replay: None,
            record: false,
            keep_trace: false,
            echo: false,
            thread,
        }
    }

    /// The same run, with its log and every event kept.
    pub(super) fn recorded(mut self) -> Self {
        self.record = true;
        self.keep_trace = true;
        self
    }

    /// The run that a stored failure describes, with every event kept: by its log, or by seed where none could be had.
    pub(super) fn of_stored(file: &Simtrace) -> Result<Self, String> {
        // A log needs no policy, so one that this version does not have is no obstacle.
        let policy = match &file.log {
            Some(_) => PolicyKind::Fifo,
            None => {
                file.strategy.parse().map_err(|error: PolicyError| format!("strategy: {error}"))?
            }
        };
        let expected = match file.config.get("expected_choices") {
            Some(text) => Some(
                text.parse().map_err(|_| format!("expected_choices: '{text}' is not a number"))?,
            ),
            None => None,
        };
        let by_seed = Self::by_seed(file.seed, policy, expected);
        Ok(Self { replay: file.log.clone(), keep_trace: true, ..by_seed })
    }
}

/// Why there is no run to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The run was configured as it cannot be.
    Mistake(String),
    /// The simulation panicked outside the program's code.
    Defect(String),
}

impl<F, Fut, T> Subject<F>
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    pub(super) fn new(spec: TestSpec, configure: fn(Builder) -> Builder, body: F) -> Self {
        Self { spec, configure, body }
    }

    /// Performs one run, on a thread of its own.
    pub(super) fn execute(&self, plan: &RunPlan) -> Result<Report, Broken> {
        let (builder, body, spec) = (self.builder(plan), self.body.clone(), self.spec);
        let thread = thread::Builder::new().name(plan.thread.clone());
        let run = move || {
            let runtime = builder.build().map_err(|error| Broken::Mistake(error.to_string()))?;
            let run = runtime.run_to_end(body);
            let mut report = run.report;
            if let (End::Done, Some(Err(error))) = (&report.end, run.output.map(Verdict::verdict)) {
                report.end = End::Failed(returned(&spec, error));
            }
            Ok(report)
        };
        let handle = thread
            .spawn(run)
            .map_err(|error| Broken::Defect(format!("no thread for a run: {error}")))?;
        handle.join().unwrap_or_else(|payload| Err(Broken::Defect(text(&*payload))))
    }

    fn builder(&self, plan: &RunPlan) -> Builder {
        let mut builder = Builder::new();
        if let Some(limit) = self.spec.time_limit {
            builder = builder.time_limit(limit);
        }
        if let Some(steps) = self.spec.steps_max {
            builder = builder.steps_max(steps);
        }
        // What decides the run comes after the user's own settings: a seed fixed there would make all runs one.
        builder = (self.configure)(builder).seed(plan.seed).policy(plan.policy);
        if let Some(expected) = plan.expected {
            builder = builder.expected_choices(expected);
        }
        if let Some(log) = &plan.replay {
            builder = builder.replay(log.clone());
        }
        builder.record(plan.record).keep_trace(plan.keep_trace).echo(plan.echo)
    }
}

/// The failure of a test that returned an error. The place is the test's own: an error value has none.
fn returned(spec: &TestSpec, error: String) -> Failure {
    Failure {
        kind: FailureKind::Error,
        message: error,
        location: Some(format!("{}:{}", spec.file, spec.line)),
        details: String::new(),
    }
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a text")
        .to_owned()
}
