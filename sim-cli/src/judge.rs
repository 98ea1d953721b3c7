//! What a finding becomes: a file and a story if it can be repeated, a divergence if it cannot.
//!
//! A run that failed is performed again in a process of its own, with its log and every event kept.
//! The same fingerprint makes it a failure. Another one means that something outside the choices
//! decided, and the search for it begins: is it what ran before in the same process, or nothing that
//! the tool can vary?

use crate::causes::{self, Circumstance};
use crate::config::Settings;
use crate::door::DoorKind;
use crate::exit::Stop;
use crate::list::Test;
use crate::plan::{BATCH_RUNS, Finding};
use crate::project::{Project, quoted, shown};
use crate::report::{Diverged, Event, Failure};
use crate::worker::{End, Failed, Order, Outcome, Scratch, Surroundings, Worker};
use sim_core::choice::{Log, Seed};
use sim_core::simtrace::Simtrace;
use sim_core::trace::{Divergence, Fingerprint};
use sim_worker::run::FAULTS;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is needed to perform runs again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge<'a> {
    pub(crate) project: &'a Project,
    pub(crate) settings: &'a Settings,
    pub(crate) scratch: &'a Scratch,
}

impl Judge<'_> {
    fn perform(&self, test: &Test, order: &Order) -> Result<Outcome, Stop> {
        let around = Surroundings::default();
        let order = &order.clone().with_faults(self.settings.faults(test.executable.door));
        let outcome =
            Worker::start(test, order, self.scratch, &around, self.settings.stall)?.wait()?;
        outcome.check(&test.name)?;
        Ok(outcome)
    }

    fn order(&self, strategy: &str, first: u64, count: u64) -> Order {
        Order::runs(self.settings.base.to_string(), strategy.to_owned(), first, count)
    }

    /// Performs a run that failed again, and says what it is.
    pub(crate) fn finding(
        &self,
        test: &Test,
        strategy: &str,
        finding: &Finding,
    ) -> Result<Event, Stop> {
        let begin = &finding.begin;
        let order = Order { record: true, ..self.order(strategy, begin.run, 1) };
        let outcome = self.perform(test, &order)?;
        let again = outcome.runs.first().map(|(_, end)| end);
        let same = match (&finding.fingerprint, again) {
            (Some(fingerprint), Some(end)) => {
                *fingerprint == end.fingerprint && end.failed().is_some()
            }
            (None, None) => {
                outcome.death().is_some_and(|(_, failed)| failed.kind == finding.failed.kind)
            }
            _ => false,
        };
        if !same {
            return self
                .divergence(test, strategy, begin.run)
                .map(|diverged| Event::Divergence(Box::new(diverged)));
        }
        let file = self.simtrace(test, finding, again)?;
        let folder = self.project.failures();
        let path = file.write_into(&folder).map_err(|error| {
            Stop::refused(format!(
                "{}: the failure cannot be stored: {error}: make it writable",
                folder.display()
            ))
        })?;
        Ok(Event::Failure(Box::new(self.failure(finding, again, &file, &path))))
    }

    fn simtrace(
        &self,
        test: &Test,
        finding: &Finding,
        recorded: Option<&End>,
    ) -> Result<Simtrace, Stop> {
        let unreadable = |what: &str| {
            Stop::usage(format!(
                "a worker's {what} cannot be read: use equal versions of sim and cargo-sim"
            ))
        };
        let hash = |text: &String| {
            u64::from_str_radix(text, 16).map(Fingerprint).map_err(|_| unreadable("fingerprint"))
        };
        let log = recorded.and_then(|end| end.log.as_ref());
        let log =
            log.map(|log| Log::parse(log.lines(), 1).map_err(|_| unreadable("log"))).transpose()?;
        let mut config =
            BTreeMap::from([(String::from("target"), test.executable.selection().join(" "))]);
        let faults = finding.begin.faults.clone();
        config.extend(faults.map(|faults| (FAULTS.to_owned(), faults)));
        let flavour = self.project.flavour();
        config.extend((!flavour.is_empty()).then(|| (String::from("build"), flavour.join(" "))));
        let door = test.executable.door;
        config.extend((door != DoorKind::Native).then(|| (String::from("door"), door.to_string())));
        let failed = &finding.failed;
        Ok(Simtrace {
            package: test.executable.package.clone(),
            test: test.name.clone(),
            seed: finding.begin.seed.parse::<Seed>().map_err(|_| unreadable("seed"))?,
            base_seed: self.settings.base,
            run: finding.begin.run,
            strategy: finding.begin.strategy.clone(),
            config,
            fingerprint: recorded.map(|end| hash(&end.fingerprint)).transpose()?,
            schedule: recorded.map(|end| hash(&end.schedule)).transpose()?,
            kind: failed.kind.clone(),
            message: failed.message.clone(),
            location: failed.location.clone(),
            log,
        })
    }

    fn failure(
        &self,
        finding: &Finding,
        recorded: Option<&End>,
        file: &Simtrace,
        path: &Path,
    ) -> Failure {
        let failed = recorded.and_then(End::failed).unwrap_or_else(|| finding.failed.clone());
        Failure {
            seed: file.base_seed.to_string(),
            run: Some(file.run),
            run_seed: file.seed.to_string(),
            strategy: drawn(file),
            choices: file.log.as_ref().map(Log::len),
            ..told(&file.test, failed, path)
        }
    }

    /// Says what replaying a stored failure came to; `None` if it passes now.
    pub(crate) fn stored(
        test: &Test,
        file: &Simtrace,
        path: &Path,
        outcome: &Outcome,
    ) -> Option<Failure> {
        let end = outcome.runs.first().map(|(_, end)| end);
        let failed =
            end.and_then(End::failed).or_else(|| outcome.death().map(|(_, failed)| failed))?;
        Some(Failure {
            same: Some(file.is_failure(&failed.kind, &failed.message)),
            drift: end.map_or(0, |end| end.drift),
            seed: file.base_seed.to_string(),
            run: Some(file.run),
            run_seed: file.seed.to_string(),
            strategy: drawn(file),
            choices: file.log.as_ref().map(Log::len),
            ..told(&test.name, failed, path)
        })
    }

    /// Finds where two executions of one run part.
    pub(crate) fn divergence(
        &self,
        test: &Test,
        strategy: &str,
        run: u64,
    ) -> Result<Diverged, Stop> {
        let head = run / BATCH_RUNS * BATCH_RUNS;
        let alone = self.trace(test, &self.order(strategy, run, 1))?;
        let again = self.trace(test, &self.order(strategy, run, 1))?;
        let after = Order { stop: false, ..self.order(strategy, head, run - head + 1) };
        let pairs = [
            (Some(again), Circumstance::Nothing, "in two processes alike"),
            (
                if run > head { Some(self.trace(test, &after)?) } else { None },
                Circumstance::EarlierRuns,
                "alone and after other runs in one process",
            ),
        ];
        let diverged = Diverged {
            test: test.name.clone(),
            seed: self.settings.base.to_string(),
            run,
            between: String::from("which did not happen again when every event was kept"),
            hint: causes::hint(Circumstance::Nothing, None),
            ..Diverged::default()
        };
        for (other, circumstance, between) in pairs {
            let Some(difference) =
                other.map(|other| difference(&alone, &other)).transpose()?.flatten()
            else {
                continue;
            };
            let between = between.to_owned();
            let hint = causes::hint(circumstance, difference.parted.as_ref());
            return Ok(Diverged {
                first_event: difference.event,
                hint,
                difference: difference.text,
                between,
                ..diverged
            });
        }
        Ok(diverged)
    }

    /// Performs runs with every event of the last one kept; `None` if the process died.
    fn trace(&self, test: &Test, order: &Order) -> Result<Option<PathBuf>, Stop> {
        let path = self.scratch.path("trace");
        let outcome = self.perform(test, &order.clone().traced(&path))?;
        Ok(outcome.death().is_none().then_some(path))
    }
}

