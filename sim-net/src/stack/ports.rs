//! Ports: who holds them, who may share them, and which is given next (bind(2), ip(7), socket(7)).
//!
//! Holders of a port that conflict with a newcomer in the same way are one [`Class`] with a count, so
//! that a server's ten thousand connections cost a bind one comparison.

use super::SocketId;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// What Linux gives out by itself (`ip_local_port_range`).
pub(crate) const EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// What a socket's bind depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) ip: IpAddr,
    /// An IPv6 wildcard that takes IPv4 too.
    pub(crate) dual: bool,
    pub(crate) reuse_addr: bool,
    pub(crate) reuse_port: bool,
    pub(crate) listening: bool,
    /// The port was given by connect(2), so that other connections may have it to other peers.
    pub(crate) by_connect: bool,
}

impl Class {
    /// Whether some address belongs to both.
    fn overlaps(&self, other: &Self) -> bool {
        let families = |class: &Self| (class.ip.is_ipv4() || class.dual, class.ip.is_ipv6());
        let (a, b) = (families(self), families(other));
        let share_family = (a.0 && b.0) || (a.1 && b.1);
        share_family
            && (self.ip == other.ip || self.ip.is_unspecified() || other.ip.is_unspecified())
    }

    /// Whether `self` cannot be bound while `holder` is. `given` is false if the program named the port:
    /// a port that is only given is never shared.
    fn conflicts(&self, holder: &Self, given: bool) -> bool {
        if !self.overlaps(holder) {
            return false;
        }
        if self.reuse_port && holder.reuse_port && !given {
            return false;
        }
        given || !(self.reuse_addr && holder.reuse_addr && !holder.listening)
    }
}

/// How a socket holds its port.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Binding {
    /// Its entry among the port's holders.
    pub(crate) class: Option<Class>,
    /// The program named the port, so the socket keeps it when its connection ends.
    pub(crate) port_fixed: bool,
    /// Whether it stands in the table of connections.
    pub(crate) paired: bool,
}

#[derive(Debug, Default)]
struct Tables {
    holders: BTreeMap<u16, Vec<(Class, u32)>>,
    /// Sockets that take what no connection takes, in the order in which they were bound: TCP's listeners, all of UDP's.
    open: BTreeMap<u16, Vec<SocketId>>,
}

/// The ports of one protocol.
#[derive(Debug)]
pub(crate) struct Ports {
    /// Made with the first port that is held: many hosts of a world never hold one.
    tables: Option<Box<Tables>>,
    range: RangeInclusive<u16>,
    /// Where the search for an even and for an odd port goes on.
    next: [u32; 2],
}

impl Ports {
    pub(crate) fn new() -> Self {
        Self { tables: None, range: EPHEMERAL, next: [0; 2] }
    }

    /// The sockets that are open on a port for whatever no connection takes.
    #[inline]
    pub(crate) fn open_on(&self, port: u16) -> &[SocketId] {
        let sockets = self.tables.as_ref().and_then(|tables| tables.open.get(&port));
        sockets.map_or(&[], Vec::as_slice)
    }

    fn holders(&self, port: u16) -> &[(Class, u32)] {
        let holders = self.tables.as_ref().and_then(|tables| tables.holders.get(&port));
        holders.map_or(&[], Vec::as_slice)
    }

    fn tables(&mut self) -> &mut Tables {
        self.tables.get_or_insert_default()
    }

    pub(crate) fn set_range(&mut self, range: RangeInclusive<u16>) {
        (self.range, self.next) = (range, [0; 2]);
    }

    /// How many ports of a parity can be given: the number of alternatives of `net.port.pick`.
    pub(crate) fn alternatives(&self, parity: u16) -> u64 {
        let first = u32::from(*self.range.start()) + u32::from((self.range.start() ^ parity) & 1);
        let end = u32::from(*self.range.end()) + 1;
        u64::from(end.saturating_sub(first).div_ceil(2))
    }

    /// The first port that `free` accepts: those of `parity` from `skip` beyond the one given last,
    /// then the others. In order and round about, as long as there is one.
    pub(crate) fn pick(
        &mut self,
        parity: u16,
        skip: u64,
        free: impl Fn(&Self, u16) -> bool,
    ) -> Option<u16> {
        self.pick_parity(parity, skip, &free).or_else(|| self.pick_parity(parity ^ 1, 0, &free))
    }

