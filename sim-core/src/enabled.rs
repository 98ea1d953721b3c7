//! The enabled set: every actor that could run now, of every kind, on every host.
//!
//! The set is passive. Whoever gives up the turn asks [`EnabledSet::next`] and carries the answer
//! out. Its base order is first in, first out; a policy, a log or an odometer may take another
//! member, and the rest keep their order. With one member there is nothing to choose and nobody is
//! asked.
//!
//! Joining, leaving and drawing a member at random are all O(1).

use crate::backend::Waiter;
use crate::choice::{Choices, Draws, Path, Scheduler};
use crate::env::Env;
use crate::id::{EventId, TaskId, ThreadId};
use crate::policy::{Policy, PolicyBox};
use core::fmt;

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
    /// How a log names it among those that could run: a task by its path alone, since it is in the set once, whatever its turn.
    fn name(&self) -> (Path, u32) {
        match self.runnable {
            Runnable::Task(_) => (self.path, 0),
            _ => self.turn(),
        }
    }

    /// Its turn, by a name that no other turn of the run has. A timer has its task's path, and its number must not be taken
    /// for a turn of the task itself.
    #[inline]
    fn turn(&self) -> (Path, u32) {
        match self.runnable {
            Runnable::Timer(_) => (self.path, self.ordinal | TIMER),
            _ => (self.path, self.ordinal),
        }
    }
}

/// What sets the numbers of timers apart from those of turns.
const TIMER: u32 = 1 << 31;

/// A member's place in the set. It may move while the member waits; see [`Policy::moved`].
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

/// So many gaps are not worth closing.
const GAPS_MIN: usize = 64;

impl Members {
    const fn in_line() -> Self {
        Self { kept: Kept::Line { queue: Vec::new(), front: 0, base: 0 }, len: 0 }
    }

    const fn in_pool() -> Self {
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
    fn insert(&mut self, member: Member) -> Place {
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
    fn remove(&mut self, Place(place): Place) -> Member {
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
            Kept::Pool { members, .. } => members.swap_remove(place as usize).0,
        }
    }

    /// Whether gaps are in the majority.
    #[inline]
    fn has_many_gaps(&self) -> bool {
        matches!(&self.kept, Kept::Line { queue, .. } if queue.len() > 2 * self.len + GAPS_MIN)
    }

    /// Closes all gaps, and tells who has moved. Paid for by those who left.
    fn close_gaps(&mut self, mut moved: impl FnMut(Place, Place)) {
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

/// The actors that could run now, and the policy that picks among them.
pub struct EnabledSet {
    members: Members,
    policy: PolicyBox,
    /// Whether the policy keeps an order of its own and must hear who joins and leaves.
    watched: bool,
    /// Who gave up the turn last, and which turn of its own that was.
    giver: (Path, u32),
}

impl fmt::Debug for EnabledSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnabledSet")
            .field("policy", &self.policy.name())
            .field("members", &self.members)
            .finish()
    }
}

impl EnabledSet {
    /// An empty set in which `policy` picks, if `choices` are its to make.
    #[must_use]
    pub fn new(policy: PolicyBox, choices: &Choices) -> Self {
        let draws = policy.draws() && choices.scheduler() == Scheduler::Policy;
        let members = if draws { Members::in_pool() } else { Members::in_line() };
        Self { members, watched: policy.watches(), policy, giver: (Path::WORLD, 0) }
    }

    /// The members.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Adds an actor at the end of the line.
    #[inline]
    pub fn insert(&mut self, member: Member) -> Place {
        let place = self.members.insert(member);
        if self.watched {
            self.policy.joined(place, &member);
        }
        place
    }

    /// Takes an actor out that can no longer run.
    #[inline]
    pub fn remove(&mut self, place: Place) -> Member {
        let member = self.members.remove(place);
        if self.watched {
            self.policy.left(place, &member);
        }
        if self.members.has_many_gaps() {
            self.close_gaps();
        }
        member
    }

    #[cold]
    fn close_gaps(&mut self) {
        if self.watched {
            self.members.close_gaps(|from, to| self.policy.moved(from, to));
        } else {
            self.members.close_gaps(|_, _| {});
        }
    }

    /// Takes out every member that `leaves`: a scan, for what befalls a whole host.
    pub fn remove_all(&mut self, leaves: impl Fn(&Member) -> bool) -> Vec<Member> {
        let order = self.members.in_order().into_iter();
        let mut leaving: Vec<Place> =
            order.filter(|(_, member)| leaves(member)).map(|(place, _)| place).collect();
        leaving.sort_unstable();
        // From the back: whoever moves into a freed place stays, since all behind it have left already.
        let mut removed: Vec<Member> = Vec::with_capacity(leaving.len());
        for &place in leaving.iter().rev() {
            let member = self.members.remove(place);
            if self.watched {
                self.policy.left(place, &member);
            }
            removed.push(member);
        }
        removed.reverse();
        removed
    }

    /// Gives the next turn: the member leaves the set and runs. `None` if nobody can.
    #[inline]
    pub fn next(&mut self, env: &mut Env) -> Option<Member> {
        let place = match self.members.len() {
            0 => return None,
            1 => self.members.first(),
            _ => self.choose(env),
        };
        let member = self.remove(place);
        self.giver = member.turn();
        env.trace.turn(self.giver.0, self.giver.1);
        Some(member)
    }

