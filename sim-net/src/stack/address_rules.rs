//! Which addresses a socket may use, and which way a packet goes (ip(7), ipv6(7), connect(2)).

use super::{SocketId, Stack, is_local};
use crate::address::{any, canonical, is_broadcast, is_link_local_v6, loopback_like};
use sim_core::backend::Domain;
use sim_core::{Errno, Result};
use std::net::{IpAddr, SocketAddr};

impl Stack<'_> {
    /// The destination as the tables know it, or why a socket of this family cannot name it.
    pub(super) fn destination(
        &self,
        domain: Domain,
        v6_only: bool,
        addr: SocketAddr,
    ) -> Result<SocketAddr> {
        check_family(domain, &addr)?;
        let mut to = canonical(addr);
        if v6_only && to.is_ipv4() {
            return Err(Errno::ENETUNREACH);
        }
        if let SocketAddr::V6(v6) = addr
            && is_link_local_v6(addr.ip())
            && v6.scope_id() == 0
        {
            return Err(Errno::EINVAL);
        }
        if to.ip().is_unspecified() {
            to.set_ip(loopback_like(to.ip()));
        }
        Ok(to)
    }

    /// The address that a packet to `to` comes from, if the program chose none.
    pub(super) fn source(&self, to: IpAddr) -> Result<IpAddr> {
        if to.is_loopback() {
            return Ok(loopback_like(to));
        }
        if is_local(&self.own.addrs, to) {
            return Ok(to);
        }
        let same_family = |addr: &&IpAddr| addr.is_ipv4() == to.is_ipv4();
        self.own.addrs.iter().find(same_family).copied().ok_or(Errno::ENETUNREACH)
    }

    /// The source of a packet to `to`, from a socket bound to `bound` or to nothing.
    pub(super) fn source_from(&self, bound: IpAddr, to: IpAddr) -> Result<IpAddr> {
        if bound.is_unspecified() {
            return self.source(to);
        }
        if bound.is_ipv4() != to.is_ipv4() {
            return Err(Errno::ENETUNREACH);
        }
        if bound.is_loopback() && !is_local(&self.own.addrs, to) {
            // A packet from a loopback address never leaves its host.
            return Err(Errno::EINVAL);
        }
        self.source(to).map(|_| bound)
    }

    /// Both addresses of a connection to `addr`, its port still as bound.
    pub(super) fn stream_route(
        &mut self,
        id: SocketId,
        addr: SocketAddr,
    ) -> Result<(SocketAddr, SocketAddr)> {
        let connection = self.slab.tcp(id)?;
        let (domain, v6_only, local) =
            (connection.domain, connection.options.v6_only, connection.local);
        let bound = if connection.binding.class.is_some() {
            local
        } else {
            SocketAddr::new(any(domain), 0)
        };
        let remote = self.destination(domain, v6_only, addr)?;
        if remote.ip().is_multicast() || is_broadcast(remote.ip()) {
            return Err(Errno::ENETUNREACH);
        }
        let source = self.source_from(bound.ip(), remote.ip())?;
        Ok((SocketAddr::new(source, bound.port()), remote))
    }

    /// The address to bind, as the tables know it, or why it cannot be bound.
    pub(super) fn bindable(
        &self,
        domain: Domain,
        v6_only: bool,
        addr: SocketAddr,
    ) -> Result<SocketAddr> {
        check_family(domain, &addr)?;
        let to = canonical(addr);
        if v6_only && to.is_ipv4() {
            return Err(Errno::EINVAL);
        }
        if let SocketAddr::V6(v6) = addr
            && is_link_local_v6(addr.ip())
            && v6.scope_id() == 0
        {
            return Err(Errno::EINVAL);
        }
        let ip = to.ip();
        let known = ip.is_unspecified()
            || ip.is_multicast()
            || is_broadcast(ip)
            || is_local(&self.own.addrs, ip);
        if known { Ok(to) } else { Err(Errno::EADDRNOTAVAIL) }
    }
}

/// An IPv4 socket takes no IPv6 address; an IPv6 socket takes IPv4 only in its mapped form.
fn check_family(domain: Domain, addr: &SocketAddr) -> Result<()> {
    match (domain, addr) {
        (Domain::Inet, SocketAddr::V6(_)) => Err(Errno::EAFNOSUPPORT),
        (Domain::Inet6, SocketAddr::V4(_)) => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}
