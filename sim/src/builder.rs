//! How a simulated run is described.

use crate::faults::Faults;
use crate::log;
use crate::runtime::SimRuntime;
use sim_core::Env;
use sim_core::choice::{Choices, Log, Odometer, Path, Redraw, Seed};
use sim_core::policy::{Lesson, PolicyKind};
use sim_core::rt::{ConfigError, Engine, Leaks, Run, RuntimeConfig};
use sim_world::{LinkConfig, Universe, WorldConfig};
use std::collections::BTreeSet;
use std::time::Duration;

/// Describes a simulated run: seed, policy, limits, links; and what is kept of it.
///
/// ```
/// use std::time::Duration;
/// let run = sim::Builder::new().seed(1).time_limit(Duration::from_secs(60)).run(|| async {
///     sim::time::sleep(Duration::from_secs(3600)).await;
/// });
/// assert_eq!(run.report.end.failure().unwrap().kind, sim::FailureKind::Timeout);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Builder {
    seed: Seed,
    policy: PolicyKind,
    lesson: Lesson,
    replay: Option<Log>,
    redraw: Option<Redraw>,
    places: BTreeSet<(Path, u32)>,
    odometer: Option<Odometer>,
    record: bool,
    keep_trace: bool,
    echo: bool,
    hosts: Vec<String>,
    faults: Faults,
    config: RuntimeConfig,
    world: WorldConfig,
}

