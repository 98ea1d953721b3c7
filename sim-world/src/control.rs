//! What only a simulated world can do to itself: crash and restart hosts, cut links, step clocks.
//!
//! The engine holds and kills tasks; this is the kernel's and the wire's side of the same fault.

use crate::host::HostState;
use crate::table::Object;
use crate::universe::Universe;
use sim_core::backend::{Readiness, Signal};
use sim_core::choice::{Path, mix};
use sim_core::trace::Kind;
use sim_core::{Env, HostId};
use sim_fs::Disk;
use sim_net::LinkConfig;
use std::net::{IpAddr, SocketAddr};

/// What befell hosts and links, by the numbers they have in the trace.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Fault {
    ClockStep = 1,
    Drift = 2,
    Reset = 3,
    Partition = 4,
    Cut = 5,
    Isolation = 6,
    Heal = 7,
    Link = 8,
}

impl Fault {
    /// Notes that it befell `whom`, with a number that tells it from others of its kind.
    fn note(self, env: &mut Env, whom: Path, detail: u64) {
        env.event(Kind::Fault, whom, self as u64, 1, detail);
    }
}

impl Universe {
    /// How many hosts there are.
    #[must_use]
    pub fn host_count(&self) -> usize {
        self.hosts.len()
    }

    /// Whether a host is there.
    #[must_use]
    pub fn host_state(&self, host: HostId) -> HostState {
        self.hosts[host.index()].state
    }

    /// A host's addresses.
    #[must_use]
    pub fn addresses(&self, host: HostId) -> &[IpAddr] {
        self.stacks.addresses(host)
    }

    /// Cuts every link between hosts of different groups, both ways; hosts that are not named are apart from all groups.
    pub fn partition(&mut self, env: &mut Env, groups: &[&[HostId]]) {
        let sides = (0_u64..)
            .zip(groups)
            .flat_map(|(side, group)| group.iter().map(move |&host| (side, host)));
        let detail =
            sides.fold(0, |hash, (side, host)| mix::join(hash, side << 32 | host.index() as u64));
        Fault::Partition.note(env, Path::WORLD, detail);
        self.fabric.partition(groups);
    }

    /// Cuts the link from one host to another; the way back stays.
    pub fn cut(&mut self, env: &mut Env, from: HostId, to: HostId) {
        Fault::Cut.note(env, self.hosts[from.index()].path, to.index() as u64);
        self.fabric.cut(from, to);
    }

    /// Ends the cut of the link from one host to another.
    pub fn mend(&mut self, env: &mut Env, from: HostId, to: HostId) {
        let whom = self.hosts[from.index()].path;
        env.event(Kind::Fault, whom, Fault::Cut as u64, 0, to.index() as u64);
        self.fabric.heal_cut(from, to);
    }

    /// Cuts all links of a host.
    pub fn isolate(&mut self, env: &mut Env, host: HostId) {
        Fault::Isolation.note(env, self.hosts[host.index()].path, 0);
        self.fabric.isolate(host);
    }

    /// Ends all cuts, partitions and isolations.
    pub fn heal(&mut self, env: &mut Env) {
        Fault::Heal.note(env, Path::WORLD, 0);
        self.fabric.heal();
    }

    /// How the link from one host to another behaves.
    #[must_use]
    pub fn link(&self, from: HostId, to: HostId) -> LinkConfig {
        self.fabric.link_config(from, to)
    }

    /// Changes how the link from one host to another behaves.
    pub fn set_link(&mut self, env: &mut Env, from: HostId, to: HostId, config: LinkConfig) {
        let detail = mix::join(config.latency_min_ns, config.latency_jitter_ns);
        Fault::Link.note(env, self.hosts[from.index()].path, mix::join(detail, to.index() as u64));
        self.fabric.set_link(from, to, Some(config));
    }

    /// A host's disk.
    pub fn disk(&mut self, env: &mut Env, host: HostId) -> &mut Disk {
        self.hosts[host.index()].disk(env)
    }

    /// Power is cut: sockets vanish without a word, unsynced writes may be lost, nothing is answered.
    pub fn crash(&mut self, env: &mut Env, host: HostId) {
        let machine = &mut self.hosts[host.index()];
        if machine.state == HostState::Down {
            return;
        }
        machine.state = HostState::Down;
        env.event(Kind::HostCrash, machine.path, u64::from(machine.incarnation), 0, 0);
        machine.disk(env).crash(env);
        machine.forget_unix();
        self.stacks.of(host).power_off();
        self.close_all(env, host);
    }