    fn pick_parity(
        &mut self,
        parity: u16,
        skip: u64,
        free: &impl Fn(&Self, u16) -> bool,
    ) -> Option<u16> {
        let count = self.alternatives(parity);
        let first = self.range.start() + ((self.range.start() ^ parity) & 1);
        let start = u64::from(self.next[usize::from(parity)]) + skip;
        let place = (0..count)
            .map(|n| (start + n) % count)
            .find(|&place| free(self, first + 2 * place as u16))?;
        self.next[usize::from(parity)] = ((place + 1) % count) as u32;
        Some(first + 2 * place as u16)
    }

    /// Whether `class` may be bound to the port the program named.
    pub(crate) fn can_bind(&self, port: u16, class: &Class) -> bool {
        self.accepts(port, class, false)
    }

    /// Whether `class` may be given the port.
    pub(crate) fn can_give(&self, port: u16, class: &Class) -> bool {
        self.accepts(port, class, true)
    }

    fn accepts(&self, port: u16, class: &Class, given: bool) -> bool {
        self.holders(port).iter().all(|(holder, _)| !class.conflicts(holder, given))
    }

    /// Whether connect(2) may give the port, if no connection to the same peer has it.
    pub(crate) fn can_connect(&self, port: u16) -> bool {
        self.holders(port).iter().all(|(holder, _)| holder.by_connect)
    }

    pub(crate) fn hold(&mut self, port: u16, class: Class) {
        let holders = self.tables().holders.entry(port).or_default();
        match holders.iter_mut().find(|(holder, _)| *holder == class) {
            Some((_, count)) => *count += 1,
            None => holders.push((class, 1)),
        }
    }

    pub(crate) fn release(&mut self, port: u16, class: &Class) {
        let Some(holders) = self.tables().holders.get_mut(&port) else {
            panic!("port {port} is released by a socket that does not hold it");
        };
        let Some(at) = holders.iter().position(|(holder, _)| holder == class) else {
            panic!("port {port} is not held as {class:?}");
        };
        holders[at].1 -= 1;
        if holders[at].1 == 0 {
            holders.remove(at);
        }
        if holders.is_empty() {
            self.tables().holders.remove(&port);
        }
    }

    pub(crate) fn open(&mut self, port: u16, id: SocketId) {
        self.tables().open.entry(port).or_default().push(id);
    }

    pub(crate) fn shut(&mut self, port: u16, id: SocketId) {
        let open = &mut self.tables().open;
        if let Some(sockets) = open.get_mut(&port) {
            sockets.retain(|&other| other != id);
            if sockets.is_empty() {
                open.remove(&port);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        let range = self.range.clone();
        *self = Self::new();
        self.set_range(range);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(ip: &str) -> Class {
        let ip = ip.parse().unwrap();
        Class {
            ip,
            dual: false,
            reuse_addr: false,
            reuse_port: false,
            listening: false,
            by_connect: false,
        }
    }

    #[test]
    fn addresses_overlap_by_family_and_wildcard() {
        let dual = Class { dual: true, ..class("::") };
        for (a, b, expect) in [
            (class("10.0.0.1"), class("10.0.0.1"), true),
            (class("10.0.0.1"), class("10.0.0.2"), false),
            (class("10.0.0.1"), class("0.0.0.0"), true),
            (class("10.0.0.1"), class("::"), false),
            (class("10.0.0.1"), dual, true),
            (class("::1"), dual, true),
            (class("::1"), class("0.0.0.0"), false),
            (dual, class("0.0.0.0"), true),
        ] {
            assert_eq!((a.overlaps(&b), b.overlaps(&a)), (expect, expect), "{a:?} {b:?}");
        }
    }

    #[test]
    fn ports_are_given_in_order_round_about_and_by_parity() {
        let mut ports = Ports::new();
        assert_eq!(ports.alternatives(0), 14_116);
        ports.set_range(40_000..=40_003);
        let mut given = Vec::new();
        while let Some(port) =
            ports.pick(0, 0, |ports, port| ports.can_give(port, &class("10.0.0.1")))
        {
            ports.hold(port, class("10.0.0.1"));
            given.push(port);
        }
        assert_eq!(given, [40_000, 40_002, 40_001, 40_003]);
        ports.release(40_002, &class("10.0.0.1"));
        assert_eq!(
            ports.pick(1, 0, |ports, port| ports.can_give(port, &class("10.0.0.1"))),
            Some(40_002)
        );
    }

    #[test]
    fn counted_classes_are_released_one_by_one() {
        let mut ports = Ports::new();
        ports.hold(80, class("0.0.0.0"));
        ports.hold(80, class("0.0.0.0"));
        ports.release(80, &class("0.0.0.0"));
        assert!(!ports.can_bind(80, &class("10.0.0.1")));
        ports.release(80, &class("0.0.0.0"));
        assert!(ports.can_bind(80, &class("10.0.0.1")));
    }
}
