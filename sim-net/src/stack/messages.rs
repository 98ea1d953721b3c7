//! Datagrams with ancillary data (sendmsg(2), recvmsg(2), udp(7)): a source, a class, several at once.

use super::table::Entry;
use super::{SocketId, Stack, is_local};
use crate::packet::{Body, Ends};
use sim_core::backend::{Control, Received, RecvFlags};
use sim_core::{Env, Errno, Result};
use std::net::{IpAddr, SocketAddr};

/// The most datagrams that are made of one message (`UDP_MAX_SEGMENTS`).
const SEGMENTS_MAX: usize = 128;

/// How a message is sent, if not as the socket's options say.
#[derive(Debug, Default)]
struct Wish {
    source: Option<IpAddr>,
    class: Option<u8>,
    segment: Option<u16>,
}

impl Wish {
    fn of(env: &mut Env, control: &[Control]) -> Result<Self> {
        let mut wish = Self::default();
        for piece in control {
            match *piece {
                Control::PacketInfo(ip) => {
                    wish.source = Some(crate::address::canonical_ip(ip));
                }
                Control::TrafficClass(class) => wish.class = Some(class),
                Control::SegmentSize(bytes) => wish.segment = Some(bytes),
                _ => {
                    env.trace.notice(format!(
                        "ancillary data {piece:?} is not modelled on a socket of IP: sending it answers EOPNOTSUPP"
                    ));
                    return Err(Errno::EOPNOTSUPP);
                }
            }
        }
        Ok(wish)
    }
}

impl Stack<'_> {
    /// Sends a message (sendmsg(2)): on a datagram socket as one datagram, or as several of the size that
    /// [`Control::SegmentSize`] or the socket's option says.
    ///
    /// # Errors
    /// As sendto(2); `EINVAL` for a source that is not the host's and for more than 128 datagrams; `EOPNOTSUPP` for
    /// ancillary data on a stream.
    pub fn send_message(
        &mut self,
        env: &mut Env,
        id: SocketId,
        data: &[u8],
        to: Option<SocketAddr>,
        control: &[Control],
    ) -> Result<usize> {
        let wish = Wish::of(env, control)?;
        if matches!(self.slab.get(id), Some(Entry::Tcp(_))) {
            if let Some(piece) = control.first() {
                env.trace.notice(format!(
                    "ancillary data {piece:?} is not modelled on a stream: sending it answers EOPNOTSUPP"
                ));
                return Err(Errno::EOPNOTSUPP);
            }
            return self.send(env, id, data);
        }
        let (ends, on_host) = self.find_way(env, id, data.len(), to)?;
        let ends = match wish.source.filter(|ip| !ip.is_unspecified()) {
            Some(ip) => self.leave_from(ip, &ends)?,
            None => ends,
        };
        self.send_segments(env, id, data, (ends, on_host), &wish)?;
        self.deliver_local(env);
        Ok(data.len())
    }

    /// The same way from another of the host's addresses.
    fn leave_from(&self, ip: IpAddr, ends: &Ends) -> Result<Ends> {
        if !is_local(&self.own.addrs, ip) || ip.is_ipv4() != ends.dst().is_ipv4() {
            return Err(Errno::EINVAL);
        }
        let source = self.source_from(ip, ends.dst().ip())?;
        Ok(Ends::new(SocketAddr::new(source, ends.src().port()), ends.dst()))
    }

    fn send_segments(
        &mut self,
        env: &mut Env,
        id: SocketId,
        data: &[u8],
        (ends, on_host): (Ends, bool),
        wish: &Wish,
    ) -> Result<()> {
        let socket = self.slab.udp(id)?;
        let rare = socket.options.rare;
        let size = match wish.segment.unwrap_or(rare.segment) {
            0 => data.len().max(1),
            size => usize::from(size),
        };
        if data.len().div_ceil(size) > SEGMENTS_MAX {
            return Err(Errno::EINVAL);
        }
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        if socket.shut.write {
            return Err(Errno::EPIPE);
        }
        let class = wish.class.unwrap_or_else(|| rare.class_of(&ends));
        let mut rest = data;
        loop {
            let (segment, after) = rest.split_at(size.min(rest.len()));
            let body = Body::Udp(self.io.pool.copy(segment), class);
            self.io.emit(env, Some(id), &mut socket.flow, ends.clone(), on_host, body);
            if after.is_empty() {
                return Ok(());
            }
            rest = after;
        }
    }

    /// Receives a message with what the socket asked to be told of it (recvmsg(2)). A stream names no sender.
    pub fn recv_message(
        &mut self,
        env: &mut Env,
        id: SocketId,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<(Received, bool, Vec<Control>)> {
        if let Some(Entry::Udp(socket)) = self.slab.get_mut(id) {
            let told = socket.told();
            return socket.recv(into, flags).map(|received| (received, true, told));
        }
        self.recv_from(env, id, into, flags).map(|received| (received, false, Vec::new()))
    }
}
