//! The Unix sockets of one host (unix(7)): streams, datagrams, and connections of messages.
//!
//! They live in one kernel, so there is no network between them: what one sends is in the other's queue before the
//! call returns, in order, and nothing is lost. What remains are names, queues with bounds, and ends.
//!
//! ```text
//! unconnected ──listen──▶ listening          (a listener's queue holds sockets whose peers are connected already)
//!      │
//!      └──connect, pair──▶ connected ──peer closed──▶ connected, both directions shut
//! ```
//!
//! - The room of a stream is its sender's: what a socket has sent and nobody has read counts against its own send
//!   buffer, at what it takes in a kernel (`queue`).
//! - A datagram socket's queue holds 11 messages of senders that it is not connected to (`max_dgram_qlen`).
//! - Descriptors travel as [`Passed`] numbers, which mean something to the world alone. Whoever drains
//!   [`UnixSockets::out`] gives up those that nobody will receive.
//! - Never: a message lost, doubled or out of order; an event for a socket that is gone; a descriptor that travels
//!   and is neither received nor given up.
//!
//! Which inode a path names is the world's to know: it binds a socket to the inode it has made, and finds it by that.

mod connect;
mod options;
mod queue;
mod report;
mod transfer;

#[cfg(test)]
mod tests;

pub use transfer::{UnixReceived, UnixSend};

use crate::tcp::Shut;
use queue::Message;
use sim_core::backend::{Credentials, Readiness, SocketKind, UnixName};
use sim_core::{Errno, Result};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A descriptor under way, by a number of the world's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed(pub u64);

/// A Unix socket of one host: its place, and the generation of that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixId {
    index: u32,
    generation: u32,
}

impl UnixId {
    /// Its place.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

/// What calls have brought about, to be drained after each.
#[derive(Debug, Default)]
pub struct UnixOut {
    /// Events at sockets: what Linux would wake the wait queue with.
    pub ready: Vec<(UnixId, Readiness)>,
    /// Descriptors that were under way and will not be received.
    pub dropped: Vec<Passed>,
}

/// How far a socket is.
#[derive(Debug)]
enum State {
    Unconnected,
    Listening(Listener),
    Connected,
}

#[derive(Debug)]
struct Listener {
    backlog: usize,
    /// Connected sockets that nobody has accepted yet.
    queue: VecDeque<UnixId>,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    send_buffer: u32,
    receive_buffer: u32,
    pass_credentials: bool,
    reuse_addr: bool,
    keep_alive: bool,
    broadcast: bool,
    linger: Option<Duration>,
}

#[derive(Debug)]
struct Socket {
    kind: SocketKind,
    state: State,
    name: UnixName,
    /// The inode that its path was bound to.
    inode: Option<u64>,
    /// Whom it is connected to, perhaps gone by now.
    peer: Option<UnixId>,
    /// What that one was called.
    peer_name: UnixName,
    credentials: Credentials,
    peer_credentials: Credentials,
    shut: Shut,
    error: Option<Errno>,
    queue: VecDeque<Message>,
    /// What of its own messages is under way, as it counts against its send buffer.
    sent: u32,
    options: Options,
    /// Sockets that were told to try again because this one's queue was full.
    waiting: Vec<UnixId>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    socket: Option<Socket>,
}

/// One host's Unix sockets.
#[derive(Debug, Default)]
pub struct UnixSockets {
    slots: Vec<Slot>,
    free: Vec<u32>,
    abstract_names: BTreeMap<UnixName, UnixId>,
    inodes: BTreeMap<u64, UnixId>,
    /// The number in the next name given to a socket that asked for any.
    next_name: u32,
    out: UnixOut,
}

impl UnixSockets {
    /// What the calls have brought about since it was last drained.
    pub fn out(&mut self) -> &mut UnixOut {
        &mut self.out
    }

    /// Creates a socket (socket(2)) of a process with these credentials.
    pub fn socket(&mut self, kind: SocketKind, credentials: Credentials) -> UnixId {
        self.insert(Socket {
            kind,
            state: State::Unconnected,
            name: UnixName::UNNAMED,
            inode: None,
            peer: None,
            peer_name: UnixName::UNNAMED,
            credentials,
            peer_credentials: Credentials::NOBODY,
            shut: Shut::default(),
            error: None,
            queue: VecDeque::new(),
            sent: 0,
            options: Options {
                send_buffer: queue::BUFFER_BYTES,
                receive_buffer: queue::BUFFER_BYTES,
                pass_credentials: false,
                reuse_addr: false,
                keep_alive: false,
                broadcast: false,
                linger: None,
            },
            waiting: Vec::new(),
        })
    }

    /// Creates two sockets that are connected with each other (socketpair(2)).
    pub fn pair(&mut self, kind: SocketKind, credentials: Credentials) -> (UnixId, UnixId) {
        let (a, b) = (self.socket(kind, credentials), self.socket(kind, credentials));
        for (own, peer) in [(a, b), (b, a)] {
            let socket = self.get_mut(own).expect("it was just made");
            (socket.state, socket.peer) = (State::Connected, Some(peer));
            socket.peer_credentials = credentials;
        }
        (a, b)
    }

    /// The host loses power: every socket vanishes, and nobody is told.
    pub fn power_off(&mut self) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.socket.take().is_some() {
                slot.generation = slot.generation.wrapping_add(1);
                self.free.push(index as u32);
            }
        }
        self.abstract_names.clear();
        self.inodes.clear();
        self.out.ready.clear();
        self.out.dropped.clear();
    }

    fn insert(&mut self, socket: Socket) -> UnixId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, socket: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        slot.socket = Some(socket);
        UnixId { index, generation: slot.generation }
    }

    fn remove(&mut self, id: UnixId) -> Option<Socket> {
        let slot = self.slots.get_mut(id.index())?;
        if slot.generation != id.generation {
            return None;
        }
        let socket = slot.socket.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        Some(socket)
    }

    fn find(&self, id: UnixId) -> Option<&Socket> {
        let slot = self.slots.get(id.index())?;
        if slot.generation == id.generation { slot.socket.as_ref() } else { None }
    }

    fn get(&self, id: UnixId) -> Result<&Socket> {
        self.find(id).ok_or(Errno::EBADF)
    }

    fn get_mut(&mut self, id: UnixId) -> Result<&mut Socket> {
        let slot = self.slots.get_mut(id.index()).ok_or(Errno::EBADF)?;
        if slot.generation == id.generation { slot.socket.as_mut() } else { None }
            .ok_or(Errno::EBADF)
    }

    /// Notes that a socket's state has changed: whoever waits for it looks at it as it is now.
    fn changed(&mut self, id: UnixId) {
        let ready = self.readiness(id);
        self.out.ready.push((id, ready));
    }
}
