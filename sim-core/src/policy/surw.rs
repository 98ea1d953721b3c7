//! Selectively uniform random walk (Zhao, Wolff, Mathur, Roychoudhury: Selectively uniform concurrency testing, ASPLOS 2025).
//!
//! One shared object is selected; every order of the events on it is to be equally likely, and all else is scheduled freely. An *intended*
//! actor is drawn in proportion to its events on the object that are left; whoever else is about to touch the object is held
//! back, and the events of the others have random priorities, until the intended one has had its event. Then the next is drawn.
//!
//! If only actors that are held back could run (the intended one waits for one of them), another is intended.

use super::Policy;
use super::lesson::{Lesson, Remaining, Touched};
use super::ranks::{ByPlace, Ranks};
use super::weights::Weights;
use crate::choice::{Draws, Path};
use crate::members::{Member, Members, Place};
use crate::object::{Object, ObjectKind};

/// Nobody that the lesson knows.
const STRANGER: u32 = u32::MAX;

/// Samples the orders of what happens to one object.
#[derive(Clone, Debug)]
pub struct Surw {
    draws: Draws,
    /// The selected object.
    selected: Object,
    remaining: Remaining,
    /// The actors that are there, by number: their events on the object that are left.
    alive: Weights,
    /// The same for those in the set that are about to touch the object.
    poised: Weights,
    /// Where they are, by number.
    places: Vec<Option<Place>>,
    /// Who is at a place: its number if it is poised.
    numbers: ByPlace<u32>,
    /// Random priorities of the events of members that are not held back.
    ranks: Ranks,
    intended: Option<u32>,
    /// Whose event at a sync point was not next, and its priority.
    interrupted: Option<(Path, u64)>,
}

impl Surw {
    /// The policy, if `lesson` knows an object that several actors share.
    #[must_use]
    pub fn new(lesson: &Lesson, mut draws: Draws) -> Option<Self> {
        let touched = select(&lesson.objects, &mut draws)?;
        let mut events = vec![0; lesson.actors.len()];
        for &(actor, count) in &touched.by {
            *events.get_mut(actor as usize)? = u64::from(count);
        }
        let remaining = Remaining::new(lesson, |number| events[number]);
        let mut alive = Weights::default();
        for (number, actor) in lesson.actors.iter().enumerate() {
            if actor.parent as usize == number {
                alive.set(number, remaining.left(number as u32));
            }
        }
        let mut policy = Self {
            draws,
            selected: touched.object,
            alive,
            poised: Weights::default(),
            places: vec![None; remaining.len()],
            remaining,
            numbers: ByPlace::new(STRANGER),
            ranks: Ranks::default(),
            intended: None,
            interrupted: None,
        };
        policy.intend_any();
        Some(policy)
    }

    #[inline]
    fn deal(&mut self) -> u64 {
        self.draws.bits() | 1
    }

    /// The number of an actor that is about to touch `object`, if that is the selected one.
    fn poised_number(&self, actor: Path, object: Object) -> Option<u32> {
        if object == self.selected { self.remaining.number(actor) } else { None }
    }

    /// The weight of a poised actor: at least the event that it is poised for.
    fn weight(&self, number: u32) -> u64 {
        self.remaining.left(number).max(1)
    }

    fn intend_any(&mut self) {
        let drawn = self.alive.draw(&mut self.draws).map(|number| number as u32);
        self.intend(drawn);
    }

    /// Another actor is intended: the one before is held back if it is poised, and this one is not.
    fn intend(&mut self, number: Option<u32>) {
        let before = core::mem::replace(&mut self.intended, number);
        if before == number {
            return;
        }
        if let Some(place) = before.and_then(|before| self.places[before as usize]) {
            self.ranks.set(place, 0);
        }
        if let Some(place) = number.and_then(|number| self.places[number as usize]) {
            let rank = self.deal();
            self.ranks.set(place, rank);
        }
    }

    /// What is left of an actor has changed.
    fn reweigh(&mut self, number: u32) {
        self.alive.set(number as usize, self.remaining.left(number));
        if self.places[number as usize].is_some() {
            self.poised.set(number as usize, self.weight(number));
        }
    }
}

