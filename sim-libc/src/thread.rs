//! Threads of the world: each is one of the system's, and one of them runs at a time.
//!
//! ```text
//! created ──▶ ready ──(the turn is passed)──▶ running ──wait──▶ waiting ──release──▶ ready
//!                ▲                              │
//!                └────────── yield ─────────────┤──▶ ended
//! ```
//!
//! - A thread that does not run waits at its *word*; whoever gives up the turn sets the next one's.
//! - A waiting thread may be released without need: every wait looks again at what it waits for.
//! - A thread that has ended goes on for a moment in the C library. Whoever has the turn next waits until it is gone, since the
//!   stack that it leaves behind is used again, and where that lies must not depend on the system's timing.

use crate::real;
use crate::turn;
use crate::world::{self, World, child, me, with};
use core::sync::atomic::AtomicU32;
use sim_core::backend::Backend;
use sim_core::backend::Waiter;
use sim_core::choice::Path;
use sim_core::enabled::{Member, Runnable};
use sim_core::env::{Actor, Env};
use sim_core::trace::Kind;
use sim_core::{HostId, TaskId, ThreadId};
use sim_time::{Instant, Key};
use sim_world::Universe;

/// After how many looks in vain a thread lets others run, and a task that does nothing but wake itself is taken to spin.
pub const LOOKS: u32 = 1000;
/// How many looks a call counts for, after which others have had their turns anyway.
pub const LOOKS_OF_CALL: u32 = 50;
/// What so many looks cost at least, and at most: a time slice of Linux at 250 ticks a second.
const STARE_NS: u64 = 25_000;
const SLICE_NS: u64 = 4_000_000;

/// What becomes of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It could run.
    Ready,
    /// It has the turn.
    Running,
    /// It waits.
    Waiting,
    /// It will not run again.
    Ended,
}

/// What a thread waits for, for reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// Nothing.
    Nothing,
    /// Time alone.
    Sleep,
    /// A word of memory: a lock, a condition, a channel.
    Futex,
    /// Descriptors.
    Ready,
    /// A file operation or a name.
    Completion,
    /// A lock on a file.
    Lock,
    /// The end of a thread.
    Join(u32),
}

/// A deadline of a waiting thread.
#[derive(Clone, Copy, Debug)]
pub struct Timer {
    thread: u32,
    /// Which of the thread's waits it is for: an older one means nothing.
    wait: u32,
}

/// A thread of the world.
#[derive(Debug)]
pub struct Thread {
    /// Its name and host; while a gated task runs on it, that task's.
    pub actor: Actor,
    /// Its own name.
    path: Path,
    /// Where it waits for the turn. Leaked: the system's thread may look at it after the world is done with it.
    pub word: &'static AtomicU32,
    /// What becomes of it.
    pub life: Life,
    /// Whether the enabled set has it.
    is_member: bool,
    /// How often it had the turn.
    turns: u32,
    /// How many calls it was asked at whether another runs first.
    syncs: u32,
    /// How often it waited.
    pub waits: u32,
    /// How often it has looked at a clock, or at descriptors without waiting for them, since it last waited.
    looks: u32,
    /// Whether it has looked so often that it is taken to do nothing else.
    stares: bool,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// Since when.
    pub since: Instant,
    timer: Option<Key>,
    /// The gated tasks that run on it, the innermost last.
    pub tasks: Vec<(TaskId, Actor)>,
    /// How many children of each name it has.
    children: Vec<(u64, u32)>,
    /// The C library's handle, by which it is joined.
    pub handle: usize,
    /// Threads that wait for its end.
    joiners: Vec<u32>,
}

/// The threads of a world, by number.
#[derive(Debug)]
pub struct Threads {
    threads: Vec<Thread>,
    /// The system's number of a thread that has ended and may not be gone yet.
    leaving: Option<i32>,
}

impl Threads {
    /// The first thread of the root host.
    pub fn new(env: &mut Env, universe: &Universe) -> (Self, Actor) {
        let parent = universe.host_path(HostId::ROOT);
        let path = parent.child("thread", 0);
        env.choices.names.note(path, parent, "thread", 0);
        let actor = Actor { path, host: HostId::ROOT, opened: 0 };
        let mut first = Thread::new(actor);
        first.life = Life::Running;
        (Self { threads: vec![first], leaving: None }, actor)
    }

    /// The thread of this number.
    pub fn get(&mut self, thread: u32) -> &mut Thread {
        &mut self.threads[thread as usize]
    }

