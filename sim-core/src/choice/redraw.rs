//! A neighbour of a recorded run: its log, but for one sort of answer, which a seed gives anew.
//!
//! After an edit of the program a log may just miss what it was recorded for. Around it lie the runs that keep its faults and
//! its workload under other schedules, and those that keep its schedule under other delays.

use super::log::{Log, Replay};
use super::mix;
use super::path::Path;
use super::{Concern, Seed};
use core::fmt;
use core::str::FromStr;
use std::collections::BTreeSet;

/// What is drawn anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Redraw {
    /// Who runs next: a policy decides, as in a search.
    Schedule,
    /// How long messages and disks take.
    Delays,
}

impl Redraw {
    /// Whether the answers of the site of this name are drawn anew.
    #[must_use]
    pub fn takes(self, site: &str) -> bool {
        match self {
            Self::Schedule => Concern::of(site) == Concern::Schedule,
            Self::Delays => site.ends_with(".delay"),
        }
    }
}

impl fmt::Display for Redraw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Schedule => "schedule",
            Self::Delays => "delays",
        })
    }
}

impl FromStr for Redraw {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "schedule" => Ok(Self::Schedule),
            "delays" => Ok(Self::Delays),
            _ => Err(format!("'{text}' cannot be drawn anew: give schedule or delays")),
        }
    }
}

/// A log, and the streams that are answered by a seed instead.
#[derive(Debug)]
pub(super) struct Redrawn {
    pub(super) replay: Replay,
    pub(super) what: Redraw,
    pub(super) seed: Seed,
    drawn: BTreeSet<u64>,
}

impl Redrawn {
    /// What is drawn anew is taken out of the log first, so that it is not told to be unused.
    pub(super) fn new(log: &Log, what: Redraw, seed: Seed) -> Self {
        let kept = log.iter().filter(|(key, _)| !what.takes(&key.site));
        let kept = kept.map(|(key, answer)| (key.clone(), answer.clone())).collect();
        Self { replay: Replay::new(&kept), what, seed, drawn: BTreeSet::new() }
    }

    /// The key of a stream that the seed answers.
    pub(super) fn draw(&mut self, site: u64, path: Path) -> u64 {
        let key = mix::join(self.seed.derive(site, 0), path.to_bits());
        self.drawn.insert(key);
        key
    }

    /// Whether the seed answers the stream of this key.
    pub(super) fn draws(&self, key: u64) -> bool {
        self.drawn.contains(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Choices, Scheduler, Site};
    use super::*;

    const DELAY: Site = Site::new("net.link.delay");
    const DRAW: Site = Site::new("app.rand.draw");

    fn answers(choices: &mut Choices, site: Site) -> Vec<u64> {
        let mut stream = choices.stream(site, Path::WORLD.child("x", 0));
        (0..8).map(|_| choices.pick(&mut stream, 1000)).collect()
    }

    #[test]
    fn one_sort_of_answers_is_drawn_and_the_rest_is_the_logs() {
        let lines = ["net.link.delay x 0 7", "app.rand.draw x 1 9", "sched.next x 3 @y"];
        let log = Log::parse(lines.into_iter(), 1).unwrap();
        let neighbour = |what, seed| {
            let mut choices = Choices::redrawn(&log, what, Seed::from_u64(seed));
            choices.record();
            let (delays, draws) = (answers(&mut choices, DELAY), answers(&mut choices, DRAW));
            (delays, draws, choices.scheduler(), choices.drift())
        };
        let (delays, draws, scheduler, drift) = neighbour(Redraw::Delays, 1);
        assert_ne!(delays, [7, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((draws, scheduler), (vec![0, 9, 0, 0, 0, 0, 0, 0], Scheduler::Log));
        assert_eq!(drift, 1, "nobody asked who runs after x's third turn");
        assert_ne!(neighbour(Redraw::Delays, 2).0, delays, "another seed, other delays");
        let (delays, _, scheduler, drift) = neighbour(Redraw::Schedule, 1);
        assert_eq!(
            (delays, scheduler, drift),
            (vec![7, 0, 0, 0, 0, 0, 0, 0], Scheduler::Policy, 0)
        );
    }
}
