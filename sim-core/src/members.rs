//! The members of the enabled set: what they are, and how they are kept.
//!
//! Joining, leaving and drawing a member at random are all O(1). Policies look at members; only the
//! set changes them.
//!
//! A search runs most turns under a policy that draws, which asks nothing about members. So in a pool a
//! task is its number and when it joined, 16 bytes, and who it is the engine reads from the task's own
//! cell when it has the turn. Others, and everybody in a run that is recorded, are kept whole beside it.

use crate::choice::{Draws, Path};
use crate::id::{EventId, TaskId, ThreadId, Waiter};
use crate::object::Object;

/// What would run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runnable {
    /// A task to be polled.
    Task(TaskId),
    /// A timer that is due: whoever waited for it is released.
    Timer(Waiter),
    /// An event of the backend: a delivery, a kernel timer, a completion.
    Event(EventId),
    /// A thread that waits for its turn.
    Thread(ThreadId),
}

impl Runnable {
    /// The task, if it is one.
    #[must_use]
    pub fn task(self) -> Option<TaskId> {
        match self {
            Self::Task(id) => Some(id),
            Self::Timer(_) | Self::Event(_) | Self::Thread(_) => None,
        }
    }
}

/// An actor that could run now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// What would run.
    pub runnable: Runnable,
    /// Its structural name.
    pub path: Path,
    /// A task's turn, or which of the path's messages or timers this is.
    pub ordinal: u32,
    /// Scheduling level, 0 the most urgent; only the priority policy looks at it.
    pub level: u8,
    /// What it is about to touch, as far as that is known.
    pub object: Object,
}

impl Member {
    /// The most urgent one that is about to touch nothing known.
    #[must_use]
    pub const fn new(runnable: Runnable, path: Path, ordinal: u32) -> Self {
        Self { runnable, path, ordinal, level: 0, object: Object::UNKNOWN }
    }

    /// One that is about to touch `object`.
    #[must_use]
    pub const fn on(mut self, object: Object) -> Self {
        self.object = object;
        self
    }

    /// How a log names it among those that could run: a task or thread by its path alone, since it is in the set once, whatever its turn.
    pub(crate) fn name(&self) -> (Path, u32) {
        match self.runnable {
            Runnable::Task(_) | Runnable::Thread(_) => (self.path, 0),
            _ => self.turn(),
        }
    }

    /// Its turn, by a name that no other turn of the run has. A timer has its task's path, and its number must not be taken
    /// for a turn of the task itself.
    #[inline]
    pub(crate) fn turn(&self) -> (Path, u32) {
        match self.runnable {
            Runnable::Timer(_) => (self.path, self.ordinal | TIMER),
            _ => (self.path, self.ordinal),
        }
    }
}

/// What sets the numbers of timers apart from those of turns.
const TIMER: u32 = 1 << 31;

/// A member's place in the set. It may move while the member waits; see [`Policy::moved`](crate::policy::Policy::moved).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u64);

impl Place {
    /// The `index`-th place of a pool.
    pub(crate) const fn at(index: usize) -> Self {
        Self(index as u64)
    }

    /// Which place of a pool it is.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The members. Policies look at it, only the set changes it.
#[derive(Debug)]
pub struct Members {
    kept: Kept,
}

/// How members are kept.
#[derive(Debug)]
enum Kept {
    /// In base order.
    Line(Line),
    /// In no order, for a policy that draws and needs none.
    Pool(Pool),
}

/// A queue in which those who left are gaps, closed when gaps are in the majority. Joining is a push,
/// leaving a mark.
#[derive(Debug)]
struct Line {
    queue: Vec<Option<Member>>,
    /// Where in the queue the first member is; all before it are gaps.
    front: usize,
    /// The place of the queue's first entry.
    base: u64,
    len: usize,
}

/// Members in no order, each with when it joined. The last takes the place of whoever leaves, so that a
/// draw meets no gap and touches one entry. (A linked list beside the table would keep the order too, at
/// twice the cost.)
#[derive(Debug)]
struct Pool {
    entries: Vec<Entry>,
    /// The members that are kept whole, and which of these places are free.
    whole: Vec<Member>,
    free: Vec<u32>,
    /// How many have joined so far.
    joined: u64,
    /// Whether everybody is kept whole: somebody will ask for names.
    named: bool,
}

/// A member of a pool.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// A task's number, or the place of a member that is kept whole.
    who: u64,
    /// When it joined, times two; odd if it is kept whole.
    joined: u64,
}

