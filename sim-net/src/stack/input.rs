//! Who gets an arriving packet (RFC 9293 section 3.10.7, RFC 1122 section 4.1).

use super::table::{Entry, pair_hash};
use super::{Owner, SocketId, Stack, is_local};
use crate::address::is_broadcast;
use crate::packet::{Body, Flags, Flow, Packet, Segment};
use crate::payload::Payload;
use crate::tcp::{Connection, State};
use sim_core::Env;
use sim_core::choice::Path;
use sim_core::trace::Kind;
use std::net::SocketAddr;

/// The two ends of an arriving packet, as this host sees them, and the sender's flow.
#[derive(Clone, Copy)]
struct Arrival {
    local: SocketAddr,
    remote: SocketAddr,
    flow: Path,
    ordinal: u32,
}

impl Arrival {
    #[inline]
    fn of(packet: &Packet) -> Self {
        let (local, remote) = (packet.ends.dst(), packet.ends.src());
        Self { local, remote, flow: packet.flow, ordinal: packet.ordinal }
    }
}

/// Notes that a packet has arrived.
#[inline]
pub(super) fn note_arrival(env: &mut Env, packet: &Packet) {
    let (ordinal, len) = (u64::from(packet.ordinal), packet.body.len() as u64);
    env.event(Kind::Deliver, packet.flow, ordinal, len, 0);
}

