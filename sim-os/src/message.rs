//! Messages with ancillary data on the real kernel: descriptors and credentials. Ancillary data of IP and UDP is
//! refused with a notice.

use crate::errno::Answer;
use crate::root::Root;
use crate::table::{Description, Kind, Socket, Table};
use crate::unix;
use rustix::net::{
    self, RecvAncillaryBuffer, RecvAncillaryMessage, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, UCred,
};
use sim_core::backend::{
    Address, Control, Credentials, Domain, Message, ReceivedMessage, RecvFlags, SocketKind,
};
use sim_core::{Env, Errno, HostId, Result};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};

/// The most descriptors that travel with one message (`SCM_MAX_FD`).
const RIGHTS_MAX: usize = 253;
/// Room for so many and for credentials.
const CONTROL_BYTES: usize =
    rustix::cmsg_space!(ScmRights(RIGHTS_MAX)) + rustix::cmsg_space!(ScmCredentials(1));

/// Sends a message (sendmsg(2)) on a socket of a host whose root directory is `root`.
pub(crate) fn send(
    env: &mut Env,
    table: &Table,
    (from, root): (&Description, &Root),
    message: Message<'_>,
) -> Result<usize> {
    let (mut rights, mut credentials) = (Vec::new(), None);
    for control in message.control {
        match control {
            Control::Rights(fds) => {
                for &fd in fds {
                    rights.push(table.get(fd)?.fd());
                }
            }
            Control::Credentials(who) => credentials = Some(*who),
            other => return Err(refuse(env, other)),
        }
    }
    if rights.len() > RIGHTS_MAX {
        return Err(Errno::EINVAL);
    }
    let mut space = [MaybeUninit::uninit(); CONTROL_BYTES];
    let mut control = SendAncillaryBuffer::new(&mut space);
    push(&mut control, &rights, credentials)?;
    let data = [IoSlice::new(message.data)];
    match message.to {
        None => net::sendmsg(from.fd(), &data, &mut control, SendFlags::NOSIGNAL),
        Some(Address::Inet(to)) => {
            net::sendmsg_addr(from.fd(), &to, &data, &mut control, SendFlags::NOSIGNAL)
        }
        Some(Address::Unix(name)) => {
            let to = unix::address(root, &name)?;
            net::sendmsg_addr(from.fd(), &to, &data, &mut control, SendFlags::NOSIGNAL)
        }
    }
    .answer()
}

fn push<'fd>(
    control: &mut SendAncillaryBuffer<'_, 'fd, 'fd>,
    rights: &'fd [BorrowedFd<'fd>],
    credentials: Option<Credentials>,
) -> Result<()> {
    if !rights.is_empty() {
        let fits = control.push(SendAncillaryMessage::ScmRights(rights));
        debug_assert!(fits, "there is room for the most");
    }
    if let Some(Credentials { pid, uid, gid }) = credentials {
        // Nobody has such numbers; the kernel would say so as well.
        let raw = i32::try_from(pid).map_err(|_| Errno::ESRCH)?;
        let pid = rustix::process::Pid::from_raw(raw).ok_or(Errno::ESRCH)?;
        let (uid, gid) = (rustix::process::Uid::from_raw(uid), rustix::process::Gid::from_raw(gid));
        let fits = control.push(SendAncillaryMessage::ScmCredentials(UCred { pid, uid, gid }));
        debug_assert!(fits, "there is room for both");
    }
    Ok(())
}

fn refuse(env: &mut Env, control: &Control) -> Errno {
    env.trace.notice(format!(
        "ancillary data {control:?} cannot be sent on the real backend and answers EOPNOTSUPP"
    ));
    Errno::EOPNOTSUPP
}

/// What came: the message without its descriptors, and these.
pub(crate) type Received = (ReceivedMessage, Vec<OwnedFd>);

/// Receives a message (recvmsg(2)).
pub(crate) fn recv(
    (at, root): (&Description, &Root),
    into: &mut [u8],
    flags: RecvFlags,
) -> Result<Received> {
    let room = into.len();
    let mut space = [MaybeUninit::uninit(); CONTROL_BYTES];
    let mut buffer = RecvAncillaryBuffer::new(&mut space);
    let mut kernels = net::RecvFlags::CMSG_CLOEXEC;
    kernels.set(net::RecvFlags::PEEK, flags.peek);
    kernels.set(net::RecvFlags::TRUNC, flags.whole_len);
    let received =
        net::recvmsg(at.fd(), &mut [IoSliceMut::new(into)], &mut buffer, kernels).answer()?;
    let (mut control, mut files) = (Vec::new(), Vec::new());
    for message in buffer.drain() {
        match message {
            RecvAncillaryMessage::ScmRights(rights) => files.extend(rights),
            RecvAncillaryMessage::ScmCredentials(who) => {
                control.push(Control::Credentials(told(&who)));
            }
            _ => {}
        }
    }
    let from = match received.address {
        Some(addr) if at.is_unix() => Some(unix::told(root, addr)?)
            .filter(|from| !matches!(from, Address::Unix(name) if name.is_unnamed())),
        Some(addr) => Some(Address::Inet(SocketAddr::try_from(addr).answer()?)),
        None => None,
    };
    let truncated = received.flags.contains(ReturnFlags::TRUNC);
    let len = if flags.whole_len { received.bytes } else { received.bytes.min(room) };
    Ok((ReceivedMessage { len, from, truncated, control }, files))
}

/// Who a peer is.
pub(crate) fn told(who: &UCred) -> Credentials {
    Credentials {
        pid: who.pid.as_raw_nonzero().get().unsigned_abs(),
        uid: who.uid.as_raw(),
        gid: who.gid.as_raw(),
    }
}

/// The description of a received descriptor: a socket is one, what else it may be is read and written as it is.
pub(crate) fn received(file: OwnedFd, host: HostId) -> Description {
    let kind = match (net::sockopt::socket_domain(&file), net::sockopt::socket_type(&file)) {
        (Ok(domain), Ok(kind)) => {
            let domain = match domain {
                net::AddressFamily::UNIX => Domain::Unix,
                net::AddressFamily::INET6 => Domain::Inet6,
                _ => Domain::Inet,
            };
            let kind = match kind {
                net::SocketType::STREAM => SocketKind::Stream,
                net::SocketType::SEQPACKET => SocketKind::SeqPacket,
                _ => SocketKind::Datagram,
            };
            Kind::Socket(Socket { domain, kind, bound: true, lingers: false })
        }
        _ => match rustix::fs::fstat(&file)
            .map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode))
        {
            Ok(rustix::fs::FileType::RegularFile | rustix::fs::FileType::Directory) => {
                Kind::File("(received)".into())
            }
            _ => Kind::Received,
        },
    };
    Description::new(file, kind, host)
}