/// Who left the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// A task of which only the number was kept.
    Task(TaskId),
    /// A member that was kept whole.
    Whole(Member),
}

impl Left {
    /// What would have run.
    pub(crate) fn runnable(&self) -> Runnable {
        match self {
            Self::Task(id) => Runnable::Task(*id),
            Self::Whole(member) => member.runnable,
        }
    }
}

/// A pool has at most so many times the room it needs,
const ROOM_MAX: usize = 16;
/// unless it has no more than this.
const ROOM_MIN: usize = 4096;

/// So many gaps are not worth closing.
const GAPS_MIN: usize = 64;

impl Line {
    fn remove(&mut self, place: u64) -> Member {
        self.len -= 1;
        let at = (place - self.base) as usize;
        let member = self.queue[at].take().expect("only a member can leave the enabled set");
        if at == self.front {
            while let Some(None) = self.queue.get(self.front) {
                self.front += 1;
            }
        }
        member
    }
}

impl Pool {
    #[inline]
    fn push(&mut self, who: u64, is_whole: bool) -> Place {
        self.joined += 2;
        let joined = self.joined | u64::from(is_whole);
        self.entries.push(Entry { who, joined });
        Place(self.entries.len() as u64 - 1)
    }

    #[inline]
    fn insert(&mut self, member: Member) -> Place {
        let at = match self.free.pop() {
            Some(at) => {
                self.whole[at as usize] = member;
                at
            }
            None => {
                self.whole.push(member);
                self.whole.len() as u32 - 1
            }
        };
        self.push(u64::from(at), true)
    }

    #[inline]
    fn remove(&mut self, place: u64) -> Left {
        // The last entry is at this place now.
        let entry = self.entries.swap_remove(place as usize);
        let room = self.entries.capacity();
        if room > ROOM_MIN && self.entries.len() < room / ROOM_MAX {
            self.give_back();
        }
        if entry.joined & 1 == 0 {
            return Left::Task(TaskId::from_bits(entry.who));
        }
        self.free.push(entry.who as u32);
        Left::Whole(self.whole[entry.who as usize])
    }

    /// Gives back the room of a crowd that has gone, as after a hundred thousand tasks were spawned at once.
    #[cold]
    fn give_back(&mut self) {
        self.entries.shrink_to(self.entries.capacity() / 4);
        if self.free.len() == self.whole.len() {
            (self.whole, self.free) = (Vec::new(), Vec::new());
        }
    }

    fn left(&self, entry: Entry) -> Left {
        match entry.joined & 1 {
            0 => Left::Task(TaskId::from_bits(entry.who)),
            _ => Left::Whole(self.whole[entry.who as usize]),
        }
    }
}

impl Members {
    pub(crate) const fn in_line() -> Self {
        let line = Line { queue: Vec::new(), front: 0, base: 0, len: 0 };
        Self { kept: Kept::Line(line) }
    }

    /// A pool, in which everybody is kept whole if `named`.
    pub(crate) fn in_pool(named: bool) -> Self {
        let (joined, whole, free) = (0, Vec::new(), Vec::new());
        Self { kept: Kept::Pool(Pool { entries: Vec::new(), whole, free, joined, named }) }
    }

    /// How many there are.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.kept {
            Kept::Line(line) => line.len,
            Kept::Pool(pool) => pool.entries.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether of a task only its number is kept.
    #[inline]
    pub(crate) fn are_nameless(&self) -> bool {
        matches!(&self.kept, Kept::Pool(pool) if !pool.named)
    }

    /// The first in line. A scan for a policy that needs no order, where only recorded runs ask.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    #[must_use]
    pub fn first(&self) -> Place {
        assert!(!self.is_empty(), "an empty set has no first member");
        match &self.kept {
            Kept::Line(line) => Place(line.base + line.front as u64),
            Kept::Pool(pool) => {
                let first = pool.entries.iter().enumerate().min_by_key(|(_, entry)| entry.joined);
                Place(first.map_or(0, |(at, _)| at as u64))
            }
        }
    }

