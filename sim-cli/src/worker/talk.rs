//! A worker that is told its runs one at a time, and answers each before it is told the next.
//!
//! Its runs come on its standard input, its answers in its report, which is read as it grows. It ends when its input does, so it
//! never outlives this process. One that dies takes one run with it: the one it was in.

use super::outcome::Line;
use super::{End, Failed, Order, Outcome, Scratch, ordered, quiet_command};
use crate::exit::Stop;
use crate::list::Test;
use sim_core::choice::{Log, Redraw};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

/// A run to be performed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    /// By which its answer is told.
    pub(crate) number: u64,
    /// What answers its choices.
    pub(crate) log: Log,
    /// Whether every event is kept.
    pub(crate) traced: bool,
    /// Of which turns it is to be told where in the source they end: path and number.
    pub(crate) places: Vec<(String, u32)>,
    /// What is drawn anew: by which seed and policy, in about how many choices.
    pub(crate) redraw: Option<(Redraw, u64, String, u64)>,
}

/// What became of a run.
#[derive(Debug)]
pub(crate) enum Said {
    /// It ended.
    Ended(Box<End>),
    /// The process died in it.
    Died(Failed),
}

/// A process that is told its runs.
#[derive(Debug)]
pub(crate) struct Talk {
    child: Child,
    input: Option<ChildStdin>,
    report: PathBuf,
    output: PathBuf,
    /// Where it writes every event of a traced run.
    pub(crate) trace: PathBuf,
    lines: Option<File>,
    /// What was read of a line that is not whole.
    half: String,
    /// The run that it was told, and since when.
    asked: Option<(u64, Instant)>,
    stall: Duration,
}

impl Talk {
    /// Starts a process of `test`.
    pub(crate) fn start(
        test: &Test,
        faults: Option<&str>,
        scratch: &Scratch,
        stall: Duration,
    ) -> Result<Self, Stop> {
        let (report, output, trace) =
            (scratch.path("report"), scratch.path("output"), scratch.path("trace"));
        let order = Order { faults: faults.map(str::to_owned), ..Order::candidates(&trace) };
        let (mut command, order) = quiet_command(test, &order);
        ordered(&mut command, &order, &report)?;
        let failed =
            |error| Stop::refused(format!("{}: a process cannot be started: {error}", test.name));
        let file = File::create(&output).map_err(failed)?;
        command.stdout(file.try_clone().map_err(failed)?).stderr(file).stdin(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let input = child.stdin.take();
        let (lines, half, asked) = (None, String::new(), None);
        Ok(Self { child, input, report, output, trace, lines, half, asked, stall })
    }

    /// Whether it waits to be told a run.
    pub(crate) fn is_idle(&self) -> bool {
        self.asked.is_none()
    }

    /// Tells it a run. It must be idle.
    pub(crate) fn ask(&mut self, ask: &Ask) {
        self.asked = Some((ask.number, Instant::now()));
        if let Some(input) = &mut self.input {
            // A process that is gone is noticed when its answer is looked for.
            let _ = input.write_all(text(ask).as_bytes()).and_then(|()| input.flush());
        }
    }

    /// The number of the run that it was told and what became of it, once that is known. After a death it is of no more use.
    pub(crate) fn poll(&mut self) -> Result<Option<(u64, Said)>, Stop> {
        let Some((number, since)) = self.asked else { return Ok(None) };
        let failed = |error| Stop::defect(format!("a worker cannot be waited for: {error}"));
        // Looked at first: what was written before the end is then there to be read.
        let ended = self.child.try_wait().map_err(failed)?;
        let mut answer = None;
        for line in self.new_lines()? {
            match Line::read(&line)? {
                Line::Run(end) => answer = Some(Said::Ended(end)),
                Line::Refused { message } => return Err(Stop::usage(message)),
                Line::Defect { message, .. } => {
                    return Err(Stop::defect(format!(
                        "the simulation itself broke: {message}: this is a defect of sim, please report it"
                    )));
                }
                Line::Sim(_) | Line::Begin(_) | Line::End => {}
            }
        }
        let stalled = since.elapsed() >= self.stall;
        if answer.is_none() && stalled && ended.is_none() {
            // It may have ended by itself meanwhile, which is as good.
            let _ = self.child.kill();
        }
        if answer.is_none()
            && let Some(status) = ended
        {
            let outcome = Outcome::read(&self.report, &self.output, status, stalled)?;
            answer = outcome.death().map(|(_, failed)| Said::Died(failed));
            if answer.is_none() {
                return Err(Stop::refused(
                    "a worker ended without having been told to: the test is none of a simulated world, or another copy of it",
                ));
            }
        }
        if answer.is_some() {
            self.asked = None;
        }
        Ok(answer.map(|answer| (number, answer)))
    }

    /// The whole lines that the report has gained.
    fn new_lines(&mut self) -> Result<Vec<String>, Stop> {
        if self.lines.is_none() {
            self.lines = File::open(&self.report).ok();
        }
        let Some(file) = &mut self.lines else { return Ok(Vec::new()) };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(|error| Stop::defect(format!("a worker's report cannot be read: {error}")))?;
        self.half.push_str(&String::from_utf8_lossy(&bytes));
        let whole = self.half.rfind('\n').map_or(0, |at| at + 1);
        let rest = self.half.split_off(whole);
        let lines = std::mem::replace(&mut self.half, rest);
        Ok(lines.lines().map(str::to_owned).collect())
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // The end of its input tells it to go, and whoever is in the middle of a run is not waited for.
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
        for file in [&self.report, &self.output, &self.trace] {
            let _ = fs::remove_file(file);
        }
    }
}

/// A run as the worker reads it.
fn text(ask: &Ask) -> String {
    let mut text = format!("candidate {}", ask.number);
    if ask.traced {
        text.push_str(" traced");
    } else if let Some((what, seed, policy, expected)) = &ask.redraw {
        let _ = write!(text, " redraw {what} {seed} {policy} {expected}");
    }
    text.push('\n');
    for (path, turn) in &ask.places {
        let _ = writeln!(text, "at {path} {turn}");
    }
    text + &ask.log.lines_in_order() + "end\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_told_in_the_workers_words() {
        let log = Log::parse(["sched.next a 1 @b"].into_iter(), 1).unwrap();
        let ask = Ask { number: 3, log, ..Ask::default() };
        assert_eq!(text(&ask), "candidate 3\nsched.next a 1 @b\nend\n");
        let places = vec![(String::from("a/b#1"), 7)];
        let traced = Ask { traced: true, places, log: Log::default(), ..ask };
        assert_eq!(text(&traced), "candidate 3 traced\nat a/b#1 7\nend\n");
        let redraw = Some((Redraw::Schedule, 7, String::from("pct:3"), 412));
        let neighbour = Ask { number: 4, redraw, ..Ask::default() };
        assert_eq!(text(&neighbour), "candidate 4 redraw schedule 7 pct:3 412\nend\n");
    }
}
