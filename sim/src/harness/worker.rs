//! A test as a worker of `cargo sim`: each run on a thread of its own, its line in the report.

use super::Verdict;
use super::subject::{Subject, ended};
use sim_core::rt::Report;
use sim_worker::{Broken, Ended, Lines, Perform, Plan, RunPlan, report, work};
use std::fs;
use std::path::{Path, PathBuf};

/// Carries out the plan. Failures of the test are reported, not returned: the error is a failing report file.
pub(super) fn run<F, Fut, T>(subject: &Subject<F>, path: &Path, plan: &str) -> Result<(), String>
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    let test = subject.spec.full_name();
    let mut lines = Lines::open(path)?;
    lines.write(report::hello(&test, subject.spec.runs))?;
    let plan = Plan::parse(plan);
    let trace = plan.as_ref().ok().and_then(|plan| plan.trace.clone());
    let mut performer = Reported { subject, lines: Lines::open(path)?, trace };
    work::carry_out(plan, &test, subject.spec.runs, &mut lines, &mut performer)
}

/// Performs runs and writes their lines.
struct Reported<'s, F> {
    subject: &'s Subject<F>,
    lines: Lines,
    /// Where every event of a run that keeps them is to be written.
    trace: Option<PathBuf>,
}

impl<F, Fut, T> Perform for Reported<'_, F>
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    fn perform(&mut self, plan: &RunPlan) -> Result<Ended, Broken> {
        self.subject.execute(plan).map(|report| ended(&report))
    }

    fn report(&mut self, run: u64, plan: &RunPlan) -> Result<Ended, Broken> {
        let report = self.subject.execute(plan)?;
        self.keep_trace(&report).map_err(Broken::Mistake)?;
        self.lines.write(report::ended(run, &report)).map_err(Broken::Mistake)?;
        Ok(ended(&report))
    }
}

impl<F> Reported<'_, F> {
    /// Writes every event of the run for the coordinator, where it asked for them.
    fn keep_trace(&self, report: &Report) -> Result<(), String> {
        match (&self.trace, &report.recorded) {
            (Some(path), Some(recorded)) => fs::write(path, recorded.to_bytes()).map_err(|error| {
                format!("{}: the trace cannot be written: {error}", path.display())
            }),
            _ => Ok(()),
        }
    }
}
