//! Probes over all runs of a test: in how many each was reached.

use serde::Serialize;
use sim_core::trace::Probe;
use std::collections::BTreeMap;

/// A probe that some run has come by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Reached {
    pub(crate) message: String,
    /// The place that the lowest run has come by first.
    pub(crate) place: String,
    /// In how many runs it was reached; 0 if its condition was true in none.
    pub(crate) runs: u64,
}

/// The probes of a run as its line tells them. Lines that cannot be read are of another version, and left out.
pub(super) fn read(lines: &str) -> Vec<Probe> {
    lines.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Adds a run up with those before.
pub(super) fn add(all: &mut BTreeMap<String, Reached>, run: &[Probe]) {
    for Probe { message, place, hits } in run {
        let reached = all.entry(message.clone()).or_insert_with(|| Reached {
            message: message.clone(),
            place: place.clone(),
            runs: 0,
        });
        reached.runs += u64::from(*hits > 0);
    }
}
