//! What a socket is ready for, and what it tells of itself.

use super::{State, UnixId, UnixSockets};
use sim_core::Result;
use sim_core::backend::{Readiness, SocketKind, UnixName};

impl UnixSockets {
    /// What the socket is ready for now (the rules of unix_poll and unix_dgram_poll). Nothing for one that is gone.
    #[must_use]
    pub fn readiness(&self, id: UnixId) -> Readiness {
        let Some(socket) = self.find(id) else { return Readiness::NONE };
        let mut ready = Readiness::NONE;
        if socket.error.is_some() {
            ready |= Readiness::ERR;
        }
        if socket.shut == crate::tcp::Shut::BOTH {
            ready |= Readiness::HUP;
        }
        if socket.shut.read {
            ready |= Readiness::READ;
        }
        let (unconnected, pending) = match &socket.state {
            State::Unconnected => (true, !socket.queue.is_empty()),
            State::Connected => (false, !socket.queue.is_empty()),
            State::Listening(listener) => (false, !listener.queue.is_empty()),
        };
        if pending {
            ready |= Readiness::IN;
        }
        if unconnected && socket.kind != SocketKind::Datagram {
            ready |= Readiness::HUP;
        }
        let listens = matches!(socket.state, State::Listening(_));
        if !listens && socket.is_writable() && !self.peer_is_full(id) {
            ready |= Readiness::OUT;
        }
        ready
    }

    /// Whether a datagram socket's peer, which is not connected to it, takes no more.
    fn peer_is_full(&self, id: UnixId) -> bool {
        let peer = self.find(id).and_then(|socket| socket.peer);
        let Some(peer) = peer.and_then(|peer| self.find(peer)) else { return false };
        peer.kind == SocketKind::Datagram && peer.peer != Some(id) && peer.is_full()
    }

    /// What kind of socket it is.
    pub fn kind(&self, id: UnixId) -> Result<SocketKind> {
        Ok(self.get(id)?.kind)
    }

    /// The socket's own name (getsockname(2)).
    pub fn local_name(&self, id: UnixId) -> Result<UnixName> {
        Ok(self.get(id)?.name)
    }

    /// The peer's name (getpeername(2)), even after the peer has gone: `ENOTCONN` without one.
    pub fn peer_name(&self, id: UnixId) -> Result<UnixName> {
        let socket = self.get(id)?;
        socket.peer.map(|_| socket.peer_name).ok_or(sim_core::Errno::ENOTCONN)
    }

    /// How many bytes can be read now (`FIONREAD`): of datagrams, those of the first. `EINVAL` for a listener.
    pub fn readable_bytes(&self, id: UnixId) -> Result<usize> {
        let socket = self.get(id)?;
        match (&socket.state, socket.kind) {
            (State::Listening(_), _) => Err(sim_core::Errno::EINVAL),
            (_, SocketKind::Datagram) => {
                Ok(socket.queue.front().map_or(0, |message| message.data.len()))
            }
            _ => Ok(socket.queue.iter().map(|message| message.rest().len()).sum()),
        }
    }

    /// What has been sent and not been read, as it counts against the send buffer (`SIOCOUTQ`).
    pub fn unsent_bytes(&self, id: UnixId) -> Result<usize> {
        Ok(self.get(id)?.sent as usize)
    }

    /// One line for a report.
    #[must_use]
    pub fn describe(&self, id: UnixId) -> String {
        let Some(socket) = self.find(id) else { return String::from("unix") };
        let kind = match socket.kind {
            SocketKind::Stream => "stream",
            SocketKind::Datagram => "datagram",
            SocketKind::SeqPacket => "seqpacket",
        };
        match &socket.state {
            State::Connected => format!("unix {kind} {} -> {}", socket.name, socket.peer_name),
            State::Listening(_) => format!("unix {kind} {} listening", socket.name),
            State::Unconnected => format!("unix {kind} {}", socket.name),
        }
    }
}
