//! The system calls.

use crate::agenda::Planned;
use crate::epoll::Controlled;
use crate::host::HostState;
use crate::queue::Entry;
use crate::table::{DescriptionId, Object, OpenDescription, SignalSet};
use crate::universe::Universe;
use sim_core::backend::{
    Address, Backend, Call, ClockId, Credentials, Description, Domain, EpollControl, EpollEvent,
    Message, Op, OptionName, Output, Readiness, Received, ReceivedMessage, RecvFlags, Shutdown,
    Signal, SocketKind, SocketOption, TimerSetting, Waited, Waiter,
};
use sim_core::choice::Path;
use sim_core::enabled::EnabledSet;
use sim_core::trace::{Kind, payload_hash};
use sim_core::{Env, Errno, EventId, Fd, HostId, OpId, Result};
use sim_net::{SocketId, Stack, Stacks};
use sim_time::Instant;
use std::net::SocketAddr;

impl Universe {
    /// Notes a call and its answer, unless it would block: then the poll that made it says as much.
    #[inline]
    pub(crate) fn note<T>(
        env: &mut Env,
        call: Call,
        result: &Result<T>,
        len: impl FnOnce(&T) -> u64,
    ) {
        let (len, errno) = match result {
            Ok(value) => (len(value), 0),
            Err(Errno::EAGAIN) => return,
            Err(errno) => (0, u64::from(errno.raw())),
        };
        env.event(Kind::Call, env.actor.path, call as u64, len, errno);
    }

