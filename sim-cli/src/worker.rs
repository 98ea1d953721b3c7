//! A worker: one process that performs a slice of one test's runs and reports in a file.
//!
//! The file is the only channel. What a process wrote before it died is whole lines, and the run it
//! died in is the one that began and did not end. A process that never says hello is a plain test.

mod outcome;
mod talk;

pub(crate) use outcome::{Begin, End, Failed, Outcome};
pub(crate) use talk::{Ask, Said, Talk};

use crate::door::DoorKind;
use crate::exit::Stop;
use crate::list::Test;
use serde::Serialize;
use sim_worker::Profile;
use std::cell::Cell;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What a worker is told, in `SIM_PLAN`. What is left out is as `sim` documents it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Order {
    pub(crate) protocol: u64,
    /// The test's full name, where the process cannot know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) test: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strategy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) faults: Option<String>,
    pub(crate) first: u64,
    pub(crate) count: u64,
    pub(crate) own_runs: bool,
    pub(crate) stop: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deadline_ms: Option<u64>,
    pub(crate) record: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replay: Option<PathBuf>,
    /// Whether runs are told one at a time instead.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) candidates: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thread: Option<String>,
    /// Whether the last run prints its log lines and panics.
    pub(crate) echo: bool,
}

/// The version of the protocol between this tool and the crate `sim`.
pub(crate) const PROTOCOL: u64 = 1;

impl Order {
    /// The same runs with faults drawn from `profile`.
    pub(crate) fn with_faults(mut self, profile: Profile) -> Self {
        self.faults = Some(profile.to_string());
        self
    }

    /// Runs `first` to `first + count` of the series (`base`, `strategy`).
    pub(crate) fn runs(base: String, strategy: String, first: u64, count: u64) -> Self {
        let (base, strategy) = (Some(base), Some(strategy));
        Self { protocol: PROTOCOL, base, strategy, first, count, stop: true, ..Self::default() }
    }

    /// The run of a stored failure.
    pub(crate) fn replay(file: &Path) -> Self {
        Self { protocol: PROTOCOL, count: 1, replay: Some(file.to_owned()), ..Self::default() }
    }

    /// Runs that are told one at a time, every event of a traced one written to `trace`.
    pub(crate) fn candidates(trace: &Path) -> Self {
        let order = Self { protocol: PROTOCOL, candidates: true, ..Self::default() };
        order.traced(trace)
    }

    /// The same, with every event of its last run written to `trace`.
    pub(crate) fn traced(self, trace: &Path) -> Self {
        Self { trace: Some(trace.to_owned()), ..self }
    }
}

/// A folder for reports and traces, removed at the end.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: PathBuf,
    used: Cell<u64>,
}

impl Scratch {
    pub(crate) fn new() -> Result<Self, Stop> {
        let folder = env::temp_dir().join(format!("cargo-sim-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| {
            Stop::refused(format!(
                "{}: {error}: set TMPDIR to a folder that can be written",
                folder.display()
            ))
        })?;
        Ok(Self { folder, used: Cell::new(0) })
    }

