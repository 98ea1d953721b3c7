//! A test that runs alone: under `cargo test`, nextest or a debugger.
//!
//! Stored failures of this test, then runs 0, 1, 2 … of the base seed; the first failure ends it.
//! A failing seed is run again with its log and every event kept, which searching does without; if
//! the second run is another one, that is what is reported.

use super::settings::Settings;
use super::subject::{self, Quietly, Subject};
use super::{TestSpec, Verdict, story};
use core::ops::Range;
use sim_core::choice::Seed;
use sim_core::rt::{Failure, Report};
use sim_core::simtrace::{self, Simtrace};
use sim_worker::{Broken, Planner, Profile, RunPlan, Series, Strategy};
use std::path::{Path, PathBuf};

/// How many seeds a test gets where nobody says.
const RUNS: u64 = 10;

/// Performs what `settings` ask for. The error is the text to fail the test with.
pub(super) fn run<F, Fut, T>(subject: &Subject<F>, settings: &Settings) -> Result<(), String>
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    if let Some(path) = &settings.replay {
        return replay_only(subject, path);
    }
    let series = series(&subject.spec, settings)?;
    // A bug on show is no news: what `cargo sim` has stored of it is not replayed.
    if settings.run.is_none() && subject.spec.should_fail.is_none() {
        replay_stored(subject)?;
    }
    let found = search(subject, &series, runs(&subject.spec, settings))?;
    match (found, subject.spec.should_fail) {
        (None, None) => Ok(()),
        (None, Some(part)) => Err(format!(
            "{}: no run failed with '{part}': if the bug is gone remove should_fail, else give more runs",
            subject.spec.full_name()
        )),
        (Some(found), Some(part)) if found.failure.to_string().contains(part) => Ok(()),
        (Some(found), _) => Err(story(subject, &series, &found)?),
    }
}

/// A run that failed.
struct Found {
    run: u64,
    plan: RunPlan,
    report: Report,
    failure: Failure,
}

fn runs(spec: &TestSpec, settings: &Settings) -> Range<u64> {
    match settings.run {
        Some(run) => run..run + 1,
        None => 0..settings.runs.or(spec.runs).unwrap_or(RUNS),
    }
}

fn series(spec: &TestSpec, settings: &Settings) -> Result<Series, String> {
    let attribute =
        |text: &str| text.parse::<Seed>().map_err(|error| format!("seed of #[sim::test]: {error}"));
    let seed = settings
        .seed
        .map_or_else(|| spec.seed.map(attribute).transpose(), |seed| Ok(Some(seed)))?;
    let strategy = settings.strategy.unwrap_or(Strategy::Portfolio);
    let faults = settings.faults.unwrap_or(Profile::Light);
    Ok(Series { test: spec.full_name(), base: seed.unwrap_or_default(), strategy, faults })
}

/// Runs seeds until one fails.
fn search<F, Fut, T>(
    subject: &Subject<F>,
    series: &Series,
    runs: Range<u64>,
) -> Result<Option<Found>, String>
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    let mut planner = Planner::new(series);
    for run in runs {
        let broken = |broken| broken_text(&subject.spec, series, run, &broken);
        let plan = planner.plan(&mut Quietly(subject), run).map_err(broken)?;
        let report = subject.execute(&plan).map_err(broken)?;
        planner.learn(run, subject::ended(&report));
        if let Some(failure) = report.end.failure().cloned() {
            return Ok(Some(Found { run, plan, report, failure }));
        }
    }
    Ok(None)
}

/// The story of a run that failed. It is run again for its log and its events, and its file is written.
fn story<F, Fut, T>(subject: &Subject<F>, series: &Series, found: &Found) -> Result<String, String>
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    let (spec, run, plan) = (&subject.spec, found.run, &found.plan);
    let again = subject
        .execute(&plan.clone().recorded())
        .map_err(|broken| broken_text(spec, series, run, &broken))?;
    let circumstances = story::circumstances(series, run, plan, &found.report);
    let same = again.fingerprint == found.report.fingerprint;
    let (Some(failure), true) = (again.end.failure(), same) else {
        return Ok(divergence(spec, found, &again, &circumstances));
    };
    let file = story::simtrace(spec, series, run, plan, &again, failure);
    let folder = story::failures(spec);
    let replay = match file.write_into(&folder) {
        Ok(path) => story::replay_lines(spec, &path),
        Err(error) => format!(
            "not kept: {} cannot be written: {error}\nreplay: SIM_SEED={} SIM_RUN={run} cargo test -p {} {} -- --exact\n",
            folder.display(),
            series.base,
            spec.package,
            spec.path_in_binary()
        ),
    };
    Ok(format!(
        "{}{circumstances}{}{replay}",
        story::headline(spec, failure),
        story::last_events(&again)
    ))
}

