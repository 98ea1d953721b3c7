//! Socket options (socket(7), tcp(7), ip(7), ipv6(7)): each is the kernel's own.

use crate::errno::{Answer, errno};
use crate::message;
use rustix::net::{AddressFamily, SocketType, sockopt};
use sim_core::backend::{Credentials, Domain, OptionName, SocketKind, SocketOption};
use sim_core::{Env, Errno, Result};
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Sets an option. Times are rounded up to the unit that the kernel counts in, so that none becomes zero, which means another thing.
pub(crate) fn set(env: &mut Env, fd: BorrowedFd<'_>, option: SocketOption) -> Result<()> {
    match option {
        // Linux knows the name, for reading alone.
        SocketOption::Error(_)
        | SocketOption::PeerCredentials(_)
        | SocketOption::Type(_)
        | SocketOption::Domain(_)
        | SocketOption::Protocol(_)
        | SocketOption::AcceptsConnections(_) => {
            return Err(Errno::ENOPROTOOPT);
        }
        SocketOption::ReuseAddr(on) => sockopt::set_socket_reuseaddr(fd, on),
        SocketOption::ReusePort(on) => sockopt::set_socket_reuseport(fd, on),
        SocketOption::KeepAlive(on) => sockopt::set_socket_keepalive(fd, on),
        SocketOption::Broadcast(on) => sockopt::set_socket_broadcast(fd, on),
        SocketOption::Linger(time) => sockopt::set_socket_linger(fd, time),
        SocketOption::SendBuffer(bytes) => sockopt::set_socket_send_buffer_size(fd, bytes as usize),
        SocketOption::ReceiveBuffer(bytes) => {
            sockopt::set_socket_recv_buffer_size(fd, bytes as usize)
        }
        SocketOption::NoDelay(on) => sockopt::set_tcp_nodelay(fd, on),
        SocketOption::QuickAck(on) => sockopt::set_tcp_quickack(fd, on),
        SocketOption::UserTimeout(time) => sockopt::set_tcp_user_timeout(fd, whole_millis(time)?),
        SocketOption::KeepIdle(time) => sockopt::set_tcp_keepidle(fd, time),
        SocketOption::KeepInterval(time) => sockopt::set_tcp_keepintvl(fd, time),
        SocketOption::KeepCount(count) => sockopt::set_tcp_keepcnt(fd, count),
        SocketOption::V6Only(on) => sockopt::set_ipv6_v6only(fd, on),
        SocketOption::Ttl(hops) => sockopt::set_ip_ttl(fd, hops),
        SocketOption::Tos(class) => sockopt::set_ip_tos(fd, class),
        SocketOption::TrafficClass(class) => sockopt::set_ipv6_tclass(fd, class.into()),
        SocketOption::UnicastHops(hops) => sockopt::set_ipv6_unicast_hops(fd, Some(hops)),
        SocketOption::MulticastTtl(hops) => sockopt::set_ip_multicast_ttl(fd, hops.into()),
        SocketOption::MulticastHops(hops) => sockopt::set_ipv6_multicast_hops(fd, hops.into()),
        SocketOption::MulticastLoop(on) => sockopt::set_ip_multicast_loop(fd, on),
        SocketOption::MulticastLoopV6(on) => sockopt::set_ipv6_multicast_loop(fd, on),
        SocketOption::PassCredentials(on) => sockopt::set_socket_passcred(fd, on),
        SocketOption::SynCount(_) => return Err(unsupported(env, "TCP_SYNCNT")),
        other => return Err(unsupported(env, &format!("{other:?}"))),
    }
    .answer()
}