impl Builder {
    /// Seed 0, first in first out, no faults, the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The seed that answers all choices.
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = seed.into();
        self
    }

    /// Who picks among the enabled actors.
    #[must_use]
    pub fn policy(mut self, policy: PolicyKind) -> Self {
        self.policy = policy;
        self
    }

    /// What is known of the program from a run before, for policies that reckon with it: the lesson of a report whose run was
    /// [counted](Builder::census).
    #[must_use]
    pub fn lesson(mut self, lesson: Lesson) -> Self {
        self.lesson = lesson;
        self
    }

    /// Counts who does how much to what, for the report's lesson.
    #[must_use]
    pub fn census(mut self, census: bool) -> Self {
        self.config.census = census;
        self
    }

    /// Whether tasks may be interrupted before they touch what they share, as on several threads they could be. A
    /// `#[sim::test]` has them on, a plain run only where it is told so here.
    ///
    /// A lock that nobody contends for is taken without a wait, so that two tasks that read in one turn and write in the next seem to be
    /// safe. They are not:
    ///
    /// ```
    /// use sim::sync::Mutex;
    /// use std::rc::Rc;
    ///
    /// /// The bug: another may deposit between the two locks.
    /// async fn deposit(account: Rc<Mutex<u32>>) {
    ///     let seen = *account.lock().await;
    ///     *account.lock().await = seen + 1;
    /// }
    ///
    /// /// What is on the account after two deposits.
    /// fn balance(seed: u64, sync_points: bool) -> u32 {
    ///     let run = sim::Builder::new().seed(seed).policy(sim::PolicyKind::Random);
    ///     run.sync_points(sync_points).run(|| async {
    ///         let account = Rc::new(Mutex::new(0));
    ///         let deposits = [(); 2].map(|()| sim::spawn(deposit(Rc::clone(&account))));
    ///         for deposit in deposits {
    ///             deposit.await.unwrap();
    ///         }
    ///         *account.lock().await
    ///     }).unwrap()
    /// }
    ///
    /// assert!((0..100).all(|seed| balance(seed, false) == 2), "between waits nobody comes in between");
    /// assert!((0..100).any(|seed| balance(seed, true) == 1), "an update is lost");
    /// ```
    #[must_use]
    pub fn sync_points(mut self, sync_points: bool) -> Self {
        self.config.sync_points = sync_points;
        self
    }

    /// Whether the faults that the program's own code offers ([`buggify!`](crate::buggify)) may happen. A `#[sim::test]` has them on where it has any
    /// faults (`--faults`), a plain run only where it is told so here.
    #[must_use]
    pub fn buggify(mut self, buggify: bool) -> Self {
        self.config.buggify = buggify;
        self
    }

    /// Answers from a recorded log instead of the seed.
    #[must_use]
    pub fn replay(mut self, log: Log) -> Self {
        self.replay = Some(log);
        self
    }

    /// Of a replayed log, draws these answers from the seed all the same: a neighbour of the recorded run.
    #[must_use]
    pub fn redraw(mut self, what: Redraw) -> Self {
        self.redraw = Some(what);
        self
    }

    /// Notes where in the source these turns end, for a run whose trace is kept.
    #[must_use]
    pub fn places(mut self, turns: BTreeSet<(Path, u32)>) -> Self {
        self.places = turns;
        self
    }

    /// Answers from an odometer instead of the seed; take it back with [`SimRuntime::into_odometer`].
    #[must_use]
    pub fn odometer(mut self, odometer: Odometer) -> Self {
        self.odometer = Some(odometer);
        self
    }

    /// Keeps the choice log, for the report.
    #[must_use]
    pub fn record(mut self, record: bool) -> Self {
        self.record = record;
        self
    }

    /// Keeps every event and log line, for the report.
    #[must_use]
    pub fn keep_trace(mut self, keep: bool) -> Self {
        self.keep_trace = keep;
        self
    }

    /// Prints the program's log lines (`RUST_LOG` decides which) and panics to standard error while it runs.
    #[must_use]
    pub fn echo(mut self, echo: bool) -> Self {
        self.echo = echo;
        self
    }

    /// Adds a host that exists from the start; [`host`](crate::host()) adds one later as well.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Turns after which the run ends as `limit`.
    #[must_use]
    pub fn steps_max(mut self, steps: u64) -> Self {
        self.config.steps_max = steps;
        self
    }

    /// Virtual time after which the run ends as `timeout`.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.config.time_max = limit;
        self
    }

    /// What to do about tasks left behind when the root has ended.
    #[must_use]
    pub fn leaks(mut self, leaks: Leaks) -> Self {
        self.config.leaks = leaks;
        self
    }

    /// How links behave, unless [`net::faults`](crate::net::faults) changes one.
    #[must_use]
    pub fn links(mut self, config: LinkConfig) -> Self {
        self.world.link = config;
        self
    }

    /// What befalls hosts and links while the run lasts; see [`faults`](crate::faults).
    ///
    /// ```
    /// use sim::faults::{FaultKind, Faults};
    /// let faults = Faults::default().with(FaultKind::Crash, 2);
    /// let run = sim::Builder::new().seed(3).faults(faults).run(|| async {
    ///     let starts = std::rc::Rc::new(std::cell::Cell::new(0));
    ///     let counter = starts.clone();
    ///     sim::host("db").run(move || {
    ///         counter.set(counter.get() + 1);
    ///         std::future::pending()
    ///     });
    ///     sim::time::sleep(std::time::Duration::from_secs(60)).await;
    ///     starts.get()
    /// });
    /// assert!(run.unwrap() > 5, "it crashed again and again");
    /// ```
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// All limits and costs at once.
    #[must_use]
    pub fn config(mut self, config: RuntimeConfig) -> Self {
        self.config = config;
        self
    }

    /// Makes the runtime.
    ///
    /// # Errors
    /// A limit of zero, with advice.
    pub fn build(self) -> Result<SimRuntime, ConfigError> {
        let mut choices = match (self.odometer, &self.replay) {
            (Some(odometer), _) => Choices::odometer(odometer),
            (None, Some(log)) => match self.redraw {
                None => Choices::replay(log),
                Some(what) => Choices::redrawn(log, what, self.seed),
            },
            (None, None) => Choices::seeded(self.seed),
        };
        if self.keep_trace {
            choices.names.keep();
        }
        if self.record {
            choices.record();
        }
        let policy = self.policy.build(&choices, &self.lesson);
        let mut env = Env::new(choices);
        if self.keep_trace {
            env.trace.keep_all();
            env.trace.want_places(self.places);
        }
        let mut universe = Universe::new(&mut env, self.world);
        for name in self.hosts {
            universe.add_host(&mut env, name);
        }
        let mut engine = Engine::new(self.config, env, policy, Box::new(universe), None)?;
        engine.silence_panics(!self.echo);
        let lines = log::Lines { kept: self.keep_trace, echoed: self.echo };
        Ok(SimRuntime::new(engine, lines, self.faults))
    }

    /// Makes the runtime and runs one future to its end.
    ///
    /// # Panics
    /// If a limit is zero.
    #[track_caller]
    pub fn run<F: Future + 'static>(self, root: impl FnOnce() -> F) -> Run<F::Output> {
        match self.build() {
            Ok(runtime) => runtime.run_to_end(root),
            Err(error) => panic!("{error}"),
        }
    }
}
