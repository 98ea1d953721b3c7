//! Around a stored failure whose choices lead there no more, since the program was edited.

use crate::exit::Stop;
use crate::pool::{Pool, Search};
use crate::project::{quoted, shown};
use crate::worker::{Ask, End, Said};
use sim_core::choice::Log;
use sim_core::simtrace::Simtrace;
use sim_explore::{Identity, Neighbour, Neighbourhood};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long is looked at most.
pub(crate) const TIME: Duration = Duration::from_secs(10);

/// How many choices a run is taken to make where nobody has counted.
const EXPECTED: u64 = 100;

/// What was found.
#[derive(Debug)]
pub(crate) struct Around {
    /// The first run that fails alike.
    pub(crate) found: Option<End>,
    /// How many were tried.
    pub(crate) tried: u64,
}

/// Runs the neighbours of the log of `file` until one fails as it did.
pub(crate) fn look(file: &Simtrace, pool: &mut Pool<'_>, time: Duration) -> Result<Around, Stop> {
    let Some(log) = file.log.clone() else { return Ok(Around { found: None, tried: 0 }) };
    // Places move with every edit above them, and it is an edited program that is looked at.
    let identity = Identity::new(&file.kind, &file.message, None).anywhere();
    let mut looking = Looking {
        log,
        identity,
        around: Neighbourhood::default(),
        failed: BTreeMap::new(),
        until: Instant::now() + time,
    };
    pool.work(&mut looking)?;
    let found = looking.around.found().and_then(|number| looking.failed.remove(&number));
    Ok(Around { found, tried: looking.around.tried() })
}

/// What is said of a failure that has moved.
pub(crate) fn moved(tried: u64, path: &Path) -> String {
    format!(
        "the recorded choices pass now, and the {tried}. run beside them fails the same way: cargo sim shrink {} stores that one",
        quoted(&shown(path))
    )
}

struct Looking {
    log: Log,
    identity: Identity,
    around: Neighbourhood,
    failed: BTreeMap<u64, End>,
    until: Instant,
}

impl Search for Looking {
    fn next(&mut self, free: usize) -> Vec<Ask> {
        if Instant::now() >= self.until {
            return Vec::new();
        }
        let ask = |Neighbour { number, redraw, policy }: Neighbour| Ask {
            number,
            log: self.log.clone(),
            redraw: Some((redraw, number, policy.to_string(), EXPECTED)),
            ..Ask::default()
        };
        std::iter::from_fn(|| self.around.propose()).take(free).map(ask).collect()
    }

    fn take(&mut self, number: u64, said: Said, _trace: &Path) -> Result<(), Stop> {
        let end = match said {
            Said::Ended(end) => *end,
            Said::Died(_) => End::default(),
        };
        let alike = end.failed().is_some_and(|failed| {
            self.identity.is(&Identity::new(&failed.kind, &failed.message, None))
        });
        if alike {
            self.failed.insert(number, end);
        }
        self.around.take(number, alike);
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.around.found().is_some()
    }
}
