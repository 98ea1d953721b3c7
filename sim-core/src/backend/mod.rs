//! The seam: what an engine asks of a kernel, simulated or real.
//!
//! [`Backend`] speaks at the height of system calls, in Linux's words. The contract, which one test
//! suite checks on every implementation:
//!
//! 1. No call blocks. What cannot be done now answers `EAGAIN` (or `EINPROGRESS`), and the caller
//!    subscribes.
//! 2. Descriptor numbers are one space per world. An open description remembers its host and is used
//!    as that host whoever calls; `dup` gives a second number for the same description, which lives
//!    until its last number is closed.
//! 3. A description has one wait queue. [`Backend::subscribe`] enters a waiter once; it is released,
//!    and forgotten, at the first event that it waits for, or, if the descriptor is ready already, at
//!    once or with the next wait. epoll objects are entries of the same queues.
//! 4. A backend wakes nobody. It appends the released waiters to [`Env::woken`], and the engine wakes
//!    them after the call. A waiter may be released without need, never left out.
//! 5. File operations and name look-ups are submitted; their completion releases the waiter given.
//! 6. What is not modelled answers `EOPNOTSUPP` and leaves a notice in the trace.
//! 7. Only [`Backend::wait`] lets time pass on its own; it belongs to the engine's loop.

mod address;
mod message;
mod object;
mod op;
mod ready;
mod socket;

pub use crate::id::Waiter;
pub use crate::trace::Call;
pub use address::{Address, UnixName};
pub use message::{Control, Credentials, Message, ReceivedMessage};
pub use object::{PIPE_ATOMIC_BYTES, TimerSetting};
pub use op::{
    AttributeChange, Entry, FileKind, Lock, LockMode, LockOwner, Metadata, Op, OpenOptions, Output,
    Place, SeekTo, SetTime,
};
pub use ready::{Description, EpollControl, EpollEvent, EpollInterest, Readiness};
pub use socket::{Domain, OptionName, Received, RecvFlags, Shutdown, SocketKind, SocketOption};

use crate::choice::Path;
use crate::enabled::EnabledSet;
use crate::env::Env;
use crate::errno::Result;
use crate::id::{EventId, Fd, HostId, OpId};
use sim_time::Instant;
use std::any::Any;
use std::net::SocketAddr;

/// Which clock (clock_gettime(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockId {
    /// Nanoseconds since an arbitrary start; never goes back.
    Monotonic,
    /// Nanoseconds since the Unix epoch; can be stepped.
    Realtime,
}

/// Signals that a process can take as events (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Signal {
    /// Interrupt from the keyboard.
    Interrupt = 2,
    /// Request to end.
    Terminate = 15,
}

/// What became of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "if nothing can ever happen the run is over"]
pub enum Waited {
    /// Time has passed or something happened: look again.
    Again,
    /// There is no deadline and nothing is under way: nothing will ever happen.
    Never,
}

