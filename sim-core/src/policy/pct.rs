//! Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte: A randomized
//! scheduler with probabilistic guarantees of finding bugs, ASPLOS 2010).
//!
//! Every actor gets a random priority above `depth` when it is first seen; the highest enabled one
//! runs. At `depth` - 1 steps drawn beforehand the actor about to run falls to a priority below all
//! of those. Only steps with something to choose are counted, which makes the guarantee
//! 1 / (n k^(depth-1)) larger for the same program.

use super::Policy;
use super::line::Line;
use crate::choice::{Draws, Path};
use crate::members::{Member, Members, Place};
use std::collections::BTreeMap;

/// Runs the highest of random priorities, which change at a few random points.
#[derive(Clone, Debug)]
pub struct Pct {
    draws: Draws,
    priorities: BTreeMap<Path, u64>,
    line: Line,
    step: u32,
    /// The steps at which a priority falls, in descending order: the next one is the last.
    changes: Vec<u32>,
    depth: u32,
}

impl Pct {
    /// The policy for bugs of `depth`, in a run of about `steps` choices.
    #[must_use]
    pub fn new(depth: u32, steps: u32, mut draws: Draws) -> Self {
        let mut changes: Vec<u32> =
            (1..depth).map(|_| draws.below(u64::from(steps.max(1))) as u32).collect();
        changes.sort_unstable_by(|a, b| b.cmp(a));
        Self { draws, priorities: BTreeMap::new(), line: Line::default(), step: 0, changes, depth }
    }

    fn highest(&self) -> Place {
        self.line.greatest().expect("a policy picks from a set that is not empty")
    }
}

impl Policy for Pct {
    fn name(&self) -> &'static str {
        "pct"
    }

    fn watches(&self) -> bool {
        true
    }

    fn joined(&mut self, place: Place, member: &Member) {
        let (draws, depth) = (&mut self.draws, u64::from(self.depth));
        let priority = *self
            .priorities
            .entry(member.path)
            .or_insert_with(|| depth + draws.below(u64::MAX - depth));
        self.line.enter_before(place, priority);
    }

    fn left(&mut self, place: Place, _member: &Member) {
        self.line.leave(place);
    }

    fn moved(&mut self, from: Place, to: Place) {
        self.line.moved(from, to);
    }

    fn pick(&mut self, members: &Members) -> Place {
        let step = self.step;
        self.step += 1;
        while self.changes.last() == Some(&step) {
            self.changes.pop();
            let falls = self.highest();
            // The i-th change leaves the actor at priority i from below: later falls end up lower.
            let low = self.changes.len() as u64;
            self.priorities.insert(members.get(falls).path, low);
            self.line.leave(falls);
            self.line.enter_before(falls, low);
        }
        self.highest()
    }
}

#[cfg(test)]
mod tests {
    use crate::choice::{Choices, Path, Seed};
    use crate::enabled::{EnabledSet, Member, Runnable};
    use crate::env::Env;
    use crate::id::EventId;
    use crate::policy::{POLICY_NAMES, PolicyKind};

    fn member(n: u32) -> Member {
        let path = Path::WORLD.child("m", n);
        Member {
            runnable: Runnable::Event(EventId(u64::from(n))),
            path,
            ordinal: 0,
            level: (n % 3) as u8,
        }
    }

    /// The order in which `actors` members run when each comes back `rounds` times.
    fn order(kind: PolicyKind, seed: u64, actors: u32, rounds: u32) -> Vec<u32> {
        let mut env = Env::new(Choices::seeded(Seed::from_u64(seed)));
        let mut set =
            EnabledSet::new(kind.build(env.choices.policy_draws(), actors * rounds), &env.choices);
        for n in 0..actors {
            set.insert(member(n));
        }
        let mut turns = Vec::new();
        let mut left = vec![rounds; actors as usize];
        while let Some(m) = set.next(&mut env) {
            let Runnable::Event(EventId(n)) = m.runnable else {
                unreachable!("only events were entered")
            };
            turns.push(n as u32);
            set.charge(m.path, 100);
            left[n as usize] -= 1;
            if left[n as usize] > 0 {
                set.insert(m);
            }
        }
        turns
    }

    #[test]
    fn every_policy_runs_everybody() {
        for name in POLICY_NAMES {
            let kind: PolicyKind = name.parse().unwrap();
            let mut turns = order(kind, 1, 5, 4);
            assert_eq!(turns.len(), 20, "{name}");
            turns.sort_unstable();
            assert_eq!(turns, (0..5).flat_map(|n| [n; 4]).collect::<Vec<_>>(), "{name}");
        }
    }

    #[test]
    fn fifo_and_fair_go_round() {
        let round: Vec<u32> = (0..4).flat_map(|_| 0..3).collect();
        assert_eq!(order(PolicyKind::Fifo, 1, 3, 4), round);
        assert_eq!(order(PolicyKind::Fair, 1, 3, 4), round);
    }

    #[test]
    fn priority_prefers_low_levels_and_starves_nobody() {
        let turns = order(PolicyKind::Priority, 1, 3, 300);
        assert_eq!(turns[..20], [0; 20]);
        assert!(turns[..200].contains(&2), "two levels are made up for by 128 steps of waiting");
    }

    #[test]
    fn pct_of_depth_one_switches_only_when_it_must() {
        let turns = order(PolicyKind::Pct { depth: 1 }, 7, 4, 5);
        let switches = turns.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(switches, 3);
    }

    #[test]
    fn pct_meets_its_bound() {
        // A bug of depth 2: actor 1 begins between the two turns of actor 0.
        let (n, k, d) = (3_u32, 6_u32, 2_u32);
        let is_hit = |seed: &u64| {
            let turns = order(PolicyKind::Pct { depth: d }, *seed, n, 2);
            let nth = |actor, nth| {
                turns.iter().enumerate().filter(|(_, a)| **a == actor).nth(nth).unwrap().0
            };
            (nth(0, 0)..nth(0, 1)).contains(&nth(1, 0))
        };
        let hits = (0..20_000).filter(is_hit).count();
        let bound = 20_000.0 / f64::from(n * k.pow(d - 1));
        assert!(hits as f64 >= bound, "{hits} of 20000, bound {bound}");
    }
}
