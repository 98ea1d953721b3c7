//! What is tried next. A run is a black box here: a log of choices goes in, an outcome comes out.
//!
//! - [`shrink`]: the log of a failure made small, whatever it holds: schedule, faults, delays, draws of the program.
//! - [`past`]: which choices of an execution its end can depend on at all, read off its events.
//! - [`neighbours`]: which runs to try around a log that fails no more since the program was edited.
//! - [`identity`]: when two failures are the same one. [`weight`]: when a log is smaller than another.
//!
//! Nothing here starts a process, reads a file or looks at a clock; whoever performs the runs does, one at a time or many at
//! once, and what comes out is the same.

#![forbid(unsafe_code)]

pub mod identity;
pub mod neighbours;
pub mod past;
pub mod shrink;
pub mod weight;

pub use identity::Identity;
pub use neighbours::{Neighbour, Neighbourhood};
pub use shrink::{Candidate, Episode, Find, Outcome, Shrinker, Shrunk, Unsteady};
pub use weight::Weight;
