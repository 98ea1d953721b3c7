//! Delay-bounded scheduling (Emmi, Qadeer, Rakamaric: Delay-bounded scheduling, POPL 2011), at random points.
//!
//! The base is first in, first out without preemption. At each of a few choices, drawn beforehand, the actor whose turn
//! it would be is skipped once. How many orders that can give does not depend on the number of actors.

use super::Policy;
use crate::choice::{Draws, Path};
use crate::members::{Members, Place};
use crate::object::Object;

/// First in, first out, but at a few random choices the first in line is skipped.
#[derive(Clone, Debug)]
pub struct Delay {
    /// The choices at which somebody is skipped, in descending order: the next one is the last.
    delays: Vec<u32>,
    step: u32,
}

impl Delay {
    /// The policy that skips somebody at `delays` of about `steps` choices.
    #[must_use]
    pub fn new(delays: u32, steps: u32, mut draws: Draws) -> Self {
        let mut delays: Vec<u32> =
            (0..delays).map(|_| draws.below(u64::from(steps.max(1))) as u32).collect();
        delays.sort_unstable_by(|a, b| b.cmp(a));
        Self { delays, step: 0 }
    }

    /// How often in a row somebody is skipped at this choice.
    fn skips(&mut self) -> usize {
        let before = self.delays.len();
        while self.delays.last() == Some(&self.step) {
            self.delays.pop();
        }
        self.step += 1;
        before - self.delays.len()
    }
}

impl Policy for Delay {
    fn name(&self) -> &'static str {
        "delay"
    }

    fn pick(&mut self, members: &Members) -> Place {
        match self.skips() {
            0 => members.first(),
            skips => members.nth(skips % members.len()),
        }
    }

    fn pick_or_stay(&mut self, members: &Members, _actor: Path, _object: Object) -> Option<Place> {
        match self.skips() {
            0 => None,
            // Whoever is at it is the first in line here.
            skips => Some(members.nth((skips - 1) % members.len())),
        }
    }
}
