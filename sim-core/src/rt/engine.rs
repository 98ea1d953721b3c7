//! The engine from outside: made once, entered for each `block_on`, closed with a report.

use super::assertions::Provoked;
use super::foreign::Foreign;
use super::hosts::Held;
use super::inbox::{Inbox, Interrupt};
use super::join::JoinHandle;
use super::outcome::{End, Failure, FailureKind, Report, Run};
use super::spawn::{NameCache, TaskBuilder};
use super::state::State;
use super::task::{Content, Tasks};
use super::timers::OddTimers;
use super::{
    ConfigError, Goal, Leaks, Runtime, RuntimeConfig, current, discard, drive, escape, panics,
};
use crate::backend::Backend;
use crate::choice::Odometer;
use crate::enabled::EnabledSet;
use crate::env::Env;
use crate::id::TaskId;
use crate::object::Object;
use crate::policy::PolicyBox;
use crate::trace::describe;
use core::mem;
use core::panic::Location;
use core::task::Waker;
use sim_time::{Instant, Wheel};

/// How many of the recent events a report shows.
const RECENT_IN_REPORT: usize = 24;

/// A runtime with its world.
#[derive(Debug)]
pub struct Engine {
    runtime: Option<Box<Runtime>>,
    silent: bool,
}

impl Engine {
    /// A runtime over `backend`, in which `policy` schedules and `choices` answers.
    ///
    /// # Errors
    /// A limit of `config` that is zero.
    pub fn new(
        config: RuntimeConfig,
        env: Env,
        policy: PolicyBox,
        backend: Box<dyn Backend>,
        interrupt: Option<Interrupt>,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        panics::install();
        let time_is_virtual = backend.time_is_virtual();
        let (number, inbox) = Inbox::open(interrupt);
        let mut enabled = EnabledSet::new(policy, &env.choices);
        if config.census {
            enabled.count();
        }
        let asks_objects = config.sync_points || enabled.asks_objects();
        let runtime = Runtime {
            number,
            enabled,
            env,
            timers: Wheel::new(),
            odd_timers: OddTimers::default(),
            timers_due: Instant::MAX,
            backend,
            tasks: Tasks::new(number),
            foreign: Foreign::default(),
            inbox,
            config,
            time_is_virtual,
            current: None,
            granted: Object::UNKNOWN,
            asks_objects,
            objects: 0,
            goal: Goal::None,
            alive: 0,
            draws: None,
            boots: Vec::new(),
            outbox: Vec::new(),
            discarded: Vec::new(),
            held: Held::default(),
            graveyard: Vec::new(),
            steps: 0,
            effect_step: 0,
            look_at: 0,
            outside_at: 0,
            over: false,
            failure: None,
            inert: false,
            panic_place: None,
            spawner_cache: NameCache::default(),
            invariants: Vec::new(),
            checked_at: None,
            provoked: Provoked::default(),
            in_tail: false,
            tail_waiter: None,
        };
        Ok(Self { runtime: Some(Box::new(runtime)), silent: false })
    }

    /// Whether panics of tasks are kept from standard error; for searches.
    pub fn silence_panics(&mut self, silent: bool) {
        self.silent = silent;
    }

    /// Runs `f` with the runtime as the current one: handles work, nothing is polled.
    pub fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R {
        current::enter(&mut self.runtime, f)
    }

