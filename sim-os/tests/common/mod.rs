//! What every test needs: a backend with its environment, and a directory that goes away again.

#![allow(dead_code, unreachable_pub, reason = "each test binary takes what it needs from here")]

use sim_core::backend::{
    Address, Backend, Domain, Op, OpenOptions, Output, Readiness, RecvFlags, SocketKind, Waiter,
};
use sim_core::choice::{Choices, Seed};
use sim_core::{Env, Errno, Fd, HostId, Result, TaskId};
use sim_os::{OsBackend, OsConfig};
use sim_time::Instant;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub const ROOT: HostId = HostId::ROOT;
pub const TAKE: RecvFlags = RecvFlags { peek: false, whole_len: false };

/// An address of the network.
pub fn inet(text: &str) -> Address {
    Address::Inet(text.parse().expect("a test names an address"))
}

/// The waiter of this number.
pub fn waiter(n: u32) -> Waiter {
    Waiter::Task(TaskId::new(n, 0, 0))
}

/// A backend and its environment.
pub struct World {
    pub os: OsBackend,
    pub env: Env,
}

impl World {
    pub fn new() -> Self {
        Self::with(OsConfig::default())
    }

    pub fn with(config: OsConfig) -> Self {
        let os = OsBackend::new(config).expect("descriptors are left");
        Self { os, env: Env::new(Choices::seeded(Seed::default())) }
    }

    /// Waits until `who` has been released, and forgets all releases up to then.
    pub fn until_released(&mut self, who: Waiter) {
        let deadline = self.deadline(Duration::from_secs(10));
        while !self.env.woken.contains(&who) {
            self.env.woken.clear();
            let _ = self.os.wait(&mut self.env, Some(deadline));
            assert!(self.env.now < deadline, "{who:?} was not released within ten seconds");
        }
        self.env.woken.clear();
    }

    /// Waits `millis` and answers who was released by then.
    pub fn released_within(&mut self, millis: u64) -> Vec<Waiter> {
        let deadline = self.deadline(Duration::from_millis(millis));
        let mut released = Vec::new();
        while self.env.now < deadline {
            let _ = self.os.wait(&mut self.env, Some(deadline));
            released.append(&mut self.env.woken);
        }
        released
    }

    /// This much later than now, by the real clock.
    pub fn deadline(&mut self, from_now: Duration) -> Instant {
        let now = self.os.clock_ns(&mut self.env, ROOT, sim_core::backend::ClockId::Monotonic);
        Instant::from_nanos(now) + from_now
    }

    /// Repeats `call` until it answers something other than `EAGAIN`, waiting on `fd` in between.
    pub fn retry<T>(
        &mut self,
        fd: Fd,
        interest: Readiness,
        mut call: impl FnMut(&mut OsBackend, &mut Env) -> Result<T>,
    ) -> Result<T> {
        loop {
            match call(&mut self.os, &mut self.env) {
                Err(Errno::EAGAIN) => {}
                answer => return answer,
            }
            self.os
                .subscribe(&mut self.env, fd, interest, waiter(1000))
                .expect("a socket can be waited for");
            self.until_released(waiter(1000));
        }
    }

    /// The address of a bound socket.
    pub fn local(&mut self, fd: Fd) -> SocketAddr {
        let addr = self.os.local_addr(&mut self.env, fd).expect("it is bound");
        addr.inet().expect("it is a socket of the network")
    }

    pub fn socket(&mut self, kind: SocketKind) -> Fd {
        self.os.socket(&mut self.env, ROOT, Domain::Inet, kind).expect("descriptors are left")
    }

    /// A listening socket and its address.
    pub fn listener(&mut self) -> (Fd, SocketAddr) {
        let fd = self.socket(SocketKind::Stream);
        self.os.bind(&mut self.env, fd, inet("127.0.0.1:0")).expect("a port is free");
        self.os.listen(&mut self.env, fd, 16).expect("a bound socket can listen");
        (fd, self.local(fd))
    }

    /// A connection: the connecting socket and the accepted one.
    pub fn connection(&mut self) -> (Fd, Fd) {
        let (listener, addr) = self.listener();
        let client = self.socket(SocketKind::Stream);
        assert_eq!(self.os.connect(&mut self.env, client, addr.into()), Err(Errno::EINPROGRESS));
        let (server, _) = self
            .retry(listener, Readiness::IN, |os, env| os.accept(env, listener))
            .expect("a connection");
        self.os.subscribe(&mut self.env, client, Readiness::OUT, waiter(1000)).expect("a socket");
        self.until_released(waiter(1000));
        self.os.close(&mut self.env, listener).expect("it is open");
        (client, server)
    }

    /// Receives at least one byte, or the end.
    pub fn recv(&mut self, fd: Fd) -> Result<Vec<u8>> {
        let mut into = [0; 4096];
        let len = self.retry(fd, Readiness::READ, |os, env| os.recv(env, fd, &mut into, TAKE))?;
        Ok(into[..len].to_vec())
    }

    pub fn ready(&mut self, fd: Fd) -> String {
        self.os.readiness(&mut self.env, fd).expect("it is open").to_string()
    }

    /// Submits and waits for the completion.
    pub fn run(&mut self, op: Op) -> Result<Output> {
        self.run_on(ROOT, op)
    }

    pub fn run_on(&mut self, host: HostId, op: Op) -> Result<Output> {
        let op = self.os.submit(&mut self.env, host, op, waiter(2000));
        loop {
            match self.os.complete(&mut self.env, op, waiter(2001)) {
                Some(answer) => return answer,
                None => self.until_released(waiter(2001)),
            }
        }
    }

    pub fn open(&mut self, path: &str, options: OpenOptions) -> Result<Fd> {
        match self.run(Op::Open { path: path.into(), options })? {
            Output::Fd(fd) => Ok(fd),
            other => panic!("opening gives a descriptor, not {other:?}"),
        }
    }
}

/// A directory of this test's own.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("sim-os-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("the directory for temporary files can be written to");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A world whose root directory this is.
    pub fn world(&self) -> World {
        World::with(OsConfig { root: Some(self.0.clone()), ..OsConfig::default() })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