    /// One of them, each with equal chance.
    ///
    /// # Panics
    /// If there is none, or the policy has not said that it draws.
    #[inline]
    #[must_use]
    pub fn draw(&self, draws: &mut Draws) -> Place {
        let Kept::Pool(pool) = &self.kept else {
            panic!("a policy that draws says so: Policy::draws")
        };
        assert!(!pool.entries.is_empty(), "an empty set has no member to draw");
        Place(draws.below(pool.entries.len() as u64))
    }

    /// The `n`-th in line, from 0 on. A scan.
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use]
    pub fn nth(&self, n: usize) -> Place {
        self.in_order()[n].0
    }

    /// Who has moved to `place` because the member there has left: the last of a pool.
    #[inline]
    pub(crate) fn moved_to(&self, place: Place) -> Option<Place> {
        match &self.kept {
            Kept::Pool(pool) if place.index() < pool.entries.len() => {
                Some(Place::at(pool.entries.len()))
            }
            Kept::Pool(_) | Kept::Line(_) => None,
        }
    }

    /// The member at a place.
    ///
    /// # Panics
    /// If it has left; or if it is a task, the policy has said that it draws, and the run is not recorded: nothing but its
    /// number is kept then.
    #[inline]
    #[must_use]
    pub fn get(&self, Place(place): Place) -> &Member {
        match &self.kept {
            Kept::Line(line) => {
                line.queue[(place - line.base) as usize].as_ref().expect("the place is a member's")
            }
            Kept::Pool(pool) => {
                let entry = pool.entries[place as usize];
                assert!(entry.joined & 1 == 1, "of this member only the number is kept");
                &pool.whole[entry.who as usize]
            }
        }
    }

    /// All members in base order.
    #[must_use]
    pub(crate) fn in_order(&self) -> Vec<(Place, Left)> {
        match &self.kept {
            Kept::Line(line) => {
                let places = (line.base..).map(Place).zip(&line.queue);
                places
                    .filter_map(|(place, member)| Some((place, Left::Whole((*member)?))))
                    .collect()
            }
            Kept::Pool(pool) => {
                let mut order: Vec<_> = (0..).map(Place).zip(&pool.entries).collect();
                order.sort_by_key(|(_, entry)| entry.joined);
                order.into_iter().map(|(place, entry)| (place, pool.left(*entry))).collect()
            }
        }
    }

    #[inline]
    pub(crate) fn insert(&mut self, member: Member) -> Place {
        match &mut self.kept {
            Kept::Line(line) => {
                line.len += 1;
                line.queue.push(Some(member));
                Place(line.base + line.queue.len() as u64 - 1)
            }
            Kept::Pool(pool) => pool.insert(member),
        }
    }

    /// Enters a task by its number, if that is all that is kept of tasks.
    #[inline]
    pub(crate) fn insert_nameless(&mut self, task: TaskId) -> Option<Place> {
        match &mut self.kept {
            Kept::Pool(pool) if !pool.named => Some(pool.push(task.to_bits(), false)),
            Kept::Pool(_) | Kept::Line(_) => None,
        }
    }

    /// Whether they are in a pool, from which one can draw.
    pub(crate) fn is_pool(&self) -> bool {
        matches!(self.kept, Kept::Pool(_))
    }

    #[inline]
    pub(crate) fn remove(&mut self, Place(place): Place) -> Left {
        match &mut self.kept {
            Kept::Pool(pool) => pool.remove(place),
            Kept::Line(line) => Left::Whole(line.remove(place)),
        }
    }

    /// Whether gaps are in the majority.
    #[inline]
    pub(crate) fn has_many_gaps(&self) -> bool {
        matches!(&self.kept, Kept::Line(line) if line.queue.len() > 2 * line.len + GAPS_MIN)
    }

    /// Closes all gaps, and tells who has moved. Paid for by those who left.
    pub(crate) fn close_gaps(&mut self, mut moved: impl FnMut(Place, Place)) {
        let Kept::Line(Line { queue, front, base, .. }) = &mut self.kept else { return };
        let (from, to) = (*base, *base + queue.len() as u64);
        let mut kept = 0;
        for at in *front..queue.len() {
            if let Some(member) = queue[at] {
                moved(Place(from + at as u64), Place(to + kept as u64));
                queue[kept] = Some(member);
                kept += 1;
            }
        }
        queue.truncate(kept);
        (*base, *front) = (to, 0);
    }
}