/// The story of a seed that gave two executions.
fn divergence(spec: &TestSpec, found: &Found, again: &Report, circumstances: &str) -> String {
    let second = again
        .end
        .failure()
        .map_or_else(|| String::from("passed"), |failure| format!("ended with {failure}"));
    format!(
        "{} failed: divergence\n  the same choices gave two executions: the first ended with {}\n  the second {second}\n\
         {circumstances}  first: {} turns, fingerprint {}\n  second: {} turns, fingerprint {}\n\
         likely: a static that outlives a run, the order of a HashMap, the real clock, a thread\n\
         find it: cargo sim doctor {}\n",
        spec.full_name(),
        found.failure,
        found.report.steps,
        found.report.fingerprint,
        again.steps,
        again.fingerprint,
        spec.full_name(),
    )
}

fn broken_text(spec: &TestSpec, series: &Series, run: u64, broken: &Broken) -> String {
    match broken {
        Broken::Mistake(text) => format!("#[sim::test] of {}: {text}", spec.full_name()),
        Broken::Forked => unreachable!("a native run is a thread of its worker"),
        Broken::Defect(text) => format!(
            "{}: the simulation itself broke in run {run} of base seed {}: {text}\n\
             this is a defect of sim and not of the test: please report it with these lines",
            spec.full_name(),
            series.base
        ),
    }
}

/// Replays what is stored for the test, before any new seed.
fn replay_stored<F, Fut, T>(subject: &Subject<F>) -> Result<(), String>
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    let folder = story::failures(&subject.spec);
    let stored = simtrace::stored(&folder, &subject.spec.full_name());
    let stored =
        stored.map_err(|error| format!("{}: cannot be listed: {error}", folder.display()))?;
    for (path, read) in stored {
        replay(subject, &path, &read.map_err(|error| error.to_string())?, false)?;
    }
    Ok(())
}

/// `SIM_REPLAY`: one file and nothing else.
fn replay_only<F, Fut, T>(subject: &Subject<F>, path: &Path) -> Result<(), String>
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    let path = resolve(&subject.spec, path);
    let file = Simtrace::read(&path).map_err(|error| format!("SIM_REPLAY: {error}"))?;
    let name = subject.spec.full_name();
    if file.test != name {
        let test = &file.test;
        return Err(format!(
            "SIM_REPLAY names a failure of {test}, and this is {name}: run that test alone"
        ));
    }
    replay(subject, &path, &file, true)
}

/// The file as named from here, else from the root of the project: cargo starts tests in the package's folder.
fn resolve(spec: &TestSpec, path: &Path) -> PathBuf {
    if path.exists() { path.to_owned() } else { story::project_root(spec.manifest_dir).join(path) }
}

/// Replays one stored failure, printing what it logs if `echo`; `Ok` if it passes now.
fn replay<F, Fut, T>(
    subject: &Subject<F>,
    path: &Path,
    file: &Simtrace,
    echo: bool,
) -> Result<(), String>
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    let (strategy, faults) = (Strategy::Portfolio, Profile::None);
    let series = Series { test: file.test.clone(), base: file.base_seed, strategy, faults };
    let mut plan =
        RunPlan::of_stored(file, &mut Quietly(subject)).map_err(|broken| match broken {
            Broken::Mistake(error) => format!("{}: {error}", path.display()),
            broken => broken_text(&subject.spec, &series, file.run, &broken),
        })?;
    plan.echo = echo;
    let report =
        subject.execute(&plan).map_err(|d| broken_text(&subject.spec, &series, file.run, &d))?;
    let drift = match report.drift {
        0 => String::new(),
        unused => format!(
            "{unused} of the recorded choices were not asked for: the program has changed since\n"
        ),
    };
    let Some(failure) = report.end.failure() else {
        eprintln!("{}: passes now\n{drift}", path.display());
        return Ok(());
    };
    let same = match file.is_failure(failure.kind.name(), &failure.message) {
        true => "the stored failure",
        false => "another failure than the stored one",
    };
    Err(format!(
        "{}replayed from {}: {same}\n{drift}{}{}",
        story::headline(&subject.spec, failure),
        path.display(),
        story::last_events(&report),
        story::replay_lines(&subject.spec, path)
    ))
}