    /// Spawns a task that runs whenever the engine is driven.
    #[track_caller]
    pub fn spawn<F: Future + 'static>(&mut self, future: F) -> JoinHandle<F::Output> {
        let location = Location::caller();
        self.enter(|| TaskBuilder::new().spawn_at(future, location))
    }

    /// Runs until `future` has ended.
    ///
    /// # Errors
    /// Why the run ended before it did. After a failure the engine runs nothing more.
    #[track_caller]
    pub fn block_on<F: Future + 'static>(&mut self, future: F) -> Result<F::Output, Failure> {
        let (silent, location) = (self.silent, Location::caller());
        current::enter(&mut self.runtime, || {
            let root = TaskBuilder::new().name("main").spawn_at(future, location);
            current::with(|runtime| runtime.goal = Goal::Root(root.id()));
            panics::watching(silent, drive);
            current::with(|runtime| runtime.finish_root(root))
        })
    }

    /// Runs until every task has ended.
    ///
    /// # Errors
    /// Why the run ended before they did.
    pub fn run_all(&mut self) -> Result<(), Failure> {
        let silent = self.silent;
        current::enter(&mut self.runtime, || {
            current::with(|runtime| runtime.goal = Goal::Everybody);
            panics::watching(silent, drive);
            current::with(|runtime| {
                runtime.goal = Goal::None;
                runtime.failure.as_deref().cloned().map_or(Ok(()), Err)
            })
        })
    }

    /// Ends the run: what is left behind is looked at and then dropped in an inert world.
    pub fn close(mut self, failure: Option<Failure>) -> Report {
        let silent = self.silent;
        let report = self.enter(|| current::with(|runtime| runtime.report(failure)));
        self.enter(|| panics::watching(silent, bury_all));
        let runtime = self.runtime.take().expect("a runtime that was entered was left");
        Inbox::close(runtime.number);
        report
    }

    /// Ends the run for the sake of its odometer, if one answered.
    #[must_use]
    pub fn close_for_odometer(mut self) -> Option<Odometer> {
        let silent = self.silent;
        self.enter(|| panics::watching(silent, bury_all));
        let runtime = self.runtime.take().expect("a runtime that was entered was left");
        Inbox::close(runtime.number);
        let Runtime { env, .. } = *runtime;
        env.choices.into_odometer()
    }

    /// Runs one future to its end and closes: the whole life of a simulated run.
    #[track_caller]
    pub fn run<F: Future + 'static>(mut self, future: F) -> Run<F::Output> {
        let (output, failure) = match self.block_on(future) {
            Ok(output) => (Some(output), None),
            Err(failure) => (None, Some(failure)),
        };
        let report = self.close(failure);
        Run { output: output.filter(|_| report.end == End::Done), report }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.runtime.is_some() {
            let silent = self.silent;
            current::enter_aside(&mut self.runtime, || panics::watching(silent, bury_all));
            if let Some(runtime) = self.runtime.take() {
                Inbox::close(runtime.number);
            }
        }
    }
}

/// Drops every task, in the order of their places, in a world where nothing runs any more.
///
/// A destructor may spawn; what it spawns is dropped in the next round. After a thousand rounds a
/// destructor spawns itself for ever, and what is left is leaked: dropping it would never end.
fn bury_all() {
    for _ in 0..1000 {
        let (contents, wakers) = current::with(Runtime::take_all);
        if contents.is_empty() && wakers.is_empty() {
            return;
        }
        drop(wakers);
        contents.into_iter().for_each(discard);
    }
    mem::forget(current::with(Runtime::take_all));
}

