//! Batches: the unit in which runs learn and in which they are handed out.
//!
//! A batch is 32 runs. Its head runs first in, first out, and is counted: what it teaches, the policies of the other 31 draw their
//! points from. No batch knows of another, so a run is repeated by repeating its head and itself, and processes and
//! machines can divide the batches.

use crate::faults::{Faults, Profile};
use crate::run::{Broken, Ended, Perform, RunPlan};
use crate::strategy::Strategy;
use sim_core::choice::Seed;
use sim_core::policy::{Lesson, PolicyKind};

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
    /// What draws their faults.
    pub faults: Profile,
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

    /// The faults of run `run`: those of its batch, but none in the very first run of all.
    #[must_use]
    pub fn faults(&self, run: u64) -> Faults {
        match run {
            0 => Faults::default(),
            _ => self.faults.draw(self.seed(head(run))),
        }
    }
}

/// The first run of `run`'s batch.
fn head(run: u64) -> u64 {
    run / BATCH_RUNS * BATCH_RUNS
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
    lesson: Option<(u64, Lesson)>,
}

impl<'s> Planner<'s> {
    /// A planner that knows no lesson yet.
    #[must_use]
    pub fn new(series: &'s Series) -> Self {
        Self { series, lesson: None }
    }

    /// The plan of run `run`. Where its policy needs the head's lesson and the head was not run here, it is run now.
    ///
    /// # Errors
    /// Why the head could not be run.
    pub fn plan(&mut self, performer: &mut impl Perform, run: u64) -> Result<RunPlan, Broken> {
        let policy = self.series.policy(run);
        if is_head(run) {
            return Ok(self.head(run));
        }
        let lesson = if policy.learns() { Some(self.lesson_of(performer, run)?) } else { None };
        let plan = RunPlan::by_seed(self.series.seed(run), policy, lesson);
        Ok(RunPlan { faults: self.series.faults(run), ..plan })
    }

    fn head(&self, run: u64) -> RunPlan {
        let plan = RunPlan::by_seed(self.series.seed(run), PolicyKind::Fifo, None);
        RunPlan { census: true, faults: self.series.faults(run), ..plan }
    }

    fn lesson_of(&mut self, performer: &mut impl Perform, run: u64) -> Result<Lesson, Broken> {
        let head = head(run);
        if self.lesson.as_ref().is_none_or(|(known, _)| *known != head) {
            let ended = performer.perform(&self.head(head))?;
            self.learn(head, ended);
        }
        Ok(self.lesson.as_ref().map_or_else(Lesson::default, |(_, lesson)| lesson.clone()))
    }

    /// Takes note of what a run has taught; only heads do.
    pub fn learn(&mut self, run: u64, ended: Ended) {
        if is_head(run) {
            self.lesson = Some((run, ended.lesson.unwrap_or_default()));
        }
    }
}
