//! Gated tasks: futures of another runtime that run when they are granted; the contract is in `sim-abi`.
//!
//! ```text
//! (opened: waiting) ready ──grant──▶ granted ──begin──▶ running ──end──▶ waiting ──wake──▶ ready
//!    ▲                │                  └──── woken meanwhile: ready ────▲
//!    │                └──withdraw──▶ unserved ──begin──▶ running
//!    └── a refused begin of an unserved task ──┘
//! ```
//!
//! A task that stands around another one (a set of local tasks inside a task) is the gate's own business: it passes without a turn while
//! what it carries has one.

#![expect(unsafe_code, reason = "the gate's function is called with what the gate gave")]

use crate::thread::{LOOKS, Life};
use crate::turn;
use crate::world::{World, child, is_member, me, with};
use core::ffi::c_void;
use sim_abi::{Abi, Text, VERSION};
use sim_core::TaskId;
use sim_core::choice::{Names, Path, Site};
use sim_core::enabled::{Member, Runnable};
use sim_core::env::Actor;
use sim_core::object::Object;
use sim_core::trace::Kind;
use sim_time::Instant;
use std::fmt::Write as _;
use std::slice;

/// The number of the runtime in the ids of gated tasks.
const RUNTIME: u16 = 0xfffe;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Granted,
    Unserved,
    Running,
    Waiting,
}

#[derive(Debug)]
struct Task {
    actor: Actor,
    state: State,
    turns: u32,
    woken: bool,
    /// How many sync points it was asked at.
    syncs: u32,
    /// What it is about to touch: the last that it came to.
    object: Object,
    /// The turn was given for that object: its first sync point there asks nobody.
    granted: bool,
    gate: usize,
    grant: extern "C" fn(*const c_void),
    spawned_at: Box<str>,
    since: Instant,
    children: Vec<(u64, u32)>,
}

/// The gated tasks of a world.
#[derive(Debug, Default)]
pub struct Gates {
    tasks: Vec<(u16, Option<Task>)>,
    free: Vec<u32>,
    /// The task whose grant is outstanding.
    granted: Option<TaskId>,
    /// The task that had the last turn, and how many it has had in a row, each time having woken itself.
    spinning: (Option<TaskId>, u32),
}

/// A task that was granted: its runtime is to be woken.
#[derive(Clone, Copy, Debug)]
#[must_use = "a grant that is not called is lost"]
pub struct Grant {
    gate: usize,
    function: extern "C" fn(*const c_void),
}

impl Grant {
    /// Wakes the task's runtime. The program's code runs: nothing of the world may be lent.
    pub fn call(self) {
        (self.function)(self.gate as *const c_void);
    }
}

impl Gates {
    /// Whether a grant is outstanding.
    pub fn is_granting(&self) -> bool {
        self.granted.is_some()
    }

    /// Counts a turn of a task that is ready again at its end.
    fn count_spin(&mut self, id: TaskId) -> u32 {
        let (last, turns) = self.spinning;
        let turns = if last == Some(id) { turns.saturating_add(1) } else { 1 };
        self.spinning = (Some(id), turns);
        turns
    }

    /// Who a task is, and which turn of its own it has or had last.
    pub fn turn_of(&mut self, id: TaskId) -> Option<(Path, u32)> {
        self.get(id).map(|task| (task.actor.path, task.turns))
    }

    fn get(&mut self, id: TaskId) -> Option<&mut Task> {
        let (generation, task) = self.tasks.get_mut(id.index())?;
        if *generation == id.generation() { task.as_mut() } else { None }
    }

    fn insert(&mut self, task: Task) -> TaskId {
        match self.free.pop() {
            Some(index) => {
                let (generation, place) = &mut self.tasks[index as usize];
                *place = Some(task);
                TaskId::new(index, *generation, RUNTIME)
            }
            None => {
                self.tasks.push((0, Some(task)));
                TaskId::new(self.tasks.len() as u32 - 1, 0, RUNTIME)
            }
        }
    }

    fn remove(&mut self, id: TaskId) -> Option<Task> {
        let (generation, place) = self.tasks.get_mut(id.index())?;
        if *generation != id.generation() {
            return None;
        }
        let task = place.take()?;
        *generation = generation.wrapping_add(1);
        self.free.push(id.index() as u32);
        Some(task)
    }

