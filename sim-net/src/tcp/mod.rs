//! One TCP connection (RFC 9293, tcp(7)).
//!
//! ```text
//!                    CLOSED
//!        listen        |         connect: SYN
//!      +---------------+----------------+
//!      v                                v
//!    LISTEN --SYN: SYN-ACK--> SYN_RECV <--SYN: SYN-ACK-- SYN_SENT
//!                                |  ACK                    | SYN-ACK: ACK
//!                                +--------> ESTABLISHED <--+
//!                shutdown or close: FIN    |           |  FIN: ACK
//!                 +------------------------+           +---------+
//!                 v                                              v
//!             FIN_WAIT1 --FIN: ACK--> CLOSING                CLOSE_WAIT
//!                 | ACK                  | ACK                   | shutdown or close: FIN
//!                 v                      v                       v
//!             FIN_WAIT2 --FIN: ACK--> TIME_WAIT --60 s--> CLOSED <--ACK-- LAST_ACK
//! ```
//! A reset, a timeout or an error leads to CLOSED from anywhere.
//!
//! - A listener makes the connection as soon as a SYN arrives; its program sees it when the handshake
//!   is complete.
//! - When TIME_WAIT begins, the program's socket is CLOSED; what stays is an entry of the stack
//!   that holds the two addresses, as on Linux.
//! - A connection outlives its descriptor (`Owner::Nobody`) until the peer has all data and the FIN.
//!
//! What may never happen: a byte acknowledged that was not put into the receive buffer; the right
//! edge of the window going back; an error reported twice.

mod close;
mod handshake;
mod input;
mod receive;
mod send;
mod state;
mod timers;

pub use state::State;

pub(crate) use handshake::{Listener, Progress};
pub(crate) use receive::data_capacity;
pub(crate) use state::Duty;

use crate::packet::{Body, Ends, Flags, Flow, Segment};
use crate::payload::Payload;
use crate::stack::{Binding, Io, Options, Owner, SocketId};
use receive::Receiving;
use send::Sending;
use sim_core::backend::{Domain, Readiness};
use sim_core::{Env, Errno};
use sim_time::Instant;
use std::net::SocketAddr;
use timers::Timers;

/// Which directions the program, the peer or an error has shut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shut {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Shut {
    pub(crate) const BOTH: Self = Self { read: true, write: true };
}

/// The lines of the cache at the head of a [`Connection`] that a segment touches.
pub(crate) const HOT_LINES: usize = 10;

/// A stream socket and its connection.
///
/// In the order in which it stands here: what every segment touches comes first, together, since a world of many hosts finds
/// most of its connections outside the processor's nearest caches.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Connection {
    pub(crate) id: SocketId,
    pub(crate) owner: Owner,
    pub(crate) state: State,
    /// How far connect(2) has come, apart from the state.
    pub(crate) progress: Progress,
    /// Whether the peer is on the same host.
    pub(crate) on_host: bool,
    /// The peer's FIN was received in order.
    pub(crate) ended: bool,
    pub(crate) shut: Shut,
    /// The error to be reported next (`sk_err`).
    pub(crate) error: Option<Errno>,
    /// The two addresses as packets have them; right while the connection is paired.
    pub(crate) ends: Ends,
    pub(crate) timers: Timers,
    pub(crate) snd: Sending,
    pub(crate) rcv: Receiving,
    pub(crate) flow: Flow,
    pub(crate) options: Options,
    pub(crate) binding: Binding,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) domain: Domain,
    /// Before then, no segment that makes no sense is answered again.
    pub(crate) quiet_until: Instant,
    pub(crate) listener: Option<Box<Listener>>,
}

