//! The report of a worker: a line of JSON for each thing that happens.
//!
//! | event | when | fields |
//! |---|---|---|
//! | `sim` | first of all | `protocol`, `version`, `test`, `runs` (of the attribute) |
//! | `refused` | the plan cannot be carried out | `message` |
//! | `begin` | before a run | `run`, `seed`, `strategy`, `faults` |
//! | `run` | after it | `run`, `outcome` (`done` or a kind), the report |
//! | `defect` | the simulation broke | `run`, `message` |
//! | `end` | after the last run | |
//!
//! Each line is one write to a file opened for appending, so what a process wrote before it died is
//! whole, and the run it died in is the one that began and did not end.

use crate::json::Object;
use crate::plan::PROTOCOL;
use crate::run::RunPlan;
use sim_core::rt::Report;
use sim_core::trace::Recorded;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// How many of the last events are told.
const LAST_EVENTS: usize = 16;

/// The report file.
#[derive(Debug)]
pub struct Lines(File);

impl Lines {
    /// Opens the file for appending, and makes it where it does not exist.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn open(path: &Path) -> Result<Self, String> {
        let file = File::options().create(true).append(true).open(path);
        file.map(Self)
            .map_err(|error| format!("SIM_WORKER: {} cannot be written: {error}", path.display()))
    }

    /// Appends a line.
    ///
    /// # Errors
    /// A sentence, where the file system refuses.
    pub fn write(&mut self, object: Object) -> Result<(), String> {
        self.0
            .write_all(object.line().as_bytes())
            .map_err(|error| format!("SIM_WORKER: cannot be written: {error}"))
    }
}

/// The first line: that this is a test of `sim`, and how many runs it asks for itself.
#[must_use]
pub fn hello(test: &str, runs: Option<u64>) -> Object {
    let line = Object::event("sim").number("protocol", PROTOCOL);
    let line = line.text("version", env!("CARGO_PKG_VERSION")).text("test", test);
    match runs {
        Some(runs) => line.number("runs", runs),
        None => line,
    }
}

/// The line before a run.
#[must_use]
pub fn begin(run: u64, plan: &RunPlan) -> Object {
    let line = Object::event("begin").number("run", run).text("seed", &plan.seed.to_string());
    let line = line.text("strategy", &plan.policy.to_string());
    if plan.faults.is_none() { line } else { line.text("faults", &plan.faults.to_string()) }
}

/// The line after a run.
#[must_use]
pub fn ended(run: u64, report: &Report) -> Object {
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
        line = line.text("recent", &last_lines(report).join("\n"));
    }
    if !report.notices.is_empty() {
        let notices: Vec<&str> = report.notices.iter().map(|notice| notice.text.as_str()).collect();
        line = line.text("notices", &notices.join("\n"));
    }
    if !report.probes.is_empty() {
        let probes: Vec<String> = report.probes.iter().map(ToString::to_string).collect();
        line = line.text("probes", &probes.join("\n"));
    }
    match &report.log {
        Some(log) => line.text("log", &log.lines_in_order()),
        None => line,
    }
}

/// The last events of a run, with the log lines among them where they were kept.
#[must_use]
pub fn last_lines(report: &Report) -> Vec<String> {
    match &report.recorded {
        Some(recorded) => tail(recorded),
        None => report.recent[report.recent.len().saturating_sub(LAST_EVENTS)..].to_vec(),
    }
}

/// The last events of a whole execution as lines, and what the program logged meanwhile.
fn tail(recorded: &Recorded) -> Vec<String> {
    let first = recorded.events.len().saturating_sub(LAST_EVENTS);
    let mut lines = recorded.lines.iter().skip_while(|line| line.after < first as u64).peekable();
    let mut out = Vec::new();
    for number in first..=recorded.events.len() {
        while let Some(line) = lines.next_if(|line| line.after <= number as u64) {
            out.push(format!("- {} {} {}", line.at, recorded.names.text(line.task), line.text));
        }
        if number < recorded.events.len() {
            out.push(recorded.line(number));
        }
    }
    out
}
