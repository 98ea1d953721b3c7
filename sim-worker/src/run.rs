//! What one run is to be.

use sim_core::choice::{Log, Seed};
use sim_core::policy::{PolicyError, PolicyKind};
use sim_core::simtrace::Simtrace;

/// What one run is to be.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// What answers its choices.
    pub seed: Seed,
    /// Who picks among the enabled actors.
    pub policy: PolicyKind,
    /// How many choices the head of the batch made.
    pub expected: Option<u32>,
    /// The log to follow instead of the seed.
    pub replay: Option<Log>,
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
    pub fn by_seed(seed: Seed, policy: PolicyKind, expected: Option<u32>) -> Self {
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
    #[must_use]
    pub fn recorded(mut self) -> Self {
        self.record = true;
        self.keep_trace = true;
        self
    }

    /// The run that a stored failure describes, with every event kept: by its log, or by seed where none could be had.
    ///
    /// # Errors
    /// A strategy or an expectation that this version cannot read, as a sentence.
    pub fn of_stored(file: &Simtrace) -> Result<Self, String> {
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
pub enum Broken {
    /// The run was configured as it cannot be.
    Mistake(String),
    /// The simulation broke outside the program's code.
    Defect(String),
    /// This process is the run itself from here on, forked off the worker: it leaves the loop without a word.
    Forked,
}

/// What a run teaches whoever plans the next ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How many of its turns had more than one actor to choose from.
    pub choices: u64,
    /// Whether it failed.
    pub failed: bool,
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
