//! A world without time, network and files, as an object to preload: it orders gated tasks and checks the contract.
//!
//! The tests compile this file alone, with the user's compiler, as the door's own code is. Its behaviour comes from the
//! environment: `WORLD_SEED` (0: first in line, no yields, first branches), `WORLD_YIELDS` (one in so many sync points
//! yields), `WORLD_JOURNAL` (a file that gets a line at the end). Whatever breaks the contract ends the process.

#[path = "../../../sim-abi/src/lib.rs"]
mod abi;

use abi::{Abi, Text, VERSION};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::c_void;
use std::fmt::Write as _;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Ready,
    Granted,
    Running { woken: bool },
    Blocking { woken: bool },
    Done,
}

struct Task {
    state: State,
    gate: usize,
    grant: extern "C" fn(*const c_void),
}

#[derive(Default)]
struct World {
    tasks: BTreeMap<u64, Task>,
    ready: VecDeque<u64>,
    /// Who has the turn, from its grant to its end.
    holder: Option<u64>,
    opened: u64,
    order: Vec<u64>,
    names: Vec<String>,
    refused: u64,
    asked: BTreeMap<String, u64>,
    objects: BTreeSet<usize>,
    yields: u64,
    picks: u64,
    draws: u64,
}

static WORLD: Mutex<Option<World>> = Mutex::new(None);
static FREE: Condvar = Condvar::new();

fn number(name: &str) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| number("WORLD_SEED"))
}

fn lock() -> MutexGuard<'static, Option<World>> {
    let mut world = WORLD.lock().unwrap();
    world.get_or_insert_with(World::default);
    world
}

fn broken(what: &str) -> ! {
    eprintln!("the contract is broken: {what}\n{}", std::backtrace::Backtrace::force_capture());
    std::process::abort()
}

impl World {
    /// A number below `n`; 0 without a seed.
    fn draw(&mut self, n: u64) -> u64 {
        if seed() == 0 || n < 2 {
            return 0;
        }
        self.draws += 1;
        let mut x = seed().wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(self.draws);
        for _ in 0..2 {
            x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        }
        (x ^ (x >> 29)) % n
    }

    fn task(&mut self, id: u64) -> &mut Task {
        self.tasks.get_mut(&id).unwrap_or_else(|| broken("a call for a task that is not open"))
    }

    fn enqueue(&mut self, id: u64) {
        self.task(id).state = State::Ready;
        self.ready.push_back(id);
    }

    /// Gives a free turn to somebody; the grant is to be called without the lock.
    fn choose(&mut self) -> Option<(usize, extern "C" fn(*const c_void))> {
        if self.holder.is_some() || self.ready.is_empty() {
            return None;
        }
        let at = self.draw(self.ready.len() as u64) as usize;
        let id = self.ready.remove(at)?;
        self.holder = Some(id);
        self.order.push(id);
        let task = self.task(id);
        task.state = State::Granted;
        Some((task.gate, task.grant))
    }
}

/// Hands out a turn that is free.
fn next() {
    let chosen = lock().as_mut().and_then(World::choose);
    match chosen {
        Some((gate, grant)) => grant(gate as *const c_void),
        None => FREE.notify_all(),
    }
}

fn with<R>(act: impl FnOnce(&mut World) -> R) -> R {
    act(lock().as_mut().unwrap())
}

extern "C" fn in_world() -> bool {
    true
}

extern "C" fn task_open(
    name: Text,
    spawned_at: Text,
    gate: *const c_void,
    grant: extern "C" fn(*const c_void),
) -> u64 {
    // SAFETY: lent for the call.
    let text = |text: Text| unsafe { std::str::from_utf8(std::slice::from_raw_parts(text.start, text.len)) };
    let (Ok(name), Ok(place)) = (text(name), text(spawned_at)) else { broken("a text is not UTF-8") };
    let name = format!("{name} at {place}");
    with(|world| {
        world.opened += 1;
        world.names.push(name);
        let task = Task { state: State::Waiting, gate: gate as usize, grant };
        world.tasks.insert(world.opened, task);
        world.opened
    })
}

