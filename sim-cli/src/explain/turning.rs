//! What turns the verdict: the last choice without which the run passes, and the two turns whose order it decides.
//!
//! A choice that runs B before its time puts it before everybody who was in line, and only one of them matters. So B is let run one
//! turn later, and one more, until the run passes: whoever has just come to run before B is the other one of the pair.

use super::read;
use super::story::{put_off, ran};
use super::turns::{self, Named};
use crate::exit::Stop;
use crate::pool::Pool;
use crate::worker::{Ask, Said};
use sim_core::choice::{Answered, Concern, Key, Log, SCHEDULE, SYNC};
use sim_core::trace::Recorded;
use sim_explore::Identity;

/// How many choices are left out one by one.
const TRIED: usize = 64;
/// How many turns later or earlier are looked at.
const STEPS: usize = 24;

/// The choice that turns the verdict.
#[derive(Debug)]
pub(super) struct Turning {
    pub(super) key: Key,
    /// The turn that must not come first, and the one that must; `None` where that was not found.
    pub(super) pair: Option<(Named, Named)>,
}

/// The failure under examination.
struct Examined<'p, 'a> {
    pool: &'p mut Pool<'a>,
    identity: Identity,
}

/// What became of a run.
enum Became {
    Passed(Recorded),
    Same(Recorded),
    Other,
}

/// Finds the choice, and the pair.
pub(super) fn find(
    pool: &mut Pool<'_>,
    recorded: &Recorded,
    identity: Identity,
) -> Result<Option<Turning>, Stop> {
    let mut examined = Examined { pool, identity };
    for answered in recorded.answered.iter().rev().take(TRIED) {
        let log = used(recorded, Some(&answered.key));
        if let Became::Passed(passing) = examined.run(log)? {
            let pair = match Concern::of(&answered.key.site) {
                // The asker itself was next, so there is nobody between the two.
                Concern::Schedule if *answered.key.site == *SYNC.name() => {
                    let turns = turns::of(recorded);
                    ran(recorded, &turns, answered).zip(put_off(&turns, answered))
                }
                Concern::Schedule => examined.later(recorded, answered)?,
                _ => turns::parted(&turns::of(recorded), &turns::of(&passing)),
            };
            return Ok(Some(Turning { key: answered.key.clone(), pair }));
        }
    }
    Ok(None)
}

/// The log of an execution, without one of its entries.
pub(super) fn used(recorded: &Recorded, without: Option<&Key>) -> Log {
    let entries = recorded.answered.iter().filter(|answered| Some(&answered.key) != without);
    entries.map(|answered| (answered.key.clone(), answered.answer.clone())).collect()
}

impl Examined<'_, '_> {
    fn run(&mut self, log: Log) -> Result<Became, Stop> {
        let (said, bytes) = self.pool.perform(Ask { log, traced: true, ..Ask::default() })?;
        let Said::Ended(end) = said else { return Ok(Became::Other) };
        let recorded = read(bytes)?;
        Ok(match end.failed() {
            None => Became::Passed(recorded),
            Some(failed) => {
                let place = failed.location.as_deref();
                match self.identity.is(&Identity::new(&failed.kind, &failed.message, place)) {
                    true => Became::Same(recorded),
                    false => Became::Other,
                }
            }
        })
    }

    /// Lets who ran before its time run later, until the run passes.
    fn later(
        &mut self,
        recorded: &Recorded,
        answered: &Answered,
    ) -> Result<Option<(Named, Named)>, Stop> {
        let turns = turns::of(recorded);
        let Some(ran) = ran(recorded, &turns, answered) else { return Ok(None) };
        let mut pair = None;
        let (mut now, mut answered) = (recorded.clone(), answered.clone());
        for _ in 0..STEPS {
            let turns = turns::of(&now);
            let Some(first) = put_off(&turns, &answered) else { break };
            pair = Some((ran, first));
            let (_, actor, number) = first;
            let path = now.names.text(actor).into();
            let key = Key { site: SCHEDULE.name().into(), path, occurrence: number };
            let mut log = used(&now, Some(&answered.key));
            log.insert(key.clone(), answered.answer.clone());
            let Became::Same(next) = self.run(log)? else { break };
            // If it is first in line by now, nobody else is to be put before it.
            let Some(moved) = next.answered.iter().find(|entry| entry.key == key).cloned() else {
                break;
            };
            (now, answered) = (next, moved);
        }
        Ok(pair)
    }
}
