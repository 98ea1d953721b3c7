//! One host's network stack: its sockets, its ports, and who gets an arriving packet.
//!
//! The calls are those of socket(2) and its family, non-blocking, with a [`SocketId`] for the
//! descriptor. After every call the caller drains [`Stack::out`]: packets for other hosts, events that
//! wake waiters, and timers to be set.
//!
//! - Packets to this host's own addresses are delivered before the call returns, without a delay, as
//!   Linux's loopback does in its soft interrupt.
//! - A [`SocketId`] means nothing after [`Stack::close`], even while the connection lives on.
//! - A crash is [`Stack::power_off`]: nothing is sent, nobody is told.

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
mod table;

pub use io::Out;
pub use report::Connection;
pub use table::SocketId;

use io::Kernel;
pub(crate) use io::{Io, is_local};
pub(crate) use options::{MIN_RECEIVE_BUFFER_BYTES, MIN_SEND_BUFFER_BYTES, Options, doubled};
pub(crate) use ports::Binding;

use crate::address::{Addrs, shown};
use crate::buffer::Pool;
use crate::packet::{Flow, Packet};
use crate::tcp::{self, Duty, State};
use crate::udp::Datagrams;
use ports::Ports;
use sim_core::backend::{Domain, Readiness, Received, RecvFlags, Shutdown, SocketKind};
use sim_core::choice::Path;
use sim_core::trace::Kind;
use sim_core::{Env, Errno, Result};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use table::{Entry, Pairs, Slab};

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

/// One host's sockets.
#[derive(Debug)]
pub struct Stack {
    addrs: Addrs,
    slab: Slab,
    pairs: Pairs,
    tcp_ports: Ports,
    udp_ports: Ports,
    max_backlog: u32,
    io: Io,
}

impl Stack {
    /// The stack of a host with these addresses; 127.0.0.0/8 and ::1 belong to every host.
    #[must_use]
    pub fn new(env: &mut Env, host_path: Path, addrs: impl Into<Addrs>) -> Self {
        let kernel = host_path.child("kernel", 0);
        env.choices.names.note(kernel, host_path, "kernel", 0);
        let kernel = Kernel::new(kernel);
        Self {
            addrs: addrs.into(),
            slab: Slab::default(),
            pairs: Pairs::default(),
            tcp_ports: Ports::new(),
            udp_ports: Ports::new(),
            max_backlog: MAX_BACKLOG,
            io: Io {
                out: Out::default(),
                local: VecDeque::new(),
                spare: Vec::new(),
                pool: Pool::default(),
                kernel,
            },
        }
    }

