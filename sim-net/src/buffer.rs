//! The queues of a stream socket: bytes accepted and not yet acknowledged, bytes received and not yet read.
//!
//! One copy is made when a program sends and one when it receives; between them the bytes are
//! shared slices. Small sends are carved from a pool, large ones fill buffers that have come back to it, and the smallest
//! travel in place (see [`Payload`]), so that steady traffic allocates nothing.

use crate::payload::{Payload, SHORT_BYTES};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// The longest chunk, and so the longest payload of a segment: what segmentation offload hands to a link at once.
pub(crate) const CHUNK_BYTES: usize = 65_536;
/// Sends below this length share an allocation.
const POOLED_BYTES: usize = 4096;
/// The length of a pool's allocation.
const POOL_BYTES: usize = 16_384;

/// So many large buffers are kept to be filled again: as many as a fast connection has under way.
const SPARE_MAX: usize = 64;
/// A buffer so many times as large as what it would hold is left to others.
const ROOM_MAX: usize = 4;

/// Where payloads come from: small ones are carved from one allocation, which is taken back once all of them are gone; large
/// ones fill the buffers of those that have arrived.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    small: BytesMut,
    spare: Vec<BytesMut>,
}

impl Pool {
    /// A copy of `data`.
    #[inline]
    pub(crate) fn copy(&mut self, data: &[u8]) -> Payload {
        if data.len() <= SHORT_BYTES { Payload::short(data) } else { self.share(data) }
    }

    fn share(&mut self, data: &[u8]) -> Payload {
        if data.len() >= POOLED_BYTES {
            return self.fill(data).into();
        }
        let small = &mut self.small;
        if small.capacity() - small.len() < data.len() {
            small.reserve(POOL_BYTES);
        }
        small.extend_from_slice(data);
        small.split().freeze().into()
    }

    fn fill(&mut self, data: &[u8]) -> Bytes {
        let fits = |buffer: &mut BytesMut| {
            (data.len()..=ROOM_MAX * data.len()).contains(&buffer.capacity())
        };
        match self.spare.pop_if(fits) {
            Some(mut buffer) => {
                buffer.clear();
                buffer.extend_from_slice(data);
                buffer.freeze()
            }
            None => Bytes::copy_from_slice(data),
        }
    }

    /// Takes the bytes of a payload that is done with. A large buffer that nobody else looks at is kept.
    fn take_back(&mut self, payload: &mut Payload) {
        let Some(bytes) = payload.take_shared() else { return payload.clear() };
        if bytes.len() >= POOLED_BYTES
            && self.spare.len() < SPARE_MAX
            && let Ok(buffer) = bytes.try_into_mut()
        {
            self.spare.push(buffer);
        }
    }
}

/// Payloads in order. The first stands in place, so that a request and its response, which are mostly the only ones, are
/// found where the connection is.
#[derive(Debug, Default)]
struct Chunks {
    /// Empty if there is none: no other chunk ever is.
    first: Payload,
    /// Made with the second chunk, so that most connections keep their state in few lines of the cache.
    rest: Option<Box<Rest>>,
}

#[derive(Debug, Default)]
struct Rest(VecDeque<Payload>);

impl Chunks {
    #[inline]
    fn len(&self) -> usize {
        if self.first.is_empty() {
            0
        } else {
            1 + self.rest.as_ref().map_or(0, |rest| rest.0.len())
        }
    }

    /// Whether there is no second chunk.
    #[inline]
    fn is_single(&self) -> bool {
        self.rest.as_ref().is_none_or(|rest| rest.0.is_empty())
    }

    #[inline]
    fn get(&self, index: usize) -> Option<&Payload> {
        if index == 0 {
            return (!self.first.is_empty()).then_some(&self.first);
        }
        self.rest.as_ref()?.0.get(index - 1)
    }

    #[inline]
    fn push(&mut self, chunk: Payload) {
        debug_assert!(!chunk.is_empty(), "an empty chunk would end the queue");
        if self.first.is_empty() {
            self.first = chunk;
        } else {
            self.rest.get_or_insert_default().0.push_back(chunk);
        }
    }

