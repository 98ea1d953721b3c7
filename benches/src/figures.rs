//! Numbers out of measurements: a figure per run, the best and the median of a contestant's runs, and its cost beside the best peer's.
//!
//! Ratios compare the best runs, not the medians: whatever disturbs a run makes it slower and never faster, so the best is the least
//! disturbed. A ratio is always a ratio of costs, so that below one is better in every unit, throughput included.

use serde::Serialize;

use crate::frame::{Measured, Measurements, OURS, Outcome, Scenario};

/// What a scenario's figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds per operation, named here in the singular.
    NanosecondsPer(&'static str),
    /// Bytes of heap left allocated per operation, named here in the singular.
    HeapBytesPer(&'static str),
    /// 2^30 bytes per second; the measured operations are bytes.
    GibibytesPerSecond,
}

impl Unit {
    /// The unit as it stands in the table.
    pub(crate) fn label(self) -> String {
        match self {
            Self::NanosecondsPer(operation) => format!("ns/{operation}"),
            Self::HeapBytesPer(operation) => format!("B/{operation}"),
            Self::GibibytesPerSecond => "GiB/s".to_owned(),
        }
    }

    /// The figure of one run.
    pub(crate) fn figure(self, measured: &Measured) -> f64 {
        let operations = measured.operations as f64;
        match self {
            Self::NanosecondsPer(_) => measured.elapsed.as_nanos() as f64 / operations,
            Self::HeapBytesPer(_) => {
                measured.heap_bytes.expect("a scenario in bytes counts them") as f64 / operations
            }
            Self::GibibytesPerSecond => {
                operations / measured.elapsed.as_secs_f64() / f64::from(1u32 << 30)
            }
        }
    }

    /// How dear `figure` is beside `other`: below one means that `figure` is the better one.
    fn cost_ratio(self, figure: f64, other: f64) -> f64 {
        match self {
            Self::NanosecondsPer(_) | Self::HeapBytesPer(_) => figure / other,
            Self::GibibytesPerSecond => other / figure,
        }
    }
}

/// One line of the report: a contestant in a scenario.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) contestant: &'static str,
    pub(crate) unit: String,
    pub(crate) rounds: usize,
    /// The least figure, or for a throughput the greatest.
    pub(crate) best: f64,
    pub(crate) median: f64,
    /// The bytes left allocated per operation, where they were counted; the least of the rounds.
    pub(crate) heap_bytes_per_operation: Option<f64>,
    /// Its cost beside the yardstick's, or beside the best peer's where that one did not run.
    pub(crate) ratio_to_yardstick: Option<f64>,
    pub(crate) target_ratio: f64,
    /// Whether the target is reached; only for our own runtime, and only beside a peer.
    pub(crate) target_reached: Option<bool>,
}

impl Row {
    /// The rows of one scenario, in its contestants' order.
    pub(crate) fn of(outcome: &Outcome<'_>) -> Vec<Self> {
        let Outcome { scenario, measurements } = outcome;
        let bests: Vec<_> = measurements.iter().map(|of_one| best(scenario.unit, of_one)).collect();
        let peers =
            measurements.iter().zip(&bests).filter(|(of_one, _)| of_one.contestant.name != OURS);
        let figures: Vec<_> =
            peers.map(|(of_one, &figure)| (of_one.contestant.name, figure)).collect();
        let yardstick = figures.iter().find(|(name, _)| *name == scenario.yardstick);
        let best_peer = figures
            .iter()
            .map(|&(_, figure)| figure)
            .reduce(|a, b| if scenario.unit.cost_ratio(a, b) <= 1.0 { a } else { b });
        let measure = yardstick.map(|&(_, figure)| figure).or(best_peer);
        let rows = measurements.iter().zip(bests);
        rows.map(|(of_one, best)| Self::of_contestant(scenario, of_one, best, measure)).collect()
    }

    fn of_contestant(
        scenario: &Scenario,
        of_one: &Measurements,
        best: f64,
        measure: Option<f64>,
    ) -> Self {
        let ratio = measure
            .map(|peer| scenario.unit.cost_ratio(best, peer))
            .filter(|ratio| ratio.is_finite());
        let ours = of_one.contestant.name == OURS;
        Self {
            scenario: scenario.name,
            contestant: of_one.contestant.name,
            unit: scenario.unit.label(),
            rounds: of_one.runs.len(),
            best,
            median: median(scenario.unit, of_one),
            heap_bytes_per_operation: heap_bytes_per_operation(of_one),
            ratio_to_yardstick: ratio,
            target_ratio: scenario.target_ratio,
            target_reached: ratio.filter(|_| ours).map(|ratio| ratio <= scenario.target_ratio),
        }
    }
}

