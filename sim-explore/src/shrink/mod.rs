//! The shrinker: the log of a failure made small, for as long as it leads to the *same* failure.
//!
//! A state machine without runs of its own. It proposes logs, several ahead where several processes wait for work, and is told
//! what became of each in whatever order they end. Inside, one search goes on step by step (`search`); it is
//! only ever told outcomes in its own order, and those that came too early are kept until they are wanted. So the result, and
//! the number of runs that count, do not depend on how many were performed at once; speculation that nobody wanted is forgotten.
//!
//! - What is taken is what a run in fact used, in the order in which it asked; entries that nobody asked for go by themselves.
//! - A log is smaller by [`Weight`], and nothing else is taken, so the search ends.
//! - A log that was tried is not tried again.
//! - Another failure is never taken. It is kept as a find of its own, with the first log that led to it.

mod group;
mod pass;
mod search;
#[cfg(test)]
mod tests;

use crate::identity::Identity;
use crate::weight::Weight;
use search::{Judged, Purpose, Search};
use sim_core::choice::{Answer, Key, Log, mix};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// How faults that last are written in a log: by an entry where they begin, whose path is what they befall, and one of the same
/// path and occurrence where they end, whose value is how long they last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The site of the beginning, such as `fault.host.crash`.
    pub begin: String,
    /// The site of the length, such as `fault.host.restart`.
    pub end: String,
}

/// A log to be run.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// By which its outcome is told.
    pub number: u64,
    /// What answers the choices.
    pub log: Log,
    /// Whether every event is to be kept, for [`Outcome::Failed::bystanders`].
    pub traced: bool,
}

/// What became of a candidate.
#[derive(Clone, Debug)]
pub enum Outcome<T> {
    /// It passed.
    Passed,
    /// It failed somehow.
    Failed {
        /// How.
        identity: Identity,
        /// The entries that were asked for, in the order in which they were.
        used: Log,
        /// The fingerprint of the run, as a text.
        fingerprint: String,
        /// The entries that the failure cannot depend on, for a candidate that was traced.
        bystanders: Vec<Key>,
        /// The run as its performer knows it.
        run: T,
    },
    /// There is no outcome: the process died.
    Lost,
}

/// A failure that was found on the way and is another one.
#[derive(Clone, Debug)]
pub struct Find<T> {
    /// Which.
    pub identity: Identity,
    /// The first log that led to it.
    pub log: Log,
    /// Its run.
    pub run: Rc<T>,
}

/// What shrinking came to.
#[derive(Clone, Debug)]
pub struct Shrunk<T> {
    /// The smallest log.
    pub log: Log,
    /// What it weighs.
    pub weight: Weight,
    /// Its run.
    pub run: Rc<T>,
    /// How many runs that took; those that were performed ahead and not wanted do not count.
    pub runs: u64,
    /// Whether nothing smaller is near, rather than that the runs or the time were up.
    pub is_minimal: bool,
    /// The last entry without which the run passes.
    pub critical: Option<Key>,
    /// Other failures, in the order in which they were found.
    pub finds: Vec<Rc<Find<T>>>,
}

/// Why there was nothing to shrink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsteady {
    /// The log does not lead to the failure.
    Gone,
    /// The log leads to the failure, by two different executions.
    Differs,
    /// The budget was used up before that was clear.
    Unknown,
}

/// An outcome as it is kept.
#[derive(Debug)]
struct Known<T> {
    verdict: Verdict<T>,
    /// Whether the search has been told it.
    counted: bool,
}

#[derive(Debug)]
enum Verdict<T> {
    Alike { used: Log, fingerprint: String, bystanders: Vec<Key>, run: Rc<T> },
    Other(Option<Rc<Find<T>>>),
    Passed,
}

/// The shrinker of one failure.
#[derive(Debug)]
pub struct Shrinker<T> {
    search: Search<T>,
    identity: Identity,
    episodes: Rc<[Episode]>,
    budget: u64,
    runs: u64,
    known: BTreeMap<(Purpose, u64), Known<T>>,
    /// What was proposed and has no outcome yet.
    out: BTreeMap<u64, (Purpose, u64)>,
    next_number: u64,
    verified: Vec<String>,
    unsteady: Option<Unsteady>,
    was_stopped: bool,
    finds: Vec<Rc<Find<T>>>,
}

/// How far the search is thought ahead, in outcomes that are not known.
const AHEAD: usize = 32;

impl<T> Shrinker<T> {
    /// A shrinker of `log`, which led to `identity`, in at most `budget` runs.
    #[must_use]
    pub fn new(log: &Log, identity: Identity, budget: u64, episodes: Vec<Episode>) -> Self {
        let episodes: Rc<[Episode]> = episodes.into();
        Self {
            search: Search::new(log, Rc::clone(&episodes)),
            identity,
            episodes,
            budget,
            runs: 0,
            known: BTreeMap::new(),
            out: BTreeMap::new(),
            next_number: 0,
            verified: Vec::new(),
            unsteady: None,
            was_stopped: false,
            finds: Vec::new(),
        }
    }

    /// At most `limit` further candidates, for whoever has nothing to do. None means: wait for outcomes, or it is over.
    pub fn propose(&mut self, limit: usize) -> Vec<Candidate>
    where
        T: Clone,
    {
        let mut ahead = self.search.clone();
        let out: BTreeSet<(Purpose, u64)> = self.out.values().copied().collect();
        let (mut proposed, mut unknown) = (Vec::new(), 0);
        let mut new = BTreeSet::new();
        while proposed.len() < limit && unknown < AHEAD {
            let Some((purpose, entries)) = ahead.wanted() else { break };
            let log: Log = entries.into_iter().collect();
            let key = (purpose, hash(&log));
            match self.known.get(&key) {
                Some(known) => ahead.judge(&known.judged(purpose)),
                None => {
                    // Most candidates are not taken; so the search is thought on as if none were.
                    unknown += 1;
                    ahead.judge(&Judged::NotAlike);
                    if !out.contains(&key) && new.insert(key) {
                        proposed.push(self.candidate(key, log));
                    }
                }
            }
            if purpose == Purpose::Verify(1) && self.verified.is_empty() {
                // Nothing is known of the log yet, and what does not even fail alike is not shrunk.
                break;
            }
        }
        proposed
    }

