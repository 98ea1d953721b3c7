//! Sockets (socket(2) and its company, send(2), recv(2)).

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::io::{gather, scatter, send_all};
use super::{answer, answer_int, await_ready, blocking, call};
use crate::descriptors::{number, simulated};
use crate::memory::{In, Out, parts};
use crate::real::next;
use crate::world::{World, is_member, with};
use core::ffi::{c_int, c_uint, c_void};
use libc::{mmsghdr, msghdr, sockaddr, socklen_t};
use sim_core::backend::{
    Backend, Domain, OptionName, Readiness, RecvFlags, Shutdown, SocketKind, SocketOption,
};
use sim_core::{Errno, Fd, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// An address as C has it, read byte by byte: the family decides what the rest is (ip(7), ipv6(7)).
fn read_address(address: In<sockaddr>, len: socklen_t) -> Result<SocketAddr> {
    let bytes = In(address.0.cast::<u8>()).slice(len as usize);
    let family = bytes
        .get(..2)
        .map(|family| u16::from_ne_bytes([family[0], family[1]]))
        .ok_or(Errno::EINVAL)?;
    let port = |bytes: &[u8]| u16::from_be_bytes([bytes[2], bytes[3]]);
    match c_int::from(family) {
        libc::AF_INET if bytes.len() >= 16 => {
            let octets: [u8; 4] = bytes[4..8].try_into().map_err(|_| Errno::EINVAL)?;
            Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(octets)), port(bytes)))
        }
        libc::AF_INET6 if bytes.len() >= 24 => {
            let octets: [u8; 16] = bytes[8..24].try_into().map_err(|_| Errno::EINVAL)?;
            let word = |at: usize| {
                bytes
                    .get(at..at + 4)
                    .map_or(0, |word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))
            };
            let (flow, scope) = (u32::from_be(word(4)), word(24));
            Ok(SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(octets), port(bytes), flow, scope)))
        }
        libc::AF_INET | libc::AF_INET6 => Err(Errno::EINVAL),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// The bytes of an address.
pub fn address_bytes(address: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(28);
    match address {
        SocketAddr::V4(address) => {
            bytes.extend((libc::AF_INET as u16).to_ne_bytes());
            bytes.extend(address.port().to_be_bytes());
            bytes.extend(address.ip().octets());
            bytes.resize(16, 0);
        }
        SocketAddr::V6(address) => {
            bytes.extend((libc::AF_INET6 as u16).to_ne_bytes());
            bytes.extend(address.port().to_be_bytes());
            bytes.extend(address.flowinfo().to_be_bytes());
            bytes.extend(address.ip().octets());
            bytes.extend(address.scope_id().to_ne_bytes());
        }
    }
    bytes
}

/// Writes an address as far as there is room, and its whole length.
fn write_address(into: Out<sockaddr>, len: Out<socklen_t>, address: SocketAddr) {
    let (Some(room), false) = (len.get(), into.is_null()) else { return };
    let bytes = address_bytes(address);
    let fits = bytes.len().min(room as usize);
    Out(into.0.cast::<u8>()).slice(fits).copy_from_slice(&bytes[..fits]);
    len.set(bytes.len() as socklen_t);
}

#[unsafe(no_mangle)]
extern "C" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    if !is_member() {
        return next!(c"socket"(domain: c_int, kind: c_int, protocol: c_int) -> c_int);
    }
    answer_int(open(domain, kind, protocol))
}

fn open(domain: c_int, kind: c_int, protocol: c_int) -> Result<c_int> {
    let family = match domain {
        libc::AF_INET => Domain::Inet,
        libc::AF_INET6 => Domain::Inet6,
        _ => {
            with(|world| world.refuse(&format!("a socket of address family {domain}")));
            return Err(Errno::EAFNOSUPPORT);
        }
    };
    let socket_kind = match (kind & 0xf, protocol) {
        (libc::SOCK_STREAM, 0 | libc::IPPROTO_TCP) => SocketKind::Stream,
        (libc::SOCK_DGRAM, 0 | libc::IPPROTO_UDP) => SocketKind::Datagram,
        _ => {
            with(|world| {
                world.refuse(&format!("a socket of kind {kind:#x} and protocol {protocol}"))
            });
            return Err(Errno::EPROTONOSUPPORT);
        }
    };
    call(|world| {
        let host = world.host();
        let fd = world.universe.socket(&mut world.env, host, family, socket_kind)?;
        world.descriptors.open_socket(fd, socket_kind, kind);
        Ok(number(fd))
    })
}

