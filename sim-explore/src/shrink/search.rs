//! The search itself: which log is tried next, given what became of those before. One thing after another, no concurrency.
//!
//! ```text
//! verify, verify again ──▶ nothing at all ──▶ kinds, pairs of kinds ──▶ ┌ hosts, actors, sites        ┐
//!        │                                                              │ episodes, their seams       │
//!        └─ other or none: over                                         │ switches, pairs, moves,     │ until a round
//!                                                                       │ bursts of one actor         │
//!                                                                       │ what the end cannot see     │ changes nothing
//!                                                                       │ single entries              │
//!                                                                       └ values                      ┘ ──▶ over
//! ```

use super::Episode;
use super::group;
use super::pass::{Bursts, Delete, Entries, Lower, Moves, Pass, Together};
use crate::weight::Weight;
use sim_core::choice::{Key, Log};
use std::rc::Rc;

/// Why a log is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// To see that the log leads to the failure: the first and the second time.
    Verify(u8),
    /// To learn which entries the failure cannot see.
    Past,
    /// In the hope that it fails alike.
    Smaller,
}

/// What became of the log that was tried.
#[derive(Debug)]
pub(super) enum Judged<'a, T> {
    /// It failed alike, and used these entries.
    Alike { used: &'a Log, run: &'a Rc<T> },
    /// The entries that the failure cannot see.
    Bystanders(&'a [Key]),
    /// Anything else.
    NotAlike,
}

/// The steps in their order; the first three are taken once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Everything,
    Concerns,
    ConcernPairs,
    Hosts,
    Actors,
    Targets,
    Sites,
    Episodes,
    Seams,
    Switches,
    SwitchPairs,
    Moves,
    Bursts,
    Past,
    Singles,
    Together,
    Lower,
}

const STEPS: [Step; 17] = [
    Step::Everything,
    Step::Concerns,
    Step::ConcernPairs,
    Step::Hosts,
    Step::Actors,
    Step::Targets,
    Step::Sites,
    Step::Episodes,
    Step::Seams,
    Step::Switches,
    Step::SwitchPairs,
    Step::Moves,
    Step::Bursts,
    Step::Past,
    Step::Singles,
    Step::Together,
    Step::Lower,
];

/// Where a round begins.
const ROUND: usize = 3;
/// Pairs of switches are tried where there are at most so many.
const PAIRS_OF: usize = 12;
/// Below so many entries it is cheaper to try each than to ask what the failure can see.
const PAST_FROM: usize = 6;

#[derive(Clone, Debug)]
enum Stage {
    Verify(u8),
    Step(usize, Option<Pass>),
    Past(usize),
    Over,
}

/// The smallest log so far.
#[derive(Clone, Debug)]
pub(super) struct Best<T> {
    pub(super) entries: Entries,
    pub(super) weight: Weight,
    /// The run that showed it; `None` before the first.
    pub(super) run: Option<Rc<T>>,
}

/// The search.
#[derive(Clone, Debug)]
pub(super) struct Search<T> {
    stage: Stage,
    pub(super) best: Best<T>,
    episodes: Rc<[Episode]>,
    /// Whether this round has changed anything.
    progress: bool,
}

impl<T> Search<T> {
    pub(super) fn new(log: &Log, episodes: Rc<[Episode]>) -> Self {
        let entries = log.in_order().into_iter().map(|(k, a)| (k.clone(), a.clone())).collect();
        let best = Best { entries, weight: Weight::of(log, &episodes), run: None };
        Self { stage: Stage::Verify(0), best, episodes, progress: false }
    }

    /// The log to try next; `None` at the end.
    pub(super) fn wanted(&mut self) -> Option<(Purpose, Entries)> {
        loop {
            match &mut self.stage {
                Stage::Over => return None,
                Stage::Verify(n) => return Some((Purpose::Verify(*n), self.best.entries.clone())),
                Stage::Past(_) => return Some((Purpose::Past, self.best.entries.clone())),
                Stage::Step(number, None) => {
                    let number = *number;
                    self.begin(number);
                }
                Stage::Step(number, Some(pass)) => {
                    let number = *number;
                    match pass.next(&self.best.entries) {
                        Some(entries) => return Some((Purpose::Smaller, entries)),
                        None => self.leave(number),
                    }
                }
            }
        }
    }

