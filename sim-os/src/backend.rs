//! The trait, call by call: each finds its description and hands over to the module that owns the matter.

use crate::errno::Answer;
use crate::poller::{flags, readiness};
use crate::root::Root;
use crate::signal::Signals;
use crate::submission::Forgot;
use crate::table::{Description, Kind, Socket};
use crate::{OsBackend, file, host, message, object, option, socket, unix};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::rand::{GetRandomFlags, getrandom};
use sim_core::backend::{
    Address, Backend, ClockId, Control, Credentials, Description as Open, Domain, EpollControl,
    EpollEvent, EpollInterest, Message, Op, OptionName, Output, Readiness, Received,
    ReceivedMessage, RecvFlags, Shutdown, Signal, SocketKind, SocketOption, TimerSetting, Waited,
    Waiter,
};
use sim_core::choice::Path;
use sim_core::enabled::EnabledSet;
use sim_core::{Env, EventId, Fd, HostId, OpId, Result};
use sim_time::Instant;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime};

/// At most so many reports of a program's epoll object are taken at once, as epoll_wait(2) may.
const MOST_REPORTS: usize = 1024;

impl Backend for OsBackend {
    fn socket(
        &mut self,
        _env: &mut Env,
        host: HostId,
        domain: Domain,
        kind: SocketKind,
    ) -> Result<Fd> {
        Ok(self.table.insert(socket::open(host, domain, kind)?))
    }

    fn bind(&mut self, _env: &mut Env, fd: Fd, addr: Address) -> Result<()> {
        let (_, description) = self.table.get_mut(fd)?;
        match addr {
            Address::Inet(addr) => description.bind(addr),
            Address::Unix(name) => description.bind_name(self.hosts.root(description.host), &name),
        }
    }

    fn listen(&mut self, _env: &mut Env, fd: Fd, backlog: u32) -> Result<()> {
        self.table.get_mut(fd)?.1.listen(backlog)
    }

    fn accept(&mut self, _env: &mut Env, fd: Fd) -> Result<(Fd, Address)> {
        let listener = self.table.get(fd)?;
        let (description, addr) = if listener.is_unix() {
            listener.accept_name(self.hosts.root(listener.host))?
        } else {
            listener.accept().map(|(accepted, from)| (accepted, Address::Inet(from)))?
        };
        Ok((self.table.insert(description), addr))
    }

    fn connect(&mut self, _env: &mut Env, fd: Fd, addr: Address) -> Result<()> {
        let (_, description) = self.table.get_mut(fd)?;
        match addr {
            Address::Inet(addr) => description.connect(addr),
            Address::Unix(name) => {
                description.connect_name(self.hosts.root(description.host), &name)
            }
        }
    }

    fn disconnect(&mut self, _env: &mut Env, fd: Fd) -> Result<()> {
        rustix::net::connect_unspec(self.table.get(fd)?.fd()).answer()
    }

    fn send(&mut self, _env: &mut Env, fd: Fd, data: &[u8]) -> Result<usize> {
        self.table.get(fd)?.send(data)
    }

    fn recv(&mut self, _env: &mut Env, fd: Fd, into: &mut [u8], flags: RecvFlags) -> Result<usize> {
        let description = self.table.get(fd)?;
        match &description.kind {
            Kind::Signals(signals) => signals.read(into, flags.peek),
            _ => description.recv(into, flags),
        }
    }

