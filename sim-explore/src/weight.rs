//! When a log is smaller than another: what a reader has to take in, the hardest first.

use crate::shrink::Episode;
use sim_core::choice::{Answer, Concern, Log};

/// How much there is to understand in a log. Compared field by field, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight {
    /// Faults with a beginning and an end.
    pub episodes: usize,
    /// Turns that went to another than the first in line.
    pub switches: usize,
    /// Answers that are not dull.
    pub choices: usize,
    /// The sum of the answers' lengths in bits.
    pub bits: u64,
    /// Their sum.
    pub sum: u64,
}

impl Weight {
    /// The weight of a log in which faults are written as `episodes` say.
    #[must_use]
    pub fn of(log: &Log, episodes: &[Episode]) -> Self {
        let count = |is: &dyn Fn(&str) -> bool| log.iter().filter(|(key, _)| is(&key.site)).count();
        let value = |answer: &Answer| match answer {
            Answer::Value(value) => *value,
            Answer::Actor(..) => 1,
        };
        let values = || log.iter().map(|(_, answer)| value(answer));
        Self {
            episodes: count(&|site| episodes.iter().any(|episode| *episode.begin == *site)),
            switches: count(&is_switch),
            choices: log.len(),
            bits: values().map(|value| u64::from(u64::BITS - value.leading_zeros())).sum(),
            sum: values().fold(0, u64::saturating_add),
        }
    }
}

/// Whether answers of the site of this name decide whose turn it is.
pub(crate) fn is_switch(site: &str) -> bool {
    Concern::of(site) == Concern::Schedule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_switches_outweigh_fewer_choices() {
        let weight = |lines: &[&str]| {
            let log = Log::parse(lines.iter().copied(), 1).unwrap();
            Weight::of(&log, &[])
        };
        let one =
            weight(&["sched.next a 1 @b", "net.link.delay a>b 0 7", "net.link.delay a>b 1 7"]);
        let two = weight(&["sched.next a 1 @b", "sched.sync b 0 @a"]);
        assert!(one < two, "{one:?} {two:?}");
        assert!(weight(&["net.link.delay a>b 0 3"]) < weight(&["net.link.delay a>b 0 4"]));
        assert!(weight(&["net.link.delay a>b 0 6"]) < weight(&["net.link.delay a>b 0 7"]));
        assert_eq!((one.switches, one.choices, one.bits), (1, 3, 7));
    }
}
