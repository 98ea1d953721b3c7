//! The fabric: hosts by address, and the directed links between them.
//!
//! A packet passes, in this order: the table of addresses, the gate (a cut loses it, a clog holds it),
//! the queue, loss, duplication, delay, and the order of its connection. Links come into being with
//! their first packet. Faults are changes of configuration: they raise the `epoch`, which makes every
//! flow look up its route again, so that in quiet times a packet looks up nothing.
//!
//! The fabric keeps no packets. It answers when one arrives, and the caller's agenda keeps it.

mod link;

pub use link::LinkConfig;

use crate::packet::{Body, Flow, Packet, Route};
use link::Link;
use sim_core::trace::Kind;
use sim_core::{Env, HostId};
use sim_time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the caller puts the arrival on its agenda, or tells the sender that there is no such host"]
pub enum Transit {
    /// It arrives.
    Arrive {
        /// Where.
        host: HostId,
        /// When.
        at: Instant,
        /// When it arrives once more, if it was duplicated.
        again: Option<Instant>,
    },
    /// It is lost, and nobody is told.
    Lost(Loss),
    /// No host has the address: a TCP socket that connects is to be told with [`Stack::unreachable`](crate::Stack::unreachable).
    NoRoute,
}

/// Why a packet is lost. The numbers are those of [`Kind::Drop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Loss {
    /// By chance.
    Chance = 0,
    /// The hosts are cut off from each other.
    Cut = 1,
    /// The link's queue was full.
    QueueFull = 3,
}

/// [`Kind::Drop`]'s number for a packet to an address that no host has.
const NO_SUCH_HOST: u64 = 2;

/// Most worlds have no more hosts.
const HOSTS_AT_FIRST: usize = 8;

/// Hosts and links.
#[derive(Debug)]
pub struct Fabric {
    /// Who has which address, in order of addresses: hosts come in that order, so that most are put at the end.
    hosts: [Vec<(IpAddr, HostId)>; 2],
    links: Vec<Link>,
    by_ends: BTreeMap<(HostId, HostId), u32>,
    default: LinkConfig,
    configs: BTreeMap<(HostId, HostId), LinkConfig>,
    cuts: BTreeSet<(HostId, HostId)>,
    /// The side each host is on, of the present partition; hosts not named are on a side of their own.
    sides: BTreeMap<HostId, usize>,
    isolated: BTreeSet<HostId>,
    epoch: u64,
}

/// The table of an address's family: hosts get addresses in order, so each table grows at its end.
fn family(addr: IpAddr) -> usize {
    usize::from(addr.is_ipv6())
}

impl Fabric {
    /// A fabric without hosts, whose links will behave like `config`.
    #[must_use]
    pub fn new(_env: &mut Env, config: LinkConfig) -> Self {
        Self {
            hosts: [Vec::with_capacity(HOSTS_AT_FIRST), Vec::with_capacity(HOSTS_AT_FIRST)],
            links: Vec::new(),
            by_ends: BTreeMap::new(),
            default: config,
            configs: BTreeMap::new(),
            cuts: BTreeSet::new(),
            sides: BTreeMap::new(),
            isolated: BTreeSet::new(),
            // A new flow's route is of epoch 0, so that its first packet looks the destination up.
            epoch: 1,
        }
    }

    /// Gives `host` these addresses.
    ///
    /// # Panics
    /// If another host has one of them: an address names one machine.
    pub fn attach(&mut self, host: HostId, addrs: &[IpAddr]) {
        for &addr in addrs {
            match self.place_of(addr) {
                Ok(at) => {
                    let owner = self.hosts[family(addr)][at].1;
                    assert!(
                        owner == host,
                        "{addr} belongs to {owner:?} and cannot be {host:?}'s too"
                    );
                }
                Err(at) => self.hosts[family(addr)].insert(at, (addr, host)),
            }
        }
        self.epoch += 1;
    }

    /// Takes all addresses from `host`. What is under way to them still arrives, if the caller lets it.
    pub fn detach(&mut self, host: HostId) {
        self.hosts.iter_mut().for_each(|hosts| hosts.retain(|(_, owner)| *owner != host));
        self.epoch += 1;
    }

    /// The host that has `addr`.
    #[must_use]
    pub fn host_of(&self, addr: IpAddr) -> Option<HostId> {
        self.place_of(addr).ok().map(|at| self.hosts[family(addr)][at].1)
    }

