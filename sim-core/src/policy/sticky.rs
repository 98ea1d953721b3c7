//! A random walk that stays with whoever ran last.
//!
//! Staying makes long stretches of one actor likely, which a plain walk among many never sees.

use super::Policy;
use crate::choice::{Draws, Path};
use crate::members::{Member, Members, Place};
use crate::object::Object;

/// Stays with the actor that ran last, and switches to any other at one choice in `one_in`.
#[derive(Clone, Debug)]
pub struct Sticky {
    draws: Draws,
    one_in: u64,
    last: Path,
    /// Where it is in the set, if it is.
    place: Option<Place>,
}

impl Sticky {
    /// The policy that switches at one choice in `one_in`, at least 1.
    #[must_use]
    pub fn new(one_in: u32, draws: Draws) -> Self {
        Self { draws, one_in: u64::from(one_in), last: Path::WORLD, place: None }
    }
}

impl Policy for Sticky {
    fn name(&self) -> &'static str {
        "sticky"
    }

    fn watches(&self) -> bool {
        true
    }

    fn draws(&self) -> bool {
        true
    }

    fn joined(&mut self, place: Place, member: &Member) {
        if member.path == self.last {
            self.place = Some(place);
        }
    }

    fn left(&mut self, place: Place) {
        if self.place == Some(place) {
            self.place = None;
        }
    }

    fn moved(&mut self, from: Place, to: Place) {
        if self.place == Some(from) {
            self.place = Some(to);
        }
    }

    fn ran(&mut self, actor: Path, _object: Object) {
        if actor != self.last {
            (self.last, self.place) = (actor, None);
        }
    }

    fn pick(&mut self, members: &Members) -> Place {
        let stays = self.place.filter(|_| self.draws.below(self.one_in) != 0);
        stays.unwrap_or_else(|| members.draw(&mut self.draws))
    }

    fn pick_or_stay(&mut self, members: &Members, _actor: Path, _object: Object) -> Option<Place> {
        (self.draws.below(self.one_in) == 0).then(|| members.draw(&mut self.draws))
    }
}