extern "C" fn task_wake(id: u64) {
    with(|world| match world.task(id).state {
        State::Waiting => world.enqueue(id),
        State::Running { .. } => world.task(id).state = State::Running { woken: true },
        State::Blocking { .. } => world.task(id).state = State::Blocking { woken: true },
        State::Done => broken("a wake of a task that is done"),
        State::Ready | State::Granted => {}
    });
    next();
}

extern "C" fn task_begin(id: u64) -> bool {
    with(|world| match (world.task(id).state, world.holder) {
        (State::Granted, Some(holder)) if holder == id => {
            world.task(id).state = State::Running { woken: false };
            true
        }
        (State::Granted, _) => broken("a granted task without the turn"),
        (State::Running { .. }, _) => broken("a task begins twice"),
        _ => {
            world.refused += 1;
            false
        }
    })
}

extern "C" fn task_end(id: u64, done: bool) {
    with(|world| {
        if world.holder != Some(id) {
            broken("a turn ends that somebody else has");
        }
        world.holder = None;
        match world.task(id).state {
            State::Running { .. } if done => world.task(id).state = State::Done,
            State::Running { woken: true } => world.enqueue(id),
            State::Running { woken: false } => world.task(id).state = State::Waiting,
            _ => broken("a turn ends that did not begin"),
        }
    });
    next();
}

extern "C" fn task_close(id: u64) {
    with(|world| {
        if matches!(world.task(id).state, State::Running { .. } | State::Blocking { .. }) {
            broken("a task closes while it runs");
        }
        world.tasks.remove(&id);
        world.ready.retain(|ready| *ready != id);
        if world.holder == Some(id) {
            world.holder = None;
        }
    });
    next();
}

extern "C" fn sync_point(kind: Text, object: usize) -> bool {
    // SAFETY: lent for the call.
    let kind = unsafe { std::slice::from_raw_parts(kind.start, kind.len) };
    let kind = String::from_utf8_lossy(kind).into_owned();
    let yields = number("WORLD_YIELDS");
    with(|world| {
        let is_running = world.holder.is_some_and(|id| matches!(world.task(id).state, State::Running { .. }));
        if !is_running {
            broken("a sync point outside a turn");
        }
        *world.asked.entry(kind).or_default() += 1;
        world.objects.insert(object);
        let does = yields > 0 && world.draw(yields) == 1 % yields;
        world.yields += u64::from(does);
        does
    })
}

extern "C" fn pick(_site: Text, n: u64) -> u64 {
    with(|world| {
        world.picks += 1;
        world.draw(n)
    })
}

extern "C" fn blocking_begin() {
    with(|world| {
        let Some(id) = world.holder.take() else { broken("nobody blocks") };
        match world.task(id).state {
            State::Running { woken } => world.task(id).state = State::Blocking { woken },
            _ => broken("a task blocks that does not run"),
        }
        BLOCKED.with(|cell| cell.set(id));
    });
    next();
}

thread_local! {
    static BLOCKED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

extern "C" fn blocking_end() {
    let id = BLOCKED.with(|cell| cell.replace(0));
    let mut world = lock();
    while world.as_ref().is_some_and(|world| world.holder.is_some()) {
        world = FREE.wait(world).unwrap();
    }
    let world = world.as_mut().unwrap();
    world.holder = Some(id);
    match world.task(id).state {
        State::Blocking { woken } => world.task(id).state = State::Running { woken },
        _ => broken("a task ends blocking that did not begin"),
    }
}

/// The name by which the door finds the table.
#[unsafe(no_mangle)]
pub extern "C" fn sim_abi() -> *const Abi {
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
    &TABLE
}

/// Writes the journal when the process ends.
extern "C" fn journal() {
    let Ok(path) = std::env::var("WORLD_JOURNAL") else { return };
    let text = with(|world| {
        let mut text = format!(
            "opened {} left {} refused {} yields {} picks {} objects {}\n",
            world.opened,
            world.tasks.len(),
            world.refused,
            world.yields,
            world.picks,
            world.objects.len()
        );
        let _ = writeln!(text, "order {:?}", world.order);
        for (kind, count) in &world.asked {
            let _ = writeln!(text, "asked {kind} {count}");
        }
        for name in &world.names {
            let _ = writeln!(text, "task {name}");
        }
        text
    });
    // A test without its journal fails by itself.
    let _ = std::fs::write(path, text);
}

#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = journal;
