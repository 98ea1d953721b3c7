//! What a finding becomes: a file and a story if it can be repeated, a divergence if it cannot.
//!
//! A run that failed is performed again in a process of its own, with its log and every event kept.
//! The same fingerprint makes it a failure. Another one means that something outside the choices
//! decided, and the search for it begins: is it what ran before in the same process, or nothing that
//! the tool can vary? A failure is then made small, unless that was not wanted, and stored a second time as what it is now.

use crate::around;
use crate::causes::{self, Circumstance};
use crate::config::Settings;
use crate::door::DoorKind;
use crate::exit::Stop;
use crate::farm::rounded;
use crate::list::Test;
use crate::plan::{BATCH_RUNS, Finding};
use crate::pool::Pool;
use crate::program;
use crate::project::{Project, quoted, shown};
use crate::report::{Diverged, Event, Failure};
use crate::shrink::{self, Limits};
use crate::worker::{End, Failed, Order, Outcome, Scratch, Surroundings, Worker};
use sim_core::choice::{Log, Seed};
use sim_core::simtrace::Simtrace;
use sim_core::trace::{Divergence, Fingerprint};
use sim_explore::Unsteady;
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
        let path = self.store(&file)?;
        let failure = self.failure(finding, again, &file, &path);
        Ok(Event::Failure(Box::new(self.made_small(test, &file, failure)?)))
    }

    /// Keeps a failure in its file. It is there before anything else is tried with it.
    fn store(&self, file: &Simtrace) -> Result<PathBuf, Stop> {
        let folder = self.project.failures();
        file.write_into(&folder).map_err(|error| {
            Stop::refused(format!(
                "{}: the failure cannot be stored: {error}: make it writable",
                folder.display()
            ))
        })
    }

    /// A failure with its log made small, where that is wanted and can be.
    fn made_small(&self, test: &Test, file: &Simtrace, failure: Failure) -> Result<Failure, Stop> {
        let Some(log) = file.log.as_ref().filter(|_| self.settings.shrink) else {
            return Ok(failure);
        };
        let mut pool = Pool::new(test, file, self.scratch, self.settings.stall, self.settings.jobs);
        let smaller = match shrink::shrink(test, file, &mut pool, Limits::default())? {
            Ok(smaller) => smaller,
            Err(unsteady) => {
                let shrunk = Some(String::from(match unsteady {
                    Unsteady::Gone => "not shrunk: the recorded choices alone do not lead there",
                    Unsteady::Differs => {
                        "not shrunk: the recorded choices lead to two different executions"
                    }
                    Unsteady::Unknown => "not shrunk: the time was up before it began",
                }));
                return Ok(Failure { shrunk, ..failure });
            }
        };
        let path = self.store(&smaller.file)?;
        let found =
            smaller.finds.iter().map(|find| Ok(shrink::told_find(find, &self.store(find)?)));
        let found = found.collect::<Result<Vec<_>, Stop>>()?;
        let failed = smaller.end.failed().unwrap_or_default();
        let told = told(&file.test, failed, &path);
        Ok(Failure {
            shrunk_choices: smaller.file.log.as_ref().map(Log::len),
            shrunk: Some(shrink::tell(log.len(), &smaller)),
            shrink_runs: smaller.runs,
            shrink_wall_seconds: rounded(smaller.time.as_secs_f64()),
            found,
            message: told.message,
            details: told.details,
            last_events: told.last_events,
            ..failure
        })
    }

    fn simtrace(
        &self,
        test: &Test,
        finding: &Finding,
        recorded: Option<&End>,
    ) -> Result<Simtrace, Stop> {
        let log = recorded.and_then(|end| end.log.as_ref());
        let log = log.map(|log| parse_log(log)).transpose()?;
        let mut config =
            BTreeMap::from([(String::from("target"), test.executable.selection().join(" "))]);
        let faults = finding.begin.faults.clone();
        config.extend(faults.map(|faults| (FAULTS.to_owned(), faults)));
        let flavour = self.project.flavour();
        config.extend((!flavour.is_empty()).then(|| (String::from("build"), flavour.join(" "))));
        let door = test.executable.door;
        config.extend((door != DoorKind::Native).then(|| (String::from("door"), door.to_string())));
        let failed = &finding.failed;
        let mut file = Simtrace {
            package: test.executable.package.clone(),
            test: test.name.clone(),
            seed: finding.begin.seed.parse::<Seed>().map_err(|_| unreadable("seed"))?,
            base_seed: self.settings.base,
            run: finding.begin.run,
            strategy: finding.begin.strategy.clone(),
            config,
            shrunk: None,
            fingerprint: recorded.map(|end| hash(&end.fingerprint)).transpose()?,
            schedule: recorded.map(|end| hash(&end.schedule)).transpose()?,
            kind: failed.kind.clone(),
            message: failed.message.clone(),
            location: failed.location.clone(),
            log,
        };
        program::seal(&mut file, test)?;
        Ok(file)
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

    /// Says what replaying a stored failure came to: the failure, a divergence, or a remark that it passes now.
    pub(crate) fn stored(
        &self,
        test: &Test,
        file: &Simtrace,
        path: &Path,
        outcome: &Outcome,
    ) -> Result<Event, Stop> {
        let end = outcome.runs.first().map(|(_, end)| end);
        let failed =
            end.and_then(End::failed).or_else(|| outcome.death().map(|(_, failed)| failed));
        let replayed = Replayed::of(test, file, end, failed)?;
        let failure = |failed: Failed| Failure {
            same: Some(file.is_failure(&failed.kind, &failed.message)),
            drift: end.map_or(0, |end| end.drift),
            seed: file.base_seed.to_string(),
            run: Some(file.run),
            run_seed: file.seed.to_string(),
            strategy: drawn(file),
            choices: file
                .shrunk
                .map(|origin| origin.choices as usize)
                .or(file.log.as_ref().map(Log::len)),
            shrunk_choices: file.shrunk.and(file.log.as_ref()).map(Log::len),
            ..told(&test.name, failed, path)
        };
        Ok(match replayed {
            Replayed::Same { failed, .. } | Replayed::Other(failed) => {
                Event::Failure(Box::new(failure(failed)))
            }
            Replayed::Diverged(difference) => Event::Divergence(Box::new(Diverged {
                test: test.name.clone(),
                seed: file.base_seed.to_string(),
                run: file.run,
                between: format!("when {} was recorded and now", shown(path)),
                hint: causes::hint(Circumstance::Nothing, None),
                difference,
                ..Diverged::default()
            })),
            Replayed::Passes => return self.passes(test, file, path, &failure),
        })
    }

    /// A stored failure whose choices lead there no more: what the runs beside it say.
    fn passes(
        &self,
        test: &Test,
        file: &Simtrace,
        path: &Path,
        failure: &dyn Fn(Failed) -> Failure,
    ) -> Result<Event, Stop> {
        let mut pool = Pool::new(test, file, self.scratch, self.settings.stall, self.settings.jobs);
        let around = around::look(file, &mut pool, around::TIME)?;
        if let Some(end) = around.found {
            let moved = around::moved(around.tried, path);
            let failed = end.failed().unwrap_or_default();
            return Ok(Event::Failure(Box::new(Failure {
                moved: Some(moved),
                drift: 0,
                ..failure(failed)
            })));
        }
        let beside = match around.tried {
            0 => String::new(),
            tried => format!(" ({tried} runs beside it pass too)"),
        };
        let message = format!(
            "the stored failure {} passes now: keep it as a regression test, or remove it{beside}",
            shown(path)
        );
        Ok(Event::Note { test: Some(test.name.clone()), message })
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

/// What replaying a stored failure came to.
#[derive(Debug)]
pub(crate) enum Replayed {
    /// The failure, reached as it was when it was recorded or by other events.
    Same { failed: Failed, way: &'static str },
    /// Another failure.
    Other(Failed),
    /// None.
    Passes,
    /// The program is the one that it was recorded with, and its execution is another one: in what.
    Diverged(String),
}

impl Replayed {
    /// Judges the replay of `file` that ended with `end`, and failed or not.
    pub(crate) fn of(
        test: &Test,
        file: &Simtrace,
        end: Option<&End>,
        failed: Option<Failed>,
    ) -> Result<Self, Stop> {
        let before = file.fingerprint.map(|fingerprint| fingerprint.to_string());
        let differs = before.zip(end).filter(|(before, end)| *before != end.fingerprint);
        // A run of the same program is only looked at where it differs: that needs the whole executable read.
        let same_program = match differs {
            Some(_) => program::is_the_same(file, test)?,
            None => None,
        };
        Ok(match (same_program, differs, failed) {
            (Some(true), Some((before, end)), failed) => {
                let now = failed.map_or(String::from("it passes"), |failed| failed.kind);
                Self::Diverged(format!(
                    "the program is the one it was recorded with\nrecorded: {}, fingerprint {before}\nnow:      {now}, fingerprint {}",
                    file.kind, end.fingerprint
                ))
            }
            (_, _, None) => Self::Passes,
            (_, _, Some(failed)) if !file.is_failure(&failed.kind, &failed.message) => {
                Self::Other(failed)
            }
            (same, differs, Some(failed)) => {
                let way = match (differs, same) {
                    (None, _) => "",
                    (Some(_), None) => ", reached by other events than when it was recorded",
                    (Some(_), Some(_)) => {
                        ", reached by other events than when it was recorded: the program has changed since"
                    }
                };
                Self::Same { failed, way }
            }
        })
    }
}

/// Reads a fingerprint as a worker wrote it.
pub(crate) fn hash(text: &str) -> Result<Fingerprint, Stop> {
    u64::from_str_radix(text, 16).map(Fingerprint).map_err(|_| unreadable("fingerprint"))
}

/// Reads a log as a worker wrote it.
pub(crate) fn parse_log(text: &str) -> Result<Log, Stop> {
    Log::parse(text.lines(), 1).map_err(|_| unreadable("log"))
}

fn unreadable(what: &str) -> Stop {
    Stop::usage(format!(
        "a worker's {what} cannot be read: use equal versions of sim and cargo-sim"
    ))
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
