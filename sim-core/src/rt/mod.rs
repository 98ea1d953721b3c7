//! The engine: one thread, one loop, tasks as numbered cells.
//!
//! A turn of `Runtime::step`: what has come due joins the enabled set; the set gives the turn to one
//! member; a task is handed out to be polled, a timer releases its waiter, an event of the backend
//! runs in place. With nobody enabled, time moves to the next deadline; with no deadline either,
//! nothing can ever happen and the run is over.
//!
//! The runtime lives in one thread-local ([`current`]) while it runs, and no user code runs while it
//! is borrowed: `step` hands futures, discarded contents and foreign wakers out to `drive`, which
//! deals with them and comes back. Everything above the backend exists once, for the simulated world
//! and for the operating system alike.
//!
//! - `state`: the life of a task. `task`: its cell. `spawn`, `ends`: its beginning and its end. `join`:
//!   its handles. `waker`: its waker. `timers`, `reactor`: what it waits for. `hosts`: where it runs.
//! - `sync`: where a task may be interrupted. `foreign`: wakers that are not a task's own. `inbox`: wakes from other threads.
//! - `registry`: what one can ask about tasks. `blocked`: the report when nothing can happen.
//! - `assertions`, `invariants`: what the program itself says of its runs.
//! - `outcome`: why a run ended. `config`: limits and costs.

mod assertions;
mod blocked;
mod chunks;
mod config;
pub mod current;
mod draws;
mod ends;
mod engine;
mod foreign;
mod hosts;
mod inbox;
mod invariants;
mod join;
mod outcome;
mod panics;
mod places;
mod reactor;
mod registry;
mod spawn;
mod state;
mod sync;
mod task;
mod timers;
mod waker;

pub use assertions::{assertion_failed, begin_tail, buggify, poll_tail, probe};
pub use config::{ConfigError, Leaks, RuntimeConfig};
pub use current::{call, is_inside, try_call, try_with, with};
pub use draws::{chance, pick};
pub use engine::Engine;
pub use foreign::{WakerSlot, waiter};
pub use inbox::Interrupt;
pub use invariants::invariant;
pub use join::{AbortHandle, JoinError, JoinHandle};
pub use outcome::{End, Failure, FailureKind, Report, Run};
pub use panics::message as panic_message;
pub use reactor::{Submission, poll_call, submit, submit_at};
pub use registry::TaskInfo;
pub use spawn::{Spawner, TaskBuilder, YieldNow, spawn, yield_now};
pub use state::State;
pub use sync::{object, poll_sync, wait_at};
pub use task::WaitsFor;
pub use timers::Sleep;

use crate::backend::{Backend, Waited, Waiter};
use crate::choice::{Path, Stream};
use crate::enabled::{EnabledSet, Member, Runnable, Turn};
use crate::env::{Actor, Env};
use crate::id::{HostId, TaskId};
use crate::object::Object;
use crate::prefetch::prefetch;
use crate::trace::Kind;
use assertions::Provoked;
use core::fmt;
use core::mem;
use core::task::Waker;
use foreign::Foreign;
use hosts::Held;
use inbox::{Inbox, Request};
use invariants::Invariant;
use sim_time::{Instant, Wheel};
use state::{Begin, Pending, Wake};
use std::rc::Rc;
use std::sync::Arc;
use task::{BoxedTask, Content, Payload, Tasks};
use timers::{OddTimers, Timer};

/// A program that always has something to do never idles; so often it is asked whether its time is up.
const STEPS_BETWEEN_GLANCES: u64 = 4096;

/// Fewer tasks than this lie in the nearer caches of a core anyway, and asking for their memory would be in vain.
const CROWD: usize = 512;

/// So many lines of a future are asked for at most: its head is what every poll reads.
const FUTURE_LINES: usize = 4;

