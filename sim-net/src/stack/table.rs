//! The sockets of a world: a slab with generations; and the connections of a host by their two addresses.
//!
//! One slab for all hosts, since a packet names the place of its socket, and a world of many hosts would otherwise look
//! for that place in as many tables.

use crate::packet::Ends;
use crate::tcp::{Connection, HOT_LINES};
use crate::udp::Datagrams;
use core::fmt;
use sim_core::choice::mix;
use sim_core::{Errno, HostId, Result, prefetch};
use sim_time::Instant;
use std::net::SocketAddr;

use super::ports::Class;

/// A socket of [`Stacks`](super::Stacks): its place in the slab and the generation of that place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId {
    index: u32,
    generation: u32,
}

impl SocketId {
    /// The packed form.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// From the packed form.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }

    /// Its place in the slab: small numbers, used again.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "socket{}.{}", self.index, self.generation)
    }
}

/// What remains of a connection in TIME_WAIT.
#[derive(Debug)]
pub(crate) struct TimeWait {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) snd_nxt: u64,
    pub(crate) rcv_nxt: u64,
    pub(crate) window: u32,
    pub(crate) since: Instant,
    pub(crate) until: Instant,
    pub(crate) class: Option<Class>,
}

#[derive(Debug)]
pub(crate) enum Entry {
    Tcp(Box<Connection>),
    Udp(Box<Datagrams>),
    TimeWait(Box<TimeWait>),
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    /// Whose socket it is.
    host: HostId,
    /// What the caller keeps of it; see [`Stacks::hold`](super::Stacks::hold).
    holder: u64,
    entry: Option<Entry>,
}

/// The holder of a socket that the caller has said nothing of.
pub(super) const NO_HOLDER: u64 = u64::MAX;

/// The slab.
#[derive(Debug, Default)]
pub(crate) struct Slab {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Slab {
    /// Puts in what `make` makes of its id.
    pub(crate) fn insert(
        &mut self,
        host: HostId,
        make: impl FnOnce(SocketId) -> Entry,
    ) -> SocketId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, host, holder: NO_HOLDER, entry: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        let id = SocketId { index, generation: slot.generation };
        (slot.host, slot.holder, slot.entry) = (host, NO_HOLDER, Some(make(id)));
        id
    }

    pub(crate) fn remove(&mut self, id: SocketId) -> Option<Entry> {
        let slot = self.slots.get_mut(id.index())?;
        if slot.generation != id.generation {
            return None;
        }
        let entry = slot.entry.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        Some(entry)
    }

    #[inline]
    pub(crate) fn get(&self, id: SocketId) -> Option<&Entry> {
        let slot = self.slots.get(id.index())?;
        if slot.generation == id.generation { slot.entry.as_ref() } else { None }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: SocketId) -> Option<&mut Entry> {
        let slot = self.slots.get_mut(id.index())?;
        if slot.generation == id.generation { slot.entry.as_mut() } else { None }
    }

    /// What the caller keeps of a socket.
    #[inline]
    pub(super) fn holder(&mut self, id: SocketId) -> Option<&mut u64> {
        let slot = self.slots.get_mut(id.index())?;
        if slot.generation == id.generation { Some(&mut slot.holder) } else { None }
    }

    #[inline]
    pub(crate) fn tcp(&mut self, id: SocketId) -> Result<&mut Connection> {
        match self.get_mut(id) {
            Some(Entry::Tcp(connection)) => Ok(connection),
            Some(Entry::Udp(_)) => Err(Errno::EOPNOTSUPP),
            _ => Err(Errno::EBADF),
        }
    }

    #[inline]
    pub(crate) fn udp(&mut self, id: SocketId) -> Result<&mut Datagrams> {
        match self.get_mut(id) {
            Some(Entry::Udp(socket)) => Ok(socket),
            Some(Entry::Tcp(_)) => Err(Errno::EOPNOTSUPP),
            _ => Err(Errno::EBADF),
        }
    }

    /// The id of the occupied place `index`.
    #[inline]
    fn id_at(&self, index: u32) -> SocketId {
        SocketId { index, generation: self.slots[index as usize].generation }
    }