    fn candidate(&mut self, key: (Purpose, u64), log: Log) -> Candidate {
        let number = self.next_number;
        self.next_number += 1;
        self.out.insert(number, key);
        Candidate { number, log, traced: key.0 == Purpose::Past }
    }

    /// Takes the outcome of a candidate.
    pub fn take(&mut self, number: u64, outcome: Outcome<T>) {
        let Some(key) = self.out.remove(&number) else { return };
        let verdict = self.verdict(outcome);
        self.known.insert(key, Known { verdict, counted: false });
        self.advance();
    }

    fn verdict(&self, outcome: Outcome<T>) -> Verdict<T> {
        match outcome {
            Outcome::Passed => Verdict::Passed,
            Outcome::Lost => Verdict::Other(None),
            Outcome::Failed { identity, used, fingerprint, bystanders, run } => {
                let run = Rc::new(run);
                match self.identity.is(&identity) {
                    true => Verdict::Alike { used, fingerprint, bystanders, run },
                    false => Verdict::Other(Some(Rc::new(Find { identity, log: used, run }))),
                }
            }
        }
    }

    /// Tells the search all outcomes that it can be told in its own order.
    fn advance(&mut self) {
        while let Some((purpose, entries)) = self.search.wanted() {
            let key = (purpose, hash(&entries.into_iter().collect()));
            let Some(known) = self.known.get_mut(&key) else { return };
            if !std::mem::replace(&mut known.counted, true) {
                self.runs += 1;
                if let Verdict::Other(Some(find)) = &known.verdict
                    && !self.finds.iter().any(|known| known.identity.is(&find.identity))
                {
                    self.finds.push(Rc::clone(find));
                }
            }
            if let Purpose::Verify(_) = purpose {
                self.unsteady = match &known.verdict {
                    Verdict::Alike { fingerprint, .. } => {
                        self.verified.push(fingerprint.clone());
                        let differs = self.verified.iter().any(|other| other != fingerprint);
                        differs.then_some(Unsteady::Differs)
                    }
                    Verdict::Passed | Verdict::Other(_) => Some(Unsteady::Gone),
                };
            }
            self.search.judge(&known.judged(purpose));
            if self.unsteady.is_some() {
                self.search.stop();
            } else if self.runs >= self.budget && !self.search.is_over() {
                self.stop();
            }
        }
    }

    /// Ends the search where it is: the time is up.
    pub fn stop(&mut self) {
        self.was_stopped |= !self.search.is_over();
        self.search.stop();
    }

    /// Whether nothing more is wanted.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.search.is_over()
    }

    /// How many runs have counted so far, and how many entries the smallest log has.
    #[must_use]
    pub fn progress(&self) -> (u64, usize) {
        (self.runs, self.search.best.entries.len())
    }

    /// What it came to.
    ///
    /// # Errors
    /// Why the log could not be shrunk at all.
    pub fn finish(self) -> Result<Shrunk<T>, Unsteady> {
        let run = match (self.unsteady, &self.search.best.run) {
            (Some(unsteady), _) => return Err(unsteady),
            (None, Some(run)) if self.verified.len() >= 2 => Rc::clone(run),
            _ => return Err(Unsteady::Unknown),
        };
        let critical = self.critical();
        let log: Log = self.search.best.entries.into_iter().collect();
        Ok(Shrunk {
            weight: Weight::of(&log, &self.episodes),
            log,
            run,
            runs: self.runs,
            is_minimal: !self.was_stopped,
            critical,
            finds: self.finds,
        })
    }

    /// The last entry whose loss made the run pass.
    fn critical(&self) -> Option<Key> {
        let entries = &self.search.best.entries;
        let passes_without = |key: &Key| {
            let without: Log = entries.iter().filter(|(k, _)| k != key).cloned().collect();
            let known = self.known.get(&(Purpose::Smaller, hash(&without)));
            matches!(known, Some(Known { verdict: Verdict::Passed, counted: true }))
        };
        entries.iter().rev().map(|(key, _)| key).find(|key| passes_without(key)).cloned()
    }
}

impl<T> Known<T> {
    fn judged(&self, purpose: Purpose) -> Judged<'_, T> {
        match &self.verdict {
            Verdict::Alike { bystanders, .. } if purpose == Purpose::Past => {
                Judged::Bystanders(bystanders)
            }
            Verdict::Alike { used, run, .. } => Judged::Alike { used, run },
            Verdict::Other(_) | Verdict::Passed => Judged::NotAlike,
        }
    }
}

/// A log's name in the memory of what was tried; the order of its entries is no part of it.
fn hash(log: &Log) -> u64 {
    log.iter().fold(log.len() as u64, |hash, (key, answer)| {
        let place = mix::join(mix::name(&key.site), mix::name(&key.path));
        let answer = match answer {
            Answer::Value(value) => mix::join(1, *value),
            Answer::Actor(actor, ordinal) => mix::join(mix::name(actor), u64::from(*ordinal)),
        };
        mix::join(mix::join(hash, mix::join(place, u64::from(key.occurrence))), answer)
    })
}