/// The engine's state: the world, the tasks, and what is to be done about them.
pub struct Runtime {
    number: u16,
    env: Env,
    enabled: EnabledSet,
    timers: Wheel<Timer>,
    odd_timers: OddTimers,
    /// No timer comes due before this instant.
    timers_due: Instant,
    backend: Box<dyn Backend>,
    tasks: Tasks,
    foreign: Foreign,
    inbox: Arc<Inbox>,
    config: RuntimeConfig,
    time_is_virtual: bool,
    current: Option<TaskId>,
    /// What the present turn was given for: its first sync point at that object asks nobody.
    granted: Object,
    /// Whether anybody asks what turns touch.
    asks_objects: bool,
    /// How many objects were made by whoever is no task.
    objects: u32,
    goal: Goal,
    /// How many tasks have not ended.
    alive: usize,
    /// The draws of whoever is no task.
    draws: Option<Box<Stream>>,
    /// What each host's processes are, to be begun again by a restart.
    boots: Vec<Option<Boot>>,
    /// Wakers that are not ours, to be called after the borrow.
    outbox: Vec<Waker>,
    /// Contents of ended tasks that nobody wants, to be dropped after the borrow.
    discarded: Vec<Content>,
    held: Held,
    /// Futures of crashed hosts. They are dropped when the world is inert.
    graveyard: Vec<Content>,
    steps: u64,
    /// The step of the last effect: anything but a poll that ended waiting or woke itself.
    effect_step: u64,
    /// No step before this one needs more than a turn: a limit of steps cannot be reached, nothing is to be handed out,
    /// and the run is not over. Whoever changes that calls [`Runtime::call_for_a_look`].
    look_at: u64,
    /// The step before which the real backend is asked again although tasks are ready.
    outside_at: u64,
    /// The goal is reached, or the run has failed.
    over: bool,
    failure: Option<Box<Failure>>,
    /// The run is over: destructors may still call, but nothing they do is part of it.
    inert: bool,
    /// Where the last caught panic happened.
    panic_place: Option<String>,
    spawner_cache: spawn::NameCache,
    invariants: Vec<Invariant>,
    /// The number of steps after which the invariants were last evaluated.
    checked_at: Option<u64>,
    provoked: Provoked,
    /// Nothing makes trouble any more, and who is told when that begins.
    in_tail: bool,
    tail_waiter: Option<TaskId>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("now", &self.env.now)
            .field("tasks", &self.tasks.len())
            .finish_non_exhaustive()
    }
}

/// Begins a host's processes.
pub type Boot = Rc<dyn Fn()>;

/// What the engine is driven for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// Nothing: it is not driven.
    None,
    /// The end of this task.
    Root(TaskId),
    /// The end of every task.
    Everybody,
}

/// What is to be done outside the borrow.
#[must_use = "a job that is not done is a task lost"]
enum Step {
    /// Poll this future and settle what that did.
    Poll(TaskId, BoxedTask),
    /// Drop what an ended task held.
    Discard(Content),
    /// Call these wakers.
    Wake(Vec<Waker>),
    /// Find out whether these hold.
    Check(Vec<Invariant>),
    /// The root task has ended, or the run failed.
    End,
}

/// What was done outside the borrow.
enum Done {
    /// A poll left the task waiting, unless it was woken meanwhile.
    Waits {
        /// The task.
        id: TaskId,
        /// Its future.
        task: BoxedTask,
        /// Whether it has woken itself.
        woken: bool,
    },
    /// A poll ended the task, whose output is inside.
    Completed(TaskId, BoxedTask),
    /// A poll panicked, and the future was dropped.
    Panicked(TaskId, Payload),
    /// Invariants were evaluated, and the failure says which does not hold.
    Checked(Vec<Invariant>, Option<Failure>),
    /// Something else than a poll: nothing is to be settled.
    Other,
}

/// Runs until the root task has ended or the run has failed. Settling a turn and giving the next one take one borrow.
fn drive() {
    with(Runtime::start);
    let mut done = Done::Other;
    loop {
        let step = with(|runtime| {
            runtime.settle(done);
            runtime.step()
        });
        done = match step {
            Step::Poll(id, task) => poll(id, task),
            Step::Discard(content) => {
                discard(content);
                Done::Other
            }
            Step::Wake(wakers) => {
                wakers.into_iter().for_each(Waker::wake);
                Done::Other
            }
            Step::Check(mut invariants) => {
                let broken = invariants::evaluate(&mut invariants);
                Done::Checked(invariants, broken)
            }
            Step::End => return,
        };
    }
}

