//! Batches: the unit in which runs learn and in which they are handed out.
//!
//! A batch is 32 runs. Its head runs first in, first out, and the number of choices it made is what
//! PCT of the other 31 draws its points of change from. No batch knows of another, so a run is
//! repeated by repeating its head and itself, and processes and machines can divide the batches.

use crate::run::{Broken, Perform, RunPlan};
use crate::strategy::Strategy;
use sim_core::choice::Seed;
use sim_core::policy::PolicyKind;

/// How many runs a batch has.
pub const BATCH_RUNS: u64 = 32;

/// Where the runs of a test come from.
#[derive(Clone, Debug)]
pub struct Series {
    /// The full name of the test.
    pub test: String,
    /// The base seed.
    pub base: Seed,
    /// What picks their policies.
    pub strategy: Strategy,
}

impl Series {
    /// The seed of run `run`.
    #[must_use]
    pub fn seed(&self, run: u64) -> Seed {
        self.base.for_run(&self.test, run)
    }

    /// The policy of run `run`.
    #[must_use]
    pub fn policy(&self, run: u64) -> PolicyKind {
        self.strategy.policy(self.seed(run), is_head(run))
    }
}

/// Whether `run` is the first of its batch.
#[must_use]
pub fn is_head(run: u64) -> bool {
    run.is_multiple_of(BATCH_RUNS)
}

/// Plans consecutive runs, and remembers what the head of their batch taught.
#[derive(Debug)]
pub struct Planner<'s> {
    series: &'s Series,
    expected: Option<(u64, u32)>,
}

impl<'s> Planner<'s> {
    /// `expected` is what the head of `run`'s batch taught, where that is known already.
    #[must_use]
    pub fn new(series: &'s Series, run: u64, expected: Option<u32>) -> Self {
        Self { series, expected: expected.map(|expected| (run / BATCH_RUNS, expected)) }
    }

    /// The plan of run `run`. Where its policy needs the head's lesson and the head was not run here, it is run now.
    ///
    /// # Errors
    /// Why the head could not be run.
    pub fn plan(&mut self, performer: &mut impl Perform, run: u64) -> Result<RunPlan, Broken> {
        let (batch, policy) = (run / BATCH_RUNS, self.series.policy(run));
        let learns = !is_head(run) && matches!(policy, PolicyKind::Pct { .. });
        if learns && self.expected.is_none_or(|(known, _)| known != batch) {
            let head = batch * BATCH_RUNS;
            let plan = RunPlan::by_seed(self.series.seed(head), PolicyKind::Fifo, None);
            let ended = performer.perform(&plan)?;
            self.learn(head, ended.choices);
        }
        let expected = self.expected.filter(|_| learns).map(|(_, expected)| expected);
        Ok(RunPlan::by_seed(self.series.seed(run), policy, expected))
    }

    /// Takes note of how many choices a run made; only heads teach.
    pub fn learn(&mut self, run: u64, choices: u64) {
        if is_head(run) {
            let choices = u32::try_from(choices).unwrap_or(u32::MAX).max(1);
            self.expected = Some((run / BATCH_RUNS, choices));
        }
    }
}
