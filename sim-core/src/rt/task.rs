//! Task cells: what the engine keeps of a task, in a slab of recycled places.
//!
//! A place has two halves. The [`Cell`] is one cache line and all that a turn touches; the [`Record`] is
//! what the beginning and the end of a task, its joiner and reports need. Among a hundred thousand tasks
//! each line is a miss, so whatever a turn does not need stays out of the cell.

use super::chunks::Chunks;
use super::invariants::Invariant;
use super::state::State;
use crate::backend::Readiness;
use crate::choice::{Path, Stream};
use crate::enabled::{Member, Runnable};
use crate::env::Actor;
use crate::id::{Fd, HostId, OpId, TaskId};
use crate::object::{Object, ObjectKind};
use core::any::Any;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use pin_project_lite::pin_project;
use sim_time::Instant;

/// What a panic carries.
pub(super) type Payload = Box<dyn Any + Send>;
/// A future with room for its output, its type forgotten.
pub(super) type BoxedTask = Pin<Box<dyn ErasedTask>>;

/// What the engine does with a future whose type it does not know.
pub(super) trait ErasedTask {
    /// Polls the future; the output stays inside.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;
    /// Moves the output into `into`, an `Option` of its type.
    fn take_output(self: Pin<&mut Self>, into: &mut dyn Any);
    /// The future's type, the task's name where none was given.
    fn type_name(&self) -> &'static str;
}

pin_project! {
    /// A future, then its output, then nothing, in one allocation.
    #[project = StageProject]
    #[project_replace = StageTaken]
    pub(super) enum Stage<F: Future> {
        Running { #[pin] future: F },
        Finished { output: F::Output },
        Taken,
    }
}

impl<F: Future> Stage<F> {
    pub(super) fn new(future: F) -> Self {
        Self::Running { future }
    }
}

impl<F: Future + 'static> ErasedTask for Stage<F> {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let StageProject::Running { future } = self.as_mut().project() else {
            panic!("a task that ended is not polled again");
        };
        future.poll(cx).map(|output| self.set(Self::Finished { output }))
    }

    fn take_output(self: Pin<&mut Self>, into: &mut dyn Any) {
        let into = into
            .downcast_mut::<Option<F::Output>>()
            .expect("a handle has the type of its task's output");
        if let StageTaken::Finished { output } = self.project_replace(Self::Taken) {
            *into = Some(output);
        }
    }

    fn type_name(&self) -> &'static str {
        core::any::type_name::<F>()
    }
}

/// What is taken out of a place, to be dropped when the runtime is not borrowed.
#[expect(dead_code, reason = "it is there to be dropped, at the right time")]
pub(super) enum Content {
    /// The future or its output.
    Task(BoxedTask),
    /// What it panicked with.
    Panic(Payload),
    /// A condition that is not asked for any more.
    Invariant(Invariant),
}

/// Who is told when a task ends. Two variants, so that it takes no more room than a waker.
pub(super) enum Joiner {
    /// A task that awaits the handle itself, or [`Joiner::NOBODY`].
    Task(TaskId),
    /// A waker of some combinator.
    Waker(Waker),
}

impl Joiner {
    /// Nobody has asked yet. No task has all bits set: it would be the last place of the last runtime.
    pub(super) const NOBODY: Self = Self::Task(TaskId::from_bits(u64::MAX));
}

/// What a waiting task waits for: the last thing it noted before it was left waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitsFor {
    /// Something that the engine does not know: a channel, a lock, a future of the program's own.
    Unknown,
    /// A timer.
    Timer(Instant),
    /// A descriptor.
    Ready(Fd, Readiness),
    /// A file operation or a name look-up.
    Completion(OpId),
    /// The end of another task.
    Join(TaskId),
    /// Its turn at something that is shared.
    Object(Object),
}

/// What all sockets of a host are to strategies: whoever calls one races with what arrives there.
#[inline]
pub(super) const fn object_of_host(host: HostId) -> Object {
    Object::new(ObjectKind::Host, Path::WORLD, host.index() as u64)
}

/// Which of [`WaitsFor`]: its tag apart from its number, which together would not fit the cell's line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Noted {
    Unknown,
    Timer,
    Ready,
    Completion,
    Join,
    Object,
}

