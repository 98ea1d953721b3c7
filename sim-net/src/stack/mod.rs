//! The network stacks of a world's hosts: sockets, ports, and who gets an arriving packet.
//!
//! The calls are those of socket(2) and its family, non-blocking, with a [`SocketId`] for the
//! descriptor, made on one host's [`Stack`]. After every call the caller drains [`Stacks::out`]: packets for
//! other hosts, events that wake waiters, and timers to be set.
//!
//! - What hosts have in common is kept once, in [`Stacks`], and lent to a [`Stack`] for the time of a call: the places of
//!   sockets, packets to be filled again, what calls put out. A host that nobody talks to is its name and addresses.
//! - Packets to this host's own addresses are delivered before the call returns, without a delay, as
//!   Linux's loopback does in its soft interrupt.
//! - A [`SocketId`] means nothing after [`Stack::close`], even while the connection lives on.
//! - A crash is [`Stack::power_off`]: nothing is sent, nobody is told, and nothing is heard until [`Stack::power_on`].

mod address_rules;
mod bind;
mod datagrams;
mod input;
mod io;
mod life;
mod messages;
mod options;
mod ports;
mod rare;
mod report;
mod stacks;
mod table;

pub use io::Out;
pub use report::Connection;
pub use stacks::{Stack, Stacks};
pub use table::SocketId;

pub(crate) use io::{Io, is_local};
pub(crate) use options::{MIN_RECEIVE_BUFFER_BYTES, MIN_SEND_BUFFER_BYTES, Options, doubled};
pub(crate) use ports::Binding;

use crate::address::{Addrs, shown};
use crate::packet::{Flow, Packet};
use crate::tcp::{self, Duty, State};
use crate::udp::Datagrams;
use sim_core::backend::{Domain, Received, RecvFlags, Shutdown, SocketKind};
use sim_core::choice::Path;
use sim_core::trace::Kind;
use sim_core::{Env, Errno, Result};
use std::collections::VecDeque;
use std::net::SocketAddr;
use table::Entry;

/// The most connections that may wait for accept(2), whatever listen(2) asks for (`somaxconn`).
const MAX_BACKLOG: u32 = 4096;

/// Who holds a stream socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A program, by a descriptor.
    Program,
    /// A listener, while the handshake goes on.
    Listener(SocketId),
    /// A listener's queue of completed connections.
    Queue,
    /// Nobody any more: the kernel finishes the connection.
    Nobody,
}