    /// Every thread with its number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Thread)> {
        (0..).zip(&self.threads)
    }

    /// The thread that the C library calls `handle`.
    pub fn by_handle(&self, handle: usize) -> Option<u32> {
        let mut living = self.iter().filter(|(_, thread)| thread.life != Life::Ended);
        living.find(|(_, thread)| thread.handle == handle).map(|(number, _)| number)
    }

    /// The thread that ended last, if nobody has waited for it to be gone.
    pub fn take_leaving(&mut self) -> Option<i32> {
        self.leaving.take()
    }
}

impl Thread {
    fn new(actor: Actor) -> Self {
        Self {
            actor,
            path: actor.path,
            word: Box::leak(Box::new(AtomicU32::new(0))),
            life: Life::Ready,
            is_member: false,
            turns: 0,
            syncs: 0,
            waits: 0,
            looks: 0,
            stares: false,
            waits_for: WaitsFor::Nothing,
            since: Instant::ZERO,
            timer: None,
            tasks: Vec::new(),
            children: Vec::new(),
            handle: 0,
            joiners: Vec::new(),
        }
    }

    /// Its own name.
    pub fn path(&self) -> Path {
        self.path
    }

    /// Its name, and the number of the next call at which it is asked whether another runs first.
    pub fn next_sync(&mut self) -> (Path, u32) {
        self.syncs += 1;
        (self.path, self.syncs - 1)
    }

    /// Which turn of its own it has or had last.
    pub fn turns(&self) -> u32 {
        self.turns
    }

    /// How many children of each name it has.
    pub fn children(&mut self) -> &mut Vec<(u64, u32)> {
        &mut self.children
    }
}

impl World {
    /// The calling thread makes another, which is ready at once.
    pub fn spawn_thread(&mut self) -> u32 {
        let Self { env, enabled, threads, .. } = self;
        let (actor, ordinal) = child(env, enabled, threads.get(me()).children(), "thread");
        let number = threads.threads.len() as u32;
        threads.threads.push(Thread::new(actor));
        env.event(Kind::Spawn, actor.path, u64::from(ordinal), 0, 0);
        self.enable_thread(number);
        number
    }

    /// Enters a thread into the enabled set, if it is not there.
    pub fn enable_thread(&mut self, number: u32) {
        let thread = self.threads.get(number);
        if thread.is_member {
            return;
        }
        thread.is_member = true;
        let (path, ordinal) = (thread.path, thread.turns + 1);
        let runnable = Runnable::Thread(ThreadId(number));
        self.enabled.insert(Member::new(runnable, path, ordinal));
    }

    /// A thread was taken out of the enabled set. Whether it can run.
    pub fn take_thread(&mut self, number: u32) -> bool {
        let thread = self.threads.get(number);
        thread.is_member = false;
        thread.life != Life::Ended
    }

    /// Releases a waiting thread. During a grant it does not compete: it carries the grant out.
    pub fn release(&mut self, number: u32) {
        let thread = self.threads.get(number);
        if thread.life != Life::Waiting {
            return;
        }
        thread.life = Life::Ready;
        self.env.trace.woke(self.env.actor.path, thread.path);
        if self.gates.is_granting() {
            self.carriers.push_back(number);
        } else {
            self.enable_thread(number);
        }
    }

    /// A thread begins its turn.
    pub fn begin_thread(&mut self, number: u32) {
        let thread = self.threads.get(number);
        thread.life = Life::Running;
        thread.waits_for = WaitsFor::Nothing;
        thread.turns += 1;
        let (actor, path, turns) = (thread.actor, thread.path, thread.turns);
        let timer = thread.timer.take();
        self.env.actor = actor;
        if let Some(timer) = timer {
            self.timers.remove(timer);
        }
        self.env.event(Kind::Poll, path, u64::from(turns), 0, 0);
    }

    /// Counts a look that found nothing: one at a clock, or a call for what is ready now, which counts for [`LOOKS_OF_CALL`]. True if the
    /// thread has done so often without ever waiting: it may wait for another by looking, as with a loop that gives up at a deadline, and
    /// must let it run. A gated task cannot; that of a grant must not.
    pub fn look_in_vain(&mut self, count: u32) -> bool {
        let is_granting = self.gates.is_granting();
        let thread = self.threads.get(me());
        // What a task looks at is no reason to take the turn from the thread behind it later.
        if !thread.tasks.is_empty() || is_granting {
            return false;
        }
        thread.looks += count;
        if thread.looks < LOOKS {
            return false;
        }
        thread.looks = 0;
        if !core::mem::replace(&mut thread.stares, true) {
            self.starers += 1;
        }
        self.stare(self.starers - 1);
        true
    }