    #[inline]
    fn has_pair(&self, index: u32, local: &SocketAddr, remote: &SocketAddr) -> bool {
        match &self.slots[index as usize].entry {
            Some(Entry::Tcp(connection)) => {
                connection.local == *local && connection.remote == *remote
            }
            Some(Entry::TimeWait(waiting)) => waiting.local == *local && waiting.remote == *remote,
            _ => false,
        }
    }

    /// The connection in a place, if it is `host`'s and what arrives is between its two ends.
    #[inline]
    pub(crate) fn connection_at(
        &mut self,
        host: HostId,
        place: u32,
        arriving: &Ends,
    ) -> Option<(SocketId, &mut Connection)> {
        let slot = self.slots.get_mut(place as usize)?;
        let id = SocketId { index: place, generation: slot.generation };
        match &mut slot.entry {
            Some(Entry::Tcp(connection)) if slot.host == host && connection.binding.paired => {
                connection.ends.is_way_back_of(arriving).then_some((id, connection))
            }
            _ => None,
        }
    }

    /// Asks for the memory of the connection in a place, if it is `host`'s; what the caller keeps of it.
    #[inline]
    pub(super) fn get_ready(&self, host: HostId, place: u32) -> Option<u64> {
        let slot = self.slots.get(place as usize).filter(|slot| slot.host == host)?;
        if let Some(Entry::Tcp(connection)) = &slot.entry {
            prefetch(&**connection, HOT_LINES);
        }
        Some(slot.holder)
    }

    /// Every entry of a host, in order of places.
    pub(crate) fn of_host(&self, host: HostId) -> impl Iterator<Item = (SocketId, &Entry)> {
        self.slots.iter().enumerate().filter_map(move |(index, slot)| {
            let id = SocketId { index: index as u32, generation: slot.generation };
            slot.entry.as_ref().filter(|_| slot.host == host).map(|entry| (id, entry))
        })
    }

    /// Every datagram socket of a host, in order of places.
    pub(crate) fn datagram_sockets(
        &mut self,
        host: HostId,
    ) -> impl Iterator<Item = &mut Datagrams> {
        self.slots.iter_mut().filter_map(move |slot| match &mut slot.entry {
            Some(Entry::Udp(socket)) if slot.host == host => Some(&mut **socket),
            _ => None,
        })
    }

    /// Removes everything of a host; no id of before means anything afterwards.
    pub(crate) fn clear(&mut self, host: HostId) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.host == host && slot.entry.take().is_some() {
                slot.generation = slot.generation.wrapping_add(1);
                self.free.push(index as u32);
            }
        }
    }
}

/// Connections by (local, remote) address: open addressing with a fixed hash. It is never iterated,
/// so the order inside decides nothing.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    /// (hash, place in the slab + 1); 0 in the second is a free cell. The length is a power of two.
    cells: Vec<(u64, u32)>,
    len: usize,
}

impl Pairs {
    #[inline]
    pub(crate) fn find(
        &self,
        slab: &Slab,
        local: &SocketAddr,
        remote: &SocketAddr,
    ) -> Option<SocketId> {
        if self.len == 0 {
            return None;
        }
        let hash = pair_hash(local, remote);
        let mask = self.cells.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let (found, place) = self.cells[at];
            if place == 0 {
                return None;
            }
            if found == hash && slab.has_pair(place - 1, local, remote) {
                return Some(slab.id_at(place - 1));
            }
            at = (at + 1) & mask;
        }
    }

    pub(crate) fn insert(&mut self, id: SocketId, local: &SocketAddr, remote: &SocketAddr) {
        if (self.len + 1) * 4 > self.cells.len() * 3 {
            self.grow();
        }
        self.put(pair_hash(local, remote), id.index + 1);
        self.len += 1;
    }

    fn put(&mut self, hash: u64, place: u32) {
        let mask = self.cells.len() - 1;
        let mut at = hash as usize & mask;
        while self.cells[at].1 != 0 {
            at = (at + 1) & mask;
        }
        self.cells[at] = (hash, place);
    }

    fn grow(&mut self) {
        let cells = vec![(0, 0); (self.cells.len() * 2).max(16)];
        let old = core::mem::replace(&mut self.cells, cells);
        old.into_iter().filter(|cell| cell.1 != 0).for_each(|(hash, place)| self.put(hash, place));
    }

    pub(crate) fn remove(&mut self, id: SocketId, local: &SocketAddr, remote: &SocketAddr) {
        let mask = self.cells.len() - 1;
        let cell = (pair_hash(local, remote), id.index + 1);
        let mut at = cell.0 as usize & mask;
        while self.cells[at] != cell {
            assert!(self.cells[at].1 != 0, "a connection is in the table until it is taken out");
            at = (at + 1) & mask;
        }
        self.len -= 1;
        self.close_gap(at, mask);
    }

    /// Moves later cells of the run back, so that no search ends early at the gap.
    fn close_gap(&mut self, mut gap: usize, mask: usize) {
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let (hash, place) = self.cells[at];
            if place == 0 {
                break;
            }
            let home = hash as usize & mask;
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(gap) & mask) {
                self.cells[gap] = self.cells[at];
                gap = at;
            }
        }
        self.cells[gap] = (0, 0);
    }

    pub(crate) fn clear(&mut self) {
        self.cells.fill((0, 0));
        self.len = 0;
    }
}