/// Polls a task. A future that panics is dropped here, and a panic of that drop is swallowed: the first one tells.
#[inline]
fn poll(id: TaskId, mut task: BoxedTask) -> Done {
    let waker = waker::borrowed(id);
    let mut context = core::task::Context::from_waker(&waker);
    let (polled, woken) =
        current::polling(id, || panics::catch(|| task.as_mut().poll(&mut context)));
    match polled {
        Ok(core::task::Poll::Pending) => Done::Waits { id, task, woken },
        Ok(core::task::Poll::Ready(())) => Done::Completed(id, task),
        Err(payload) => panicked(id, task, payload),
    }
}

#[cold]
fn panicked(id: TaskId, task: BoxedTask, payload: Payload) -> Done {
    let place = panics::take_place();
    discard(Content::Task(task));
    with(|runtime| runtime.note_panic_place(place));
    Done::Panicked(id, payload)
}

/// Drops what was the program's. A panic in its `Drop` is noted, and ends nothing else.
fn discard(content: Content) {
    if let Err(payload) = panics::catch(move || drop(content)) {
        let place = panics::take_place().unwrap_or_default();
        let text = panics::message(payload.as_ref()).to_owned();
        try_with(|runtime| {
            runtime.env.trace.notice(format!("a destructor panicked at {place}: {text}"));
        });
        // The payload is the program's too, and a panic of its drop would have no one to catch it.
        panics::catch(move || drop(payload)).unwrap_or_default();
    }
}

/// The failure of a simulated run in which another thread took part.
fn escape(thread: &str) -> Failure {
    let text =
        format!("{thread} woke a task of the simulated world: its timing is not part of the run");
    Failure::new(FailureKind::Escape, text)
}

impl Runtime {
    /// One turn: see the module. Inlined into its one caller, so that what it answers never lies in memory.
    #[inline(always)]
    fn step(&mut self) -> Step {
        loop {
            if self.steps >= self.look_at
                && let Some(step) = self.look()
            {
                return step;
            }
            self.admit_due();
            match self.enabled.turn(&mut self.env) {
                Turn::Task(id) => {
                    self.steps += 1;
                    return self.begin(id, true);
                }
                Turn::Nobody => self.idle(),
                Turn::Member(member) => {
                    self.steps += 1;
                    match member.runnable {
                        Runnable::Task(id) => return self.begin(id, false),
                        Runnable::Timer(waiter) => self.fire(&member, waiter),
                        Runnable::Event(event) => {
                            self.effect_step = self.steps;
                            self.env.actor = Actor { path: member.path, ..Actor::WORLD };
                            self.backend.run(&mut self.env, event);
                            self.release_woken();
                        }
                        Runnable::Thread(thread) => {
                            unreachable!("{thread:?} joined the set of an engine without threads")
                        }
                    }
                }
            }
        }
    }

    /// The next step begins with a look at what there is to do besides turns.
    #[inline]
    fn call_for_a_look(&mut self) {
        self.look_at = 0;
    }

    /// What is to be handed out, and whether the run is over. If neither, puts the next look off as far as possible.
    #[inline(never)]
    fn look(&mut self) -> Option<Step> {
        if !self.outbox.is_empty() {
            return Some(Step::Wake(mem::take(&mut self.outbox)));
        }
        if let Some(content) = self.discarded.pop() {
            return Some(Step::Discard(content));
        }
        if !self.over && !self.time_is_virtual && self.steps >= self.outside_at {
            self.outside_at = self.steps + u64::from(self.config.poll_interval);
            self.look_outside();
            // It may have released wakers that are not ours.
            return self.look();
        }
        if let Some(invariants) = self.unchecked() {
            return Some(Step::Check(invariants));
        }
        (self.over || self.check_limits()).then_some(Step::End)
    }

    /// Begins to be driven: what other threads left, and whether there is anything to do at all.
    fn start(&mut self) {
        self.open_mail();
        self.over = self.failure.is_some() || self.goal_is_reached();
        self.call_for_a_look();
    }

