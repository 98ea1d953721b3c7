//! Datagram sockets (RFC 768, udp(7)).
//!
//! A datagram is delivered whole or not at all. A full receive buffer loses it silently. A closed port
//! is reported to the sender only if it is connected to it, once, by its next send or receive.

use crate::address::{any, shown};
use crate::packet::{Ends, Flow};
use crate::payload::Payload;
use crate::stack::{Binding, Io, Options, SocketId};
use crate::tcp::Shut;
use sim_core::backend::{Control, Domain, Readiness, Received, RecvFlags, Shutdown};
use sim_core::{Errno, Result};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// The longest payload over IPv4: 65,535 less the headers of IP and UDP.
pub(crate) const MAX_V4_BYTES: usize = 65_507;
/// The longest payload over IPv6, whose length does not count its own header.
pub(crate) const MAX_V6_BYTES: usize = 65_527;
/// What each waiting datagram takes of the receive buffer besides its payload.
const OVERHEAD_BYTES: usize = 768;

/// A datagram that waits to be received.
#[derive(Debug)]
struct Waiting {
    payload: Payload,
    from: SocketAddr,
    /// The host's own address that it was sent to.
    to: IpAddr,
    class: u8,
}

/// A way that a socket's datagrams take.
#[derive(Debug)]
pub(crate) struct Way {
    /// What the program named.
    pub(crate) to: SocketAddr,
    /// From where to where.
    pub(crate) ends: Ends,
    /// Whether that is on this host.
    pub(crate) on_host: bool,
}

/// A datagram socket.
#[derive(Debug)]
pub(crate) struct Datagrams {
    id: SocketId,
    pub(crate) domain: Domain,
    pub(crate) flow: Flow,
    pub(crate) local: SocketAddr,
    pub(crate) remote: Option<SocketAddr>,
    /// The way of the latest datagram sent to an address; forgotten when anything changes that it depends on.
    pub(crate) way: Option<Way>,
    pub(crate) options: Options,
    pub(crate) binding: Binding,
    pub(crate) error: Option<Errno>,
    pub(crate) shut: Shut,
    queue: VecDeque<Waiting>,
    /// What the queue takes of the receive buffer.
    queued_bytes: usize,
}

impl Datagrams {
    pub(crate) fn new(id: SocketId, domain: Domain, flow: Flow, options: Options) -> Self {
        Self {
            id,
            domain,
            flow,
            local: SocketAddr::new(any(domain), 0),
            remote: None,
            way: None,
            options,
            binding: Binding::default(),
            error: None,
            shut: Shut::default(),
            queue: VecDeque::new(),
            queued_bytes: 0,
        }
    }

    /// What the socket is ready for now: the rules of datagram_poll. There is always room to send.
    pub(crate) fn readiness(&self) -> Readiness {
        let mut ready = Readiness::OUT;
        if self.error.is_some() {
            ready |= Readiness::ERR;
        }
        if self.shut.read {
            ready |= Readiness::READ;
        }
        if self.shut == Shut::BOTH {
            ready |= Readiness::HUP;
        }
        if !self.queue.is_empty() {
            ready |= Readiness::IN;
        }
        ready
    }

    /// The length of the first datagram, 0 if there is none.
    pub(crate) fn first_len(&self) -> usize {
        self.queue.front().map_or(0, |waiting| waiting.payload.len())
    }

    /// Takes in an arriving datagram, if there is room.
    #[inline]
    pub(crate) fn take(&mut self, io: &mut Io, ends: &Ends, class: u8, payload: Payload) {
        let charge = payload.len() + OVERHEAD_BYTES;
        if !self.queue.is_empty()
            && self.queued_bytes + charge > self.options.receive_buffer as usize
        {
            return;
        }
        self.queued_bytes += charge;
        let (from, to) = (ends.src(), ends.dst().ip());
        self.queue.push_back(Waiting { payload, from, to, class });
        io.out.ready.push((self.id, Readiness::IN));
    }

    /// What the program asked to be told of the first datagram.
    pub(crate) fn told(&self) -> Vec<Control> {
        let told = self
            .queue
            .front()
            .map(|waiting| self.options.rare.told(self.domain, waiting.to, waiting.class));
        told.unwrap_or_default()
    }

    /// The connected peer's port is closed.
    pub(crate) fn refused(&mut self, io: &mut Io) {
        self.error = Some(Errno::ECONNREFUSED);
        io.out.ready.push((self.id, Readiness::ERR));
    }

    /// Takes out the first datagram; what does not fit is discarded (recv(2)).
    #[inline]
    pub(crate) fn recv(&mut self, into: &mut [u8], flags: RecvFlags) -> Result<Received> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let Some(Waiting { payload, from, .. }) = self.queue.front() else {
            return Err(Errno::EAGAIN);
        };
        let copied = payload.len().min(into.len());
        into[..copied].copy_from_slice(&payload[..copied]);
        let len = if flags.whole_len { payload.len() } else { copied };
        let received =
            Received { len, from: shown(*from, self.domain), truncated: copied < payload.len() };
        if !flags.peek {
            self.queued_bytes -= payload.len() + OVERHEAD_BYTES;
            self.queue.pop_front();
        }
        Ok(received)
    }

    /// Shuts one or both directions. Linux marks an unconnected socket too, and answers `ENOTCONN`.
    pub(crate) fn shutdown(&mut self, io: &mut Io, how: Shutdown) -> Result<()> {
        self.shut.read |= how != Shutdown::Write;
        self.shut.write |= how != Shutdown::Read;
        io.out.ready.push((self.id, self.readiness()));
        if self.remote.is_some() { Ok(()) } else { Err(Errno::ENOTCONN) }
    }

    /// One line for a report.
    pub(crate) fn describe(&self) -> String {
        match self.remote {
            Some(remote) => format!("udp {} -> {remote}", self.local),
            None => format!("udp {}", self.local),
        }
    }
}
