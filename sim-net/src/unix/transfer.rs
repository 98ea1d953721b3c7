//! Sending and receiving. The order of the checks is that of the kernel (net/unix/af_unix.c), since a call that is
//! wrong twice has one answer.

use super::queue::{Message, STREAM_PIECE_BYTES};
use super::{Passed, Socket, State, UnixId, UnixSockets};
use sim_core::backend::{Credentials, RecvFlags, SocketKind, UnixName};
use sim_core::{Errno, Result};

/// What a datagram cannot have of its sender's buffer.
const DATAGRAM_RESERVE_BYTES: usize = 32;

/// What is sent with a message.
#[derive(Debug, Default)]
pub struct UnixSend {
    /// To whom; `None` is the peer.
    pub to: Option<UnixId>,
    /// Who says to have sent it, if not the socket's own process.
    pub credentials: Option<Credentials>,
    /// Descriptors. On a stream they go with the first byte; without a byte they are given up.
    pub passed: Vec<Passed>,
}

/// What was received.
#[derive(Debug, PartialEq, Eq)]
pub struct UnixReceived {
    /// Bytes copied, or a message's real length if that was asked for.
    pub len: usize,
    /// Who sent it.
    pub from: UnixName,
    /// Whether the rest of a message was discarded.
    pub truncated: bool,
    /// Its sender, if the socket asked for it.
    pub credentials: Option<Credentials>,
    /// Descriptors, which are the receiver's now; if it only peeked, they stay in the queue as well.
    pub passed: Vec<Passed>,
}

impl UnixSockets {
    /// Sends (sendmsg(2)): how many bytes were taken. On an error nothing was, and the descriptors are still the caller's.
    pub fn send(&mut self, id: UnixId, data: &[u8], with: UnixSend) -> Result<usize> {
        let socket = self.get(id)?;
        match (socket.kind, with.to) {
            (SocketKind::Stream, Some(_)) => Err(match socket.state {
                State::Connected => Errno::EISCONN,
                _ => Errno::EOPNOTSUPP,
            }),
            (SocketKind::Stream, None) => self.send_stream(id, data, with),
            (SocketKind::SeqPacket, _) => self.send_packet(id, data, with),
            (SocketKind::Datagram, _) => self.send_datagram(id, data, with),
        }
    }

    fn send_stream(&mut self, id: UnixId, data: &[u8], with: UnixSend) -> Result<usize> {
        let socket = self.get(id)?;
        let peer = socket.peer.ok_or(Errno::ENOTCONN)?;
        if socket.shut.write {
            return Err(Errno::EPIPE);
        }
        let credentials = with.credentials.unwrap_or(socket.credentials);
        // What a piece may have is bounded by half of the buffer, so that a stream does not stand still.
        let piece = STREAM_PIECE_BYTES.min(socket.options.send_buffer as usize / 2 - 64);
        let (mut done, mut passed) = (0, with.passed);
        while done < data.len() {
            let room = self.room_of(id).and_then(|name| match self.find(peer) {
                Some(other) if !other.shut.read => Ok(name),
                _ => Err(Errno::EPIPE),
            });
            let name = match room {
                Ok(name) => name,
                Err(_) if done > 0 => return Ok(done),
                Err(error) => return Err(error),
            };
            let end = data.len().min(done + piece);
            let mut message = Message::new(SocketKind::Stream, (id, name), &data[done..end]);
            message.credentials = credentials;
            message.passed = core::mem::take(&mut passed);
            self.deliver(peer, message);
            done = end;
        }
        self.out.dropped.extend(passed);
        Ok(done)
    }

    /// A pending error, or no room, or the sender's name.
    fn room_of(&mut self, id: UnixId) -> Result<UnixName> {
        let socket = self.get_mut(id)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        if socket.shut.write {
            return Err(Errno::EPIPE);
        }
        if socket.may_send() { Ok(socket.name) } else { Err(Errno::EAGAIN) }
    }

    fn send_packet(&mut self, id: UnixId, data: &[u8], with: UnixSend) -> Result<usize> {
        let socket = self.get_mut(id)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        if !matches!(socket.state, State::Connected) {
            return Err(Errno::ENOTCONN);
        }
        self.send_datagram(id, data, UnixSend { to: None, ..with })
    }