    /// Where an address is in the table, or where it would have to be put.
    fn place_of(&self, addr: IpAddr) -> Result<usize, usize> {
        let hosts = &self.hosts[family(addr)];
        match hosts.last() {
            Some((last, _)) if *last < addr => Err(hosts.len()),
            _ => hosts.binary_search_by(|(known, _)| known.cmp(&addr)),
        }
    }

    /// Decides what becomes of a packet that `from` sends now.
    #[inline]
    pub fn transit(
        &mut self,
        env: &mut Env,
        from: HostId,
        flow: &mut Flow,
        packet: &Packet,
    ) -> Transit {
        let route = &flow.route;
        if (route.epoch != self.epoch || route.from != from || !packet.ends.goes_to(&route.to))
            && !self.look_up(env.now, from, flow, packet.ends.dst().ip())
        {
            lost(env, packet, NO_SUCH_HOST);
            return Transit::NoRoute;
        }
        let host = flow.route.host;
        if flow.route.is_quiet {
            let delays = (flow.route.latency_min_ns, flow.route.latency_jitter_ns);
            let mut at = delayed(env, delays, flow, env.now);
            if matches!(packet.body, Body::Tcp(_)) {
                at = at.max(flow.last_arrival);
                flow.last_arrival = at;
            }
            return Transit::Arrive { host, at, again: None };
        }
        let link = &mut self.links[flow.route.link as usize];
        match carry(env, link, flow, packet) {
            Ok((at, again)) => Transit::Arrive { host, at, again },
            Err(loss) => {
                lost(env, packet, loss as u64);
                Transit::Lost(loss)
            }
        }
    }

    /// Finds the link to `to` and notes it in the flow; whether there is such a host.
    fn look_up(&mut self, now: Instant, from: HostId, flow: &mut Flow, to: IpAddr) -> bool {
        let Some(host) = self.host_of(to) else { return false };
        let index = self.link(from, host);
        let link = &self.links[index as usize];
        let LinkConfig { latency_min_ns, latency_jitter_ns, .. } = *link.config();
        flow.route = Route {
            epoch: self.epoch,
            to,
            from,
            link: index,
            host,
            is_quiet: link.only_delays && !link.cut && link.clogged_until <= now,
            latency_min_ns,
            latency_jitter_ns,
        };
        true
    }

    fn link(&mut self, from: HostId, to: HostId) -> u32 {
        let index = *self.by_ends.entry((from, to)).or_insert_with(|| {
            let config = self.configs.get(&(from, to)).copied().unwrap_or(self.default);
            self.links.push(Link::new(from, to, config));
            (self.links.len() - 1) as u32
        });
        if self.links[index as usize].epoch != self.epoch {
            let cut = self.is_cut(from, to);
            let link = &mut self.links[index as usize];
            (link.cut, link.epoch) = (cut, self.epoch);
        }
        index
    }

    /// Whether packets from `from` to `to` are lost now because of a partition.
    #[must_use]
    pub fn is_cut(&self, from: HostId, to: HostId) -> bool {
        from != to
            && (self.cuts.contains(&(from, to))
                || self.isolated.contains(&from)
                || self.isolated.contains(&to)
                || (!self.sides.is_empty() && self.sides.get(&from) != self.sides.get(&to)))
    }

    /// How links without a configuration of their own behave from now on.
    pub fn set_default(&mut self, config: LinkConfig) {
        self.default = config;
        self.epoch += 1;
        for link in &mut self.links {
            if !self.configs.contains_key(&(link.from, link.to)) {
                link.configure(config);
            }
        }
    }

    /// How links without a configuration of their own behave.
    #[must_use]
    pub fn default_config(&self) -> LinkConfig {
        self.default
    }

    /// How the link from `from` to `to` behaves from now on; `None` is like all others.
    pub fn set_link(&mut self, from: HostId, to: HostId, config: Option<LinkConfig>) {
        match config {
            Some(config) => self.configs.insert((from, to), config),
            None => self.configs.remove(&(from, to)),
        };
        self.epoch += 1;
        if let Some(&index) = self.by_ends.get(&(from, to)) {
            self.links[index as usize].configure(config.unwrap_or(self.default));
        }
    }

