//! The `SIM_*` variables: the only place where a test looks at its environment, before any run begins.

use sim_core::choice::Seed;
use sim_worker::{Profile, Strategy};
use std::env;
use std::path::PathBuf;

/// Who has called the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// `cargo sim`: where to report, and the plan's text.
    Worker { report: PathBuf, plan: String },
    /// Anybody else.
    Local(Settings),
}

/// What the environment says about a test that runs alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// `SIM_RUNS`: how many seeds.
    pub(super) runs: Option<u64>,
    /// `SIM_RUN`: this one only.
    pub(super) run: Option<u64>,
    /// `SIM_SEED`: the base seed.
    pub(super) seed: Option<Seed>,
    /// `SIM_STRATEGY`: how runs are scheduled.
    pub(super) strategy: Option<Strategy>,
    /// `SIM_FAULTS`: what befalls hosts and links.
    pub(super) faults: Option<Profile>,
    /// `SIM_REPLAY`: the file of the failure to run again, and nothing else.
    pub(super) replay: Option<PathBuf>,
}

/// Reads the process's environment.
pub(super) fn read() -> Result<Mode, String> {
    #[expect(clippy::disallowed_methods, reason = "the harness stands outside the runs it starts")]
    let lookup = |name: &str| match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} is not UTF-8: give plain text")),
    };
    from(lookup)
}

fn from(lookup: impl Fn(&str) -> Result<Option<String>, String>) -> Result<Mode, String> {
    if let Some(report) = lookup("SIM_WORKER")? {
        let plan = lookup("SIM_PLAN")?.ok_or(
            "SIM_WORKER is set and SIM_PLAN is not: both are set by cargo sim, unset SIM_WORKER",
        )?;
        return Ok(Mode::Worker { report: PathBuf::from(report), plan });
    }
    let settings = Settings {
        runs: lookup("SIM_RUNS")?.map(|text| runs(&text)).transpose()?,
        run: lookup("SIM_RUN")?.map(|text| run(&text)).transpose()?,
        seed: lookup("SIM_SEED")?
            .map(|text| text.parse().map_err(|e| format!("SIM_SEED: {e}")))
            .transpose()?,
        strategy: lookup("SIM_STRATEGY")?
            .map(|text| text.parse().map_err(|e| format!("SIM_STRATEGY: {e}")))
            .transpose()?,
        faults: lookup("SIM_FAULTS")?
            .map(|text| text.parse().map_err(|e| format!("SIM_FAULTS: {e}")))
            .transpose()?,
        replay: lookup("SIM_REPLAY")?.map(PathBuf::from),
    };
    check(settings)
}

/// Refuses settings of which one would silently win over another.
fn check(settings: Settings) -> Result<Mode, String> {
    if settings.run.is_some() && settings.runs.is_some() {
        return Err(String::from(
            "SIM_RUN and SIM_RUNS are both set: one run or the first so many, unset one of them",
        ));
    }
    if settings.replay.is_some()
        && settings != (Settings { replay: settings.replay.clone(), ..Settings::default() })
    {
        return Err(String::from(
            "SIM_REPLAY is set beside other SIM_ variables: the file says all about its run, unset the others",
        ));
    }
    Ok(Mode::Local(settings))
}

fn runs(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => {
            Err(String::from("SIM_RUNS is 0, so that nothing would be tested: give at least 1"))
        }
        Ok(runs) => Ok(runs),
        Err(_) => Err(format!(
            "SIM_RUNS: '{text}' is not a number of runs: give a whole number, such as 100"
        )),
    }
}

fn run(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        format!("SIM_RUN: '{text}' is not the number of a run: give a whole number, counted from 0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Mode, String> {
        from(|name| {
            Ok(variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        })
    }

    #[test]
    fn good_values_are_taken() {
        assert_eq!(with(&[]), Ok(Mode::Local(Settings::default())));
        let settings = Settings {
            runs: Some(5),
            seed: Some(Seed::from_u64(42)),
            strategy: Some("fair".parse().unwrap()),
            ..Settings::default()
        };
        let variables = [("SIM_RUNS", "5"), ("SIM_SEED", "0x2a"), ("SIM_STRATEGY", "fair")];
        assert_eq!(with(&variables), Ok(Mode::Local(settings)));
        let worker = Mode::Worker { report: PathBuf::from("r"), plan: String::from("{}") };
        assert_eq!(with(&[("SIM_WORKER", "r"), ("SIM_PLAN", "{}"), ("SIM_RUNS", "x")]), Ok(worker));
    }

    #[test]
    fn bad_values_are_one_line_with_advice() {
        for (variables, expected) in [
            (
                &[("SIM_RUNS", "0")][..],
                "SIM_RUNS is 0, so that nothing would be tested: give at least 1",
            ),
            (
                &[("SIM_RUNS", "ten")],
                "SIM_RUNS: 'ten' is not a number of runs: give a whole number, such as 100",
            ),
            (
                &[("SIM_RUN", "-1")],
                "SIM_RUN: '-1' is not the number of a run: give a whole number, counted from 0",
            ),
            (
                &[("SIM_SEED", "x")],
                "SIM_SEED: 'x' is not a seed: give a decimal number or 0x and up to 64 hexadecimal digits",
            ),
            (
                &[("SIM_STRATEGY", "dfs")],
                "SIM_STRATEGY: strategy 'dfs' comes with a later version: give one of portfolio, fifo, random, sticky:N, pct:D, pos, urw, surw, delay:D, priority, fair",
            ),
            (
                &[("SIM_RUN", "1"), ("SIM_RUNS", "2")],
                "SIM_RUN and SIM_RUNS are both set: one run or the first so many, unset one of them",
            ),
            (
                &[("SIM_REPLAY", "f"), ("SIM_SEED", "2")],
                "SIM_REPLAY is set beside other SIM_ variables: the file says all about its run, unset the others",
            ),
            (
                &[("SIM_WORKER", "f")],
                "SIM_WORKER is set and SIM_PLAN is not: both are set by cargo sim, unset SIM_WORKER",
            ),
        ] {
            assert_eq!(with(variables).unwrap_err(), expected);
        }
    }
}