impl WaitsFor {
    #[inline]
    fn pack(self) -> (Noted, u64) {
        match self {
            Self::Unknown => (Noted::Unknown, 0),
            Self::Timer(due) => (Noted::Timer, due.as_nanos()),
            Self::Ready(fd, readiness) => {
                (Noted::Ready, u64::from(readiness.bits()) << 32 | u64::from(fd.number()))
            }
            Self::Completion(op) => (Noted::Completion, op.0),
            Self::Join(task) => (Noted::Join, task.to_bits()),
            Self::Object(object) => (Noted::Object, object.to_bits()),
        }
    }

    fn unpack(noted: Noted, bits: u64) -> Self {
        match noted {
            Noted::Unknown => Self::Unknown,
            Noted::Timer => Self::Timer(Instant::from_nanos(bits)),
            Noted::Ready => {
                Self::Ready(Fd::new(bits as u32), Readiness::from_bits((bits >> 32) as u32))
            }
            Noted::Completion => Self::Completion(OpId(bits)),
            Noted::Join => Self::Join(TaskId::from_bits(bits)),
            Noted::Object => Self::Object(Object::from_bits(bits)),
        }
    }
}

/// The half of a place that turns touch.
#[repr(C, align(64))]
pub(super) struct Cell {
    /// The future or its output; `None` while it is being polled, and when all was taken.
    pub(super) task: Option<BoxedTask>,
    pub(super) actor: Actor,
    waits: u64,
    /// When its last turn left it waiting.
    pub(super) since: Instant,
    pub(super) turns: u32,
    pub(super) wakes: u32,
    pub(super) generation: u16,
    pub(super) state: State,
    pub(super) level: u8,
    /// What `waits` means. A turn begins by forgetting it.
    noted: Noted,
    /// Nobody will ask for the output.
    pub(super) detached: bool,
    /// Its host crashed.
    pub(super) killed: bool,
}

const _: () = assert!(size_of::<Cell>() == 64, "a cell is a cache line");

/// The half of a place that turns do not touch.
pub(super) struct Record {
    pub(super) joiner: Joiner,
    pub(super) spawned_at: &'static Location<'static>,
    /// What most tasks do not have.
    extra: Option<Box<Extra>>,
    /// The parent's place.
    parent: u32,
    /// Wakers of this task that somebody keeps. Only reports look at it.
    pub(super) wakers: u32,
}

const _: () = assert!(size_of::<Record>() == 40, "a hundred thousand tasks have one each");

/// What most tasks do not have: a name of their own, children, draws, a panic.
#[derive(Default)]
struct Extra {
    name: Option<Box<str>>,
    /// How many children of each name it has spawned; for their ordinals.
    children: Vec<(u64, u32)>,
    draws: Option<Stream>,
    /// How many sync points it has asked at, and how many objects it has made.
    syncs: u32,
    objects: u32,
    /// What it panicked with, until somebody takes it.
    payload: Option<Payload>,
}

impl Cell {
    /// Begins a turn: its number.
    #[inline]
    pub(super) fn begin_turn(&mut self) -> u32 {
        self.turns += 1;
        self.noted = Noted::Unknown;
        self.turns
    }

    /// Gives back what was taken out.
    #[inline]
    pub(super) fn put(&mut self, task: BoxedTask) {
        // Besides the belief itself, this tells the compiler that nothing is dropped here.
        assert!(self.task.is_none(), "a cell is filled when it is empty");
        self.task = Some(task);
    }

    /// Itself, for the enabled set: its next turn.
    #[inline]
    pub(super) fn member(&self, id: TaskId) -> Member {
        let (path, ordinal, level) = (self.actor.path, self.turns + 1, self.level);
        Member { runnable: Runnable::Task(id), path, ordinal, level, object: self.object() }
    }

    /// What its next turn touches, as far as its last one noted it.
    #[inline]
    pub(super) fn object(&self) -> Object {
        match self.noted {
            Noted::Object => Object::from_bits(self.waits),
            Noted::Ready => object_of_host(self.actor.host),
            Noted::Unknown | Noted::Timer | Noted::Completion | Noted::Join => Object::UNKNOWN,
        }
    }