/// A kernel as an engine sees it. See the module's contract.
pub trait Backend: Any {
    /// Creates a socket on `host` (socket(2)); it never blocks.
    fn socket(
        &mut self,
        env: &mut Env,
        host: HostId,
        domain: Domain,
        kind: SocketKind,
    ) -> Result<Fd>;
    /// Gives a socket its local address (bind(2)).
    fn bind(&mut self, env: &mut Env, fd: Fd, addr: Address) -> Result<()>;
    /// Starts to accept connections (listen(2)).
    fn listen(&mut self, env: &mut Env, fd: Fd, backlog: u32) -> Result<()>;
    /// Takes a completed connection (accept(2)); `EAGAIN` if there is none.
    fn accept(&mut self, env: &mut Env, fd: Fd) -> Result<(Fd, Address)>;
    /// Begins to connect (connect(2)): TCP answers `EINPROGRESS` and is ready to write when done; then ask `SO_ERROR`.
    /// A Unix socket is connected at once, or answers `EAGAIN` while the listener's queue is full; whoever waits then
    /// enters itself with [`Backend::subscribe_blocked`] for `OUT`.
    fn connect(&mut self, env: &mut Env, fd: Fd, addr: Address) -> Result<()>;
    /// Parts from the peer (connect(2) with `AF_UNSPEC`), so that the socket can be connected again.
    fn disconnect(&mut self, env: &mut Env, fd: Fd) -> Result<()>;
    /// Sends on a connected socket (send(2), with `MSG_NOSIGNAL`): how many bytes were taken.
    fn send(&mut self, env: &mut Env, fd: Fd, data: &[u8]) -> Result<usize>;
    /// Receives on a connected socket (recv(2)): 0 is the end of the stream.
    fn recv(&mut self, env: &mut Env, fd: Fd, into: &mut [u8], flags: RecvFlags) -> Result<usize>;
    /// Sends a datagram over IP (sendto(2)); a Unix socket's is [`Backend::send_message`]'s.
    fn send_to(&mut self, env: &mut Env, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize>;
    /// Receives a datagram with its sender over IP (recvfrom(2)); a Unix socket's is [`Backend::recv_message`]'s.
    fn recv_from(
        &mut self,
        env: &mut Env,
        fd: Fd,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<Received>;
    /// Sends a message with ancillary data (sendmsg(2), with `MSG_NOSIGNAL`): how many bytes were taken.
    fn send_message(&mut self, env: &mut Env, fd: Fd, message: Message<'_>) -> Result<usize>;
    /// Receives a message with ancillary data (recvmsg(2)).
    fn recv_message(
        &mut self,
        env: &mut Env,
        fd: Fd,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<ReceivedMessage>;
    /// Makes two Unix sockets that are connected with each other (socketpair(2)).
    fn socket_pair(&mut self, env: &mut Env, host: HostId, kind: SocketKind) -> Result<(Fd, Fd)>;
    /// Who the processes of `host` are, as their peers see it.
    fn credentials(&self, host: HostId) -> Credentials;
    /// Shuts one or both directions (shutdown(2)).
    fn shutdown(&mut self, env: &mut Env, fd: Fd, how: Shutdown) -> Result<()>;
    /// The socket's own address (getsockname(2)).
    fn local_addr(&mut self, env: &mut Env, fd: Fd) -> Result<Address>;
    /// The peer's address (getpeername(2)).
    fn peer_addr(&mut self, env: &mut Env, fd: Fd) -> Result<Address>;
    /// Sets a socket option (setsockopt(2)).
    fn set_option(&mut self, env: &mut Env, fd: Fd, option: SocketOption) -> Result<()>;
    /// A socket option's value (getsockopt(2)); reading `SO_ERROR` clears it.
    fn option(&mut self, env: &mut Env, fd: Fd, name: OptionName) -> Result<SocketOption>;
    /// How many bytes can be read now (`FIONREAD`, ioctl(2)).
    fn readable_bytes(&mut self, env: &mut Env, fd: Fd) -> Result<usize>;
    /// How many bytes were taken and are not yet with the peer (`SIOCOUTQ`, tcp(7)). A Unix socket counts what its messages
    /// take in the kernel, as Linux does.
    fn unsent_bytes(&mut self, env: &mut Env, fd: Fd) -> Result<usize>;

    /// Reads from whatever is no file (read(2)): a socket, a pipe, a counter, a timer, signals. 0 is an end.
    fn read(&mut self, env: &mut Env, fd: Fd, into: &mut [u8]) -> Result<usize>;
    /// Writes to whatever is no file (write(2)): how many bytes were taken. Nothing raises `SIGPIPE`.
    fn write(&mut self, env: &mut Env, fd: Fd, data: &[u8]) -> Result<usize>;

    /// Makes a counter (eventfd(2)): reading takes it as 8 bytes and leaves 0, or takes 1 if it is a semaphore;
    /// writing 8 bytes adds to it.
    fn eventfd(&mut self, env: &mut Env, host: HostId, initial: u32, semaphore: bool)
    -> Result<Fd>;
    /// Makes a pipe (pipe(2)): its reading end and its writing end.
    fn pipe(&mut self, env: &mut Env, host: HostId) -> Result<(Fd, Fd)>;
    /// Makes a timer that is not armed (timerfd_create(2)). Reading gives the expirations since the last read, as 8 bytes.
    fn timerfd_create(&mut self, env: &mut Env, host: HostId, clock: ClockId) -> Result<Fd>;
    /// Arms or disarms a timer (timerfd_settime(2)), its value a reading of its clock if `absolute`. Answers the old setting.
    fn timerfd_set(
        &mut self,
        env: &mut Env,
        fd: Fd,
        setting: TimerSetting,
        absolute: bool,
    ) -> Result<TimerSetting>;
    /// What is left until a timer expires, and its interval (timerfd_gettime(2)).
    fn timerfd_get(&mut self, env: &mut Env, fd: Fd) -> Result<TimerSetting>;

    /// Closes a number (close(2)); the description goes with its last one.
    fn close(&mut self, env: &mut Env, fd: Fd) -> Result<()>;
    /// A second number for the same description (dup(2)).
    fn dup(&mut self, env: &mut Env, fd: Fd) -> Result<Fd>;
    /// What is open, for reports.
    fn descriptions(&self) -> Vec<Description>;

    /// What a descriptor is ready for now (poll(2) without waiting).
    fn readiness(&mut self, env: &mut Env, fd: Fd) -> Result<Readiness>;
    /// Enters `waiter` into the descriptor's wait queue until the first event in `interest`, `ERR` or `HUP`.
    /// A waiter that is there already waits for both interests.
    fn subscribe(
        &mut self,
        env: &mut Env,
        fd: Fd,
        interest: Readiness,
        waiter: Waiter,
    ) -> Result<()>;
    /// As [`Backend::subscribe`], right after a call that needs `interest` has answered `EAGAIN`. A world in which
    /// nothing can have happened since then need not ask again whether the descriptor is ready.
    fn subscribe_blocked(
        &mut self,
        env: &mut Env,
        fd: Fd,
        interest: Readiness,
        waiter: Waiter,
    ) -> Result<()> {
        self.subscribe(env, fd, interest, waiter)
    }
    /// Takes `waiter` out of the descriptor's wait queue, if it is there.
    fn unsubscribe(&mut self, env: &mut Env, fd: Fd, waiter: Waiter) -> Result<()>;
    /// Makes an epoll object (epoll_create1(2)). It is a descriptor like others: readable when it has something to report.
    fn epoll_create(&mut self, env: &mut Env, host: HostId) -> Result<Fd>;
    /// Changes an epoll object's interest list (epoll_ctl(2)).
    fn epoll_control(
        &mut self,
        env: &mut Env,
        epoll: Fd,
        fd: Fd,
        control: EpollControl,
    ) -> Result<()>;
    /// Takes up to `max` reports (epoll_wait(2) without waiting), appending them to `into`.
    fn epoll_take(
        &mut self,
        env: &mut Env,
        epoll: Fd,
        max: usize,
        into: &mut Vec<EpollEvent>,
    ) -> Result<usize>;
    /// A descriptor that becomes readable when `host`'s process gets one of `signals`; each byte read is a signal's number (signalfd(2)).
    fn signals(&mut self, env: &mut Env, host: HostId, signals: &[Signal]) -> Result<Fd>;

    /// Starts `op` on `host`; its completion releases `waiter`.
    fn submit(&mut self, env: &mut Env, host: HostId, op: Op, waiter: Waiter) -> OpId;
    /// Takes a completion, or, if there is none yet, makes `waiter` the one to be released.
    fn complete(&mut self, env: &mut Env, op: OpId, waiter: Waiter) -> Option<Result<Output>>;
    /// Nobody will take this completion. The operation still takes effect, as on Linux.
    fn forget(&mut self, env: &mut Env, op: OpId);

    /// A host's clock in nanoseconds.
    fn clock_ns(&mut self, env: &mut Env, host: HostId, clock: ClockId) -> u64;
    /// The true instant at which `host`'s monotonic clock reads `monotonic_ns`.
    fn instant_of(&mut self, env: &mut Env, host: HostId, monotonic_ns: u64) -> Instant;
    /// Fills `into` with `host`'s random bytes (getrandom(2)).
    fn entropy(&mut self, env: &mut Env, host: HostId, into: &mut [u8]);

    /// The text of a host's name.
    fn host_name(&self, host: HostId) -> &str;
    /// A host's structural name.
    fn host_path(&self, host: HostId) -> Path;

    /// Lets the agenda's events that are due at `env.now` join the enabled set, and sets `env.due` to the next one.
    fn admit(&mut self, env: &mut Env, enabled: &mut EnabledSet);
    /// Carries out an event that had the turn.
    fn run(&mut self, env: &mut Env, event: EventId);
    /// Lets time pass until something happens or `until` has come, and sets `env.now`.
    fn wait(&mut self, env: &mut Env, until: Option<Instant>) -> Waited;
    /// Whether time is virtual, so that calls and polls must be charged to it.
    fn time_is_virtual(&self) -> bool;
}
