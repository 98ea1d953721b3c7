//! `cargo sim doctor`: is a project deterministic, and if not, what is it that decides?
//!
//! Each test is run in two processes that differ in everything that must not matter, and once more
//! behind other runs in one process. Only where executions differ is one thing varied at a time, to
//! name the culprit.

use crate::args::DoctorArgs;
use crate::causes::{self, Circumstance, Parted};
use crate::config::STALL;
use crate::exit::{Code, Stop};
use crate::list::{Selection, Test};
use crate::project::Project;
use crate::worker::{Order, Scratch, Surroundings, Worker};
use sim_core::trace::Recorded;
use std::env;
use std::io::{self, Write as _};

/// The name of the thread in the process that differs.
const OTHER_THREAD: &str = "another thread";

/// How a process differs from the plain one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Variation {
    variables: bool,
    folder: bool,
    thread: bool,
    /// Whether the runs before it are performed in the same process.
    earlier: bool,
}

const PLAIN: Variation =
    Variation { variables: false, folder: false, thread: false, earlier: false };
const EVERYTHING: Variation =
    Variation { variables: true, folder: true, thread: true, earlier: false };

/// What is varied alone once something is known to decide, and what that then shows.
const ALONE: [(Variation, Circumstance); 4] = [
    (PLAIN, Circumstance::Nothing),
    (Variation { variables: true, ..PLAIN }, Circumstance::Variables),
    (Variation { folder: true, ..PLAIN }, Circumstance::Folder),
    (Variation { thread: true, ..PLAIN }, Circumstance::ThreadName),
];

/// How an execution ended.
enum Execution {
    Whole(Box<Recorded>),
    /// Not a test of `sim`.
    Plain,
    Died(String),
}

/// What the examination of a test came to.
enum Finding {
    Equal { events: usize },
    Plain,
    Died(String),
    Diverged { run: u64, circumstance: Circumstance, difference: Difference },
}

/// Runs the verb.
pub(crate) fn run(args: &DoctorArgs) -> Result<Code, Stop> {
    let selection = Selection::new(&args.filters, &args.libtest)?;
    let tests = selection.choose(&Project::here(&args.cargo)?.tests()?)?;
    let scratch = Scratch::new()?;
    let doctor = Doctor {
        base: args.seed.unwrap_or_default().to_string(),
        runs: args.runs.unwrap_or(2),
        scratch,
    };
    let mut code = Code::Passed;
    for test in &tests {
        let finding = doctor.examine(test)?;
        code = code.worst(match finding {
            Finding::Diverged { .. } => Code::Diverged,
            Finding::Died(_) => Code::Failed,
            Finding::Equal { .. } | Finding::Plain => Code::Passed,
        });
        // A reader that went away does not change the verdict.
        let _ = io::stdout().lock().write_all(told(test, &finding, doctor.runs).as_bytes());
    }
    Ok(code)
}

struct Doctor {
    base: String,
    runs: u64,
    scratch: Scratch,
}

impl Doctor {
    fn examine(&self, test: &Test) -> Result<Finding, Stop> {
        let mut events = 0;
        for run in 0..self.runs {
            let plain = match self.execution(test, run, PLAIN)? {
                Execution::Whole(recorded) => recorded,
                Execution::Plain => return Ok(Finding::Plain),
                Execution::Died(how) => return Ok(Finding::Died(how)),
            };
            events += plain.events.len();
            if let Some(parted) = self.compare(test, run, &plain, EVERYTHING)? {
                return self.culprit(test, run, &plain, parted);
            }
            let earlier = Variation { earlier: true, ..PLAIN };
            if run > 0
                && let Some(difference) = self.compare(test, run, &plain, earlier)?
            {
                return Ok(Finding::Diverged {
                    run,
                    circumstance: Circumstance::EarlierRuns,
                    difference,
                });
            }
        }
        Ok(Finding::Equal { events })
    }

    /// Varies one thing at a time, beginning with nothing at all.
    fn culprit(
        &self,
        test: &Test,
        run: u64,
        plain: &Recorded,
        all: Difference,
    ) -> Result<Finding, Stop> {
        for (variation, circumstance) in ALONE {
            if let Some(difference) = self.compare(test, run, plain, variation)? {
                return Ok(Finding::Diverged { run, circumstance, difference });
            }
        }
        Ok(Finding::Diverged { run, circumstance: Circumstance::Nothing, difference: all })
    }

    fn compare(
        &self,
        test: &Test,
        run: u64,
        plain: &Recorded,
        variation: Variation,
    ) -> Result<Option<Difference>, Stop> {
        match self.execution(test, run, variation)? {
            Execution::Whole(other) => Ok(causes::compare(plain, &other).map(Some)),
            Execution::Plain | Execution::Died(_) => Ok(Some(None)),
        }
    }

    fn execution(&self, test: &Test, run: u64, variation: Variation) -> Result<Execution, Stop> {
        let trace = self.scratch.path("trace");
        let (first, count) = if variation.earlier { (0, run + 1) } else { (run, 1) };
        let order =
            Order::runs(self.base.clone(), String::from("random"), first, count).traced(&trace);
        let thread = variation.thread.then(|| OTHER_THREAD.to_owned());
        let order = Order { stop: false, thread, ..order };
        let around = surroundings(variation);
        let outcome = Worker::start(test, &order, &self.scratch, &around, STALL)?.wait()?;
        outcome.check(&test.name)?;
        Ok(match outcome.death() {
            _ if outcome.hello.is_none() => Execution::Plain,
            Some((_, failed)) => Execution::Died(failed.message),
            None => Execution::Whole(Box::new(causes::read(&trace)?)),
        })
    }
}

/// Two executions differ; where, unless one of them died.
type Difference = Option<Parted>;

fn surroundings(variation: Variation) -> Surroundings {
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let variables = [
        variable("USER", "somebody-else"),
        variable("HOME", "/nonexistent"),
        variable("LANG", "tr_TR.UTF-8"),
        variable("TZ", "Asia/Kathmandu"),
        variable("HOSTNAME", "another-machine"),
        variable("COLUMNS", "37"),
        variable("UNDECLARED", "1"),
    ];
    Surroundings {
        shown: false,
        variables: if variation.variables { variables.to_vec() } else { Vec::new() },
        folder: variation.folder.then(env::temp_dir),
    }
}

fn told(test: &Test, finding: &Finding, runs: u64) -> String {
    let name = &test.name;
    match finding {
        Finding::Equal { events } => {
            format!("deterministic     {name} ({events} events in {runs} runs)\n")
        }
        Finding::Plain => format!("not examined      {name} (a plain test leaves no trace)\n"),
        Finding::Died(how) => format!("not examined      {name}: {how}\n"),
        Finding::Diverged { run, circumstance, difference } => {
            let hint = causes::hint(*circumstance, difference.as_ref());
            let parted = match difference {
                Some(parted) => parted.divergence.to_string(),
                None => String::from("one of the two died"),
            };
            let parted: String = parted.lines().map(|line| format!("  {line}\n")).collect();
            format!(
                "NOT deterministic {name}: {}, in run {run}\n{parted}  likely: {hint}\n",
                between(*circumstance)
            )
        }
    }
}

fn between(circumstance: Circumstance) -> &'static str {
    match circumstance {
        Circumstance::EarlierRuns => "another run before it in the same process changes it",
        Circumstance::Variables => "environment variables change it",
        Circumstance::Folder => "the working directory changes it",
        Circumstance::ThreadName => "the name of its thread changes it",
        Circumstance::Nothing => "two processes alike run it differently",
    }
}
