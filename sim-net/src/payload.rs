//! The bytes that a packet carries.
//!
//! A short payload travels in the packet itself: copying a cache line costs less than the atomic counts of
//! a shared allocation, which are taken and given back by the sender's buffer, the packet and the receiver's
//! buffer. A longer one is a shared slice, so that it is copied once in and once out however often it is sent.

use bytes::{Buf, Bytes};
use core::fmt;
use core::ops::{Deref, Range};

/// The longest payload that travels in place.
pub(crate) const SHORT_BYTES: usize = 64;

/// Bytes that are cheap to hand on.
#[derive(Clone)]
pub struct Payload(Kept);

#[derive(Clone)]
enum Kept {
    /// `bytes[start..end]`.
    Short {
        bytes: [u8; SHORT_BYTES],
        start: u8,
        end: u8,
    },
    Shared(Bytes),
}

impl Payload {
    /// No bytes.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self(Kept::Short { start: 0, end: 0, bytes: [0; SHORT_BYTES] })
    }

    /// How many bytes.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::Short { start, end, .. } => usize::from(*end) - usize::from(*start),
            Kept::Shared(bytes) => bytes.len(),
        }
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of at most [`SHORT_BYTES`] bytes.
    #[inline]
    pub(crate) fn short(data: &[u8]) -> Self {
        let mut bytes = [0; SHORT_BYTES];
        bytes[..data.len()].copy_from_slice(data);
        Self(Kept::Short { start: 0, end: data.len() as u8, bytes })
    }

    /// The bytes in `range`, sharing what is shared.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline]
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        match &self.0 {
            Kept::Short { .. } => Self::short(&self[range]),
            Kept::Shared(bytes) => Self(Kept::Shared(bytes.slice(range))),
        }
    }

    /// Takes `n` bytes off the front.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline]
    pub(crate) fn advance(&mut self, n: usize) {
        assert!(n <= self.len(), "a payload ends where it ends");
        match &mut self.0 {
            Kept::Short { start, .. } => *start += n as u8,
            Kept::Shared(bytes) => bytes.advance(n),
        }
    }

    /// Lets go of all bytes. What is shared is given back, what is in place is not wiped.
    #[inline]
    pub(crate) fn clear(&mut self) {
        match &mut self.0 {
            Kept::Short { start, end, .. } => *start = *end,
            Kept::Shared(_) => *self = Self::new(),
        }
    }

    /// Takes the bytes out if they are shared, and leaves none.
    #[inline]
    pub(crate) fn take_shared(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            Kept::Short { .. } => None,
            Kept::Shared(bytes) => Some(core::mem::take(bytes)),
        }
    }

    /// Takes the bytes out of something that is not looked at again. What stays behind is empty if the bytes were
    /// shared; bytes in place are left alone, since wiping them would cost as much as copying them.
    #[inline]
    pub(crate) fn hand_over(&mut self) -> Self {
        match &mut self.0 {
            Kept::Short { start, end, bytes } => {
                Self(Kept::Short { start: *start, end: *end, bytes: *bytes })
            }
            Kept::Shared(bytes) => Self(Kept::Shared(core::mem::take(bytes))),
        }
    }

    /// Cuts it to `len` bytes, if it is longer.
    pub(crate) fn truncate(&mut self, len: usize) {
        match &mut self.0 {
            Kept::Short { start, end, .. } => {
                *end = (*end).min(start.saturating_add(len.min(SHORT_BYTES) as u8));
            }
            Kept::Shared(bytes) => bytes.truncate(len),
        }
    }

    /// Takes the first `n` bytes out.
    ///
    /// # Panics
    /// If there are not so many.
    pub(crate) fn split_to(&mut self, n: usize) -> Self {
        let first = self.slice(0..n);
        self.advance(n);
        first
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Payload {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Kept::Short { start, end, bytes } => &bytes[usize::from(*start)..usize::from(*end)],
            Kept::Shared(bytes) => bytes,
        }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self(Kept::Shared(bytes))
    }
}

impl From<&'static [u8]> for Payload {
    fn from(bytes: &'static [u8]) -> Self {
        Self::from(Bytes::from_static(bytes))
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        /// In place or shared, it is a vector.
        #[test]
        fn a_payload_is_its_bytes(len in 0..SHORT_BYTES + 1, steps in prop::collection::vec((0..4_u8, 0..70_usize), 0..6)) {
            let data: Vec<u8> = (0..len as u8).collect();
            for start in [Payload::short(&data), Payload::from(Bytes::from(data.clone()))] {
                let (mut payload, mut model) = (start, data.clone());
                for &(kind, n) in &steps {
                    let n = n.min(model.len());
                    match kind {
                        0 => { payload.advance(n); model.drain(..n); }
                        1 => { payload.truncate(n); model.truncate(n); }
                        2 => prop_assert_eq!(&*payload.split_to(n), &*model.drain(..n).collect::<Vec<_>>()),
                        _ => prop_assert_eq!(&*payload.slice(n..model.len()), &model[n..]),
                    }
                    prop_assert_eq!(&*payload, &*model);
                }
                prop_assert_eq!(payload, Payload::short(&model));
            }
        }
    }
}
