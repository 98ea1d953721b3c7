//! Addresses: one form for each, and the few sets that the rules speak of.
//!
//! Inside a stack an IPv4-mapped IPv6 address is the IPv4 address it stands for, so that a dual-stack
//! socket and an IPv4 socket meet in the same tables. Only answers to a program are mapped back.

use core::ops::Deref;
use sim_core::backend::Domain;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The addresses of a host. Most have one of each family at most, which are kept in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addrs(Kept);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    One([IpAddr; 1]),
    Two([IpAddr; 2]),
    Many(Box<[IpAddr]>),
}

impl Deref for Addrs {
    type Target = [IpAddr];

    #[inline]
    fn deref(&self) -> &[IpAddr] {
        match &self.0 {
            Kept::One(addr) => addr,
            Kept::Two(addrs) => addrs,
            Kept::Many(addrs) => addrs,
        }
    }
}

impl From<&[IpAddr]> for Addrs {
    fn from(addrs: &[IpAddr]) -> Self {
        match *addrs {
            [addr] => Self::from(addr),
            [first, second] => Self::from([first, second]),
            _ => Self(Kept::Many(addrs.into())),
        }
    }
}

impl From<Vec<IpAddr>> for Addrs {
    fn from(addrs: Vec<IpAddr>) -> Self {
        Self::from(&*addrs)
    }
}

impl From<IpAddr> for Addrs {
    fn from(addr: IpAddr) -> Self {
        Self(Kept::One([addr]))
    }
}

impl From<[IpAddr; 2]> for Addrs {
    fn from(addrs: [IpAddr; 2]) -> Self {
        Self(Kept::Two(addrs))
    }
}

/// The same address without a mapped form, flow information or scope.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(_) => addr,
        SocketAddr::V6(v6) => SocketAddr::new(canonical_ip(IpAddr::V6(*v6.ip())), v6.port()),
    }
}

pub(crate) fn canonical_ip(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// The address as a socket of `domain` shows it: `::ffff:a.b.c.d` for IPv4 on an IPv6 socket.
pub(crate) fn shown(addr: SocketAddr, domain: Domain) -> SocketAddr {
    match (addr, domain) {
        (SocketAddr::V4(v4), Domain::Inet6) => {
            let ip = if v4.ip().is_unspecified() {
                Ipv6Addr::UNSPECIFIED
            } else {
                v4.ip().to_ipv6_mapped()
            };
            SocketAddr::V6(SocketAddrV6::new(ip, v4.port(), 0, 0))
        }
        _ => addr,
    }
}

/// The wildcard address of a family.
pub(crate) const fn any(domain: Domain) -> IpAddr {
    match domain {
        Domain::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Domain::Inet6 | Domain::Unix => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Whether it is the limited broadcast address, 255.255.255.255.
pub(crate) fn is_broadcast(ip: IpAddr) -> bool {
    ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// The loopback address of the same family.
pub(crate) const fn loopback_like(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    }
}

/// Whether it is fe80::/10, which says nothing without an interface.
pub(crate) const fn is_link_local_v6(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfe80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_meet_and_are_shown_mapped() {
        let v4: SocketAddr = "10.0.0.1:80".parse().unwrap();
        let mapped: SocketAddr = "[::ffff:10.0.0.1]:80".parse().unwrap();
        assert_eq!(canonical(mapped), v4);
        assert_eq!(shown(v4, Domain::Inet6), mapped);
        assert_eq!(shown(v4, Domain::Inet), v4);
        let scoped = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 7, 3));
        assert_eq!(canonical(scoped), "[::1]:80".parse().unwrap());
    }

    #[test]
    fn link_local_is_a_prefix_of_ten_bits() {
        for (text, expect) in
            [("fe80::1", true), ("febf::1", true), ("fec0::1", false), ("::1", false)]
        {
            assert_eq!(is_link_local_v6(text.parse().unwrap()), expect, "{text}");
        }
    }
}
