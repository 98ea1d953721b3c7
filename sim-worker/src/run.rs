//! What one run is to be.

use crate::batch::{Planner, Series};
use crate::faults::{Faults, Profile};
use crate::strategy::Strategy;
use sim_core::choice::{Choices, Log, Path, Redraw, Seed};
use sim_core::policy::{Lesson, PolicyError, PolicyKind};
use sim_core::simtrace::Simtrace;
use std::collections::BTreeSet;

/// The key of a stored failure's faults in its configuration.
pub const FAULTS: &str = "faults";

/// What one run is to be.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// What answers its choices.
    pub seed: Seed,
    /// Who picks among the enabled actors.
    pub policy: PolicyKind,
    /// What the head of the batch has taught.
    pub lesson: Option<Lesson>,
    /// Whether the run is counted, to teach others.
    pub census: bool,
    /// What befalls hosts and links.
    pub faults: Faults,
    /// The log to follow instead of the seed.
    pub replay: Option<Log>,
    /// Which of the log's answers are drawn from the seed all the same.
    pub redraw: Option<Redraw>,
    /// The turns of which it is to be told where in the source they end.
    pub places: BTreeSet<(Path, u32)>,
    /// Whether to keep the choice log.
    pub record: bool,
    /// Whether to keep every event.
    pub keep_trace: bool,
    /// Whether log lines and panics are printed as they happen.
    pub echo: bool,
    /// The name of the thread that carries the run, where it has one of its own.
    pub thread: String,
}

impl RunPlan {
    /// A run by seed that keeps nothing: what a search does.
    #[must_use]
    pub fn by_seed(seed: Seed, policy: PolicyKind, lesson: Option<Lesson>) -> Self {
        let thread = String::from("sim");
        Self {
            seed,
            policy,
            lesson,
            census: false,
            faults: Faults::default(),
            replay: None,
            redraw: None,
            places: BTreeSet::new(),
            record: false,
            keep_trace: false,
            echo: false,
            thread,
        }
    }

    /// The same run, with its log and every event kept.
    #[must_use]
    pub fn recorded(mut self) -> Self {
        self.record = true;
        self.keep_trace = true;
        self
    }

    /// What answers its choices.
    #[must_use]
    pub fn choices(&self) -> Choices {
        match (&self.replay, self.redraw) {
            (None, _) => Choices::seeded(self.seed),
            (Some(log), None) => Choices::replay(log),
            (Some(log), Some(what)) => Choices::redrawn(log, what, self.seed),
        }
    }

    /// The run that a stored failure describes, with every event kept: by its log, or by seed where none could be had, after
    /// the head of its batch.
    ///
    /// # Errors
    /// A strategy that this version cannot read, or a head that could not be run.
    pub fn of_stored(file: &Simtrace, performer: &mut impl Perform) -> Result<Self, Broken> {
        let faults = match file.config.get(FAULTS) {
            Some(text) => {
                text.parse().map_err(|error| Broken::Mistake(format!("{FAULTS}: {error}")))?
            }
            None => Faults::default(),
        };
        if let Some(log) = &file.log {
            // A log needs no policy, so one that this version does not have is no obstacle.
            let plan = Self::by_seed(file.seed, PolicyKind::Fifo, None);
            return Ok(Self { replay: Some(log.clone()), faults, keep_trace: true, ..plan });
        }
        let policy = file
            .strategy
            .parse()
            .map_err(|error: PolicyError| Broken::Mistake(format!("strategy: {error}")))?;
        let strategy = Strategy::Policy(policy);
        let faults = Profile::These(faults);
        let series = Series { test: file.test.clone(), base: file.base_seed, strategy, faults };
        let plan = Planner::new(&series).plan(performer, file.run)?;
        Ok(Self { keep_trace: true, ..plan })
    }
}

/// Why there is no run to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The run was configured as it cannot be.
    Mistake(String),
    /// The simulation broke outside the program's code.
    Defect(String),
    /// This process is the run itself from here on, forked off the worker: it leaves the loop without a word.
    Forked,
}

/// What a run teaches whoever plans the next ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whether it failed.
    pub failed: bool,
    /// What it has taught, if it was counted.
    pub lesson: Option<Lesson>,
}

/// Performs runs of one test.
pub trait Perform {
    /// Performs a run and says what it came to; nothing is reported. For the head of a batch that another process reports.
    ///
    /// # Errors
    /// Why there was no run.
    fn perform(&mut self, plan: &RunPlan) -> Result<Ended, Broken>;

    /// Performs run number `run` and writes its line, and its trace where the orders ask for one.
    ///
    /// # Errors
    /// Why there was no run.
    fn report(&mut self, run: u64, plan: &RunPlan) -> Result<Ended, Broken>;
}