#[unsafe(no_mangle)]
extern "C" fn bind(fd: c_int, address: In<sockaddr>, len: socklen_t) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"bind"(fd: c_int, address: In<sockaddr>, len: socklen_t) -> c_int);
    };
    answer_int(call(|world| {
        let address = read_address(address, len)?;
        world.universe.bind(&mut world.env, object, address).map(|()| 0)
    }))
}

#[unsafe(no_mangle)]
extern "C" fn listen(fd: c_int, backlog: c_int) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"listen"(fd: c_int, backlog: c_int) -> c_int);
    };
    // A negative backlog is as large a one as may be (listen(2)).
    let backlog = u32::try_from(backlog).unwrap_or(u32::MAX);
    answer_int(call(|world| world.universe.listen(&mut world.env, object, backlog).map(|()| 0)))
}

#[unsafe(no_mangle)]
extern "C" fn accept4(
    fd: c_int,
    address: Out<sockaddr>,
    len: Out<socklen_t>,
    flags: c_int,
) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"accept4"(fd: c_int, address: Out<sockaddr>, len: Out<socklen_t>, flags: c_int) -> c_int);
    };
    answer_int(take(object, address, len, flags))
}

fn take(fd: Fd, address: Out<sockaddr>, len: Out<socklen_t>, flags: c_int) -> Result<c_int> {
    let (accepted, peer) =
        blocking(fd, Readiness::IN, false, |world| world.universe.accept(&mut world.env, fd))?;
    with(|world| world.descriptors.open_socket(accepted, SocketKind::Stream, flags));
    write_address(address, len, peer);
    Ok(number(accepted))
}

#[unsafe(no_mangle)]
extern "C" fn accept(fd: c_int, address: Out<sockaddr>, len: Out<socklen_t>) -> c_int {
    if simulated(fd).is_none() {
        return next!(c"accept"(fd: c_int, address: Out<sockaddr>, len: Out<socklen_t>) -> c_int);
    }
    accept4(fd, address, len, 0)
}

#[unsafe(no_mangle)]
extern "C" fn connect(fd: c_int, address: In<sockaddr>, len: socklen_t) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"connect"(fd: c_int, address: In<sockaddr>, len: socklen_t) -> c_int);
    };
    answer_int(begin_connection(object, address, len))
}

/// A blocking socket waits for the end of what it began; on its send time-out the connection goes on (socket(7)).
fn begin_connection(fd: Fd, address: In<sockaddr>, len: socklen_t) -> Result<c_int> {
    let address = read_address(address, len)?;
    match call(|world| world.universe.connect(&mut world.env, fd, address)) {
        Err(Errno::EINPROGRESS) => {}
        other => return other.map(|()| 0),
    }
    let super::Patience::Until(deadline) = with(|world| world.patience(fd, Readiness::OUT)) else {
        return Err(Errno::EINPROGRESS);
    };
    while !with(|world| world.universe.readiness(&mut world.env, fd))?
        .intersects(Readiness::OUT | Readiness::ERR)
    {
        if with(|world| world.env.now) >= deadline {
            return Err(Errno::EINPROGRESS);
        }
        await_ready(&[(fd, Readiness::OUT)], deadline)?;
    }
    match call(|world| world.universe.option(&mut world.env, fd, OptionName::Error))? {
        SocketOption::Error(0) => Ok(0),
        SocketOption::Error(errno) => Err(Errno::from_raw(errno)),
        other => unreachable!("SO_ERROR is not {other:?}"),
    }
}

#[unsafe(no_mangle)]
extern "C" fn shutdown(fd: c_int, how: c_int) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"shutdown"(fd: c_int, how: c_int) -> c_int);
    };
    let how = match how {
        libc::SHUT_RD => Shutdown::Read,
        libc::SHUT_WR => Shutdown::Write,
        libc::SHUT_RDWR => Shutdown::Both,
        _ => return answer_int(Err(Errno::EINVAL)),
    };
    answer_int(call(|world| world.universe.shutdown(&mut world.env, object, how).map(|()| 0)))
}

#[unsafe(no_mangle)]
extern "C" fn getsockname(fd: c_int, address: Out<sockaddr>, len: Out<socklen_t>) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"getsockname"(fd: c_int, address: Out<sockaddr>, len: Out<socklen_t>) -> c_int);
    };
    answer_int(call(|world| {
        write_address(address, len, world.universe.local_addr(&mut world.env, object)?);
        Ok(0)
    }))
}

