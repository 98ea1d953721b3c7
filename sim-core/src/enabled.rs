//! The enabled set: every actor that could run now, of every kind, on every host.
//!
//! The set is passive. Whoever gives up the turn asks [`EnabledSet::next`] and carries the answer
//! out. Its base order is first in, first out; a policy, a log or an odometer may take another
//! member, and the rest keep their order. With one member there is nothing to choose and nobody is
//! asked.
//!
//! Whoever has the turn and is about to touch something that others share asks as well
//! ([`EnabledSet::sync`]): it is then one of those who could be next, and the first in line. If the answer is another, that one has
//! the next turn, and the asker gives up its own. So an order that two real threads could take is one choice, whether a
//! turn ends there or not.

pub use crate::members::{Member, Members, Place, Runnable};

use crate::choice::{Choices, Path, Scheduler};
use crate::env::Env;
use crate::id::TaskId;
use crate::members::Left;
use crate::object::Object;
use crate::policy::{Census, Lesson, Policy, PolicyBox, Random};
use core::fmt;

/// The actors that could run now, and the policy that picks among them.
pub struct EnabledSet {
    members: Members,
    policy: PolicyBox,
    /// Whether the policy keeps an order of its own and must hear who joins and leaves.
    watched: bool,
    /// How many turns had more than one actor to choose from.
    choices: u64,
    /// Who gave up the turn last, and which turn of its own that was.
    giver: (Path, u32),
    /// Who has the next turn, chosen at a sync point.
    chosen: Option<Place>,
    /// The choice after which the policy hands over to a fair one.
    unfair_until: u64,
    /// Counts this run for others.
    census: Option<Box<Census>>,
}