    /// Its processes are killed: the kernel lives and closes their sockets, and nothing written is lost.
    pub fn kill(&mut self, env: &mut Env, host: HostId) {
        if self.hosts[host.index()].state == HostState::Down {
            return;
        }
        let path = self.hosts[host.index()].path;
        env.event(Kind::HostCrash, path, u64::from(self.hosts[host.index()].incarnation), 1, 0);
        self.close_all(env, host);
        self.hosts[host.index()].incarnation += 1;
        self.flush(env, host);
    }

    /// Takes all descriptions of a host out of the table and closes them.
    fn close_all(&mut self, env: &mut Env, host: HostId) {
        for open in self.table.forget_host(host) {
            self.close_description(env, open);
        }
    }

    /// A host that is down comes up, with its disk as the crash left it.
    pub fn restart(&mut self, env: &mut Env, host: HostId) {
        let machine = &mut self.hosts[host.index()];
        machine.state = HostState::Up;
        machine.incarnation += 1;
        env.event(Kind::HostUp, machine.path, u64::from(machine.incarnation), 0, 0);
        self.stacks.of(host).power_on();
    }

    /// Its processes get no turn (`SIGSTOP`); its kernel goes on answering.
    pub fn set_paused(&mut self, env: &mut Env, host: HostId, paused: bool) {
        let machine = &mut self.hosts[host.index()];
        if machine.state == HostState::Down {
            return;
        }
        machine.state = if paused { HostState::Paused } else { HostState::Up };
        env.event(Kind::HostPause, machine.path, 0, u64::from(paused), 0);
    }

    /// Steps a host's real-time clock.
    pub fn step_clock(&mut self, env: &mut Env, host: HostId, by_ns: i64) {
        let machine = &mut self.hosts[host.index()];
        machine.clock.step_realtime(env.now, by_ns);
        Fault::ClockStep.note(env, machine.path, by_ns as u64);
        self.plan_timers_anew(env, host);
    }

    /// Sets how much faster than true time a host's clocks run, in parts per billion.
    pub fn set_drift(&mut self, env: &mut Env, host: HostId, ppb: i32) {
        let machine = &mut self.hosts[host.index()];
        machine.clock.set_drift(env.now, ppb);
        Fault::Drift.note(env, machine.path, ppb as u64);
        self.plan_timers_anew(env, host);
    }

    /// Sends a host's process a signal; descriptors that take it become readable. Answers whether one does.
    pub fn signal(&mut self, env: &mut Env, host: HostId, signal: Signal) -> bool {
        let bit = 1 << signal as u8;
        let takers = self.table.iter().filter(|(_, open)| open.host == host);
        let takers: Vec<_> = takers
            .filter(|(_, open)| matches!(&open.object, Object::Signals(signals) if signals.taken & bit != 0))
            .filter_map(|(fd, _)| self.table.id(fd).ok())
            .collect();
        for &id in &takers {
            if let Some(Object::Signals(signals)) =
                self.table.get_mut(id).map(|open| &mut open.object)
            {
                signals.pending |= bit;
            }
            self.table.event(env, id, Readiness::IN);
        }
        !takers.is_empty()
    }

    /// Resets every connection between two hosts: both ends learn `ECONNRESET`. Answers how many there were.
    pub fn reset_connections(&mut self, env: &mut Env, a: HostId, b: HostId) -> usize {
        let towards = |addrs: &[IpAddr], peer: &SocketAddr| addrs.contains(&peer.ip());
        let there = self.stacks.addresses(b).to_vec();
        let open: Vec<_> =
            self.table.iter().filter(|(_, open)| open.host == a).map(|(fd, _)| fd).collect();
        let mut reset = 0;
        for fd in open {
            let Ok((host, socket)) = self.socket_of(fd) else { continue };
            let peer = self.stacks.peer_addr(socket);
            if peer.is_ok_and(|peer| towards(&there, &peer)) {
                self.stacks.of(host).reset_connection(env, socket);
                self.flush(env, host);
                reset += 1;
            }
        }
        Fault::Reset.note(env, self.hosts[a.index()].path, reset as u64);
        reset
    }
}