/// Draws one of the objects: the kind first, by the shares below, then one of that kind in proportion to the events on it.
fn select<'l>(objects: &'l [Touched], draws: &mut Draws) -> Option<&'l Touched> {
    /// Locks and channels, sockets, hosts, files, and what has no kind.
    fn share(kind: ObjectKind) -> (usize, u64) {
        match kind {
            ObjectKind::Lock | ObjectKind::Channel | ObjectKind::Signal => (0, 40),
            ObjectKind::Socket => (1, 25),
            ObjectKind::Host => (2, 25),
            ObjectKind::File => (3, 10),
            ObjectKind::Unknown | ObjectKind::Task | ObjectKind::Timer => (4, 1),
        }
    }
    let mut groups: [(u64, Vec<&Touched>); 5] = Default::default();
    for touched in objects {
        let (group, share) = share(touched.object.kind());
        groups[group].0 = share;
        groups[group].1.push(touched);
    }
    let mut at = draws.below(groups.iter().map(|(share, _)| share).sum::<u64>().max(1));
    let (_, group) = groups.iter().find(|(share, _)| {
        let holds = at < *share;
        at = at.saturating_sub(*share);
        holds
    })?;
    let events =
        |touched: &Touched| touched.by.iter().map(|&(_, count)| u64::from(count)).sum::<u64>();
    let mut at = draws.below(group.iter().map(|touched| events(touched)).sum::<u64>().max(1));
    let is_drawn = |touched: &&&Touched| {
        let holds = at < events(touched);
        at = at.saturating_sub(events(touched));
        holds
    };
    group.iter().find(is_drawn).copied()
}

impl Policy for Surw {
    fn name(&self) -> &'static str {
        "surw"
    }

    fn watches(&self) -> bool {
        true
    }

    fn draws(&self) -> bool {
        true
    }

    fn born(&mut self, actor: Path, parent: Path) {
        let numbers = (self.remaining.number(actor), self.remaining.number(parent));
        let (Some(child), Some(parent)) = numbers else { return };
        self.remaining.give(child, parent);
        self.reweigh(child);
        self.reweigh(parent);
        if self.intended == Some(parent) {
            // What was intended may have been the child's event.
            let (of_child, of_parent) = (self.remaining.left(child), self.remaining.left(parent));
            if self.draws.below((of_child + of_parent).max(1)) < of_child {
                self.intend(Some(child));
            }
        }
    }

    fn joined(&mut self, place: Place, member: &Member) {
        let poised = self.poised_number(member.path, member.object);
        let free = poised.is_none_or(|number| self.places[number as usize].is_some());
        self.numbers.set(place, STRANGER);
        if let Some(number) = poised.filter(|_| !free) {
            self.numbers.set(place, number);
            self.places[number as usize] = Some(place);
            self.poised.set(number as usize, self.weight(number));
            if self.intended.is_none() {
                self.intended = Some(number);
            }
        }
        let is_held = poised.is_some_and(|number| !free && self.intended != Some(number));
        let kept = self.interrupted.take_if(|(path, _)| *path == member.path);
        let rank = if is_held { 0 } else { kept.map_or_else(|| self.deal(), |(_, rank)| rank) };
        self.ranks.set(place, rank);
    }

    fn left(&mut self, place: Place) {
        self.ranks.set(place, 0);
        let number = self.numbers.get(place);
        if number != STRANGER {
            self.numbers.set(place, STRANGER);
            self.places[number as usize] = None;
            self.poised.set(number as usize, 0);
        }
    }

    fn moved(&mut self, from: Place, to: Place) {
        self.ranks.moved(from, to);
        let number = self.numbers.get(from);
        self.numbers.set(from, STRANGER);
        self.numbers.set(to, number);
        if number != STRANGER {
            self.places[number as usize] = Some(to);
        }
    }

    fn ran(&mut self, actor: Path, object: Object) {
        let Some(number) = self.poised_number(actor, object) else { return };
        self.remaining.spend(number);
        self.reweigh(number);
        self.intend_any();
    }

    fn pick(&mut self, _members: &Members) -> Place {
        if let Some((_, place)) = self.ranks.greatest() {
            return place;
        }
        let number = self.poised.draw(&mut self.draws).expect("who is held back is poised");
        self.intend(Some(number as u32));
        self.places[number].expect("who is poised has a place")
    }

    fn pick_or_stay(&mut self, _members: &Members, actor: Path, object: Object) -> Option<Place> {
        let others = self.ranks.greatest();
        let held =
            self.poised_number(actor, object).filter(|number| self.intended != Some(*number));
        match (held, others) {
            (None, others) => {
                let own = self.deal();
                let other = others.filter(|(rank, _)| *rank > own);
                self.interrupted = other.map(|_| (actor, own));
                other
            }
            (Some(_), Some(other)) => Some(other),
            // All are held back, this one too: any of them is intended now.
            (Some(number), None) => {
                let own = self.weight(number);
                let at = self.draws.below(self.poised.total() + own);
                let drawn = match at.checked_sub(own) {
                    Some(at) => self.poised.holder(at) as u32,
                    None => number,
                };
                self.intend(Some(drawn));
                self.places[drawn as usize].map(|place| (0, place))
            }
        }
        .map(|(_, place)| place)
    }
}