    /// A name that was not used before.
    pub(crate) fn path(&self, what: &str) -> PathBuf {
        self.used.set(self.used.get() + 1);
        self.folder.join(format!("{}.{what}", self.used.get()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover in the temporary folder is no reason to fail.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What surrounds a worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// Whether the process's output goes to standard error rather than to a file.
    pub(crate) shown: bool,
    /// Variables to set.
    pub(crate) variables: Vec<(String, String)>,
    /// Another folder than the package's.
    pub(crate) folder: Option<PathBuf>,
}

/// A process at work.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    report: PathBuf,
    output: PathBuf,
    stall: Duration,
    /// The report's length when it last grew, and when that was.
    grown: (u64, Instant),
    stalled: bool,
}

impl Worker {
    /// Starts `test` with `order`.
    pub(crate) fn start(
        test: &Test,
        order: &Order,
        scratch: &Scratch,
        around: &Surroundings,
        stall: Duration,
    ) -> Result<Self, Stop> {
        let (command, order) = quiet_command(test, order);
        Self::of_command(command, &test.name, &order, scratch, around, stall)
    }

    /// Starts a command with `order`; `name` is what it is called to people.
    pub(crate) fn of_command(
        mut command: Command,
        name: &str,
        order: &Order,
        scratch: &Scratch,
        around: &Surroundings,
        stall: Duration,
    ) -> Result<Self, Stop> {
        let (report, output) = (scratch.path("report"), scratch.path("output"));
        ordered(&mut command, order, &report)?;
        command.envs(around.variables.iter().cloned()).stdin(Stdio::null());
        if let Some(folder) = &around.folder {
            command.current_dir(folder);
        }
        let failed = |error| Stop::refused(format!("{name}: a process cannot be started: {error}"));
        if around.shown {
            command.stdout(Stdio::from(std::io::stderr()));
        } else {
            let file = File::create(&output).map_err(failed)?;
            command.stdout(file.try_clone().map_err(failed)?).stderr(file);
        }
        let child = command.spawn().map_err(failed)?;
        Ok(Self { child, report, output, stall, grown: (0, Instant::now()), stalled: false })
    }

    /// What became of it, if it has ended. A worker whose report has not grown for too long is ended.
    pub(crate) fn poll(&mut self) -> Result<Option<Outcome>, Stop> {
        let failed = |error| Stop::defect(format!("a worker cannot be waited for: {error}"));
        if let Some(status) = self.child.try_wait().map_err(failed)? {
            let outcome = Outcome::read(&self.report, &self.output, status, self.stalled)?;
            // The report has been read; a campaign of millions of runs must not fill the disk.
            let _ = fs::remove_file(&self.report);
            return Ok(Some(outcome));
        }
        if self.grown.1.elapsed() >= self.stall {
            let length = fs::metadata(&self.report).map_or(0, |file| file.len());
            self.stalled = length == self.grown.0;
            self.grown = (length, Instant::now());
            if self.stalled {
                self.kill();
            }
        }
        Ok(None)
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Result<Outcome, Stop> {
        let mut pause = Pause::default();
        loop {
            if let Some(outcome) = self.poll()? {
                return Ok(outcome);
            }
            pause.sleep();
        }
    }

    /// Ends it. The outcome still has to be taken.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself meanwhile, which is as good.
        let _ = self.child.kill();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
        // Without this the process would stay in the table until this one ends.
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.output);
    }
}

/// The command line of `test`, and `order` as it is told.
fn quiet_command(test: &Test, order: &Order) -> (Command, Order) {
    let mut command = command(test);
    let is_native = test.executable.door == DoorKind::Native;
    if !is_native {
        // A panic's place and text are what is reported. Collecting the frames costs more than most runs, and reads files: a replay
        // that did would be another execution than the search.
        command.env("RUST_BACKTRACE", "0");
    }
    let named = (!is_native).then(|| test.name.clone());
    (command, Order { test: named, ..order.clone() })
}

/// Gives a command its order.
pub(crate) fn ordered(command: &mut Command, order: &Order, report: &Path) -> Result<(), Stop> {
    let plan = serde_json::to_string(order)
        .map_err(|error| Stop::defect(format!("an order cannot be written: {error}")))?;
    command.env("SIM_WORKER", report).env("SIM_PLAN", plan);
    Ok(())
}

/// The command line of `test`.
pub(crate) fn command(test: &Test) -> Command {
    let mut command = test.executable.command_in_world();
    if test.executable.has_harness {
        command.arg(&test.path).args([
            "--exact",
            "--include-ignored",
            "--nocapture",
            "--test-threads=1",
        ]);
    }
    command
}

/// Waits between looks, longer and longer: a short batch is not delayed and a long one costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Pause(u32);

impl Pause {
    pub(crate) fn sleep(&mut self) {
        thread::sleep(Duration::from_micros(200 << self.0.min(5)));
        self.0 += 1;
    }
}
