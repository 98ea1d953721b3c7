//! What a socket's machine may touch outside itself: where packets go, and what the caller is told.

use super::SocketId;
use crate::buffer::Pool;
use crate::packet::{Body, Flow, Packet};
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
    pub packets: Vec<(Option<SocketId>, Packet)>,
    /// Events at sockets that a program holds: what Linux would wake the wait queue with. Whether the
    /// socket is still ready is another question: [`Stack::readiness`](super::Stack::readiness).
    pub ready: Vec<(SocketId, Readiness)>,
    /// Instants at which [`Stack::timer`](super::Stack::timer) is to be called. None is ever taken back.
    pub timers: Vec<(SocketId, Instant)>,
}

/// The part of a stack that is lent to a socket's machine.
#[derive(Debug)]
pub(crate) struct Io {
    pub(crate) out: Out,
    /// Packets to this host's own addresses, to be delivered before the call returns.
    pub(crate) local: VecDeque<Packet>,
    pub(crate) pool: Pool,
    /// The flow of what the kernel sends for no socket.
    pub(crate) kernel: Flow,
}

impl Io {
    /// Sends a packet of a socket. Inlined by force: a packet is large, and is built where it will stand.
    #[inline(always)]
    pub(crate) fn emit(
        &mut self,
        env: &mut Env,
        id: Option<SocketId>,
        flow: &mut Flow,
        (src, dst): (SocketAddr, SocketAddr),
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
        let packet = Packet { src, dst, flow: flow.path, ordinal, body };
        if on_host {
            self.local.push_back(packet);
        } else {
            self.out.packets.push((id, packet));
        }
    }

    /// Sends a packet that belongs to no socket.
    pub(crate) fn emit_kernel(
        &mut self,
        env: &mut Env,
        ends: (SocketAddr, SocketAddr),
        on_host: bool,
        body: Body,
    ) {
        let ordinal = self.kernel.ordinal;
        self.kernel.ordinal = ordinal.wrapping_add(1);
        env.event(Kind::Send, self.kernel.path, u64::from(ordinal), 0, 0);
        let packet = Packet { src: ends.0, dst: ends.1, flow: self.kernel.path, ordinal, body };
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