    /// As [`Fabric::set_link`], in both directions.
    pub fn set_links(&mut self, a: HostId, b: HostId, config: Option<LinkConfig>) {
        self.set_link(a, b, config);
        self.set_link(b, a, config);
    }

    /// How the link from `from` to `to` behaves.
    #[must_use]
    pub fn link_config(&self, from: HostId, to: HostId) -> LinkConfig {
        self.configs.get(&(from, to)).copied().unwrap_or(self.default)
    }

    /// Loses every packet from `from` to `to`: one way. The packets under way still arrive.
    pub fn cut(&mut self, from: HostId, to: HostId) {
        self.cuts.insert((from, to));
        self.epoch += 1;
    }

    /// Ends a [`Fabric::cut`].
    pub fn heal_cut(&mut self, from: HostId, to: HostId) {
        self.cuts.remove(&(from, to));
        self.epoch += 1;
    }

    /// Separates the groups from each other, in both directions. Hosts in no group, later ones too,
    /// form one more group. A second partition takes the place of the first.
    pub fn partition(&mut self, groups: &[&[HostId]]) {
        self.sides.clear();
        for (side, group) in groups.iter().enumerate() {
            self.sides.extend(group.iter().map(|&host| (host, side)));
        }
        self.epoch += 1;
    }

    /// Cuts `host` off from all others, in both directions.
    pub fn isolate(&mut self, host: HostId) {
        self.isolated.insert(host);
        self.epoch += 1;
    }

    /// Ends an [`Fabric::isolate`].
    pub fn rejoin(&mut self, host: HostId) {
        self.isolated.remove(&host);
        self.epoch += 1;
    }

    /// Ends every cut, partition, isolation and clog.
    pub fn heal(&mut self) {
        self.cuts.clear();
        self.sides.clear();
        self.isolated.clear();
        self.links.iter_mut().for_each(|link| link.clogged_until = Instant::ZERO);
        self.epoch += 1;
    }

    /// Holds the packets from `from` to `to` until `until`; none is lost.
    pub fn clog(&mut self, from: HostId, to: HostId, until: Instant) {
        self.epoch += 1;
        let index = self.link(from, to);
        self.links[index as usize].clogged_until = until;
    }
}

/// Passes a packet through a link that may do more than delay: when it arrives, and when once more.
fn carry(
    env: &mut Env,
    link: &mut Link,
    flow: &mut Flow,
    packet: &Packet,
) -> Result<(Instant, Option<Instant>), Loss> {
    if link.cut {
        return Err(Loss::Cut);
    }
    let departs = link.depart(env.now, packet.body.len()).ok_or(Loss::QueueFull)?;
    let config = link.config();
    let delays = (config.latency_min_ns, config.latency_jitter_ns);
    let mishaps = flow.mishaps(&mut env.choices);
    if env.choices.chance(&mut mishaps.loss, config.loss) {
        return Err(Loss::Chance);
    }
    let duplicated = env.choices.chance(&mut mishaps.duplicate, config.duplicate);
    let in_order = matches!(packet.body, Body::Tcp(_))
        && !env.choices.chance(&mut mishaps.reorder, config.reorder);
    let mut at = delayed(env, delays, flow, departs);
    if in_order {
        at = at.max(flow.last_arrival);
        flow.last_arrival = at;
    }
    let again = duplicated.then(|| delayed(env, delays, flow, departs));
    Ok((at, again))
}

#[inline]
fn delayed(
    env: &mut Env,
    (latency_min_ns, latency_jitter_ns): (u64, u64),
    flow: &mut Flow,
    departs: Instant,
) -> Instant {
    let jitter_ns = match latency_jitter_ns {
        0 => 0,
        jitter_ns => {
            let alternatives = jitter_ns.saturating_add(1);
            let delay = flow.delay(&mut env.choices);
            env.choices.pick(delay, alternatives)
        }
    };
    departs.saturating_add_nanos(latency_min_ns.saturating_add(jitter_ns))
}