#[unsafe(no_mangle)]
extern "C" fn getpeername(fd: c_int, address: Out<sockaddr>, len: Out<socklen_t>) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"getpeername"(fd: c_int, address: Out<sockaddr>, len: Out<socklen_t>) -> c_int);
    };
    answer_int(call(|world| {
        write_address(address, len, world.universe.peer_addr(&mut world.env, object)?);
        Ok(0)
    }))
}

#[unsafe(no_mangle)]
extern "C" fn send(fd: c_int, from: In<u8>, len: usize, flags: c_int) -> isize {
    sendto(fd, from, len, flags, In(core::ptr::null()), 0)
}

#[unsafe(no_mangle)]
extern "C" fn sendto(
    fd: c_int,
    from: In<u8>,
    len: usize,
    flags: c_int,
    address: In<sockaddr>,
    size: socklen_t,
) -> isize {
    let Some(object) = simulated(fd) else {
        return next!(c"sendto"(fd: c_int, from: In<u8>, len: usize, flags: c_int, address: In<sockaddr>, size: socklen_t) -> isize);
    };
    answer(send_bytes(object, from.slice(len), flags, address, size))
}

fn send_bytes(
    fd: Fd,
    data: &[u8],
    flags: c_int,
    address: In<sockaddr>,
    size: socklen_t,
) -> Result<usize> {
    const KNOWN: c_int = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    if flags & !KNOWN != 0 {
        return Err(with(|world| world.refuse(&format!("send with flags {:#x}", flags & !KNOWN))));
    }
    if size > 0 && address.address() != 0 {
        let to = read_address(address, size)?;
        let dont_wait = flags & libc::MSG_DONTWAIT != 0;
        return blocking(fd, Readiness::OUT, dont_wait, |world| {
            world.universe.send_to(&mut world.env, fd, data, to)
        });
    }
    if flags & libc::MSG_DONTWAIT != 0 {
        return call(|world| world.universe.send(&mut world.env, fd, data));
    }
    send_all(fd, data.len(), |world, sent| world.universe.send(&mut world.env, fd, &data[sent..]))
}

/// What a receiving call gave.
struct Received {
    len: usize,
    from: Option<SocketAddr>,
    truncated: bool,
}

fn receive(fd: Fd, into: &mut [u8], flags: c_int, wants_address: bool) -> Result<Received> {
    const KNOWN: c_int = libc::MSG_PEEK
        | libc::MSG_TRUNC
        | libc::MSG_DONTWAIT
        | libc::MSG_CMSG_CLOEXEC
        | libc::MSG_WAITALL;
    if flags & !KNOWN != 0 {
        return Err(with(|world| world.refuse(&format!("recv with flags {:#x}", flags & !KNOWN))));
    }
    let how =
        RecvFlags { peek: flags & libc::MSG_PEEK != 0, whole_len: flags & libc::MSG_TRUNC != 0 };
    let dont_wait = flags & libc::MSG_DONTWAIT != 0;
    if wants_address && with(|world| world.is_datagram(fd)) {
        let received = blocking(fd, Readiness::IN, dont_wait, |world| {
            world.universe.recv_from(&mut world.env, fd, into, how)
        })?;
        return Ok(Received {
            len: received.len,
            from: Some(received.from),
            truncated: received.truncated,
        });
    }
    let mut len = 0;
    loop {
        let rest = &mut into[len..];
        let more = blocking(fd, Readiness::IN, dont_wait, |world| {
            world.universe.recv(&mut world.env, fd, rest, how)
        });
        match more {
            Ok(more) => len += more,
            Err(_) if len > 0 => break,
            Err(errno) => return Err(errno),
        }
        let goes_on = flags & libc::MSG_WAITALL != 0 && len < into.len() && more != Ok(0);
        if !goes_on {
            break;
        }
    }
    Ok(Received { len, from: None, truncated: false })
}

impl World {
    fn is_datagram(&self, fd: Fd) -> bool {
        self.descriptors.status(fd).kind == Some(SocketKind::Datagram)
    }
}

#[unsafe(no_mangle)]
extern "C" fn recv(fd: c_int, into: Out<u8>, len: usize, flags: c_int) -> isize {
    let Some(object) = simulated(fd) else {
        return next!(c"recv"(fd: c_int, into: Out<u8>, len: usize, flags: c_int) -> isize);
    };
    answer(receive(object, into.slice(len), flags, false).map(|received| received.len))
}