    /// Lets time pass for a thread or task that does nothing but look whether something has happened. What it waits for may be far off:
    /// while nobody is ready but `others` that do the same, the more time passes the longer that goes on, up to a time slice at once,
    /// but not beyond the next thing that happens.
    pub fn stare(&mut self, others: usize) {
        let left = self.timers_due.min(self.env.due).duration_since(self.env.now).as_nanos();
        let is_alone = self.enabled.members().len() <= others;
        self.stares += u32::from(is_alone);
        let cost_ns = (STARE_NS << self.stares.min(u64::BITS / 2)).min(SLICE_NS);
        let most_ns = if is_alone { u64::try_from(left).unwrap_or(u64::MAX) } else { STARE_NS };
        self.charge(cost_ns.min(most_ns));
    }

    /// The thread that has the turn will give it up.
    pub fn end_thread_turn(&mut self, life: Life) {
        let actor = self.env.actor;
        let thread = self.threads.get(me());
        thread.actor = actor;
        thread.life = life;
        if life == Life::Ready {
            self.enable_thread(me());
        }
    }

    /// The thread that has the turn will wait until it is released, or `deadline` has come.
    fn begin_waiting(&mut self, waits_for: WaitsFor, deadline: Option<Instant>) {
        let now = self.env.now;
        self.note_place();
        self.end_thread_turn(Life::Waiting);
        let thread = self.threads.get(me());
        thread.waits = thread.waits.wrapping_add(1);
        thread.looks = 0;
        if core::mem::take(&mut thread.stares) {
            self.starers -= 1;
            self.stares = 0;
        }
        (thread.waits_for, thread.since) = (waits_for, now);
        let wait = thread.waits;
        if let Some(deadline) = deadline {
            let timer = Timer { thread: me(), wait };
            self.timers_due = self.timers_due.min(deadline);
            self.threads.get(me()).timer = Some(self.timers.insert(deadline, timer));
        }
    }

    /// The deadlines that have come join the enabled set.
    pub fn admit_timers(&mut self) {
        while let Some((_, _, timer)) = self.timers.pop_due(self.env.now) {
            let thread = self.threads.get(timer.thread);
            thread.timer = None;
            let path = thread.path;
            let runnable = Runnable::Timer(Waiter::Thread(ThreadId(timer.thread)));
            self.enabled.insert(Member::new(runnable, path, timer.wait));
        }
        self.timers_due = self.timers.next_deadline().unwrap_or(Instant::MAX);
    }

    /// A deadline had the turn: its thread is released, if it still waits for it.
    pub fn fire(&mut self, member: &Member, number: u32) {
        self.env.event(Kind::Timer, member.path, u64::from(member.ordinal), 0, 0);
        if self.threads.get(number).waits == member.ordinal {
            self.release(number);
        }
    }
}

/// Waits until the calling thread is released or `deadline` has come. It may return without either.
pub fn wait(waits_for: WaitsFor, deadline: Option<Instant>) {
    with(|world| world.begin_waiting(waits_for, deadline));
    turn::give_up();
}

/// Gives up the turn; the thread stays ready.
pub fn yield_turn() {
    with(|world| {
        world.charge(world.config.poll_cost_ns);
        world.note_place();
        world.end_thread_turn(Life::Ready);
    });
    turn::give_up();
}

/// Waits for the end of a thread.
pub fn join(number: u32) {
    while with(|world| {
        let thread = world.threads.get(number);
        let lives = thread.life != Life::Ended;
        if lives {
            thread.joiners.push(me());
        }
        lives
    }) {
        wait(WaitsFor::Join(number), None);
    }
}

/// The calling thread has ended: whoever waits for that is released, and the turn goes to another. It is no member any more.
pub fn end() {
    let tid = real::tid();
    with(|world| {
        world.end_thread_turn(Life::Ended);
        let path = world.threads.get(me()).path;
        world.env.event(Kind::End, path, 0, 0, 0);
        if world.threads.get(me()).stares {
            world.starers -= 1;
        }
        for joiner in core::mem::take(&mut world.threads.get(me()).joiners) {
            world.release(joiner);
        }
        world.threads.leaving = Some(tid);
    });
    turn::leave();
    world::set_me(world::NOBODY);
}
