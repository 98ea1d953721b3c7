//! What a report or a test wants to know of a stack.

use super::table::Entry;
use super::{SocketId, Stack};
use crate::tcp::State;
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

impl Stack {
    /// Every TCP connection and listener, in order of places; closed sockets are left out.
    #[must_use]
    pub fn connections(&self) -> Vec<Connection> {
        let entries = self.slab.iter().filter_map(|(id, entry)| match entry {
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

    /// How many sockets, connections nobody holds and entries in TIME_WAIT there are.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.slab.iter().count()
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
}
