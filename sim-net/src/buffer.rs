//! The queues of a stream socket: bytes accepted and not yet acknowledged, bytes received and not yet read.
//!
//! One copy is made when a program sends and one when it receives; between them the bytes are
//! shared slices. Small sends are carved from a pool, and the smallest travel in place (see
//! [`Payload`]), so that steady traffic allocates nothing.

use crate::payload::{Payload, SHORT_BYTES};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// The longest chunk, and so the longest payload of a segment: what segmentation offload hands to a link at once.
pub(crate) const CHUNK_BYTES: usize = 65_536;
/// Sends below this length share an allocation.
const POOLED_BYTES: usize = 4096;
/// The length of a pool's allocation.
const POOL_BYTES: usize = 16_384;

/// The allocation that small payloads are carved from; taken back once all of them are gone.
#[derive(Debug, Default)]
pub(crate) struct Pool(BytesMut);

impl Pool {
    /// A copy of `data`.
    #[inline]
    pub(crate) fn copy(&mut self, data: &[u8]) -> Payload {
        if data.len() <= SHORT_BYTES { Payload::short(data) } else { self.share(data) }
    }

    fn share(&mut self, data: &[u8]) -> Payload {
        if data.len() >= POOLED_BYTES {
            return Bytes::copy_from_slice(data).into();
        }
        if self.0.capacity() - self.0.len() < data.len() {
            self.0.reserve(POOL_BYTES);
        }
        self.0.extend_from_slice(data);
        self.0.split().freeze().into()
    }
}

/// Payloads in order. The first stands in place, so that a request and its response, which are mostly the only ones, are
/// found where the connection is.
#[derive(Debug, Default)]
struct Chunks {
    /// Empty if there is none: no other chunk ever is.
    first: Payload,
    rest: VecDeque<Payload>,
}

impl Chunks {
    #[inline]
    fn len(&self) -> usize {
        if self.first.is_empty() { 0 } else { 1 + self.rest.len() }
    }

    #[inline]
    fn get(&self, index: usize) -> Option<&Payload> {
        if index == 0 {
            return (!self.first.is_empty()).then_some(&self.first);
        }
        self.rest.get(index - 1)
    }

    #[inline]
    fn push(&mut self, chunk: Payload) {
        debug_assert!(!chunk.is_empty(), "an empty chunk would end the queue");
        if self.first.is_empty() {
            self.first = chunk;
        } else {
            self.rest.push_back(chunk);
        }
    }

    /// Drops the first chunk; the next stands in its place.
    #[inline]
    fn pop(&mut self) {
        if self.rest.is_empty() {
            self.first.clear();
        } else {
            self.first = self.rest.pop_front().unwrap_or_default();
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Payload> {
        Some(&self.first).filter(|first| !first.is_empty()).into_iter().chain(&self.rest)
    }
}

/// What a program has sent and the peer has not acknowledged: first what was transmitted, then what was not.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer {
    chunks: Chunks,
    /// Later small sends that wait together behind `chunks`.
    tail: BytesMut,
    /// Bytes in all.
    len: usize,
    /// Bytes transmitted at least once, from the front.
    sent: usize,
    /// The chunk that holds the first byte not transmitted, and where in it; `chunks.len()` if it is the tail's.
    next: (usize, usize),
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
        if waits && self.tail.len() + data.len() <= CHUNK_BYTES {
            self.tail.extend_from_slice(data);
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
    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunk_tail();
        }
    }

    #[cold]
    fn chunk_tail(&mut self) {
        self.chunks.push(core::mem::take(&mut self.tail).freeze().into());
    }

    /// How long the next segment could be, were it not for the window.
    #[inline]
    pub(crate) fn next_len(&self) -> usize {
        match self.chunks.get(self.next.0) {
            Some(chunk) => chunk.len() - self.next.1,
            None => self.tail.len(),
        }
    }

    /// The next bytes never transmitted, at most `max` of them; they count as transmitted.
    #[inline]
    pub(crate) fn transmit(&mut self, max: usize) -> Payload {
        if self.next.0 == self.chunks.len() {
            self.close_tail();
        }
        let (index, offset) = self.next;
        let chunk = self.chunks.get(index).expect("bytes not transmitted are in a chunk");
        let take = max.min(chunk.len() - offset);
        self.next =
            if offset + take == chunk.len() { (index + 1, 0) } else { (index, offset + take) };
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

    /// The first `n` bytes have arrived.
    #[inline]
    pub(crate) fn acknowledged(&mut self, mut n: usize) {
        assert!(n <= self.sent, "only what was transmitted can be acknowledged");
        if n == self.len && self.chunks.rest.is_empty() {
            // All of it, as with every answer to a request.
            self.chunks.first.clear();
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
                    self.next.1 -= n;
                }
                return;
            }
            n -= front.len();
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
            self.chunks.rest.push_back(chunk.hand_over());
        }
    }

    /// Moves bytes out; how many.
    #[inline]
    pub(crate) fn read(&mut self, into: &mut [u8]) -> usize {
        if self.len <= into.len() && self.chunks.rest.is_empty() {
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
                        buffer.acknowledged(n);
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
