//! What a socket's machine may touch outside itself: where packets go, and what the caller is told.
//!
//! There is one for all stacks of a world. Nothing of it is any host's: a call leaves its packets and reports here, and the
//! caller carries them on before it calls another stack; boxes of packets are filled again whoever sends.

use super::SocketId;
use crate::buffer::Pool;
use crate::packet::{Body, Ends, Flow, NO_PLACE, Packet};
use sim_core::Env;
use sim_core::backend::Readiness;
use sim_core::trace::{Kind, payload_hash};
use sim_time::Instant;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// What the calls since the last look have brought about. The caller drains it after every call and
/// gives the emptied vectors back, so that they are allocated once.
#[derive(Debug, Default)]
pub struct Out {
    /// Packets for other hosts, in the order in which they were sent, each with the socket whose flow
    /// decides its fate: [`Stack::flow`](super::Stack::flow).
    /// A packet is handed on by its box: it is too large to be moved from queue to queue.
    pub packets: Vec<(Option<SocketId>, Box<Packet>)>,
    /// Events at sockets that a program holds: what Linux would wake the wait queue with. Whether the
    /// socket is still ready is another question: [`Stacks::readiness`](super::Stacks::readiness).
    pub ready: Vec<(SocketId, Readiness)>,
    /// Instants at which [`Stack::timer`](super::Stack::timer) is to be called. None is ever taken back.
    pub timers: Vec<(SocketId, Instant)>,
}

impl Out {
    /// Whether there is nothing to drain.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets.len() | self.ready.len() | self.timers.len() == 0
    }
}

/// So many boxes are kept for packets to come: more than most worlds have under way at once.
const SPARE_MAX: usize = 4096;

/// What is lent to a socket's machine.
#[derive(Debug, Default)]
pub(crate) struct Io {
    pub(crate) out: Out,
    /// Packets to the calling host's own addresses, to be delivered before the call returns.
    pub(crate) local: VecDeque<Box<Packet>>,
    /// Boxes of packets that have arrived, to be filled again.
    #[expect(clippy::vec_box, reason = "it is the boxes that are used again")]
    pub(crate) spare: Vec<Box<Packet>>,
    pub(crate) pool: Pool,
}

impl Io {
    /// Sends a packet of a socket. Inlined by force: a packet is large, and is built where it will stand.
    #[inline(always)]
    pub(crate) fn emit(
        &mut self,
        env: &mut Env,
        id: Option<SocketId>,
        flow: &mut Flow,
        ends: Ends,
        on_host: bool,
        body: Body,
    ) {
        let ordinal = flow.ordinal;
        flow.ordinal = ordinal.wrapping_add(1);
        let payload = body.payload();
        env.event(
            Kind::Send,
            flow.path,
            u64::from(ordinal),
            payload.len() as u64,
            payload_hash(payload),
        );
        let path = flow.path;
        let place = id.map_or(NO_PLACE, |id| id.index() as u32);
        let peer_place = flow.peer_place;
        let packet = match self.spare.pop() {
            Some(mut packet) => {
                // Field by field, so that the packet is built where it will stand.
                packet.ends = ends;
                (packet.flow, packet.ordinal) = (path, ordinal);
                (packet.place, packet.peer_place) = (place, peer_place);
                packet.body = body;
                packet
            }
            None => Box::new(Packet { ends, flow: path, ordinal, place, peer_place, body }),
        };
        if on_host {
            self.local.push_back(packet);
        } else {
            self.out.packets.push((id, packet));
        }
    }

    /// Takes back the box of a packet that has arrived.
    #[inline]
    pub(crate) fn recycle(&mut self, packet: Box<Packet>) {
        if self.spare.len() < SPARE_MAX {
            self.spare.push(packet);
        }
    }

    /// Sends a packet that belongs to no socket, on its kernel's own flow.
    pub(crate) fn emit_kernel(
        &mut self,
        env: &mut Env,
        flow: &mut Flow,
        ends: (SocketAddr, SocketAddr),
        on_host: bool,
        body: Body,
    ) {
        let (path, ordinal) = (flow.path, flow.ordinal);
        flow.ordinal = ordinal.wrapping_add(1);
        env.event(Kind::Send, path, u64::from(ordinal), 0, 0);
        let ends = Ends::new(ends.0, ends.1);
        let (place, peer_place) = (NO_PLACE, NO_PLACE);
        let packet = Box::new(Packet { ends, flow: path, ordinal, place, peer_place, body });
        if on_host {
            self.local.push_back(packet);
        } else {
            self.out.packets.push((None, packet));
        }
    }
}

/// Whether `ip` belongs to a host with these addresses.
pub(crate) fn is_local(addrs: &[IpAddr], ip: IpAddr) -> bool {
    ip.is_loopback() || addrs.contains(&ip)
}