    /// A line for each task that waits.
    pub fn who_waits(&self, names: &Names) -> String {
        let mut text = String::new();
        for task in self.tasks.iter().filter_map(|(_, task)| task.as_ref()) {
            let what = match task.state {
                State::Waiting => "waits",
                State::Running => "runs",
                State::Ready | State::Granted => "is ready",
                State::Unserved => "is ready, but nobody drives its runtime",
            };
            let (name, at) = (names.text(task.actor.path), &task.spawned_at);
            let _ = writeln!(text, "  task {name} {what} since {}, spawned at {at}", task.since);
        }
        text
    }
}

impl World {
    fn enable_task(&mut self, id: TaskId) {
        let now = self.env.now;
        let Some(task) = self.gates.get(id) else { return };
        (task.state, task.since) = (State::Ready, now);
        let (path, ordinal) = (task.actor.path, task.turns + 1);
        self.env.trace.woke(self.env.actor.path, path);
        let member = Member::new(Runnable::Task(id), path, ordinal).on(task.object);
        self.enabled.insert(member);
    }

    fn open_task(
        &mut self,
        name: &str,
        at: &str,
        gate: usize,
        grant: extern "C" fn(*const c_void),
    ) -> TaskId {
        let Self { env, enabled, gates, threads, .. } = self;
        let thread = threads.get(me());
        let running = thread.tasks.last().map(|(task, _)| *task);
        let children = match running.and_then(|task| gates.get(task)) {
            Some(parent) => &mut parent.children,
            None => thread.children(),
        };
        let (actor, ordinal) = child(env, enabled, children, name);
        env.event(Kind::Spawn, actor.path, u64::from(ordinal), 0, 0);
        env.trace.spawned(actor.path, || at.to_owned());
        gates.insert(Task {
            actor,
            state: State::Waiting,
            turns: 0,
            woken: false,
            syncs: 0,
            object: Object::UNKNOWN,
            granted: false,
            gate,
            grant,
            spawned_at: at.into(),
            since: env.now,
            children: Vec::new(),
        })
    }

    fn wake_task(&mut self, id: TaskId) {
        let Some(task) = self.gates.get(id) else { return };
        match task.state {
            State::Running => task.woken = true,
            State::Waiting => self.enable_task(id),
            State::Ready | State::Granted | State::Unserved => {}
        }
    }

    /// A task has the turn: its runtime is to be woken.
    pub fn grant(&mut self, id: TaskId) -> Option<Grant> {
        let task = self.gates.get(id)?;
        if task.state != State::Ready {
            return None;
        }
        task.state = State::Granted;
        let grant = Grant { gate: task.gate, function: task.grant };
        self.gates.granted = Some(id);
        Some(grant)
    }

    /// Nobody can carry the grant out: the task runs when its runtime is driven again.
    pub fn withdraw_grant(&mut self) {
        let Some(id) = self.gates.granted.take() else { return };
        if let Some(task) = self.gates.get(id) {
            task.state = State::Unserved;
        }
    }

    /// If this task's grant is outstanding, it is so no longer. Threads that were released to carry it out compete like others.
    fn end_grant(&mut self, id: TaskId) {
        if self.gates.granted != Some(id) {
            return;
        }
        self.gates.granted = None;
        while let Some(thread) = self.carriers.pop_front() {
            self.enable_thread(thread);
        }
    }

    fn begin_task(&mut self, id: TaskId) -> bool {
        let free = self.gates.granted.is_none();
        let Some(task) = self.gates.get(id) else { return false };
        match task.state {
            State::Granted => {}
            State::Unserved if free => {}
            State::Unserved => {
                self.enable_task(id);
                return false;
            }
            State::Ready | State::Running | State::Waiting => return false,
        }
        task.state = State::Running;
        (task.woken, task.granted) = (false, task.object.is_known());
        task.turns += 1;
        let (actor, turns) = (task.actor, task.turns);
        self.end_grant(id);
        let before = core::mem::replace(&mut self.env.actor, actor);
        self.threads.get(me()).tasks.push((id, before));
        self.env.event(Kind::Poll, actor.path, u64::from(turns), 0, 0);
        true
    }

