//! What there is to know of a socket, and of a host's: nothing here changes anything.

use super::table::Entry;
use super::{SocketId, Stacks};
use crate::address::shown;
use crate::tcp::State;
use sim_core::backend::Readiness;
use sim_core::{Errno, HostId, Result};
use std::net::SocketAddr;

/// One line of a listing, as in `/proc/net/tcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The socket; of one in TIME_WAIT, a number of the kernel's own.
    pub id: SocketId,
    /// The local address.
    pub local: SocketAddr,
    /// The peer's; of a listener, the wildcard with port 0.
    pub remote: SocketAddr,
    /// The state.
    pub state: State,
}

impl Stacks {
    /// Every TCP connection and listener of a host, in order of places; closed sockets are left out.
    #[must_use]
    pub fn connections(&self, host: HostId) -> Vec<Connection> {
        let entries = self.slab.of_host(host).filter_map(|(id, entry)| match entry {
            Entry::Tcp(c) if c.state != State::Closed => {
                let remote = if c.state == State::Listen {
                    SocketAddr::new(c.local.ip(), 0)
                } else {
                    c.remote
                };
                Some(Connection { id, local: c.local, remote, state: c.state })
            }
            Entry::TimeWait(w) => {
                Some(Connection { id, local: w.local, remote: w.remote, state: State::TimeWait })
            }
            _ => None,
        });
        entries.collect()
    }

    /// How many sockets, connections nobody holds and entries in TIME_WAIT a host has.
    #[must_use]
    pub fn entries(&self, host: HostId) -> usize {
        self.slab.of_host(host).count()
    }

    /// The state of a TCP socket; `None` for another or one that is gone.
    #[must_use]
    pub fn state(&self, id: SocketId) -> Option<State> {
        match self.slab.get(id) {
            Some(Entry::Tcp(connection)) => Some(connection.state),
            Some(Entry::TimeWait(_)) => Some(State::TimeWait),
            _ => None,
        }
    }

    /// The name of a socket's state, as `ss` shows it.
    #[must_use]
    pub fn state_name(&self, id: SocketId) -> &'static str {
        match self.slab.get(id) {
            Some(Entry::Udp(socket)) if socket.remote.is_some() => "ESTAB",
            Some(Entry::Udp(_)) => "UNCONN",
            _ => self.state(id).map_or("GONE", State::name),
        }
    }

    /// What a socket is, in one line: `tcp 10.0.0.1:80 -> 10.0.0.2:41000 ESTABLISHED`.
    #[must_use]
    pub fn describe(&self, id: SocketId) -> String {
        match self.slab.get(id) {
            Some(Entry::Tcp(connection)) => connection.describe(),
            Some(Entry::Udp(socket)) => socket.describe(),
            Some(Entry::TimeWait(waiting)) => {
                format!("tcp {} -> {} TIME_WAIT", waiting.local, waiting.remote)
            }
            None => String::from("no socket"),
        }
    }

    /// The socket's own address (getsockname(2)).
    pub fn local_addr(&self, id: SocketId) -> Result<SocketAddr> {
        match self.slab.get(id) {
            Some(Entry::Tcp(connection)) => Ok(shown(connection.local, connection.domain)),
            Some(Entry::Udp(socket)) => Ok(shown(socket.local, socket.domain)),
            _ => Err(Errno::EBADF),
        }
    }

    /// The peer's address (getpeername(2)): `ENOTCONN` without one.
    pub fn peer_addr(&self, id: SocketId) -> Result<SocketAddr> {
        match self.slab.get(id) {
            Some(Entry::Tcp(connection)) => match connection.state {
                State::Closed | State::SynSent | State::Listen => Err(Errno::ENOTCONN),
                _ => Ok(shown(connection.remote, connection.domain)),
            },
            Some(Entry::Udp(socket)) => {
                socket.remote.map(|remote| shown(remote, socket.domain)).ok_or(Errno::ENOTCONN)
            }
            _ => Err(Errno::EBADF),
        }
    }

    /// How many bytes can be read now (`FIONREAD`): of a datagram socket, those of its first datagram.
    pub fn readable_bytes(&self, id: SocketId) -> Result<usize> {
        match self.slab.get(id) {
            Some(Entry::Tcp(connection)) if connection.state == State::Listen => Err(Errno::EINVAL),
            Some(Entry::Tcp(connection)) => Ok(connection.rcv.buffer.len()),
            Some(Entry::Udp(socket)) => Ok(socket.first_len()),
            _ => Err(Errno::EBADF),
        }
    }

    /// How many bytes of a stream its peer has not acknowledged (`SIOCOUTQ`); `EINVAL` for a listener. A datagram is with
    /// the network at once.
    pub fn unsent_bytes(&self, id: SocketId) -> Result<usize> {
        match self.slab.get(id) {
            Some(Entry::Tcp(connection)) if connection.state == State::Listen => Err(Errno::EINVAL),
            Some(Entry::Tcp(connection)) => Ok(connection.snd.buffer.len()),
            Some(Entry::Udp(_)) => Ok(0),
            _ => Err(Errno::EBADF),
        }
    }

    /// What the socket is ready for now (poll(2)). Nothing for one that is gone.
    #[inline]
    #[must_use]
    pub fn readiness(&self, id: SocketId) -> Readiness {
        match self.slab.get(id) {
            Some(Entry::Tcp(connection)) => connection.readiness(),
            Some(Entry::Udp(socket)) => socket.readiness(),
            _ => Readiness::NONE,
        }
    }
}
