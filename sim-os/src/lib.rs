//! The real Linux behind the seam: [`OsBackend`], the implementation of [`Backend`] that asks the operating system.
//!
//! What is verified in a simulation is what runs for real, because all that stands above the seam is
//! the same; this crate is the part that differs. It adds nothing to what Linux answers, with three
//! exceptions that the contract asks for: descriptor numbers are its own, no call blocks, and the
//! hosts of one program are kept apart on one machine.
//!
//! In reading order:
//! - `table`: descriptor numbers and the open descriptions behind them.
//! - `queue`, `poller`: who waits for a description, and the one epoll object that waits for all.
//! - `socket`, `option`: the calls on sockets.
//! - `object`: counters and timers, and reading and writing whatever it is.
//! - `unix`, `message`: Unix sockets and what travels with messages.
//! - `submission`, `pool`, `file`, `directory`, `root`: what would block, done by a few threads.
//! - `host`, `signal`: several hosts on one machine, and signals as bytes to read.
//!
//! What may never happen: a call that blocks outside [`Backend::wait`], a waiter that is left out, an
//! operating-system descriptor that outlives its description and the operations that still run on it.
//!
//! ```
//! use sim_core::backend::{Address, Backend, Domain, Readiness, SocketKind, Waiter};
//! use sim_core::choice::{Choices, Seed};
//! use sim_core::{Env, HostId, TaskId};
//! use sim_os::{OsBackend, OsConfig};
//!
//! let mut os = OsBackend::new(OsConfig::default())?;
//! let env = &mut Env::new(Choices::seeded(Seed::default()));
//!
//! let receiver = os.socket(env, HostId::ROOT, Domain::Inet, SocketKind::Datagram)?;
//! os.bind(env, receiver, Address::Inet("127.0.0.1:0".parse().unwrap()))?;
//! let to = os.local_addr(env, receiver)?.inet().unwrap();
//!
//! let me = Waiter::Task(TaskId::new(0, 0, 0));
//! os.subscribe(env, receiver, Readiness::READ, me)?;
//! let sender = os.socket(env, HostId::ROOT, Domain::Inet, SocketKind::Datagram)?;
//! os.send_to(env, sender, b"hello", to)?;
//! while env.woken.is_empty() {
//!     let _ = os.wait(env, None);
//! }
//! assert_eq!(env.woken, [me]);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`Backend`]: sim_core::backend::Backend
//! [`Backend::wait`]: sim_core::backend::Backend::wait
#![forbid(unsafe_code)]

mod attributes;
mod backend;
mod directory;
mod errno;
mod file;
mod host;
mod message;
mod object;
mod option;
mod poller;
mod pool;
mod queue;
mod root;
mod signal;
mod socket;
mod submission;
mod table;
mod unix;

pub use poller::OsWaker;

use host::Hosts;
use poller::{Poller, Report};
use sim_core::backend::Output;
use sim_core::{Env, Fd, HostId, Result};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;
use submission::Submissions;
use table::{Closed, Description, Kind, Table};

/// How a program runs for real.
#[derive(Clone, Debug)]
pub struct OsConfig {
    /// The directory that the root host takes for `/` (made if need be; Linux 5.6 or newer). A host added by name has its own in
    /// it, called like the host. `None`: the hosts share the machine's files, and a path means what it means to the process.
    pub root: Option<PathBuf>,
    /// At most so many threads for file operations and name look-ups, at least 1. They start when there is work for them.
    pub blocking_threads: usize,
}

impl Default for OsConfig {
    fn default() -> Self {
        Self { root: None, blocking_threads: 4 }
    }
}

/// The operating system as a [`Backend`](sim_core::backend::Backend).
///
/// It belongs to one thread; others reach it through an [`OsWaker`]. Dropping it waits for the file
/// operations that were submitted.
pub struct OsBackend {
    /// The zero of the monotonic clock and of `Env::now`.
    start: std::time::Instant,
    hosts: Hosts,
    table: Table,
    poller: Poller,
    submissions: Submissions,
}

impl fmt::Debug for OsBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OsBackend")
            .field("hosts", &self.hosts)
            .field("table", &self.table)
            .field("submissions", &self.submissions)
            .finish_non_exhaustive()
    }
}

impl OsBackend {
    /// A backend with the root host alone, named `main`, whose clock starts now. Fails if the process has no descriptors left.
    pub fn new(config: OsConfig) -> io::Result<Self> {
        Ok(Self {
            start: std::time::Instant::now(),
            hosts: Hosts::new(config.root),
            table: Table::default(),
            poller: Poller::new()?,
            submissions: Submissions::new(config.blocking_threads),
        })
    }

    /// Adds a host. It has an IPv4 loopback address of its own, to which its name resolves in this process, and takes that
    /// address wherever a program says "any".
    ///
    /// ```
    /// use sim_os::{OsBackend, OsConfig};
    /// let mut os = OsBackend::new(OsConfig::default())?;
    /// let server = os.add_host("server");
    /// assert_eq!(os.host_addr(server).to_string(), "127.0.1.2");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the name is taken, cannot name a directory, or 63,750 hosts exist already.
    pub fn add_host(&mut self, name: &str) -> HostId {
        self.hosts.add(name)
    }

    /// The host of this name.
    #[must_use]
    pub fn host_named(&self, name: &str) -> Option<HostId> {
        self.hosts.find(name)
    }

    /// A host's address: 127.0.0.1 for the root host, `127.0.(1 + i / 250).(1 + i % 250)` for the `i`-th other one.
    #[must_use]
    pub fn host_addr(&self, host: HostId) -> IpAddr {
        host::address(host).into()
    }

    /// A handle with which another thread ends this backend's wait.
    #[must_use]
    pub fn waker(&self) -> OsWaker {
        self.poller.bell()
    }

    /// Waits for reports, for at most `limit`, and releases whom they concern. Answers whether there were any.
    fn round(&mut self, env: &mut Env, limit: Option<Duration>) -> bool {
        self.poller.wait(limit);
        for index in 0..self.poller.found() {
            match self.poller.report(index) {
                Report::Bell => self.collect(env),
                Report::Ready(key, ready) => {
                    // A description that was closed since the kernel reported it has nobody waiting.
                    if let Some(Description { file, queue, .. }) = self.table.by_key(key) {
                        queue.report(&self.poller, (key, file.as_fd()), ready, &mut env.woken);
                    }
                }
            }
        }
        self.poller.found() > 0
    }

    /// Takes in what the threads have completed. Opened files get their numbers here, so only this thread gives numbers.
    fn collect(&mut self, env: &mut Env) {
        let table = &mut self.table;
        self.submissions.collect(&mut env.woken, |host, done| match done {
            file::Done::Output(output) => output,
            file::Done::Opened(file, path) => {
                let fd = table.insert(Description::new(file, Kind::File(path), host));
                Output::Fd(fd)
            }
        });
    }

    /// Closes one number, and with the last one the description.
    fn close_number(&mut self, env: &mut Env, fd: Fd) -> Result<()> {
        let Closed::Description(mut description) = self.table.close(fd)? else { return Ok(()) };
        let file = description.file.clone();
        description.queue.end(&self.poller, file.as_fd(), &mut env.woken);
        drop(file);
        // close(2) of a lingering socket blocks although the socket does not (socket(7)).
        if let Kind::Socket(table::Socket { lingers: true, .. }) = description.kind {
            self.submissions.aside(description.file);
        }
        Ok(())
    }

    fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).expect("no process runs for 584 years")
    }
}
