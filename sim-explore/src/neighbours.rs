//! Around a log that fails no more: the program was edited, and the failure may just have moved.
//!
//! First its faults and its workload are kept and its schedule is drawn anew, then its schedule is kept and its delays are drawn
//! anew. The first in this order that fails alike is the answer, however many processes look for it.

use sim_core::choice::Redraw;
use sim_core::policy::PolicyKind;
use std::collections::BTreeSet;

/// How many neighbours are tried.
pub const NEIGHBOURS: u64 = 200;

/// How many of them have another schedule.
const SCHEDULES: u64 = 140;

/// A run beside the recorded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Which of them; also what its seed is made of.
    pub number: u64,
    /// What is drawn anew.
    pub redraw: Redraw,
    /// Who schedules, where the schedule is drawn anew.
    pub policy: PolicyKind,
}

impl Neighbour {
    /// The neighbour of this number.
    #[must_use]
    pub fn of(number: u64) -> Self {
        let redraw = if number < SCHEDULES { Redraw::Schedule } else { Redraw::Delays };
        let policy = match number % 4 {
            0 | 2 => PolicyKind::Random,
            1 => PolicyKind::Pct { depth: 2 },
            _ => PolicyKind::Pct { depth: 3 },
        };
        Self { number, redraw, policy }
    }
}

/// The search through the neighbours.
#[derive(Clone, Debug, Default)]
pub struct Neighbourhood {
    proposed: u64,
    /// Those that did not fail alike.
    passed: BTreeSet<u64>,
    failed: BTreeSet<u64>,
}

impl Neighbourhood {
    /// The next neighbour to try; `None` where no other can change the answer.
    pub fn propose(&mut self) -> Option<Neighbour> {
        if self.proposed >= NEIGHBOURS || !self.failed.is_empty() {
            return None;
        }
        self.proposed += 1;
        Some(Neighbour::of(self.proposed - 1))
    }

    /// Takes note of what a neighbour came to.
    pub fn take(&mut self, number: u64, failed_alike: bool) {
        let into = if failed_alike { &mut self.failed } else { &mut self.passed };
        into.insert(number);
    }

    /// The first neighbour that failed alike, once all before it are known.
    #[must_use]
    pub fn found(&self) -> Option<u64> {
        let first = self.failed.first().copied()?;
        (0..first).all(|number| self.passed.contains(&number)).then_some(first)
    }

    /// How many neighbours were tried up to the answer.
    #[must_use]
    pub fn tried(&self) -> u64 {
        self.found().map_or(self.passed.len() as u64, |number| number + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_in_order_is_the_answer() {
        let mut around = Neighbourhood::default();
        let numbers: Vec<u64> = (0..4).map(|_| around.propose().unwrap().number).collect();
        assert_eq!(numbers, [0, 1, 2, 3]);
        around.take(3, true);
        assert_eq!((around.found(), around.propose()), (None, None), "0 to 2 are still out");
        around.take(0, false);
        around.take(1, true);
        assert_eq!((around.found(), around.tried()), (Some(1), 2));
    }

    #[test]
    fn schedules_come_first_and_the_number_is_bounded() {
        let mut around = Neighbourhood::default();
        let all: Vec<Neighbour> = std::iter::from_fn(|| around.propose()).collect();
        assert_eq!(all.len() as u64, NEIGHBOURS);
        let schedules = all.iter().take_while(|n| n.redraw == Redraw::Schedule).count() as u64;
        assert_eq!(schedules, SCHEDULES);
        assert!(all[schedules as usize..].iter().all(|n| n.redraw == Redraw::Delays));
    }
}
