//! Asking for memory before it is needed.
//!
//! Among a hundred thousand sleeping tasks, whoever is woken lies in none of the caches: its cell, then
//! its future, one after the other. So does the connection of whatever arrives among a thousand. Engine and world know a
//! little earlier who will be next, and ask then.
#![expect(unsafe_code, reason = "stable Rust has no other way to prefetch")]

/// Asks for the first lines of `value`, each of 64 bytes, at most so many. It changes no value and no answer, only how long
/// the next look takes.
#[inline]
pub fn prefetch<T: ?Sized>(value: &T, lines_max: usize) {
    let start: *const i8 = core::ptr::from_ref(value).cast();
    for line in 0..size_of_val(value).div_ceil(64).min(lines_max) {
        prefetch_line(start.wrapping_add(64 * line));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn prefetch_line(line: *const i8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch is a hint. It reads nothing the program can see, and faults at no address (Intel SDM,
    // PREFETCHh), so it asks nothing of its argument; SSE, which it belongs to, is part of x86-64.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line) }
}

/// Elsewhere nothing is asked for, which is as right and a little slower.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn prefetch_line(_line: *const i8) {}
