//! A test as a worker of `cargo sim`: a slice of runs, and a line of JSON for each thing that happens.
//!
//! | event | when | fields |
//! |---|---|---|
//! | `sim` | first of all | `protocol`, `version`, `test`, `runs` (of the attribute) |
//! | `refused` | the plan cannot be carried out | `message` |
//! | `begin` | before a run | `run`, `seed`, `strategy`, `expected` |
//! | `run` | after it | `run`, `outcome` (`done` or a kind), the report |
//! | `defect` | the simulation broke | `run`, `message` |
//! | `end` | after the last run | |
//!
//! Each line is one write to a file opened for appending, so what a process wrote before it died is
//! whole, and the run it died in is the one that began and did not end.

use super::batch::{Planner, Series};
use super::json::Object;
use super::plan::{PROTOCOL, Plan};
use super::subject::{Broken, RunPlan, Subject};
use super::{Verdict, story};
use sim_core::rt::Report;
use sim_core::simtrace::Simtrace;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

/// The report file.
struct Lines(File);

impl Lines {
    fn open(path: &Path) -> Result<Self, String> {
        let file = File::options().create(true).append(true).open(path);
        file.map(Self)
            .map_err(|error| format!("SIM_WORKER: {} cannot be written: {error}", path.display()))
    }

    fn write(&mut self, object: Object) -> Result<(), String> {
        self.0
            .write_all(object.line().as_bytes())
            .map_err(|error| format!("SIM_WORKER: cannot be written: {error}"))
    }
}

/// Carries out the plan. Failures of the test are reported, not returned: the error is a failing report file.
pub(super) fn run<F, Fut, T>(subject: &Subject<F>, report: &Path, plan: &str) -> Result<(), String>
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    let mut lines = Lines::open(report)?;
    let mut hello = Object::event("sim")
        .number("protocol", PROTOCOL)
        .text("version", env!("CARGO_PKG_VERSION"));
    hello = hello.text("test", &subject.spec.full_name());
    if let Some(runs) = subject.spec.runs {
        hello = hello.number("runs", runs);
    }
    lines.write(hello)?;
    let carried_out =
        Plan::parse(plan).map_err(Stop::Refused).and_then(|plan| match &plan.replay {
            Some(file) => replay(subject, &plan, file, &mut lines),
            None => slice(subject, &plan, &mut lines),
        });
    match carried_out {
        Ok(()) => lines.write(Object::event("end")),
        Err(Stop::Refused(message)) => {
            lines.write(Object::event("refused").text("message", &message))
        }
        Err(Stop::Defect(run, message)) => {
            lines.write(Object::event("defect").number("run", run).text("message", &message))
        }
    }
}

/// Why a plan was not carried out to its end.
enum Stop {
    Refused(String),
    Defect(u64, String),
}

impl Stop {
    fn of(run: u64, broken: Broken) -> Self {
        match broken {
            Broken::Mistake(text) => Self::Refused(text),
            Broken::Defect(text) => Self::Defect(run, text),
        }
    }
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self::Refused(text)
    }
}

fn slice<F, Fut, T>(subject: &Subject<F>, plan: &Plan, lines: &mut Lines) -> Result<(), Stop>
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    let series =
        Series { test: subject.spec.full_name(), base: plan.base, strategy: plan.strategy };
    let mut planner = Planner::new(&series, plan.first, plan.expected);
    #[expect(
        clippy::disallowed_methods,
        reason = "a budget of wall time decides how many runs there are, not what a run does"
    )]
    let begun = Instant::now();
    let mut end = plan.first.saturating_add(plan.count);
    if let Some(runs) = subject.spec.runs.filter(|_| plan.own_runs) {
        end = end.min(runs);
    }
    for run in plan.first..end {
        // The first run is performed whatever the time: a budget too small for one run would test nothing.
        if run > plan.first && plan.deadline.is_some_and(|deadline| begun.elapsed() >= deadline) {
            return Ok(());
        }
        let broken = |broken| Stop::of(run, broken);
        let mut run_plan = planner.plan(subject, run).map_err(broken)?;
        run_plan.thread.clone_from(&plan.thread);
        if run + 1 == end && (plan.record || plan.trace.is_some()) {
            run_plan = run_plan.recorded();
            run_plan.echo = plan.echo;
        }
        lines.write(begin(run, &run_plan))?;
        let report = subject.execute(&run_plan).map_err(broken)?;
        planner.learn(run, &report);
        keep_trace(plan, &report)?;
        lines.write(ended(run, &report))?;
        if plan.stop && report.end.failure().is_some() {
            return Ok(());
        }
    }
    Ok(())
}

fn replay<F, Fut, T>(
    subject: &Subject<F>,
    plan: &Plan,
    file: &Path,
    lines: &mut Lines,
) -> Result<(), Stop>
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    let stored = Simtrace::read(file).map_err(|error| error.to_string())?;
    let mut run_plan = RunPlan::of_stored(&stored)?;
    run_plan.thread.clone_from(&plan.thread);
    run_plan.echo = plan.echo;
    lines.write(begin(stored.run, &run_plan))?;
    let report = subject.execute(&run_plan).map_err(|broken| Stop::of(stored.run, broken))?;
    keep_trace(plan, &report)?;
    lines.write(ended(stored.run, &report))?;
    Ok(())
}

/// Writes every event of the run for the coordinator, where it asked for them.
fn keep_trace(plan: &Plan, report: &Report) -> Result<(), String> {
    match (&plan.trace, &report.recorded) {
        (Some(path), Some(recorded)) => fs::write(path, recorded.to_bytes())
            .map_err(|error| format!("{}: the trace cannot be written: {error}", path.display())),
        _ => Ok(()),
    }
}

fn begin(run: u64, plan: &RunPlan) -> Object {
    let line = Object::event("begin").number("run", run).text("seed", &plan.seed.to_string());
    let line = line.text("strategy", &plan.policy.to_string());
    match plan.expected {
        Some(expected) => line.number("expected", u64::from(expected)),
        None => line,
    }
}

fn ended(run: u64, report: &Report) -> Object {
    let failure = report.end.failure();
    let mut line = Object::event("run")
        .number("run", run)
        .text("outcome", failure.map_or("done", |failure| failure.kind.name()))
        .text("fingerprint", &report.fingerprint.to_string())
        .text("schedule", &report.schedule.to_string())
        .number("steps", report.steps)
        .number("choices", report.choices)
        .number("simulated_ns", report.elapsed.as_nanos())
        .number("drift", report.drift as u64);
    if let Some(failure) = failure {
        line = line.text("message", &failure.message).text("details", &failure.details);
        if let Some(location) = &failure.location {
            line = line.text("location", location);
        }
        line = line.text("recent", &story::last_lines(report).join("\n"));
    }
    if !report.notices.is_empty() {
        let notices: Vec<&str> = report.notices.iter().map(|notice| notice.text.as_str()).collect();
        line = line.text("notices", &notices.join("\n"));
    }
    match &report.log {
        Some(log) => line.text("log", &log.to_string()),
        None => line,
    }
}
