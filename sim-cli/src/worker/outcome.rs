//! What became of a worker: its report, read line by line, and how its process ended.

use super::PROTOCOL;
use crate::exit::Stop;
use serde::Deserialize;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// A worker's first line.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u64,
    pub(crate) runs: Option<u64>,
}

/// The line before a run.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) run: u64,
    pub(crate) seed: String,
    pub(crate) strategy: String,
    pub(crate) faults: Option<String>,
}

/// The line after a run.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) outcome: String,
    pub(crate) fingerprint: String,
    pub(crate) schedule: String,
    #[serde(default)]
    pub(crate) steps: u64,
    #[serde(default)]
    pub(crate) choices: u64,
    #[serde(default)]
    pub(crate) simulated_ns: u64,
    #[serde(default)]
    pub(crate) drift: u64,
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) details: String,
    pub(crate) location: Option<String>,
    #[serde(default)]
    pub(crate) recent: String,
    #[serde(default)]
    pub(crate) notices: String,
    #[serde(default)]
    pub(crate) probes: String,
    pub(crate) log: Option<String>,
}

/// How something failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) location: Option<String>,
    pub(crate) details: String,
    pub(crate) recent: Vec<String>,
}

impl End {
    /// The failure that the run ended with.
    pub(crate) fn failed(&self) -> Option<Failed> {
        (self.outcome != "done").then(|| Failed {
            kind: self.outcome.clone(),
            message: self.message.clone(),
            location: self.location.clone(),
            details: self.details.clone(),
            recent: self.recent.lines().map(str::to_owned).collect(),
        })
    }
}

/// A line of a report.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Line {
    Sim(Hello),
    Begin(Begin),
    Run(Box<End>),
    Refused { message: String },
    Defect { run: u64, message: String },
    End,
}

impl Line {
    pub(super) fn read(line: &str) -> Result<Self, Stop> {
        serde_json::from_str(line).map_err(|error| {
            Stop::usage(format!(
                "a worker's report cannot be read ({error}): use equal versions of sim and cargo-sim"
            ))
        })
    }
}

/// What became of a worker.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// `None`: not a test of `sim`.
    pub(crate) hello: Option<Hello>,
    pub(crate) runs: Vec<(Begin, End)>,
    /// The run that began and did not end.
    pub(crate) open: Option<Begin>,
    refused: Option<String>,
    defect: Option<(u64, String)>,
    finished: bool,
    status: ExitStatus,
    stalled: bool,
    output: PathBuf,
}

