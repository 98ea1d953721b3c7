//! Socket addresses as C has them (ip(7), ipv6(7), unix(7)), read and written byte by byte: the family decides what the rest is.

use crate::memory::{In, Out};
use core::ffi::c_int;
use libc::{sockaddr, socklen_t};
use sim_core::backend::{Address, UnixName};
use sim_core::{Errno, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// How long the family is, before the rest of an address.
const FAMILY_BYTES: usize = size_of::<libc::sa_family_t>();

/// The family of an address; `None` if there is none.
pub fn family(address: In<sockaddr>, len: socklen_t) -> Option<c_int> {
    let bytes = In(address.0.cast::<u8>()).slice(len as usize);
    let family = bytes.get(..FAMILY_BYTES)?;
    Some(c_int::from(u16::from_ne_bytes([family[0], family[1]])))
}

/// An address that the caller hands in.
pub fn read(address: In<sockaddr>, len: socklen_t) -> Result<Address> {
    let bytes = In(address.0.cast::<u8>()).slice(len as usize);
    match family(address, len).ok_or(Errno::EINVAL)? {
        libc::AF_INET => v4(bytes).map(Address::Inet).ok_or(Errno::EINVAL),
        libc::AF_INET6 => v6(bytes).map(Address::Inet).ok_or(Errno::EINVAL),
        libc::AF_UNIX => {
            UnixName::from_sun_path(&bytes[FAMILY_BYTES..]).map(Address::Unix).ok_or(Errno::EINVAL)
        }
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

fn port(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))
}

fn v4(bytes: &[u8]) -> Option<SocketAddr> {
    let octets: [u8; 4] = bytes.get(..16)?[4..8].try_into().ok()?;
    Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(octets)), port(bytes)?))
}

fn v6(bytes: &[u8]) -> Option<SocketAddr> {
    let word = |at: usize| {
        Some(bytes.get(at..at + 4)?.try_into().map(u32::from_ne_bytes).unwrap_or_default())
    };
    let octets: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
    // The scope came later than the rest, and an address without it is one of no scope.
    let (flow, scope) = (u32::from_be(word(4)?), word(24).unwrap_or(0));
    Some(SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(octets), port(bytes)?, flow, scope)))
}

/// The bytes of an address.
pub fn bytes(address: Address) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(28);
    match address {
        Address::Inet(SocketAddr::V4(address)) => {
            bytes.extend((libc::AF_INET as u16).to_ne_bytes());
            bytes.extend(address.port().to_be_bytes());
            bytes.extend(address.ip().octets());
            bytes.resize(16, 0);
        }
        Address::Inet(SocketAddr::V6(address)) => {
            bytes.extend((libc::AF_INET6 as u16).to_ne_bytes());
            bytes.extend(address.port().to_be_bytes());
            bytes.extend(address.flowinfo().to_be_bytes());
            bytes.extend(address.ip().octets());
            bytes.extend(address.scope_id().to_ne_bytes());
        }
        Address::Unix(name) => {
            bytes.extend((libc::AF_UNIX as u16).to_ne_bytes());
            bytes.extend(name.sun_path());
            if name.as_path().is_some() {
                bytes.push(0);
            }
        }
    }
    bytes
}

/// Writes an address as far as there is room, and its whole length.
pub fn write(into: Out<sockaddr>, len: Out<socklen_t>, address: Address) {
    let (Some(room), false) = (len.get(), into.is_null()) else { return };
    let bytes = bytes(address);
    let fits = bytes.len().min(room as usize);
    Out(into.0.cast::<u8>()).slice(fits).copy_from_slice(&bytes[..fits]);
    len.set(bytes.len() as socklen_t);
}
