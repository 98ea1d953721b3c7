//! The words of the socket calls (socket(7), tcp(7), udp(7)).

use super::Credentials;
use std::net::SocketAddr;
use std::time::Duration;

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
    /// Sockets of one host, named by paths (unix(7)).
    Unix,
}

impl Domain {
    /// The family of an address.
    #[must_use]
    pub const fn of(addr: &SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(_) => Self::Inet,
            SocketAddr::V6(_) => Self::Inet6,
        }
    }
}

/// Kind of socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// A byte stream: TCP, or a Unix stream.
    Stream,
    /// Datagrams: UDP, or a Unix socket that keeps messages apart and in order.
    Datagram,
    /// A connection that keeps messages apart: Unix only.
    SeqPacket,
}

/// Which side `shutdown` shuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Receiving.
    Read,
    /// Sending: the peer sees the end of the stream.
    Write,
    /// Both.
    Both,
}

/// How to receive (recv(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RecvFlags {
    /// Leave the data in the queue (`MSG_PEEK`).
    pub peek: bool,
    /// Answer a datagram's real length although less was copied (`MSG_TRUNC`).
    pub whole_len: bool,
}

/// A received datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes copied, or the real length if that was asked for.
    pub len: usize,
    /// Who sent it.
    pub from: SocketAddr,
    /// Whether its rest was discarded (`MSG_TRUNC`).
    pub truncated: bool,
}

/// A socket option with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketOption {
    /// `SO_ERROR`: the pending error's number, 0 for none. Reading it clears it.
    Error(u16),
    /// `SO_REUSEADDR`.
    ReuseAddr(bool),
    /// `SO_REUSEPORT`.
    ReusePort(bool),
    /// `SO_KEEPALIVE`.
    KeepAlive(bool),
    /// `SO_BROADCAST`.
    Broadcast(bool),
    /// `SO_LINGER`.
    Linger(Option<Duration>),
    /// `SO_SNDBUF` in bytes; the kernel doubles what is set.
    SendBuffer(u32),
    /// `SO_RCVBUF` in bytes; the kernel doubles what is set.
    ReceiveBuffer(u32),
    /// `TCP_NODELAY`.
    NoDelay(bool),
    /// `TCP_QUICKACK`: acknowledgements do not wait for answers to travel with. A stream goes back to waiting by itself.
    QuickAck(bool),
    /// `TCP_USER_TIMEOUT`; zero is the system's default.
    UserTimeout(Duration),
    /// `TCP_SYNCNT`: SYN retransmissions before a connect times out.
    SynCount(u32),
    /// `TCP_KEEPIDLE`.
    KeepIdle(Duration),
    /// `TCP_KEEPINTVL`.
    KeepInterval(Duration),
    /// `TCP_KEEPCNT`.
    KeepCount(u32),
    /// `IPV6_V6ONLY`.
    V6Only(bool),
    /// `IP_TTL`.
    Ttl(u32),
    /// `SO_PASSCRED`: messages come with their sender's credentials.
    PassCredentials(bool),
    /// `SO_PEERCRED`: who the peer was when the connection was made. It can be asked for alone.
    PeerCredentials(Credentials),
    /// `SO_TYPE`. It can be asked for alone.
    Type(SocketKind),
    /// `SO_DOMAIN`. It can be asked for alone.
    Domain(Domain),
    /// `SO_PROTOCOL`: 6 for TCP, 17 for UDP, 0 for Unix. It can be asked for alone.
    Protocol(u32),
    /// `SO_ACCEPTCONN`: whether it listens. It can be asked for alone.
    AcceptsConnections(bool),
    /// `TCP_MAXSEG` in bytes. It can be asked for alone.
    MaxSegment(u32),
    /// `IP_TOS`: the traffic class of packets over IPv4. A stream keeps its two lowest bits.
    Tos(u8),
    /// `IPV6_TCLASS`: the traffic class of packets over IPv6.
    TrafficClass(u8),
    /// `IPV6_UNICAST_HOPS`.
    UnicastHops(u8),
    /// `IP_MULTICAST_TTL`.
    MulticastTtl(u8),
    /// `IPV6_MULTICAST_HOPS`.
    MulticastHops(u8),
    /// `IP_MULTICAST_LOOP`.
    MulticastLoop(bool),
    /// `IPV6_MULTICAST_LOOP`.
    MulticastLoopV6(bool),
    /// `IP_MTU_DISCOVER`, 0 to 5: with 2 and 3 datagrams are not divided.
    MtuDiscover(u8),
    /// `IPV6_MTU_DISCOVER`, 0 to 5.
    MtuDiscoverV6(u8),
    /// `IP_RECVTOS`: datagrams over IPv4 come with [`Control::TrafficClass`](super::Control::TrafficClass).
    ReceiveTos(bool),
    /// `IPV6_RECVTCLASS`: those over IPv6 do.
    ReceiveTrafficClass(bool),
    /// `IP_PKTINFO`: datagrams over IPv4 come with [`Control::PacketInfo`](super::Control::PacketInfo).
    PacketInfo(bool),
    /// `IPV6_RECVPKTINFO`: all datagrams of an IPv6 socket do, with IPv4 addresses in their mapped form.
    PacketInfoV6(bool),
    /// `UDP_SEGMENT`: what is sent at once is divided into datagrams of so many bytes; 0 for one.
    SegmentSize(u16),
}

