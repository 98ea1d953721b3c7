//! Messages in a socket's queue, and what they take of their sender's buffer.

use super::{Passed, Socket, UnixId, UnixSockets};
use sim_core::backend::{Credentials, Readiness, SocketKind, UnixName};

/// What a new socket's buffers hold (`wmem_default`, `rmem_default`).
pub(super) const BUFFER_BYTES: u32 = 212_992;
/// The messages of others that wait at a datagram socket before its queue is full (`max_dgram_qlen`).
const DATAGRAMS_MAX: usize = 10;

/// What every message takes besides its data, and besides what stands in front of the data.
const MESSAGE_BYTES: usize = 256;
const HEADROOM_BYTES: usize = 320;
/// Data is kept in one piece up to this length, and the rest of it in pages.
const STREAM_LINEAR_BYTES: usize = 4096 - HEADROOM_BYTES;
const DATAGRAM_LINEAR_BYTES: usize = 16_384 - HEADROOM_BYTES;
const PAGE_BYTES: usize = 4096;
/// A stream is divided into messages with at most so much in pages.
const STREAM_PAGED_BYTES: usize = 32_768;
/// The longest message of a stream.
pub(super) const STREAM_PIECE_BYTES: usize = STREAM_LINEAR_BYTES + STREAM_PAGED_BYTES;

/// One message, or one piece of a stream.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) data: Box<[u8]>,
    /// How much of it was read: of a stream's piece only.
    pub(super) taken: usize,
    pub(super) from: UnixId,
    pub(super) from_name: UnixName,
    pub(super) credentials: Credentials,
    pub(super) passed: Vec<Passed>,
    charge: u32,
}

impl Message {
    pub(super) fn new(kind: SocketKind, from: (UnixId, UnixName), data: &[u8]) -> Self {
        Self {
            data: data.into(),
            taken: 0,
            from: from.0,
            from_name: from.1,
            credentials: Credentials::NOBODY,
            passed: Vec::new(),
            charge: charge(kind, data.len()),
        }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &[u8] {
        &self.data[self.taken..]
    }
}

/// What a message takes in a kernel's memory (the `truesize` of its buffers), which is what its sender pays: the data
/// in a piece whose length is a power of two, what is longer in pages.
fn charge(kind: SocketKind, len: usize) -> u32 {
    let linear_max = match kind {
        SocketKind::Stream => STREAM_LINEAR_BYTES,
        SocketKind::Datagram | SocketKind::SeqPacket => DATAGRAM_LINEAR_BYTES,
    };
    let paged = len.saturating_sub(linear_max).next_multiple_of(PAGE_BYTES).min(len);
    let linear = (len - paged).max(1).next_multiple_of(64) + HEADROOM_BYTES;
    (linear.next_power_of_two() + paged.next_multiple_of(PAGE_BYTES) + MESSAGE_BYTES) as u32
}

impl Socket {
    /// Whether one more message may be sent: the last one may go beyond the buffer.
    pub(super) fn may_send(&self) -> bool {
        self.sent < self.options.send_buffer
    }

    /// Whether it is worth waking who wants to send: three quarters of the buffer are free.
    pub(super) fn is_writable(&self) -> bool {
        self.sent.saturating_mul(4) <= self.options.send_buffer
    }

    /// Whether a datagram of a socket that it is not connected to has to wait.
    pub(super) fn is_full(&self) -> bool {
        self.kind == SocketKind::Datagram && self.queue.len() > DATAGRAMS_MAX
    }
}

impl UnixSockets {
    /// Puts a message into a queue.
    pub(super) fn deliver(&mut self, to: UnixId, message: Message) {
        if let Ok(sender) = self.get_mut(message.from) {
            sender.sent += message.charge;
        }
        if let Ok(receiver) = self.get_mut(to) {
            receiver.queue.push_back(message);
            self.out.ready.push((to, Readiness::IN));
        }
    }

    /// A message has been read, or never will be: its sender has its room back.
    pub(super) fn release(&mut self, message: &Message) {
        let Ok(sender) = self.get_mut(message.from) else { return };
        sender.sent -= message.charge;
        if sender.is_writable() {
            self.out.ready.push((message.from, Readiness::OUT));
        }
    }

    /// Takes the first message out of a queue. If the queue was full, senders may try again.
    pub(super) fn take(&mut self, id: UnixId) -> Option<Message> {
        let socket = self.get_mut(id).ok()?;
        let was_full = socket.is_full();
        let message = socket.queue.pop_front()?;
        self.release(&message);
        if was_full {
            self.tell_senders(id);
        }
        Some(message)
    }

    /// Drops all that is in a queue.
    pub(super) fn drop_messages(&mut self, messages: impl IntoIterator<Item = Message>) {
        for message in messages {
            self.release(&message);
            self.out.dropped.extend(message.passed);
        }
    }

    /// Tells those who were turned away that they may try again.
    pub(super) fn tell_waiting(&mut self, id: UnixId) {
        if let Ok(socket) = self.get_mut(id) {
            let waiting = core::mem::take(&mut socket.waiting);
            self.out.ready.extend(waiting.into_iter().map(|other| (other, Readiness::OUT)));
        }
    }

    /// A full datagram socket has room again: tells those who were turned away, and all who are connected to it.
    pub(super) fn tell_senders(&mut self, id: UnixId) {
        self.tell_waiting(id);
        for (index, slot) in self.slots.iter().enumerate() {
            if slot.socket.as_ref().is_some_and(|socket| socket.peer == Some(id)) {
                let sender = UnixId { index: index as u32, generation: slot.generation };
                self.out.ready.push((sender, Readiness::OUT));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux 6.18 charged, by `SIOCOUTQ` and by counting messages until `EAGAIN`.
    #[test]
    fn a_message_takes_what_it_takes_in_linux() {
        assert_eq!(charge(SocketKind::Stream, 1), 768);
        assert_eq!(charge(SocketKind::Stream, 1000), 2304);
        assert_eq!(charge(SocketKind::Stream, STREAM_PIECE_BYTES), 4096 + 256 + 32_768);
        assert_eq!(charge(SocketKind::Datagram, 1), 768);
        assert!(charge(SocketKind::Datagram, 100_000) > 100_000);
    }
}
