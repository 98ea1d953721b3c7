//! The passes: each proposes one smaller log after another, and hears of each whether it was taken.
//!
//! A pass holds names of entries, never their places: what was taken is the log that the run in fact used, and that may have
//! lost more than the pass took away.

use super::group::{self, Group};
use crate::weight::is_switch;
use sim_core::choice::{Answer, Concern, Key, SCHEDULE, SYNC};
use std::collections::BTreeSet;

/// A log's entries in the order in which they were asked for.
pub(super) type Entries = Vec<(Key, Answer)>;

/// One way to make a log smaller.
#[derive(Clone, Debug)]
pub(super) enum Pass {
    Delete(Delete),
    Move(Moves),
    Burst(Bursts),
    Together(Together),
    Lower(Lower),
}

impl Pass {
    /// The next log to try instead of `best`; `None` where the pass has nothing more to offer.
    pub(super) fn next(&mut self, best: &Entries) -> Option<Entries> {
        match self {
            Self::Delete(pass) => pass.next(best),
            Self::Move(pass) => pass.next(best),
            Self::Burst(pass) => pass.next(best),
            Self::Together(pass) => pass.next(best),
            Self::Lower(pass) => pass.next(best),
        }
    }

    /// Whether what was proposed last has been taken.
    pub(super) fn judged(&mut self, taken: bool) {
        match self {
            Self::Delete(pass) => pass.judged(taken),
            Self::Move(pass) => pass.at += 1,
            Self::Burst(pass) => pass.at += 1,
            Self::Together(pass) => pass.judged(taken),
            Self::Lower(pass) => pass.judged(taken),
        }
    }
}

/// Takes groups away, from the last to the first, as many at once as goes well: twice as many after a success, half as many
/// after a failure.
#[derive(Clone, Debug)]
pub(super) struct Delete {
    groups: Vec<Group>,
    end: usize,
    size: usize,
}

impl Delete {
    /// Begins with the last `size` groups.
    pub(super) fn new(groups: Vec<Group>, size: usize) -> Self {
        Self { end: groups.len(), groups, size: size.max(1) }
    }

    /// Begins with half of them.
    pub(super) fn halves(groups: Vec<Group>) -> Self {
        let size = groups.len().div_ceil(2);
        Self::new(groups, size)
    }

    fn next(&mut self, best: &Entries) -> Option<Entries> {
        while self.end > 0 {
            self.size = self.size.min(self.end);
            let gone: BTreeSet<&Key> =
                self.groups[self.end - self.size..self.end].iter().flatten().collect();
            let left: Entries =
                best.iter().filter(|(key, _)| !gone.contains(key)).cloned().collect();
            if left.len() < best.len() {
                return Some(left);
            }
            self.end -= self.size;
        }
        None
    }

    fn judged(&mut self, taken: bool) {
        if taken {
            self.end -= self.size;
            self.size *= 2;
        } else if self.size > 1 {
            self.size /= 2;
        } else {
            self.end -= 1;
        }
    }
}

/// Moves switches about: a stint is skipped, two are merged, a switch comes later.
#[derive(Clone, Debug)]
pub(super) struct Moves {
    moves: Vec<Move>,
    at: usize,
}

/// An entry that becomes another, and one that goes.
#[derive(Clone, Debug)]
struct Move {
    from: Key,
    to: (Key, Answer),
    without: Option<Key>,
}

/// Beyond so many switches, moves are tried one at a time only and not together with a deletion.
const FEW: usize = 10;

