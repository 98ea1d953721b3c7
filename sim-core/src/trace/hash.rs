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
#[inline]
#[must_use]
pub fn payload_hash(bytes: &[u8]) -> u64 {
    if bytes.len() <= WHOLE_BYTES {
        return whole(bytes, bytes.len() as u64);
    }
    let (head, tail) = (&bytes[..64], &bytes[bytes.len() - 64..]);
    let samples = bytes.chunks_exact(STRETCH_BYTES).fold(bytes.len() as u64, |hash, stretch| {
        fold(hash ^ word(&stretch[STRETCH_BYTES / 2..]), K[3])
    });
    whole(head, whole(tail, samples))
}

#[inline]
fn whole(bytes: &[u8], start: u64) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let hash = words.iter().fold(start ^ K[0], |hash, bytes| fold(hash ^ word(bytes), K[1]));
    if rest.is_empty() {
        return fold(hash, K[2] ^ bytes.len() as u64);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    fold(hash ^ u64::from_le_bytes(last), K[2] ^ bytes.len() as u64)
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
}