    fn send_to(&mut self, _env: &mut Env, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize> {
        self.table.get_mut(fd)?.1.send_to(data, to)
    }

    fn recv_from(
        &mut self,
        _env: &mut Env,
        fd: Fd,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<Received> {
        self.table.get(fd)?.recv_from(into, flags)
    }

    fn shutdown(&mut self, _env: &mut Env, fd: Fd, how: Shutdown) -> Result<()> {
        self.table.get(fd)?.shutdown(how)
    }

    fn send_message(&mut self, env: &mut Env, fd: Fd, message: Message<'_>) -> Result<usize> {
        let from = self.table.get(fd)?;
        message::send(env, &self.table, (from, self.hosts.root(from.host)), message)
    }

    fn recv_message(
        &mut self,
        _env: &mut Env,
        fd: Fd,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<ReceivedMessage> {
        let at = self.table.get(fd)?;
        let host = at.host;
        let (mut received, files) = message::recv((at, self.hosts.root(host)), into, flags)?;
        if !files.is_empty() {
            let numbers =
                files.into_iter().map(|file| self.table.insert(message::received(file, host)));
            received.control.push(Control::Rights(numbers.collect()));
        }
        Ok(received)
    }

    fn socket_pair(&mut self, _env: &mut Env, host: HostId, kind: SocketKind) -> Result<(Fd, Fd)> {
        let (a, b) = unix::pair(host, kind)?;
        Ok((self.table.insert(a), self.table.insert(b)))
    }

    /// One process is all hosts.
    fn credentials(&self, _host: HostId) -> Credentials {
        unix::credentials()
    }

    fn local_addr(&mut self, _env: &mut Env, fd: Fd) -> Result<Address> {
        let description = self.table.get(fd)?;
        description.local_address(self.hosts.root(description.host))
    }

    fn peer_addr(&mut self, _env: &mut Env, fd: Fd) -> Result<Address> {
        let description = self.table.get(fd)?;
        description.peer_address(self.hosts.root(description.host))
    }

    fn set_option(&mut self, env: &mut Env, fd: Fd, option: SocketOption) -> Result<()> {
        let (_, description) = self.table.get_mut(fd)?;
        option::set(env, description.fd(), option)?;
        if let (Kind::Socket(socket), SocketOption::Linger(time)) = (&mut description.kind, option)
        {
            socket.lingers = time.is_some_and(|time| !time.is_zero());
        }
        Ok(())
    }

    fn option(&mut self, env: &mut Env, fd: Fd, name: OptionName) -> Result<SocketOption> {
        option::get(env, self.table.get(fd)?.fd(), name)
    }

    fn readable_bytes(&mut self, _env: &mut Env, fd: Fd) -> Result<usize> {
        let description = self.table.get(fd)?;
        match &description.kind {
            Kind::Signals(signals) => Ok(signals.pending()),
            _ => Ok(rustix::io::ioctl_fionread(description.fd()).answer()? as usize),
        }
    }

    fn unsent_bytes(&mut self, env: &mut Env, fd: Fd) -> Result<usize> {
        self.table.get(fd)?;
        Err(object::unsent_bytes(env))
    }

    fn read(&mut self, _env: &mut Env, fd: Fd, into: &mut [u8]) -> Result<usize> {
        self.table.get(fd)?.read(into)
    }

    fn write(&mut self, _env: &mut Env, fd: Fd, data: &[u8]) -> Result<usize> {
        self.table.get(fd)?.write(data)
    }

    fn eventfd(
        &mut self,
        _env: &mut Env,
        host: HostId,
        initial: u32,
        semaphore: bool,
    ) -> Result<Fd> {
        Ok(self.table.insert(object::counter(host, initial, semaphore)?))
    }

    fn pipe(&mut self, _env: &mut Env, host: HostId) -> Result<(Fd, Fd)> {
        let (reader, writer) = object::pipe(host)?;
        Ok((self.table.insert(reader), self.table.insert(writer)))
    }

    fn timerfd_create(&mut self, _env: &mut Env, host: HostId, clock: ClockId) -> Result<Fd> {
        Ok(self.table.insert(object::timer(host, clock)?))
    }

    fn timerfd_set(
        &mut self,
        _env: &mut Env,
        fd: Fd,
        setting: TimerSetting,
        absolute: bool,
    ) -> Result<TimerSetting> {
        object::set_timer(self.table.get(fd)?, setting, absolute, self.elapsed_ns())
    }

    fn timerfd_get(&mut self, _env: &mut Env, fd: Fd) -> Result<TimerSetting> {
        object::timer_left(self.table.get(fd)?)
    }

    fn close(&mut self, env: &mut Env, fd: Fd) -> Result<()> {
        self.close_number(env, fd)
    }

    fn dup(&mut self, _env: &mut Env, fd: Fd) -> Result<Fd> {
        self.table.dup(fd)
    }

    fn descriptions(&self) -> Vec<Open> {
        let open = |(fd, description): (Fd, &Description)| Open {
            fd,
            host: description.host,
            text: text(description),
        };
        self.table.iter().map(open).collect()
    }

    fn readiness(&mut self, _env: &mut Env, fd: Fd) -> Result<Readiness> {
        readiness(self.table.get(fd)?.fd())
    }

    /// A descriptor that is ready already is found by the next [`Backend::admit`] or [`Backend::wait`], which then returns at once.
    fn subscribe(
        &mut self,
        _env: &mut Env,
        fd: Fd,
        interest: Readiness,
        waiter: Waiter,
    ) -> Result<()> {
        let (key, Description { file, queue, .. }) = self.table.get_mut(fd)?;
        queue.enter(&self.poller, (key, file.as_fd()), waiter, interest)
    }

    fn unsubscribe(&mut self, _env: &mut Env, fd: Fd, waiter: Waiter) -> Result<()> {
        self.table.get_mut(fd)?.1.queue.leave(waiter);
        Ok(())
    }

    /// The kernel's own epoll object. It lies inside this backend's, so a program may nest its own one level less deep than Linux allows.
    fn epoll_create(&mut self, _env: &mut Env, host: HostId) -> Result<Fd> {
        let file = epoll::create(CreateFlags::CLOEXEC).answer()?;
        Ok(self.table.insert(Description::new(file, Kind::Epoll, host)))
    }

    fn epoll_control(
        &mut self,
        _env: &mut Env,
        epoll: Fd,
        fd: Fd,
        control: EpollControl,
    ) -> Result<()> {
        let (object, target) = (self.table.get(epoll)?.fd(), self.table.for_epoll(fd)?);
        match control {
            EpollControl::Add(interest) => {
                epoll::add(object, target, EventData::new_u64(interest.data), wanted(interest))
                    .answer()
            }
            EpollControl::Modify(interest) => {
                epoll::modify(object, target, EventData::new_u64(interest.data), wanted(interest))
                    .answer()
            }
            EpollControl::Delete => epoll::delete(object, target).answer(),
        }
    }

    fn epoll_take(
        &mut self,
        _env: &mut Env,
        epoll: Fd,
        max: usize,
        into: &mut Vec<EpollEvent>,
    ) -> Result<usize> {
        let object = self.table.get(epoll)?.fd();
        let mut room = [const { MaybeUninit::<epoll::Event>::uninit() }; MOST_REPORTS];
        let room = &mut room[..max.min(MOST_REPORTS)];
        let (reports, _) =
            epoll::wait(object, room, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).answer()?;
        into.extend(reports.iter().map(|report| {
            let (flags, data) = (report.flags, report.data);
            EpollEvent { readiness: Readiness::from_bits(flags.bits()), data: data.u64() }
        }));
        Ok(reports.len())
    }

    /// The process is one for all hosts, so each of them gets the signals.
    fn signals(&mut self, _env: &mut Env, host: HostId, signals: &[Signal]) -> Result<Fd> {
        let (signals, file) = Signals::watch(signals)?;
        Ok(self.table.insert(Description::new(file, Kind::Signals(signals), host)))
    }

    fn submit(&mut self, env: &mut Env, host: HostId, op: Op, waiter: Waiter) -> OpId {
        if let Op::Resolve { name } = &op
            && let Some(found) = self.hosts.find(name)
        {
            let addresses = Output::Addresses(vec![host::address(found).into()]);
            return self.submissions.finished(Ok(addresses), waiter, &mut env.woken);
        }
        match file::prepare(env, op, self.hosts.root(host), &self.table) {
            Ok(job) => {
                self.submissions.start((host, job), self.poller.bell(), waiter, &mut env.woken)
            }
            Err(error) => self.submissions.finished(Err(error), waiter, &mut env.woken),
        }
    }

    fn complete(&mut self, _env: &mut Env, op: OpId, waiter: Waiter) -> Option<Result<Output>> {
        self.submissions.take(op, waiter)
    }

    fn forget(&mut self, env: &mut Env, op: OpId) {
        if let Forgot::Finished(Ok(Output::Fd(fd))) = self.submissions.forget(op) {
            self.close_number(env, fd).expect("nobody knew the number, so it is still open");
        }
    }

    fn clock_ns(&mut self, _env: &mut Env, _host: HostId, clock: ClockId) -> u64 {
        match clock {
            ClockId::Monotonic => self.elapsed_ns(),
            // A clock set before 1970 counts as 1970: the contract's calendar begins there.
            ClockId::Realtime => SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)),
        }
    }

    fn instant_of(&mut self, _env: &mut Env, _host: HostId, monotonic_ns: u64) -> Instant {
        Instant::from_nanos(monotonic_ns)
    }

    fn entropy(&mut self, _env: &mut Env, _host: HostId, into: &mut [u8]) {
        let mut filled = 0;
        while filled < into.len() {
            match getrandom(&mut into[filled..], GetRandomFlags::empty()) {
                Ok(len) => filled += len,
                // More than 256 bytes can be interrupted by a signal.
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    panic!("Linux gives random bytes since 3.17 (getrandom(2)), but: {error}")
                }
            }
        }
    }