    /// The host's addresses, without loopback.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addrs
    }

    /// Changes the host's addresses. Connections of an address that went stay, and hear nothing.
    pub fn set_addresses(&mut self, addrs: impl Into<Addrs>) {
        self.addrs = addrs.into();
        self.slab.datagram_sockets().for_each(|socket| socket.way = None);
    }

    /// Changes which ports are given to sockets that name none (`ip_local_port_range`).
    pub fn set_port_range(&mut self, range: core::ops::RangeInclusive<u16>) {
        self.tcp_ports.set_range(range.clone());
        self.udp_ports.set_range(range);
    }

    /// Changes the greatest backlog of listeners to come (`somaxconn`).
    pub fn set_max_backlog(&mut self, connections: u32) {
        self.max_backlog = connections;
    }

    /// What the calls have brought about since it was last drained.
    #[inline]
    pub fn out(&mut self) -> &mut Out {
        &mut self.io.out
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

    /// Takes back the box of a packet that this stack has sent and that has arrived, to be filled again.
    #[inline]
    pub fn recycle(&mut self, packet: Box<Packet>) {
        self.io.recycle(packet);
    }

    /// The flow of a packet in [`Out::packets`], for [`Fabric::transit`](crate::Fabric::transit). Packets of
    /// no socket, and of one that is gone by now, share the kernel's.
    #[inline]
    pub fn flow(&mut self, id: Option<SocketId>) -> &mut Flow {
        match id.and_then(|id| self.slab.get_mut(id)) {
            Some(Entry::Tcp(connection)) => &mut connection.flow,
            Some(Entry::Udp(socket)) => &mut socket.flow,
            _ => self.io.kernel.flow(),
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
        Ok(self.slab.insert(|id| match kind {
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
        let backlog = backlog.min(self.max_backlog) as usize;
        let connection = self.slab.tcp(id)?;
        connection.listen(backlog);
        if !was_listening {
            let port = connection.local.port();
            self.tcp_ports.open(port, id);
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
        let on_host = is_local(&self.addrs, remote.ip());
        let connection = self.slab.tcp(id)?;
        connection.on_host = on_host;
        connection.pair(local, remote);
        self.pairs.insert(id, &local, &remote);
        let iss = env.now.as_nanos().max(floor);
        self.slab.tcp(id)?.connect(env, &mut self.io, iss);
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
                    State::Listen => connection.vanish(&mut self.io),
                    _ => connection.reset(env, &mut self.io),
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
    #[inline]
    pub fn send(&mut self, env: &mut Env, id: SocketId, data: &[u8]) -> Result<usize> {
        match self.slab.get_mut(id) {
            Some(Entry::Tcp(connection)) => {
                let mut done = connection.send(env, &mut self.io, data)?;
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
            let Ok(sent) = connection.send(env, &mut self.io, &data[done..]) else { break };
            done += sent;
            self.deliver_local(env);
        }
        done
    }

    /// Receives on a connected socket (recv(2)): 0 is the end of the stream.
    #[inline]
    pub fn recv(
        &mut self,
        env: &mut Env,
        id: SocketId,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<usize> {
        let answer = match self.slab.get_mut(id) {
            Some(Entry::Tcp(connection)) => connection.recv(env, &mut self.io, into, flags),
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
                let (answer, duty) = self.slab.tcp(id)?.shutdown(env, &mut self.io, how);
                self.settle(env, id, duty);
                answer
            }
            Some(Entry::Udp(socket)) => socket.shutdown(&mut self.io, how),
            _ => Err(Errno::EBADF),
        };
        self.deliver_local(env);
        answer
    }

    /// The socket's own address (getsockname(2)).
    pub fn local_addr(&mut self, _env: &mut Env, id: SocketId) -> Result<SocketAddr> {
        match self.slab.get(id) {
            Some(Entry::Tcp(connection)) => Ok(shown(connection.local, connection.domain)),
            Some(Entry::Udp(socket)) => Ok(shown(socket.local, socket.domain)),
            _ => Err(Errno::EBADF),
        }
    }

    /// The peer's address (getpeername(2)): `ENOTCONN` without one.
    pub fn peer_addr(&mut self, _env: &mut Env, id: SocketId) -> Result<SocketAddr> {
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
    pub fn readable_bytes(&mut self, _env: &mut Env, id: SocketId) -> Result<usize> {
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

    /// The last descriptor is gone (close(2)): the connection lives on until the peer has everything.
    pub fn close(&mut self, env: &mut Env, id: SocketId) {
        match self.slab.get_mut(id) {
            Some(Entry::Tcp(_)) => {
                self.stop_listening(env, id);
                if let Ok(connection) = self.slab.tcp(id) {
                    let duty = connection.close(env, &mut self.io);
                    self.settle(env, id, duty);
                }
            }
            Some(Entry::Udp(_)) => self.drop_datagrams(id),
            _ => {}
        }
        self.deliver_local(env);
    }

    /// Takes in a packet that arrived for this host. What is left of the packet means nothing.
    #[inline]
    pub fn receive(&mut self, env: &mut Env, packet: &mut Packet) {
        self.deliver(env, packet);
        self.deliver_local(env);
    }

    /// A timer of [`Out::timers`] ran out. It may be early or of a socket that is gone: then nothing happens.
    pub fn timer(&mut self, env: &mut Env, id: SocketId) {
        match self.slab.get_mut(id) {
            Some(Entry::Tcp(connection)) => {
                env.event(Kind::KernelTimer, connection.flow.path, id.index() as u64, 0, 0);
                let duty = connection.timer(env, &mut self.io);
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
            connection.unreachable(env, &mut self.io);
        }
    }

    /// A fault: the connection is reset, and both ends learn of it.
    pub fn reset_connection(&mut self, env: &mut Env, id: SocketId) {
        if let Some(Entry::Tcp(connection)) = self.slab.get_mut(id)
            && !matches!(connection.state, State::Closed | State::Listen)
        {
            let duty = connection.reset(env, &mut self.io);
            self.settle(env, id, duty);
        }
        self.deliver_local(env);
    }

    /// The host loses power: every socket vanishes, and nothing is sent.
    pub fn power_off(&mut self) {
        self.slab.clear();
        self.pairs.clear();
        self.tcp_ports.clear();
        self.udp_ports.clear();
        self.io.local.clear();
        let Out { packets, ready, timers } = &mut self.io.out;
        packets.clear();
        ready.clear();
        timers.clear();
    }
}
