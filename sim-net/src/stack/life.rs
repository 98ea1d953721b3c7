//! How connections enter and leave the stack's tables: the queue of a listener, TIME_WAIT, the end.
//!
//! A connection's machine takes a step and answers a [`Duty`]; here it is done. Afterwards the tables agree
//! again: every connection that is not closed stands in the table of pairs, and holds its port.

use super::table::{Entry, TimeWait};
use super::{Owner, SocketId, Stack};
use crate::tcp::{Duty, State};
use sim_core::Env;
use sim_core::backend::Readiness;

/// How long TIME_WAIT lasts on Linux: not twice the greatest segment lifetime but a constant.
pub(super) const TIME_WAIT_NS: u64 = 60_000_000_000;

impl Stack<'_> {
    /// Does what a step of a connection left to do.
    #[inline]
    pub(super) fn settle(&mut self, env: &Env, id: SocketId, duty: Duty) {
        if duty != Duty::Nothing {
            self.fulfil(env, id, duty);
        }
    }

    fn fulfil(&mut self, env: &Env, id: SocketId, duty: Duty) {
        match duty {
            Duty::Nothing => {}
            Duty::Accept => self.enter_queue(id),
            Duty::TimeWait => self.enter_time_wait(env, id),
            Duty::Close => self.leave_tables(id),
        }
    }

    /// The handshake of a listener's connection is complete.
    fn enter_queue(&mut self, id: SocketId) {
        let Ok(connection) = self.slab.tcp(id) else { return };
        let Owner::Listener(parent) = connection.owner else {
            panic!("a connection enters a queue once, from its listener");
        };
        connection.owner = Owner::Queue;
        self.hold_child(id, parent);
        if let Ok(listener) = self.slab.tcp(parent) {
            if let Some(listening) = &mut listener.listener {
                listening.queue.push_back(id);
            }
            listener.wake(self.io, Readiness::IN);
        }
    }

    /// Takes a closed connection out of the tables, and frees it if nobody can ask for it any more.
    fn leave_tables(&mut self, id: SocketId) {
        let Ok(connection) = self.slab.tcp(id) else { return };
        let owner = connection.owner;
        if core::mem::take(&mut connection.binding.paired) {
            let (local, remote) = (connection.local, connection.remote);
            self.tables.pairs.remove(id, &local, &remote);
        }
        let gone = matches!(owner, Owner::Nobody | Owner::Listener(_));
        self.release_port(id, gone);
        if gone {
            self.slab.remove(id);
        }
    }

    fn enter_time_wait(&mut self, env: &Env, id: SocketId) {
        let Ok(connection) = self.slab.tcp(id) else { return };
        let (since, until) = (env.now, env.now.saturating_add_nanos(TIME_WAIT_NS));
        let (local, remote) = (connection.local, connection.remote);
        let (snd_nxt, rcv_nxt) = (connection.snd.nxt, connection.rcv.nxt);
        let window = (connection.rcv.edge - rcv_nxt) as u32;
        let class = connection.binding.class;
        self.leave_tables(id);
        if let Some(class) = class {
            self.tables.tcp_ports.hold(local.port(), class);
        }
        let entry = TimeWait { local, remote, snd_nxt, rcv_nxt, window, since, until, class };
        let waiting = self.slab.insert(self.own.host, |_| Entry::TimeWait(Box::new(entry)));
        self.tables.pairs.insert(waiting, &local, &remote);
        self.io.out.timers.push((waiting, until));
    }

    /// Forgets a connection in TIME_WAIT; the next number it would have sent.
    pub(super) fn end_time_wait(&mut self, id: SocketId) -> u64 {
        let Some(Entry::TimeWait(waiting)) = self.slab.remove(id) else {
            panic!("{id:?} ends its TIME_WAIT once");
        };
        self.tables.pairs.remove(id, &waiting.local, &waiting.remote);
        if let Some(class) = waiting.class {
            self.tables.tcp_ports.release(waiting.local.port(), &class);
        }
        waiting.snd_nxt
    }

    /// Resets the connections that nobody has accepted; those half open find no listener any more.
    pub(super) fn stop_listening(&mut self, env: &mut Env, id: SocketId) {
        let Ok(listener) = self.slab.tcp(id) else { return };
        if listener.state != State::Listen {
            return;
        }
        let port = listener.local.port();
        let queue = listener.listener.take().map(|listener| listener.queue).unwrap_or_default();
        self.tables.tcp_ports.shut(port, id);
        for child in queue {
            if let Ok(connection) = self.slab.tcp(child) {
                connection.owner = Owner::Nobody;
                let duty = connection.abort(env, self.io);
                self.settle(env, child, duty);
            }
        }
    }
}
