//! Options of IP and UDP that few programs set (ip(7), ipv6(7), udp(7)): they stand apart from what every call looks at.
//!
//! - The traffic class goes with each datagram, and its receiver can ask for it: that is all a class does here.
//! - There are no routers, so a packet of any number of hops arrives.
//! - Multicast is refused when it is joined or sent to; what would govern it is kept and answered.
//! - A datagram that may not be divided (`IP_PMTUDISC_DO`, `IP_PMTUDISC_PROBE`) has to fit a frame of 1500 bytes.

use super::options::Options;
use crate::packet::Ends;
use sim_core::backend::{Control, Domain, OptionName, SocketOption};
use sim_core::{Errno, Result};
use std::net::IpAddr;

/// What explicit congestion notification has of a traffic class. A stream's is the protocol's own (RFC 3168).
const ECN_BITS: u8 = 0b11;
/// Hops of a packet, if nobody says otherwise (`ip_default_ttl`).
const HOPS: u8 = 64;
/// `IP_PMTUDISC_WANT`: a datagram that is too long for a frame is divided.
const MAY_DIVIDE: u8 = 1;
/// `IP_PMTUDISC_DO` and `IP_PMTUDISC_PROBE`: it is not.
const NEVER_DIVIDE: [u8; 2] = [2, 3];
/// The last of the ways to discover the longest packet (`IP_PMTUDISC_OMIT`).
const LAST_DISCOVERY: u8 = 5;
/// The payload of a frame of 1500 bytes, less the headers of IP and UDP.
const FRAME_V4_BYTES: usize = 1472;
const FRAME_V6_BYTES: usize = 1452;

/// The options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rare {
    pub(crate) tos: u8,
    pub(crate) class: u8,
    hops: u8,
    multicast_hops: [u8; 2],
    multicast_loop: [bool; 2],
    discovery: [u8; 2],
    receive_class: [bool; 2],
    packet_info: [bool; 2],
    /// Datagrams of so many bytes are made of what is sent at once; 0 is one.
    pub(crate) segment: u16,
}

/// Places in the pairs above: IPv4's and IPv6's.
const V4: usize = 0;
const V6: usize = 1;

impl Rare {
    pub(crate) const DEFAULT: Self = Self {
        tos: 0,
        class: 0,
        hops: HOPS,
        multicast_hops: [1; 2],
        multicast_loop: [true; 2],
        discovery: [MAY_DIVIDE; 2],
        receive_class: [false; 2],
        packet_info: [false; 2],
        segment: 0,
    };

