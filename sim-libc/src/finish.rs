//! The end of a run: its report, written by the process that was the run.
//!
//! A run ends when the process exits, or when the world cannot go on (a deadlock, a limit, an escape); then the process is ended here.
//! What is known of a failure of the program's own is what it printed: a panic's place and text, an error that `main` returned.

use crate::memory::Out;
use crate::real;
use crate::server;
use crate::world::{World, inside, is_member, with};
use core::ffi::{c_int, c_void};
use sim_core::rt::{End, Failure, FailureKind, Report};
use sim_core::trace::describe;
use sim_worker::printed_panic;
use std::collections::VecDeque;

/// How many of the recent events a report shows.
const RECENT_IN_REPORT: usize = 24;
/// How much of the program's output is remembered.
const OUTPUT_BYTES: usize = 64 << 10;
/// The status of a process whose world ended the run.
const ENDED: c_int = 102;

/// What the program has written to its standard streams lately.
#[derive(Debug)]
pub struct Output {
    bytes: VecDeque<u8>,
    /// The line that is not complete, where lines are part of the trace.
    line: Option<Vec<u8>>,
}

impl Output {
    /// Nothing yet; `keep_lines` if they are part of the trace.
    pub fn new(keep_lines: bool) -> Self {
        Self { bytes: VecDeque::new(), line: keep_lines.then(Vec::new) }
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes.make_contiguous()).into_owned()
    }
}

impl World {
    /// The program has written to a standard stream.
    pub fn note_output(&mut self, written: &[u8]) {
        let Self { output, env, .. } = self;
        output.bytes.extend(written);
        let surplus = output.bytes.len().saturating_sub(OUTPUT_BYTES);
        output.bytes.drain(..surplus);
        let Some(line) = &mut output.line else { return };
        for &byte in written {
            if byte == b'\n' {
                let text = String::from_utf8_lossy(line).into_owned();
                env.trace.line(env.now, env.actor.path, text);
                line.clear();
            } else {
                line.push(byte);
            }
        }
    }

    fn report(&mut self, end: End) -> Report {
        let trace = core::mem::take(&mut self.env.trace);
        let names = &self.env.choices.names;
        let first = trace.count().saturating_sub(RECENT_IN_REPORT as u64);
        let recent = trace.recent().filter(|(number, _)| *number >= first);
        Report {
            recent: recent.map(|(number, event)| describe(number, event, names)).collect(),
            end,
            fingerprint: trace.fingerprint().with(self.env.choices.answers_hash()),
            schedule: trace.schedule_hash(),
            steps: self.steps,
            choices: self.enabled.choices(),
            elapsed: self.env.now,
            notices: trace.notices().to_vec(),
            probes: trace.probes().to_vec(),
            log: self.env.choices.log(),
            recorded: trace.into_recorded(&self.env.choices),
            drift: self.env.choices.drift(),
            lesson: self.enabled.lesson(),
        }
    }

    /// How a process ended that exits with `status`.
    fn end_of(&mut self, status: c_int) -> End {
        if status == 0 {
            return End::Done;
        }
        End::Failed(self.printed_failure(status))
    }

    /// The failure that the program has printed.
    fn printed_failure(&mut self, status: c_int) -> Failure {
        let output = self.output.text();
        if let Some(failure) = printed_panic(&output) {
            return failure;
        }
        // A harness may have begun the line with the name of the test.
        let error = output.lines().rev().find_map(|line| {
            let after_name = || line.split_once(" ... Error: ").map(|(_, error)| error);
            line.strip_prefix("Error: ").or_else(after_name)
        });
        match error {
            Some(error) => Failure::new(FailureKind::Error, error),
            None => {
                Failure::new(FailureKind::Error, format!("the program ended with status {status}"))
            }
        }
    }
}

/// Ends the run with a failure of the world, and the process with it.
pub fn now(world: &mut World, failure: Failure) -> ! {
    real::complain(&format!("sim: the run ends here: {failure}\n"));
    let report = world.report(End::Failed(failure));
    server::write_report(&report);
    real::exit(ENDED)
}

/// Something reached past the world: its answer would not be part of the run. The run ends with the place where it happened.
pub fn escape(what: &str) -> ! {
    with(|world| {
        let text = format!(
            "{what} is outside the simulated world, and would not be the same in another run"
        );
        let advice = "keep it out of the test, or run this test with plain cargo test\n";
        let trace = std::backtrace::Backtrace::force_capture();
        let details = format!("{advice}{trace}");
        now(world, Failure::new(FailureKind::Escape, text).with_details(details))
    })
}

/// The process exits with `status`: after what the program itself has registered for its exit (on_exit(3)).
pub extern "C" fn at_exit(status: c_int, _: Out<c_void>) {
    if !is_member() {
        return;
    }
    with(|world| {
        let end = world.end_of(status);
        let report = world.report(end);
        inside(|| server::write_report(&report));
    });
    // Other threads still wait for their turns, and none of what they would do is part of the run.
    real::exit(status)
}
