//! A world of stacks and a fabric with the smallest possible event loop, for the tests of this crate.

use sim_core::backend::{Domain, Readiness, RecvFlags, SocketKind, SocketOption};
use sim_core::choice::{Choices, Path, Seed};
use sim_core::{Env, Errno, HostId, Result};
use sim_net::{Fabric, LinkConfig, Packet, SocketId, Stack, Stacks, State, Transit};
use sim_time::Instant;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

#[derive(Debug)]
enum Event {
    Arrive(usize, Box<Packet>),
    Timer(usize, SocketId),
}

/// A socket of the harness: its host and its id there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sock {
    pub(crate) host: usize,
    pub(crate) id: SocketId,
}

#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) env: Env,
    pub(crate) fabric: Fabric,
    pub(crate) stacks: Stacks,
    agenda: BTreeMap<(Instant, u64), Event>,
    count: u64,
    opened: u32,
    /// Events reported at sockets since last taken.
    pub(crate) ready: Vec<(Sock, Readiness)>,
    /// Packets that left a host, for tests that count them.
    pub(crate) sent: u64,
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
}

pub(crate) fn host(n: usize) -> HostId {
    HostId::new(n as u32)
}

pub(crate) fn ip(host: usize) -> IpAddr {
    IpAddr::from([10, 9, 0, host as u8 + 1])
}

pub(crate) fn addr(text: &str) -> SocketAddr {
    text.parse().expect("a test names an address")
}

impl Net {
    /// `hosts` hosts with the addresses 10.9.0.1 and up, over links like `config`.
    pub(crate) fn new(seed: u64, hosts: usize, config: LinkConfig) -> Self {
        let mut env = Env::new(Choices::seeded(Seed::from_u64(seed)));
        // Nothing is special about time zero, and a keepalive that never heard anything must not think so.
        env.now = Instant::from_nanos(5_000_000_000);
        let mut fabric = Fabric::new(&mut env, config);
        let mut stacks = Stacks::default();
        for n in 0..hosts {
            fabric.attach(host(n), &[ip(n)]);
            let path = Path::WORLD.child("host", n as u32);
            assert_eq!(stacks.add_host(&mut env, path, vec![ip(n)]), host(n));
        }
        Self {
            env,
            fabric,
            stacks,
            agenda: BTreeMap::new(),
            count: 0,
            opened: 0,
            ready: Vec::new(),
            sent: 0,
            delivered: 0,
            lost: 0,
            duplicated: 0,
        }
    }

    /// One host, for what happens on loopback.
    pub(crate) fn loopback() -> Self {
        Self::new(1, 1, LinkConfig::default())
    }

    fn put(&mut self, at: Instant, event: Event) {
        self.count += 1;
        self.agenda.insert((at, self.count), event);
    }

    /// Carries out what the latest call left in the stack's output.
    pub(crate) fn drain(&mut self, host_number: usize) {
        let out = core::mem::take(self.stacks.out());
        for (id, packet) in out.packets {
            self.sent += 1;
            let from = host(host_number);
            let mut stack = self.stacks.of(from);
            match self.fabric.transit(&mut self.env, from, stack.flow(id), &packet) {
                Transit::Arrive { host, at, again } => {
                    assert!(at >= self.env.now);
                    if let Some(again) = again {
                        self.duplicated += 1;
                        self.put(again, Event::Arrive(host.index(), packet.clone()));
                    }
                    self.put(at, Event::Arrive(host.index(), packet));
                }
                Transit::Lost(_) => self.lost += 1,
                Transit::NoRoute => {
                    if let Some(id) = id {
                        self.stacks.of(from).unreachable(&mut self.env, id);
                        self.drain(host_number);
                    }
                }
            }
        }
        self.ready
            .extend(out.ready.into_iter().map(|(id, bits)| (Sock { host: host_number, id }, bits)));
        for (id, at) in out.timers {
            self.put(at, Event::Timer(host_number, id));
        }
    }

