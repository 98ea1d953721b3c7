//! The rolling fingerprint: three wide multiplications an event, one a turn.

use super::Event;
use crate::choice::mix;

const K: [u64; 4] =
    [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3];

/// Payloads up to this many bytes are hashed whole.
const WHOLE_BYTES: usize = 256;
/// Of a longer payload the head, the tail and eight bytes of each stretch of this length are hashed.
const STRETCH_BYTES: usize = 512;

/// Multiplies to 128 bits and folds the halves.
#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    (product >> 64) as u64 ^ product as u64
}

/// The hash of a run so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rolling {
    events: u64,
    schedule: u64,
}

impl Rolling {
    pub(super) const fn new() -> Self {
        Self { events: K[0], schedule: K[1] }
    }

    #[inline]
    pub(super) fn event(&mut self, event: &Event) {
        let kind = (event.kind as u64) << 56;
        let what = fold(event.actor.to_bits() ^ K[2], event.object ^ kind ^ K[3]);
        let how = fold(event.data ^ K[0], event.len ^ K[2]);
        self.events = fold(self.events ^ event.at.as_nanos() ^ how, what ^ K[1]) ^ what;
    }

    #[inline]
    pub(super) fn turn(&mut self, actor: u64, ordinal: u32) {
        self.schedule = fold(self.schedule ^ actor, K[0] ^ (ordinal as u64));
    }

    pub(super) fn events(&self) -> u64 {
        mix::mix(self.events)
    }

    pub(super) fn schedule(&self) -> u64 {
        mix::mix(self.schedule)
    }
}

/// The hash of a payload, for [`Event::data`].
///
/// Payloads above 256 bytes are sampled, every 512 bytes eight of them, since a run that diverged does
/// not usually differ in a few bytes of bulk data alone, and bulk transfer must not cost a pass over it.
/// Two words enter with each multiplication, and samples by two lanes that do not wait for each other.
#[inline]
#[must_use]
pub fn payload_hash(bytes: &[u8]) -> u64 {
    if bytes.len() <= WHOLE_BYTES {
        return whole(bytes, bytes.len() as u64);
    }
    let (head, tail) = (&bytes[..64], &bytes[bytes.len() - 64..]);
    whole(head, whole(tail, samples(bytes)))
}

/// The hash of the samples and the length: the word in the middle of each stretch.
fn samples(bytes: &[u8]) -> u64 {
    let sample = |stretch: &[u8]| word(&stretch[STRETCH_BYTES / 2..]);
    let fours = bytes.chunks_exact(4 * STRETCH_BYTES);
    let rest = fours.remainder();
    let lanes = fours.fold((bytes.len() as u64, K[2]), |lanes, four| {
        let at = |nth: usize| sample(&four[nth * STRETCH_BYTES..]);
        (fold(lanes.0 ^ at(0), at(1) ^ K[3]), fold(lanes.1 ^ at(2), at(3) ^ K[1]))
    });
    let last = rest.chunks_exact(STRETCH_BYTES);
    last.fold(fold(lanes.0, lanes.1 ^ K[0]), |hash, stretch| fold(hash ^ sample(stretch), K[3]))
}

#[inline]
fn whole(bytes: &[u8], start: u64) -> u64 {
    let (pairs, rest) = bytes.as_chunks::<16>();
    let hash = pairs
        .iter()
        .fold(start ^ K[0], |hash, pair| fold(hash ^ word(&pair[..8]), word(&pair[8..]) ^ K[1]));
    if rest.is_empty() {
        return fold(hash, K[2] ^ bytes.len() as u64);
    }
    let mut last = [0; 16];
    last[..rest.len()].copy_from_slice(rest);
    let length = K[2] ^ bytes.len() as u64;
    fold(fold(hash ^ word(&last[..8]), word(&last[8..]) ^ K[1]), length)
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_and_content_count() {
        assert_ne!(payload_hash(b""), payload_hash(b"\0"));
        assert_ne!(payload_hash(b"a"), payload_hash(b"b"));
        let mut long = vec![0_u8; 4096];
        let before = payload_hash(&long);
        long[0] = 1;
        assert_ne!(payload_hash(&long), before);
    }

    /// Of what is hashed whole every byte counts, and where it stands; of what is sampled every sample.
    #[test]
    fn every_byte_that_is_looked_at_counts() {
        let differ = |len: usize, places: &mut dyn Iterator<Item = usize>| {
            let mut seen = std::collections::BTreeSet::from([payload_hash(&vec![0; len])]);
            for at in places {
                let mut bytes = vec![0; len];
                bytes[at] = 1;
                assert!(seen.insert(payload_hash(&bytes)), "byte {at} of {len}");
            }
        };
        (1..=80).for_each(|len| differ(len, &mut (0..len)));
        differ(WHOLE_BYTES, &mut (0..WHOLE_BYTES));
        for len in [4096, 5000, 65_536] {
            let middle = STRETCH_BYTES / 2;
            let samples = (0..len / STRETCH_BYTES).map(|nth| nth * STRETCH_BYTES + middle);
            differ(len, &mut samples.chain(0..64).chain(len - 64..len));
        }
    }
}
