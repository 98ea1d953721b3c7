//! What the hosts of a world have in common, and what each has for itself.
//!
//! Sockets of all hosts stand in one table, since a packet names the place of its socket: it is found without a look at its
//! host. Packets that have arrived are filled again whoever sends next, and calls put out in one place, which the caller
//! empties before it calls another host's stack. A host itself is its name and addresses until it is first used.

use super::input::note_arrival;
use super::io::{Io, Out};
use super::ports::Ports;
use super::table::{Entry, NO_HOLDER, Pairs, Slab, SocketId};
use super::{MAX_BACKLOG, Owner};
use crate::address::Addrs;
use crate::packet::{Body, Flow, Packet};
use crate::tcp::Duty;
use sim_core::backend::{Readiness, RecvFlags};
use sim_core::choice::Path;
use sim_core::{Env, HostId, Result};
use std::net::IpAddr;

/// What a host has for itself from the beginning.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) host: HostId,
    pub(super) path: Path,
    pub(super) addrs: Addrs,
    pub(super) max_backlog: u32,
    /// Whether it has power.
    pub(super) is_on: bool,
}

/// A host's sockets by what packets say.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) pairs: Pairs,
    pub(super) tcp_ports: Ports,
    pub(super) udp_ports: Ports,
    /// The flow of what the kernel sends for no socket, made with the first such packet.
    flow: Option<Box<Flow>>,
}

impl Tables {
    #[cold]
    fn boxed() -> Box<Self> {
        let (tcp_ports, udp_ports) = (Ports::new(), Ports::new());
        Box::new(Self { pairs: Pairs::default(), tcp_ports, udp_ports, flow: None })
    }

    pub(super) fn kernel_flow(&mut self, host_path: Path) -> &mut Flow {
        self.flow.get_or_insert_with(|| Box::new(Flow::new(host_path.child(KERNEL, 0))))
    }
}

/// A host.
#[derive(Debug)]
struct Local {
    own: Own,
    /// Made when the host is first called or sent to: many hosts of a world never are.
    tables: Option<Box<Tables>>,
}

/// The name of what a host's kernel sends for no socket.
const KERNEL: &str = "kernel";

/// The stacks of all hosts of a world.
#[derive(Debug, Default)]
pub struct Stacks {
    hosts: Vec<Local>,
    pub(super) slab: Slab,
    io: Io,
}

/// One host's stack, with what all hosts share lent to it.
#[derive(Debug)]
pub struct Stack<'a> {
    pub(super) own: &'a mut Own,
    pub(super) tables: &'a mut Tables,
    pub(super) slab: &'a mut Slab,
    pub(super) io: &'a mut Io,
}

impl Stacks {
    /// The stacks of a world that will have so many hosts, or more.
    #[must_use]
    pub fn with_capacity(hosts: usize) -> Self {
        Self { hosts: Vec::with_capacity(hosts), slab: Slab::default(), io: Io::default() }
    }

    /// Gives the next host, which has power, a stack and these addresses; 127.0.0.0/8 and ::1 belong to every host.
    pub fn add_host(&mut self, env: &mut Env, path: Path, addrs: impl Into<Addrs>) -> HostId {
        if env.choices.names.are_kept() {
            env.choices.names.note(path.child(KERNEL, 0), path, KERNEL, 0);
        }
        let host = HostId::new(self.hosts.len() as u32);
        let (addrs, max_backlog) = (addrs.into(), MAX_BACKLOG);
        let own = Own { host, path, addrs, max_backlog, is_on: true };
        self.hosts.push(Local { own, tables: None });
        host
    }

    /// The stack of a host.
    ///
    /// # Panics
    /// If the host was not added.
    #[inline(always)]
    pub fn of(&mut self, host: HostId) -> Stack<'_> {
        let Self { hosts, slab, io } = self;
        let Local { own, tables } = &mut hosts[host.index()];
        Stack { own, tables: tables.get_or_insert_with(Tables::boxed), slab, io }
    }

    /// A host's addresses, without loopback.
    #[must_use]
    pub fn addresses(&self, host: HostId) -> &[IpAddr] {
        &self.hosts[host.index()].own.addrs
    }

    /// What the calls have brought about since it was last drained.
    #[inline]
    pub fn out(&mut self) -> &mut Out {
        &mut self.io.out
    }

    /// Keeps a number of the caller's with a socket, for as long as the socket has its place.
    pub fn hold(&mut self, id: SocketId, holder: Option<u64>) {
        if let Some(place) = self.slab.holder(id) {
            *place = holder.unwrap_or(NO_HOLDER);
        }
    }

    /// Takes every event out of [`Out::ready`] whose socket the caller keeps a number with, with that number.
    #[inline]
    pub fn drain_ready(&mut self, mut report: impl FnMut(u64, Readiness)) {
        let Self { slab, io, .. } = self;
        for &(id, readiness) in &io.out.ready {
            if let Some(&mut holder) = slab.holder(id)
                && holder != NO_HOLDER
            {
                report(holder, readiness);
            }
        }
        io.out.ready.clear();
    }

    /// Takes back the box of a packet that has arrived, to be filled again.
    #[inline]
    pub fn recycle(&mut self, packet: Box<Packet>) {
        self.io.recycle(packet);
    }

    /// A packet will soon arrive at a host: asks for the memory of the connection it is for. Answers the number that the caller
    /// keeps with the socket.
    #[inline]
    pub fn get_ready(&self, host: HostId, packet: &Packet) -> Option<u64> {
        self.slab.get_ready(host, packet.peer_place)
    }

    /// A packet arrives at a host; what is left of it means nothing. A host without power hears nothing.
    #[inline]
    pub fn receive(&mut self, env: &mut Env, host: HostId, packet: &mut Packet) {
        if !self.hosts[host.index()].own.is_on {
            return;
        }
        note_arrival(env, packet);
        // Nearly every segment is for a connection that its program holds and that has heard of its peer.
        if let Body::Tcp(segment) = &mut packet.body
            && let Some((id, connection)) =
                self.slab.connection_at(host, packet.peer_place, &packet.ends)
            && !matches!(connection.owner, Owner::Listener(_))
        {
            let duty = connection.segment(env, &mut self.io, segment);
            if duty != Duty::Nothing {
                self.of(host).settle(env, id, duty);
            }
            return;
        }
        let mut stack = self.of(host);
        stack.take(env, packet);
        stack.deliver_local(env);
    }

    /// [`Stack::send`] on a socket of `host`. A connection to another host needs nothing of its own host's.
    #[inline]
    pub fn send(
        &mut self,
        env: &mut Env,
        host: HostId,
        id: SocketId,
        data: &[u8],
    ) -> Result<usize> {
        match self.slab.get_mut(id) {
            Some(Entry::Tcp(connection)) if !connection.on_host => {
                connection.send(env, &mut self.io, data)
            }
            _ => self.of(host).send(env, id, data),
        }
    }

    /// [`Stack::recv`] on a socket of `host`. A connection to another host needs nothing of its own host's.
    #[inline]
    pub fn recv(
        &mut self,
        env: &mut Env,
        host: HostId,
        id: SocketId,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<usize> {
        match self.slab.get_mut(id) {
            Some(Entry::Tcp(connection)) if !connection.on_host => {
                connection.recv(env, &mut self.io, into, flags)
            }
            _ => self.of(host).recv(env, id, into, flags),
        }
    }
}
