//! Unix sockets on the real kernel, with the names that a host knows.
//!
//! A path begins at its host's root directory. The kernel has no call that binds below a directory, so it is given the
//! directory's real path and the name in it, and what it answers is cut back. The names of the abstract namespace are the
//! machine's, whatever the host: there is one such namespace.

use crate::errno::Answer;
use crate::root::Root;
use crate::table::{Description, Kind, Socket};
use rustix::net::{self, AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType};
use sim_core::backend::{Address, Credentials, Domain, SocketKind, UnixName};
use sim_core::{Errno, HostId, Result};

/// Makes two sockets that are connected (socketpair(2)).
pub(crate) fn pair(host: HostId, kind: SocketKind) -> Result<(Description, Description)> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (a, b) = net::socketpair(AddressFamily::UNIX, kernels(kind), flags, None).answer()?;
    let socket = Socket { domain: Domain::Unix, kind, bound: false, lingers: false };
    let description = |file| Description::new(file, Kind::Socket(socket), host);
    Ok((description(a), description(b)))
}

/// The kernel's word for a kind of socket.
pub(crate) fn kernels(kind: SocketKind) -> SocketType {
    match kind {
        SocketKind::Stream => SocketType::STREAM,
        SocketKind::Datagram => SocketType::DGRAM,
        SocketKind::SeqPacket => SocketType::SEQPACKET,
    }
}

/// A name as the kernel knows it.
pub(crate) fn address(root: &Root, name: &UnixName) -> Result<SocketAddrUnix> {
    match (name.as_path(), name.as_abstract()) {
        (Some(path), _) => {
            let path = str::from_utf8(path).map_err(|_| Errno::EINVAL)?;
            SocketAddrUnix::new(root.real_path(path)?.as_slice()).answer()
        }
        (None, Some(name)) => SocketAddrUnix::new_abstract_name(name).answer(),
        (None, None) => Ok(SocketAddrUnix::new_unnamed()),
    }
}

/// A name as its host knows it.
pub(crate) fn told(root: &Root, addr: SocketAddrAny) -> Result<Address> {
    let unix = SocketAddrUnix::try_from(addr).answer()?;
    let name = match (unix.path_bytes(), unix.abstract_name()) {
        (Some(path), _) => UnixName::path(&root.shown_path(path)),
        // The kernel answers no name at all, which reads like an empty one.
        (_, Some(name)) if !name.is_empty() => UnixName::abstract_name(name),
        _ => Some(UnixName::UNNAMED),
    };
    Ok(Address::Unix(name.ok_or(Errno::ENAMETOOLONG)?))
}

impl Description {
    /// Whether it is a Unix socket.
    pub(crate) fn is_unix(&self) -> bool {
        matches!(self.kind, Kind::Socket(Socket { domain: Domain::Unix, .. }))
    }

    /// Gives it a name; a path becomes a socket's name on the disk.
    pub(crate) fn bind_name(&self, root: &Root, name: &UnixName) -> Result<()> {
        net::bind(self.fd(), &address(root, name)?).answer()
    }

    /// Connects to whoever has a name.
    pub(crate) fn connect_name(&self, root: &Root, name: &UnixName) -> Result<()> {
        net::connect(self.fd(), &address(root, name)?).answer()
    }

    /// Its own address (getsockname(2)).
    pub(crate) fn local_address(&self, root: &Root) -> Result<Address> {
        let addr = net::getsockname(self.fd()).answer()?;
        self.shown(root, addr)
    }

    /// Its peer's address (getpeername(2)).
    pub(crate) fn peer_address(&self, root: &Root) -> Result<Address> {
        let addr = net::getpeername(self.fd()).answer()?;
        match addr {
            Some(addr) => self.shown(root, addr),
            None if self.is_unix() => Ok(Address::Unix(UnixName::UNNAMED)),
            None => Err(Errno::ENOTCONN),
        }
    }

    fn shown(&self, root: &Root, addr: SocketAddrAny) -> Result<Address> {
        if self.is_unix() {
            return told(root, addr);
        }
        std::net::SocketAddr::try_from(addr).map(Address::Inet).answer()
    }

    /// Accepts a connection of a Unix socket.
    pub(crate) fn accept_name(&self, root: &Root) -> Result<(Self, Address)> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (file, addr) = net::acceptfrom_with(self.fd(), flags).answer()?;
        let accepted = Self::new(file, clone(&self.kind), self.host);
        let from = match addr {
            Some(addr) => told(root, addr)?,
            None => Address::Unix(UnixName::UNNAMED),
        };
        Ok((accepted, from))
    }
}

fn clone(listener: &Kind) -> Kind {
    let Kind::Socket(socket) = listener else { unreachable!("only a socket accepts") };
    Kind::Socket(*socket)
}

/// Who this process is.
pub(crate) fn credentials() -> Credentials {
    Credentials {
        pid: std::process::id(),
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
    }
}
