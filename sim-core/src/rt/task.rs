//! Task cells: what the engine keeps of a task, in a slab of recycled places.

use super::state::State;
use crate::backend::Readiness;
use crate::choice::{Path, Stream};
use crate::enabled::{Member, Runnable};
use crate::env::Actor;
use crate::id::{Fd, OpId, TaskId};
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

/// What a cell holds of its task.
pub(super) enum Content {
    /// Nothing: the future is being polled, or all was taken.
    Empty,
    /// The future or its output.
    Task(BoxedTask),
    /// What it panicked with.
    Panic(Payload),
}

impl Content {
    pub(super) fn take(&mut self) -> Self {
        core::mem::replace(self, Self::Empty)
    }
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
}

/// A task's place: two cache lines, of which a turn that ends in a yield touches the first alone.
#[repr(C, align(64))]
pub(super) struct Cell {
    pub(super) content: Content,
    pub(super) actor: Actor,
    pub(super) turns: u32,
    pub(super) wakes: u32,
    /// The turn in which `waits` was noted: an older note means nothing.
    waits_turn: u32,
    pub(super) generation: u16,
    pub(super) state: State,
    pub(super) level: u8,
    /// Nobody will ask for the output.
    pub(super) detached: bool,
    /// Its host crashed.
    pub(super) killed: bool,
    pub(super) joiner: Joiner,
    waits: WaitsFor,
    pub(super) since: Instant,
    pub(super) spawned_at: &'static Location<'static>,
    /// What most tasks do not have.
    extra: Option<Box<Extra>>,
    /// The parent's place.
    parent: u32,
    /// Wakers of this task that somebody keeps. Only reports look at it.
    pub(super) wakers: u32,
}

const _: () = assert!(size_of::<Cell>() == 128, "a cell is two cache lines");

/// What most tasks do not have: a name of their own, children, draws.
#[derive(Default)]
struct Extra {
    name: Option<Box<str>>,
    /// How many children of each name it has spawned; for their ordinals.
    children: Vec<(u64, u32)>,
    draws: Option<Stream>,
}

impl Cell {
    /// Its name: given, or the type of its future.
    pub(super) fn display_name(&self) -> String {
        let given = self.extra.as_ref().and_then(|extra| extra.name.as_ref());
        match (given, &self.content) {
            (Some(name), _) => name.to_string(),
            (None, Content::Task(task)) => String::from(task.type_name()),
            (None, _) => String::from("(unnamed)"),
        }
    }

    /// Gives back what was taken out.
    #[inline]
    pub(super) fn put(&mut self, content: Content) {
        // Besides the belief itself, this tells the compiler that nothing is dropped here.
        assert!(matches!(self.content, Content::Empty), "a cell is filled when it is empty");
        self.content = content;
    }

    /// Itself, for the enabled set: its next turn.
    #[inline]
    pub(super) fn member(&self, id: TaskId) -> Member {
        let (path, ordinal, level) = (self.actor.path, self.turns + 1, self.level);
        Member { runnable: Runnable::Task(id), path, ordinal, level }
    }

    /// Notes what it will wait for if this turn leaves it waiting.
    #[inline]
    pub(super) fn note_wait(&mut self, waits: WaitsFor) {
        (self.waits, self.waits_turn) = (waits, self.turns);
    }

    /// What it waits for, as far as its last turn noted it.
    pub(super) fn waits(&self) -> WaitsFor {
        if self.waits_turn == self.turns { self.waits } else { WaitsFor::Unknown }
    }