    /// Ends a task's turn.
    fn end_task(&mut self, id: TaskId, done: bool) {
        self.charge(self.config.poll_cost_ns);
        self.enabled.charge(self.env.actor.path, self.config.poll_cost_ns);
        let ended = self.env.actor;
        if let Some((task, before)) = self.threads.get(me()).tasks.pop() {
            debug_assert_eq!(task, id, "tasks end in the order of their nesting");
            self.env.actor = before;
        }
        let now = self.env.now;
        let Some(task) = self.gates.get(id) else { return };
        (task.actor, task.since) = (ended, now);
        if done {
            self.env.event(Kind::End, ended.path, 0, 0, 0);
        } else if task.woken {
            let turns = self.gates.count_spin(id);
            if turns.is_multiple_of(LOOKS) {
                self.stare(self.starers);
            }
            self.enable_task(id);
        } else {
            task.state = State::Waiting;
        }
    }

    fn close_task(&mut self, id: TaskId) {
        self.gates.remove(id);
        self.end_grant(id);
    }

    /// Whether the running task gives up its turn before it touches the object of `kind` at `address`.
    fn yields(&mut self, kind: &str, address: usize) -> bool {
        let Self { env, enabled, gates, threads, objects, .. } = self;
        let Some(&(id, _)) = threads.get(me()).tasks.last() else { return false };
        let Some(task) = gates.get(id) else { return false };
        let object = objects.at(kind, address);
        if task.granted && task.object == object {
            task.granted = false;
            return false;
        }
        task.object = object;
        task.syncs += 1;
        enabled.sync(env, task.actor.path, task.syncs - 1, object)
    }
}

fn text<'a>(text: Text) -> &'a str {
    // SAFETY: the gate lends a text for the call.
    let bytes = unsafe { slice::from_raw_parts(text.start, text.len) };
    core::str::from_utf8(bytes).unwrap_or("?")
}

extern "C" fn in_world() -> bool {
    is_member()
}

extern "C" fn task_open(
    name: Text,
    spawned_at: Text,
    gate: *const c_void,
    grant: extern "C" fn(*const c_void),
) -> u64 {
    with(|world| world.open_task(text(name), text(spawned_at), gate as usize, grant)).to_bits()
}

extern "C" fn task_wake(task: u64) {
    if is_member() {
        with(|world| world.wake_task(TaskId::from_bits(task)));
    }
}

extern "C" fn task_begin(task: u64) -> bool {
    is_member() && with(|world| world.begin_task(TaskId::from_bits(task)))
}

extern "C" fn task_end(task: u64, done: bool) {
    with(|world| world.end_task(TaskId::from_bits(task), done));
    if !with(|world| world.gates.is_granting()) {
        turn::give_up_at_gate();
    }
}

extern "C" fn task_close(task: u64) {
    if is_member() {
        with(|world| world.close_task(TaskId::from_bits(task)));
    }
}

extern "C" fn sync_point(kind: Text, object: usize) -> bool {
    is_member()
        && with(|world| {
            world.note_use(text(kind), object);
            world.yields(text(kind), object)
        })
}

extern "C" fn pick(site: Text, n: u64) -> u64 {
    if !is_member() {
        return 0;
    }
    match text(site) {
        "tokio.select.start" => with(|world| world.pick(Site::new("tokio.select.start"), n)),
        _ => with(|world| world.pick(Site::new("tokio.pick.other"), n)),
    }
}

extern "C" fn blocking_begin() {
    if is_member() {
        with(|world| world.end_thread_turn(Life::Ready));
        turn::give_up();
    }
}

extern "C" fn blocking_end() {}

static TABLE: Abi = Abi {
    version: VERSION,
    in_world,
    task_open,
    task_wake,
    task_begin,
    task_end,
    task_close,
    sync_point,
    pick,
    blocking_begin,
    blocking_end,
};

/// The table, where this process has a world.
#[unsafe(no_mangle)]
pub extern "C" fn sim_abi() -> *const Abi {
    if is_member() { &raw const TABLE } else { core::ptr::null() }
}