    /// A call on a socket: the model's answer, noted, and what it put out carried on.
    #[inline]
    pub(crate) fn on_socket<T>(
        &mut self,
        env: &mut Env,
        fd: Fd,
        call: Call,
        f: impl FnOnce(&mut Stack<'_>, &mut Env, SocketId) -> Result<T>,
        len: impl FnOnce(&T) -> u64,
    ) -> Result<T> {
        let call_stack =
            |stacks: &mut Stacks, env: &mut Env, host, socket| f(&mut stacks.of(host), env, socket);
        self.on_stacks(env, fd, call, call_stack, len)
    }

    /// As [`Universe::on_socket`], for a call that may need nothing of the socket's host.
    #[inline]
    fn on_stacks<T>(
        &mut self,
        env: &mut Env,
        fd: Fd,
        call: Call,
        f: impl FnOnce(&mut Stacks, &mut Env, HostId, SocketId) -> Result<T>,
        len: impl FnOnce(&T) -> u64,
    ) -> Result<T> {
        let (host, socket) = self.socket_of(fd)?;
        let result = f(&mut self.stacks, env, host, socket);
        Self::note(env, call, &result, len);
        self.flush(env, host);
        result
    }

    /// A description that nothing refers to any more.
    pub(crate) fn close_description(&mut self, env: &mut Env, open: OpenDescription) {
        let OpenDescription { host, object, queue, .. } = open;
        match object {
            Object::Socket(socket) => {
                if self.hosts[host.index()].state != HostState::Down {
                    self.stacks.hold(socket, None);
                    self.stacks.of(host).close(env, socket);
                    self.flush(env, host);
                }
            }
            Object::Unix(socket) => self.close_unix(env, host, socket),
            Object::File(file) => {
                if self.hosts[host.index()].state != HostState::Down {
                    self.hosts[host.index()]
                        .disk(env)
                        .close(file)
                        .expect("a file behind a description is open");
                }
            }
            Object::Pipe(end) => self.close_pipe(env, host, *end),
            Object::Epoll(_) | Object::Signals(_) | Object::Counter(_) | Object::Timer(_) => {}
        }
        for entry in queue.into_entries() {
            match entry {
                // Whoever waited for a description that is gone is released, and learns EBADF when it tries again.
                Entry::Once(waiter, _) => env.woken.push(waiter),
                Entry::Epoll(epoll, _) => self.forget_watched(epoll),
            }
        }
    }

    /// Takes items whose description is gone out of an epoll object.
    fn forget_watched(&mut self, epoll: DescriptionId) {
        let Some(Object::Epoll(object)) = self.table.get(epoll).map(|open| &open.object) else {
            return;
        };
        let gone: Vec<_> = object.keys().filter(|key| self.table.get(key.0).is_none()).collect();
        if let Some(Object::Epoll(object)) = self.table.get_mut(epoll).map(|open| &mut open.object)
        {
            gone.into_iter().for_each(|key| object.forget(key));
        }
    }

    /// One reference fewer; the last one closes.
    pub(crate) fn release_description(&mut self, env: &mut Env, id: DescriptionId) {
        let watched: Vec<_> = match self.table.get(id).map(|open| &open.object) {
            Some(Object::Epoll(epoll)) => epoll.keys().collect(),
            _ => Vec::new(),
        };
        let Some(open) = self.table.release(id) else { return };
        for (description, _) in watched {
            if let Some(open) = self.table.get_mut(description) {
                open.queue.retain(|entry| !matches!(entry, Entry::Epoll(epoll, _) if *epoll == id));
            }
        }
        self.close_description(env, open);
    }

    /// Closes a number.
    pub(crate) fn close_number(&mut self, env: &mut Env, fd: Fd) -> Result<()> {
        let id = self.table.forget_number(fd)?;
        self.release_description(env, id);
        Ok(())
    }

    /// Whether `epoll` watches the epoll object `other`, itself or through others. Two that watched each other would ask
    /// each other for their readiness for ever.
    fn watches(&self, epoll: DescriptionId, other: DescriptionId) -> bool {
        let is_epoll =
            |id| matches!(self.table.get(id).map(|open| &open.object), Some(Object::Epoll(_)));
        match self.table.get(epoll).map(|open| &open.object) {
            Some(Object::Epoll(object)) if is_epoll(other) => {
                object.keys().any(|(id, _)| id == other || self.watches(id, other))
            }
            _ => false,
        }
    }

    /// A signal descriptor gives one byte a pending signal, the lowest first.
    pub(crate) fn take_signals(&mut self, fd: Fd, into: &mut [u8]) -> Result<usize> {
        let Object::Signals(signals) = &mut self.table.of_mut(fd)?.object else {
            return Err(Errno::ENOTSOCK);
        };
        let mut taken = 0;
        while taken < into.len() && signals.pending != 0 {
            let number = signals.pending.trailing_zeros();
            signals.pending &= !(1 << number);
            into[taken] = number as u8;
            taken += 1;
        }
        if taken == 0 && !into.is_empty() { Err(Errno::EAGAIN) } else { Ok(taken) }
    }
}

impl Backend for Universe {
    fn socket(
        &mut self,
        env: &mut Env,
        host: HostId,
        domain: Domain,
        kind: SocketKind,
    ) -> Result<Fd> {
        if self.hosts[host.index()].state == HostState::Down {
            return Err(Errno::ENETDOWN);
        }
        if domain == Domain::Unix {
            return self.open_unix(env, host, kind);
        }
        let path = env.open("socket");
        let result = self.stacks.of(host).socket(env, domain, kind, path);
        Self::note(env, Call::Socket, &result, |_| 0);
        let socket = result?;
        let (fd, id) = self.table.open(host, Object::Socket(socket));
        self.stacks.hold(socket, Some(id.to_bits()));
        Ok(fd)
    }

    fn bind(&mut self, env: &mut Env, fd: Fd, addr: Address) -> Result<()> {
        let Address::Inet(addr) = addr else { return self.bind_name(env, fd, addr) };
        if self.is_unix(fd) {
            return Err(Errno::EINVAL);
        }
        self.on_socket(
            env,
            fd,
            Call::Bind,
            |stack, env, socket| stack.bind(env, socket, addr),
            |()| 0,
        )
    }

    fn listen(&mut self, env: &mut Env, fd: Fd, backlog: u32) -> Result<()> {
        if self.is_unix(fd) {
            return self.listen_unix(env, fd, backlog);
        }
        self.on_socket(
            env,
            fd,
            Call::Listen,
            |stack, env, socket| stack.listen(env, socket, backlog),
            |()| 0,
        )
    }