/// An option's value. Asking for the pending error clears it.
pub(crate) fn get(env: &mut Env, fd: BorrowedFd<'_>, name: OptionName) -> Result<SocketOption> {
    match name {
        OptionName::Error => sockopt::socket_error(fd).map(|pending| {
            SocketOption::Error(pending.map_or_else(|error| errno(error).raw(), |()| 0))
        }),
        OptionName::ReuseAddr => sockopt::socket_reuseaddr(fd).map(SocketOption::ReuseAddr),
        OptionName::ReusePort => sockopt::socket_reuseport(fd).map(SocketOption::ReusePort),
        OptionName::KeepAlive => sockopt::socket_keepalive(fd).map(SocketOption::KeepAlive),
        OptionName::Broadcast => sockopt::socket_broadcast(fd).map(SocketOption::Broadcast),
        OptionName::Linger => sockopt::socket_linger(fd).map(SocketOption::Linger),
        OptionName::SendBuffer => {
            sockopt::socket_send_buffer_size(fd).map(|n| SocketOption::SendBuffer(n as u32))
        }
        OptionName::ReceiveBuffer => {
            sockopt::socket_recv_buffer_size(fd).map(|n| SocketOption::ReceiveBuffer(n as u32))
        }
        OptionName::NoDelay => sockopt::tcp_nodelay(fd).map(SocketOption::NoDelay),
        OptionName::QuickAck => sockopt::tcp_quickack(fd).map(SocketOption::QuickAck),
        OptionName::UserTimeout => sockopt::tcp_user_timeout(fd)
            .map(|millis| SocketOption::UserTimeout(Duration::from_millis(millis.into()))),
        OptionName::KeepIdle => sockopt::tcp_keepidle(fd).map(SocketOption::KeepIdle),
        OptionName::KeepInterval => sockopt::tcp_keepintvl(fd).map(SocketOption::KeepInterval),
        OptionName::KeepCount => sockopt::tcp_keepcnt(fd).map(SocketOption::KeepCount),
        OptionName::V6Only => sockopt::ipv6_v6only(fd).map(SocketOption::V6Only),
        OptionName::Ttl => sockopt::ip_ttl(fd).map(SocketOption::Ttl),
        OptionName::Type => sockopt::socket_type(fd).map(|kind| {
            SocketOption::Type(match kind {
                SocketType::STREAM => SocketKind::Stream,
                SocketType::SEQPACKET => SocketKind::SeqPacket,
                _ => SocketKind::Datagram,
            })
        }),
        OptionName::Domain => sockopt::socket_domain(fd).map(|domain| {
            SocketOption::Domain(match domain {
                AddressFamily::UNIX => Domain::Unix,
                AddressFamily::INET6 => Domain::Inet6,
                _ => Domain::Inet,
            })
        }),
        OptionName::Protocol => sockopt::socket_protocol(fd).map(|protocol| {
            SocketOption::Protocol(protocol.map_or(0, |protocol| protocol.as_raw().get()))
        }),
        OptionName::AcceptsConnections => {
            sockopt::socket_acceptconn(fd).map(SocketOption::AcceptsConnections)
        }
        OptionName::Tos => sockopt::ip_tos(fd).map(SocketOption::Tos),
        OptionName::TrafficClass => {
            sockopt::ipv6_tclass(fd).map(|class| SocketOption::TrafficClass(class as u8))
        }
        OptionName::UnicastHops => sockopt::ipv6_unicast_hops(fd).map(SocketOption::UnicastHops),
        OptionName::MulticastTtl => {
            sockopt::ip_multicast_ttl(fd).map(|hops| SocketOption::MulticastTtl(hops as u8))
        }
        OptionName::MulticastHops => {
            sockopt::ipv6_multicast_hops(fd).map(|hops| SocketOption::MulticastHops(hops as u8))
        }
        OptionName::MulticastLoop => {
            sockopt::ip_multicast_loop(fd).map(SocketOption::MulticastLoop)
        }
        OptionName::MulticastLoopV6 => {
            sockopt::ipv6_multicast_loop(fd).map(SocketOption::MulticastLoopV6)
        }
        OptionName::PassCredentials => {
            sockopt::socket_passcred(fd).map(SocketOption::PassCredentials)
        }
        // Without a peer the kernel answers numbers that are nobody's, and 0 for a process, which is none.
        OptionName::PeerCredentials if !has_peer(fd) => {
            Ok(SocketOption::PeerCredentials(Credentials::NOBODY))
        }
        OptionName::PeerCredentials => sockopt::socket_peercred(fd)
            .map(|who| SocketOption::PeerCredentials(message::told(&who))),
        OptionName::SynCount => return Err(unsupported(env, "TCP_SYNCNT")),
        other => return Err(unsupported(env, &format!("{other:?}"))),
    }
    .answer()
}

fn has_peer(fd: BorrowedFd<'_>) -> bool {
    rustix::net::getpeername(fd).is_ok() || sockopt::socket_acceptconn(fd) == Ok(true)
}

fn whole_millis(time: Duration) -> Result<u32> {
    u32::try_from(time.as_nanos().div_ceil(1_000_000)).map_err(|_| Errno::EINVAL)
}

fn unsupported(env: &mut Env, name: &str) -> Errno {
    env.trace.notice(format!(
        "the socket option {name} cannot be reached on the real backend and answers EOPNOTSUPP; leave it at the system's default there"
    ));
    Errno::EOPNOTSUPP
}
