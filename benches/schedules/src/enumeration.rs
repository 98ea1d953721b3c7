//! Every interleaving of a small program, by an odometer, with the chance that a plain random walk takes it.
//!
//! A walk draws one of the enabled with equal chance wherever there is more than one, so the chance of an interleaving is the product of
//! one over their number at each choice. The odometer knows these numbers: they are its digits' bases.

use crate::campaign::{is_failure, plain_run};
use crate::primitives::Work;
use sim::Odometer;

/// What all interleavings of a program came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Enumeration {
    /// How many there are.
    pub interleavings: u64,
    /// How many of them fail.
    pub failing: u64,
    /// The chance that a plain random walk fails.
    pub walk_fails: f64,
    /// The sum of the chances of all, which is 1 if each was seen once.
    pub walk_total: f64,
}

/// Runs every interleaving of `program`, or gives up after `limit`: `None`.
///
/// # Panics
/// If a run fails otherwise than by a panic or a deadlock.
#[must_use]
pub fn enumerate(program: fn() -> Work, limit: u64) -> Option<Enumeration> {
    let (mut odometer, mut seen) = (Odometer::new(), Enumeration::default());
    loop {
        let builder = plain_run(0).odometer(odometer);
        let mut runtime = builder.build().expect("the default limits are good");
        let failure = runtime.try_block_on(program()).err();
        odometer = runtime.into_odometer().expect("an odometer answers");
        let chances = odometer.bases().map(|alternatives| 1.0 / alternatives as f64);
        let chance: f64 = chances.product();
        seen.interleavings += 1;
        seen.walk_total += chance;
        if is_failure(failure.as_ref()) {
            seen.failing += 1;
            seen.walk_fails += chance;
        }
        if !odometer.advance() {
            return Some(seen);
        }
        if seen.interleavings == limit {
            return None;
        }
    }
}
