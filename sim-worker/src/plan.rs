//! What `cargo sim` tells a worker to do: the flat JSON object in `SIM_PLAN`.
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `protocol` | 1 | must be there |
//! | `test` | full name of the test, from which seeds are derived; a native test knows its own | none |
//! | `base` | base seed | must be there, but for a replay |
//! | `strategy` | as on the command line | `portfolio` |
//! | `faults` | a profile as on the command line | `none` |
//! | `first`, `count` | the runs to perform | 0, 1 |
//! | `own_runs` | whether the attribute's `runs` is to cut the slice | `false` |
//! | `stop` | end at the first failure | `true` |
//! | `deadline_ms` | wall time after which no further run begins | none |
//! | `record` | keep log and events of the last run | `false` |
//! | `replay` | file of the failure to replay instead | none |
//! | `candidates` | perform the logs that come on standard input instead, see [`candidates`](crate::candidates) | `false` |
//! | `trace` | where to write every event of the last run | nowhere |
//! | `echo` | print the last run's log lines and panics as they happen | `false` |
//! | `thread` | name of the threads that carry the runs | `sim` |

use crate::faults::Profile;
use crate::json::{self, Value};
use crate::strategy::Strategy;
use core::time::Duration;
use sim_core::choice::Seed;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The version of the protocol between `cargo sim` and a worker.
pub const PROTOCOL: u64 = 1;

/// A worker's orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The test's full name, where it cannot know it itself.
    pub test: Option<String>,
    /// The base seed.
    pub base: Seed,
    /// What picks the policies of the runs.
    pub strategy: Strategy,
    /// What draws the faults of the runs.
    pub faults: Profile,
    /// The first run.
    pub first: u64,
    /// How many runs.
    pub count: u64,
    /// Whether the test's own number of runs cuts the slice.
    pub own_runs: bool,
    /// Whether the first failure ends it.
    pub stop: bool,
    /// Wall time after which no further run begins.
    pub deadline: Option<Duration>,
    /// Whether the last run's log and events are kept.
    pub record: bool,
    /// The file of the failure to replay instead.
    pub replay: Option<PathBuf>,
    /// Whether runs are told one at a time instead.
    pub candidates: bool,
    /// Where to write every event of the last run.
    pub trace: Option<PathBuf>,
    /// Whether the last run prints its log lines and panics.
    pub echo: bool,
    /// The name of the threads that carry the runs.
    pub thread: String,
}

impl Plan {
    /// Reads the object.
    ///
    /// # Errors
    /// A sentence for the coordinator to print.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields = json::parse(text)
            .ok_or("SIM_PLAN is not a flat JSON object: it is set by cargo sim, unset it")?;
        let mut fields = Fields(fields);
        match fields.number("protocol")? {
            Some(PROTOCOL) => {}
            other => {
                let theirs =
                    other.map_or_else(|| String::from("none"), |version| version.to_string());
                return Err(format!(
                    "the project's version of sim speaks protocol {PROTOCOL} and cargo-sim {theirs}: use equal versions"
                ));
            }
        }
        let plan = Self {
            test: fields.text("test")?,
            base: fields
                .read("base", |text| text.parse().map_err(|e| format!("{e}")))?
                .unwrap_or_default(),
            strategy: fields.read("strategy", str::parse)?.unwrap_or_default(),
            faults: fields.read("faults", str::parse)?.unwrap_or_default(),
            first: fields.number("first")?.unwrap_or(0),
            count: fields.number("count")?.unwrap_or(1),
            own_runs: fields.truth("own_runs", false)?,
            stop: fields.truth("stop", true)?,
            deadline: fields.number("deadline_ms")?.map(Duration::from_millis),
            record: fields.truth("record", false)?,
            replay: fields.text("replay")?.map(PathBuf::from),
            candidates: fields.truth("candidates", false)?,
            trace: fields.text("trace")?.map(PathBuf::from),
            echo: fields.truth("echo", false)?,
            thread: fields.text("thread")?.unwrap_or_else(|| String::from("sim")),
        };
        match fields.0.keys().next() {
            None => Ok(plan),
            Some(key) => Err(format!(
                "SIM_PLAN has the unknown key '{key}': use equal versions of sim and cargo-sim"
            )),
        }
    }
}

/// The fields not read yet.
struct Fields(BTreeMap<String, Value>);

impl Fields {
    fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key).filter(|value| *value != Value::Null)
    }

    fn number(&mut self, key: &str) -> Result<Option<u64>, String> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number)),
            Some(_) => Err(wrong(key)),
        }
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(key)),
        }
    }

    fn truth(&mut self, key: &str, default: bool) -> Result<bool, String> {
        match self.take(key) {
            None => Ok(default),
            Some(Value::Bool(truth)) => Ok(truth),
            Some(_) => Err(wrong(key)),
        }
    }

    fn read<T>(
        &mut self,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        self.text(key)?.map(|text| read(&text)).transpose()
    }
}

fn wrong(key: &str) -> String {
    format!("SIM_PLAN has a bad value for '{key}': it is set by cargo sim, unset it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_plan_is_read() {
        let text = r#"{"protocol":1,"test":"a::b","base":"0x2a","strategy":"pct:5","faults":"swarm","first":33,"count":4,"own_runs":true,
            "stop":false,"deadline_ms":1500,"record":true,"replay":"a/b","candidates":true,"trace":"c","echo":true,"thread":"x"}"#;
        let plan = Plan::parse(text).unwrap();
        let expected = Plan {
            test: Some(String::from("a::b")),
            base: Seed::from_u64(42),
            strategy: "pct:5".parse().unwrap(),
            faults: Profile::Swarm,
            first: 33,
            count: 4,
            own_runs: true,
            stop: false,
            deadline: Some(Duration::from_millis(1500)),
            record: true,
            replay: Some(PathBuf::from("a/b")),
            candidates: true,
            trace: Some(PathBuf::from("c")),
            echo: true,
            thread: String::from("x"),
        };
        assert_eq!(plan, expected);
    }

    #[test]
    fn anything_else_is_refused_with_advice() {
        for (text, expected) in [
            ("x", "SIM_PLAN is not a flat JSON object: it is set by cargo sim, unset it"),
            (
                "{}",
                "the project's version of sim speaks protocol 1 and cargo-sim none: use equal versions",
            ),
            (
                "{\"protocol\":2}",
                "the project's version of sim speaks protocol 1 and cargo-sim 2: use equal versions",
            ),
            (
                "{\"protocol\":1,\"x\":1}",
                "SIM_PLAN has the unknown key 'x': use equal versions of sim and cargo-sim",
            ),
            (
                "{\"protocol\":1,\"first\":\"1\"}",
                "SIM_PLAN has a bad value for 'first': it is set by cargo sim, unset it",
            ),
        ] {
            assert_eq!(Plan::parse(text).unwrap_err(), expected);
        }
    }
}
