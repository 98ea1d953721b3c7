//! Events for people.

use super::{Diverged, Event, Failure, Reached, TestDone};
use crate::project::quoted;
use std::fmt::Write as _;

/// The event as text; empty for what only programs want to know.
pub(super) fn text(event: &Event) -> String {
    match event {
        Event::Start { version, seed, tests, runs, time_seconds, shard } => {
            let budget = match (runs, time_seconds) {
                (Some(runs), Some(seconds)) => format!("{runs} runs or {seconds} s each"),
                (None, Some(seconds)) => format!("{seconds} s each"),
                (runs, None) => format!("{} runs each", runs.unwrap_or(crate::config::RUNS)),
            };
            let shard = shard.as_ref().map(|shard| format!(", shard {shard}")).unwrap_or_default();
            format!(
                "cargo sim {version}: {}, {budget}, base seed {seed}{shard}\n",
                count(*tests as u64, "test")
            )
        }
        Event::Test(test) => done(test),
        Event::Failure(failure) => told(failure),
        Event::Divergence(diverged) => parted(diverged),
        Event::Coverage { probes, .. } if probes.is_empty() => String::new(),
        Event::Coverage { probes, .. } => probed(probes),
        Event::Note { test, message } => {
            let test = test.as_ref().map(|test| format!("{test}: ")).unwrap_or_default();
            let (first, rest) = message.split_once('\n').unwrap_or((message, ""));
            format!("note: {test}{first}\n{}", indent(rest, "  "))
        }
        Event::Summary { tests, runs, failures, divergences, sim_seconds, wall_seconds } => {
            let diverged = if *divergences > 0 {
                format!(", {}", count(*divergences, "divergence"))
            } else {
                String::new()
            };
            format!(
                "{}, {}: {}{diverged}; {} simulated in {}\n",
                count(*tests as u64, "test"),
                count(*runs, "run"),
                count(*failures, "failure"),
                seconds(*sim_seconds),
                seconds(*wall_seconds)
            )
        }
    }
}

fn done(test: &TestDone) -> String {
    let verdict = match (test.diverged, test.failures) {
        (true, _) => "DIFFER",
        (false, 0) => "ok    ",
        (false, _) => "FAILED",
    };
    let replayed = match test.replayed {
        0 => String::new(),
        replayed => format!(", {} replayed", count(replayed, "stored failure")),
    };
    let wall = seconds(test.wall_seconds);
    if test.plain {
        return format!("{verdict} {} (plain test, run once as it is, {wall})\n", test.test);
    }
    format!(
        "{verdict} {} ({}, {} simulated, {wall}{replayed})\n",
        test.test,
        count(test.runs, "run"),
        seconds(test.sim_seconds)
    )
}

/// How many probes were reached, and which were not.
fn probed(probes: &[Reached]) -> String {
    let (reached, missed): (Vec<_>, Vec<_>) = probes.iter().partition(|probe| probe.runs > 0);
    let missed: Vec<_> = missed.iter().map(|probe| format!("'{}'", probe.message)).collect();
    let missed = match &missed[..] {
        [] => String::new(),
        missed => format!(", not {}", missed.join(", ")),
    };
    format!("       {} of {} reached{missed}\n", reached.len(), count(probes.len() as u64, "probe"))
}

fn told(failure: &Failure) -> String {
    let place = failure.location.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
    let mut text = format!("\n{}: {}{place}\n", failure.test, failure.kind);
    text.push_str(&indent(&failure.message, "    "));
    text.push_str(&indent(&failure.details, "    "));
    match (failure.same, &failure.moved) {
        (Some(_), Some(moved)) => {
            let _ = writeln!(text, "  {moved}");
        }
        (Some(true), None) => text.push_str("  the stored failure, replayed\n"),
        (Some(false), None) => {
            text.push_str("  a stored failure was replayed and led to this other one\n");
        }
        (None, _) => {}
    }
    if failure.drift > 0 {
        let _ = writeln!(
            text,
            "  {} no question asked for: the program has changed since",
            count(failure.drift, "recorded choice")
        );
    }
    if let Some(run) = failure.run {
        let recorded = failure
            .choices
            .map(|n| format!(", {}", count(n as u64, "recorded choice")))
            .unwrap_or_default();
        let (seed, run_seed, strategy) = (&failure.seed, &failure.run_seed, &failure.strategy);
        let _ = writeln!(
            text,
            "  run {run} of base seed {seed} (run seed {run_seed}), strategy {strategy}{recorded}"
        );
    }
    match (&failure.shrunk, failure.shrunk_choices) {
        (Some(shrunk), Some(_)) => {
            let _ = writeln!(text, "  {shrunk} ({:.1} s)", failure.shrink_wall_seconds);
        }
        (Some(shrunk), None) => text.push_str(&indent(shrunk, "  ")),
        (None, Some(left)) => {
            let _ = writeln!(text, "  shrunk to {} of them before", count(left as u64, "choice"));
        }
        (None, None) => {}
    }
    failure.found.iter().for_each(|found| text.push_str(&indent(found, "  ")));
    if !failure.last_events.is_empty() {
        let _ = write!(text, "  last events:\n{}", indent(&failure.last_events.join("\n"), "    "));
    }
    let _ = writeln!(text, "  replay: {}", failure.replay);
    if let Some(trace) = failure.trace.as_ref().filter(|_| failure.choices.is_some()) {
        let _ = writeln!(text, "  explain: cargo sim explain {}", quoted(trace));
    }
    text.push('\n');
    text
}