/// The name of a socket option, to ask for its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionName {
    /// `SO_ERROR`.
    Error,
    /// `SO_REUSEADDR`.
    ReuseAddr,
    /// `SO_REUSEPORT`.
    ReusePort,
    /// `SO_KEEPALIVE`.
    KeepAlive,
    /// `SO_BROADCAST`.
    Broadcast,
    /// `SO_LINGER`.
    Linger,
    /// `SO_SNDBUF`.
    SendBuffer,
    /// `SO_RCVBUF`.
    ReceiveBuffer,
    /// `TCP_NODELAY`.
    NoDelay,
    /// `TCP_QUICKACK`.
    QuickAck,
    /// `TCP_USER_TIMEOUT`.
    UserTimeout,
    /// `TCP_SYNCNT`.
    SynCount,
    /// `TCP_KEEPIDLE`.
    KeepIdle,
    /// `TCP_KEEPINTVL`.
    KeepInterval,
    /// `TCP_KEEPCNT`.
    KeepCount,
    /// `IPV6_V6ONLY`.
    V6Only,
    /// `IP_TTL`.
    Ttl,
    /// `SO_PASSCRED`.
    PassCredentials,
    /// `SO_PEERCRED`.
    PeerCredentials,
    /// `SO_TYPE`.
    Type,
    /// `SO_DOMAIN`.
    Domain,
    /// `SO_PROTOCOL`.
    Protocol,
    /// `SO_ACCEPTCONN`.
    AcceptsConnections,
    /// `TCP_MAXSEG`.
    MaxSegment,
    /// `IP_TOS`.
    Tos,
    /// `IPV6_TCLASS`.
    TrafficClass,
    /// `IPV6_UNICAST_HOPS`.
    UnicastHops,
    /// `IP_MULTICAST_TTL`.
    MulticastTtl,
    /// `IPV6_MULTICAST_HOPS`.
    MulticastHops,
    /// `IP_MULTICAST_LOOP`.
    MulticastLoop,
    /// `IPV6_MULTICAST_LOOP`.
    MulticastLoopV6,
    /// `IP_MTU_DISCOVER`.
    MtuDiscover,
    /// `IPV6_MTU_DISCOVER`.
    MtuDiscoverV6,
    /// `IP_RECVTOS`.
    ReceiveTos,
    /// `IPV6_RECVTCLASS`.
    ReceiveTrafficClass,
    /// `IP_PKTINFO`.
    PacketInfo,
    /// `IPV6_RECVPKTINFO`.
    PacketInfoV6,
    /// `UDP_SEGMENT`.
    SegmentSize,
}
