//! Bugs that happened to others, each in a hundred lines: the version with the bug and the corrected one.
//!
//! Under `cargo test` a version with a bug passes if the bug was found; under `cargo sim test` it fails and shows how. The corrected
//! ones never fail.
//!
//! | example | what happened where | what shows it |
//! |---|---|---|
//! | [`futurelock`] | Oxide, RFD 609 and omicron #9259 | deadlock |
//! | [`recursion`] | tokio #2849, matrix-rust-sdk #6839, neon #12875 | deadlock |
//! | [`select_loop`] | Oxide, RFD 400 | conservation: every message arrives |
//! | [`framing`] | iroh #2572, pgwire-replication #5 | frames come out as they went in |
//! | [`pool`] | redis-rs #325, deadpool #97, tiberius #300 | an answer belongs to its question |
//! | [`keepalive`] | hyper #2136, hyperswitch-prism #2257 | done once |
//! | [`retry_storm`] | Bronson et al., HotOS 2021 | liveness: it recovers |
//! | [`lease`] | HBase, as told by Kleppmann in 2016 | fencing: no write after the lease |
//! | [`raft`] | the Raft paper, figure 8; logcabin #44, async-raft #106 | what is applied stays |

mod framing;
mod futurelock;
mod keepalive;
mod lease;
mod pool;
mod raft;
mod recursion;
mod retry_storm;
mod select_loop;

use std::time::Duration;

/// So many milliseconds.
const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
