//! Sockets (socket(2) and its company, send(2), recv(2)).

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::io::send_all;
use super::{address, answer, answer_int, await_ready, blocking, call};
use crate::descriptors::{number, simulated};
use crate::memory::{In, Out};
use crate::real::next;
use crate::world::{is_member, with};
use core::ffi::c_int;
use libc::{sockaddr, socklen_t};
use sim_core::backend::{
    Address, Backend, Domain, Message, OptionName, Readiness, RecvFlags, Shutdown, SocketKind,
    SocketOption,
};
use sim_core::{Errno, Fd, Result};

#[unsafe(no_mangle)]
extern "C" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    if !is_member() {
        return next!(c"socket"(domain: c_int, kind: c_int, protocol: c_int) -> c_int);
    }
    answer_int(open(domain, kind, protocol))
}

/// The kind of socket that these words mean in an address family.
fn kind_of(domain: c_int, kind: c_int, protocol: c_int) -> Result<SocketKind> {
    let is_unix = domain == libc::AF_UNIX;
    match (kind & 0xf, protocol) {
        (libc::SOCK_STREAM, 0) => Ok(SocketKind::Stream),
        (libc::SOCK_STREAM, libc::IPPROTO_TCP) if !is_unix => Ok(SocketKind::Stream),
        (libc::SOCK_DGRAM, 0) => Ok(SocketKind::Datagram),
        (libc::SOCK_DGRAM, libc::IPPROTO_UDP) if !is_unix => Ok(SocketKind::Datagram),
        (libc::SOCK_SEQPACKET, 0) if is_unix => Ok(SocketKind::SeqPacket),
        _ => {
            with(|world| {
                world.refuse(&format!("a socket of kind {kind:#x} and protocol {protocol}"))
            });
            Err(Errno::EPROTONOSUPPORT)
        }
    }
}

fn open(domain: c_int, kind: c_int, protocol: c_int) -> Result<c_int> {
    let family = match domain {
        libc::AF_INET => Domain::Inet,
        libc::AF_INET6 => Domain::Inet6,
        libc::AF_UNIX => Domain::Unix,
        _ => {
            with(|world| world.refuse(&format!("a socket of address family {domain}")));
            return Err(Errno::EAFNOSUPPORT);
        }
    };
    let socket_kind = kind_of(domain, kind, protocol)?;
    call(|world| {
        let host = world.host();
        let fd = world.universe.socket(&mut world.env, host, family, socket_kind)?;
        world.descriptors.open_socket(fd, socket_kind, kind);
        Ok(number(fd))
    })
}

#[unsafe(no_mangle)]
extern "C" fn socketpair(domain: c_int, kind: c_int, protocol: c_int, into: Out<c_int>) -> c_int {
    if !is_member() {
        return next!(c"socketpair"(domain: c_int, kind: c_int, protocol: c_int, into: Out<c_int>) -> c_int);
    }
    answer_int(pair(domain, kind, protocol, into))
}

