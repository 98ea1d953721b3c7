//! What a campaign is to be: the command line, then `SIM_*` variables, then `sim.toml`.

pub(crate) mod file;
pub(crate) mod parse;

use crate::args::TestArgs;
use crate::door::DoorKind;
use crate::exit::Stop;
use file::{Override, SimToml};
use parse::{Format, Shard};
use sim_core::choice::Seed;
use sim_worker::Profile;
use std::env;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Runs of each test where nobody says.
pub(crate) const RUNS: u64 = 100;

/// How long a run may take on the wall clock before it is ended, where nobody says.
pub(crate) const STALL: Duration = Duration::from_secs(60);

/// When to stop after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopAt {
    /// The test stops, the others go on.
    Test,
    /// Everything stops.
    All,
    /// Nothing stops.
    Never,
}

/// The options of a campaign, merged.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) base: Seed,
    pub(crate) jobs: usize,
    pub(crate) shard: Shard,
    pub(crate) stop_at: StopAt,
    pub(crate) format: Format,
    pub(crate) stall: Duration,
    faults: Option<Profile>,
    /// Whether failures are shrunk before they are told.
    pub(crate) shrink: bool,
    pub(crate) general: Budget,
    tests: Vec<Override>,
    /// What was said outside `sim.toml`, which its sections for tests do not override.
    said: Budget,
}

/// How much of what kind of running a test gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    /// `None` where nobody says: [`RUNS`], unless time is the limit.
    pub(crate) runs: Option<u64>,
    pub(crate) time: Option<Duration>,
    pub(crate) strategy: Option<String>,
}

impl Budget {
    /// Itself, with the gaps filled from `other`.
    ///
    /// A limit of time stands for the one of runs too: who said 30 s did not mean the 100 runs of a file.
    fn or(self, other: Self) -> Self {
        let limited = self.runs.is_some() || self.time.is_some();
        let (runs, time) = if limited { (self.runs, self.time) } else { (other.runs, other.time) };
        Self { runs, time, strategy: self.strategy.or(other.strategy) }
    }
}

/// The door of a project where the command line names none: `SIM_DOOR`, then `sim.toml`.
pub(crate) fn door(root: &Path) -> Result<Option<DoorKind>, Stop> {
    let variable = read(
        |name| env::var_os(name).map(|value| value.to_string_lossy().into_owned()),
        "SIM_DOOR",
        parse::door,
    )?;
    Ok(variable.or(SimToml::read(root)?.door))
}

impl Settings {
    /// Merges the three sources.
    pub(crate) fn merge(args: &TestArgs, root: &Path) -> Result<Self, Stop> {
        let file = SimToml::read(root)?;
        let variables = Variables::read(|name| {
            env::var_os(name).map(|value| value.to_string_lossy().into_owned())
        })?;
        Self::of(args, variables, file)
    }

    fn of(args: &TestArgs, variables: Variables, file: SimToml) -> Result<Self, Stop> {
        // The door is the project's, see `door`.
        let _ = (variables.door, file.door);
        let said = Budget { runs: args.runs, time: args.time, strategy: args.strategy.clone() };
        let said = said.or(Budget {
            runs: variables.runs,
            time: variables.time,
            strategy: variables.strategy,
        });
        let general =
            said.clone().or(Budget { runs: file.runs, time: file.time, strategy: file.strategy });
        let stop_at = match (args.fail_fast, args.no_fail_fast, file.fail_fast) {
            (true, ..) | (false, false, Some(true)) => StopAt::All,
            (false, true, _) => StopAt::Never,
            (false, false, _) => StopAt::Test,
        };
        Ok(Self {
            base: args.seed.or(variables.seed).or(file.seed).unwrap_or_else(seed_of_the_clock),
            jobs: args.jobs.or(variables.jobs).or(file.jobs).unwrap_or_else(cores),
            shard: args.shard.or(variables.shard).unwrap_or_default(),
            stop_at,
            format: args.format.or(variables.format).or(file.format).unwrap_or_default(),
            stall: args.stall.or(file.stall).unwrap_or(STALL),
            faults: args.faults.or(variables.faults).or(file.faults),
            shrink: !args.no_shrink && file.shrink.unwrap_or(true),
            general,
            tests: file.tests,
            said,
        })
    }

    /// What befalls the hosts and links of tests that enter by `door`.
    pub(crate) fn faults(&self, door: DoorKind) -> Profile {
        self.faults.unwrap_or(door.faults())
    }

    /// What a test gets. Of several sections of `sim.toml` that name it, the one with the longest text counts.
    pub(crate) fn budget(&self, test: &str) -> Budget {
        let section = self
            .tests
            .iter()
            .filter(|section| test.contains(&section.part))
            .max_by_key(|s| s.part.len());
        let Some(section) = section.cloned() else { return self.general.clone() };
        let special = Budget { runs: section.runs, time: section.time, strategy: section.strategy };
        self.said.clone().or(special).or(self.general.clone())
    }
}

