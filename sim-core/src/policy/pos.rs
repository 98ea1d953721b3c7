//! Partial order sampling (Yuan, Yang, Gu: Partial order aware concurrency sampling, CAV 2018).
//!
//! Every event that could be next has a random priority; the highest runs, and those that race with it (the same object) are dealt
//! new priorities. One low priority holds an event back through any number of others, where a random walk would have to lose a coin at
//! each of them.

use super::Policy;
use super::numbers::Numbers;
use super::ranks::{ByPlace, Ranks};
use crate::choice::{Draws, Path};
use crate::members::{Member, Members, Place};
use crate::object::Object;

/// No place, and no object: the end of a list.
const NOBODY: u32 = u32::MAX;

/// Runs the highest of random priorities of events, dealt anew to those who race.
#[derive(Clone, Debug)]
pub struct Pos {
    draws: Draws,
    ranks: Ranks,
    racers: Racers,
    /// Whose event at a sync point was not next, and its priority: it keeps it until it is next or another races with it.
    interrupted: Option<(Path, u64)>,
}

impl Pos {
    /// The policy that deals from `draws`.
    #[must_use]
    pub fn new(draws: Draws) -> Self {
        Self { draws, ranks: Ranks::default(), racers: Racers::new(), interrupted: None }
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
        let kept = self.interrupted.take_if(|(path, _)| *path == member.path);
        let rank = kept.map_or_else(|| self.deal(), |(_, rank)| rank);
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

    fn pick_or_stay(&mut self, _members: &Members, actor: Path, _object: Object) -> Option<Place> {
        let own = self.deal();
        let (rank, place) = self.highest();
        self.interrupted = (own < rank).then_some((actor, own));
        (own < rank).then_some(place)
    }
}

/// The members by the object that they are about to touch, in a list each.
#[derive(Clone, Debug)]
struct Racers {
    objects: Numbers,
    /// The first of each list, by the object's number.
    first: Vec<u32>,
    at: ByPlace<Link>,
}

/// A member in the list of its object.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// The object's number.
    object: u32,
    before: u32,
    behind: u32,
}

/// In no list.
const ALONE: Link = Link { object: NOBODY, before: NOBODY, behind: NOBODY };

impl Racers {
    fn new() -> Self {
        Self { objects: Numbers::default(), first: Vec::new(), at: ByPlace::new(ALONE) }
    }

    fn first(&self, object: Object) -> Option<Place> {
        if !object.is_known() {
            return None;
        }
        let first = self.first[self.objects.get(object.to_bits())? as usize];
        (first != NOBODY).then(|| Place::at(first as usize))
    }

    fn next(&self, place: Place) -> Option<Place> {
        let behind = self.at.get(place).behind;
        (behind != NOBODY).then(|| Place::at(behind as usize))
    }

    fn enter(&mut self, place: Place, object: Object) {
        if !object.is_known() {
            return self.at.set(place, ALONE);
        }
        let (number, object) = (place.index() as u32, self.objects.number(object.to_bits()));
        if object as usize == self.first.len() {
            self.first.push(NOBODY);
        }
        let behind = core::mem::replace(&mut self.first[object as usize], number);
        self.at.set(place, Link { object, before: NOBODY, behind });
        self.relink(behind, |link| link.before = number);
    }

    fn leave(&mut self, place: Place) {
        let Link { object, before, behind } = self.at.get(place);
        if object == NOBODY {
            return;
        }
        self.relink(before, |link| link.behind = behind);
        self.relink(behind, |link| link.before = before);
        if before == NOBODY {
            self.first[object as usize] = behind;
        }
        self.at.set(place, ALONE);
    }

    fn moved(&mut self, from: Place, to: Place) {
        let (link, number) = (self.at.get(from), to.index() as u32);
        self.at.set(to, link);
        if link.object != NOBODY {
            self.relink(link.before, |link| link.behind = number);
            self.relink(link.behind, |link| link.before = number);
            if link.before == NOBODY {
                self.first[link.object as usize] = number;
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
