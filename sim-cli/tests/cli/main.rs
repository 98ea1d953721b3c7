//! `cargo sim` from outside: real projects, real processes, what they print and how they end.
//!
//! Projects are made in the test's own folder and depend on the crate `sim` of this repository; they
//! share one target directory, so that it is built once.

mod campaigns;
mod determinism;
mod door;
mod mistakes;
mod project;
mod shrinking;