    /// Sets one, of a stream or of datagrams.
    fn set(&mut self, option: SocketOption, stream: bool) -> Result<()> {
        let kept = |old: u8, new: u8| {
            if stream { new & !ECN_BITS | old & ECN_BITS } else { new }
        };
        match option {
            SocketOption::Tos(class) => self.tos = kept(self.tos, class),
            SocketOption::TrafficClass(class) => self.class = kept(self.class, class),
            SocketOption::UnicastHops(hops) => self.hops = hops,
            SocketOption::MulticastTtl(_) | SocketOption::MulticastHops(_) if stream => {
                let v4 = matches!(option, SocketOption::MulticastTtl(_));
                return Err(if v4 { Errno::EINVAL } else { Errno::ENOPROTOOPT });
            }
            SocketOption::MulticastTtl(hops) => self.multicast_hops[V4] = hops,
            SocketOption::MulticastHops(hops) => self.multicast_hops[V6] = hops,
            SocketOption::MulticastLoop(on) => self.multicast_loop[V4] = on,
            SocketOption::MulticastLoopV6(on) => self.multicast_loop[V6] = on,
            SocketOption::MtuDiscover(how) => self.discovery[V4] = discovery(how)?,
            SocketOption::MtuDiscoverV6(how) => self.discovery[V6] = discovery(how)?,
            SocketOption::ReceiveTos(on) => self.receive_class[V4] = on,
            SocketOption::ReceiveTrafficClass(on) => self.receive_class[V6] = on,
            SocketOption::PacketInfo(on) => self.packet_info[V4] = on,
            SocketOption::PacketInfoV6(on) => self.packet_info[V6] = on,
            SocketOption::SegmentSize(bytes) => self.segment = bytes,
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    fn get(&self, name: OptionName) -> Option<SocketOption> {
        Some(match name {
            OptionName::Tos => SocketOption::Tos(self.tos),
            OptionName::TrafficClass => SocketOption::TrafficClass(self.class),
            OptionName::UnicastHops => SocketOption::UnicastHops(self.hops),
            OptionName::MulticastTtl => SocketOption::MulticastTtl(self.multicast_hops[V4]),
            OptionName::MulticastHops => SocketOption::MulticastHops(self.multicast_hops[V6]),
            OptionName::MulticastLoop => SocketOption::MulticastLoop(self.multicast_loop[V4]),
            OptionName::MulticastLoopV6 => SocketOption::MulticastLoopV6(self.multicast_loop[V6]),
            OptionName::MtuDiscover => SocketOption::MtuDiscover(self.discovery[V4]),
            OptionName::MtuDiscoverV6 => SocketOption::MtuDiscoverV6(self.discovery[V6]),
            OptionName::ReceiveTos => SocketOption::ReceiveTos(self.receive_class[V4]),
            OptionName::ReceiveTrafficClass => {
                SocketOption::ReceiveTrafficClass(self.receive_class[V6])
            }
            OptionName::PacketInfo => SocketOption::PacketInfo(self.packet_info[V4]),
            OptionName::PacketInfoV6 => SocketOption::PacketInfoV6(self.packet_info[V6]),
            OptionName::SegmentSize => SocketOption::SegmentSize(self.segment),
            _ => return None,
        })
    }

    /// The class of a packet that goes this way.
    #[inline]
    pub(crate) fn class_of(&self, ends: &Ends) -> u8 {
        if ends.dst().is_ipv4() { self.tos } else { self.class }
    }

    /// The longest datagram to another host; `None` if it may be divided.
    pub(crate) fn frame_bytes(&self, to: IpAddr) -> Option<usize> {
        let (family, frame) =
            if to.is_ipv4() { (V4, FRAME_V4_BYTES) } else { (V6, FRAME_V6_BYTES) };
        NEVER_DIVIDE.contains(&self.discovery[family]).then_some(frame)
    }

    /// What a receiver has asked to be told of a datagram to `to` of this class.
    pub(crate) fn told(&self, domain: Domain, to: IpAddr, class: u8) -> Vec<Control> {
        let family = if to.is_ipv4() { V4 } else { V6 };
        let mut told = Vec::new();
        if self.packet_info[V4] && to.is_ipv4() {
            told.push(Control::PacketInfo(to));
        }
        if self.packet_info[V6] && domain == Domain::Inet6 {
            let shown = match to {
                IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
                IpAddr::V6(_) => to,
            };
            told.push(Control::PacketInfo(shown));
        }
        if self.receive_class[family] {
            told.push(Control::TrafficClass(class));
        }
        told
    }
}

fn discovery(how: u8) -> Result<u8> {
    if how <= LAST_DISCOVERY { Ok(how) } else { Err(Errno::EINVAL) }
}

impl Options {
    /// Sets one of the options that every socket has, or one of the rare ones.
    pub(super) fn set_any(&mut self, option: SocketOption, stream: bool) -> Result<()> {
        match self.rare.set(option, stream) {
            Err(Errno::ENOPROTOOPT) => self.set(option),
            answer => answer,
        }
    }

    /// The value of either.
    pub(super) fn get_any(&self, name: OptionName) -> Result<SocketOption> {
        self.rare.get(name).map_or_else(|| self.get(name), Ok)
    }
}

/// Options that only a socket of IPv6 has.
pub(super) const fn is_of_v6(name: OptionName) -> bool {
    matches!(
        name,
        OptionName::V6Only
            | OptionName::TrafficClass
            | OptionName::UnicastHops
            | OptionName::MulticastHops
            | OptionName::MulticastLoopV6
            | OptionName::MtuDiscoverV6
            | OptionName::ReceiveTrafficClass
            | OptionName::PacketInfoV6
    )
}

/// Options that are modelled for datagrams alone.
pub(super) const fn is_of_datagrams(name: OptionName) -> bool {
    matches!(
        name,
        OptionName::ReceiveTos
            | OptionName::ReceiveTrafficClass
            | OptionName::PacketInfo
            | OptionName::PacketInfoV6
            | OptionName::SegmentSize
    )
}

/// The name of a rare option.
pub(super) const fn rare_name_of(option: &SocketOption) -> Option<OptionName> {
    Some(match option {
        SocketOption::Tos(_) => OptionName::Tos,
        SocketOption::TrafficClass(_) => OptionName::TrafficClass,
        SocketOption::UnicastHops(_) => OptionName::UnicastHops,
        SocketOption::MulticastTtl(_) => OptionName::MulticastTtl,
        SocketOption::MulticastHops(_) => OptionName::MulticastHops,
        SocketOption::MulticastLoop(_) => OptionName::MulticastLoop,
        SocketOption::MulticastLoopV6(_) => OptionName::MulticastLoopV6,
        SocketOption::MtuDiscover(_) => OptionName::MtuDiscover,
        SocketOption::MtuDiscoverV6(_) => OptionName::MtuDiscoverV6,
        SocketOption::ReceiveTos(_) => OptionName::ReceiveTos,
        SocketOption::ReceiveTrafficClass(_) => OptionName::ReceiveTrafficClass,
        SocketOption::PacketInfo(_) => OptionName::PacketInfo,
        SocketOption::PacketInfoV6(_) => OptionName::PacketInfoV6,
        SocketOption::SegmentSize(_) => OptionName::SegmentSize,
        _ => return None,
    })
}