    /// Notes what it will wait for if this turn leaves it waiting.
    #[inline]
    pub(super) fn note_wait(&mut self, waits: WaitsFor) {
        (self.noted, self.waits) = waits.pack();
    }

    /// What it waits for, as far as its last turn noted it.
    pub(super) fn waits(&self) -> WaitsFor {
        WaitsFor::unpack(self.noted, self.waits)
    }
}

impl Record {
    /// The stream of its own draws, made by `stream` at the first.
    pub(super) fn draws(&mut self, stream: impl FnOnce() -> Stream) -> &mut Stream {
        self.extra.get_or_insert_default().draws.get_or_insert_with(stream)
    }

    /// The number of its next sync point.
    pub(super) fn next_sync(&mut self) -> u32 {
        next(&mut self.extra.get_or_insert_default().syncs)
    }

    /// The number of the next object that it makes.
    pub(super) fn next_object(&mut self) -> u32 {
        next(&mut self.extra.get_or_insert_default().objects)
    }

    /// Keeps what the task panicked with.
    pub(super) fn keep_payload(&mut self, payload: Payload) {
        self.extra.get_or_insert_default().payload = Some(payload);
    }

    /// What the task panicked with, if nobody took it.
    pub(super) fn payload(&self) -> Option<&Payload> {
        self.extra.as_ref()?.payload.as_ref()
    }

    /// Takes what the task panicked with.
    pub(super) fn take_payload(&mut self) -> Option<Payload> {
        self.extra.as_mut()?.payload.take()
    }

    /// The ordinal of the next child whose name hashes to `name`.
    fn next_ordinal(&mut self, name: u64) -> u32 {
        let children = &mut self.extra.get_or_insert_default().children;
        match children.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                children.push((name, 0));
                0
            }
        }
    }
}

/// The present number; the next time it is another.
fn next(number: &mut u32) -> u32 {
    let present = *number;
    *number += 1;
    present
}

/// A task as reports look at it: both halves of its place.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) cell: &'a Cell,
    pub(super) record: &'a Record,
}

impl Seen<'_> {
    /// Its name: given, or the type of its future.
    pub(super) fn display_name(&self) -> String {
        let given = self.record.extra.as_ref().and_then(|extra| extra.name.as_ref());
        match (given, &self.cell.task) {
            (Some(name), _) => name.to_string(),
            (None, Some(task)) => String::from(task.type_name()),
            (None, None) => String::from("(unnamed)"),
        }
    }

    /// Whether nobody can wake it: it noted nothing it waits for, and no waker of it is kept.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.cell.waits(), WaitsFor::Unknown | WaitsFor::Object(_))
            && self.record.wakers == 0
    }
}

/// Everything about a task that its spawner decides.
pub(super) struct NewTask {
    pub(super) task: BoxedTask,
    pub(super) name: Option<Box<str>>,
    pub(super) actor: Actor,
    pub(super) level: u8,
    pub(super) spawned_at: &'static Location<'static>,
}

/// The slab of tasks.
pub(super) struct Tasks {
    cells: Chunks<Cell>,
    records: Chunks<Record>,
    free: Vec<u32>,
    /// Children of the world itself, whose parent is no task.
    roots: Vec<(Path, u64, u32)>,
    runtime: u16,
    count: usize,
}

impl Tasks {
    pub(super) fn new(runtime: u16) -> Self {
        Self {
            cells: Chunks::new(),
            records: Chunks::new(),
            free: Vec::new(),
            roots: Vec::new(),
            runtime,
            count: 0,
        }
    }

    /// How many places are taken.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The cell of a living id.
    #[inline]
    pub(super) fn get_mut(&mut self, id: TaskId) -> Option<&mut Cell> {
        let is_ours = id.runtime() == self.runtime;
        let cell = self.cells.get_mut(id.index())?;
        (cell.generation == id.generation() && is_ours).then_some(cell)
    }

    /// The place of an id, whoever has it now: not looked at, it may be far away.
    #[inline]
    pub(super) fn place(&self, id: TaskId) -> Option<&Cell> {
        self.cells.get(id.index())
    }