/// A fixed hash of a pair of addresses.
#[inline]
pub(crate) fn pair_hash(local: &SocketAddr, remote: &SocketAddr) -> u64 {
    mix::mix(word(local).rotate_left(21).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ word(remote))
}

#[inline]
fn word(addr: &SocketAddr) -> u64 {
    match addr {
        SocketAddr::V4(v4) => u64::from(v4.ip().to_bits()) << 16 | u64::from(v4.port()),
        SocketAddr::V6(v6) => {
            let bits = v6.ip().to_bits();
            mix::mix((bits >> 64) as u64 ^ mix::mix(bits as u64)) ^ u64::from(v6.port())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time_wait(local: SocketAddr, remote: SocketAddr) -> Entry {
        let (since, until) = (Instant::ZERO, Instant::ZERO);
        Entry::TimeWait(Box::new(TimeWait {
            local,
            remote,
            snd_nxt: 0,
            rcv_nxt: 0,
            window: 0,
            since,
            until,
            class: None,
        }))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        /// The table against an ordered map.
        #[test]
        fn pairs_are_found_until_removed(steps in prop::collection::vec((0..3_u8, 0..60_u16), 1..400)) {
            let (mut slab, mut pairs) = (Slab::default(), Pairs::default());
            let mut model = std::collections::BTreeMap::new();
            let local: SocketAddr = "10.0.0.1:80".parse().unwrap();
            for (kind, port) in steps {
                let remote = SocketAddr::from(([10, 0, 0, 2], port));
                match (kind, model.get(&port).copied()) {
                    (0 | 1, None) => {
                        let id = slab.insert(HostId::ROOT, |_| time_wait(local, remote));
                        pairs.insert(id, &local, &remote);
                        model.insert(port, id);
                    }
                    (2, Some(id)) => {
                        pairs.remove(id, &local, &remote);
                        slab.remove(id);
                        model.remove(&port);
                    }
                    _ => {}
                }
                for probe in 0..60_u16 {
                    let remote = SocketAddr::from(([10, 0, 0, 2], probe));
                    prop_assert_eq!(pairs.find(&slab, &local, &remote), model.get(&probe).copied());
                }
            }
        }
    }

    #[test]
    fn a_stale_id_finds_nothing() {
        let any: SocketAddr = "0.0.0.0:0".parse().unwrap();
        let mut slab = Slab::default();
        let first = slab.insert(HostId::ROOT, |_| time_wait(any, any));
        slab.remove(first);
        let second = slab.insert(HostId::ROOT, |_| time_wait(any, any));
        assert_eq!(first.index(), second.index());
        assert!(slab.get(first).is_none() && slab.get(second).is_some());
        assert_eq!(SocketId::from_bits(second.to_bits()), second);
        slab.clear(HostId::new(1));
        assert!(slab.get(second).is_some(), "another host keeps its sockets");
        slab.clear(HostId::ROOT);
        assert!(slab.get(second).is_none());
    }
}