    fn goal_is_reached(&mut self) -> bool {
        match self.goal {
            Goal::Root(root) => self.has_ended(root),
            Goal::Everybody => self.alive == 0,
            Goal::None => true,
        }
    }

    /// Fails the run if a limit of steps is reached, and else puts the next look off as far as possible.
    fn check_limits(&mut self) -> bool {
        let idle_end = self.effect_step.saturating_add(self.config.idle_polls_max);
        if self.steps >= self.config.steps_max {
            self.fail(Failure::new(
                FailureKind::Limit,
                format!("{} steps were taken", self.config.steps_max),
            ));
        } else if self.steps >= idle_end {
            self.fail(self.livelock());
        } else if self.time_is_virtual && self.env.now > self.time_limit() {
            self.fail(self.timeout());
        } else {
            let glance = self.steps.saturating_add(STEPS_BETWEEN_GLANCES);
            let outside = if self.time_is_virtual { u64::MAX } else { self.outside_at };
            let check = if self.invariants.is_empty() { u64::MAX } else { self.steps + 1 };
            self.look_at = idle_end.min(self.config.steps_max).min(glance).min(outside).min(check);
        }
        self.over
    }

    /// The last instant of the run.
    fn time_limit(&self) -> Instant {
        Instant::ZERO.saturating_add(self.config.time_max)
    }

    fn timeout(&self) -> Failure {
        let text = format!("the limit of {:?} virtual time was reached", self.config.time_max);
        Failure::new(FailureKind::Timeout, text).with_details(self.waiting_tasks())
    }

    /// Lets timers and events whose instant has come join the enabled set.
    #[inline]
    fn admit_due(&mut self) {
        if self.env.now >= self.timers_due {
            self.admit_timers();
        }
        if self.env.now >= self.env.due {
            self.backend.admit(&mut self.env, &mut self.enabled);
            self.release_woken();
        }
    }

    /// A round of the real backend between polls, so that ready tasks cannot starve sockets.
    #[cold]
    fn look_outside(&mut self) {
        self.backend.admit(&mut self.env, &mut self.enabled);
        self.release_woken();
        self.open_mail();
        if self.env.now >= self.timers_due {
            self.admit_timers();
        }
    }

    /// Nobody is enabled: lets time pass.
    #[cold]
    fn idle(&mut self) {
        let until = self.timers.next_deadline();
        let limit = self.time_limit();
        if self.time_is_virtual
            && until.is_none_or(|at| at > limit)
            && self.env.due > limit
            && self.env.due != Instant::MAX
        {
            self.env.now = limit;
        }
        let waited = self.backend.wait(&mut self.env, until);
        self.release_woken();
        self.open_mail();
        if self.env.now > limit {
            self.fail(self.timeout());
        } else if waited == Waited::Never {
            self.fail(self.deadlock());
        }
    }

    /// Looks at what was left from outside. Another thread's wake is none of a simulated run's business.
    fn open_mail(&mut self) {
        let Some(mail) = self.inbox.take() else { return };
        for request in mail.requests {
            match request {
                Request::Wake(task) => self.wake(task),
                Request::Abort(task) => self.abort(task),
                Request::Detach(task) => {
                    let held = self.detach(task);
                    self.discard(held);
                }
            }
        }
        if let Some(thread) = mail.escaped {
            self.fail(escape(&thread));
        }
    }

    /// A task has the turn; `nameless` if the set does not know by which name.
    #[inline]
    fn begin(&mut self, id: TaskId, nameless: bool) -> Step {
        let cell = self.tasks.cell(id);
        let actor = cell.actor;
        let object = if self.asks_objects { cell.object() } else { Object::UNKNOWN };
        if nameless {
            self.enabled.begin(&mut self.env, actor.path, cell.turns + 1, object);
        }
        self.granted = object;
        self.env.actor = actor;
        match cell.state.begin() {
            Begin::Poll => {
                let task = cell.task.take().expect("a scheduled task has its future in its cell");
                let turn = cell.begin_turn();
                self.current = Some(id);
                if self.env.trace.wants_places() {
                    current::watch(true);
                }
                self.env.event(Kind::Poll, actor.path, u64::from(turn), 0, 0);
                Step::Poll(id, task)
            }
            Begin::Cancel => self.cancel(id),
        }
    }