fn pair(domain: c_int, kind: c_int, protocol: c_int, into: Out<c_int>) -> Result<c_int> {
    if domain != libc::AF_UNIX {
        return Err(Errno::EOPNOTSUPP);
    }
    let socket_kind = kind_of(domain, kind, protocol)?;
    call(|world| {
        let host = world.host();
        let (first, second) = world.universe.socket_pair(&mut world.env, host, socket_kind)?;
        for (n, fd) in [first, second].into_iter().enumerate() {
            world.descriptors.open_socket(fd, socket_kind, kind);
            into.at(n).set(number(fd));
        }
        Ok(0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn bind(fd: c_int, address: In<sockaddr>, len: socklen_t) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"bind"(fd: c_int, address: In<sockaddr>, len: socklen_t) -> c_int);
    };
    answer_int(call(|world| {
        let address = address::read(address, len)?;
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
    with(|world| {
        let kind = world.descriptors.status(fd).kind.unwrap_or(SocketKind::Stream);
        world.descriptors.open_socket(accepted, kind, flags);
    });
    address::write(address, len, peer);
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
    if address::family(address, len) == Some(libc::AF_UNSPEC) {
        return call(|world| world.universe.disconnect(&mut world.env, fd)).map(|()| 0);
    }
    let address = address::read(address, len)?;
    // A Unix socket is connected at once, or waits for room in the listener's queue.
    let begun = match address {
        Address::Unix(_) => blocking(fd, Readiness::OUT, false, |world| {
            world.universe.connect(&mut world.env, fd, address)
        }),
        Address::Inet(_) => call(|world| world.universe.connect(&mut world.env, fd, address)),
    };
    match begun {
        Err(Errno::EINPROGRESS) => await_connection(fd),
        other => other.map(|()| 0),
    }
}

fn await_connection(fd: Fd) -> Result<c_int> {
    let super::Patience::Until(deadline) = with(|world| world.patience(fd, Readiness::OUT)) else {
        return Err(Errno::EINPROGRESS);
    };
    let is_done = Readiness::OUT | Readiness::ERR;
    while !with(|world| world.universe.readiness(&mut world.env, fd))?.intersects(is_done) {
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
        address::write(address, len, world.universe.local_addr(&mut world.env, object)?);
        Ok(0)
    }))
}

#[unsafe(no_mangle)]
extern "C" fn getpeername(fd: c_int, address: Out<sockaddr>, len: Out<socklen_t>) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"getpeername"(fd: c_int, address: Out<sockaddr>, len: Out<socklen_t>) -> c_int);
    };
    answer_int(call(|world| {
        address::write(address, len, world.universe.peer_addr(&mut world.env, object)?);
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
    answer(send_bytes(object, Sending { data: from.slice(len), flags, address, size }))
}

/// What a sending call was given.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// The data.
    pub data: &'a [u8],
    /// The flags.
    pub flags: c_int,
    /// To whom; null for the peer.
    pub address: In<sockaddr>,
    /// The address's length.
    pub size: socklen_t,
}

impl Sending<'_> {
    /// To whom, if not to the peer.
    pub fn to(&self) -> Result<Option<Address>> {
        let is_given = self.size > 0 && self.address.address() != 0;
        is_given.then(|| address::read(self.address, self.size)).transpose()
    }
}

/// Sends without ancillary data.
pub fn send_bytes(fd: Fd, sending: Sending<'_>) -> Result<usize> {
    const KNOWN: c_int = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    let Sending { data, flags, .. } = sending;
    if flags & !KNOWN != 0 {
        return Err(with(|world| world.refuse(&format!("send with flags {:#x}", flags & !KNOWN))));
    }
    let dont_wait = flags & libc::MSG_DONTWAIT != 0;
    match sending.to()? {
        Some(Address::Inet(to)) => blocking(fd, Readiness::OUT, dont_wait, |world| {
            world.universe.send_to(&mut world.env, fd, data, to)
        }),
        Some(to) => blocking(fd, Readiness::OUT, dont_wait, |world| {
            let message = Message { data, to: Some(to), control: &[] };
            world.universe.send_message(&mut world.env, fd, message)
        }),
        None if dont_wait => call(|world| world.universe.send(&mut world.env, fd, data)),
        None => send_all(fd, data.len(), |world, sent| {
            world.universe.send(&mut world.env, fd, &data[sent..])
        }),
    }
}

/// What a receiving call gave.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// How many bytes.
    pub len: usize,
    /// Who sent them, where that is known.
    pub from: Option<Address>,
    /// Whether the rest of a datagram was discarded.
    pub truncated: bool,
}

/// Receives without ancillary data.
pub fn receive(fd: Fd, into: &mut [u8], flags: c_int, wants_address: bool) -> Result<Received> {
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
    if wants_address && with(|world| world.keeps_messages_apart(fd)) {
        let received = blocking(fd, Readiness::IN, dont_wait, |world| {
            world.universe.recv_message(&mut world.env, fd, into, how)
        })?;
        let (len, from, truncated) = (received.len, received.from, received.truncated);
        return Ok(Received { len, from, truncated });
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

#[unsafe(no_mangle)]
pub(super) extern "C" fn recv(fd: c_int, into: Out<u8>, len: usize, flags: c_int) -> isize {
    let Some(object) = simulated(fd) else {
        return next!(c"recv"(fd: c_int, into: Out<u8>, len: usize, flags: c_int) -> isize);
    };
    answer(receive(object, into.slice(len), flags, false).map(|received| received.len))
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn recvfrom(
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
            Some(from) => address::write(address, size, from),
            // A connected stream has no sender's address to give.
            None => size.set(0),
        }
        received.len
    }))
}
