//! The universe: all hosts, the fabric, the agenda and the descriptor table, and how they join.
//!
//! A system call looks up its description, calls the host's model, and flushes what the model put out:
//! packets go through the fabric onto the agenda, readiness events go through wait queues to waiters,
//! kernel timers go onto the agenda. An event of the agenda does the same without a caller.

use crate::agenda::{Agenda, Planned};
use crate::host::Host;
use crate::ops::Ops;
use crate::pipes::Pipes;
use crate::table::{DescriptionId, Object, Table};
use sim_core::backend::Readiness;
use sim_core::choice::Path;
use sim_core::trace::Kind;
use sim_core::{Env, Errno, Fd, HostId, Result, prefetch};
use sim_net::{Addrs, Fabric, LinkConfig, Names, Packet, SocketId, Stacks, Transit};
use sim_time::WallTime;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// How long Linux asks for a neighbour's hardware address before it gives up (measured: 3.06 s).
const NEIGHBOUR_TIMEOUT: Duration = Duration::from_millis(3060);
/// 2026-01-01T00:00:00Z: what the clocks of a world show at its start.
const EPOCH_NS: u64 = 1_767_225_600_000_000_000;
/// How long every host has been up at the start: programs subtract minutes from the monotonic clock.
const UPTIME: Duration = Duration::from_secs(100_000);

/// The addresses of the first host: 10.0.0.1 and fd00::1.
const FIRST_V4: u32 = 0x0a00_0001;
const FIRST_V6: u128 = 0xfd00 << 112 | 1;

/// Most worlds have no more hosts.
const HOSTS_AT_FIRST: usize = 7;

/// The lines of a packet, with a short payload in place.
const PACKET_LINES: usize = 3;

/// What a world is like before anything is changed in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorldConfig {
    /// How links behave.
    pub link: LinkConfig,
    /// What the real-time clocks show at the start.
    pub start: WallTime,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self { link: LinkConfig::default(), start: WallTime::from_nanos(EPOCH_NS) }
    }
}

/// A simulated world.
#[derive(Debug)]
pub struct Universe {
    pub(crate) hosts: Vec<Host>,
    pub(crate) stacks: Stacks,
    pub(crate) fabric: Fabric,
    names: Option<Names>,
    /// How many hosts are in the table of names.
    named: usize,
    pub(crate) agenda: Agenda,
    pub(crate) table: Table,
    pub(crate) ops: Ops,
    pub(crate) pipes: Pipes,
    /// What the real-time clocks showed at the start.
    start: WallTime,
}

const _: () = assert!(
    size_of::<Universe>() <= 1032 && HOSTS_AT_FIRST * size_of::<Host>() <= 1032,
    "worlds are made and dropped by the thousand, and no larger block comes from the allocator's caches"
);

impl Universe {
    /// A world with one host, the root's, named `main` at 10.0.0.1 and fd00::1.
    #[must_use]
    pub fn new(env: &mut Env, config: WorldConfig) -> Self {
        let mut universe = Self {
            hosts: Vec::with_capacity(HOSTS_AT_FIRST),
            stacks: Stacks::with_capacity(HOSTS_AT_FIRST),
            fabric: Fabric::new(env, config.link),
            names: None,
            named: 0,
            agenda: Agenda::new(),
            table: Table::new(),
            ops: Ops::new(),
            pipes: Pipes::default(),
            start: config.start,
        };
        let root = universe.add_host(env, "main");
        debug_assert_eq!(root, HostId::ROOT);
        universe
    }

    /// Adds a host, which is up at once, with the next address of 10.0.0.0/8 and the next of fd00::/64.
    ///
    /// # Panics
    /// If a host of this name exists, or 2^24 - 2 hosts do.
    pub fn add_host(&mut self, env: &mut Env, name: impl Into<String>) -> HostId {
        let name = name.into();
        let path = Host::path_of(&name);
        assert!(
            self.find_host(path, &name).is_none(),
            "there is a host named '{name}' already: give each its own name"
        );
        let index = self.hosts.len() as u32;
        assert!(index < (1 << 24) - 2, "10.0.0.0/8 has no more addresses");
        let v4 = IpAddr::V4(Ipv4Addr::from(FIRST_V4 + index));
        let v6 = IpAddr::V6(Ipv6Addr::from(FIRST_V6 + u128::from(index)));
        // In the order in which getaddrinfo(3) would sort them: IPv4 before an IPv6 address of a private network (RFC 6724).
        let addrs = Addrs::from([v4, v6]);
        let uptime_ns = UPTIME.as_nanos() as u64;
        self.hosts.push(Host::new(env, name, path, self.start, uptime_ns));
        let id = HostId::new(index);
        self.fabric.attach(id, &addrs);
        let same = self.stacks.add_host(env, path, addrs);
        debug_assert_eq!(id, same, "every host has a stack of its own");
        env.event(Kind::HostUp, path, 0, 0, 0);
        id
    }

    /// The host of this name.
    #[must_use]
    pub fn host_named(&self, name: &str) -> Option<HostId> {
        self.find_host(Host::path_of(name), name)
    }

    /// By its path, which is a number: names are compared once.
    fn find_host(&self, path: Path, name: &str) -> Option<HostId> {
        self.hosts
            .iter()
            .position(|host| host.path == path && host.name == name)
            .map(|index| HostId::new(index as u32))
    }

    /// The addresses of a name. Hosts enter the table of names when one is looked up: most worlds look up few.
    pub(crate) fn addresses_of(&mut self, name: &str) -> Option<&[IpAddr]> {
        let Self { hosts, stacks, names, named, .. } = self;
        let names = names.get_or_insert_default();
        for (index, host) in hosts.iter().enumerate().skip(*named) {
            names.insert(&host.name, stacks.addresses(HostId::new(index as u32)));
        }
        *named = hosts.len();
        names.resolve(name)
    }