    /// A task that was aborted while it waited is dropped in its turn. Its end is noted first: its destructors may hold its
    /// own handle, whose drop frees the place of a task that has ended. It is dropped before whoever joins has a turn.
    #[cold]
    fn cancel(&mut self, id: TaskId) -> Step {
        let task = self.tasks.cell(id).task.take();
        self.ended(id);
        Step::Discard(Content::Task(task.expect("a scheduled task has its future in its cell")))
    }

    /// Takes note of what a poll did.
    #[inline(always)]
    fn settle(&mut self, done: Done) {
        match done {
            Done::Waits { id, task, woken } => self.settle_waiting(id, task, woken),
            done => self.settle_other(done),
        }
    }

    /// Apart from the most frequent case, so that this one is all that a turn goes through.
    #[inline(never)]
    fn settle_other(&mut self, done: Done) {
        match done {
            Done::Waits { .. } | Done::Other => {}
            Done::Completed(id, task) => {
                self.end_turn();
                let opened = mem::replace(&mut self.env.actor, Actor::WORLD).opened;
                let cell = self.tasks.cell(id);
                cell.actor.opened = opened;
                cell.state.complete();
                cell.put(task);
                self.ended(id);
            }
            Done::Panicked(id, payload) => self.settle_panicked(id, payload),
            Done::Checked(invariants, broken) => self.settle_checked(invariants, broken),
        }
    }

    /// Charges for a turn, and leaves nobody with it.
    #[inline]
    fn end_turn(&mut self) {
        let cost_ns = self.config.poll_cost_ns;
        if self.time_is_virtual {
            self.env.now = self.env.now.saturating_add_nanos(cost_ns);
        }
        self.enabled.charge(self.env.actor.path, cost_ns);
        self.current = None;
    }

    #[inline]
    fn settle_waiting(&mut self, id: TaskId, task: BoxedTask, woken: bool) {
        self.end_turn();
        let opened = mem::replace(&mut self.env.actor, Actor::WORLD).opened;
        let Self { tasks, enabled, held, .. } = self;
        let cell = tasks.cell(id);
        cell.actor.opened = opened;
        if woken {
            cell.wakes = cell.wakes.wrapping_add(1);
            // Running, it is not to be enqueued now, but by the answer of `pending`.
            let Wake::Nothing = cell.state.wake() else {
                unreachable!("a running task is not enqueued")
            };
        }
        match cell.state.pending() {
            Pending::Park => {
                cell.put(task);
                cell.since = self.env.now;
            }
            Pending::Enqueue => {
                cell.put(task);
                held.admit(enabled, id, cell);
            }
            Pending::Cancel => self.cancel_polled(id, task),
        }
    }

    #[cold]
    fn settle_panicked(&mut self, id: TaskId, payload: Payload) {
        self.end_turn();
        let opened = mem::replace(&mut self.env.actor, Actor::WORLD).opened;
        let cell = self.tasks.cell(id);
        cell.actor.opened = opened;
        cell.state.panicked();
        self.tasks.record(id).keep_payload(payload);
        self.ended(id);
    }

    /// A task was aborted while it was polled, or its host crashed.
    #[cold]
    fn cancel_polled(&mut self, id: TaskId, task: BoxedTask) {
        // The destructors of a crashed host must not reach the world. Another's run on the way out,
        // before whoever joins has a turn.
        if self.tasks.cell(id).killed {
            self.graveyard.push(Content::Task(task));
        } else {
            self.discard(Some(Content::Task(task)));
        }
        self.ended(id);
    }

    /// A call into the kernel; see [`current::call`].
    #[inline]
    pub(super) fn call<R>(
        &mut self,
        f: impl FnOnce(&mut dyn Backend, &mut Env) -> R,
    ) -> (R, Vec<Waker>) {
        (self.enter_kernel(f), mem::take(&mut self.outbox))
    }