    /// Asks whoever has a say. Anybody but the first in line is a deviation, which a recorded run notes by name.
    #[inline]
    fn choose(&mut self, env: &mut Env) -> Place {
        let place = match env.choices.scheduler() {
            Scheduler::Policy => self.policy.pick(&self.members),
            Scheduler::Log => self.logged(env).unwrap_or_else(|| self.members.first()),
            Scheduler::Odometer => {
                let nth = env.choices.odometer_place(self.members.len());
                self.members.in_order()[nth].0
            }
        };
        if env.choices.is_recorded() && place != self.members.first() {
            env.choices.note_actor(self.giver, self.members.get(place).name());
        }
        place
    }

    /// The member that the log names. A scan, since only replays ask, and only where the log deviates.
    fn logged(&self, env: &mut Env) -> Option<Place> {
        let (path, ordinal) = env.choices.logged_actor(self.giver.0, self.giver.1)?;
        let mut order = self.members.in_order().into_iter();
        order.find(|(_, member)| member.name() == (path, ordinal)).map(|(place, _)| place)
    }

    /// Tells the policy what the last turn of `path` cost.
    #[inline]
    pub fn charge(&mut self, path: Path, cost_ns: u64) {
        if self.watched {
            self.policy.charged(path, cost_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Seed;
    use crate::policy::{Fifo, POLICY_NAMES, PolicyKind, Random};
    use proptest::prelude::*;

    fn member(n: u32) -> Member {
        let path = Path::WORLD.child("m", n);
        Member { runnable: Runnable::Event(EventId(u64::from(n))), path, ordinal: n, level: 0 }
    }

    proptest! {
        /// Joining, leaving and first-in-first-out order agree with a plain vector.
        #[test]
        fn agrees_with_a_vector(script in proptest::collection::vec((0_u8..4, 0_usize..8), 0..600)) {
            let mut env = Env::new(Choices::seeded(Seed::default()));
            let mut set = EnabledSet::new(PolicyBox::Fifo(Fifo), &env.choices);
            let mut model: Vec<u32> = Vec::new();
            for (n, (verb, index)) in script.into_iter().enumerate() {
                match verb {
                    0 | 1 => {
                        set.insert(member(n as u32));
                        model.push(n as u32);
                    }
                    2 if !model.is_empty() => {
                        // Always from behind the front, so that gaps come into being.
                        let nth = model.len() - 1 - index % model.len();
                        let place = set.members().in_order()[nth].0;
                        prop_assert_eq!(set.remove(place).ordinal, model.remove(nth));
                    }
                    _ => {
                        let expected = if model.is_empty() { None } else { Some(model.remove(0)) };
                        prop_assert_eq!(set.next(&mut env).map(|m| m.ordinal), expected);
                    }
                }
                let order: Vec<u32> = set.members().in_order().iter().map(|(_, m)| m.ordinal).collect();
                prop_assert_eq!(&order, &model);
            }
            let odd = set.remove_all(|m| m.ordinal % 2 == 1);
            prop_assert_eq!(odd.len(), model.iter().filter(|n| *n % 2 == 1).count());
        }
    }

    #[test]
    fn gaps_are_closed_and_policies_follow() {
        for name in POLICY_NAMES {
            let kind: PolicyKind = name.parse().unwrap();
            let mut env = Env::new(Choices::seeded(Seed::from_u64(4)));
            let mut set =
                EnabledSet::new(kind.build(env.choices.policy_draws(), 100), &env.choices);
            for n in 0..1000 {
                set.insert(member(n));
            }
            // All but the first of each hundred leave from the middle: the ring is rebuilt on the way.
            for n in (0..1000).rev().filter(|n| n % 100 != 0) {
                let place =
                    set.members().in_order().iter().find(|(_, m)| m.ordinal == n).unwrap().0;
                set.remove(place);
            }
            let mut left: Vec<u32> =
                core::iter::from_fn(|| set.next(&mut env)).map(|m| m.ordinal).collect();
            left.sort_unstable();
            assert_eq!(left, (0..10).map(|n| n * 100).collect::<Vec<_>>(), "{name}");
        }
    }

    #[test]
    fn a_replayed_log_gives_the_same_turns() {
        let run = |choices: Choices| {
            let draws = choices.policy_draws();
            let mut env = Env::new(choices);
            for n in 0..20 {
                env.choices.names.note(member(n).path, Path::WORLD, "m", n);
            }
            let mut set = EnabledSet::new(PolicyBox::Random(Random::new(draws)), &env.choices);
            for n in 0..20 {
                set.insert(member(n));
            }
            let turns: Vec<u32> =
                core::iter::from_fn(|| set.next(&mut env)).map(|m| m.ordinal).collect();
            (turns, env.choices.log(), env.trace.schedule_hash())
        };
        let mut choices = Choices::seeded(Seed::from_u64(3));
        choices.record();
        let (turns, log, hash) = run(choices);
        assert_ne!(turns, (0..20).collect::<Vec<_>>());
        let (replayed, _, replayed_hash) = run(Choices::replay(&log.unwrap()));
        assert_eq!((replayed, replayed_hash), (turns, hash));
    }
}