impl Stack<'_> {
    /// Delivers what this host has sent to itself, and what it answers itself, until nothing is left.
    #[inline]
    pub(super) fn deliver_local(&mut self, env: &mut Env) {
        if !self.io.local.is_empty() {
            self.deliver_all(env);
        }
    }

    fn deliver_all(&mut self, env: &mut Env) {
        while let Some(mut packet) = self.io.local.pop_front() {
            note_arrival(env, &packet);
            self.take(env, &mut packet);
            self.io.recycle(packet);
        }
    }

    /// Hands an arrival to whom it is for.
    pub(super) fn take(&mut self, env: &mut Env, packet: &mut Packet) {
        match &mut packet.body {
            Body::Tcp(segment) => {
                match self.slab.connection_at(self.own.host, packet.peer_place, &packet.ends) {
                    Some((id, connection)) if !matches!(connection.owner, Owner::Listener(_)) => {
                        let duty = connection.segment(env, self.io, segment);
                        self.settle(env, id, duty);
                    }
                    _ => self.find_segment(env, packet),
                }
            }
            Body::Udp(..) => self.datagram(env, packet),
            Body::Unreachable { from, to } => self.port_unreachable(*from, *to),
        }
    }

    /// A segment whose sender does not know where it belongs.
    fn find_segment(&mut self, env: &mut Env, packet: &mut Packet) {
        let arrival = Arrival::of(packet);
        let Body::Tcp(segment) = &mut packet.body else {
            unreachable!("nothing but a segment is for a connection");
        };
        let mut segment = segment.hand_over();
        let Some(id) = self.tables.pairs.find(self.slab, &arrival.local, &arrival.remote) else {
            return self.stray_segment(env, arrival, segment);
        };
        match self.slab.get_mut(id) {
            Some(Entry::Tcp(connection)) => {
                connection.flow.peer_place = packet.place;
                if let Owner::Listener(parent) = connection.owner {
                    return self.half_open(env, id, parent, arrival, segment);
                }
                let duty = connection.segment(env, self.io, &mut segment);
                self.settle(env, id, duty);
            }
            Some(Entry::TimeWait(_)) => self.in_time_wait(env, id, arrival, segment),
            _ => unreachable!("the table of connections holds nothing else"),
        }
    }

    /// A segment for a connection whose handshake goes on.
    fn half_open(
        &mut self,
        env: &mut Env,
        id: SocketId,
        parent: SocketId,
        arrival: Arrival,
        segment: Segment,
    ) {
        if self.may_complete(env, id, parent, arrival, &segment)
            && let Ok(connection) = self.slab.tcp(id)
        {
            let mut segment = segment;
            let duty = connection.segment(env, self.io, &mut segment);
            self.settle(env, id, duty);
        }
    }

    /// Whether a half-open connection may go on: its listener still listens, and has room for it.
    /// Without room the acknowledgement is ignored, and the peer's next segment tries again (listen(2)).
    fn may_complete(
        &mut self,
        env: &mut Env,
        id: SocketId,
        parent: SocketId,
        at: Arrival,
        segment: &Segment,
    ) -> bool {
        let listener = self.slab.tcp(parent).ok().and_then(|parent| parent.listener.as_deref());
        let Some(listener) = listener else {
            if let Ok(connection) = self.slab.tcp(id) {
                let duty = connection.vanish(self.io);
                self.settle(env, id, duty);
            }
            self.reset_stray(env, at, segment);
            return false;
        };
        let completes = segment.flags.contains(Flags::ACK) && !segment.flags.contains(Flags::RST);
        !(completes && listener.is_full())
    }

    /// A segment of no connection: for a listener, or to be answered with a reset.
    fn stray_segment(&mut self, env: &mut Env, arrival: Arrival, segment: Segment) {
        if !is_local(&self.own.addrs, arrival.local.ip()) {
            return;
        }
        let listener = self.listener_for(arrival);
        match (listener, segment.flags) {
            (_, flags) if flags.contains(Flags::RST) => {}
            (Some(listener), Flags::SYN) => self.syn(env, arrival, listener, &segment, 0),
            (Some(_), flags) if !flags.contains(Flags::ACK) => {}
            _ => self.reset_stray(env, arrival, &segment),
        }
    }

    /// The listener for the arrival's address: one bound to it before one bound to the wildcard.
    /// Of several that share it by `SO_REUSEPORT`, the pair of addresses chooses.
    fn listener_for(&self, arrival: Arrival) -> Option<SocketId> {
        let sockets = self.tables.tcp_ports.open_on(arrival.local.port());
        let score = |id: SocketId| match self.slab.get(id) {
            Some(Entry::Tcp(listener)) if listener.state == State::Listen => address_score(
                &listener.local,
                &arrival.local,
                listener.binding.class.is_some_and(|class| class.dual),
            ),
            _ => 0,
        };
        let best = sockets.iter().map(|&id| score(id)).max().filter(|&best| best > 0)?;
        let count = sockets.iter().filter(|&&id| score(id) == best).count() as u64;
        let chosen =
            if count == 1 { 0 } else { pair_hash(&arrival.local, &arrival.remote) % count };
        sockets.iter().copied().filter(|&id| score(id) == best).nth(chosen as usize)
    }

    /// A SYN for a listener: a new connection, unless too many wait already.
    fn syn(
        &mut self,
        env: &mut Env,
        arrival: Arrival,
        parent: SocketId,
        syn: &Segment,
        floor: u64,
    ) {
        let Ok(listener) = self.slab.tcp(parent) else { return };
        if listener.listener.as_ref().is_none_or(|listener| listener.is_full()) {
            return;
        }
        let (domain, options) = (listener.domain, listener.inherited());
        let path = arrival.flow.child("peer", arrival.ordinal);
        env.choices.names.note(path, arrival.flow, "peer", arrival.ordinal);
        let flow = Flow::new(path);
        let id = self.slab.insert(self.own.host, |id| {
            Entry::Tcp(Box::new(Connection::new(
                id,
                domain,
                flow,
                Owner::Listener(parent),
                options,
            )))
        });
        self.tables.pairs.insert(id, &arrival.local, &arrival.remote);
        let on_host = is_local(&self.own.addrs, arrival.remote.ip());
        let iss = env.now.as_nanos().max(floor);
        if let Some(Entry::Tcp(connection)) = self.slab.get_mut(id) {
            connection.pair(arrival.local, arrival.remote);
            connection.on_host = on_host;
            connection.answer_syn(env, self.io, syn, iss);
        }
    }

    /// Answers a segment that belongs to nothing (RFC 9293, section 3.5.2, group 1).
    fn reset_stray(&mut self, env: &mut Env, arrival: Arrival, segment: &Segment) {
        if segment.flags.contains(Flags::RST) {
            return;
        }
        let reply = match segment.flags.contains(Flags::ACK) {
            true => Segment {
                seq: segment.ack,
                ack: 0,
                window: 0,
                flags: Flags::RST,
                payload: Payload::new(),
            },
            false => {
                let ack = segment.seq + segment.seq_len();
                Segment {
                    seq: 0,
                    ack,
                    window: 0,
                    flags: Flags::RST | Flags::ACK,
                    payload: Payload::new(),
                }
            }
        };
        self.answer(env, arrival, Body::Tcp(reply));
    }

    /// Sends an answer of the kernel's own.
    fn answer(&mut self, env: &mut Env, arrival: Arrival, body: Body) {
        let on_host = is_local(&self.own.addrs, arrival.remote.ip());
        let flow = self.tables.kernel_flow(self.own.path);
        self.io.emit_kernel(env, flow, (arrival.local, arrival.remote), on_host, body);
    }

    /// A segment for a connection in TIME_WAIT (RFC 9293 section 3.10.7.4, RFC 1122 section 4.2.2.13).
    fn in_time_wait(&mut self, env: &mut Env, id: SocketId, arrival: Arrival, segment: Segment) {
        let Some(Entry::TimeWait(waiting)) = self.slab.get_mut(id) else { return };
        if segment.flags.contains(Flags::RST) {
            if segment.seq == waiting.rcv_nxt {
                self.end_time_wait(id);
            }
            return;
        }
        if segment.flags == Flags::SYN && segment.seq > waiting.rcv_nxt {
            // The old connection's segments can be told from the new one's, so the address need not wait.
            let floor = self.end_time_wait(id) + 65_537;
            match self.listener_for(arrival) {
                Some(listener) => self.syn(env, arrival, listener, &segment, floor),
                None => self.reset_stray(env, arrival, &segment),
            }
            return;
        }
        if segment.seq_len() > 0 || segment.seq < waiting.rcv_nxt {
            let (seq, ack, window) = (waiting.snd_nxt, waiting.rcv_nxt, waiting.window);
            if segment.flags.contains(Flags::FIN) {
                waiting.until = env.now.saturating_add_nanos(super::life::TIME_WAIT_NS);
            }
            let reply = Segment { seq, ack, window, flags: Flags::ACK, payload: Payload::new() };
            self.answer(env, arrival, Body::Tcp(reply));
        }
    }

    #[inline]
    fn datagram(&mut self, env: &mut Env, packet: &mut Packet) {
        if !is_local(&self.own.addrs, packet.ends.dst().ip()) {
            return;
        }
        let arrival = Arrival::of(packet);
        if let Some(id) = self.receiver_of(&arrival) {
            if let (Some(Entry::Udp(socket)), Body::Udp(payload, class)) =
                (self.slab.get_mut(id), &mut packet.body)
            {
                let payload = payload.hand_over();
                socket.take(self.io, &packet.ends, *class, payload);
            }
        } else if !arrival.local.ip().is_multicast() && !is_broadcast(arrival.local.ip()) {
            self.answer(
                env,
                arrival,
                Body::Unreachable { from: arrival.remote, to: arrival.local },
            );
        }
    }

    /// The socket for a datagram: connected to its sender, else bound to its address, else to the
    /// wildcard; among equals the one bound last, or the one the addresses choose of those that share the port.
    #[inline]
    fn receiver_of(&self, arrival: &Arrival) -> Option<SocketId> {
        let sockets = self.tables.udp_ports.open_on(arrival.local.port());
        if let [only] = *sockets {
            return (self.score_for(only, arrival) > 0).then_some(only);
        }
        self.best_of(sockets, arrival)
    }

    /// How well a datagram socket fits an arrival on its port: 0 not at all.
    #[inline]
    fn score_for(&self, id: SocketId, arrival: &Arrival) -> u32 {
        match self.slab.get(id) {
            Some(Entry::Udp(socket)) => match socket.remote {
                Some(remote) if remote != arrival.remote => 0,
                remote => {
                    let dual = socket.binding.class.is_some_and(|class| class.dual);
                    let by_address = address_score(&socket.local, &arrival.local, dual);
                    if by_address == 0 { 0 } else { by_address + 2 * u32::from(remote.is_some()) }
                }
            },
            _ => 0,
        }
    }

    fn best_of(&self, sockets: &[SocketId], arrival: &Arrival) -> Option<SocketId> {
        let score = |id| self.score_for(id, arrival);
        let best = sockets.iter().map(|&id| score(id)).max().filter(|&best| best > 0)?;
        let equals = || sockets.iter().rev().copied().filter(|&id| score(id) == best);
        let last = equals().next()?;
        let shared =
            matches!(self.slab.get(last), Some(Entry::Udp(socket)) if socket.options.reuse_port);
        if !shared {
            return Some(last);
        }
        let chosen = pair_hash(&arrival.local, &arrival.remote) % equals().count() as u64;
        equals().nth(chosen as usize)
    }

    /// A datagram found nobody: its sender learns of it if it is connected to that address (udp(7)).
    fn port_unreachable(&mut self, from: SocketAddr, to: SocketAddr) {
        let sockets = self.tables.udp_ports.open_on(from.port());
        let sender = sockets.iter().copied().find(|&id| match self.slab.get(id) {
            Some(Entry::Udp(socket)) => socket.remote == Some(to) && socket.local == from,
            _ => false,
        });
        if let Some(id) = sender
            && let Some(Entry::Udp(socket)) = self.slab.get_mut(id)
        {
            socket.refused(self.io);
        }
    }
}

/// How well a socket bound to `bound` fits an arrival at `at`, both on the same port: 0 not at all.
fn address_score(bound: &SocketAddr, at: &SocketAddr, dual: bool) -> u32 {
    let wildcard = bound.ip().is_unspecified() && (bound.is_ipv4() == at.is_ipv4() || dual);
    if bound.ip() == at.ip() {
        2
    } else if wildcard {
        1
    } else {
        0
    }
}