/// Who has the turn.
#[derive(Debug)]
#[must_use = "whoever has left the set must run"]
pub(crate) enum Turn {
    /// Nobody can run.
    Nobody,
    /// A task that joined by its number. Whoever knows its name calls [`EnabledSet::begin`].
    Task(TaskId),
    /// Another member, or a task that joined with its name. Its turn has begun.
    Member(Member),
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
        let asked = choices.scheduler() == Scheduler::Policy;
        let members = if policy.draws() && asked {
            Members::in_pool(choices.is_recorded())
        } else {
            Members::in_line()
        };
        let watched = policy.watches() && asked;
        let unfair_until = policy.unfair_until().unwrap_or(u64::MAX);
        let giver = (Path::WORLD, 0);
        Self {
            members,
            policy,
            watched,
            choices: 0,
            giver,
            chosen: None,
            unfair_until,
            census: None,
        }
    }

    /// Counts who does how much to what, for [`EnabledSet::lesson`]. To be called before anybody joins.
    pub fn count(&mut self) {
        self.census = Some(Box::default());
    }

    /// Whether anybody wants to know what turns touch.
    pub(crate) fn asks_objects(&self) -> bool {
        self.watched || self.census.is_some()
    }

    /// What the run has taught, if it was counted.
    #[must_use]
    pub fn lesson(&self) -> Option<Lesson> {
        self.census.as_ref().map(|census| census.lesson(self.choices))
    }

    /// The members.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// How many turns so far had more than one actor to choose from.
    #[must_use]
    pub fn choices(&self) -> u64 {
        self.choices
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

    /// Adds a task at the end of the line: by its number, or as `member` describes it where somebody will ask.
    #[inline(always)]
    pub(crate) fn insert_task(&mut self, id: TaskId, member: impl FnOnce() -> Member) {
        match self.members.insert_nameless(id) {
            Some(place) if self.watched => self.policy.joined(place, &member()),
            Some(_) => {}
            None => _ = self.insert(member()),
        }
    }

    /// `parent` has spawned `actor`.
    #[inline]
    pub fn born(&mut self, actor: Path, parent: Path) {
        if self.watched {
            self.policy.born(actor, parent);
        }
        if let Some(census) = &mut self.census {
            census.born(actor, parent);
        }
    }

    #[inline]
    fn remove(&mut self, place: Place) -> Left {
        let left = self.members.remove(place);
        if self.watched || self.chosen.is_some() {
            self.note_removal(place);
        }
        if self.members.has_many_gaps() {
            self.close_gaps();
        }
        left
    }

    /// Tells the policy who has left, and who is at its place now. Apart from the turns of a search by a random walk, which has
    /// nobody to tell.
    #[inline(never)]
    fn note_removal(&mut self, place: Place) {
        if self.watched {
            self.policy.left(place);
        }
        if self.chosen == Some(place) {
            self.chosen = None;
        }
        if let Some(from) = self.members.moved_to(place) {
            if self.watched {
                self.policy.moved(from, place);
            }
            if self.chosen == Some(from) {
                self.chosen = Some(place);
            }
        }
    }

    #[cold]
    fn close_gaps(&mut self) {
        let Self { members, policy, watched, chosen, .. } = self;
        let before = *chosen;
        members.close_gaps(|from, to| {
            if *watched {
                policy.moved(from, to);
            }
            if before == Some(from) {
                *chosen = Some(to);
            }
        });
    }

    /// Takes out every member whose `Runnable` leaves: a scan, for what befalls a whole host. In base order.
    pub fn remove_all(&mut self, leaves: impl Fn(Runnable) -> bool) -> Vec<Runnable> {
        let mut order = self.members.in_order();
        order.retain(|(_, member)| leaves(member.runnable()));
        let removed = order.iter().map(|(_, member)| member.runnable()).collect();
        order.sort_unstable_by_key(|(place, _)| *place);
        // From the back: whoever moves into a freed place stays, since all behind it have left already.
        for (place, _) in order.into_iter().rev() {
            self.members.remove(place);
            self.note_removal(place);
        }
        removed
    }

    /// Takes out the first member in base order that `leaves`: a scan, for a turn that nobody chooses.
    pub fn remove_first(&mut self, leaves: impl Fn(Runnable) -> bool) -> Option<Runnable> {
        let order = self.members.in_order();
        let (place, member) = order.into_iter().find(|(_, member)| leaves(member.runnable()))?;
        let runnable = member.runnable();
        self.remove(place);
        Some(runnable)
    }

    /// Gives the next turn: the member leaves the set and runs. `None` if nobody can.
    ///
    /// # Panics
    /// If it is a task that joined by its number; the engine of such tasks asks in its own way.
    #[inline]
    pub fn next(&mut self, env: &mut Env) -> Option<Member> {
        match self.turn(env) {
            Turn::Nobody => None,
            Turn::Member(member) => Some(member),
            Turn::Task(id) => panic!("{id} joined by its number, and who it is nobody has said"),
        }
    }

    /// Gives the next turn.
    #[inline]
    pub(crate) fn turn(&mut self, env: &mut Env) -> Turn {
        let place = match self.members.len() {
            0 => return Turn::Nobody,
            1 => self.members.first(),
            _ => match self.chosen {
                Some(chosen) => chosen,
                None => {
                    self.count_choice(&env.choices);
                    self.choose(env)
                }
            },
        };
        self.chosen = None;
        match self.remove(place) {
            Left::Task(id) => Turn::Task(id),
            Left::Whole(member) => {
                let (path, ordinal) = member.turn();
                self.begin(env, path, ordinal, member.object);
                Turn::Member(member)
            }
        }
    }

    /// Notes that `path` begins its turn of the number `ordinal`, in which it first touches `object`.
    #[inline]
    pub(crate) fn begin(&mut self, env: &mut Env, path: Path, ordinal: u32, object: Object) {
        self.giver = (path, ordinal);
        env.begin_turn(path, ordinal);
        self.ran(path, object);
    }

    /// An event of `actor` happens: it touches `object`.
    #[inline]
    fn ran(&mut self, actor: Path, object: Object) {
        if self.watched {
            self.policy.ran(actor, object);
        }
        if let Some(census) = &mut self.census {
            census.ran(actor, object);
        }
    }

    #[inline]
    fn count_choice(&mut self, choices: &Choices) {
        self.choices += 1;
        if self.choices > self.unfair_until {
            self.hand_over(choices);
        }
    }

    /// An unfair policy may starve an actor for ever, which would look like a fault of the program. From here on all have a chance.
    #[cold]
    fn hand_over(&mut self, choices: &Choices) {
        self.unfair_until = u64::MAX;
        if self.members.is_pool() {
            self.policy = PolicyBox::Random(Random::new(choices.draws("sched.fair")));
            self.watched = false;
        }
    }

    /// From here on all have a chance, if the policy would not give them one.
    pub fn be_fair(&mut self, choices: &Choices) {
        if self.unfair_until != u64::MAX {
            self.hand_over(choices);
        }
    }

    /// `actor` has the turn and is about to touch `object`, at the sync point that is its `occurrence`-th: whether another has the next turn
    /// before. Then `actor` gives up its turn untouched, joins the set again, and touches it in its next turn.
    #[inline]
    #[must_use = "whoever is not next gives up its turn"]
    pub fn sync(&mut self, env: &mut Env, actor: Path, occurrence: u32, object: Object) -> bool {
        if self.chosen.is_some() {
            return true;
        }
        if !self.members.is_empty() {
            self.count_choice(&env.choices);
            self.chosen = self.choose_other(env, actor, occurrence, object);
        }
        if self.chosen.is_none() {
            self.ran(actor, object);
        }
        self.chosen.is_some()
    }

    /// Whoever was to have the next turn need not: the asker at the sync point cannot give up its own after all.
    pub fn stay(&mut self) {
        self.chosen = None;
    }

    /// Who runs before `actor` touches `object`, if anybody.
    fn choose_other(
        &mut self,
        env: &mut Env,
        actor: Path,
        occurrence: u32,
        object: Object,
    ) -> Option<Place> {
        let place = match env.choices.scheduler() {
            Scheduler::Policy => self.policy.pick_or_stay(&self.members, actor, object),
            Scheduler::Log => {
                let name = env.choices.logged_other(actor, occurrence)?;
                self.named(name)
            }
            Scheduler::Odometer => match env.choices.odometer_place(self.members.len() + 1) {
                0 => None,
                nth => Some(self.members.nth(nth - 1)),
            },
        }?;
        if env.choices.is_recorded() {
            env.choices.note_other((actor, occurrence), self.members.get(place).name());
        }
        Some(place)
    }

    /// Asks whoever has a say. Anybody but the first in line is a deviation, which a recorded run notes by name.
    #[inline]
    fn choose(&mut self, env: &mut Env) -> Place {
        if self.members.are_nameless() {
            return self.policy.pick(&self.members);
        }
        let place = match env.choices.scheduler() {
            Scheduler::Policy => self.policy.pick(&self.members),
            Scheduler::Log => self.logged(env).unwrap_or_else(|| self.members.first()),
            Scheduler::Odometer => {
                let nth = env.choices.odometer_place(self.members.len());
                self.members.in_order()[nth].0
            }
        };
        if env.choices.is_recorded() && place != self.members.first() {
            let first = self.members.get(self.members.first()).name();
            env.choices.note_actor(self.giver, self.members.get(place).name(), first);
        }
        place
    }

    /// The member that the log names. A scan, since only replays ask, and only where the log deviates.
    fn logged(&self, env: &mut Env) -> Option<Place> {
        let name = env.choices.logged_actor(self.giver.0, self.giver.1)?;
        self.named(name)
    }

    /// The member of this name.
    fn named(&self, name: (Path, u32)) -> Option<Place> {
        let mut order = self.members.in_order().into_iter().map(|(place, _)| place);
        order.find(|place| self.members.get(*place).name() == name)
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
    use crate::id::EventId;
    use crate::policy::{Fifo, POLICY_NAMES, PolicyKind, Random};
    use proptest::prelude::*;

    fn member(n: u32) -> Member {
        let path = Path::WORLD.child("m", n);
        Member::new(Runnable::Event(EventId(u64::from(n))), path, n)
    }

    fn ordinal(left: &Left) -> u32 {
        match left {
            Left::Whole(member) => member.ordinal,
            Left::Task(id) => panic!("{id} joined with its name"),
        }
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
                        prop_assert_eq!(ordinal(&set.remove(place)), model.remove(nth));
                    }
                    _ => {
                        let expected = if model.is_empty() { None } else { Some(model.remove(0)) };
                        prop_assert_eq!(set.next(&mut env).map(|m| m.ordinal), expected);
                    }
                }
                let order: Vec<u32> = set.members().in_order().iter().map(|(_, m)| ordinal(m)).collect();
                prop_assert_eq!(&order, &model);
            }
            let odd = set.remove_all(|r| matches!(r, Runnable::Event(EventId(n)) if n % 2 == 1));
            let expected: Vec<Runnable> =
                model.iter().filter(|n| *n % 2 == 1).map(|&n| member(n).runnable).collect();
            prop_assert_eq!(odd, expected);
        }
    }

    #[test]
    fn gaps_are_closed_and_policies_follow() {
        for name in POLICY_NAMES {
            let kind: PolicyKind = name.parse().unwrap();
            let mut env = Env::new(Choices::seeded(Seed::from_u64(4)));
            let mut set =
                EnabledSet::new(kind.build(&env.choices, &Lesson::of_choices(100)), &env.choices);
            for n in 0..1000 {
                set.insert(member(n));
            }
            // All but the first of each hundred leave from the middle: the ring is rebuilt on the way.
            for n in (0..1000).rev().filter(|n| n % 100 != 0) {
                let place =
                    set.members().in_order().iter().find(|(_, m)| ordinal(m) == n).unwrap().0;
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

    /// A pool keeps tasks by number and others whole; a recorded one keeps everybody whole. Both draw alike.
    #[test]
    fn a_recorded_pool_draws_as_one_that_is_not() {
        let run = |record: bool| {
            let mut choices = Choices::seeded(Seed::from_u64(11));
            if record {
                choices.record();
            }
            let draws = choices.policy_draws();
            let mut env = Env::new(choices);
            let mut set = EnabledSet::new(PolicyBox::Random(Random::new(draws)), &env.choices);
            let task = |n: u32| TaskId::new(n, 0, 0);
            let join = |set: &mut EnabledSet, n: u32| match n % 3 {
                0 => _ = set.insert(member(n)),
                _ => set.insert_task(task(n), || Member {
                    runnable: Runnable::Task(task(n)),
                    ..member(n)
                }),
            };
            (0..50).for_each(|n| join(&mut set, n));
            let mut turns = Vec::new();
            for n in 50..150 {
                match set.turn(&mut env) {
                    Turn::Nobody => unreachable!("fifty have joined"),
                    Turn::Task(id) => {
                        let n = id.index() as u32;
                        set.begin(&mut env, member(n).path, n, Object::UNKNOWN);
                        turns.push(Runnable::Task(id));
                    }
                    Turn::Member(member) => turns.push(member.runnable),
                }
                join(&mut set, n);
            }
            let tasks = set.remove_all(|runnable| matches!(runnable, Runnable::Task(_)));
            let others = set.members().len();
            (turns, tasks, others, set.choices(), env.trace.schedule_hash())
        };
        let searched = run(false);
        assert!(searched.0.iter().any(|turn| matches!(turn, Runnable::Event(_))));
        assert_eq!(searched, run(true));
    }
}