/// How two executions differ.
struct Difference {
    parted: Option<causes::Parted>,
    event: Option<u64>,
    text: String,
}

fn difference(left: &Option<PathBuf>, right: &Option<PathBuf>) -> Result<Option<Difference>, Stop> {
    match (left, right) {
        (Some(left), Some(right)) => {
            let parted = causes::compare(&causes::read(left)?, &causes::read(right)?);
            Ok(parted.map(|parted| {
                let Divergence { event, .. } = parted.divergence;
                Difference {
                    event: Some(event),
                    text: parted.divergence.to_string(),
                    parted: Some(parted),
                }
            }))
        }
        (None, None) => Ok(None),
        _ => Ok(Some(Difference {
            parted: None,
            event: None,
            text: String::from("the process died in one of the two"),
        })),
    }
}

/// How the run of a failure was made: its strategy, and its faults if it had any.
fn drawn(file: &Simtrace) -> String {
    match file.config.get(FAULTS) {
        Some(faults) => format!("{}, faults {faults}", file.strategy),
        None => file.strategy.clone(),
    }
}

fn told(test: &str, failed: Failed, path: &Path) -> Failure {
    let path = shown(path);
    Failure {
        test: test.to_owned(),
        replay: format!("cargo sim replay {}", quoted(&path)),
        trace: Some(path),
        kind: failed.kind,
        message: failed.message,
        location: failed.location,
        details: failed.details,
        last_events: failed.recent,
        ..Failure::default()
    }
}
