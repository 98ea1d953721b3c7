//! Socket calls on the real kernel: what it answers is the answer.
//!
//! All sockets are non-blocking and close-on-exec from the start, accepted ones included.
//!
//! Hosts other than the root host are told apart by their loopback addresses, so their sockets must
//! not use 127.0.0.1 unasked. A wildcard address means the host's own one to them, and a socket
//! without an address takes it before it first speaks to the loopback network. IPv6 has one loopback
//! address only, so there the hosts of a machine share it. The root host's sockets are left alone.

use crate::errno::Answer;
use crate::host::address;
use crate::table::{Description, Kind, Socket};
use crate::unix;
use rustix::net::{self, AddressFamily, SendFlags, SocketFlags};
use sim_core::backend::{Domain, Received, RecvFlags, Shutdown, SocketKind};
use sim_core::{Errno, HostId, Result};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;

/// Makes a socket (socket(2)).
pub(crate) fn open(host: HostId, domain: Domain, kind: SocketKind) -> Result<Description> {
    let family = match domain {
        Domain::Inet => AddressFamily::INET,
        Domain::Inet6 => AddressFamily::INET6,
        Domain::Unix => AddressFamily::UNIX,
    };
    let file = net::socket_with(
        family,
        unix::kernels(kind),
        SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
        None,
    )
    .answer()?;
    let socket = Socket { domain, kind, bound: false, lingers: false };
    Ok(Description::new(file, Kind::Socket(socket), host))
}

impl Description {
    pub(crate) fn bind(&mut self, addr: SocketAddr) -> Result<()> {
        let addr = self.own(addr);
        net::bind(self.fd(), &addr).answer()?;
        self.is_bound();
        Ok(())
    }

    pub(crate) fn listen(&mut self, backlog: u32) -> Result<()> {
        if self.shares_address() {
            self.take_address()?;
        }
        net::listen(self.fd(), i32::try_from(backlog).unwrap_or(i32::MAX)).answer()?;
        self.is_bound();
        Ok(())
    }

    /// Accepts a connection. It is of the listener's host and, as on Linux, lingers if the listener does.
    pub(crate) fn accept(&self) -> Result<(Self, SocketAddr)> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (file, addr) = net::acceptfrom_with(self.fd(), flags).answer()?;
        // The kernel itself gives up a connection whose peer it cannot name any longer.
        let addr = SocketAddr::try_from(addr.ok_or(Errno::ECONNABORTED)?).answer()?;
        let Kind::Socket(listener) = self.kind else { unreachable!("only a socket accepts") };
        let socket = Socket { bound: true, ..listener };
        Ok((Self::new(file, Kind::Socket(socket), self.host), addr))
    }

    pub(crate) fn connect(&mut self, addr: SocketAddr) -> Result<()> {
        self.leave_towards(&addr)?;
        let answer = net::connect(self.fd(), &addr).answer();
        if matches!(answer, Ok(()) | Err(Errno::EINPROGRESS)) {
            self.is_bound();
        }
        answer
    }

    pub(crate) fn send(&self, data: &[u8]) -> Result<usize> {
        net::send(self.fd(), data, SendFlags::NOSIGNAL).answer()
    }

    pub(crate) fn send_to(&mut self, data: &[u8], to: SocketAddr) -> Result<usize> {
        self.leave_towards(&to)?;
        let sent = net::sendto(self.fd(), data, SendFlags::NOSIGNAL, &to).answer()?;
        self.is_bound();
        Ok(sent)
    }

    pub(crate) fn recv(&self, into: &mut [u8], flags: RecvFlags) -> Result<usize> {
        let (_, len) = net::recv(self.fd(), into, kernels(flags)).answer()?;
        Ok(len)
    }

    /// Receives with the sender. For a stream that is the peer, which the kernel leaves out, or nobody if it has gone.
    pub(crate) fn recv_from(&self, into: &mut [u8], flags: RecvFlags) -> Result<Received> {
        if let Kind::Socket(Socket { kind: SocketKind::Stream, domain, .. }) = self.kind {
            let len = self.recv(into, flags)?;
            let from = peer_addr(self.fd()).unwrap_or_else(|_| wildcard(domain));
            return Ok(Received { len, from, truncated: false });
        }
        // The real length is always asked for: it is the way to know that something was cut off.
        let room = into.len();
        let (_, real, from) =
            net::recvfrom(self.fd(), into, kernels(flags) | net::RecvFlags::TRUNC).answer()?;
        let from = SocketAddr::try_from(from.ok_or(Errno::ENOTCONN)?).answer()?;
        let len = if flags.whole_len { real } else { real.min(room) };
        Ok(Received { len, from, truncated: real > room })
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> Result<()> {
        let how = match how {
            Shutdown::Read => net::Shutdown::Read,
            Shutdown::Write => net::Shutdown::Write,
            Shutdown::Both => net::Shutdown::Both,
        };
        net::shutdown(self.fd(), how).answer()
    }

    /// A host's own address in place of the wildcard.
    fn own(&self, addr: SocketAddr) -> SocketAddr {
        match addr.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() && self.host != HostId::ROOT => {
                SocketAddr::new(address(self.host).into(), addr.port())
            }
            _ => addr,
        }
    }

    /// Whether the kernel would give this socket an address that is not its host's own.
    fn shares_address(&self) -> bool {
        let unbound =
            matches!(self.kind, Kind::Socket(Socket { domain: Domain::Inet, bound: false, .. }));
        unbound && self.host != HostId::ROOT
    }

    /// Takes the host's own address before speaking to the loopback network; towards others the kernel knows the right one.
    fn leave_towards(&mut self, addr: &SocketAddr) -> Result<()> {
        let local = matches!(addr.ip(), IpAddr::V4(ip) if ip.is_loopback() || ip.is_unspecified());
        if local && self.shares_address() { self.take_address() } else { Ok(()) }
    }

    fn take_address(&mut self) -> Result<()> {
        self.bind(SocketAddr::new(address(self.host).into(), 0))
    }

    fn is_bound(&mut self) {
        if let Kind::Socket(socket) = &mut self.kind {
            socket.bound = true;
        }
    }
}

/// The socket's own address (getsockname(2)).
pub(crate) fn local_addr(fd: BorrowedFd<'_>) -> Result<SocketAddr> {
    net::getsockname(fd).and_then(SocketAddr::try_from).answer()
}

/// The peer's address (getpeername(2)).
pub(crate) fn peer_addr(fd: BorrowedFd<'_>) -> Result<SocketAddr> {
    let addr = net::getpeername(fd).answer()?.ok_or(Errno::ENOTCONN)?;
    SocketAddr::try_from(addr).answer()
}

fn kernels(RecvFlags { peek, whole_len }: RecvFlags) -> net::RecvFlags {
    let mut flags = net::RecvFlags::empty();
    flags.set(net::RecvFlags::PEEK, peek);
    flags.set(net::RecvFlags::TRUNC, whole_len);
    flags
}

fn wildcard(domain: Domain) -> SocketAddr {
    match domain {
        Domain::Inet => SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0),
        Domain::Inet6 | Domain::Unix => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
    }
}
