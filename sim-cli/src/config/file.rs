//! `sim.toml`: the options of a project, with strict keys.

use super::parse::{self, Format};
use crate::door::DoorKind;
use crate::exit::Stop;
use sim_core::choice::Seed;
use sim_worker::Profile;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;
use toml::{Table, Value};

const KEYS: [&str; 12] = [
    "runs",
    "time",
    "seed",
    "jobs",
    "strategy",
    "door",
    "faults",
    "fail-fast",
    "format",
    "shrink",
    "stall",
    "tests",
];
const TEST_KEYS: [&str; 3] = ["runs", "time", "strategy"];

/// What the file says; nothing where there is none.
#[derive(Debug, Default)]
pub(crate) struct SimToml {
    pub(crate) runs: Option<u64>,
    pub(crate) time: Option<Duration>,
    pub(crate) seed: Option<Seed>,
    pub(crate) jobs: Option<usize>,
    pub(crate) strategy: Option<String>,
    pub(crate) door: Option<DoorKind>,
    pub(crate) faults: Option<Profile>,
    pub(crate) fail_fast: Option<bool>,
    pub(crate) format: Option<Format>,
    pub(crate) shrink: Option<bool>,
    pub(crate) stall: Option<Duration>,
    /// Other values for the tests whose names contain the text, in the file's order of names.
    pub(crate) tests: Vec<Override>,
}

/// Other values for some tests.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    pub(crate) part: String,
    pub(crate) runs: Option<u64>,
    pub(crate) time: Option<Duration>,
    pub(crate) strategy: Option<String>,
}

impl SimToml {
    /// Reads `sim.toml` in `root`.
    pub(crate) fn read(root: &Path) -> Result<Self, Stop> {
        match fs::read_to_string(root.join("sim.toml")) {
            Ok(text) => {
                Self::parse(&text).map_err(|error| Stop::usage(format!("sim.toml: {error}")))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Stop::usage(format!("sim.toml cannot be read: {error}"))),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| syntax(text, &error))?;
        let mut section = Section::new(table, "", &KEYS)?;
        Ok(Self {
            runs: section.value("runs", parse::runs)?,
            time: section.value("time", parse::duration)?,
            seed: section.value("seed", parse::seed)?,
            jobs: section.value("jobs", parse::jobs)?,
            strategy: section.value("strategy", parse::strategy)?,
            door: section.value("door", parse::door)?,
            faults: section.value("faults", parse::faults)?,
            fail_fast: section.value("fail-fast", parse::truth)?,
            format: section.value("format", parse::format)?,
            shrink: section.value("shrink", parse::truth)?,
            stall: section.value("stall", parse::duration)?,
            tests: section.overrides()?,
        })
    }
}

/// The parser's message with the place, on one line.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
    format!("line {}: {}", before.matches('\n').count() + 1, error.message().replace('\n', ", "))
}

/// A table of which every key is known.
struct Section {
    table: Table,
    prefix: String,
}

impl Section {
    fn new(table: Table, prefix: &str, known: &[&str]) -> Result<Self, String> {
        match table.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(Self { table, prefix: prefix.to_owned() }),
            Some(key) => Err(format!("unknown key '{prefix}{key}': {}", advice(key, known))),
        }
    }

    fn value<T>(
        &mut self,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let text = match self.table.remove(key) {
            None => return Ok(None),
            Some(Value::String(text)) => text,
            Some(Value::Integer(number)) => number.to_string(),
            Some(Value::Boolean(truth)) => truth.to_string(),
            Some(other) => {
                return Err(format!(
                    "{}{key}: this is of type {}: give one value",
                    self.prefix,
                    other.type_str()
                ));
            }
        };
        read(&text).map(Some).map_err(|error| format!("{}{key}: {error}", self.prefix))
    }

    fn overrides(&mut self) -> Result<Vec<Override>, String> {
        let tests = match self.table.remove("tests") {
            None => return Ok(Vec::new()),
            Some(Value::Table(tests)) => tests,
            Some(_) => return Err(String::from("tests: give tables, such as [tests.\"name\"]")),
        };
        tests.into_iter().map(|(part, value)| over(part, value)).collect()
    }
}

fn over(part: String, value: Value) -> Result<Override, String> {
    let Value::Table(table) = value else {
        return Err(format!("tests.{part}: give a table, such as [tests.\"{part}\"]"));
    };
    let mut section = Section::new(table, &format!("tests.{part}."), &TEST_KEYS)?;
    Ok(Override {
        runs: section.value("runs", parse::runs)?,
        time: section.value("time", parse::duration)?,
        strategy: section.value("strategy", parse::strategy)?,
        part,
    })
}

/// The nearest known name, or all of them where none is near.
fn advice(key: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|name| (strsim::damerau_levenshtein(key, name), *name)).min();
    match nearest {
        Some((distance, name)) if distance <= 1 + name.len() / 4 => {
            format!("did you mean '{name}'?")
        }
        _ => format!("known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read() {
        let text = "runs = 7\ntime = \"2s\"\nseed = \"0x2a\"\njobs = 3\nstrategy = \"pct:2\"\ndoor = \"libc\"\nfaults = \"none\"\n\
            fail-fast = true\nformat = \"json\"\nshrink = false\nstall = 9\n[tests.\"bank::\"]\nruns = 1\nstrategy = \"fifo\"\n";
        let file = SimToml::parse(text).unwrap();
        assert_eq!(
            (file.runs, file.time, file.seed),
            (Some(7), Some(Duration::from_secs(2)), Some(Seed::from_u64(42)))
        );
        assert_eq!(
            (file.jobs, file.strategy.as_deref(), file.fail_fast),
            (Some(3), Some("pct:2"), Some(true))
        );
        assert_eq!(file.door, Some(DoorKind::Libc));
        assert_eq!((file.format, file.stall), (Some(Format::Json), Some(Duration::from_secs(9))));
        assert_eq!(
            (file.tests[0].part.as_str(), file.tests[0].runs, file.tests[0].time),
            ("bank::", Some(1), None)
        );
    }

    #[test]
    fn mistakes_are_one_line_with_advice() {
        for (text, expected) in [
            ("rnus = 7", "unknown key 'rnus': did you mean 'runs'?"),
            (
                "colour = 7",
                "unknown key 'colour': known are runs, time, seed, jobs, strategy, door, faults, fail-fast, format, shrink, stall, tests",
            ),
            ("runs = 0", "runs: 0 runs would test nothing: give at least 1"),
            ("runs = [1]", "runs: this is of type array: give one value"),
            ("runs = -3", "runs: '-3' is not a number of runs: give a whole number of at least 1"),
            (
                "seed = \"x\"",
                "seed: 'x' is not a seed: give a decimal number or 0x and up to 64 hexadecimal digits",
            ),
            ("[tests.a]\nrun = 3", "unknown key 'tests.a.run': did you mean 'runs'?"),
            ("tests = 3", "tests: give tables, such as [tests.\"name\"]"),
        ] {
            assert_eq!(SimToml::parse(text).unwrap_err(), expected);
        }
        let syntax = SimToml::parse("runs = 1\nseed =").unwrap_err();
        assert!(syntax.starts_with("line 2: ") && !syntax.contains('\n'), "{syntax}");
    }
}
