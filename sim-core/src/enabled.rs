//! The enabled set: every actor that could run now, of every kind, on every host.
//!
//! The set is passive. Whoever gives up the turn asks [`EnabledSet::next`] and carries the answer
//! out. Its base order is first in, first out; a policy, a log or an odometer may take another
//! member, and the rest keep their order. With one member there is nothing to choose and nobody is
//! asked.

pub use crate::members::{Member, Members, Place, Runnable};

use crate::choice::{Choices, Path, Scheduler};
use crate::env::Env;
use crate::policy::{Policy, PolicyBox};
use core::fmt;

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
    use crate::id::EventId;
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