    /// The stream of its own draws, made by `stream` at the first.
    pub(super) fn draws(&mut self, stream: impl FnOnce() -> Stream) -> &mut Stream {
        self.extra.get_or_insert_default().draws.get_or_insert_with(stream)
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

/// Everything about a task that its spawner decides.
pub(super) struct NewTask {
    pub(super) content: BoxedTask,
    pub(super) name: Option<Box<str>>,
    pub(super) actor: Actor,
    pub(super) level: u8,
    pub(super) spawned_at: &'static Location<'static>,
}

/// How many cells a chunk holds: growing moves no cell and wastes at most a chunk.
const CHUNK: usize = 256;

/// The slab of tasks.
pub(super) struct Tasks {
    chunks: Vec<Vec<Cell>>,
    free: Vec<u32>,
    /// Children of the world itself, whose parent is no task.
    roots: Vec<(Path, u64, u32)>,
    runtime: u16,
    count: usize,
}

impl Tasks {
    pub(super) fn new(runtime: u16) -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), roots: Vec::new(), runtime, count: 0 }
    }

    /// How many places are taken.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The cell of a living id.
    #[inline]
    pub(super) fn get_mut(&mut self, id: TaskId) -> Option<&mut Cell> {
        let is_ours = id.runtime() == self.runtime;
        let cell = self.chunks.get_mut(id.index() / CHUNK)?.get_mut(id.index() % CHUNK)?;
        (cell.generation == id.generation() && is_ours).then_some(cell)
    }

    /// The cell of a living id.
    pub(super) fn get(&self, id: TaskId) -> Option<&Cell> {
        let is_ours = id.runtime() == self.runtime;
        let cell = self.chunks.get(id.index() / CHUNK)?.get(id.index() % CHUNK)?;
        (cell.generation == id.generation() && is_ours).then_some(cell)
    }

    /// The cell of an id that must be alive.
    #[inline]
    pub(super) fn cell(&mut self, id: TaskId) -> &mut Cell {
        self.get_mut(id).expect("the engine holds ids of living tasks only")
    }

    /// Who spawned a task; itself for a root.
    pub(super) fn parent(&self, cell: &Cell) -> TaskId {
        let index = cell.parent as usize;
        let generation = self.chunks[index / CHUNK][index % CHUNK].generation;
        TaskId::new(cell.parent, generation, self.runtime)
    }

    /// The ordinal of a new task among its equal siblings.
    pub(super) fn next_ordinal(&mut self, parent: Option<TaskId>, path: Path, name: u64) -> u32 {
        if let Some(cell) = parent.and_then(|parent| self.get_mut(parent)) {
            return cell.next_ordinal(name);
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
    pub(super) fn insert(&mut self, new: NewTask, parent: Option<TaskId>) -> TaskId {
        self.count += 1;
        let (index, generation) = match self.free.pop() {
            Some(index) => {
                (index, self.chunks[index as usize / CHUNK][index as usize % CHUNK].generation)
            }
            None => (self.grow(), 0),
        };
        let id = TaskId::new(index, generation, self.runtime);
        let cell = Cell {
            content: Content::Task(new.content),
            actor: new.actor,
            turns: 0,
            wakes: 0,
            waits_turn: 0,
            generation,
            state: State::Created,
            level: new.level,
            detached: false,
            killed: false,
            joiner: Joiner::NOBODY,
            waits: WaitsFor::Unknown,
            since: Instant::ZERO,
            spawned_at: new.spawned_at,
            extra: new.name.map(|name| Box::new(Extra { name: Some(name), ..Extra::default() })),
            parent: parent.unwrap_or(id).index() as u32,
            wakers: 0,
        };
        let chunk = &mut self.chunks[index as usize / CHUNK];
        match chunk.get_mut(index as usize % CHUNK) {
            Some(place) => *place = cell,
            None => chunk.push(cell),
        }
        id
    }

    /// The index of a place that was never taken.
    fn grow(&mut self) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let last = self.chunks.len() - 1;
        u32::try_from(last * CHUNK + self.chunks[last].len()).expect("tasks_max is below 2^32")
    }

    /// Frees a place: ids of its task go stale. What the cell still holds is for the caller to drop, unborrowed.
    #[must_use = "what it holds may be the program's and is dropped outside the borrow"]
    pub(super) fn remove(&mut self, id: TaskId) -> (Content, Joiner) {
        let cell = self.cell(id);
        cell.generation = cell.generation.wrapping_add(1);
        cell.extra = None;
        let held = (cell.content.take(), core::mem::replace(&mut cell.joiner, Joiner::NOBODY));
        self.count -= 1;
        self.free.push(id.index() as u32);
        held
    }

    /// Every cell that was ever used, by place.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Cell> {
        self.chunks.iter_mut().flatten()
    }

    /// Every task that has a place, by place.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TaskId, &Cell)> {
        let free: std::collections::BTreeSet<u32> = self.free.iter().copied().collect();
        let cells = self.chunks.iter().flatten().enumerate();
        cells
            .filter(move |(index, _)| !free.contains(&(*index as u32)))
            .map(|(index, cell)| (TaskId::new(index as u32, cell.generation, self.runtime), cell))
    }
}
