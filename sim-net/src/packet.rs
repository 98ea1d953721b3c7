//! What travels between hosts.
//!
//! A packet belongs to a flow: the packets of one socket, numbered in the order in which they were
//! sent. The flow carries the streams of choices that decide its packets' delays and losses, so a
//! packet's fate depends on its sender's history alone and not on what the rest of the world does.

use crate::payload::Payload;
use core::fmt;
use core::ops::BitOr;
use sim_core::HostId;
use sim_core::choice::{Choices, Path, Site, Stream};
use sim_time::Instant;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

/// The place of a socket that is not known.
pub const NO_PLACE: u32 = u32::MAX;

const DELAY: Site = Site::new("net.link.delay");
const LOSS: Site = Site::new("net.link.loss");
const DUPLICATE: Site = Site::new("net.link.duplicate");
const REORDER: Site = Site::new("net.link.reorder");

/// The sending side of one socket as the fabric sees it: its name, its count and its choices.
#[derive(Debug)]
pub struct Flow {
    /// The structural name of the sender.
    pub path: Path,
    /// How many packets were sent so far; the next one's number.
    pub ordinal: u32,
    /// Answers `net.link.delay`, from the first packet on whose delay is a question.
    delay: Option<Stream>,
    /// Answers the questions of links that do worse than delay.
    mishaps: Option<Box<Mishaps>>,
    /// Where the peer keeps its end of the connection, as its packets say.
    pub(crate) peer_place: u32,
    /// When the latest packet of a connection arrives: its successors do not overtake it by chance.
    pub(crate) last_arrival: Instant,
    /// Where its packets went last, so that a packet costs no look-up.
    pub(crate) route: Route,
}

/// The choices of a flow whose packets may be lost. Apart and made when needed, since most links lose nothing and a
/// connection is looked at for every packet.
#[derive(Debug)]
pub(crate) struct Mishaps {
    /// Answers `net.link.loss`.
    pub(crate) loss: Stream,
    /// Answers `net.link.duplicate`.
    pub(crate) duplicate: Stream,
    /// Answers `net.link.reorder`.
    pub(crate) reorder: Stream,
}

/// A resolved destination, good for as long as the fabric's `epoch` is the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) epoch: u64,
    pub(crate) to: IpAddr,
    pub(crate) from: HostId,
    /// Which link, and where it leads.
    pub(crate) link: u32,
    pub(crate) host: HostId,
    /// The link does nothing but delay: then its delay is known here, and the link itself is not looked at.
    pub(crate) is_quiet: bool,
    pub(crate) latency_min_ns: u64,
    pub(crate) latency_jitter_ns: u64,
}

impl Route {
    /// No epoch of a fabric is 0, so that the first packet looks its destination up.
    const NOWHERE: Self = Self {
        epoch: 0,
        to: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        from: HostId::ROOT,
        link: 0,
        host: HostId::ROOT,
        is_quiet: false,
        latency_min_ns: 0,
        latency_jitter_ns: 0,
    };
}

impl Flow {
    /// The flow of the socket `path`, before its first packet.
    #[must_use]
    pub fn new(path: Path) -> Self {
        Self {
            path,
            ordinal: 0,
            delay: None,
            mishaps: None,
            peer_place: NO_PLACE,
            last_arrival: Instant::ZERO,
            route: Route::NOWHERE,
        }
    }

    /// The stream that answers how long a packet takes.
    #[inline]
    pub(crate) fn delay(&mut self, choices: &mut Choices) -> &mut Stream {
        let path = self.path;
        self.delay.get_or_insert_with(|| choices.stream(DELAY, path))
    }

    /// The streams that answer what else befalls a packet.
    pub(crate) fn mishaps(&mut self, choices: &mut Choices) -> &mut Mishaps {
        let path = self.path;
        self.mishaps.get_or_insert_with(|| {
            Box::new(Mishaps {
                loss: choices.stream(LOSS, path),
                duplicate: choices.stream(DUPLICATE, path),
                reorder: choices.stream(REORDER, path),
            })
        })
    }
}

/// Who sends and who receives. Two addresses of IPv4 are kept in place, in a quarter of a cache line; all others are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends(Kept);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    V4(SocketAddrV4, SocketAddrV4),
    Shared(Arc<(SocketAddr, SocketAddr)>),
}

impl Ends {
    /// From `src` to `dst`.
    #[inline]
    #[must_use]
    pub fn new(src: SocketAddr, dst: SocketAddr) -> Self {
        match (src, dst) {
            (SocketAddr::V4(src), SocketAddr::V4(dst)) => Self(Kept::V4(src, dst)),
            _ => Self(Kept::Shared(Arc::new((src, dst)))),
        }
    }

