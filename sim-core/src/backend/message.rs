//! Messages with ancillary data (sendmsg(2), recvmsg(2), cmsg(3)).

use super::Address;
use crate::id::Fd;
use std::net::IpAddr;

/// Who a process is (unix(7), `struct ucred`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Its number.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl Credentials {
    /// What a socket without a peer answers.
    pub const NOBODY: Self = Self { pid: 0, uid: u32::MAX, gid: u32::MAX };
}

/// A piece of ancillary data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// `SCM_RIGHTS`: descriptors. Sent, they stay the sender's; received, they are new numbers.
    Rights(Vec<Fd>),
    /// `SCM_CREDENTIALS`: who sent it. Received if the socket asks with `SO_PASSCRED`.
    Credentials(Credentials),
    /// `IP_PKTINFO`, `IPV6_PKTINFO`: the host's own address of the datagram. Received if the socket asks; sent, it is
    /// the source, and the wildcard leaves the choice to the kernel.
    PacketInfo(IpAddr),
    /// `IP_TOS`, `IPV6_TCLASS`: the traffic class with the two bits of explicit congestion notification.
    TrafficClass(u8),
    /// `UDP_SEGMENT`: the data is to be sent as datagrams of so many bytes, the last one perhaps shorter.
    SegmentSize(u16),
}

/// A message to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The data.
    pub data: &'a [u8],
    /// To whom; `None` is the socket's peer.
    pub to: Option<Address>,
    /// What goes with it.
    pub control: &'a [Control],
}

/// A received message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// Bytes copied, or a datagram's real length if that was asked for.
    pub len: usize,
    /// Who sent it, if that is known.
    pub from: Option<Address>,
    /// Whether the rest of a datagram was discarded (`MSG_TRUNC`).
    pub truncated: bool,
    /// What came with it. Received descriptors are the receiver's to close.
    pub control: Vec<Control>,
}
