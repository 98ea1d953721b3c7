//! Randomness, all of it from the run's choices.
//!
//! Draws of a task come from a stream of its own, so a draw added in one task changes no other. A draw
//! of [`range`] or [`chance`] is logged one by one and can be replayed and shrunk; [`fill`] and
//! [`random`] give entropy of the host, of which a log holds the seed alone.

use core::ops::Range;
use sim_core::choice::Ratio;
use sim_core::rt;

/// A number in `range`. The dull answer is its start.
///
/// # Panics
/// If the range is empty, or outside a runtime.
#[must_use]
pub fn range(range: Range<u64>) -> u64 {
    assert!(!range.is_empty(), "a draw needs a number to choose: the range is empty");
    range.start + rt::pick(range.end - range.start)
}

/// Whether a thing happens that has the probability `numerator` / `denominator`. The dull answer is no.
///
/// # Panics
/// If the probability is above 1, or outside a runtime.
#[must_use]
pub fn chance(numerator: u32, denominator: u32) -> bool {
    rt::chance(Ratio::new(numerator, denominator))
}

/// One of `items`; `None` if there is none. The dull answer is the first.
///
/// # Panics
/// Outside a runtime.
#[must_use]
pub fn choose<T>(items: &[T]) -> Option<&T> {
    if items.is_empty() { None } else { items.get(rt::pick(items.len() as u64) as usize) }
}

/// Shuffles `items` (Fisher and Yates). The dull answer leaves them as they are.
///
/// # Panics
/// Outside a runtime.
pub fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let other = last - rt::pick(last as u64 + 1) as usize;
        items.swap(last, other);
    }
}

/// Fills `bytes` with the host's entropy (getrandom(2)).
///
/// # Panics
/// Outside a runtime.
pub fn fill(bytes: &mut [u8]) {
    let host = rt::with(|runtime| runtime.host());
    rt::call(|backend, env| backend.entropy(env, host, bytes));
}

/// 64 bits of the host's entropy.
///
/// # Panics
/// Outside a runtime.
#[must_use]
pub fn random() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
