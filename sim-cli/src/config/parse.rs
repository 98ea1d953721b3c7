//! The values of options, wherever they come from: command line, `SIM_*` variables, `sim.toml`.
//!
//! An error is the part of a sentence that follows the option's name.

use crate::door::DoorKind;
use sim_core::choice::Seed;
use sim_worker::{Profile, Strategy};
use std::fs;
use std::time::Duration;

/// Which batches of a campaign are this process's: every `of`-th, from the `this`-th, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) this: u64,
    pub(crate) of: u64,
}

impl Default for Shard {
    fn default() -> Self {
        Self { this: 1, of: 1 }
    }
}

/// Who reads the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Human,
    Json,
}

pub(crate) fn seed(text: &str) -> Result<Seed, String> {
    text.parse().map_err(|error| format!("{error}"))
}

pub(crate) fn runs(text: &str) -> Result<u64, String> {
    at_least_one(text, "runs")
}

pub(crate) fn jobs(text: &str) -> Result<usize, String> {
    at_least_one(text, "processes").map(|jobs| usize::try_from(jobs).unwrap_or(usize::MAX))
}

fn at_least_one(text: &str, what: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err(format!("0 {what} would test nothing: give at least 1")),
        Ok(number) => Ok(number),
        Err(_) => {
            Err(format!("'{text}' is not a number of {what}: give a whole number of at least 1"))
        }
    }
}

pub(crate) fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("'{text}' is not a whole number: they are counted from 0"))
}

/// A duration: a number and `ms`, `s`, `m` or `h`; seconds where the unit is missing.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let bad =
        || format!("'{text}' is not a duration: give a number and ms, s, m or h, such as 30s");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().map_err(|_| bad())?;
    let unit_ms: u64 = match &text[digits..] {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(bad()),
    };
    match number.checked_mul(unit_ms) {
        Some(0) => Err(String::from("a duration of 0 would test nothing: give more")),
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => Err(bad()),
    }
}

pub(crate) fn strategy(text: &str) -> Result<String, String> {
    text.parse::<Strategy>().map(|strategy| strategy.to_string())
}

pub(crate) fn door(text: &str) -> Result<DoorKind, String> {
    text.parse()
}

/// A profile by its name, by what it is made of, or by a file that holds that.
pub(crate) fn faults(text: &str) -> Result<Profile, String> {
    text.parse().or_else(|error| match fs::read_to_string(text) {
        Ok(content) => {
            content.parse().map(Profile::These).map_err(|error| format!("{text}: {error}"))
        }
        Err(_) if text.contains('=') => Err(error),
        Err(_) => Err(format!(
            "'{text}' is neither a profile nor a file: give none, light, swarm, a file, or faults such as crash=8,pause=4"
        )),
    })
}

pub(crate) fn shard(text: &str) -> Result<Shard, String> {
    let bad = || format!("'{text}' is not a shard: give K/N with K from 1 to N, such as 2/4");
    let (this, of) = text.split_once('/').ok_or_else(bad)?;
    let shard =
        Shard { this: this.parse().map_err(|_| bad())?, of: of.parse().map_err(|_| bad())? };
    if (1..=shard.of).contains(&shard.this) { Ok(shard) } else { Err(bad()) }
}

pub(crate) fn format(text: &str) -> Result<Format, String> {
    match text {
        "human" => Ok(Format::Human),
        "json" => Ok(Format::Json),
        _ => Err(format!("'{text}' is not a format: give human or json")),
    }
}

pub(crate) fn truth(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("'{text}' is neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let ms = |text: &str| duration(text).map(|duration| duration.as_millis());
        assert_eq!(
            [ms("250ms"), ms("30s"), ms("7"), ms("2m"), ms("1h")],
            [250, 30_000, 7_000, 120_000, 3_600_000].map(Ok)
        );
        for text in [
            "",
            "s",
            "-1s",
            "1.5s",
            "1d",
            "99999999999999999999s",
            "18446744073709551615h",
            "0",
            "0ms",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shards_are_counted_from_one() {
        assert_eq!(shard("2/4"), Ok(Shard { this: 2, of: 4 }));
        for text in ["0/4", "5/4", "1/0", "0/0", "1", "a/b", "1/2/3", "-1/2"] {
            assert!(shard(text).unwrap_err().contains("such as 2/4"), "{text}");
        }
    }

    #[test]
    fn strategies_are_there_or_come_later_or_are_unknown() {
        assert_eq!(
            [strategy("pct"), strategy("portfolio")],
            [Ok(String::from("pct:3")), Ok(String::from("portfolio"))]
        );
        assert!(strategy("dfs:4").unwrap_err().contains("later version"));
        assert!(strategy("pct:x").unwrap_err().contains("is not a strategy"));
    }
}
