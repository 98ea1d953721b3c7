//! What a process does that performs runs for `cargo sim`: its orders, its series of runs, its report.
//!
//! Two kinds of process speak this protocol: a native test, whose harness performs each run on a thread of its own (`sim`),
//! and a program in a process world, which is forked for each run (`sim-libc`). How a run is performed is theirs ([`Perform`]);
//! which runs there are, by what policy, and what is written of them is here, once.
//!
//! - [`plan`](mod@plan): the orders in `SIM_PLAN`. [`batch`](mod@batch), [`strategy`](mod@strategy), [`faults`](mod@faults): which run has
//!   which seed, policy and faults.
//! - [`candidates`]: runs that are told one at a time instead.
//! - [`report`](mod@report): the lines. [`work`](mod@work): the loop over a slice of runs, or one replay.
//!
//! Nothing here decides what happens inside a run.

#![forbid(unsafe_code)]

pub mod batch;
pub mod candidates;
pub mod faults;
pub mod json;
pub mod plan;
mod printed;
pub mod report;
pub mod run;
pub mod strategy;
pub mod work;

pub use batch::{BATCH_RUNS, Planner, Series};
pub use faults::{FaultKind, Faults, Profile};
pub use plan::{PROTOCOL, Plan};
pub use printed::printed_panic;
pub use report::Lines;
pub use run::{Broken, Ended, Perform, RunPlan};
pub use strategy::Strategy;
