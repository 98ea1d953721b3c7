//! The members of the enabled set: what they are, and how they are kept.
//!
//! Joining, leaving and drawing a member at random are all O(1). Policies look at members; only the
//! set changes them.

use crate::choice::{Draws, Path};
use crate::id::{EventId, TaskId, ThreadId, Waiter};

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
}

impl Member {
    /// The task, if it is one.
    #[must_use]
    pub fn task(&self) -> Option<TaskId> {
        match self.runnable {
            Runnable::Task(id) => Some(id),
            Runnable::Timer(_) | Runnable::Event(_) | Runnable::Thread(_) => None,
        }
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

/// The members. Policies look at it, only the set changes it.
#[derive(Debug)]
pub struct Members {
    kept: Kept,
    len: usize,
}

/// How members are kept.
#[derive(Debug)]
enum Kept {
    /// In base order: a queue in which those who left are gaps, closed when gaps are in the majority.
    /// Joining is a push, leaving a mark.
    Line {
        queue: Vec<Option<Member>>,
        /// Where in the queue the first member is; all before it are gaps.
        front: usize,
        /// The place of the queue's first entry.
        base: u64,
    },
    /// In no order, each with when it joined: for a policy that draws and needs none. The last takes
    /// the place of whoever leaves, so that a draw meets no gap and touches one member. (A linked list
    /// beside the table would keep the order too, at twice the cost.)
    Pool { members: Vec<(Member, u64)>, joined: u64 },
}

/// A pool has at most so many times the room it needs,
const ROOM_MAX: usize = 16;
/// unless it has no more than this.
const ROOM_MIN: usize = 4096;

/// Gives back the room of a crowd that has gone, as after a hundred thousand tasks were spawned at once.
#[cold]
fn give_back(members: &mut Vec<(Member, u64)>) {
    members.shrink_to(members.capacity() / 4);
}

/// So many gaps are not worth closing.
const GAPS_MIN: usize = 64;

impl Members {
    pub(crate) const fn in_line() -> Self {
        Self { kept: Kept::Line { queue: Vec::new(), front: 0, base: 0 }, len: 0 }
    }

    pub(crate) const fn in_pool() -> Self {
        Self { kept: Kept::Pool { members: Vec::new(), joined: 0 }, len: 0 }
    }

    /// How many there are.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first in line. A scan for a policy that needs no order, where only recorded runs ask.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    #[must_use]
    pub fn first(&self) -> Place {
        assert!(self.len > 0, "an empty set has no first member");
        match &self.kept {
            Kept::Line { front, base, .. } => Place(base + *front as u64),
            Kept::Pool { members, .. } => {
                let first = members.iter().enumerate().min_by_key(|(_, (_, joined))| *joined);
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
        assert!(self.len > 0, "an empty set has no member to draw");
        assert!(
            matches!(self.kept, Kept::Pool { .. }),
            "a policy that draws says so: Policy::draws"
        );
        Place(draws.below(self.len as u64))
    }

    /// The member at a place.
    ///
    /// # Panics
    /// If it has left.
    #[inline]
    #[must_use]
    pub fn get(&self, Place(place): Place) -> &Member {
        match &self.kept {
            Kept::Line { queue, base, .. } => {
                queue[(place - base) as usize].as_ref().expect("the place is a member's")
            }
            Kept::Pool { members, .. } => &members[place as usize].0,
        }
    }

    /// All members in base order.
    #[must_use]
    pub fn in_order(&self) -> Vec<(Place, Member)> {
        match &self.kept {
            Kept::Line { queue, base, .. } => {
                let places = (*base..).map(Place);
                places.zip(queue).filter_map(|(place, member)| Some((place, (*member)?))).collect()
            }
            Kept::Pool { members, .. } => {
                let mut order: Vec<_> = (0..).map(Place).zip(members).collect();
                order.sort_by_key(|(_, (_, joined))| *joined);
                order.into_iter().map(|(place, (member, _))| (place, *member)).collect()
            }
        }
    }

    #[inline]
    pub(crate) fn insert(&mut self, member: Member) -> Place {
        self.len += 1;
        match &mut self.kept {
            Kept::Line { queue, base, .. } => {
                queue.push(Some(member));
                Place(*base + queue.len() as u64 - 1)
            }
            Kept::Pool { members, joined } => {
                *joined += 1;
                members.push((member, *joined));
                Place(members.len() as u64 - 1)
            }
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, Place(place): Place) -> Member {
        self.len -= 1;
        match &mut self.kept {
            Kept::Line { queue, front, base } => {
                let at = (place - *base) as usize;
                let member = queue[at].take().expect("only a member can leave the enabled set");
                if at == *front {
                    while let Some(None) = queue.get(*front) {
                        *front += 1;
                    }
                }
                member
            }
            Kept::Pool { members, .. } => {
                let (member, _) = members.swap_remove(place as usize);
                if members.capacity() > ROOM_MIN && members.len() < members.capacity() / ROOM_MAX {
                    give_back(members);
                }
                member
            }
        }
    }

    /// Whether gaps are in the majority.
    #[inline]
    pub(crate) fn has_many_gaps(&self) -> bool {
        matches!(&self.kept, Kept::Line { queue, .. } if queue.len() > 2 * self.len + GAPS_MIN)
    }

    /// Closes all gaps, and tells who has moved. Paid for by those who left.
    pub(crate) fn close_gaps(&mut self, mut moved: impl FnMut(Place, Place)) {
        let Kept::Line { queue, front, base } = &mut self.kept else { return };
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
