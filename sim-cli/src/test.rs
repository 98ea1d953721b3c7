//! `cargo sim test`: stored failures, then new seeds, for every test that is meant.

use crate::args::{CargoArgs, TestArgs};
use crate::build;
use crate::config::{RUNS, Settings};
use crate::exit::{Code, Stop};
use crate::farm::{Farm, Total, rounded};
use crate::list::Selection;
use crate::project::{Project, shown};
use crate::report::{Event, Failure, Report, TestDone};
use crate::worker::Scratch;
use sim_core::simtrace::Simtrace;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

/// Runs the verb.
pub(crate) fn run(args: &TestArgs) -> Result<Code, Stop> {
    let selection = Selection::new(&args.filters, &args.libtest)?;
    let project = Project::here(&args.cargo)?;
    let settings = Settings::merge(args, &project.root)?;
    if args.cargo.doc {
        return documentation(args, &settings);
    }
    let stored = project.stored()?;
    let known = project.tests()?;
    let tests = selection.choose(&known)?;
    let scratch = Scratch::new()?;
    let mut report = Report::new(settings.format, tests.len());
    let began = Instant::now();
    let count = tests.len();
    report.say(&start(&settings, count));
    if args.filters.is_empty() && args.cargo.words().len() == args.cargo.flavour().len() {
        for (path, _) in orphans(&stored, &known) {
            let message = format!(
                "{} is a failure of no test that was built: if it was renamed, change 'test:' in the file",
                shown(path)
            );
            report.say(&Event::Note { test: None, message });
        }
    }
    let farm = Farm::new(&project, &settings, &scratch, tests, &stored, selection.nocapture);
    let result = farm.work(&mut report);
    report.finish();
    let total = result?;
    report.say(&summary(count, &total, began));
    Ok(total.code)
}

/// The stored failures whose test is not there.
fn orphans<'s>(
    stored: &'s [(PathBuf, Simtrace)],
    known: &'s [crate::list::Test],
) -> impl Iterator<Item = &'s (PathBuf, Simtrace)> {
    stored.iter().filter(|(_, file)| !known.iter().any(|test| test.name == file.test))
}

fn start(settings: &Settings, tests: usize) -> Event {
    let general = &settings.general;
    let shard =
        (settings.shard.of > 1).then(|| format!("{}/{}", settings.shard.this, settings.shard.of));
    Event::Start {
        version: env!("CARGO_PKG_VERSION"),
        seed: settings.base.to_string(),
        tests,
        runs: general.runs.or(if general.time.is_none() { Some(RUNS) } else { None }),
        time_seconds: general.time.map(|time| rounded(time.as_secs_f64())),
        shard,
    }
}

fn summary(tests: usize, total: &Total, began: Instant) -> Event {
    Event::Summary {
        tests,
        runs: total.runs,
        failures: total.failures,
        divergences: total.divergences,
        sim_seconds: rounded(total.sim_seconds),
        wall_seconds: rounded(began.elapsed().as_secs_f64()),
    }
}

/// `--doc`: the documentation's tests, as one plain test, by cargo itself.
fn documentation(args: &TestArgs, settings: &Settings) -> Result<Code, Stop> {
    let words = CargoArgs { doc: false, ..args.cargo.clone() }.words();
    let mut command = build::cargo();
    command.args(["test", "--doc"]).args(&words).arg("--").args(&args.filters).args(&args.libtest);
    let began = Instant::now();
    let mut report = Report::new(settings.format, 1);
    report.say(&start(settings, 1));
    let status = command.stdin(Stdio::null()).stdout(Stdio::from(std::io::stderr())).status();
    let status = status.map_err(|error| {
        Stop::usage(format!("cargo cannot be started: {error}: put it on PATH"))
    })?;
    let test = String::from("doctests");
    let failures = u64::from(!status.success());
    let wall_seconds = rounded(began.elapsed().as_secs_f64());
    report.say(&Event::Test(TestDone {
        test: test.clone(),
        plain: true,
        runs: 1,
        failures,
        wall_seconds,
        ..TestDone::default()
    }));
    let mut total = Total { runs: 1, failures, ..Total::default() };
    if failures > 0 {
        total.code = Code::Failed;
        let message = format!("cargo test --doc ended with {status}");
        let replay = String::from("cargo test --doc");
        report.say(&Event::Failure(Box::new(Failure {
            test,
            kind: String::from("panic"),
            message,
            replay,
            ..Failure::default()
        })));
    }
    report.say(&summary(1, &total, began));
    Ok(total.code)
}
