//! Events as JSON, one object a line.

use super::Event;

/// The event as a line.
pub(super) fn line(event: &Event) -> String {
    let mut line =
        serde_json::to_string(event).expect("events are texts and numbers, which JSON can hold");
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::super::{Diverged, Failure, Reached, TestDone};
    use super::*;

    #[test]
    fn the_lines_are_those_of_the_contract() {
        let test = String::from("mycrate::bug::lost_update");
        let events = [
            Event::Start {
                version: "0.1.0",
                seed: String::from("0x2a"),
                tests: 12,
                runs: Some(100),
                time_seconds: None,
                shard: None,
            },
            Event::Test(TestDone {
                test: test.clone(),
                runs: 100,
                sim_seconds: 812.4,
                wall_seconds: 0.91,
                fingerprint: String::from("ab"),
                ..TestDone::default()
            }),
            Event::Coverage {
                test: test.clone(),
                schedules: 97,
                executions: 100,
                choices: 41_200,
                probes: vec![Reached {
                    message: String::from("a retry is sent"),
                    place: String::from("src/a.rs:3:5"),
                    runs: 7,
                }],
            },
            Event::Failure(Box::new(Failure {
                test: test.clone(),
                seed: String::from("0x2a"),
                run: Some(17),
                run_seed: String::from("0x5f"),
                strategy: String::from("pct:3"),
                kind: String::from("panic"),
                message: String::from("lost \"3\"\ncoins"),
                location: Some(String::from("tests/bug.rs:31:5")),
                trace: Some(String::from(".sim/failures/x.simtrace")),
                replay: String::from("cargo sim replay .sim/failures/x.simtrace"),
                choices: Some(412),
                shrunk_choices: Some(3),
                shrunk: Some(String::from("412 choices shrunk to 3 in 85 runs")),
                shrink_runs: 85,
                shrink_wall_seconds: 1.25,
                ..Failure::default()
            })),
            Event::Divergence(Box::new(Diverged {
                test,
                seed: String::from("0x2a"),
                first_event: Some(9182),
                hint: String::from("…"),
                ..Diverged::default()
            })),
            Event::Summary {
                tests: 12,
                runs: 1200,
                failures: 1,
                divergences: 1,
                sim_seconds: 9120.2,
                wall_seconds: 11.0,
            },
        ];
        insta::assert_snapshot!(events.iter().map(line).collect::<String>());
    }
}