    /// Who sends.
    #[inline]
    #[must_use]
    pub fn src(&self) -> SocketAddr {
        match &self.0 {
            Kept::V4(src, _) => SocketAddr::V4(*src),
            Kept::Shared(ends) => ends.0,
        }
    }

    /// Who receives.
    #[inline]
    #[must_use]
    pub fn dst(&self) -> SocketAddr {
        match &self.0 {
            Kept::V4(_, dst) => SocketAddr::V4(*dst),
            Kept::Shared(ends) => ends.1,
        }
    }

    /// Whether it goes to this address, whatever the port.
    #[inline]
    pub(crate) fn goes_to(&self, ip: &IpAddr) -> bool {
        match (&self.0, ip) {
            (Kept::V4(_, dst), IpAddr::V4(ip)) => dst.ip() == ip,
            (Kept::V4(..), IpAddr::V6(_)) => false,
            (Kept::Shared(ends), ip) => ends.1.ip() == *ip,
        }
    }

    /// Whether `other` goes the opposite way between the same two.
    #[inline]
    pub(crate) fn is_way_back_of(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kept::V4(src, dst), Kept::V4(other_src, other_dst)) => {
                src == other_dst && dst == other_src
            }
            (Kept::Shared(ends), Kept::Shared(other)) => ends.0 == other.1 && ends.1 == other.0,
            _ => false,
        }
    }
}

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Who sent it and whom it is for.
    pub ends: Ends,
    /// The sender's flow.
    pub flow: Path,
    /// Its number on the flow.
    pub ordinal: u32,
    /// The place of the sending socket in its stack's table, which its peer learns from it.
    pub place: u32,
    /// The place of the receiving socket, as far as the sender knows it. It saves the receiver a look-up and decides
    /// nothing: what stands there must have the packet's addresses.
    pub peer_place: u32,
    /// What it carries.
    pub body: Body,
}

/// What a packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A TCP segment (RFC 9293).
    Tcp(Segment),
    /// A UDP datagram (RFC 768), with the traffic class of its packet.
    Udp(Payload, u8),
    /// "Port unreachable" (RFC 792, RFC 4443), quoting the datagram that found nobody.
    Unreachable {
        /// The source of the quoted datagram: the receiver of this notice.
        from: SocketAddr,
        /// The destination of the quoted datagram.
        to: SocketAddr,
    },
}

impl Body {
    /// The payload's length in bytes.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.payload().len()
    }

    /// Whether there is no payload.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The payload: nothing for a notice.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::Tcp(segment) => &segment.payload,
            Self::Udp(payload, _) => payload,
            Self::Unreachable { .. } => &[],
        }
    }
}

/// A TCP segment. Sequence numbers are 64 bits wide: the 32 bits of the wire and the count of wraps
/// that Linux recovers from timestamps (RFC 7323, PAWS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The number of the first byte, or of the SYN.
    pub seq: u64,
    /// The next number expected from the receiver, if [`Flags::ACK`] is set.
    pub ack: u64,
    /// How many bytes from `ack` on the sender of this segment can take, already scaled.
    pub window: u32,
    /// The control bits.
    pub flags: Flags,
    /// The data. It may be longer than a link's frame, as with segmentation offload.
    pub payload: Payload,
}

impl Segment {
    /// Takes the segment out of a packet that is not looked at again.
    pub(crate) fn hand_over(&mut self) -> Self {
        Self { payload: self.payload.hand_over(), ..*self }
    }

    /// How many sequence numbers it takes: its bytes, its SYN and its FIN (RFC 9293, section 3.4).
    #[must_use]
    pub fn seq_len(&self) -> u64 {
        let controls =
            self.flags.contains(Flags::SYN) as u64 + self.flags.contains(Flags::FIN) as u64;
        self.payload.len() as u64 + controls
    }
}

/// The control bits of a segment, with their values on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);

    /// From the value on the wire; bits without a meaning here are left out.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0x17)
    }

    /// Whether all of `other` is set.
    #[inline]
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is set.
    #[inline]
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Flags {
    type Output = Self;
    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [(Self::SYN, "S"), (Self::FIN, "F"), (Self::RST, "R"), (Self::ACK, ".")];
        named
            .iter()
            .filter(|(bit, _)| self.contains(*bit))
            .try_for_each(|(_, name)| f.write_str(name))
    }
}