impl Moves {
    pub(super) fn new(best: &Entries) -> Self {
        let switches: Vec<&(Key, Answer)> =
            best.iter().filter(|(key, _)| is_switch(&key.site)).collect();
        let mut moves = Vec::new();
        for (at, (key, answer)) in switches.iter().enumerate().rev() {
            let to = |key: &Key, answer: &Answer| (key.clone(), answer.clone());
            // A, then B for a while, then C: A, then C.
            if let Some((next, target @ Answer::Actor(..))) = switches.get(at + 1)
                && matches!(answer, Answer::Actor(..))
            {
                let (from, without) = (key.clone(), Some(next.clone()));
                moves.push(Move { from, to: to(key, target), without });
            }
            let later = Key { occurrence: key.occurrence + 1, ..key.clone() };
            if best.iter().any(|(key, _)| *key == later) {
                continue;
            }
            moves.push(Move { from: key.clone(), to: to(&later, answer), without: None });
            let others = switches.iter().filter(|(other, _)| other != key && switches.len() <= FEW);
            moves.extend(others.map(|(other, _)| Move {
                from: key.clone(),
                to: to(&later, answer),
                without: Some(other.clone()),
            }));
        }
        Self { moves, at: 0 }
    }

    fn next(&mut self, best: &Entries) -> Option<Entries> {
        let has = |key: &Key| best.iter().any(|(known, _)| known == key);
        while let Some(Move { from, to, without }) = self.moves.get(self.at) {
            if has(from) && without.as_ref().is_none_or(has) {
                let kept = best.iter().filter(|(key, _)| Some(key) != without.as_ref());
                let moved = |entry: &(Key, Answer)| match entry.0 == *from {
                    true => to.clone(),
                    false => entry.clone(),
                };
                return Some(kept.map(moved).collect());
            }
            self.at += 1;
        }
        None
    }
}

/// Puts one actor's own turns in place of all switches: one after another, from any of its first turns on, though others were in
/// line. Several tasks that each ran a little early are often one that could have run early by itself. Where somebody was
/// interrupted, a single interruption is tried before.
#[derive(Clone, Debug)]
pub(super) struct Bursts {
    bursts: Vec<Entries>,
    at: usize,
}

impl Bursts {
    /// Beyond so many switches there is more to be had by other passes.
    const SWITCHES: usize = 8;
    /// The longest burst, and the last turn it may begin with.
    const LONGEST: u32 = 3;
    const TURNS: u32 = 12;
    const ACTORS: usize = 6;
    /// How many actors are interrupted by how many others.
    const INTERRUPTED: usize = 3;

    pub(super) fn new(best: &Entries) -> Self {
        let switches = best.iter().filter(|(key, _)| is_switch(&key.site)).count();
        let mut bursts = Vec::new();
        if (2..=Self::SWITCHES).contains(&switches) {
            let actors = actors(best);
            if best.iter().any(|(key, _)| *key.site == *SYNC.name()) {
                bursts.extend(interruptions(&actors));
            }
            // The shortest first: the first that is taken is as short as any.
            for length in 1..=Self::LONGEST.min(switches as u32 - 1) {
                for actor in actors.iter().take(Self::ACTORS) {
                    bursts.extend((1..=Self::TURNS).map(|turn| burst(actor, turn, length)));
                }
            }
        }
        Self { bursts, at: 0 }
    }

    fn next(&self, best: &Entries) -> Option<Entries> {
        let burst = self.bursts.get(self.at)?;
        let switches = best.iter().filter(|(key, _)| is_switch(&key.site)).count();
        let kept = best.iter().filter(|(key, _)| !is_switch(&key.site));
        // What was taken last is as short as what follows.
        (burst.len() < switches).then(|| kept.chain(burst).cloned().collect())
    }
}

/// The actors that a log's switches name: tasks and threads, of which a turn has no number of its own.
fn actors(best: &Entries) -> Vec<Box<str>> {
    let mut actors: Vec<Box<str>> = Vec::new();
    let mut note = |actor: &str| {
        if !actors.iter().any(|known| **known == *actor) {
            actors.push(actor.into());
        }
    };
    for (key, answer) in best.iter().rev().filter(|(key, _)| is_switch(&key.site)) {
        if let Answer::Actor(actor, 0) = answer {
            note(actor);
        }
        note(&key.path);
    }
    actors
}