    fn send_datagram(&mut self, id: UnixId, data: &[u8], with: UnixSend) -> Result<usize> {
        let socket = self.get(id)?;
        let (kind, connected) = (socket.kind, socket.peer);
        let to = with.to.or(connected).ok_or(Errno::ENOTCONN)?;
        if data.len() > socket.options.send_buffer as usize - DATAGRAM_RESERVE_BYTES {
            return Err(Errno::EMSGSIZE);
        }
        let credentials = with.credentials.unwrap_or(socket.credentials);
        let name = self.room_of(id)?;
        self.check_receiver(id, to)?;
        let mut message = Message::new(kind, (id, name), data);
        (message.credentials, message.passed) = (credentials, with.passed);
        self.deliver(to, message);
        Ok(data.len())
    }

    /// Whether a message can be put into the queue of `to`.
    fn check_receiver(&mut self, id: UnixId, to: UnixId) -> Result<()> {
        let Some(other) = self.find(to) else {
            let socket = self.get_mut(id)?;
            if socket.peer == Some(to) {
                (socket.state, socket.peer) = (State::Unconnected, None);
                socket.peer_name = UnixName::UNNAMED;
            }
            return Err(Errno::ECONNREFUSED);
        };
        if other.kind != self.get(id)?.kind {
            return Err(Errno::EPROTOTYPE);
        }
        self.check_may_send(id, to)?;
        if other.shut.read {
            return Err(Errno::EPIPE);
        }
        if to != id && other.peer != Some(id) && other.is_full() {
            let other = self.get_mut(to)?;
            if !other.waiting.contains(&id) {
                other.waiting.push(id);
            }
            return Err(Errno::EAGAIN);
        }
        Ok(())
    }

    /// Receives (recvmsg(2)).
    pub fn recv(&mut self, id: UnixId, into: &mut [u8], flags: RecvFlags) -> Result<UnixReceived> {
        match self.get(id)?.kind {
            SocketKind::Stream => self.recv_stream(id, into, flags),
            SocketKind::SeqPacket if !matches!(self.get(id)?.state, State::Connected) => {
                Err(Errno::ENOTCONN)
            }
            _ => self.recv_message(id, into, flags),
        }
    }

    fn recv_message(
        &mut self,
        id: UnixId,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<UnixReceived> {
        let socket = self.get_mut(id)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        let pass = socket.options.pass_credentials;
        let Some(first) = socket.queue.front() else { return socket.nothing() };
        let (real, copied) = (first.data.len(), first.data.len().min(into.len()));
        into[..copied].copy_from_slice(&first.data[..copied]);
        let mut received = UnixReceived {
            len: if flags.whole_len { real } else { copied },
            from: first.from_name,
            truncated: copied < real,
            credentials: pass.then_some(first.credentials),
            passed: first.passed.clone(),
        };
        if !flags.peek
            && let Some(message) = self.take(id)
        {
            received.passed = message.passed;
        }
        Ok(received)
    }

    /// Reads pieces one after another, up to one with descriptors and not beyond, and not beyond another sender's if
    /// senders are told.
    fn recv_stream(
        &mut self,
        id: UnixId,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<UnixReceived> {
        let socket = self.get_mut(id)?;
        if !matches!(socket.state, State::Connected) {
            return Err(Errno::EINVAL);
        }
        let Some(first) = socket.queue.front() else {
            return match socket.error.take() {
                Some(error) => Err(error),
                None => socket.nothing(),
            };
        };
        let credentials = socket.options.pass_credentials.then_some(first.credentials);
        let mut received = UnixReceived {
            len: 0,
            from: socket.peer_name,
            truncated: false,
            credentials,
            passed: Vec::new(),
        };
        let mut ahead = 0;
        while received.len < into.len() || received.len == 0 {
            let Some(piece) = self.get_mut(id)?.queue.get_mut(ahead) else { break };
            if credentials.is_some_and(|sender| sender != piece.credentials) {
                break;
            }
            let rest = piece.rest();
            let copied = rest.len().min(into.len() - received.len);
            into[received.len..][..copied].copy_from_slice(&rest[..copied]);
            received.len += copied;
            if flags.peek {
                received.passed.clone_from(&piece.passed);
                ahead += 1;
            } else {
                received.passed = core::mem::take(&mut piece.passed);
                piece.taken += copied;
                if !piece.rest().is_empty() {
                    break;
                }
                self.take(id);
            }
            if !received.passed.is_empty() || into.is_empty() {
                break;
            }
        }
        Ok(received)
    }
}

impl Socket {
    /// The answer of an empty queue.
    fn nothing(&self) -> Result<UnixReceived> {
        if !self.shut.read || self.kind == SocketKind::Datagram {
            return Err(Errno::EAGAIN);
        }
        let (from, passed) = (self.peer_name, Vec::new());
        Ok(UnixReceived { len: 0, from, truncated: false, credentials: None, passed })
    }
}
