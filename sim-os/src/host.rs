//! The hosts of a program that runs for real: several names and addresses on one machine.
//!
//! In a simulation every host has a kernel, an address and a disk of its own. Here they share one
//! kernel, so each gets what keeps them apart on it: an address of the loopback network, all of
//! which belongs to this machine, and a directory below the configured one.

use crate::root::Root;
use sim_core::HostId;
use sim_core::choice::Path;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// How many hosts have an address: 127.0.1.2 to 127.0.255.250, and the root host.
const MOST: usize = 255 * 250;

#[derive(Debug)]
struct Host {
    name: Box<str>,
    root: Root,
}

/// The hosts, in the order in which they were added.
#[derive(Debug)]
pub(crate) struct Hosts {
    hosts: Vec<Host>,
    names: BTreeMap<Box<str>, HostId>,
    /// The directory that the root host takes for `/`; the others have theirs in it.
    root: Option<PathBuf>,
}

impl Hosts {
    /// The root host alone.
    pub(crate) fn new(root: Option<PathBuf>) -> Self {
        let host = Host { name: "main".into(), root: Root::new(root.clone()) };
        let names = BTreeMap::from([(host.name.clone(), HostId::ROOT)]);
        Self { hosts: vec![host], names, root }
    }

    /// Adds a host.
    ///
    /// # Panics
    /// If the name is taken, or is no file name, or there are too many hosts.
    pub(crate) fn add(&mut self, name: &str) -> HostId {
        assert!(
            !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']),
            "{name:?} cannot name a host, because it cannot name the host's directory; use letters, digits and '-'"
        );
        assert!(
            self.find(name).is_none(),
            "there is a host named {name:?} already; give every host its own name"
        );
        assert!(
            self.hosts.len() < MOST,
            "the loopback network has addresses for {MOST} hosts only"
        );
        let id = HostId::new(self.hosts.len() as u32);
        let root = Root::new(self.root.as_ref().map(|root| root.join(name)));
        self.names.insert(name.into(), id);
        self.hosts.push(Host { name: name.into(), root });
        id
    }

    /// The host of this name.
    pub(crate) fn find(&self, name: &str) -> Option<HostId> {
        self.names.get(name).copied()
    }

    /// A host's name.
    pub(crate) fn name(&self, host: HostId) -> &str {
        &self.get(host).name
    }

    /// A host's structural name: a child of the world, as in a simulation.
    pub(crate) fn path(&self, host: HostId) -> Path {
        Path::WORLD.child(self.name(host), 0)
    }

    /// Where a host's paths begin.
    pub(crate) fn root(&self, host: HostId) -> &Root {
        &self.get(host).root
    }

    fn get(&self, host: HostId) -> &Host {
        self.hosts
            .get(host.index())
            .unwrap_or_else(|| panic!("{host:?} was never added to this backend"))
    }
}

/// A host's address: 127.0.0.1 for the root host, for the others one of their own.
pub(crate) fn address(host: HostId) -> Ipv4Addr {
    match host.index() {
        0 => Ipv4Addr::LOCALHOST,
        index => {
            assert!(index < MOST, "the loopback network has no address for {host:?}");
            Ipv4Addr::new(127, 0, (1 + index / 250) as u8, (1 + index % 250) as u8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_host_has_an_address_of_its_own() {
        let all: BTreeSet<Ipv4Addr> =
            (0..MOST).map(|index| address(HostId::new(index as u32))).collect();
        assert_eq!(all.len(), MOST);
        assert!(
            all.iter()
                .all(|address| address.is_loopback() && !matches!(address.octets()[3], 0 | 255))
        );
        assert_eq!(address(HostId::new(1)), Ipv4Addr::new(127, 0, 1, 2));
        assert_eq!(address(HostId::new(250)), Ipv4Addr::new(127, 0, 2, 1));
    }

    #[test]
    #[should_panic(expected = "there is a host named \"a\" already")]
    fn names_are_unique() {
        let mut hosts = Hosts::new(None);
        let _ = hosts.add("a");
        let _ = hosts.add("a");
    }

    #[test]
    #[should_panic(expected = "cannot name a host")]
    fn a_name_is_no_path() {
        let _ = Hosts::new(None).add("../elsewhere");
    }
}
