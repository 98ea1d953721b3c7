//! How a socket comes by its port, and how it loses it (bind(2), connect(2)).

use super::options::Options;
use super::ports::{Binding, Class};
use super::table::Entry;
use super::{SocketId, Stack, is_local};
use crate::tcp::State;
use sim_core::backend::Domain;
use sim_core::choice::{Path, Site};
use sim_core::{Env, Errno, Result};
use std::net::{IpAddr, SocketAddr};

const PICK: Site = Site::new("net.port.pick");

/// Parity of the ports that bind(2) gives, and of those that connect(2) gives.
const ODD: u16 = 1;
const EVEN: u16 = 0;
/// For how long a port whose connection is in TIME_WAIT on this host is not given again (`tcp_tw_reuse` = 2).
const REUSE_AFTER_NS: u64 = 1_000_000_000;
/// How far beyond the last connection's numbers a new one between the same addresses begins.
const SEQUENCE_GAP: u64 = 65_537;

impl Stack<'_> {
    /// Gives a socket its local address (bind(2)). Port 0 is any that is free, odd ones first.
    pub fn bind(&mut self, env: &mut Env, id: SocketId, addr: SocketAddr) -> Result<()> {
        let (domain, v6_only, bound) = match self.slab.get(id) {
            Some(Entry::Tcp(c)) => {
                (c.domain, c.options.v6_only, c.binding.class.is_some() || c.state != State::Closed)
            }
            Some(Entry::Udp(s)) => (s.domain, s.options.v6_only, s.binding.class.is_some()),
            _ => return Err(Errno::EBADF),
        };
        if bound {
            return Err(Errno::EINVAL);
        }
        let local = self.bindable(domain, v6_only, addr)?;
        self.take_port(env, id, local, ODD)
    }

    /// Gives a socket without an address the wildcard and a free port.
    pub(super) fn autobind(&mut self, env: &mut Env, id: SocketId) -> Result<()> {
        let (domain, parity) = match self.slab.get(id) {
            Some(Entry::Tcp(connection)) => (connection.domain, ODD),
            Some(Entry::Udp(socket)) => (socket.domain, EVEN),
            _ => return Err(Errno::EBADF),
        };
        self.take_port(env, id, SocketAddr::new(crate::address::any(domain), 0), parity)
    }

    fn take_port(
        &mut self,
        env: &mut Env,
        id: SocketId,
        mut local: SocketAddr,
        parity: u16,
    ) -> Result<()> {
        let (ports, options, domain, path, stream) = match self.slab.get(id) {
            Some(Entry::Tcp(c)) => {
                (&mut self.tables.tcp_ports, &c.options, c.domain, c.flow.path, true)
            }
            Some(Entry::Udp(s)) => {
                (&mut self.tables.udp_ports, &s.options, s.domain, s.flow.path, false)
            }
            _ => return Err(Errno::EBADF),
        };
        let class = class_of(options, domain, local.ip());
        let fixed = local.port() != 0;
        if fixed {
            if !ports.can_bind(local.port(), &class) {
                return Err(Errno::EADDRINUSE);
            }
        } else {
            let skip = skip(env, path, ports.alternatives(parity));
            let port = ports.pick(parity, skip, |ports, port| ports.can_give(port, &class));
            local.set_port(port.ok_or(Errno::EADDRINUSE)?);
        }
        ports.hold(local.port(), class);
        if !stream {
            ports.open(local.port(), id);
        }
        let binding = Binding { class: Some(class), port_fixed: fixed, paired: false };
        match self.slab.get_mut(id) {
            Some(Entry::Tcp(connection)) => {
                (connection.local, connection.binding) = (local, binding);
            }
            Some(Entry::Udp(socket)) => (socket.local, socket.binding) = (local, binding),
            _ => {}
        }
        Ok(())
    }

    /// listen(2) asks again for the port: a second listener may not share it by `SO_REUSEADDR` alone.
    pub(super) fn check_may_listen(&mut self, id: SocketId) -> Result<()> {
        let connection = self.slab.tcp(id)?;
        let Some(class) = connection.binding.class else { return Err(Errno::EINVAL) };
        let port = connection.local.port();
        self.tables.tcp_ports.release(port, &class);
        let free = self.tables.tcp_ports.can_bind(port, &class);
        self.tables.tcp_ports.hold(port, class);
        if free { Ok(()) } else { Err(Errno::EADDRINUSE) }
    }

    /// Makes sure that no other connection has the pair of addresses, choosing the port if none is
    /// bound. Answers the local address, and the least sequence number to start with.
    pub(super) fn claim_pair(
        &mut self,
        env: &mut Env,
        id: SocketId,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<(SocketAddr, u64)> {
        if local.port() != 0 {
            // The program named the port: TIME_WAIT does not keep it, for timestamps tell the two apart.
            let floor = self.evict(&local, &remote).ok_or(Errno::EADDRNOTAVAIL)?;
            self.narrow(id, local.ip());
            return Ok((local, floor));
        }
        let path = self.slab.tcp(id)?.flow.path;
        let skip = skip(env, path, self.tables.tcp_ports.alternatives(EVEN));
        let on_host = is_local(&self.own.addrs, remote.ip());
        let (slab, pairs) = (&*self.slab, &self.tables.pairs);
        let free = |port| match pairs
            .find(slab, &SocketAddr::new(local.ip(), port), &remote)
            .map(|id| slab.get(id))
        {
            None => true,
            Some(Some(Entry::TimeWait(waiting))) => {
                on_host && env.now >= waiting.since.saturating_add_nanos(REUSE_AFTER_NS)
            }
            Some(_) => false,
        };
        let port = self
            .tables
            .tcp_ports
            .pick(EVEN, skip, |ports, port| ports.can_connect(port) && free(port));
        let local = SocketAddr::new(local.ip(), port.ok_or(Errno::EADDRNOTAVAIL)?);
        let floor = self.evict(&local, &remote).ok_or(Errno::EADDRNOTAVAIL)?;
        self.hold_for_connect(id, local);
        Ok((local, floor))
    }

    /// Ends a TIME_WAIT between the two addresses; `None` if a connection lives there.
    fn evict(&mut self, local: &SocketAddr, remote: &SocketAddr) -> Option<u64> {
        let Some(other) = self.tables.pairs.find(self.slab, local, remote) else { return Some(0) };
        match self.slab.get(other) {
            Some(Entry::TimeWait(_)) => Some(self.end_time_wait(other) + SEQUENCE_GAP),
            _ => None,
        }
    }

    fn hold_for_connect(&mut self, id: SocketId, local: SocketAddr) {
        let Ok(connection) = self.slab.tcp(id) else { return };
        let class = Class {
            by_connect: true,
            ..class_of(&connection.options, connection.domain, local.ip())
        };
        connection.binding = Binding { class: Some(class), port_fixed: false, paired: false };
        self.tables.tcp_ports.hold(local.port(), class);
    }

    /// A socket bound to the wildcard is bound to the one address it connects from.
    fn narrow(&mut self, id: SocketId, ip: IpAddr) {
        let Ok(connection) = self.slab.tcp(id) else { return };
        let (port, class) = (connection.local.port(), connection.binding.class);
        if let Some(old) = class {
            let new = Class { ip, dual: false, ..old };
            connection.binding.class = Some(new);
            self.tables.tcp_ports.release(port, &old);
            self.tables.tcp_ports.hold(port, new);
        }
    }

    /// A listener's connection holds the listener's port, with the options it was given.
    pub(super) fn hold_child(&mut self, id: SocketId, parent: SocketId) {
        let by_connect = false;
        let Ok(listener) = self.slab.tcp(parent) else { return };
        let Some(class) = listener.binding.class else { return };
        let Ok(connection) = self.slab.tcp(id) else { return };
        let class =
            Class { ip: connection.local.ip(), dual: false, listening: false, by_connect, ..class };
        connection.binding.class = Some(class);
        self.tables.tcp_ports.hold(connection.local.port(), class);
    }

    /// A closed connection gives its port back, unless the program named it and still holds the socket.
    pub(super) fn release_port(&mut self, id: SocketId, gone: bool) {
        let Ok(connection) = self.slab.tcp(id) else { return };
        if connection.binding.port_fixed && !gone {
            self.reclassify(id);
            return;
        }
        if let Some(class) = connection.binding.class.take() {
            let port = connection.local.port();
            self.tables.tcp_ports.release(port, &class);
        }
    }
}

fn class_of(options: &Options, domain: Domain, ip: IpAddr) -> Class {
    let dual = domain == Domain::Inet6 && ip.is_unspecified() && !options.v6_only;
    let (reuse_addr, reuse_port) = (options.reuse_addr, options.reuse_port);
    Class { ip, dual, reuse_addr, reuse_port, listening: false, by_connect: false }
}

/// How many free ports to pass over: 0 takes the next in order.
fn skip(env: &mut Env, path: Path, alternatives: u64) -> u64 {
    let mut stream = env.choices.stream(PICK, path);
    if alternatives > 1 { env.choices.pick(&mut stream, alternatives) } else { 0 }
}
