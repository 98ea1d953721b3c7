//! The calls on Unix sockets: names, which are inodes of the host's disk, and descriptors that travel.
//!
//! A descriptor under way refers to its description as a number does, so it lives until the message has been received
//! or dropped. A ring of sockets that travel inside one another is never closed: Linux looks for such rings, a world
//! ends before they matter.

use crate::host::HostState;
use crate::table::{DescriptionId, Object};
use crate::universe::Universe;
use sim_core::backend::{
    Address, Call, Control, Credentials, Message, OptionName, Readiness, ReceivedMessage,
    RecvFlags, Shutdown, SocketKind, SocketOption, UnixName,
};
use sim_core::{Env, Errno, Fd, HostId, Result};
use sim_net::{Passed, UnixId, UnixReceived, UnixSend};
use std::borrow::Cow;

/// The most descriptors that travel with one message (`SCM_MAX_FD`).
const RIGHTS_MAX: usize = 253;
/// The process of the first host has this number; the numbers of the others follow.
const FIRST_PID: u32 = 1000;

impl Universe {
    /// Who a host's processes are: one of a number of its own, run by root.
    pub(crate) fn credentials_of(host: HostId) -> Credentials {
        Credentials { pid: FIRST_PID + host.index() as u32, uid: 0, gid: 0 }
    }

    /// The Unix socket behind a number.
    pub(crate) fn unix_of(&self, fd: Fd) -> Result<(HostId, UnixId)> {
        let open = self.table.of(fd)?;
        match open.object {
            Object::Unix(id) => Ok((open.host, id)),
            _ => Err(Errno::ENOTSOCK),
        }
    }

    /// Whether a number is a Unix socket's.
    pub(crate) fn is_unix(&self, fd: Fd) -> bool {
        self.unix_of(fd).is_ok()
    }

    /// Makes a Unix socket.
    pub(crate) fn open_unix(
        &mut self,
        env: &mut Env,
        host: HostId,
        kind: SocketKind,
    ) -> Result<Fd> {
        let socket = self.host(host).unix().sockets.socket(kind, Self::credentials_of(host));
        let fd = self.open_object(env, host, Call::Socket, Object::Unix(socket))?;
        self.bind_unix_socket(host, socket, fd)?;
        Ok(fd)
    }

    /// Makes two that are connected.
    pub(crate) fn open_unix_pair(
        &mut self,
        env: &mut Env,
        host: HostId,
        kind: SocketKind,
    ) -> Result<(Fd, Fd)> {
        self.check_up(host)?;
        let (a, b) = self.host(host).unix().sockets.pair(kind, Self::credentials_of(host));
        let first = self.open_object(env, host, Call::SocketPair, Object::Unix(a))?;
        let (second, _) = self.table.open(host, Object::Unix(b));
        self.bind_unix_socket(host, a, first)?;
        self.bind_unix_socket(host, b, second)?;
        Ok((first, second))
    }

    /// Notes which description is behind a socket.
    fn bind_unix_socket(&mut self, host: HostId, socket: UnixId, fd: Fd) -> Result<()> {
        let id = self.table.id(fd)?;
        let places = &mut self.host(host).unix().places;
        if places.len() <= socket.index() {
            places.resize(socket.index() + 1, None);
        }
        places[socket.index()] = Some(id);
        Ok(())
    }

    /// A call on a Unix socket: the model's answer, noted, and what it brought about carried on.
    fn on_unix<T>(
        &mut self,
        env: &mut Env,
        fd: Fd,
        call: Call,
        f: impl FnOnce(&mut Self, &mut Env, HostId, UnixId) -> Result<T>,
    ) -> Result<T> {
        let (host, socket) = self.unix_of(fd)?;
        let result = f(self, env, host, socket);
        Self::note(env, call, &result, |_| 0);
        self.flush_unix(env, host);
        result
    }

    /// Carries on what a host's Unix sockets have put out.
    pub(crate) fn flush_unix(&mut self, env: &mut Env, host: HostId) {
        loop {
            let machine = &mut self.hosts[host.index()];
            let out = machine.unix().sockets.out();
            let (ready, dropped) =
                (core::mem::take(&mut out.ready), core::mem::take(&mut out.dropped));
            if ready.is_empty() && dropped.is_empty() {
                return;
            }
            for (socket, readiness) in ready {
                let place = self.host(host).unix().places.get(socket.index());
                // A place used again may mean another socket, whose waiter is then released without need.
                if let Some(&Some(id)) = place {
                    self.table.event(env, id, readiness);
                }
            }
            for Passed(bits) in dropped {
                self.release_description(env, DescriptionId::from_bits(bits));
            }
        }
    }