/// The `SIM_*` variables that mean something to a campaign.
#[derive(Debug, Default)]
struct Variables {
    runs: Option<u64>,
    time: Option<Duration>,
    seed: Option<Seed>,
    jobs: Option<usize>,
    strategy: Option<String>,
    door: Option<DoorKind>,
    faults: Option<Profile>,
    shard: Option<Shard>,
    format: Option<Format>,
}

impl Variables {
    fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Stop> {
        for (name, instead) in [
            ("SIM_RUN", "cargo sim replay TEST --seed S --run N"),
            ("SIM_REPLAY", "cargo sim replay FILE"),
        ] {
            if lookup(name).is_some() {
                return Err(Stop::usage(format!(
                    "{name} is for plain cargo test: unset it, or say '{instead}'"
                )));
            }
        }
        Ok(Self {
            runs: read(&lookup, "SIM_RUNS", parse::runs)?,
            time: read(&lookup, "SIM_TIME", parse::duration)?,
            seed: read(&lookup, "SIM_SEED", parse::seed)?,
            jobs: read(&lookup, "SIM_JOBS", parse::jobs)?,
            strategy: read(&lookup, "SIM_STRATEGY", parse::strategy)?,
            door: read(&lookup, "SIM_DOOR", parse::door)?,
            faults: read(&lookup, "SIM_FAULTS", parse::faults)?,
            shard: read(&lookup, "SIM_SHARD", parse::shard)?,
            format: read(&lookup, "SIM_FORMAT", parse::format)?,
        })
    }
}

fn read<T>(
    lookup: impl Fn(&str) -> Option<String>,
    name: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Stop> {
    lookup(name)
        .map(|text| parse(&text).map_err(|error| Stop::usage(format!("{name}: {error}"))))
        .transpose()
}

/// A seed that differs from campaign to campaign. It is printed, so that the campaign can be repeated.
fn seed_of_the_clock() -> Seed {
    let ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    Seed::from_u64(sim_core::choice::mix::mix(ns as u64))
}

pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(
        args: TestArgs,
        variables: &[(&str, &str)],
        file: SimToml,
    ) -> Result<Settings, Stop> {
        let lookup = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        Settings::of(&args, Variables::read(lookup)?, file)
    }

    #[test]
    fn the_command_line_comes_before_variables_before_the_file() {
        let file = || SimToml {
            runs: Some(1),
            jobs: Some(1),
            seed: Some(Seed::from_u64(1)),
            ..SimToml::default()
        };
        let args = TestArgs { runs: Some(3), ..TestArgs::default() };
        let merged = settings(args, &[("SIM_RUNS", "2"), ("SIM_JOBS", "2")], file()).unwrap();
        assert_eq!(
            (merged.general.runs, merged.jobs, merged.base),
            (Some(3), 2, Seed::from_u64(1))
        );
    }

    #[test]
    fn a_limit_of_time_replaces_one_of_runs_from_further_away() {
        let file = SimToml { runs: Some(9), ..SimToml::default() };
        let merged = settings(TestArgs::default(), &[("SIM_TIME", "2s")], file).unwrap();
        assert_eq!(
            (merged.general.runs, merged.general.time),
            (None, Some(Duration::from_secs(2)))
        );
    }

    #[test]
    fn a_section_for_a_test_yields_to_what_was_said_by_hand() {
        let section = |part: &str, runs| Override {
            part: part.to_owned(),
            runs: Some(runs),
            time: None,
            strategy: None,
        };
        let file = || SimToml {
            tests: vec![section("bank", 5), section("bank::slow", 1)],
            ..SimToml::default()
        };
        let merged = settings(TestArgs::default(), &[], file()).unwrap();
        let runs = |settings: &Settings, test: &str| settings.budget(test).runs;
        assert_eq!(
            [runs(&merged, "bank::a"), runs(&merged, "bank::slow::b"), runs(&merged, "c")],
            [Some(5), Some(1), None]
        );
        let merged =
            settings(TestArgs { runs: Some(8), ..TestArgs::default() }, &[], file()).unwrap();
        assert_eq!(runs(&merged, "bank::slow::b"), Some(8));
    }

    #[test]
    fn bad_variables_are_one_line_with_advice() {
        for (variable, expected) in [
            (("SIM_JOBS", "0"), "SIM_JOBS: 0 processes would test nothing: give at least 1"),
            (
                ("SIM_SHARD", "3/2"),
                "SIM_SHARD: '3/2' is not a shard: give K/N with K from 1 to N, such as 2/4",
            ),
            (
                ("SIM_RUN", "3"),
                "SIM_RUN is for plain cargo test: unset it, or say 'cargo sim replay TEST --seed S --run N'",
            ),
        ] {
            let stop = settings(TestArgs::default(), &[variable], SimToml::default()).unwrap_err();
            assert_eq!(stop, Stop::usage(expected));
        }
        let stop = settings(TestArgs::default(), &[("SIM_DOOR", "window")], SimToml::default())
            .unwrap_err();
        assert_eq!(
            stop,
            Stop::usage("SIM_DOOR: 'window' is not a door: there are native, tokio and libc")
        );
    }
}
