//! The counter-based generator behind every stream, frozen.
//!
//! A stream's `n`-th answer is a function of (key, n) alone, so streams are independent and a pick
//! needs no state beyond a counter. Changing a constant here re-deals every seed ever written
//! down: the test vectors below must not change.

/// The odd 64-bit fraction of the golden ratio: consecutive counters land far apart.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes all bits of `x` into all bits of the answer (the finaliser of SplitMix64 with Stafford's thirteenth constants).
#[inline]
#[must_use]
pub const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The state after `state` of a generator whose answers are [`mix`]ed states.
#[inline]
#[must_use]
pub const fn step(state: u64) -> u64 {
    state.wrapping_add(GOLDEN)
}

/// Joins two values into one: not commutative, so a path's order counts.
#[inline]
#[must_use]
pub const fn join(a: u64, b: u64) -> u64 {
    mix(a.wrapping_add(GOLDEN) ^ mix(b.wrapping_add(GOLDEN)).rotate_left(17))
}

/// The `n`-th value of the stream `key`.
#[inline]
#[must_use]
pub const fn value(key: u64, n: u32) -> u64 {
    mix(mix(key.wrapping_add((n as u64 + 1).wrapping_mul(GOLDEN))).wrapping_add(key))
}

/// Scales a full-width value onto `0..n`. The bias is below n / 2^64.
#[inline]
#[must_use]
pub const fn scale(value: u64, n: u64) -> u64 {
    ((value as u128 * n as u128) >> 64) as u64
}

/// Hashes a name, for sites and path segments (FNV-1a, then mixed).
///
/// `/` and white space count as `_`, the way a name is written into a log, where they separate fields.
#[inline]
#[must_use]
pub const fn name(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        let byte = if bytes[i] == b'/' || bytes[i].is_ascii_whitespace() { b'_' } else { bytes[i] };
        hash = (hash ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    mix(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frozen() {
        let vectors =
            [value(0, 0), value(0, 1), value(1, 0), join(1, 2), join(2, 1), name("sched.next")];
        let expected = [
            0x4821_8226_ff3c_d4bf,
            0xcd73_fe3d_e975_ac26,
            0xdec1_469c_8d51_e97b,
            0xa7cd_8c3e_d844_4dd1,
            0x8eda_7bac_f2a0_b370,
            0x0a80_d856_c95e_c22a,
        ];
        assert_eq!(vectors, expected);
    }

    #[test]
    fn a_stream_spreads_evenly() {
        let mut counts = [0_u32; 10];
        for n in 0..100_000 {
            counts[scale(value(7, n), 10) as usize] += 1;
        }
        // 10,000 expected in each, standard deviation 95: six of them leave room for a fixed key.
        assert!(counts.iter().all(|&c| (9_430..=10_570).contains(&c)), "{counts:?}");
    }
}
