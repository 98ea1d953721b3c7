//! What others have measured: mean schedules to the first bug, from the artifact of the SURW study (Zhao, Wolff, Mathur, Roychoudhury:
//! Selectively uniform concurrency testing, ASPLOS 2025), 20 trials of 10,000 schedules, its dry run counted as one.
//!
//! Means are over the trials that found the bug. Their programs are threads under instrumentation, with a scheduling point at every access to
//! memory and around each call of the thread library; so their numbers and ours are comparable in kind, and for SURW, which sees only the
//! accesses to one variable, in size.

use sim_core::policy::PolicyKind;
use sim_worker::strategy::Strategy;

/// A published mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// Schedules to the first bug; `None` if no trial found it.
    pub schedules: Option<f64>,
    /// How many of the 20 trials found it.
    pub hits: u32,
}

/// A row: the subject, and its means for SURW, PCT with depth 3 and 10, POS, the random walk and URW.
type Row = (&'static str, [Option<Mean>; 6]);

const fn all(schedules: f64) -> Option<Mean> {
    Some(Mean { schedules: Some(schedules), hits: 20 })
}

const fn some(schedules: f64, hits: u32) -> Option<Mean> {
    Some(Mean { schedules: Some(schedules), hits })
}

/// No trial found it.
const NEVER: Option<Mean> = Some(Mean { schedules: None, hits: 0 });

/// Nothing is published, or the study's own dry run failed.
const NOTHING: Option<Mean> = None;

const ROWS: &[Row] = &[
    ("reorder_3", [all(7.3), all(185.2), all(148.1), all(86.5), NEVER, all(23.9)]),
    ("reorder_4", [all(7.3), all(554.0), all(362.3), all(534.0), NEVER, all(21.9)]),
    ("reorder_5", [all(10.4), all(646.8), all(1094.2), all(2170.1), NEVER, all(27.3)]),
    ("reorder_10", [all(17.2), some(3225.3, 16), some(4461.9, 12), NEVER, NEVER, all(74.2)]),
    ("reorder_20", [all(6.0), all(3005.1), some(3297.3, 17), NEVER, NEVER, all(9.7)]),
    ("reorder_50", [all(13.0), some(3304.5, 6), some(9422.0, 1), NEVER, NEVER, all(74.9)]),
    ("reorder_100", [all(194.2), NEVER, NEVER, NEVER, NEVER, some(3785.1, 12)]),
    ("twostage_1", [all(7.5), all(12.6), all(8.7), all(16.1), all(465.1), all(9.0)]),
    ("twostage_20", [all(5.7), all(159.2), all(100.7), all(157.0), NEVER, all(23.8)]),
    ("twostage_50", [all(20.5), all(1676.0), all(692.0), all(1638.2), NEVER, all(92.9)]),
    (
        "twostage_100",
        [all(453.9), some(7466.0, 3), some(5725.9, 9), some(6674.7, 3), NEVER, some(2991.7, 18)],
    ),
    ("circular_buffer", [all(2.8), all(9.1), all(4.6), all(3.1), all(5.2), all(13.8)]),
    ("queue", [all(2.1), all(3.3), all(2.3), all(2.1), all(2.0), all(2.0)]),
    ("stack", [all(4.6), all(3.2), all(2.6), all(2.7), all(177.0), some(985.8, 19)]),
    ("stringbuffer", [all(8.5), all(280.7), all(25.7), all(24.4), some(2243.6, 19), all(834.0)]),
    ("bluetooth", [all(70.2), all(112.5), all(83.0), all(37.1), all(215.7), some(1493.9, 19)]),
    ("account", [all(5.8), all(4.4), all(4.5), all(5.1), all(19.1), all(2.9)]),
    ("lazy01", [all(2.0), all(4.9), all(4.6), all(5.7), all(21.6), all(4.0)]),
    ("deadlock01", [all(1.8), all(12.9), all(7.4), all(4.5), all(4.2), all(2.6)]),
    ("carter01", [NOTHING, all(5.0), all(3.4), all(2.9), all(2.0), NOTHING]),
    ("wronglock", [all(7.5), all(51.1), all(20.1), all(11.2), all(36.9), all(3.5)]),
    ("wronglock_3", [all(8.8), all(58.1), all(14.1), all(11.8), all(36.9), all(4.6)]),
    ("token_ring", [all(8.2), all(8.2), all(7.8), all(9.6), all(14.0), all(9.0)]),
    ("WorkStealQueue", [all(6.0), all(48.1), all(16.2), all(13.5), NEVER, all(12.8)]),
    ("InterlockedWorkStealQueue", [all(6.5), all(48.4), all(13.4), all(15.1), NEVER, all(427.7)]),
    ("StateWorkStealQueue", [all(6.8), all(842.5), all(198.6), all(7.2), NEVER, some(5.0, 3)]),
    (
        "InterlockedWSQWithState",
        [all(6.0), all(906.6), all(204.5), all(6.0), all(27.0), some(1366.8, 4)],
    ),
    (
        "qsort_mt",
        [
            some(3047.5, 19),
            some(4713.8, 14),
            some(3689.1, 15),
            some(3005.2, 18),
            some(3443.3, 19),
            all(297.2),
        ],
    ),
];

/// The published mean of `subject` under `strategy`, if there is one.
#[must_use]
pub fn mean(subject: &str, strategy: Strategy) -> Option<Mean> {
    let Strategy::Policy(policy) = strategy else { return None };
    let column = match policy {
        PolicyKind::Surw => 0,
        PolicyKind::Pct { depth: 3 } => 1,
        PolicyKind::Pct { depth: 10 } => 2,
        PolicyKind::Pos => 3,
        PolicyKind::Random => 4,
        PolicyKind::Urw => 5,
        _ => return None,
    };
    ROWS.iter().find(|(name, _)| *name == subject)?.1[column]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects;

    #[test]
    fn every_row_is_a_subject() {
        for (name, _) in ROWS {
            assert!(subjects::named(name).is_some(), "{name}");
        }
    }

    #[test]
    fn means_are_found_by_subject_and_strategy() {
        let surw = Strategy::Policy(PolicyKind::Surw);
        assert_eq!(mean("reorder_10", surw), Some(Mean { schedules: Some(17.2), hits: 20 }));
        let walk = mean("reorder_10", Strategy::Policy(PolicyKind::Random)).unwrap();
        assert_eq!((walk.schedules, walk.hits), (None, 0));
        assert_eq!(mean("reorder_10", Strategy::Portfolio), None);
        assert_eq!(mean("fsbench", surw), None);
    }
}