    fn accept(&mut self, env: &mut Env, fd: Fd) -> Result<(Fd, Address)> {
        if self.is_unix(fd) {
            return self.accept_unix(env, fd);
        }
        let accepted = self.on_socket(
            env,
            fd,
            Call::Accept,
            |stack, env, socket| stack.accept(env, socket),
            |_| 0,
        );
        let (socket, peer) = accepted?;
        let host = self.table.of(fd)?.host;
        let (accepted, id) = self.table.open(host, Object::Socket(socket));
        self.stacks.hold(socket, Some(id.to_bits()));
        Ok((accepted, Address::Inet(peer)))
    }

    fn connect(&mut self, env: &mut Env, fd: Fd, addr: Address) -> Result<()> {
        let Address::Inet(addr) = addr else { return self.connect_name(env, fd, addr) };
        if self.is_unix(fd) {
            return Err(Errno::EINVAL);
        }
        self.on_socket(
            env,
            fd,
            Call::Connect,
            |stack, env, socket| stack.connect(env, socket, addr),
            |()| 0,
        )
    }

    fn disconnect(&mut self, env: &mut Env, fd: Fd) -> Result<()> {
        if self.is_unix(fd) {
            return self.disconnect_unix(env, fd);
        }
        self.on_socket(
            env,
            fd,
            Call::Connect,
            |stack, env, socket| stack.disconnect(env, socket),
            |()| 0,
        )
    }

    #[inline]
    fn send(&mut self, env: &mut Env, fd: Fd, data: &[u8]) -> Result<usize> {
        match self.on_stacks(
            env,
            fd,
            Call::Send,
            |stacks, env, host, socket| stacks.send(env, host, socket, data),
            |&len| len as u64,
        ) {
            Err(Errno::ENOTSOCK) => {
                self.send_unix(env, fd, Call::Send, Message { data, to: None, control: &[] })
            }
            answer => answer,
        }
    }

    #[inline]
    fn recv(&mut self, env: &mut Env, fd: Fd, into: &mut [u8], flags: RecvFlags) -> Result<usize> {
        match self.on_stacks(
            env,
            fd,
            Call::Recv,
            |stacks, env, host, socket| stacks.recv(env, host, socket, into, flags),
            |&len| len as u64,
        ) {
            Err(Errno::ENOTSOCK) if self.is_unix(fd) => {
                self.recv_unix(env, fd, Call::Recv, into, flags)
            }
            Err(Errno::ENOTSOCK) => self.take_signals(fd, into),
            answer => answer,
        }
    }