    /// Begins a step.
    fn begin(&mut self, number: usize) {
        let best = &self.best.entries;
        let delete = |groups| Some(Pass::Delete(Delete::new(groups, 1)));
        let halves = |groups| Some(Pass::Delete(Delete::halves(groups)));
        let pass = match STEPS[number] {
            Step::Everything => delete(group::everything(best)),
            Step::Concerns => delete(group::concerns(best)),
            Step::ConcernPairs => delete(group::concern_pairs(best)),
            Step::Hosts => halves(group::hosts(best)),
            Step::Actors => halves(group::actors(best)),
            Step::Targets => halves(group::targets(best)),
            Step::Sites => halves(group::sites(best)),
            Step::Episodes => halves(group::episodes(best, &self.episodes)),
            Step::Seams => delete(group::seams(best, &self.episodes)),
            Step::Switches => halves(group::switches(best)),
            Step::SwitchPairs => Some(group::switches(best))
                .filter(|switches| switches.len() <= PAIRS_OF)
                .and_then(|switches| delete(group::pairs(&switches))),
            Step::Moves => Some(Pass::Move(Moves::new(best))),
            Step::Bursts => Some(Pass::Burst(Bursts::new(best))),
            Step::Past if best.len() >= PAST_FROM => {
                self.stage = Stage::Past(number);
                return;
            }
            Step::Past => None,
            Step::Singles => halves(group::singles(best)),
            Step::Together => Some(Pass::Together(Together::new(best))),
            Step::Lower => Some(Pass::Lower(Lower::new(best))),
        };
        match pass {
            Some(pass) => self.stage = Stage::Step(number, Some(pass)),
            None => self.leave(number),
        }
    }

    /// Leaves a step for the next one, or for another round.
    fn leave(&mut self, number: usize) {
        let next = number + 1;
        if next == ROUND {
            self.progress = false;
        }
        self.stage = if next < STEPS.len() {
            Stage::Step(next, None)
        } else if std::mem::take(&mut self.progress) {
            Stage::Step(ROUND, None)
        } else {
            Stage::Over
        };
    }

    /// Hears what became of the log that was wanted.
    pub(super) fn judge(&mut self, judged: &Judged<'_, T>) {
        match &mut self.stage {
            Stage::Over => {}
            Stage::Verify(n) => {
                let next = *n + 1;
                self.stage = if next < 2 { Stage::Verify(next) } else { Stage::Step(0, None) };
                if let Judged::Alike { used, run } = judged {
                    self.take(used, run);
                }
            }
            Stage::Past(number) => {
                let number = *number;
                match judged {
                    Judged::Bystanders(keys) if !keys.is_empty() => {
                        let groups: Vec<_> = keys.iter().map(|key| vec![key.clone()]).collect();
                        let pass = Pass::Delete(Delete::new(groups, keys.len()));
                        self.stage = Stage::Step(number, Some(pass));
                    }
                    _ => self.leave(number),
                }
            }
            Stage::Step(_, None) => {}
            Stage::Step(_, Some(pass)) => {
                let smaller = match judged {
                    Judged::Alike { used, run } => Some((*used, *run))
                        .filter(|(used, _)| Weight::of(used, &self.episodes) < self.best.weight),
                    _ => None,
                };
                pass.judged(smaller.is_some());
                if let Some((used, run)) = smaller {
                    self.progress = true;
                    self.take(used, run);
                }
            }
        }
    }

    fn take(&mut self, used: &Log, run: &Rc<T>) {
        let entries = used.in_order().into_iter().map(|(k, a)| (k.clone(), a.clone())).collect();
        let weight = Weight::of(used, &self.episodes);
        self.best = Best { entries, weight, run: Some(Rc::clone(run)) };
    }

    /// Ends the search where it is.
    pub(super) fn stop(&mut self) {
        self.stage = Stage::Over;
    }

    /// Whether nothing more is wanted.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }
}