    #[inline]
    pub(crate) fn host(&mut self, id: HostId) -> &mut Host {
        &mut self.hosts[id.index()]
    }

    /// The socket behind a number.
    #[inline]
    pub(crate) fn socket_of(&self, fd: Fd) -> Result<(HostId, SocketId)> {
        let open = self.table.of(fd)?;
        match open.object {
            Object::Socket(socket) => Ok((open.host, socket)),
            _ => Err(Errno::ENOTSOCK),
        }
    }

    /// Carries on what a host's stack has put out: after a call that only looks, nothing.
    #[inline(always)]
    pub(crate) fn flush(&mut self, env: &mut Env, host: HostId) {
        if !self.stacks.out().is_empty() {
            self.carry_on(env, host);
        }
    }

    /// Apart from the question whether there is anything, which is asked after every call.
    #[inline(never)]
    fn carry_on(&mut self, env: &mut Env, host: HostId) {
        let out = self.stacks.out();
        let (has_packets, has_timers) = (!out.packets.is_empty(), !out.timers.is_empty());
        if has_packets {
            self.send_packets(env, host);
        }
        if has_timers {
            self.plan_timers(env, host);
        }
        self.report_ready(env);
    }

    #[inline]
    fn send_packets(&mut self, env: &mut Env, from: HostId) {
        let Self { stacks, fabric, agenda, .. } = self;
        stacks.of(from).drain_packets(|flow, socket, packet| {
            let (path, ordinal) = (packet.flow, packet.ordinal);
            match fabric.transit(env, from, flow, &packet) {
                Transit::Arrive { host, at, again } => {
                    if let Some(again) = again {
                        let copy = Planned::Arrival(host, packet.clone());
                        // The copy's number is its own, so that a log can tell the two apart.
                        agenda.plan(env, again, copy, path, ordinal | 1 << 31);
                    }
                    agenda.plan(env, at, Planned::Arrival(host, packet), path, ordinal);
                }
                Transit::Lost(_) => {}
                Transit::NoRoute => {
                    if let Some(socket) = socket {
                        let at = env.now.saturating_add(NEIGHBOUR_TIMEOUT);
                        agenda.plan(env, at, Planned::NoRoute(from, socket), path, ordinal);
                    }
                }
            }
        });
    }

    #[cold]
    fn plan_timers(&mut self, env: &mut Env, host: HostId) {
        let Self { hosts, stacks, agenda, .. } = self;
        let machine = &mut hosts[host.index()];
        for (socket, at) in stacks.out().timers.drain(..) {
            machine.kernel_timers += 1;
            let (path, ordinal) = (machine.path, machine.kernel_timers);
            agenda.plan(env, at, Planned::SocketTimer(host, socket), path, ordinal);
        }
    }

    #[inline]
    fn report_ready(&mut self, env: &mut Env) {
        let Self { stacks, table, .. } = self;
        stacks.drain_ready(|holder, readiness| {
            table.event(env, DescriptionId::from_bits(holder), readiness);
        });
    }

    /// What a description is ready for now.
    pub(crate) fn readiness_of(&self, id: DescriptionId) -> Readiness {
        let Some(open) = self.table.get(id) else { return Readiness::NONE };
        match &open.object {
            Object::Socket(socket) => self.stacks.readiness(*socket),
            // A regular file never makes its caller wait (poll(2)).
            Object::File(_) => Readiness::IN | Readiness::OUT,
            Object::Signals(signals) if signals.pending & signals.taken != 0 => Readiness::IN,
            Object::Signals(_) => Readiness::NONE,
            Object::Unix(socket) => self.unix_readiness(open.host, *socket),
            Object::Pipe(end) => self.pipes.readiness(**end),
            Object::Counter(counter) => counter.readiness(),
            Object::Timer(timer) => timer.readiness(),
            Object::Epoll(epoll) => {
                let any =
                    epoll.queued().any(|key| epoll.wants(key).intersects(self.readiness_of(key.0)));
                if any { Readiness::IN } else { Readiness::NONE }
            }
        }
    }

    /// A packet arrives. Packets to a host that is down vanish.
    #[inline]
    pub(crate) fn arrive(&mut self, env: &mut Env, to: HostId, mut packet: Box<Packet>) {
        self.stacks.receive(env, to, &mut packet);
        self.stacks.recycle(packet);
        self.flush(env, to);
    }

    /// Asks for the memory of what arrives next: for the packet after the next, and for the connection and the waiter of the
    /// next, whose packet was asked for a while ago.
    #[inline]
    pub(crate) fn get_ready(&self) {
        let [first, second] = self.agenda.soon();
        if let Some((host, packet)) = first
            && let Some(holder) = self.stacks.get_ready(host, packet)
        {
            self.table.get_ready(DescriptionId::from_bits(holder));
        }
        if let Some((_, packet)) = second {
            prefetch(packet, PACKET_LINES);
        }
    }

    /// An event of the agenda has the turn.
    pub(crate) fn carry_out(&mut self, env: &mut Env, planned: Planned) {
        match planned {
            Planned::Arrival(to, packet) => self.arrive(env, to, packet),
            Planned::SocketTimer(host, socket) => {
                self.stacks.of(host).timer(env, socket);
                self.flush(env, host);
            }
            Planned::NoRoute(host, socket) => {
                self.stacks.of(host).unreachable(env, socket);
                self.flush(env, host);
            }
            Planned::Completion(op) => self.complete_op(env, op),
            Planned::TimerFd(id, plan) => self.expire_timer(env, id, plan),
        }
    }
}
