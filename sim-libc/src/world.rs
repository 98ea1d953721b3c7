//! What there is of a world in a process, and who may touch it.
//!
//! The world is lent to the thread that has the turn, for the time of one call ([`with`]). No lock guards it: only one thread
//! of the world runs outside a wait for the turn, and a thread that is inside already gets no second loan, because what
//! the kernel's own code calls of libc goes to the system instead ([`is_member`] says no).

#![expect(
    unsafe_code,
    reason = "the world is shared by the discipline of turns, which the compiler cannot see"
)]

use crate::descriptors::Descriptors;
use crate::finish::Output;
use crate::gate::Gates;
use crate::objects::Objects;
use crate::overlay::Overlay;
use crate::real;
use crate::symbols::folders::Listing;
use crate::symbols::futex::Queues;
use crate::symbols::paths::Folders;
use crate::thread::{Threads, Timer};
#[cfg(target_arch = "x86_64")]
use crate::traps::tsc::Counter;
use crate::traps::watchdog;
use crate::windows::Windows;
use core::cell::{Cell, UnsafeCell};
use sim_core::HostId;
use sim_core::backend::Waiter;
use sim_core::choice::{Path, Site, Stream};
use sim_core::enabled::EnabledSet;
use sim_core::env::{Actor, Env};
use sim_core::policy::Lesson;
use sim_core::rt::{Failure, RuntimeConfig};
use sim_core::trace::Kind;
use sim_time::{Instant, Wheel};
use sim_worker::RunPlan;
use sim_world::{Universe, WorldConfig};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// No thread of the world.
pub const NOBODY: u32 = u32::MAX;

/// The simulated world of this process.
#[derive(Debug)]
pub struct World {
    /// Time, choices and trace.
    pub env: Env,
    /// Hosts, network and disks.
    pub universe: Universe,
    /// Who could run now.
    pub enabled: EnabledSet,
    /// Deadlines of waiting threads.
    pub timers: Wheel<Timer>,
    /// No deadline comes before this instant.
    pub timers_due: Instant,
    /// The threads.
    pub threads: Threads,
    /// Threads that a grant has released: they carry it out before anybody is chosen.
    pub carriers: VecDeque<u32>,
    /// Tasks of other runtimes that let us order them.
    pub gates: Gates,
    /// Descriptors of the system that are devices of random bytes.
    pub random: std::collections::BTreeSet<i32>,
    /// The working directory, and what else belongs to paths.
    pub folders: Folders,
    /// Open streams of directories, by the address that the program knows.
    pub listings: BTreeMap<usize, Box<Listing>>,
    /// Files that are mapped shared.
    pub windows: Windows,
    /// Threads that wait for a lock on a file.
    pub lock_waiters: Vec<u32>,
    /// What libc knows of a descriptor besides the kernel.
    pub descriptors: Descriptors,
    /// Who waits for words of memory.
    pub queues: Queues,
    /// The streams of questions that the program's own code asks, by site and actor.
    pub streams: BTreeMap<(u64, Path), Stream>,
    /// The processor's cycle counter.
    #[cfg(target_arch = "x86_64")]
    pub counter: Counter,
    /// How many threads stare.
    pub starers: usize,
    /// How often somebody has stared in a row while nobody could do anything else.
    pub stares: u32,
    /// Limits and costs.
    pub config: RuntimeConfig,
    /// Turns given.
    pub steps: u64,
    /// What the program's tasks share, by kind and address.
    pub objects: Objects,
    /// How the run is to end before its time.
    pub failure: Option<Failure>,
    /// What the program has written to its standard streams lately.
    pub output: Output,
}

struct Shared(UnsafeCell<Option<Box<World>>>);

// SAFETY: the cell is touched by the thread that has the turn and by no other, see the module.
unsafe impl Sync for Shared {}

static WORLD: Shared = Shared(UnsafeCell::new(None));

thread_local! {
    /// The number of this thread in the world.
    static ME: Cell<u32> = const { Cell::new(NOBODY) };
    /// Whether this thread is inside the kernel.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// The number of the calling thread in the world, or [`NOBODY`].
pub fn me() -> u32 {
    ME.get()
}

/// Says which thread of the world this one is.
pub fn set_me(thread: u32) {
    ME.set(thread);
}

/// Whether the calling thread belongs to a world, and its call is the program's own.
#[inline]
pub fn is_member() -> bool {
    ME.get() != NOBODY && !INSIDE.get()
}

/// Runs `f` as the kernel's own code: what it calls of libc goes to the system.
pub fn inside<R>(f: impl FnOnce() -> R) -> R {
    let before = INSIDE.replace(true);
    let answer = f();
    INSIDE.set(before);
    answer
}

/// Lends the world to the thread that has the turn.
pub fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    watchdog::note_entry();
    glance(f)
}