    /// Calls a stack and carries out what follows.
    pub(crate) fn call<T>(
        &mut self,
        sock: Sock,
        call: impl FnOnce(&mut Stack<'_>, &mut Env, SocketId) -> T,
    ) -> T {
        let answer = call(&mut self.stacks.of(host(sock.host)), &mut self.env, sock.id);
        self.drain(sock.host);
        answer
    }

    /// The next event, if there is one before `until`; whether there was.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        match self.agenda.first_key_value() {
            Some((&(at, _), _)) if at <= until => {}
            _ => return false,
        }
        let Some(((at, _), event)) = self.agenda.pop_first() else { return false };
        self.env.now = self.env.now.max(at);
        match event {
            Event::Arrive(to, mut packet) => {
                self.delivered += 1;
                self.stacks.receive(&mut self.env, host(to), &mut packet);
                self.drain(to);
            }
            Event::Timer(at, id) => {
                self.stacks.of(host(at)).timer(&mut self.env, id);
                self.drain(at);
            }
        }
        true
    }

    /// Lets `duration` pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let until = self.env.now + duration;
        while self.step(until) {}
        self.env.now = until;
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        self.run(Duration::from_millis(ms));
    }

    /// Lets time pass until `done`, at most `most`; how long it took.
    pub(crate) fn run_until(
        &mut self,
        most: Duration,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> Option<Duration> {
        let (begun, until) = (self.env.now, self.env.now + most);
        loop {
            if done(self) {
                return Some(self.env.now - begun);
            }
            if !self.step(until) {
                self.env.now = until;
                return None;
            }
        }
    }

    /// The host loses power and starts again.
    pub(crate) fn reboot(&mut self, number: usize) {
        self.stacks.of(host(number)).power_off();
        self.stacks.of(host(number)).power_on();
        self.ready.retain(|(sock, _)| sock.host != number);
    }

    // The calls, in short.

    pub(crate) fn socket_of(&mut self, at: usize, domain: Domain, kind: SocketKind) -> Sock {
        self.opened += 1;
        let path = Path::WORLD.child("host", at as u32).child("socket", self.opened);
        let mut stack = self.stacks.of(host(at));
        let id = stack.socket(&mut self.env, domain, kind, path).expect("a socket is always made");
        Sock { host: at, id }
    }
    pub(crate) fn tcp(&mut self, host: usize) -> Sock {
        self.socket_of(host, Domain::Inet, SocketKind::Stream)
    }
    pub(crate) fn udp(&mut self, host: usize) -> Sock {
        self.socket_of(host, Domain::Inet, SocketKind::Datagram)
    }
    pub(crate) fn bind(&mut self, s: Sock, to: SocketAddr) -> Result<()> {
        self.call(s, |stack, env, id| stack.bind(env, id, to))
    }
    pub(crate) fn listen(&mut self, s: Sock, backlog: u32) -> Result<()> {
        self.call(s, |stack, env, id| stack.listen(env, id, backlog))
    }
    pub(crate) fn accept(&mut self, s: Sock) -> Result<(Sock, SocketAddr)> {
        let (id, peer) = self.call(s, |stack, env, id| stack.accept(env, id))?;
        Ok((Sock { host: s.host, id }, peer))
    }
    pub(crate) fn connect(&mut self, s: Sock, to: SocketAddr) -> Result<()> {
        self.call(s, |stack, env, id| stack.connect(env, id, to))
    }
    pub(crate) fn send(&mut self, s: Sock, data: &[u8]) -> Result<usize> {
        self.call(s, |stack, env, id| stack.send(env, id, data))
    }
    pub(crate) fn recv(&mut self, s: Sock, len: usize) -> Result<Vec<u8>> {
        self.recv_flags(s, len, RecvFlags::default())
    }
    pub(crate) fn recv_flags(&mut self, s: Sock, len: usize, flags: RecvFlags) -> Result<Vec<u8>> {
        let mut into = vec![0; len];
        let n = self.call(s, |stack, env, id| stack.recv(env, id, &mut into, flags))?;
        into.truncate(n);
        Ok(into)
    }
    pub(crate) fn send_to(&mut self, s: Sock, data: &[u8], to: SocketAddr) -> Result<usize> {
        self.call(s, |stack, env, id| stack.send_to(env, id, data, to))
    }
    pub(crate) fn shutdown(&mut self, s: Sock, how: sim_core::backend::Shutdown) -> Result<()> {
        self.call(s, |stack, env, id| stack.shutdown(env, id, how))
    }
    pub(crate) fn close(&mut self, s: Sock) {
        self.call(s, |stack, env, id| stack.close(env, id));
    }
    pub(crate) fn set(&mut self, s: Sock, option: SocketOption) {
        self.call(s, |stack, env, id| stack.set_option(env, id, option))
            .expect("the option is valid");
    }
    pub(crate) fn local(&self, s: Sock) -> SocketAddr {
        self.stacks.local_addr(s.id).expect("the socket is open")
    }
    pub(crate) fn peer(&self, s: Sock) -> Result<SocketAddr> {
        self.stacks.peer_addr(s.id)
    }
    pub(crate) fn error(&mut self, s: Sock) -> Option<Errno> {
        match self
            .call(s, |stack, env, id| stack.option(env, id, sim_core::backend::OptionName::Error))
        {
            Ok(SocketOption::Error(0)) => None,
            Ok(SocketOption::Error(raw)) => Some(Errno::from_raw(raw)),
            other => panic!("SO_ERROR answers a number, not {other:?}"),
        }
    }
    pub(crate) fn poll(&self, s: Sock) -> Readiness {
        self.stacks.readiness(s.id)
    }
    pub(crate) fn state(&self, s: Sock) -> State {
        self.stacks.state(s.id).expect("the socket is open")
    }

    /// A listener on a port of the host's choice, on `ip`.
    pub(crate) fn listener(&mut self, host: usize, ip: &str, backlog: u32) -> Sock {
        let l = self.tcp(host);
        self.bind(l, SocketAddr::new(ip.parse().expect("an address"), 0)).expect("port 0 is free");
        self.listen(l, backlog).expect("the port is free");
        l
    }

    /// A connected pair: the client on `client`, the server on `server`; the listener is closed.
    pub(crate) fn pair(&mut self, client: usize, server: usize) -> (Sock, Sock) {
        let on = if client == server { "127.0.0.1".to_string() } else { ip(server).to_string() };
        let l = self.listener(server, &on, 16);
        let pair = self.pair_with(client, l);
        self.close(l);
        pair
    }

    /// A connected pair through `listener`.
    pub(crate) fn pair_with(&mut self, client: usize, listener: Sock) -> (Sock, Sock) {
        let (c, to) = (self.tcp(client), self.local(listener));
        assert_eq!(self.connect(c, to), Err(Errno::EINPROGRESS));
        let mut accepted = None;
        let done = self.run_until(Duration::from_secs(60), |net| {
            accepted = net.accept(listener).ok();
            accepted.is_some()
        });
        assert!(done.is_some(), "a connection comes about");
        let (a, _) = accepted.expect("it was accepted");
        self.run_until(Duration::from_secs(60), |net| net.state(c) == State::Established);
        assert_eq!(self.connect(c, to), Ok(()));
        (c, a)
    }
}
