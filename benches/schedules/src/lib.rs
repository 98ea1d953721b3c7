//! Published subjects of schedule exploration, and how many schedules each strategy needs to the first bug.
//!
//! - [`subjects`]: programs with a known defect, built on the [`primitives`].
//! - [`campaign`]: searches one of them until it fails, as a batch of runs is searched.
//! - [`published`]: what others have measured. [`report`]: both side by side.
//! - [`enumeration`]: every interleaving of a small program, with the chance that a plain walk takes it.
//! - [`cost`]: what a step costs under each strategy.

pub mod campaign;
pub mod cost;
pub mod enumeration;
pub mod primitives;
pub mod published;
pub mod report;
pub mod subjects;
