//! The calls of a datagram socket that need more than the socket: routes, ports, other sockets.

use super::table::Entry;
use super::{SocketId, Stack, is_local};
use crate::address::{any, is_broadcast};
use crate::packet::{Body, Ends};
use crate::udp::{MAX_V4_BYTES, MAX_V6_BYTES, Way};
use sim_core::{Env, Errno, Result};
use std::net::SocketAddr;

impl Stack<'_> {
    /// Sends a datagram to `to`, or to the connected peer. The order of the checks is that of udp_sendmsg.
    ///
    /// A socket mostly sends to where it sent before: the way there is kept, and checked once.
    #[inline]
    pub(super) fn send_datagram(
        &mut self,
        env: &mut Env,
        id: SocketId,
        data: &[u8],
        to: Option<SocketAddr>,
    ) -> Result<usize> {
        let socket = self.slab.udp(id)?;
        let kept =
            socket.way.as_ref().filter(|way| to == Some(way.to) && data.len() <= MAX_V4_BYTES);
        let (ends, on_host) = match kept {
            Some(way) => (way.ends.clone(), way.on_host),
            None => self.find_way(env, id, data.len(), to)?,
        };
        let socket = self.slab.udp(id)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        if socket.shut.write {
            return Err(Errno::EPIPE);
        }
        if socket.options.rare.segment != 0 {
            return self.send_message(env, id, data, to, &[]);
        }
        let class = socket.options.rare.class_of(&ends);
        let body = Body::Udp(self.io.pool.copy(data), class);
        self.io.emit(env, Some(id), &mut socket.flow, ends, on_host, body);
        self.deliver_local(env);
        Ok(data.len())
    }

    /// Finds the way of a datagram of `len` bytes, or why it has none; whether it stays on this host.
    pub(super) fn find_way(
        &mut self,
        env: &mut Env,
        id: SocketId,
        len: usize,
        to: Option<SocketAddr>,
    ) -> Result<(Ends, bool)> {
        let socket = self.slab.udp(id)?;
        let (domain, v6_only, connected) = (socket.domain, socket.options.v6_only, socket.remote);
        let mut bound = socket.local;
        if len > usize::from(u16::MAX) {
            return Err(Errno::EMSGSIZE);
        }
        let dst = match to {
            Some(to) if to.port() == 0 => return Err(Errno::EINVAL),
            Some(to) => self.destination(domain, v6_only, to)?,
            None => connected.ok_or(Errno::EDESTADDRREQ)?,
        };
        if len > if dst.is_ipv4() { MAX_V4_BYTES } else { MAX_V6_BYTES } {
            return Err(Errno::EMSGSIZE);
        }
        self.check_unicast(env, id, dst)?;
        if bound.port() == 0 {
            self.autobind(env, id)?;
            bound = self.slab.udp(id)?.local;
        }
        let src = SocketAddr::new(self.source_from(bound.ip(), dst.ip())?, bound.port());
        let (ends, on_host) = (Ends::new(src, dst), is_local(&self.own.addrs, dst.ip()));
        let frame = self.slab.udp(id)?.options.rare.frame_bytes(dst.ip()).filter(|_| !on_host);
        if frame.is_some_and(|frame| len > frame) {
            return Err(Errno::EMSGSIZE);
        }
        // A way with bounds of its own is looked at each time.
        if let Some(to) = to.filter(|_| frame.is_none()) {
            self.slab.udp(id)?.way = Some(Way { to, ends: ends.clone(), on_host });
        }
        Ok((ends, on_host))
    }

    /// Broadcast needs `SO_BROADCAST`; neither it nor multicast is modelled.
    #[inline]
    fn check_unicast(&mut self, env: &mut Env, id: SocketId, to: SocketAddr) -> Result<()> {
        if is_broadcast(to.ip()) || to.ip().is_multicast() {
            return self.refuse_many(env, id, to);
        }
        Ok(())
    }

    #[cold]
    fn refuse_many(&mut self, env: &mut Env, id: SocketId, to: SocketAddr) -> Result<()> {
        if is_broadcast(to.ip()) && !self.slab.udp(id)?.options.broadcast {
            return Err(Errno::EACCES);
        }
        env.trace.notice(
            "sending to a broadcast or multicast address is not modelled and answers EOPNOTSUPP; \
             send to each host by its own address",
        );
        Err(Errno::EOPNOTSUPP)
    }

    /// Fixes the peer of a datagram socket: it alone is sent to by default, and it alone is heard.
    pub(super) fn connect_datagrams(
        &mut self,
        env: &mut Env,
        id: SocketId,
        addr: SocketAddr,
    ) -> Result<()> {
        let socket = self.slab.udp(id)?;
        let (domain, v6_only) = (socket.domain, socket.options.v6_only);
        let bound = socket.binding.class.map_or(any(domain), |class| class.ip);
        let to = self.destination(domain, v6_only, addr)?;
        self.check_unicast(env, id, to)?;
        let source = self.source_from(bound, to.ip())?;
        if self.slab.udp(id)?.local.port() == 0 {
            self.autobind(env, id)?;
        }
        let socket = self.slab.udp(id)?;
        socket.way = None;
        socket.local.set_ip(source);
        socket.remote = Some(to);
        Ok(())
    }

    /// The last descriptor of a datagram socket is gone.
    pub(super) fn drop_datagrams(&mut self, id: SocketId) {
        let Some(Entry::Udp(socket)) = self.slab.remove(id) else { return };
        if let Some(class) = socket.binding.class {
            let port = socket.local.port();
            self.tables.udp_ports.release(port, &class);
            self.tables.udp_ports.shut(port, id);
        }
    }
}
