//! Levels with ageing.
//!
//! A member that joined at step `s` on level `l` is ranked by `s + l * AGEING_STEPS`, the smallest
//! first. That is ageing without touching anybody who waits: a level is made up for by having joined
//! that many steps earlier, so nobody starves.

use super::Policy;
use super::line::Line;
use crate::members::{Member, Members, Place};

/// How many steps of waiting make up for one level.
pub(super) const AGEING_STEPS: u64 = 64;

/// Runs the most urgent level first; who waits becomes more urgent.
#[derive(Clone, Debug, Default)]
pub struct Priority {
    step: u64,
    line: Line,
}

impl Priority {
    /// The policy before any step.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Policy for Priority {
    fn name(&self) -> &'static str {
        "priority"
    }

    fn watches(&self) -> bool {
        true
    }

    fn joined(&mut self, place: Place, member: &Member) {
        self.line.enter(place, self.step + u64::from(member.level) * AGEING_STEPS);
    }

    fn left(&mut self, place: Place) {
        self.step += 1;
        self.line.leave(place);
    }

    fn moved(&mut self, from: Place, to: Place) {
        self.line.moved(from, to);
    }

    fn pick(&mut self, _members: &Members) -> Place {
        self.line.least().expect("a policy picks from a set that is not empty").1
    }
}