    fn send_to(&mut self, env: &mut Env, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize> {
        self.on_socket(
            env,
            fd,
            Call::Send,
            |stack, env, socket| stack.send_to(env, socket, data, to),
            |&len| len as u64,
        )
    }

    fn recv_from(
        &mut self,
        env: &mut Env,
        fd: Fd,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<Received> {
        let receive = |stack: &mut Stack<'_>, env: &mut Env, socket| {
            stack.recv_from(env, socket, into, flags)
        };
        self.on_socket(env, fd, Call::Recv, receive, |received| received.len as u64)
    }

    fn send_message(&mut self, env: &mut Env, fd: Fd, message: Message<'_>) -> Result<usize> {
        if self.is_unix(fd) {
            return self.send_unix(env, fd, Call::SendMessage, message);
        }
        self.send_socket_message(env, fd, message)
    }

    fn recv_message(
        &mut self,
        env: &mut Env,
        fd: Fd,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<ReceivedMessage> {
        if self.is_unix(fd) {
            return self.recv_unix_message(env, fd, into, flags);
        }
        self.recv_socket_message(env, fd, into, flags)
    }

    fn socket_pair(&mut self, env: &mut Env, host: HostId, kind: SocketKind) -> Result<(Fd, Fd)> {
        self.open_unix_pair(env, host, kind)
    }

    fn credentials(&self, host: HostId) -> Credentials {
        Self::credentials_of(host)
    }

    fn shutdown(&mut self, env: &mut Env, fd: Fd, how: Shutdown) -> Result<()> {
        if self.is_unix(fd) {
            return self.shutdown_unix(env, fd, how);
        }
        self.on_socket(
            env,
            fd,
            Call::Shutdown,
            |stack, env, socket| stack.shutdown(env, socket, how),
            |()| 0,
        )
    }

    fn local_addr(&mut self, _env: &mut Env, fd: Fd) -> Result<Address> {
        if let Ok((host, socket)) = self.unix_of(fd) {
            return self.host(host).unix().sockets.local_name(socket).map(Address::Unix);
        }
        let (_, socket) = self.socket_of(fd)?;
        self.stacks.local_addr(socket).map(Address::Inet)
    }

    fn peer_addr(&mut self, _env: &mut Env, fd: Fd) -> Result<Address> {
        if let Ok((host, socket)) = self.unix_of(fd) {
            return self.host(host).unix().sockets.peer_name(socket).map(Address::Unix);
        }
        let (_, socket) = self.socket_of(fd)?;
        self.stacks.peer_addr(socket).map(Address::Inet)
    }

    fn set_option(&mut self, env: &mut Env, fd: Fd, option: SocketOption) -> Result<()> {
        if self.is_unix(fd) {
            return self.set_unix_option(env, fd, option);
        }
        let set =
            |stack: &mut Stack<'_>, env: &mut Env, socket| stack.set_option(env, socket, option);
        self.on_socket(env, fd, Call::SetOption, set, |()| 0)
    }

    fn option(&mut self, env: &mut Env, fd: Fd, name: OptionName) -> Result<SocketOption> {
        if self.is_unix(fd) {
            return self.unix_option(env, fd, name);
        }
        self.on_socket(
            env,
            fd,
            Call::GetOption,
            |stack, env, socket| stack.option(env, socket, name),
            |_| 0,
        )
    }

    fn readable_bytes(&mut self, _env: &mut Env, fd: Fd) -> Result<usize> {
        if let Ok((host, socket)) = self.unix_of(fd) {
            return self.host(host).unix().sockets.readable_bytes(socket);
        }
        if let Object::Pipe(end) = &self.table.of(fd)?.object {
            return Ok(self.pipes.len(**end));
        }
        let (_, socket) = self.socket_of(fd)?;
        self.stacks.readable_bytes(socket)
    }

    fn unsent_bytes(&mut self, _env: &mut Env, fd: Fd) -> Result<usize> {
        if let Ok((host, socket)) = self.unix_of(fd) {
            return self.host(host).unix().sockets.unsent_bytes(socket);
        }
        let (_, socket) = self.socket_of(fd)?;
        self.stacks.unsent_bytes(socket)
    }

    fn read(&mut self, env: &mut Env, fd: Fd, into: &mut [u8]) -> Result<usize> {
        self.read_object(env, fd, into)
    }

    fn write(&mut self, env: &mut Env, fd: Fd, data: &[u8]) -> Result<usize> {
        self.write_object(env, fd, data)
    }

    fn eventfd(
        &mut self,
        env: &mut Env,
        host: HostId,
        initial: u32,
        semaphore: bool,
    ) -> Result<Fd> {
        self.open_counter(env, host, initial, semaphore)
    }

    fn pipe(&mut self, env: &mut Env, host: HostId) -> Result<(Fd, Fd)> {
        self.open_pipe(env, host)
    }

    fn timerfd_create(&mut self, env: &mut Env, host: HostId, clock: ClockId) -> Result<Fd> {
        self.open_timer(env, host, clock)
    }

    fn timerfd_set(
        &mut self,
        env: &mut Env,
        fd: Fd,
        setting: TimerSetting,
        absolute: bool,
    ) -> Result<TimerSetting> {
        self.set_timer(env, fd, setting, absolute)
    }

    fn timerfd_get(&mut self, env: &mut Env, fd: Fd) -> Result<TimerSetting> {
        self.timer_left(env, fd)
    }

    fn close(&mut self, env: &mut Env, fd: Fd) -> Result<()> {
        env.event(Kind::Call, env.actor.path, Call::Close as u64, 0, 0);
        self.close_number(env, fd)
    }

    fn dup(&mut self, env: &mut Env, fd: Fd) -> Result<Fd> {
        env.event(Kind::Call, env.actor.path, Call::Dup as u64, 0, 0);
        let id = self.table.id(fd)?;
        Ok(self.table.number(id))
    }

    fn descriptions(&self) -> Vec<Description> {
        let text = |open: &OpenDescription| match &open.object {
            Object::Socket(socket) => self.stacks.describe(*socket),
            Object::Unix(socket) => {
                let sockets = self.hosts[open.host.index()].unix_sockets();
                sockets.map_or_else(String::new, |sockets| sockets.describe(*socket))
            }
            Object::File(_) => String::from("file"),
            Object::Epoll(_) => String::from("epoll"),
            Object::Signals(_) => String::from("signals"),
            Object::Pipe(end) => String::from(end.describe()),
            Object::Counter(counter) => format!("eventfd {}", counter.value()),
            Object::Timer(_) => String::from("timerfd"),
        };
        self.table
            .iter()
            .map(|(fd, open)| Description { fd, host: open.host, text: text(open) })
            .collect()
    }

    fn readiness(&mut self, _env: &mut Env, fd: Fd) -> Result<Readiness> {
        Ok(self.readiness_of(self.table.id(fd)?))
    }

    #[inline]
    fn subscribe(
        &mut self,
        env: &mut Env,
        fd: Fd,
        interest: Readiness,
        waiter: Waiter,
    ) -> Result<()> {
        let ready = self.readiness_of(self.table.id(fd)?);
        if ready.intersects(interest | crate::epoll::ALWAYS) {
            env.woken.push(waiter);
        } else {
            self.table.of_mut(fd)?.queue.enter(waiter, interest);
        }
        Ok(())
    }

    #[inline]
    fn subscribe_blocked(
        &mut self,
        _env: &mut Env,
        fd: Fd,
        interest: Readiness,
        waiter: Waiter,
    ) -> Result<()> {
        self.table.of_mut(fd)?.queue.enter(waiter, interest);
        Ok(())
    }

    fn unsubscribe(&mut self, _env: &mut Env, fd: Fd, waiter: Waiter) -> Result<()> {
        let open = self.table.of_mut(fd)?;
        open.queue.retain(|entry| !matches!(entry, Entry::Once(other, _) if *other == waiter));
        Ok(())
    }

    fn epoll_create(&mut self, _env: &mut Env, host: HostId) -> Result<Fd> {
        Ok(self.table.open(host, Object::Epoll(Box::default())).0)
    }

    fn epoll_control(
        &mut self,
        env: &mut Env,
        epoll: Fd,
        fd: Fd,
        control: EpollControl,
    ) -> Result<()> {
        let (of, watched) = (self.table.id(epoll)?, self.table.id(fd)?);
        if of == watched {
            return Err(Errno::EINVAL);
        }
        if matches!(self.table.of(fd)?.object, Object::File(_)) {
            return Err(Errno::EPERM);
        }
        if matches!(control, EpollControl::Add(_)) && self.watches(watched, of) {
            return Err(Errno::ELOOP);
        }
        let Object::Epoll(object) = &mut self.table.of_mut(epoll)?.object else {
            return Err(Errno::EINVAL);
        };
        let controlled = object.control((watched, fd), control);
        env.event(
            Kind::Call,
            env.actor.path,
            Call::Epoll as u64,
            0,
            u64::from(controlled.is_err()),
        );
        let queue = &mut self.table.of_mut(fd)?.queue;
        match controlled? {
            Controlled::Entered => queue.push(Entry::Epoll(of, fd)),
            Controlled::Changed => {}
            Controlled::Left => {
                queue.retain(|entry| !matches!(entry, Entry::Epoll(e, n) if (*e, *n) == (of, fd)));
                return Ok(());
            }
        }
        let ready = self.readiness_of(watched);
        self.table.tell_epoll(env, of, (watched, fd), ready);
        Ok(())
    }

    fn epoll_take(
        &mut self,
        _env: &mut Env,
        epoll: Fd,
        max: usize,
        into: &mut Vec<EpollEvent>,
    ) -> Result<usize> {
        let id = self.table.id(epoll)?;
        let Object::Epoll(object) = &self.table.of(epoll)?.object else {
            return Err(Errno::EINVAL);
        };
        let (queued, before) = (object.queued().count(), into.len());
        for _ in 0..queued {
            if into.len() - before == max {
                break;
            }
            let Some(Object::Epoll(object)) = self.table.get_mut(id).map(|open| &mut open.object)
            else {
                break;
            };
            let Some(key) = object.next() else { break };
            let ready = self.readiness_of(key.0);
            let Some(Object::Epoll(object)) = self.table.get_mut(id).map(|open| &mut open.object)
            else {
                break;
            };
            into.extend(object.report(key, ready));
        }
        Ok(into.len() - before)
    }

    fn signals(&mut self, _env: &mut Env, host: HostId, signals: &[Signal]) -> Result<Fd> {
        let taken = signals.iter().fold(0, |set, &signal| set | 1 << signal as u32);
        Ok(self.table.open(host, Object::Signals(SignalSet { taken, pending: 0 })).0)
    }

    fn submit(&mut self, env: &mut Env, host: HostId, op: Op, waiter: Waiter) -> OpId {
        env.event(
            Kind::Call,
            env.actor.path,
            Call::Submit as u64,
            0,
            submitted_hash(&op, self.hosts[host.index()].sees_real_files),
        );
        self.submit_op(env, host, op, waiter)
    }

    fn complete(&mut self, _env: &mut Env, op: OpId, waiter: Waiter) -> Option<Result<Output>> {
        self.take_op(op, waiter)
    }

    fn forget(&mut self, env: &mut Env, op: OpId) {
        self.forget_op(env, op);
    }

    #[inline]
    fn clock_ns(&mut self, env: &mut Env, host: HostId, clock: ClockId) -> u64 {
        let model = &self.hosts[host.index()].clock;
        match clock {
            ClockId::Monotonic => model.monotonic_ns(env.now),
            ClockId::Realtime => model.realtime(env.now).as_nanos(),
        }
    }

    #[inline]
    fn instant_of(&mut self, _env: &mut Env, host: HostId, monotonic_ns: u64) -> Instant {
        self.hosts[host.index()].clock.true_instant_of_monotonic(monotonic_ns)
    }

    fn entropy(&mut self, env: &mut Env, host: HostId, into: &mut [u8]) {
        self.hosts[host.index()].entropy(env, into);
        let path = self.hosts[host.index()].path;
        env.event(Kind::Entropy, path, 0, into.len() as u64, payload_hash(into));
    }

    fn host_name(&self, host: HostId) -> &str {
        &self.hosts[host.index()].name
    }

    fn host_path(&self, host: HostId) -> Path {
        self.hosts[host.index()].path
    }

    #[inline]
    fn admit(&mut self, env: &mut Env, enabled: &mut EnabledSet) {
        self.agenda.admit(env, enabled);
        self.get_ready();
    }

    #[inline]
    fn run(&mut self, env: &mut Env, event: EventId) {
        match self.agenda.take(env, event) {
            Planned::Arrival(to, packet) => self.arrive(env, to, packet),
            planned => self.carry_out(env, planned),
        }
    }

    #[inline]
    fn wait(&mut self, env: &mut Env, until: Option<Instant>) -> Waited {
        let next = match (self.agenda.next(), until) {
            (Some(event), Some(until)) => event.min(until),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => return Waited::Never,
        };
        env.now = env.now.max(next);
        Waited::Again
    }

    fn time_is_virtual(&self) -> bool {
        true
    }
}

/// What of a submission is part of the fingerprint: the data written, or the path. Of a path that may be a real one, the last name:
/// where a project lies on a machine is no part of a run.
fn submitted_hash(op: &Op, is_real: bool) -> u64 {
    match op {
        Op::Write { data, .. } => payload_hash(data),
        Op::Open { path, .. } | Op::Stat { path, .. } | Op::ReadDir { path } => {
            let name = path.trim_end_matches('/').rsplit('/').next().filter(|_| is_real);
            payload_hash(name.unwrap_or(path).as_bytes())
        }
        _ => 0,
    }
}
