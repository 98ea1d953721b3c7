//! A uniform random walk.

use super::Policy;
use crate::choice::{Draws, Path};
use crate::members::{Members, Place};
use crate::object::Object;

/// Runs any of the enabled actors with equal chance.
#[derive(Clone, Debug)]
pub struct Random {
    draws: Draws,
}

impl Random {
    /// The policy that draws from `draws`.
    #[must_use]
    pub const fn new(draws: Draws) -> Self {
        Self { draws }
    }
}

impl Policy for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn draws(&self) -> bool {
        true
    }

    #[inline]
    fn pick(&mut self, members: &Members) -> Place {
        members.draw(&mut self.draws)
    }

    fn pick_or_stay(&mut self, members: &Members, _actor: Path, _object: Object) -> Option<Place> {
        match self.draws.below(members.len() as u64 + 1) {
            0 => None,
            nth => Some(Place::at(nth as usize - 1)),
        }
    }
}
