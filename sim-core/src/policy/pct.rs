//! Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte: A randomized
//! scheduler with probabilistic guarantees of finding bugs, ASPLOS 2010).
//!
//! Every actor has a random priority; the highest enabled one runs. At `depth` - 1 choices drawn beforehand the actor about
//! to run falls to a priority below all of those. Only choices with an alternative are counted, which makes the guarantee
//! 1 / (n k^(depth-1)) larger for the same program.
//!
//! A priority is a function of the seed and the actor's path, so nothing is kept of an actor but that it has fallen.

use super::Policy;
use super::ranks::{ByPlace, Ranks};
use crate::choice::{Draws, Path, mix};
use crate::members::{Member, Members, Place};
use crate::object::Object;

/// Set in every priority that has not fallen.
const HIGH: u64 = 1 << 63;

/// Runs the highest of random priorities, which change at a few random points.
#[derive(Clone, Debug)]
pub struct Pct {
    key: u64,
    ranks: Ranks,
    paths: ByPlace<Path>,
    step: u32,
    /// The choices at which a priority falls, in descending order: the next one is the last.
    changes: Vec<u32>,
    /// Who has fallen, and to which priority; the latest is the lowest and the last.
    fallen: Vec<(Path, u64)>,
}

impl Pct {
    /// The policy for bugs of `depth`, in a run of about `steps` choices.
    #[must_use]
    pub fn new(depth: u32, steps: u32, mut draws: Draws) -> Self {
        let key = draws.bits();
        let mut changes: Vec<u32> =
            (1..depth).map(|_| draws.below(u64::from(steps.max(1))) as u32).collect();
        changes.sort_unstable_by(|a, b| b.cmp(a));
        let (ranks, paths) = (Ranks::default(), ByPlace::new(Path::WORLD));
        Self { key, ranks, paths, step: 0, changes, fallen: Vec::new() }
    }

    #[inline]
    fn priority(&self, actor: Path) -> u64 {
        let fallen = self.fallen.iter().rev().find(|(fallen, _)| *fallen == actor);
        fallen.map_or_else(|| mix::join(self.key, actor.to_bits()) | HIGH, |(_, low)| *low)
    }

    /// Whether a priority falls at this choice.
    #[inline]
    fn falls(&mut self) -> bool {
        let falls = self.changes.last().is_some_and(|change| *change <= self.step);
        if falls {
            self.changes.pop();
        }
        falls
    }

    /// `actor` falls below everybody so far: its new priority.
    fn fall(&mut self, actor: Path) -> u64 {
        let low = self.changes.len() as u64 + 1;
        self.fallen.push((actor, low));
        low
    }

    /// The member with the highest priority falls.
    fn fall_highest(&mut self) {
        let place = self.highest().1;
        let low = self.fall(self.paths.get(place));
        self.ranks.set(place, low);
    }

    fn highest(&self) -> (u64, Place) {
        self.ranks.greatest().expect("a policy picks from a set that is not empty")
    }
}

impl Policy for Pct {
    fn name(&self) -> &'static str {
        "pct"
    }

    fn watches(&self) -> bool {
        true
    }

    fn draws(&self) -> bool {
        true
    }

    fn joined(&mut self, place: Place, member: &Member) {
        let priority = self.priority(member.path);
        self.ranks.set(place, priority);
        self.paths.set(place, member.path);
    }

    fn left(&mut self, place: Place) {
        self.ranks.set(place, 0);
    }

    fn moved(&mut self, from: Place, to: Place) {
        self.ranks.moved(from, to);
        self.paths.moved(from, to);
    }

    fn pick(&mut self, _members: &Members) -> Place {
        while self.falls() {
            self.fall_highest();
        }
        self.step += 1;
        self.highest().1
    }

    fn pick_or_stay(&mut self, _members: &Members, actor: Path, _object: Object) -> Option<Place> {
        let mut own = self.priority(actor);
        while self.falls() {
            if own >= self.highest().0 {
                own = self.fall(actor);
            } else {
                self.fall_highest();
            }
        }
        self.step += 1;
        let (rank, place) = self.highest();
        (own < rank).then_some(place)
    }
}