fn sorted_figures(unit: Unit, of_one: &Measurements) -> Vec<f64> {
    let mut figures: Vec<_> = of_one.runs.iter().map(|measured| unit.figure(measured)).collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures
}

fn best(unit: Unit, of_one: &Measurements) -> f64 {
    let figures = sorted_figures(unit, of_one);
    let best = if unit == Unit::GibibytesPerSecond { figures.last() } else { figures.first() };
    *best.expect("every contestant ran at least once")
}

/// The middle figure; of an even number of rounds the mean of the two in the middle.
fn median(unit: Unit, of_one: &Measurements) -> f64 {
    let figures = sorted_figures(unit, of_one);
    let middle = figures.len() / 2;
    if figures.len().is_multiple_of(2) {
        figures[middle - 1].midpoint(figures[middle])
    } else {
        figures[middle]
    }
}

fn heap_bytes_per_operation(of_one: &Measurements) -> Option<f64> {
    let per_run =
        of_one.runs.iter().filter_map(|run| Some(run.heap_bytes? as f64 / run.operations as f64));
    per_run.reduce(f64::min)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::frame::Contestant;

    fn run(operations: u64, nanoseconds: u64) -> Measured {
        Measured::timed(operations, Duration::from_nanos(nanoseconds))
    }

    fn rows(unit: Unit, target_ratio: f64, runs: &[(&'static str, &[Measured])]) -> Vec<Row> {
        let measurements = runs.iter().map(|&(name, runs)| Measurements {
            contestant: Contestant::new(name, || run(1, 1)),
            runs: runs.to_vec(),
        });
        Row::of(&Outcome {
            scenario: &Scenario::new("scenario", unit, "none", target_ratio),
            measurements: measurements.collect(),
        })
    }

    #[test]
    fn time_is_best_when_least_and_compared_with_the_best_peer() {
        let runs: &[(_, &[_])] = &[
            ("sim", &[run(10, 300), run(10, 200)]),
            ("a", &[run(10, 900), run(10, 400)]),
            ("b", &[run(10, 800)]),
        ];
        let rows = rows(Unit::NanosecondsPer("step"), 0.5, runs);
        assert_eq!((rows[0].best, rows[0].median), (20.0, 25.0));
        let ratios: Vec<_> = rows.iter().map(|row| row.ratio_to_yardstick).collect();
        assert_eq!(ratios, [Some(0.5), Some(1.0), Some(2.0)]);
        let reached: Vec<_> = rows.iter().map(|row| row.target_reached).collect();
        assert_eq!(reached, [Some(true), None, None]);
    }

    #[test]
    fn throughput_is_best_when_greatest_and_its_ratio_still_falls_when_better() {
        let gibibyte = 1 << 30;
        let runs: &[(_, &[_])] = &[
            ("sim", &[run(gibibyte, 500_000_000), run(gibibyte, 1_000_000_000)]),
            ("a", &[run(gibibyte, 1_000_000_000)]),
        ];
        let rows = rows(Unit::GibibytesPerSecond, 0.4, runs);
        assert_eq!((rows[0].best, rows[0].median), (2.0, 1.5));
        assert_eq!((rows[0].ratio_to_yardstick, rows[0].target_reached), (Some(0.5), Some(false)));
    }

    #[test]
    fn alone_there_is_no_ratio_and_bytes_are_per_operation() {
        let rows = rows(
            Unit::HeapBytesPer("task"),
            1.0,
            &[("sim", &[run(4, 1).keeping(400), run(4, 1).keeping(360)])],
        );
        assert_eq!((rows[0].best, rows[0].heap_bytes_per_operation), (90.0, Some(90.0)));
        assert_eq!((rows[0].ratio_to_yardstick, rows[0].target_reached), (None, None));
    }

    #[test]
    fn a_peer_that_keeps_nothing_gives_no_ratio_to_divide_by() {
        let runs: &[(_, &[_])] =
            &[("sim", &[run(4, 1).keeping(8)]), ("a", &[run(4, 1).keeping(0)])];
        let rows = rows(Unit::HeapBytesPer("task"), 1.0, runs);
        assert_eq!(rows[0].ratio_to_yardstick, None);
    }
}
