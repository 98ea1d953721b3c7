//! How Unix sockets come by names and peers, and how they end.

use super::{Listener, Socket, State, UnixId, UnixSockets};
use sim_core::backend::{Credentials, Readiness, Shutdown, SocketKind, UnixName};
use sim_core::{Errno, Result};
use std::collections::VecDeque;

/// The most connections that may wait for accept(2), whatever listen(2) asks for (`somaxconn`).
const MAX_BACKLOG: u32 = 4096;
/// Names given to sockets that asked for any have five hexadecimal digits.
const NAMES: u32 = 1 << 20;

impl UnixSockets {
    /// Whether a socket may still be given a name: `EINVAL` if it has one.
    pub fn check_unnamed(&self, id: UnixId) -> Result<()> {
        if self.get(id)?.name.is_unnamed() { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// Gives a socket the path `name`, at which the world has just made `inode` (bind(2)).
    pub fn bind_path(&mut self, id: UnixId, name: UnixName, inode: u64) -> Result<()> {
        self.check_unnamed(id)?;
        let socket = self.get_mut(id)?;
        (socket.name, socket.inode) = (name, Some(inode));
        self.inodes.insert(inode, id);
        Ok(())
    }

    /// Gives a socket a name of the abstract namespace (bind(2)); `EADDRINUSE` if another has it. Unnamed asks for
    /// any that is free.
    pub fn bind_abstract(&mut self, id: UnixId, name: UnixName) -> Result<()> {
        self.check_unnamed(id)?;
        let name = if name.is_unnamed() { self.free_name()? } else { name };
        if self.abstract_names.contains_key(&name) {
            return Err(Errno::EADDRINUSE);
        }
        self.abstract_names.insert(name, id);
        self.get_mut(id)?.name = name;
        Ok(())
    }

    fn free_name(&mut self) -> Result<UnixName> {
        for _ in 0..NAMES {
            self.next_name = (self.next_name + 1) % NAMES;
            let text = format!("{:05x}", self.next_name);
            let name = UnixName::abstract_name(text.as_bytes()).expect("five bytes are a name");
            if !self.abstract_names.contains_key(&name) {
                return Ok(name);
            }
        }
        Err(Errno::ENOSPC)
    }

    /// The socket bound to an inode: `ECONNREFUSED` if it is gone.
    pub fn at_inode(&self, inode: u64) -> Result<UnixId> {
        self.inodes.get(&inode).copied().ok_or(Errno::ECONNREFUSED)
    }

    /// The socket with an abstract name: `ECONNREFUSED` if there is none.
    pub fn at_abstract(&self, name: &UnixName) -> Result<UnixId> {
        self.abstract_names.get(name).copied().ok_or(Errno::ECONNREFUSED)
    }

    /// Starts to accept connections (listen(2)), up to `backlog` + 1 of them waiting.
    pub fn listen(&mut self, id: UnixId, backlog: u32) -> Result<()> {
        let socket = self.get_mut(id)?;
        if socket.kind == SocketKind::Datagram {
            return Err(Errno::EOPNOTSUPP);
        }
        if socket.name.is_unnamed() {
            return Err(Errno::EINVAL);
        }
        let backlog = backlog.min(MAX_BACKLOG) as usize;
        match &mut socket.state {
            State::Connected => return Err(Errno::EINVAL),
            State::Listening(listener) => listener.backlog = backlog,
            State::Unconnected => {
                socket.peer_credentials = socket.credentials;
                socket.state = State::Listening(Listener { backlog, queue: VecDeque::new() });
            }
        }
        self.tell_waiting(id);
        Ok(())
    }

    /// Connects to a socket that was found by its name (connect(2)), at once. `EAGAIN` while a listener's queue is
    /// full: an event `OUT` tells when there is room.
    pub fn connect(&mut self, id: UnixId, to: UnixId) -> Result<()> {
        if self.get(id)?.kind != self.get(to)?.kind {
            return Err(Errno::EPROTOTYPE);
        }
        if self.get(id)?.kind == SocketKind::Datagram {
            return self.connect_datagrams(id, to);
        }
        let target = self.get_mut(to)?;
        let (name, credentials) = (target.name, target.credentials);
        let State::Listening(listener) = &target.state else { return Err(Errno::ECONNREFUSED) };
        if target.shut.read {
            return Err(Errno::ECONNREFUSED);
        }
        if listener.queue.len() > listener.backlog {
            target.waiting.push(id);
            return Err(Errno::EAGAIN);
        }
        match self.get(id)?.state {
            State::Unconnected => {}
            State::Connected => return Err(Errno::EISCONN),
            State::Listening(_) => return Err(Errno::EINVAL),
        }
        let child = self.child(id, (name, credentials));
        let socket = self.get_mut(id)?;
        (socket.state, socket.peer, socket.peer_name) = (State::Connected, Some(child), name);
        socket.peer_credentials = credentials;
        if let State::Listening(listener) = &mut self.get_mut(to)?.state {
            listener.queue.push_back(child);
        }
        self.out.ready.push((to, Readiness::IN));
        Ok(())
    }

    /// The listener's end of a new connection of `client`.
    fn child(&mut self, client: UnixId, (name, credentials): (UnixName, Credentials)) -> UnixId {
        let (kind, peer_name, peer_credentials) = match self.find(client) {
            Some(client) => (client.kind, client.name, client.credentials),
            None => unreachable!("the caller has just looked at it"),
        };
        let child = self.socket(kind, credentials);
        let socket = self.get_mut(child).expect("it was just made");
        (socket.state, socket.peer, socket.name) = (State::Connected, Some(client), name);
        (socket.peer_name, socket.peer_credentials) = (peer_name, peer_credentials);
        child
    }

    fn connect_datagrams(&mut self, id: UnixId, to: UnixId) -> Result<()> {
        self.check_may_send(id, to)?;
        self.part_datagrams(id, Some(to))?;
        let name = self.get(to)?.name;
        let socket = self.get_mut(id)?;
        (socket.state, socket.peer, socket.peer_name) = (State::Connected, Some(to), name);
        Ok(())
    }

    /// A socket that is connected to another hears that one alone.
    pub(super) fn check_may_send(&self, id: UnixId, to: UnixId) -> Result<()> {
        match self.get(to)?.peer {
            Some(peer) if peer != id => Err(Errno::EPERM),
            _ => Ok(()),
        }
    }

    /// A datagram socket parts from its peer for another, or for none. What its old peer has sent is dropped.
    fn part_datagrams(&mut self, id: UnixId, to: Option<UnixId>) -> Result<()> {
        let socket = self.get_mut(id)?;
        let Some(old) = socket.peer.filter(|&old| Some(old) != to) else { return Ok(()) };
        let messages = core::mem::take(&mut socket.queue);
        let any = !messages.is_empty();
        self.drop_messages(messages);
        if any && self.find(old).is_some_and(|peer| peer.peer == Some(id)) {
            self.get_mut(old)?.error = Some(Errno::ECONNRESET);
            self.changed(old);
        }
        Ok(())
    }

    /// Parts from the peer (connect(2) with `AF_UNSPEC`): datagrams only, `EINVAL` for others.
    pub fn disconnect(&mut self, id: UnixId) -> Result<()> {
        if self.get(id)?.kind != SocketKind::Datagram {
            return Err(Errno::EINVAL);
        }
        self.part_datagrams(id, None)?;
        let socket = self.get_mut(id)?;
        (socket.state, socket.peer, socket.peer_name) =
            (State::Unconnected, None, UnixName::UNNAMED);
        Ok(())
    }

    /// Takes a connection (accept(2)) and its peer's name: `EAGAIN` if there is none, `EINVAL` if it is no listener.
    pub fn accept(&mut self, id: UnixId) -> Result<(UnixId, UnixName)> {
        let socket = self.get_mut(id)?;
        if socket.kind == SocketKind::Datagram {
            return Err(Errno::EOPNOTSUPP);
        }
        let State::Listening(listener) = &mut socket.state else { return Err(Errno::EINVAL) };
        let child = listener.queue.pop_front().ok_or(Errno::EAGAIN)?;
        self.tell_waiting(id);
        let name = self.get(child)?.peer_name;
        Ok((child, name))
    }

    /// Shuts one or both directions (shutdown(2)), at a connection's other end too.
    pub fn shutdown(&mut self, id: UnixId, how: Shutdown) -> Result<()> {
        let (read, write) = (how != Shutdown::Write, how != Shutdown::Read);
        let socket = self.get_mut(id)?;
        socket.shut.read |= read;
        socket.shut.write |= write;
        let peer = socket.peer.filter(|_| socket.kind != SocketKind::Datagram);
        self.changed(id);
        if let Some(peer) = peer
            && let Ok(other) = self.get_mut(peer)
        {
            other.shut.read |= write;
            other.shut.write |= read;
            self.changed(peer);
        }
        Ok(())
    }

    /// The last descriptor is gone (close(2)): the peer learns of it, with `ECONNRESET` if something was not read.
    pub fn close(&mut self, id: UnixId) {
        self.end(id, false);
    }

    fn end(&mut self, id: UnixId, never_accepted: bool) {
        // Whoever waits for room tries again and finds nobody.
        self.tell_waiting(id);
        if self.find(id).is_some_and(Socket::is_full) {
            self.tell_senders(id);
        }
        let Some(socket) = self.remove(id) else { return };
        let Socket { kind, state, name, inode, peer, queue, .. } = socket;
        if let Some(inode) = inode {
            self.inodes.remove(&inode);
        }
        if self.abstract_names.get(&name) == Some(&id) {
            self.abstract_names.remove(&name);
        }
        let unread = !queue.is_empty() || never_accepted;
        if let Some(peer) = peer.filter(|_| kind != SocketKind::Datagram) {
            self.end_peer(peer, unread);
        }
        self.drop_messages(queue);
        if let State::Listening(listener) = state {
            listener.queue.into_iter().for_each(|child| self.end(child, true));
        }
    }

    /// The other end of a connection is gone.
    fn end_peer(&mut self, peer: UnixId, unread: bool) {
        let Ok(socket) = self.get_mut(peer) else { return };
        socket.shut = crate::tcp::Shut::BOTH;
        if unread {
            socket.error = Some(Errno::ECONNRESET);
        }
        self.changed(peer);
    }
}
