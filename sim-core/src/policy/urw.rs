//! The uniform random walk (Zhao, Wolff, Mathur, Roychoudhury: Selectively uniform concurrency testing, ASPLOS 2025, there the basis of
//! SURW).
//!
//! An actor is drawn in proportion to the events that it, and those it has still to spawn, have left. If the counts are right, every
//! interleaving is equally likely; a plain walk prefers those in which short actors end early.

use super::Policy;
use super::lesson::{Lesson, Remaining};
use super::weights::Weights;
use crate::choice::{Draws, Path};
use crate::members::{Member, Members, Place};
use crate::object::Object;

/// Draws actors in proportion to what they still have to do.
#[derive(Clone, Debug)]
pub struct Urw {
    draws: Draws,
    remaining: Remaining,
    weights: Weights,
}

impl Urw {
    /// The policy for a program of which `lesson` is known.
    #[must_use]
    pub fn new(lesson: &Lesson, draws: Draws) -> Self {
        let remaining = Remaining::new(lesson, |number| u64::from(lesson.actors[number].events));
        Self { draws, remaining, weights: Weights::default() }
    }

    /// What `actor` has left; at least the event that it is about to have.
    fn weight(&self, actor: Path) -> u64 {
        let number = self.remaining.number(actor);
        number.map_or(1, |number| self.remaining.left(number).max(1))
    }
}

impl Policy for Urw {
    fn name(&self) -> &'static str {
        "urw"
    }

    fn watches(&self) -> bool {
        true
    }

    fn draws(&self) -> bool {
        true
    }

    fn born(&mut self, actor: Path, parent: Path) {
        let numbers = (self.remaining.number(actor), self.remaining.number(parent));
        if let (Some(child), Some(parent)) = numbers {
            self.remaining.give(child, parent);
        }
    }

    fn joined(&mut self, place: Place, member: &Member) {
        self.weights.set(place.index(), self.weight(member.path));
    }

    fn left(&mut self, place: Place) {
        self.weights.set(place.index(), 0);
    }

    fn moved(&mut self, from: Place, to: Place) {
        let weight = self.weights.get(from.index());
        self.weights.set(from.index(), 0);
        self.weights.set(to.index(), weight);
    }

    fn ran(&mut self, actor: Path, _object: Object) {
        if let Some(number) = self.remaining.number(actor) {
            self.remaining.spend(number);
        }
    }

    fn pick(&mut self, _members: &Members) -> Place {
        let drawn = self.weights.draw(&mut self.draws);
        Place::at(drawn.expect("every member has a weight"))
    }

    fn pick_or_stay(&mut self, _members: &Members, actor: Path, _object: Object) -> Option<Place> {
        let at = self.draws.below(self.weights.total() + self.weight(actor));
        (at < self.weights.total()).then(|| Place::at(self.weights.holder(at)))
    }
}