impl Outcome {
    pub(super) fn read(
        report: &Path,
        output: &Path,
        status: ExitStatus,
        stalled: bool,
    ) -> Result<Self, Stop> {
        let mut outcome = Self {
            hello: None,
            runs: Vec::new(),
            open: None,
            refused: None,
            defect: None,
            finished: false,
            status,
            stalled,
            output: output.to_owned(),
        };
        let text = fs::read_to_string(report).unwrap_or_default();
        // Only what ends in a line end was written whole.
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            outcome.take(line)?;
        }
        Ok(outcome)
    }

    fn take(&mut self, line: &str) -> Result<(), Stop> {
        match Line::read(line)? {
            Line::Sim(hello) => self.hello = Some(hello),
            Line::Begin(begin) => self.open = Some(begin),
            Line::Run(end) => self.runs.extend(self.open.take().map(|begin| (begin, *end))),
            Line::Refused { message } => self.refused = Some(message),
            Line::Defect { run, message } => self.defect = Some((run, message)),
            Line::End => self.finished = true,
        }
        Ok(())
    }

    /// Ends the campaign where the worker could not do what it was told.
    pub(crate) fn check(&self, test: &str) -> Result<(), Stop> {
        if let Some(message) = &self.refused {
            return Err(Stop::usage(format!("{test}: {message}")));
        }
        if let Some((run, message)) = &self.defect {
            return Err(Stop::defect(format!(
                "{test}: the simulation itself broke in run {run}: {message}: this is a defect of sim, please report it"
            )));
        }
        match &self.hello {
            Some(hello) if hello.protocol != PROTOCOL => Err(Stop::usage(format!(
                "{test}: its version of sim speaks protocol {}, cargo-sim {PROTOCOL}: use equal versions",
                hello.protocol
            ))),
            _ => Ok(()),
        }
    }

    /// How the process died in a run, if it did.
    pub(crate) fn death(&self) -> Option<(Begin, Failed)> {
        let begin = self.open.clone()?;
        let (kind, message) = match (self.stalled, self.status.signal(), self.status.code()) {
            (true, ..) => {
                ("limit", String::from("the run did not end within the wall time of --stall"))
            }
            (false, Some(signal), _) => (
                "abort",
                format!("the process was ended by signal {signal}{}", signal_name(signal)),
            ),
            (false, None, code) => (
                "abort",
                format!(
                    "the process ended in the middle of the run, with status {}",
                    code.unwrap_or_default()
                ),
            ),
        };
        Some((
            begin,
            Failed {
                kind: kind.to_owned(),
                message,
                details: self.output_tail(),
                ..Failed::default()
            },
        ))
    }

    /// How a plain test failed, if it did.
    pub(crate) fn plain_failure(&self) -> Option<Failed> {
        let (kind, message) = match (self.stalled, self.status.code()) {
            (true, _) => {
                ("limit", String::from("the test did not end within the wall time of --stall"))
            }
            (false, Some(0)) => return None,
            (false, Some(code)) => return Some(self.plain_panic(code)),
            (false, None) => {
                let signal = self.status.signal().unwrap_or_default();
                (
                    "abort",
                    format!("the process was ended by signal {signal}{}", signal_name(signal)),
                )
            }
        };
        Some(Failed {
            kind: kind.to_owned(),
            message,
            details: self.output_tail(),
            ..Failed::default()
        })
    }

    /// The panic that a plain test has printed, with its place and message.
    fn plain_panic(&self, code: i32) -> Failed {
        let output = self.output();
        let printed =
            output.rsplit_once(" panicked at ").and_then(|(_, printed)| printed.split_once(":\n"));
        let Some((place, rest)) = printed.filter(|(place, _)| !place.contains('\n')) else {
            let (kind, message) =
                (String::from("panic"), format!("the test failed, with status {code}"));
            return Failed { kind, message, details: self.output_tail(), ..Failed::default() };
        };
        let message = rest
            .lines()
            .take_while(|line| !line.starts_with("note: ") && *line != "stack backtrace:");
        let message = message.collect::<Vec<_>>().join("\n");
        Failed {
            kind: String::from("panic"),
            message,
            location: Some(place.to_owned()),
            ..Failed::default()
        }
    }

    /// What the process printed, without libtest's list of failures at the end.
    fn output(&self) -> String {
        let bytes = fs::read(&self.output).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        text.split_once("\nfailures:\n\nfailures:\n")
            .map_or(text.as_ref(), |(printed, _)| printed)
            .to_owned()
    }

    /// The last lines that the process printed.
    pub(crate) fn output_tail(&self) -> String {
        const LINES: usize = 30;
        let text = self.output();
        let lines: Vec<&str> = text.lines().filter(|line| !is_frame(line)).collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

/// Whether a line is libtest's own, which says nothing about the test.
fn is_frame(line: &str) -> bool {
    let line = line.trim();
    let is_result = line.starts_with("test ")
        && [" ...", " FAILED", " ok"].iter().any(|end| line.ends_with(end));
    is_result
        || ["", "failures:", "FAILED", "ok", "running 1 test"].contains(&line)
        || line.starts_with("test result: ")
}

/// The names of the signals that processes die of.
fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that wrote `report`, printed `output` and ended with the wait status `status`; and its failure as a plain test.
    fn ended(report: &str, output: &str, status: i32) -> (Result<Outcome, Stop>, Option<Failed>) {
        let folder = std::env::temp_dir().join(format!(
            "cargo-sim-test-{}-{status}-{}",
            std::process::id(),
            report.len()
        ));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("report"), report).unwrap();
        fs::write(folder.join("output"), output).unwrap();
        let outcome = Outcome::read(
            &folder.join("report"),
            &folder.join("output"),
            ExitStatus::from_raw(status),
            false,
        );
        let failed = outcome.as_ref().ok().and_then(Outcome::plain_failure);
        fs::remove_dir_all(&folder).unwrap();
        (outcome, failed)
    }

    fn outcome(report: &str, status: i32) -> Result<Outcome, Stop> {
        ended(report, "", status).0
    }

    const HELLO: &str =
        "{\"event\":\"sim\",\"protocol\":1,\"version\":\"0.1.0\",\"test\":\"bank::a\"}\n";
    const BEGIN: &str = "{\"event\":\"begin\",\"run\":3,\"seed\":\"0x9\",\"strategy\":\"fifo\"}\n";
    const RUN: &str = "{\"event\":\"run\",\"run\":3,\"outcome\":\"panic\",\"fingerprint\":\"ab\",\"schedule\":\"cd\",\"message\":\"lost\"}\n";

    #[test]
    fn a_report_is_read_run_by_run() {
        let outcome = outcome(&[HELLO, BEGIN, RUN, "{\"event\":\"end\"}\n"].concat(), 0).unwrap();
        assert_eq!(outcome.runs.len(), 1);
        assert_eq!(outcome.runs[0].1.failed().unwrap().message, "lost");
        assert!(outcome.finished && outcome.death().is_none() && outcome.check("t").is_ok());
    }

    #[test]
    fn a_process_that_died_names_the_run_it_was_in() {
        let died = outcome(&[HELLO, BEGIN].concat(), 6).unwrap();
        let (begin, failed) = died.death().unwrap();
        assert_eq!((begin.run, failed.kind.as_str()), (3, "abort"));
        assert_eq!(failed.message, "the process was ended by signal 6 (SIGABRT)");
        let left = outcome(&[HELLO, BEGIN].concat(), 0).unwrap();
        assert_eq!(
            left.death().unwrap().1.message,
            "the process ended in the middle of the run, with status 0"
        );
    }

    #[test]
    fn half_a_line_was_not_written() {
        let half = &RUN[..RUN.len() - 1];
        let outcome = outcome(&[HELLO, BEGIN, half].concat(), 9).unwrap();
        assert!(outcome.runs.is_empty());
        assert_eq!(outcome.death().unwrap().0.run, 3);
    }

    #[test]
    fn no_hello_is_a_plain_test() {
        assert!(outcome("", 0).unwrap().hello.is_none());
        assert_eq!(outcome("", 0).unwrap().plain_failure(), None);
        assert_eq!(outcome("", 101 << 8).unwrap().plain_failure().unwrap().kind, "panic");
        assert_eq!(
            outcome("", 11).unwrap().plain_failure().unwrap().message,
            "the process was ended by signal 11 (SIGSEGV)"
        );
    }

    #[test]
    fn a_plain_panic_tells_its_place_and_message() {
        let output = "\nrunning 1 test\ntest a ... hello\n\nthread 'a' (7) panicked at src/lib.rs:3:9:\nlost 3\ncoins\n\
            note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\nFAILED\n\nfailures:\n\n\
            failures:\n    a\n\ntest result: FAILED. 0 passed; 1 failed\n\n";
        let failed = ended("", output, 101 << 8).1.unwrap();
        assert_eq!((failed.kind.as_str(), failed.message.as_str()), ("panic", "lost 3\ncoins"));
        assert_eq!(failed.location.as_deref(), Some("src/lib.rs:3:9"));
        let silent = ended("", "", 101 << 8).1.unwrap();
        assert_eq!(
            (silent.message.as_str(), silent.location),
            ("the test failed, with status 101", None)
        );
    }

    #[test]
    fn what_cannot_be_carried_out_ends_the_campaign() {
        let refused =
            outcome(&[HELLO, "{\"event\":\"refused\",\"message\":\"no\"}\n"].concat(), 0).unwrap();
        assert_eq!(refused.check("t"), Err(Stop::usage("t: no")));
        let newer = outcome(&HELLO.replace("\"protocol\":1", "\"protocol\":2"), 0).unwrap();
        assert_eq!(newer.check("t").unwrap_err().code, crate::exit::Code::Usage);
        let defect =
            outcome(&[HELLO, "{\"event\":\"defect\",\"run\":2,\"message\":\"x\"}\n"].concat(), 0)
                .unwrap();
        assert_eq!(defect.check("t").unwrap_err().code, crate::exit::Code::Defect);
        assert!(outcome("{\"event\":\"never\"}\n", 0).is_err());
    }
}
