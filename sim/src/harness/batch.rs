//! Batches: the unit in which runs learn and in which they are handed out.
//!
//! A batch is 32 runs. Its head runs first in, first out, and the number of choices it made is what
//! PCT of the other 31 draws its points of change from. No batch knows of another, so a run is
//! repeated by repeating its head and itself, and processes and machines can divide the batches.

use super::Verdict;
use super::strategy::Strategy;
use super::subject::{Broken, RunPlan, Subject};
use sim_core::choice::Seed;
use sim_core::policy::PolicyKind;
use sim_core::rt::Report;

/// How many runs a batch has.
pub(super) const BATCH_RUNS: u64 = 32;

/// Where the runs of a test come from.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) test: String,
    pub(super) base: Seed,
    pub(super) strategy: Strategy,
}

impl Series {
    /// The seed of run `run`.
    pub(super) fn seed(&self, run: u64) -> Seed {
        self.base.for_run(&self.test, run)
    }

    /// The policy of run `run`.
    pub(super) fn policy(&self, run: u64) -> PolicyKind {
        self.strategy.policy(self.seed(run), is_head(run))
    }
}

/// Whether `run` is the first of its batch.
pub(super) fn is_head(run: u64) -> bool {
    run.is_multiple_of(BATCH_RUNS)
}

/// Plans consecutive runs, and remembers what the head of their batch taught.
#[derive(Debug)]
pub(super) struct Planner<'s> {
    series: &'s Series,
    expected: Option<(u64, u32)>,
}

impl<'s> Planner<'s> {
    /// `expected` is what the head of `run`'s batch taught, where that is known already.
    pub(super) fn new(series: &'s Series, run: u64, expected: Option<u32>) -> Self {
        Self { series, expected: expected.map(|expected| (run / BATCH_RUNS, expected)) }
    }

    /// The plan of run `run`. Where its policy needs the head's lesson and the head was not run here, it is run now.
    pub(super) fn plan<F, Fut, T>(
        &mut self,
        subject: &Subject<F>,
        run: u64,
    ) -> Result<RunPlan, Broken>
    where
        F: Fn() -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = T> + 'static,
        T: Verdict + 'static,
    {
        let (batch, policy) = (run / BATCH_RUNS, self.series.policy(run));
        let learns = !is_head(run) && matches!(policy, PolicyKind::Pct { .. });
        if learns && self.expected.is_none_or(|(known, _)| known != batch) {
            let head = batch * BATCH_RUNS;
            let report = subject.execute(&RunPlan::by_seed(
                self.series.seed(head),
                PolicyKind::Fifo,
                None,
            ))?;
            self.learn(head, &report);
        }
        let expected = self.expected.filter(|_| learns).map(|(_, expected)| expected);
        Ok(RunPlan::by_seed(self.series.seed(run), policy, expected))
    }

    /// Takes note of how a run went; only heads teach.
    pub(super) fn learn(&mut self, run: u64, report: &Report) {
        if is_head(run) {
            let choices = u32::try_from(report.choices).unwrap_or(u32::MAX).max(1);
            self.expected = Some((run / BATCH_RUNS, choices));
        }
    }
}