    /// Drops the first chunk; the next stands in its place.
    #[inline]
    fn pop(&mut self) {
        match self.rest.as_mut().and_then(|rest| rest.0.pop_front()) {
            Some(next) => self.first = next,
            None => self.first.clear(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Payload> {
        let rest = self.rest.as_ref().map(|rest| rest.0.iter());
        let first = Some(&self.first).filter(|first| !first.is_empty());
        first.into_iter().chain(rest.into_iter().flatten())
    }
}

/// What a program has sent and the peer has not acknowledged: first what was transmitted, then what was not.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer {
    chunks: Chunks,
    /// Later small sends that wait together behind `chunks`; made with the first of them.
    tail: Option<Box<BytesMut>>,
    /// Bytes in all.
    len: usize,
    /// Bytes transmitted at least once, from the front.
    sent: usize,
    /// The chunk that holds the first byte not transmitted, and where in it; `chunks.len()` if it is the tail's.
    next: (u32, u32),
}

impl SendBuffer {
    /// Bytes not acknowledged.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes never transmitted.
    pub(crate) const fn unsent(&self) -> usize {
        self.len - self.sent
    }

    /// Appends a copy of `data`.
    #[inline]
    pub(crate) fn push(&mut self, data: &[u8], pool: &mut Pool) {
        if data.is_empty() {
            return;
        }
        let waits = self.unsent() > 0;
        self.len += data.len();
        if waits && self.tail_len() + data.len() <= CHUNK_BYTES {
            self.tail.get_or_insert_default().extend_from_slice(data);
            return;
        }
        self.close_tail();
        let mut whole = pool.copy(data);
        while whole.len() > CHUNK_BYTES {
            self.chunks.push(whole.split_to(CHUNK_BYTES));
        }
        self.chunks.push(whole);
    }

    /// Appends what is transmitted in the same step, to a buffer that is empty.
    #[inline]
    pub(crate) fn push_transmitted(&mut self, payload: &Payload) {
        debug_assert!(self.len == 0, "what waits goes first");
        self.chunks.first = payload.clone();
        (self.len, self.sent) = (payload.len(), payload.len());
        self.next = (1, 0);
    }

    #[inline]
    fn tail_len(&self) -> usize {
        self.tail.as_ref().map_or(0, |tail| tail.len())
    }

    #[inline]
    fn close_tail(&mut self) {
        if self.tail_len() > 0 {
            self.chunk_tail();
        }
    }

    #[cold]
    fn chunk_tail(&mut self) {
        if let Some(tail) = &mut self.tail {
            self.chunks.push(core::mem::take(&mut **tail).freeze().into());
        }
    }

    /// How long the next segment could be, were it not for the window.
    #[inline]
    pub(crate) fn next_len(&self) -> usize {
        let (index, offset) = self.next_place();
        match self.chunks.get(index) {
            Some(chunk) => chunk.len() - offset,
            None => self.tail_len(),
        }
    }

    #[inline]
    fn next_place(&self) -> (usize, usize) {
        (self.next.0 as usize, self.next.1 as usize)
    }

    /// The next bytes never transmitted, at most `max` of them; they count as transmitted.
    #[inline]
    pub(crate) fn transmit(&mut self, max: usize) -> Payload {
        let (index, offset) = self.next_place();
        if index == self.chunks.len() {
            self.close_tail();
        }
        let chunk = self.chunks.get(index).expect("bytes not transmitted are in a chunk");
        let take = max.min(chunk.len() - offset);
        // A buffer has fewer chunks than bytes, and those are counted in 32 bits by the socket's options.
        self.next = if offset + take == chunk.len() {
            (index as u32 + 1, 0)
        } else {
            (index as u32, (offset + take) as u32)
        };
        self.sent += take;
        if offset == 0 && take == chunk.len() {
            chunk.clone()
        } else {
            chunk.slice(offset..offset + take)
        }
    }

    /// Bytes transmitted before, from `offset` on, at most `max` of them.
    pub(crate) fn retransmit(&self, offset: usize, max: usize) -> Payload {
        let max = max.min(self.sent - offset);
        let mut start = 0;
        for chunk in self.chunks.iter() {
            if offset < start + chunk.len() {
                let from = offset - start;
                return chunk.slice(from..chunk.len().min(from + max));
            }
            start += chunk.len();
        }
        Payload::new()
    }

    /// The first `n` bytes have arrived; their buffers go back to `pool`.
    #[inline]
    pub(crate) fn acknowledged(&mut self, mut n: usize, pool: &mut Pool) {
        assert!(n <= self.sent, "only what was transmitted can be acknowledged");
        if n == self.len && self.chunks.is_single() {
            // All of it, as with every answer to a request.
            pool.take_back(&mut self.chunks.first);
            (self.len, self.sent, self.next) = (0, 0, (0, 0));
            return;
        }
        self.len -= n;
        self.sent -= n;
        while n > 0 {
            let front = &mut self.chunks.first;
            if n < front.len() {
                front.advance(n);
                if self.next.0 == 0 {
                    self.next.1 -= n as u32;
                }
                return;
            }
            n -= front.len();
            pool.take_back(front);
            self.chunks.pop();
            self.next = if self.next.0 == 0 { (0, 0) } else { (self.next.0 - 1, self.next.1) };
        }
    }

    /// Nothing of it will be sent any more.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What has arrived in order and a program has not read.
#[derive(Debug, Default)]
pub(crate) struct ReceiveBuffer {
    chunks: Chunks,
    len: usize,
}

impl ReceiveBuffer {
    /// Bytes that can be read.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Takes the bytes out of a payload that is not looked at again.
    #[inline]
    pub(crate) fn take(&mut self, chunk: &mut Payload) {
        self.len += chunk.len();
        if self.chunks.first.is_empty() {
            // An exchange asks neither what is taken nor what is left behind.
            core::mem::swap(&mut self.chunks.first, chunk);
        } else {
            self.chunks.push(chunk.hand_over());
        }
    }

    /// Moves bytes out; how many.
    #[inline]
    pub(crate) fn read(&mut self, into: &mut [u8]) -> usize {
        if self.len <= into.len() && self.chunks.is_single() {
            let read = self.len;
            into[..read].copy_from_slice(&self.chunks.first);
            self.chunks.first.clear();
            self.len = 0;
            return read;
        }
        let mut done = 0;
        while done < into.len() && !self.chunks.first.is_empty() {
            let front = &mut self.chunks.first;
            let n = front.len().min(into.len() - done);
            into[done..done + n].copy_from_slice(&front[..n]);
            done += n;
            if n == front.len() {
                self.chunks.pop();
            } else {
                front.advance(n);
            }
        }
        self.len -= done;
        done
    }

    /// As [`ReceiveBuffer::read`], leaving the bytes.
    pub(crate) fn peek(&self, into: &mut [u8]) -> usize {
        let mut done = 0;
        for chunk in self.chunks.iter() {
            let n = chunk.len().min(into.len() - done);
            into[done..done + n].copy_from_slice(&chunk[..n]);
            done += n;
        }
        done
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push(usize),
        Transmit(usize),
        Acknowledge(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let length = prop_oneof![0..40_usize, 1000..200_000_usize];
        let step = (0..3_u8, length).prop_map(|(kind, n)| match kind {
            0 => Step::Push(n),
            1 => Step::Transmit(n),
            _ => Step::Acknowledge(n),
        });
        prop::collection::vec(step, 1..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        /// The buffer against a plain vector with two marks.
        #[test]
        fn a_send_buffer_is_a_queue_with_two_marks(steps in steps()) {
            let (mut pool, mut buffer) = (Pool::default(), SendBuffer::default());
            let (mut model, mut sent, mut made) = (Vec::<u8>::new(), 0_usize, 0_u32);
            for step in steps {
                match step {
                    Step::Push(n) => {
                        let data: Vec<u8> = (0..n).map(|_| { made += 1; (made % 251) as u8 }).collect();
                        buffer.push(&data, &mut pool);
                        model.extend(data);
                    }
                    Step::Transmit(n) if buffer.unsent() > 0 => {
                        let piece = buffer.transmit(n.max(1));
                        prop_assert!(!piece.is_empty() && piece.len() <= n.clamp(1, CHUNK_BYTES));
                        prop_assert_eq!(&piece[..], &model[sent..sent + piece.len()]);
                        sent += piece.len();
                        if sent > 0 {
                            let again = buffer.retransmit(sent / 2, n.max(1));
                            prop_assert_eq!(&again[..], &model[sent / 2..sent / 2 + again.len()]);
                            prop_assert!(!again.is_empty());
                        }
                    }
                    Step::Transmit(_) => {}
                    Step::Acknowledge(n) => {
                        let n = n.min(sent);
                        buffer.acknowledged(n, &mut pool);
                        model.drain(..n);
                        sent -= n;
                    }
                }
                prop_assert_eq!((buffer.len(), buffer.unsent()), (model.len(), model.len() - sent));
                prop_assert_eq!(buffer.next_len() > 0, model.len() > sent);
            }
        }
    }

    #[test]
    fn a_large_buffer_that_nobody_looks_at_is_filled_again() {
        let mut pool = Pool::default();
        let mut sent = pool.copy(&[1; 2 * POOLED_BYTES]);
        let (mut received, at) = (sent.clone(), sent.as_ptr());
        pool.take_back(&mut sent);
        assert!(pool.spare.is_empty(), "the receiver still looks at it");
        pool.take_back(&mut received);
        assert!(received.is_empty() && pool.spare.len() == 1);
        let other = pool.copy(&[2; 16 * POOLED_BYTES]);
        assert_ne!(other.as_ptr(), at, "it would not fit");
        let again = pool.copy(&[3; POOLED_BYTES]);
        assert_eq!((again.as_ptr(), &again[..]), (at, &[3; POOLED_BYTES][..]));
    }

    #[test]
    fn a_receive_buffer_reads_across_chunks_and_peeks() {
        let mut buffer = ReceiveBuffer::default();
        buffer.take(&mut Payload::short(b"abc"));
        buffer.take(&mut Bytes::from_static(b"defg").into());
        let mut into = [0; 5];
        assert_eq!((buffer.peek(&mut into), &into), (5, b"abcde"));
        assert_eq!((buffer.read(&mut into), &into, buffer.len()), (5, b"abcde", 2));
        assert_eq!((buffer.read(&mut into), &into[..2], buffer.len()), (2, &b"fg"[..], 0));
    }
}