impl Connection {
    /// A socket without an address.
    pub(crate) fn new(
        id: SocketId,
        domain: Domain,
        flow: Flow,
        owner: Owner,
        options: Options,
    ) -> Self {
        let nowhere = SocketAddr::new(crate::address::any(domain), 0);
        Self {
            id,
            domain,
            flow,
            local: nowhere,
            remote: nowhere,
            ends: Ends::new(nowhere, nowhere),
            on_host: false,
            state: State::Closed,
            owner,
            options,
            binding: Binding::default(),
            progress: Progress::Unconnected,
            error: None,
            shut: Shut::default(),
            ended: false,
            quiet_until: Instant::ZERO,
            listener: None,
            snd: Sending::new(),
            rcv: Receiving::new(),
            timers: Timers::new(),
        }
    }

    /// Gives the connection its two ends, with which it enters the table of connections.
    pub(crate) fn pair(&mut self, local: SocketAddr, remote: SocketAddr) {
        (self.local, self.remote, self.ends) = (local, remote, Ends::new(local, remote));
        self.binding.paired = true;
    }

    /// What the socket is ready for now: the rules of tcp_poll.
    #[inline]
    pub(crate) fn readiness(&self) -> Readiness {
        if self.state == State::Listen {
            let waits = self.listener.as_ref().is_some_and(|listener| !listener.queue.is_empty());
            return if waits { Readiness::IN } else { Readiness::NONE };
        }
        let mut ready = Readiness::NONE;
        if self.shut == Shut::BOTH || self.state == State::Closed {
            ready |= Readiness::HUP;
        }
        if self.shut.read {
            ready |= Readiness::READ;
        }
        if self.state != State::SynSent {
            ready |= self.data_readiness();
        }
        if self.error.is_some() {
            ready |= Readiness::ERR;
        }
        ready
    }

    #[inline]
    fn data_readiness(&self) -> Readiness {
        let readable = if self.rcv.buffer.len() > 0 { Readiness::IN } else { Readiness::NONE };
        if self.shut.write || self.is_writable() {
            return readable | Readiness::OUT;
        }
        self.snd.wants_room.set(true);
        readable
    }

    /// Reports an event to whoever waits at the program's descriptor.
    #[inline]
    pub(crate) fn wake(&self, io: &mut Io, event: Readiness) {
        if self.owner == Owner::Program {
            io.out.ready.push((self.id, event));
        }
    }

    /// Reports a change of state: Linux wakes every waiter then, whatever it waits for.
    pub(crate) fn wake_all(&self, io: &mut Io) {
        self.wake(io, self.readiness());
    }

    /// Sends a segment. One that acknowledges settles what was to be acknowledged.
    pub(crate) fn emit(
        &mut self,
        env: &mut Env,
        io: &mut Io,
        seq: u64,
        flags: Flags,
        payload: Payload,
    ) {
        self.emit_here(env, io, seq, flags, payload);
    }

    /// As [`Connection::emit`], inlined by force: for new data, which most segments carry.
    #[inline(always)]
    pub(crate) fn emit_here(
        &mut self,
        env: &mut Env,
        io: &mut Io,
        seq: u64,
        flags: Flags,
        payload: Payload,
    ) {
        let (ack, window) = if flags.contains(Flags::ACK) {
            let capacity = data_capacity(self.options.receive_buffer);
            let window = self.rcv.tell_window(capacity, self.snd.mss);
            self.ack_sent();
            (self.rcv.nxt, window)
        } else {
            (0, data_capacity(self.options.receive_buffer))
        };
        let body = Body::Tcp(Segment { seq, ack, window, flags, payload });
        io.emit(env, Some(self.id), &mut self.flow, self.ends.clone(), self.on_host, body);
    }

    /// Sends an acknowledgement without data.
    pub(crate) fn acknowledge(&mut self, env: &mut Env, io: &mut Io) {
        self.emit(env, io, self.snd.nxt, Flags::ACK, Payload::new());
    }

    /// One line for a report.
    pub(crate) fn describe(&self) -> String {
        match self.state {
            State::Listen => format!("tcp {} LISTEN", self.local),
            State::Closed => format!("tcp {} CLOSE", self.local),
            state => format!("tcp {} -> {} {}", self.local, self.remote, state.name()),
        }
    }
}