impl Stack<'_> {
    /// Changes the host's addresses. Connections of an address that went stay, and hear nothing.
    pub fn set_addresses(&mut self, addrs: impl Into<Addrs>) {
        self.own.addrs = addrs.into();
        self.slab.datagram_sockets(self.own.host).for_each(|socket| socket.way = None);
    }

    /// Changes which ports are given to sockets that name none (`ip_local_port_range`).
    pub fn set_port_range(&mut self, range: core::ops::RangeInclusive<u16>) {
        self.tables.tcp_ports.set_range(range.clone());
        self.tables.udp_ports.set_range(range);
    }

    /// Changes the greatest backlog of listeners to come (`somaxconn`).
    pub fn set_max_backlog(&mut self, connections: u32) {
        self.own.max_backlog = connections;
    }

    /// Takes every packet out of [`Out::packets`], with its flow.
    #[inline]
    pub fn drain_packets(
        &mut self,
        mut carry: impl FnMut(&mut Flow, Option<SocketId>, Box<Packet>),
    ) {
        // Turned round and popped from the back: most calls send one packet, for which a drain costs more than it does.
        if self.io.out.packets.len() > 1 {
            self.io.out.packets.reverse();
        }
        while let Some((id, packet)) = self.io.out.packets.pop() {
            carry(self.flow(id), id, packet);
        }
    }

    /// The flow of a packet in [`Out::packets`], for [`Fabric::transit`](crate::Fabric::transit). Packets of
    /// no socket, and of one that is gone by now, share the kernel's.
    #[inline]
    pub fn flow(&mut self, id: Option<SocketId>) -> &mut Flow {
        match id.and_then(|id| self.slab.get_mut(id)) {
            Some(Entry::Tcp(connection)) => &mut connection.flow,
            Some(Entry::Udp(socket)) => &mut socket.flow,
            _ => self.tables.kernel_flow(self.own.path),
        }
    }

    /// Creates a socket (socket(2)) named `path`: `EAFNOSUPPORT` for a Unix socket, which is not of the network.
    pub fn socket(
        &mut self,
        _env: &mut Env,
        domain: Domain,
        kind: SocketKind,
        path: Path,
    ) -> Result<SocketId> {
        if domain == Domain::Unix {
            return Err(Errno::EAFNOSUPPORT);
        }
        if kind == SocketKind::SeqPacket {
            return Err(Errno::ESOCKTNOSUPPORT);
        }
        let flow = Flow::new(path);
        let options = Options::new(kind);
        Ok(self.slab.insert(self.own.host, |id| match kind {
            SocketKind::Stream => Entry::Tcp(Box::new(tcp::Connection::new(
                id,
                domain,
                flow,
                Owner::Program,
                options,
            ))),
            SocketKind::Datagram | SocketKind::SeqPacket => {
                Entry::Udp(Box::new(Datagrams::new(id, domain, flow, options)))
            }
        }))
    }

    /// Starts to accept connections (listen(2)), up to `backlog` + 1 of them waiting.
    pub fn listen(&mut self, env: &mut Env, id: SocketId, backlog: u32) -> Result<()> {
        let connection = self.slab.tcp(id)?;
        let idle =
            connection.progress == tcp::Progress::Unconnected && connection.state == State::Closed;
        if !idle && connection.state != State::Listen {
            return Err(Errno::EINVAL);
        }
        let was_listening = connection.state == State::Listen;
        if !was_listening {
            if connection.binding.class.is_none() {
                self.autobind(env, id)?;
            }
            self.check_may_listen(id)?;
        }
        let backlog = backlog.min(self.own.max_backlog) as usize;
        let connection = self.slab.tcp(id)?;
        connection.listen(backlog);
        if !was_listening {
            let port = connection.local.port();
            self.tables.tcp_ports.open(port, id);
            self.reclassify(id);
        }
        Ok(())
    }

    /// Takes a completed connection (accept(2)): `EAGAIN` if there is none, `EINVAL` if it is no listener.
    pub fn accept(&mut self, _env: &mut Env, id: SocketId) -> Result<(SocketId, SocketAddr)> {
        let connection = self.slab.tcp(id)?;
        if connection.state != State::Listen {
            return Err(Errno::EINVAL);
        }
        let queue = connection.listener.as_mut().map(|listener| &mut listener.queue);
        let child = queue.and_then(VecDeque::pop_front).ok_or(Errno::EAGAIN)?;
        let connection = self.slab.tcp(child)?;
        connection.owner = Owner::Program;
        connection.progress = tcp::Progress::Connected;
        Ok((child, shown(connection.remote, connection.domain)))
    }

    /// Begins to connect (connect(2)). A stream answers `EINPROGRESS` and reports `OUT` when it is done.
    pub fn connect(&mut self, env: &mut Env, id: SocketId, addr: SocketAddr) -> Result<()> {
        let answer = match self.slab.get_mut(id) {
            Some(Entry::Tcp(connection)) => {
                let before = connection.connect_again();
                match before {
                    Some(answer) => answer,
                    None => self.connect_stream(env, id, addr),
                }
            }
            Some(Entry::Udp(_)) => self.connect_datagrams(env, id, addr),
            _ => Err(Errno::EBADF),
        };
        self.deliver_local(env);
        answer
    }

    fn connect_stream(&mut self, env: &mut Env, id: SocketId, addr: SocketAddr) -> Result<()> {
        let (local, remote) = self.stream_route(id, addr)?;
        let (local, floor) = self.claim_pair(env, id, local, remote)?;
        let on_host = is_local(&self.own.addrs, remote.ip());
        let connection = self.slab.tcp(id)?;
        connection.on_host = on_host;
        connection.pair(local, remote);
        self.tables.pairs.insert(id, &local, &remote);
        let iss = env.now.as_nanos().max(floor);
        self.slab.tcp(id)?.connect(env, self.io, iss);
        Err(Errno::EINPROGRESS)
    }

    /// Ends a connection at once, so that the socket can connect again (connect(2) with `AF_UNSPEC`).
    pub fn disconnect(&mut self, env: &mut Env, id: SocketId) -> Result<()> {
        match self.slab.get_mut(id) {
            Some(Entry::Tcp(_)) => {
                self.stop_listening(env, id);
                let connection = self.slab.tcp(id)?;
                let duty = match connection.state {
                    State::Closed => Duty::Nothing,
                    State::Listen => connection.vanish(self.io),
                    _ => connection.reset(env, self.io),
                };
                connection.forget();
                self.settle(env, id, duty);
            }
            Some(Entry::Udp(socket)) => socket.remote = None,
            _ => return Err(Errno::EBADF),
        }
        self.deliver_local(env);
        Ok(())
    }

    /// Sends on a connected socket (send(2)): how many bytes were taken.
    pub fn send(&mut self, env: &mut Env, id: SocketId, data: &[u8]) -> Result<usize> {
        match self.slab.get_mut(id) {
            Some(Entry::Tcp(connection)) => {
                let mut done = connection.send(env, self.io, data)?;
                if connection.on_host {
                    done += self.send_rest(env, id, &data[done..]);
                }
                Ok(done)
            }
            Some(Entry::Udp(_)) => self.send_datagram(env, id, data, None),
            _ => Err(Errno::EBADF),
        }
    }

    /// On one host the peer has what was sent before the call returns, and there may be room for more.
    fn send_rest(&mut self, env: &mut Env, id: SocketId, data: &[u8]) -> usize {
        let mut done = 0;
        self.deliver_local(env);
        while done < data.len() {
            let Some(Entry::Tcp(connection)) = self.slab.get_mut(id) else { break };
            if connection.error.is_some() {
                break;
            }
            let Ok(sent) = connection.send(env, self.io, &data[done..]) else { break };
            done += sent;
            self.deliver_local(env);
        }
        done
    }

    /// Receives on a connected socket (recv(2)): 0 is the end of the stream.
    pub fn recv(
        &mut self,
        env: &mut Env,
        id: SocketId,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<usize> {
        let answer = match self.slab.get_mut(id) {
            Some(Entry::Tcp(connection)) => connection.recv(env, self.io, into, flags),
            Some(Entry::Udp(socket)) => socket.recv(into, flags).map(|received| received.len),
            _ => Err(Errno::EBADF),
        };
        self.deliver_local(env);
        answer
    }

    /// Sends a datagram to `to` (sendto(2)). On a stream the address counts for nothing.
    pub fn send_to(
        &mut self,
        env: &mut Env,
        id: SocketId,
        data: &[u8],
        to: SocketAddr,
    ) -> Result<usize> {
        match self.slab.get(id) {
            Some(Entry::Udp(_)) => self.send_datagram(env, id, data, Some(to)),
            _ => self.send(env, id, data),
        }
    }

    /// Receives a datagram with its sender (recvfrom(2)).
    pub fn recv_from(
        &mut self,
        env: &mut Env,
        id: SocketId,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<Received> {
        if let Some(Entry::Udp(socket)) = self.slab.get_mut(id) {
            return socket.recv(into, flags);
        }
        let len = self.recv(env, id, into, flags)?;
        let connection = self.slab.tcp(id)?;
        Ok(Received { len, from: shown(connection.remote, connection.domain), truncated: false })
    }

    /// Shuts one or both directions (shutdown(2)).
    pub fn shutdown(&mut self, env: &mut Env, id: SocketId, how: Shutdown) -> Result<()> {
        let answer = match self.slab.get_mut(id) {
            Some(Entry::Tcp(_)) => {
                if how != Shutdown::Write {
                    self.stop_listening(env, id);
                }
                let (answer, duty) = self.slab.tcp(id)?.shutdown(env, self.io, how);
                self.settle(env, id, duty);
                answer
            }
            Some(Entry::Udp(socket)) => socket.shutdown(self.io, how),
            _ => Err(Errno::EBADF),
        };
        self.deliver_local(env);
        answer
    }

    /// The last descriptor is gone (close(2)): the connection lives on until the peer has everything.
    pub fn close(&mut self, env: &mut Env, id: SocketId) {
        match self.slab.get_mut(id) {
            Some(Entry::Tcp(_)) => {
                self.stop_listening(env, id);
                if let Ok(connection) = self.slab.tcp(id) {
                    let duty = connection.close(env, self.io);
                    self.settle(env, id, duty);
                }
            }
            Some(Entry::Udp(_)) => self.drop_datagrams(id),
            _ => {}
        }
        self.deliver_local(env);
    }

    /// A timer of [`Out::timers`] ran out. It may be early or of a socket that is gone: then nothing happens.
    pub fn timer(&mut self, env: &mut Env, id: SocketId) {
        match self.slab.get_mut(id) {
            Some(Entry::Tcp(connection)) => {
                env.event(Kind::KernelTimer, connection.flow.path, id.index() as u64, 0, 0);
                let duty = connection.timer(env, self.io);
                self.settle(env, id, duty);
            }
            Some(Entry::TimeWait(waiting)) if env.now >= waiting.until => {
                self.end_time_wait(id);
            }
            Some(Entry::TimeWait(waiting)) => {
                let until = waiting.until;
                self.io.out.timers.push((id, until));
            }
            _ => {}
        }
        self.deliver_local(env);
    }

    /// The fabric had no route for a packet of this socket: if it is connecting, it fails with
    /// `EHOSTUNREACH` in 3.06 s, when the neighbour look-up would have given up.
    pub fn unreachable(&mut self, env: &mut Env, id: SocketId) {
        if let Some(Entry::Tcp(connection)) = self.slab.get_mut(id) {
            connection.unreachable(env, self.io);
        }
    }

    /// A fault: the connection is reset, and both ends learn of it.
    pub fn reset_connection(&mut self, env: &mut Env, id: SocketId) {
        if let Some(Entry::Tcp(connection)) = self.slab.get_mut(id)
            && !matches!(connection.state, State::Closed | State::Listen)
        {
            let duty = connection.reset(env, self.io);
            self.settle(env, id, duty);
        }
        self.deliver_local(env);
    }

    /// The host loses power: every socket vanishes, nothing is sent, and nothing is heard.
    pub fn power_off(&mut self) {
        self.own.is_on = false;
        self.slab.clear(self.own.host);
        self.tables.pairs.clear();
        self.tables.tcp_ports.clear();
        self.tables.udp_ports.clear();
        self.io.local.clear();
        let Out { packets, ready, timers } = &mut self.io.out;
        packets.clear();
        ready.clear();
        timers.clear();
    }
    /// The host has power again, and nothing of before.
    pub fn power_on(&mut self) {
        self.own.is_on = true;
    }
}