fn parted(diverged: &Diverged) -> String {
    let Diverged { test, seed, run, hint, difference, between, .. } = diverged;
    let mut text = format!("\n{test}: divergence in run {run} of base seed {seed}\n");
    let _ = writeln!(text, "  the same choices gave two executions, {between}:");
    text.push_str(&indent(difference, "    "));
    let _ = writeln!(text, "  likely: {hint}\n");
    text
}

fn indent(text: &str, by: &str) -> String {
    text.trim_end().lines().fold(String::new(), |mut out, line| {
        let _ = writeln!(out, "{by}{line}");
        out
    })
}

fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Seconds with as many digits as one reads.
fn seconds(seconds: f64) -> String {
    if seconds >= 100.0 { format!("{seconds:.0} s") } else { format!("{seconds:.2} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Failure {
        Failure {
            test: String::from("bank::transfer::lost"),
            seed: String::from("0x2a"),
            run: Some(17),
            run_seed: String::from("0x5f1c"),
            strategy: String::from("pct:3"),
            kind: String::from("panic"),
            message: String::from("assertion `left == right` failed\n  left: 99\n right: 100"),
            location: Some(String::from("tests/transfer.rs:31:5")),
            trace: Some(String::from(".sim/failures/bank.transfer.lost-0a1b2c3d.simtrace")),
            replay: String::from(
                "cargo sim replay .sim/failures/bank.transfer.lost-0a1b2c3d.simtrace",
            ),
            choices: Some(412),
            shrunk_choices: Some(3),
            shrunk: Some(String::from(
                "412 choices shrunk to 3 in 85 runs: no fault needed: two preemptions and one delayed message",
            )),
            shrink_wall_seconds: 1.25,
            last_events: vec![
                String::from("411 0.000041s main/worker poll 3 len=0 data=0"),
                String::from("412 0.000042s main end 2 len=0 data=0"),
            ],
            ..Failure::default()
        }
    }

    #[test]
    fn a_campaign_reads_like_this() {
        let done = |test: &str, failures, plain| {
            Event::Test(TestDone {
                test: test.to_owned(),
                plain,
                runs: 100,
                failures,
                sim_seconds: 812.4,
                wall_seconds: 0.912,
                ..TestDone::default()
            })
        };
        let events = [
            Event::Start {
                version: "0.1.0",
                seed: String::from("0x2a"),
                tests: 3,
                runs: Some(100),
                time_seconds: None,
                shard: None,
            },
            done("bank::transfer::kept", 0, false),
            done("bank::plain", 0, true),
            done("bank::transfer::lost", 1, false),
            Event::Failure(Box::new(failure())),
            Event::Coverage {
                test: String::from("x"),
                schedules: 1,
                executions: 2,
                choices: 300,
                probes: vec![
                    Reached {
                        message: String::from("a retry is sent"),
                        place: String::from("src/a.rs:3:5"),
                        runs: 7,
                    },
                    Reached {
                        message: String::from("the log is full"),
                        place: String::from("src/b.rs:9:5"),
                        runs: 0,
                    },
                ],
            },
            Event::Note { test: None, message: String::from("a remark") },
            Event::Summary {
                tests: 3,
                runs: 118,
                failures: 1,
                divergences: 0,
                sim_seconds: 830.25,
                wall_seconds: 1.5,
            },
        ];
        insta::assert_snapshot!(events.iter().map(text).collect::<String>());
    }

    #[test]
    fn a_stored_failure_that_led_elsewhere_reads_like_this() {
        let stored = Failure {
            same: Some(false),
            drift: 2,
            run: None,
            shrunk: None,
            details: String::from("task a waits for b"),
            ..failure()
        };
        insta::assert_snapshot!(text(&Event::Failure(Box::new(stored))));
    }

    #[test]
    fn a_divergence_reads_like_this() {
        let diverged = Diverged {
            test: String::from("bank::transfer::lost"),
            seed: String::from("0x2a"),
            run: 0,
            first_event: Some(17),
            hint: String::from("the order of a HashMap or HashSet: use BTreeMap or BTreeSet"),
            difference: String::from(
                "first difference at event 17\n  both: 16 a\n  A:    17 b\n  B:    17 c",
            ),
            between: String::from("two processes"),
        };
        insta::assert_snapshot!(text(&Event::Divergence(Box::new(diverged))));
    }
}
