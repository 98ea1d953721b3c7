//! A uniform random walk.

use super::Policy;
use crate::choice::Draws;
use crate::members::{Members, Place};

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
}