#[unsafe(no_mangle)]
extern "C" fn recvfrom(
    fd: c_int,
    into: Out<u8>,
    len: usize,
    flags: c_int,
    address: Out<sockaddr>,
    size: Out<socklen_t>,
) -> isize {
    let Some(object) = simulated(fd) else {
        return next!(c"recvfrom"(fd: c_int, into: Out<u8>, len: usize, flags: c_int, address: Out<sockaddr>, size: Out<socklen_t>) -> isize);
    };
    answer(receive(object, into.slice(len), flags, true).map(|received| {
        match received.from {
            Some(from) => write_address(address, size, from),
            // A connected stream has no sender's address to give.
            None => size.set(0),
        }
        received.len
    }))
}

fn send_message(fd: Fd, message: In<msghdr>, flags: c_int) -> Result<usize> {
    let message = message.get().ok_or(Errno::EINVAL)?;
    if message.msg_controllen > 0 {
        with(|world| world.refuse("sendmsg with control messages"));
        return Err(Errno::EOPNOTSUPP);
    }
    let data = gather(parts(In(message.msg_iov), message.msg_iovlen));
    send_bytes(fd, &data, flags, In(message.msg_name.cast::<sockaddr>()), message.msg_namelen)
}

fn receive_message(fd: Fd, place: Out<msghdr>, flags: c_int) -> Result<usize> {
    let mut message = place.get().ok_or(Errno::EINVAL)?;
    let parts_of = || parts(In(message.msg_iov), message.msg_iovlen);
    let mut data = vec![0; parts_of().map(|part| part.len()).sum()];
    let received = receive(fd, &mut data, flags, true)?;
    scatter(parts_of(), &data[..received.len.min(data.len())]);
    let mut len = message.msg_namelen;
    match received.from {
        Some(from) => {
            write_address(Out(message.msg_name.cast::<sockaddr>()), Out(&raw mut len), from);
        }
        None => len = 0,
    }
    message.msg_namelen = len;
    message.msg_controllen = 0;
    message.msg_flags = if received.truncated { libc::MSG_TRUNC } else { 0 };
    place.set(message);
    Ok(received.len)
}

#[unsafe(no_mangle)]
extern "C" fn sendmsg(fd: c_int, message: In<msghdr>, flags: c_int) -> isize {
    let Some(object) = simulated(fd) else {
        return next!(c"sendmsg"(fd: c_int, message: In<msghdr>, flags: c_int) -> isize);
    };
    answer(send_message(object, message, flags))
}

#[unsafe(no_mangle)]
extern "C" fn recvmsg(fd: c_int, message: Out<msghdr>, flags: c_int) -> isize {
    let Some(object) = simulated(fd) else {
        return next!(c"recvmsg"(fd: c_int, message: Out<msghdr>, flags: c_int) -> isize);
    };
    answer(receive_message(object, message, flags))
}

/// Several messages in one call: how many until the first that fails, whose error counts if there was none before.
fn each(
    messages: Out<mmsghdr>,
    count: c_uint,
    mut one: impl FnMut(usize, &mut mmsghdr) -> Result<usize>,
) -> c_int {
    let mut done = 0;
    for (n, message) in messages.slice(count as usize).iter_mut().enumerate() {
        match one(n, message) {
            Ok(len) => message.msg_len = len as c_uint,
            Err(errno) if n == 0 => return answer_int(Err(errno)),
            Err(_) => break,
        }
        done += 1;
    }
    done
}

#[unsafe(no_mangle)]
extern "C" fn sendmmsg(fd: c_int, messages: Out<mmsghdr>, count: c_uint, flags: c_int) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"sendmmsg"(fd: c_int, messages: Out<mmsghdr>, count: c_uint, flags: c_int) -> c_int);
    };
    each(messages, count, |_, message| send_message(object, In(&raw const message.msg_hdr), flags))
}

#[unsafe(no_mangle)]
extern "C" fn recvmmsg(
    fd: c_int,
    messages: Out<mmsghdr>,
    count: c_uint,
    flags: c_int,
    timeout: Out<c_void>,
) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"recvmmsg"(fd: c_int, messages: Out<mmsghdr>, count: c_uint, flags: c_int, timeout: Out<c_void>) -> c_int);
    };
    let waits_for_one = flags & libc::MSG_WAITFORONE != 0;
    each(messages, count, |n, message| {
        let later = if n > 0 && waits_for_one { libc::MSG_DONTWAIT } else { 0 };
        receive_message(
            object,
            Out(&raw mut message.msg_hdr),
            flags & !libc::MSG_WAITFORONE | later,
        )
    })
}