    fn host_name(&self, host: HostId) -> &str {
        self.hosts.name(host)
    }

    fn host_path(&self, host: HostId) -> Path {
        self.hosts.path(host)
    }

    /// Looks at the kernel without waiting. Its agenda is its own: it has no events for the enabled set.
    fn admit(&mut self, env: &mut Env, _enabled: &mut EnabledSet) {
        self.round(env, Some(Duration::ZERO));
        env.now = Instant::from_nanos(self.elapsed_ns());
        env.due = Instant::MAX;
    }

    fn run(&mut self, _env: &mut Env, event: EventId) {
        panic!(
            "the real backend puts no events into the enabled set, so {event:?} is another backend's"
        );
    }

    /// Without a deadline it waits for a descriptor, a completion or an [`OsWaker`](crate::OsWaker), for ever if need be:
    /// what another process or thread will do is not known here, so the answer is never [`Waited::Never`].
    fn wait(&mut self, env: &mut Env, until: Option<Instant>) -> Waited {
        loop {
            let left = if env.woken.is_empty() {
                until.map(|until| self.left(until))
            } else {
                Some(Duration::ZERO)
            };
            let found = self.round(env, left);
            env.now = Instant::from_nanos(self.elapsed_ns());
            if found || left == Some(Duration::ZERO) || until.is_some_and(|until| env.now >= until)
            {
                return Waited::Again;
            }
        }
    }