fn lost(env: &mut Env, packet: &Packet, why: u64) {
    env.event(Kind::Drop, packet.flow, u64::from(packet.ordinal), packet.body.len() as u64, why);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::NO_PLACE;
    use sim_core::choice::{Choices, Path, Ratio, Seed};

    const A: HostId = HostId::new(1);
    const B: HostId = HostId::new(2);
    const C: HostId = HostId::new(3);

    struct Bench {
        env: Env,
        fabric: Fabric,
        flow: Flow,
    }

    fn ip(host: HostId) -> IpAddr {
        IpAddr::from([10, 0, 0, host.index() as u8])
    }

    fn bench(config: LinkConfig) -> Bench {
        let mut env = Env::new(Choices::seeded(Seed::from_u64(1)));
        let mut fabric = Fabric::new(&mut env, config);
        [A, B, C].into_iter().for_each(|host| fabric.attach(host, &[ip(host)]));
        let flow = Flow::new(Path::WORLD.child("a", 0));
        Bench { env, fabric, flow }
    }

    impl Bench {
        fn send(&mut self, from: HostId, to: IpAddr) -> Transit {
            let (src, dst) = ((ip(from), 1).into(), (to, 2).into());
            let body = Body::Udp((&b"hello"[..]).into(), 0);
            let (flow, place) = (self.flow.path, NO_PLACE);
            let ends = crate::Ends::new(src, dst);
            let packet = Packet { ends, flow, ordinal: 0, place, peer_place: NO_PLACE, body };
            self.fabric.transit(&mut self.env, from, &mut self.flow, &packet)
        }

        fn arrives(&mut self, from: HostId, to: HostId) -> bool {
            match self.send(from, ip(to)) {
                Transit::Arrive { host, .. } => host == to,
                Transit::Lost(loss) => {
                    assert_eq!(loss, Loss::Cut);
                    false
                }
                Transit::NoRoute => panic!("the host is attached"),
            }
        }
    }

    #[test]
    fn delays_lie_in_their_range_and_an_unowned_address_has_no_route() {
        let mut bench = bench(LinkConfig::default());
        for _ in 0..200 {
            let Transit::Arrive { host, at, again } = bench.send(A, ip(B)) else {
                panic!("nothing is lost")
            };
            assert_eq!((host, again), (B, None));
            assert!((100_000..=800_000).contains(&at.as_nanos()), "{at}");
        }
        assert_eq!(bench.send(A, IpAddr::from([10, 0, 0, 9])), Transit::NoRoute);
    }

    #[test]
    fn every_partition_is_as_wide_as_it_says() {
        let mut bench = bench(LinkConfig::default());
        bench.fabric.cut(A, B);
        assert!(!bench.arrives(A, B) && bench.arrives(B, A) && bench.arrives(A, C));
        bench.fabric.heal_cut(A, B);
        assert!(bench.arrives(A, B));
        bench.fabric.partition(&[&[A]]);
        assert!(!bench.arrives(A, B) && !bench.arrives(C, A) && bench.arrives(B, C));
        bench.fabric.partition(&[&[A, B]]);
        assert!(bench.arrives(A, B) && !bench.arrives(C, A) && !bench.arrives(B, C));
        bench.fabric.isolate(B);
        assert!(!bench.arrives(A, B) && !bench.arrives(B, A));
        bench.fabric.rejoin(B);
        assert!(bench.arrives(A, B));
        bench.fabric.heal();
        assert!(bench.arrives(A, C) && bench.arrives(C, B));
    }

    #[test]
    fn certain_loss_certain_duplication_and_a_clog() {
        let mut bench = bench(LinkConfig { loss: Ratio::ONE, ..LinkConfig::default() });
        assert_eq!(bench.send(A, ip(B)), Transit::Lost(Loss::Chance));
        bench.fabric.set_link(
            A,
            B,
            Some(LinkConfig { duplicate: Ratio::ONE, ..LinkConfig::default() }),
        );
        assert!(matches!(bench.send(A, ip(B)), Transit::Arrive { again: Some(_), .. }));
        bench.fabric.set_link(A, B, None);
        bench.fabric.set_default(LinkConfig::default());
        let until = Instant::from_nanos(5_000_000);
        bench.fabric.clog(A, B, until);
        assert!(
            matches!(bench.send(A, ip(B)), Transit::Arrive { at, again: None, .. } if at > until)
        );
    }

    #[test]
    fn an_address_moves_with_its_host() {
        let mut bench = bench(LinkConfig::default());
        assert!(bench.arrives(A, B));
        bench.fabric.detach(B);
        assert_eq!(bench.send(A, ip(B)), Transit::NoRoute);
        bench.fabric.attach(C, &[ip(B)]);
        assert!(matches!(bench.send(A, ip(B)), Transit::Arrive { host: C, .. }));
    }
}
