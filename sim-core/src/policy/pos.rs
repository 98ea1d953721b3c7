//! Partial order sampling (Yuan, Yang, Gu: Partial order aware concurrency sampling, CAV 2018).
//!
//! Every event that could be next has a random priority; the highest runs, and those that race with it (the same object) are dealt
//! new priorities. One low priority holds an event back through any number of others, where a random walk would have to lose a coin at
//! each of them.

use super::Policy;
use super::ranks::{ByPlace, Ranks};
use crate::choice::{Draws, Path};
use crate::members::{Member, Members, Place};
use crate::object::Object;
use std::collections::BTreeMap;

/// No place: the end of a ring.
const NOBODY: u32 = u32::MAX;

/// Runs the highest of random priorities of events, dealt anew to those who race.
#[derive(Clone, Debug)]
pub struct Pos {
    draws: Draws,
    ranks: Ranks,
    racers: Racers,
}

impl Pos {
    /// The policy that deals from `draws`.
    #[must_use]
    pub fn new(draws: Draws) -> Self {
        Self { draws, ranks: Ranks::default(), racers: Racers::new() }
    }

    #[inline]
    fn deal(&mut self) -> u64 {
        self.draws.bits() | 1
    }

    fn highest(&self) -> (u64, Place) {
        self.ranks.greatest().expect("a policy picks from a set that is not empty")
    }
}

impl Policy for Pos {
    fn name(&self) -> &'static str {
        "pos"
    }

    fn watches(&self) -> bool {
        true
    }

    fn draws(&self) -> bool {
        true
    }

    fn joined(&mut self, place: Place, member: &Member) {
        let rank = self.deal();
        self.ranks.set(place, rank);
        self.racers.enter(place, member.object);
    }

    fn left(&mut self, place: Place) {
        self.ranks.set(place, 0);
        self.racers.leave(place);
    }

    fn moved(&mut self, from: Place, to: Place) {
        self.ranks.moved(from, to);
        self.racers.moved(from, to);
    }

    fn ran(&mut self, _actor: Path, object: Object) {
        let mut racer = self.racers.first(object);
        while let Some(place) = racer {
            let rank = self.deal();
            self.ranks.set(place, rank);
            racer = self.racers.next(place);
        }
    }

    fn pick(&mut self, _members: &Members) -> Place {
        self.highest().1
    }

    fn pick_or_stay(&mut self, _members: &Members, _actor: Path, _object: Object) -> Option<Place> {
        let own = self.deal();
        let (rank, place) = self.highest();
        (own < rank).then_some(place)
    }
}

/// The members by the object that they are about to touch, in a list each.
#[derive(Clone, Debug)]
struct Racers {
    first: BTreeMap<Object, u32>,
    at: ByPlace<Link>,
}

/// A member in the list of its object.
#[derive(Clone, Copy, Debug)]
struct Link {
    object: Object,
    before: u32,
    behind: u32,
}

impl Racers {
    const fn new() -> Self {
        let nobody = Link { object: Object::UNKNOWN, before: NOBODY, behind: NOBODY };
        Self { first: BTreeMap::new(), at: ByPlace::new(nobody) }
    }

    fn first(&self, object: Object) -> Option<Place> {
        if !object.is_known() {
            return None;
        }
        self.first.get(&object).map(|&first| Place::at(first as usize))
    }

    fn next(&self, place: Place) -> Option<Place> {
        let behind = self.at.get(place).behind;
        (behind != NOBODY).then(|| Place::at(behind as usize))
    }

    fn enter(&mut self, place: Place, object: Object) {
        let number = place.index() as u32;
        let behind = match object.is_known() {
            true => self.first.insert(object, number).unwrap_or(NOBODY),
            false => NOBODY,
        };
        self.at.set(place, Link { object, before: NOBODY, behind });
        self.relink(behind, |link| link.before = number);
    }

    fn leave(&mut self, place: Place) {
        let Link { object, before, behind } = self.at.get(place);
        if !object.is_known() {
            return;
        }
        self.relink(before, |link| link.behind = behind);
        self.relink(behind, |link| link.before = before);
        if before == NOBODY {
            match behind {
                NOBODY => _ = self.first.remove(&object),
                behind => _ = self.first.insert(object, behind),
            }
        }
        self.at.set(place, Link { object: Object::UNKNOWN, before: NOBODY, behind: NOBODY });
    }

    fn moved(&mut self, from: Place, to: Place) {
        let (link, number) = (self.at.get(from), to.index() as u32);
        self.at.set(to, link);
        if link.object.is_known() {
            self.relink(link.before, |link| link.behind = number);
            self.relink(link.behind, |link| link.before = number);
            if link.before == NOBODY {
                self.first.insert(link.object, number);
            }
        }
    }

    fn relink(&mut self, number: u32, change: impl FnOnce(&mut Link)) {
        if number != NOBODY {
            let place = Place::at(number as usize);
            let mut link = self.at.get(place);
            change(&mut link);
            self.at.set(place, link);
        }
    }
}