    /// The task of a living id.
    pub(super) fn get(&self, id: TaskId) -> Option<Seen<'_>> {
        let is_ours = id.runtime() == self.runtime;
        let cell = self.cells.get(id.index())?;
        (cell.generation == id.generation() && is_ours)
            .then(|| Seen { cell, record: &self.records[id.index()] })
    }

    /// The cell of an id that must be alive.
    #[inline]
    pub(super) fn cell(&mut self, id: TaskId) -> &mut Cell {
        let cell = &mut self.cells[id.index()];
        assert!(
            cell.generation == id.generation(),
            "the engine holds ids of living tasks of its own only"
        );
        cell
    }

    /// The record of an id that is known to be alive.
    #[inline]
    pub(super) fn record(&mut self, id: TaskId) -> &mut Record {
        &mut self.records[id.index()]
    }

    /// Who spawned a task; itself for a root.
    pub(super) fn parent(&self, task: Seen<'_>) -> TaskId {
        let parent = task.record.parent;
        TaskId::new(parent, self.cells[parent as usize].generation, self.runtime)
    }

    /// The ordinal of a new task among its equal siblings.
    pub(super) fn next_ordinal(&mut self, parent: Option<TaskId>, path: Path, name: u64) -> u32 {
        if let Some(parent) = parent.filter(|&parent| self.get(parent).is_some()) {
            return self.record(parent).next_ordinal(name);
        }
        match self.roots.iter_mut().find(|(known, of, _)| *known == path && *of == name) {
            Some((.., count)) => {
                *count += 1;
                *count
            }
            None => {
                self.roots.push((path, name, 0));
                0
            }
        }
    }

    /// Gives a new task a place.
    #[inline]
    pub(super) fn insert(&mut self, new: NewTask, parent: Option<TaskId>) -> TaskId {
        self.count += 1;
        let (index, generation) = match self.free.pop() {
            Some(index) => (index, self.cells[index as usize].generation),
            None => (u32::try_from(self.cells.len()).expect("tasks_max is below 2^32"), 0),
        };
        let id = TaskId::new(index, generation, self.runtime);
        let cell = Cell {
            task: Some(new.task),
            actor: new.actor,
            waits: 0,
            since: Instant::ZERO,
            turns: 0,
            wakes: 0,
            generation,
            state: State::Created,
            level: new.level,
            noted: Noted::Unknown,
            detached: false,
            killed: false,
        };
        let record = Record {
            joiner: Joiner::NOBODY,
            spawned_at: new.spawned_at,
            extra: new.name.map(|name| Box::new(Extra { name: Some(name), ..Extra::default() })),
            parent: parent.unwrap_or(id).index() as u32,
            wakers: 0,
        };
        self.cells.put(index as usize, cell);
        self.records.put(index as usize, record);
        id
    }

    /// Frees a place: ids of its task go stale. What the place still holds is for the caller to drop, unborrowed.
    #[must_use = "what it holds may be the program's and is dropped outside the borrow"]
    pub(super) fn remove(&mut self, id: TaskId) -> (Option<Content>, Joiner) {
        let cell = self.cell(id);
        cell.generation = cell.generation.wrapping_add(1);
        let task = cell.task.take();
        let record = self.record(id);
        let payload = record.take_payload();
        record.extra = None;
        let joiner = core::mem::replace(&mut record.joiner, Joiner::NOBODY);
        self.count -= 1;
        self.free.push(id.index() as u32);
        (task.map(Content::Task).or(payload.map(Content::Panic)), joiner)
    }

    /// Ends every task, and takes what the places hold, in their order.
    pub(super) fn take_all(&mut self) -> Vec<Content> {
        let mut contents = Vec::new();
        for (cell, record) in self.cells.iter_mut().zip(self.records.iter_mut()) {
            cell.state.kill();
            contents.extend(cell.task.take().map(Content::Task));
            contents.extend(record.take_payload().map(Content::Panic));
        }
        contents
    }

    /// Every task that has a place, by place.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TaskId, Seen<'_>)> {
        let free: std::collections::BTreeSet<u32> = self.free.iter().copied().collect();
        let places = (0_u32..).zip(self.cells.iter().zip(self.records.iter()));
        places.filter(move |(index, _)| !free.contains(index)).map(|(index, (cell, record))| {
            (TaskId::new(index, cell.generation, self.runtime), Seen { cell, record })
        })
    }
}
