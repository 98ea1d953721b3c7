//! What a runtime is told before it starts.

use core::fmt;
use std::time::Duration;

/// What to do about tasks that are left behind when the root task has completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Leaks {
    /// Say nothing.
    Ignore,
    /// Add a notice to the report.
    #[default]
    Note,
    /// Fail the run.
    Fail,
}

/// Limits and costs of a runtime. Every limit is a whole number above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeConfig {
    /// Turns after which a run ends as `limit`.
    pub steps_max: u64,
    /// Polls without any effect after which a run ends as `livelock`.
    pub idle_polls_max: u64,
    /// Virtual time after which a run ends as `timeout`.
    pub time_max: Duration,
    /// Tasks alive at once above which a run ends as `limit`.
    pub tasks_max: usize,
    /// Actors enabled at once above which a run ends as `limit`.
    pub enabled_max: usize,
    /// Turns after which the real backend is asked for events although tasks are ready.
    pub poll_interval: u32,
    /// Virtual nanoseconds charged for a poll.
    pub poll_cost_ns: u64,
    /// Virtual nanoseconds charged for a call into the kernel.
    pub call_cost_ns: u64,
    /// What to do about tasks that are left behind.
    pub leaks: Leaks,
    /// Whether a panic in a task that nobody joins ends the run.
    pub panics_end_run: bool,
    /// Whether a task may be interrupted before it touches what is shared, as on several threads it could be; else
    /// only where it waits. A search does; see [`poll_sync`](super::poll_sync).
    pub sync_points: bool,
    /// Whether faults that the program's own code offers may happen; see [`buggify`](super::buggify).
    pub buggify: bool,
    /// Whether the run is counted, for [`Report::lesson`](super::Report::lesson).
    pub census: bool,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            steps_max: 50_000_000,
            idle_polls_max: 1_000_000,
            time_max: Duration::from_secs(100 * 365 * 86_400),
            tasks_max: 10_000_000,
            enabled_max: 10_000_000,
            poll_interval: 61,
            poll_cost_ns: 100,
            call_cost_ns: 100,
            leaks: Leaks::Note,
            panics_end_run: true,
            sync_points: false,
            buggify: false,
            census: false,
        }
    }
}

/// A configuration that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    text: String,
}

impl ConfigError {
    /// An error with this text, a sentence with advice.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl core::error::Error for ConfigError {}

impl RuntimeConfig {
    /// Checks every limit.
    ///
    /// # Errors
    /// The first limit that is zero, with advice.
    pub fn check(&self) -> Result<(), ConfigError> {
        let limits = [
            ("steps_max", self.steps_max == 0),
            ("idle_polls_max", self.idle_polls_max == 0),
            ("time_max", self.time_max.is_zero()),
            ("tasks_max", self.tasks_max == 0),
            ("enabled_max", self.enabled_max == 0),
            ("poll_interval", self.poll_interval == 0),
        ];
        match limits.iter().find(|(_, is_zero)| *is_zero) {
            Some((name, _)) => Err(ConfigError::new(format!(
                "{name} is zero, so that nothing could run: leave it out for the default"
            ))),
            None if self.poll_cost_ns == 0 => Err(ConfigError::new(
                "poll_cost_ns is zero, so that a busy loop would stop the clock: give at least 1",
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_limits_are_refused_with_advice() {
        assert_eq!(RuntimeConfig::default().check(), Ok(()));
        let config = RuntimeConfig { steps_max: 0, ..RuntimeConfig::default() };
        let text = "steps_max is zero, so that nothing could run: leave it out for the default";
        assert_eq!(config.check().unwrap_err().to_string(), text);
    }
}