/// As [`with`], for reading a clock: a thread that does nothing else makes no progress in the eyes of the watchdog.
pub fn glance<R>(f: impl FnOnce(&mut World) -> R) -> R {
    if INSIDE.replace(true) {
        real::complain(
            "sim: the world was entered while it was lent: a defect of sim, please report it\n",
        );
        real::exit(70);
    }
    // SAFETY: this thread has the turn, since no other runs outside a wait for it, and it is not inside already.
    let world = unsafe { &mut *WORLD.0.get() };
    let answer = f(world.as_mut().expect("a member's world is there"));
    INSIDE.set(false);
    answer
}

/// Makes the world of this process, with the calling thread as its first.
pub fn enter(plan: &RunPlan) {
    let world = Box::new(World::new(plan));
    // SAFETY: before `main` there is one thread, and it is inside no call.
    unsafe { *WORLD.0.get() = Some(world) };
    ME.set(0);
}

impl World {
    fn new(plan: &RunPlan) -> Self {
        let mut choices = plan.choices();
        if plan.keep_trace {
            choices.names.keep();
        }
        if plan.record {
            choices.record();
        }
        let unknown = Lesson::default();
        let policy = plan.policy.build(&choices, plan.lesson.as_ref().unwrap_or(&unknown));
        let mut env = Env::new(choices);
        if plan.keep_trace {
            env.trace.keep_all();
            env.trace.want_places(plan.places.clone());
        }
        let config = WorldConfig::default();
        let mut universe = Universe::new(&mut env, config);
        universe.put_above(&mut env, HostId::ROOT, Rc::new(Overlay::new(config.start)));
        let folders = Folders::new();
        universe.set_working_directory(HostId::ROOT, &folders.working);
        let mut enabled = EnabledSet::new(policy, &env.choices);
        if plan.census {
            enabled.count();
        }
        let (threads, actor) = Threads::new(&mut env, &universe);
        env.actor = actor;
        Self {
            env,
            universe,
            enabled,
            timers: Wheel::new(),
            timers_due: Instant::MAX,
            threads,
            carriers: VecDeque::new(),
            gates: Gates::default(),
            random: std::collections::BTreeSet::new(),
            folders,
            listings: BTreeMap::new(),
            windows: Windows::default(),
            lock_waiters: Vec::new(),
            descriptors: Descriptors::default(),
            queues: Queues::default(),
            streams: BTreeMap::new(),
            #[cfg(target_arch = "x86_64")]
            counter: Counter::default(),
            starers: 0,
            stares: 0,
            config: RuntimeConfig::default(),
            steps: 0,
            objects: Objects::default(),
            failure: None,
            output: Output::new(plan.keep_trace),
        }
    }

    /// The host of whoever has the turn.
    pub fn host(&self) -> HostId {
        self.env.actor.host
    }

    /// Lets virtual time pass that a call or a poll has cost.
    #[inline]
    pub fn charge(&mut self, cost_ns: u64) {
        self.env.now = self.env.now.saturating_add_nanos(cost_ns);
    }

    /// Makes those ready whom the last call has released.
    #[inline]
    pub fn release_woken(&mut self) {
        while let Some(waiter) = self.env.woken.pop() {
            match waiter {
                Waiter::Thread(thread) => self.release(thread.0),
                Waiter::Task(_) | Waiter::Waker(_) => {
                    unreachable!("only threads wait in a process world")
                }
            }
        }
    }

    /// Leaves a remark in the report, and answers that something is not modelled.
    pub fn refuse(&mut self, what: &str) -> sim_core::Errno {
        self.env.trace.notice(format!("{what} is not modelled: it answered an error"));
        sim_core::Errno::EOPNOTSUPP
    }

    /// One of `n` alternatives of whoever has the turn.
    pub fn pick(&mut self, site: Site, n: u64) -> u64 {
        let stream = self.stream(site);
        let mut own = *stream;
        let answer = self.env.choices.pick(&mut own, n.max(1));
        *self.stream(site) = own;
        answer
    }

    fn stream(&mut self, site: Site) -> &mut Stream {
        let Self { env, streams, .. } = self;
        let path = env.actor.path;
        let key = (sim_core::choice::name_hash(site.name()), path);
        streams.entry(key).or_insert_with(|| env.choices.stream(site, path))
    }

    /// Notes an event of whoever has the turn.
    pub fn event(&mut self, kind: Kind, object: u64, len: u64, data: u64) {
        self.env.event(kind, self.env.actor.path, object, len, data);
    }
}

/// The path of a new child named `name` of whoever has the turn, its ordinal among equal siblings counted in `children`.
pub fn child(
    env: &mut Env,
    enabled: &mut EnabledSet,
    children: &mut Vec<(u64, u32)>,
    name: &str,
) -> (Actor, u32) {
    let hash = sim_core::choice::name_hash(name);
    let ordinal = match children.iter_mut().find(|(known, _)| *known == hash) {
        Some((_, count)) => {
            *count += 1;
            *count
        }
        None => {
            children.push((hash, 0));
            0
        }
    };
    let parent = env.actor.path;
    let path = parent.child_hashed(hash, ordinal);
    env.choices.names.note(path, parent, name, ordinal);
    enabled.born(path, parent);
    (Actor { path, host: env.actor.host, opened: 0 }, ordinal)
}
