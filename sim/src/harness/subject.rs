//! The test itself, and one run of it.

use super::{TestSpec, Verdict};
use crate::Builder;
use core::any::Any;
use sim_core::rt::{End, Failure, FailureKind, Report};
use sim_worker::{Broken, Ended, Perform, RunPlan};
use std::thread;

/// A test: what the attribute knows, how the user configures a run, and the body.
#[derive(Clone, Debug)]
pub(super) struct Subject<F> {
    pub(super) spec: TestSpec,
    configure: fn(Builder) -> Builder,
    body: F,
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
        builder = builder.sync_points(true).census(plan.census);
        builder = builder.faults(plan.faults).buggify(!plan.faults.is_none());
        if let Some(lesson) = &plan.lesson {
            builder = builder.lesson(lesson.clone());
        }
        if let Some(log) = &plan.replay {
            builder = builder.replay(log.clone()).places(plan.places.clone());
        }
        if let Some(what) = plan.redraw {
            builder = builder.redraw(what);
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

/// Performs runs for a search of its own, which reports nothing.
pub(super) struct Quietly<'s, F>(pub(super) &'s Subject<F>);

impl<F, Fut, T> Perform for Quietly<'_, F>
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    fn perform(&mut self, plan: &RunPlan) -> Result<Ended, Broken> {
        self.0.execute(plan).map(|report| ended(&report))
    }

    fn report(&mut self, _run: u64, plan: &RunPlan) -> Result<Ended, Broken> {
        self.perform(plan)
    }
}

/// What a run teaches whoever plans the next ones.
pub(super) fn ended(report: &Report) -> Ended {
    Ended { failed: report.end.failure().is_some(), lesson: report.lesson.clone() }
}