    /// Enters a task into the enabled set, unless its host is held.
    #[inline]
    fn enable(&mut self, id: TaskId) {
        self.held.admit(&mut self.enabled, id, self.tasks.cell(id));
    }

    /// Somebody wakes a task: a stale id, or one that runs or has ended, costs nothing.
    #[inline]
    fn wake(&mut self, id: TaskId) {
        let Self { tasks, enabled, held, env, .. } = self;
        let is_crowd = tasks.len() >= CROWD;
        let Some(cell) = tasks.get_mut(id) else { return };
        cell.wakes = cell.wakes.wrapping_add(1);
        if cell.state.wake() == Wake::Enqueue {
            env.trace.woke(env.actor.path, cell.actor.path);
            if is_crowd && let Some(task) = &cell.task {
                prefetch(&**task, FUTURE_LINES);
            }
            held.admit(enabled, id, cell);
        }
    }

    /// Hands something of the program's out, to be dropped after the borrow.
    fn discard(&mut self, content: Option<Content>) {
        if let Some(content) = content {
            self.discarded.push(content);
            self.call_for_a_look();
        }
    }

    /// Hands a waker that is not ours out, to be called after the borrow.
    fn hand_out(&mut self, waker: Waker) {
        self.outbox.push(waker);
        self.call_for_a_look();
    }

    fn count_waker(&mut self, id: TaskId, change: i32) {
        if change > 0 && self.current == Some(id) {
            self.note_place();
        }
        if self.tasks.get(id).is_some() {
            let record = self.tasks.record(id);
            record.wakers = record.wakers.saturating_add_signed(change);
        }
    }

    /// Releases whoever the last call released.
    #[inline(always)]
    fn release_woken(&mut self) {
        if !self.env.woken.is_empty() {
            self.release_all();
        }
    }

    /// Apart from the question whether there is anybody, which is asked after every call.
    #[inline(never)]
    fn release_all(&mut self) {
        for n in 0..self.env.woken.len() {
            self.release(self.env.woken[n]);
        }
        self.env.woken.clear();
    }

    #[inline]
    fn release(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Task(id) => self.wake(id),
            Waiter::Waker(slot) => {
                if let Some(waker) = self.foreign.take(slot) {
                    self.hand_out(waker);
                }
            }
            Waiter::Thread(thread) => unreachable!("{thread:?} waits in an engine without threads"),
        }
    }

    /// A timer has the turn.
    fn fire(&mut self, member: &Member, waiter: Waiter) {
        self.effect_step = self.steps;
        self.env.event(Kind::Timer, member.path, u64::from(member.ordinal), 0, 0);
        self.release(waiter);
    }

    /// Notes what the task that has the turn waits for, for reports.
    pub fn note_wait(&mut self, waits: WaitsFor) {
        self.note_wait_of(self.current, waits);
    }

    fn note_wait_of(&mut self, task: Option<TaskId>, waits: WaitsFor) {
        self.note_place();
        if let Some(cell) = task.and_then(|id| self.tasks.get_mut(id)) {
            cell.note_wait(waits);
        }
    }

    /// Ends the run with a failure; the first one counts.
    pub fn fail(&mut self, failure: Failure) {
        if !self.inert {
            self.failure.get_or_insert_with(|| Box::new(failure));
            self.over = true;
            self.call_for_a_look();
        }
    }

    /// The time, choices and trace.
    pub fn env(&mut self) -> &mut Env {
        &mut self.env
    }

    /// The kernel.
    pub fn backend(&mut self) -> &mut dyn Backend {
        &mut *self.backend
    }

    /// The task that has the turn.
    #[must_use]
    pub fn current_task(&self) -> Option<TaskId> {
        self.current
    }

    /// The host of whoever has the turn.
    #[must_use]
    pub fn host(&self) -> HostId {
        self.env.actor.host
    }

    /// Whether time is virtual: the world is simulated.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.time_is_virtual
    }

    /// Whether the run is over and only destructors run.
    #[must_use]
    pub fn is_inert(&self) -> bool {
        self.inert
    }

    /// The path of the task that has the turn, or of the world.
    #[must_use]
    pub fn actor_path(&self) -> Path {
        self.env.actor.path
    }
}