/// One of the actors is interrupted by another, once: what two interruptions of which one puts the actors in order come to.
fn interruptions(actors: &[Box<str>]) -> Vec<Entries> {
    let mut interruptions = Vec::new();
    for actor in actors.iter().take(Bursts::INTERRUPTED) {
        for other in actors.iter().take(Bursts::INTERRUPTED).filter(|other| *other != actor) {
            let entry = |occurrence| {
                let key = Key { site: SYNC.name().into(), path: actor.clone(), occurrence };
                vec![(key, Answer::Actor(other.clone(), 0))]
            };
            interruptions.extend((0..Bursts::TURNS).map(entry));
        }
    }
    interruptions
}

fn burst(actor: &str, turn: u32, length: u32) -> Entries {
    let entry = |occurrence| {
        let key = Key { site: SCHEDULE.name().into(), path: actor.into(), occurrence };
        (key, Answer::Actor(actor.into(), 0))
    };
    (turn..turn + length).map(entry).collect()
}

/// Lowers all values of a site together, by ever fewer bits.
#[derive(Clone, Debug)]
pub(super) struct Together {
    sites: Vec<Box<str>>,
    shift: u32,
}

impl Together {
    const FIRST: u32 = 32;

    pub(super) fn new(best: &Entries) -> Self {
        let mut sites: Vec<Box<str>> = best
            .iter()
            .filter(|(_, answer)| matches!(answer, Answer::Value(2..)))
            .map(|(key, _)| key.site.clone())
            .collect();
        sites.sort();
        sites.dedup();
        Self { sites, shift: Self::FIRST }
    }

    fn next(&mut self, best: &Entries) -> Option<Entries> {
        while let Some(site) = self.sites.last() {
            let lowered = |(key, answer): &(Key, Answer)| {
                let answer = match answer {
                    Answer::Value(value) if key.site == *site => {
                        Answer::Value((value >> self.shift).max(1))
                    }
                    other => other.clone(),
                };
                (key.clone(), answer)
            };
            let candidate: Entries = best.iter().map(lowered).collect();
            if candidate != *best {
                return Some(candidate);
            }
            self.judged(false);
        }
        None
    }

    fn judged(&mut self, taken: bool) {
        if taken {
            return;
        }
        self.shift /= 2;
        if self.shift == 0 {
            self.sites.pop();
            self.shift = Self::FIRST;
        }
    }
}

/// Lowers each value by itself: to 1, else by binary search. A seed has no order, so it is 1 or stays.
#[derive(Clone, Debug)]
pub(super) struct Lower {
    keys: Vec<Key>,
    /// The greatest value known to be too small for the last key.
    floor: u64,
    tried: u64,
}

impl Lower {
    pub(super) fn new(best: &Entries) -> Self {
        Self { keys: group::singles(best).into_iter().flatten().collect(), floor: 0, tried: 0 }
    }

    fn next(&mut self, best: &Entries) -> Option<Entries> {
        while let Some(key) = self.keys.last() {
            let value = best.iter().find_map(|(known, answer)| match answer {
                Answer::Value(value) if known == key => Some(*value),
                _ => None,
            });
            let is_seed = Concern::of(&key.site) == Concern::Entropy;
            match value.filter(|value| value - self.floor.min(*value) > 1) {
                Some(value) if !(is_seed && self.floor > 0) => {
                    let half = self.floor + (value - self.floor) / 2;
                    self.tried = if self.floor == 0 { 1 } else { half };
                    let tried = self.tried;
                    let lowered = |entry: &(Key, Answer)| match entry.0 == *key {
                        true => (entry.0.clone(), Answer::Value(tried)),
                        false => entry.clone(),
                    };
                    return Some(best.iter().map(lowered).collect());
                }
                _ => {
                    self.keys.pop();
                    self.floor = 0;
                }
            }
        }
        None
    }

    fn judged(&mut self, taken: bool) {
        if !taken {
            self.floor = self.tried;
        }
    }
}