    fn time_is_virtual(&self) -> bool {
        false
    }
}

impl OsBackend {
    fn left(&self, until: Instant) -> Duration {
        until.duration_since(Instant::from_nanos(self.elapsed_ns()))
    }
}

fn wanted(interest: EpollInterest) -> EventFlags {
    let mut wanted = flags(interest.readiness);
    wanted.set(EventFlags::ET, interest.edge);
    wanted.set(EventFlags::ONESHOT, interest.oneshot);
    wanted
}

/// What a description is, for a reader.
fn text(description: &Description) -> String {
    match &description.kind {
        Kind::Epoll => "epoll".into(),
        Kind::Received => "received".into(),
        Kind::Pipe => "pipe".into(),
        Kind::Counter => "eventfd".into(),
        Kind::Timer(_) => "timerfd".into(),
        Kind::File(path) => format!("file {path}"),
        Kind::Signals(signals) => {
            let names: Vec<String> =
                signals.signals().map(|signal| format!("{signal:?}")).collect();
            format!("signals {}", names.join("|"))
        }
        Kind::Socket(Socket { domain: Domain::Unix, .. }) => {
            // The names as the kernel has them: a report is about the machine.
            let name = description.local_address(&Root::new(None));
            name.map_or_else(|_| "unix ?".into(), |name| format!("unix {name}"))
        }
        Kind::Socket(Socket { kind, .. }) => {
            let protocol = if *kind == SocketKind::Stream { "tcp" } else { "udp" };
            let local = socket::local_addr(description.fd())
                .map_or_else(|_| "?".into(), |addr| addr.to_string());
            match socket::peer_addr(description.fd()) {
                Ok(peer) => format!("{protocol} {local} -> {peer}"),
                Err(_) => format!("{protocol} {local}"),
            }
        }
    }
}