    /// Gives a socket a name: a path is made on the host's disk.
    pub(crate) fn bind_unix(&mut self, env: &mut Env, fd: Fd, name: UnixName) -> Result<()> {
        self.on_unix(env, fd, Call::Bind, |world, env, host, socket| {
            let Some(path) = name.as_path() else {
                return world.host(host).unix().sockets.bind_abstract(socket, name);
            };
            world.host(host).unix().sockets.check_unnamed(socket)?;
            let path = world.path_of(env, host, path)?;
            let machine = world.host(host);
            let now = machine.clock.realtime(env.now);
            let inode = match machine.disk(env).create_socket(now, &path) {
                Err(Errno::EEXIST) => Err(Errno::EADDRINUSE),
                made => made,
            }?;
            machine.unix().sockets.bind_path(socket, name, inode)
        })
    }

    /// A name as the disk knows paths: in UTF-8, and from the working directory on if it is relative. The socket keeps it as it was given.
    fn path_of<'a>(&self, env: &mut Env, host: HostId, name: &'a [u8]) -> Result<Cow<'a, str>> {
        let Ok(path) = str::from_utf8(name) else {
            env.trace.notice("a path that is not UTF-8 is not modelled and answers EINVAL");
            return Err(Errno::EINVAL);
        };
        Ok(match path.starts_with('/') {
            true => Cow::Borrowed(path),
            false => Cow::Owned(format!(
                "{}/{path}",
                self.hosts[host.index()].working.as_deref().unwrap_or("/")
            )),
        })
    }

    /// Says where relative names of a host's Unix sockets begin: the working directory of its process, `/` unless said (chdir(2)).
    pub fn set_working_directory(&mut self, host: HostId, path: &str) {
        self.host(host).working = Some(path.into());
    }

    /// The socket that a name stands for on a host.
    fn find_unix(&mut self, env: &mut Env, host: HostId, name: &UnixName) -> Result<UnixId> {
        let Some(path) = name.as_path() else {
            return match name.is_unnamed() {
                true => Err(Errno::EINVAL),
                false => self.host(host).unix().sockets.at_abstract(name),
            };
        };
        let path = self.path_of(env, host, path)?;
        let machine = self.host(host);
        let found = machine.disk(env).stat(&path)?;
        machine.unix().sockets.at_inode(found.inode)
    }

    pub(crate) fn listen_unix(&mut self, env: &mut Env, fd: Fd, backlog: u32) -> Result<()> {
        self.on_unix(env, fd, Call::Listen, |world, _, host, socket| {
            world.host(host).unix().sockets.listen(socket, backlog)
        })
    }

    pub(crate) fn connect_unix(&mut self, env: &mut Env, fd: Fd, name: UnixName) -> Result<()> {
        self.on_unix(env, fd, Call::Connect, |world, env, host, socket| {
            let to = world.find_unix(env, host, &name)?;
            world.host(host).unix().sockets.connect(socket, to)
        })
    }

    pub(crate) fn disconnect_unix(&mut self, env: &mut Env, fd: Fd) -> Result<()> {
        self.on_unix(env, fd, Call::Connect, |world, _, host, socket| {
            world.host(host).unix().sockets.disconnect(socket)
        })
    }

    pub(crate) fn accept_unix(&mut self, env: &mut Env, fd: Fd) -> Result<(Fd, Address)> {
        self.on_unix(env, fd, Call::Accept, |world, _, host, socket| {
            let (accepted, peer) = world.host(host).unix().sockets.accept(socket)?;
            let (fd, _) = world.table.open(host, Object::Unix(accepted));
            world.bind_unix_socket(host, accepted, fd)?;
            Ok((fd, Address::Unix(peer)))
        })
    }

    pub(crate) fn shutdown_unix(&mut self, env: &mut Env, fd: Fd, how: Shutdown) -> Result<()> {
        self.on_unix(env, fd, Call::Shutdown, |world, _, host, socket| {
            world.host(host).unix().sockets.shutdown(socket, how)
        })
    }

    pub(crate) fn set_unix_option(
        &mut self,
        env: &mut Env,
        fd: Fd,
        option: SocketOption,
    ) -> Result<()> {
        self.on_unix(env, fd, Call::SetOption, |world, env, host, socket| {
            world.host(host).unix().sockets.set_option(env, socket, option)
        })
    }

    pub(crate) fn unix_option(
        &mut self,
        env: &mut Env,
        fd: Fd,
        name: OptionName,
    ) -> Result<SocketOption> {
        self.on_unix(env, fd, Call::GetOption, |world, _, host, socket| {
            world.host(host).unix().sockets.option(socket, name)
        })
    }

    /// Sends on a Unix socket, with what goes along.
    pub(crate) fn send_unix(
        &mut self,
        env: &mut Env,
        fd: Fd,
        call: Call,
        message: Message<'_>,
    ) -> Result<usize> {
        let (host, socket) = self.unix_of(fd)?;
        let result = self.send_unix_message(env, host, socket, message);
        Self::note_written(env, call, &result, message.data);
        self.flush_unix(env, host);
        result
    }

    fn send_unix_message(
        &mut self,
        env: &mut Env,
        host: HostId,
        socket: UnixId,
        message: Message<'_>,
    ) -> Result<usize> {
        let mut with = UnixSend::default();
        for control in message.control {
            match control {
                Control::Rights(fds) => {
                    for &fd in fds {
                        with.passed.push(Passed(self.table.id(fd)?.to_bits()));
                    }
                }
                Control::Credentials(claimed) => {
                    with.credentials = Some(self.check_credentials(env, host, *claimed)?);
                }
                other => return Err(refuse_control(env, other)),
            }
        }
        if with.passed.len() > RIGHTS_MAX {
            return Err(Errno::EINVAL);
        }
        with.to = match message.to {
            None => None,
            Some(Address::Inet(_)) => return Err(Errno::EINVAL),
            // A stream asks nobody where a name leads: it refuses any.
            Some(Address::Unix(_))
                if self.host(host).unix().sockets.kind(socket)? == SocketKind::Stream =>
            {
                Some(socket)
            }
            Some(Address::Unix(name)) => Some(self.find_unix(env, host, &name)?),
        };
        let passed: Vec<_> = with.passed.clone();
        let sent = self.host(host).unix().sockets.send(socket, message.data, with)?;
        for Passed(bits) in passed {
            self.table.refer(DescriptionId::from_bits(bits));
        }
        Ok(sent)
    }

    /// A process says who it is, and says the truth: the superuser's right to say otherwise is not modelled.
    fn check_credentials(
        &self,
        env: &mut Env,
        host: HostId,
        claimed: Credentials,
    ) -> Result<Credentials> {
        if claimed == Self::credentials_of(host) {
            return Ok(claimed);
        }
        env.trace.notice(
            "sending credentials of another process is not modelled and answers EPERM; send those of the process itself",
        );
        Err(Errno::EPERM)
    }

    /// Receives on a Unix socket, without what came along: descriptors are closed.
    pub(crate) fn recv_unix(
        &mut self,
        env: &mut Env,
        fd: Fd,
        call: Call,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<usize> {
        let (host, received) = self.take_unix(env, fd, call, into, flags)?;
        self.give_up(env, host, received.passed, flags.peek);
        Ok(received.len)
    }

    /// Receives on a Unix socket, with what came along.
    pub(crate) fn recv_unix_message(
        &mut self,
        env: &mut Env,
        fd: Fd,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<ReceivedMessage> {
        let (host, received) = self.take_unix(env, fd, Call::RecvMessage, into, flags)?;
        let UnixReceived { len, from, truncated, credentials, passed } = received;
        let mut control: Vec<_> = credentials.map(Control::Credentials).into_iter().collect();
        if !passed.is_empty() {
            let numbers = passed.iter().map(|&Passed(bits)| DescriptionId::from_bits(bits));
            let numbers = numbers.map(|id| self.table.number(id)).collect();
            control.push(Control::Rights(numbers));
            self.give_up(env, host, passed, flags.peek);
        }
        let from = (!from.is_unnamed()).then_some(Address::Unix(from));
        Ok(ReceivedMessage { len, from, truncated, control })
    }

    fn take_unix(
        &mut self,
        env: &mut Env,
        fd: Fd,
        call: Call,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<(HostId, UnixReceived)> {
        let (host, socket) = self.unix_of(fd)?;
        let result = self.host(host).unix().sockets.recv(socket, into, flags);
        Self::note(env, call, &result, |received| received.len as u64);
        self.flush_unix(env, host);
        Ok((host, result?))
    }

    /// Descriptors that were under way no longer are. Those that were only looked at still are.
    fn give_up(&mut self, env: &mut Env, host: HostId, passed: Vec<Passed>, peeked: bool) {
        if !peeked {
            self.host(host).unix().sockets.out().dropped.extend(passed);
            self.flush_unix(env, host);
        }
    }

    /// A Unix socket that nothing refers to any more.
    pub(crate) fn close_unix(&mut self, env: &mut Env, host: HostId, socket: UnixId) {
        let machine = &mut self.hosts[host.index()];
        if machine.state == HostState::Down {
            return;
        }
        machine.unix().places[socket.index()] = None;
        machine.unix().sockets.close(socket);
        self.flush_unix(env, host);
    }

    /// What a Unix socket is ready for.
    pub(crate) fn unix_readiness(&self, host: HostId, socket: UnixId) -> Readiness {
        let sockets = self.hosts[host.index()].unix_sockets();
        sockets.map_or(Readiness::NONE, |sockets| sockets.readiness(socket))
    }
}

/// Refuses ancillary data that means nothing here.
fn refuse_control(env: &mut Env, control: &Control) -> Errno {
    env.trace.notice(format!(
        "ancillary data {control:?} is not modelled on this socket: sending it answers EOPNOTSUPP"
    ));
    Errno::EOPNOTSUPP
}