impl Runtime {
    /// What the root gave, or why there is nothing.
    fn finish_root<T: 'static>(&mut self, root: JoinHandle<T>) -> Result<T, Failure> {
        let id = root.id();
        mem::forget(root);
        self.goal = Goal::None;
        if let Some(failure) = self.failure.as_deref().cloned() {
            return Err(failure);
        }
        let mut output: Option<T> = None;
        let cell = self.tasks.cell(id);
        match (cell.state, &mut cell.task) {
            (State::Completed, Some(task)) => task.as_mut().take_output(&mut output),
            (State::Panicked, _) => {
                let message = self.panic_text(id);
                self.fail(Failure::new(FailureKind::Panic, message));
            }
            _ => self.fail(Failure::new(
                FailureKind::Panic,
                "the root task was cancelled: its host crashed",
            )),
        }
        let place = self.panic_place.take();
        let (content, _) = self.tasks.remove(id);
        self.discard(content);
        match (output, self.failure.as_deref_mut()) {
            (Some(output), None) => Ok(output),
            (_, Some(failure)) => {
                failure.location = failure.location.take().or(place);
                Err(failure.clone())
            }
            (None, None) => unreachable!("a root task that completed has an output"),
        }
    }

    /// The failure of a panic that nobody will ask for.
    pub(super) fn detached_panic(&mut self, id: TaskId) -> Failure {
        let text = self.panic_text(id);
        let task = self.tasks.get(id).expect("a task that panics has a place");
        let (name, spawned_at) = (task.display_name(), task.record.spawned_at);
        let details = format!("in task {name} spawned at {spawned_at}\n");
        let mut failure = Failure::new(FailureKind::Panic, text).with_details(details);
        failure.location = self.panic_place.take();
        failure
    }

    fn panic_text(&mut self, id: TaskId) -> String {
        match self.tasks.record(id).payload() {
            Some(payload) => panics::message(payload.as_ref()).to_owned(),
            None => String::from("(its payload was taken)"),
        }
    }

    /// Notes where the last panic happened; its failure, if it becomes one, says so.
    pub(super) fn note_panic_place(&mut self, place: Option<String>) {
        self.panic_place = place;
    }

    /// Closes the books: nothing after this is part of the run.
    fn report(&mut self, failure: Option<Failure>) -> Report {
        let escaped = self.inbox.escaped().filter(|_| self.time_is_virtual);
        let escape = escaped.map(|thread| escape(&thread));
        let failure = failure
            .or_else(|| self.failure.take().map(|failure| *failure))
            .or(escape)
            .or_else(|| self.leaked_tasks());
        self.inert = true;
        // What destructors do from here on is no part of the run: it goes into a trace that nobody reads.
        let trace = mem::take(&mut self.env.trace);
        let names = &self.env.choices.names;
        let first = trace.count().saturating_sub(RECENT_IN_REPORT as u64);
        let recent = trace.recent().filter(|(number, _)| *number >= first);
        Report {
            recent: recent.map(|(number, event)| describe(number, event, names)).collect(),
            end: failure.map_or(End::Done, End::Failed),
            fingerprint: trace.fingerprint().with(self.env.choices.answers_hash()),
            schedule: trace.schedule_hash(),
            steps: self.steps,
            choices: self.enabled.choices(),
            elapsed: self.env.now,
            notices: trace.notices().to_vec(),
            probes: trace.probes().to_vec(),
            log: self.env.choices.log(),
            recorded: trace.into_recorded(&self.env.choices),
            drift: self.env.choices.drift(),
            lesson: self.enabled.lesson(),
        }
    }

    /// Tasks that are still there although the root has ended.
    ///
    /// Servers that wait for their next client are left behind by most tests, so a notice names only
    /// tasks that nothing could ever have woken; whoever wants none left at all asks for a failure.
    fn leaked_tasks(&mut self) -> Option<Failure> {
        let all = self.config.leaks == Leaks::Fail;
        let alive = self.tasks.iter().filter(|(_, task)| !task.cell.state.has_ended());
        let leaked: Vec<String> = alive
            .filter(|(_, task)| all || task.is_lost())
            .map(|(id, task)| {
                let (name, state) = (task.display_name(), task.cell.state.name());
                format!("  {id} {name} {state}, spawned at {}\n", task.record.spawned_at)
            })
            .collect();
        if leaked.is_empty() || !self.time_is_virtual {
            return None;
        }
        match self.config.leaks {
            Leaks::Ignore => None,
            Leaks::Note => {
                let text = format!("tasks that nothing could wake: {}", leaked.len());
                self.env.trace.notice(format!("{text}:\n{}", leaked.concat().trim_end()));
                None
            }
            Leaks::Fail => {
                let text = format!("tasks left behind: {}", leaked.len());
                Some(Failure::new(FailureKind::Leak, text).with_details(leaked.concat()))
            }
        }
    }

    /// Takes everything that is the program's out of the runtime, to be dropped.
    fn take_all(&mut self) -> (Vec<Content>, Vec<Waker>) {
        self.inert = true;
        let mut contents = mem::take(&mut self.discarded);
        contents.append(&mut self.graveyard);
        contents.extend(mem::take(&mut self.invariants).into_iter().map(Content::Invariant));
        contents.extend(self.tasks.take_all());
        (contents, mem::take(&mut self.outbox))
    }
}
