//! How a connection ends from this side: shutdown(2), close(2) and the reset (RFC 9293 section 3.10.4, socket(7)).

use super::send::Fin;
use super::timers::FIN_TIMEOUT_NS;
use super::{Connection, Duty, Progress, Shut, State};
use crate::packet::Flags;
use crate::payload::Payload;
use crate::stack::{Io, Owner};
use sim_core::backend::Shutdown;
use sim_core::{Env, Errno, Result};

impl Connection {
    /// Shuts one or both directions.
    pub(crate) fn shutdown(
        &mut self,
        env: &mut Env,
        io: &mut Io,
        how: Shutdown,
    ) -> (Result<()>, Duty) {
        let (read, write) = (how != Shutdown::Write, how != Shutdown::Read);
        match self.state {
            State::Listen if !read => return (Ok(()), Duty::Nothing),
            State::Listen | State::SynSent => {
                self.error = (self.state == State::SynSent).then_some(Errno::ECONNRESET);
                self.forget();
                self.wake_all(io);
                return (Ok(()), Duty::Close);
            }
            _ => {}
        }
        // Linux marks even a socket that is not connected, and answers the error all the same.
        let answer = if self.state == State::Closed { Err(Errno::ENOTCONN) } else { Ok(()) };
        self.shut.read |= read;
        self.shut.write |= write;
        if write {
            self.queue_fin(env, io);
        }
        self.wake_all(io);
        self.arm(io);
        (answer, Duty::Nothing)
    }

    /// Lets a FIN follow the data, if none did yet. While the handshake goes on it has to wait.
    pub(crate) fn queue_fin(&mut self, env: &mut Env, io: &mut Io) {
        self.state = match self.state {
            State::Established => State::FinWait1,
            State::CloseWait => State::LastAck,
            _ => return,
        };
        self.snd.fin = Fin::Queued;
        self.push(env, io);
    }

    /// The last descriptor is gone.
    pub(crate) fn close(&mut self, env: &mut Env, io: &mut Io) -> Duty {
        self.owner = Owner::Nobody;
        self.shut.read = true;
        if matches!(self.state, State::Closed | State::SynSent | State::Listen) {
            return self.vanish(io);
        }
        let aborts = self.options.linger.is_some_and(|linger| linger.is_zero());
        if self.rcv.buffer.len() > 0 || aborts {
            // The peer must not believe that its data was read.
            return self.abort(env, io);
        }
        if self.options.linger.is_some() && (self.snd.in_flight() || self.snd.buffer.unsent() > 0) {
            env.trace.notice(
                "close(2) of a socket with SO_LINGER and unsent data would wait for the data; here it goes on in the \
                 background, as without SO_LINGER. Shut down sending and read to the end if the wait matters.",
            );
        }
        self.shut.write = true;
        self.queue_fin(env, io);
        if self.state == State::FinWait2 {
            self.wait_for_fin(env);
        }
        self.arm(io);
        Duty::Nothing
    }

    /// A connection that nobody holds does not wait for the peer's FIN for ever.
    pub(crate) fn wait_for_fin(&mut self, env: &Env) {
        if self.owner == Owner::Nobody {
            self.timers.end_at = env.now.saturating_add_nanos(FIN_TIMEOUT_NS);
        }
    }

    /// Ends the connection with an RST where the peer is owed one.
    pub(crate) fn abort(&mut self, env: &mut Env, io: &mut Io) -> Duty {
        if self.state.owes_reset() || matches!(self.state, State::Closing | State::LastAck) {
            self.emit(env, io, self.snd.nxt, Flags::RST | Flags::ACK, Payload::new());
        }
        self.vanish(io)
    }

    /// A fault or connect(AF_UNSPEC): both ends learn of a reset.
    pub(crate) fn reset(&mut self, env: &mut Env, io: &mut Io) -> Duty {
        if self.state.owes_reset() || matches!(self.state, State::Closing | State::LastAck) {
            self.emit(env, io, self.snd.nxt, Flags::RST | Flags::ACK, Payload::new());
        }
        self.fail(io, Errno::ECONNRESET)
    }

    /// Back to a socket without a connection, which can connect or listen (tcp_disconnect).
    pub(crate) fn forget(&mut self) {
        self.become_closed();
        self.state = State::Closed;
        self.progress = Progress::Unconnected;
        self.shut = Shut::default();
        self.ended = false;
        self.rcv.buffer.clear();
        self.rcv = super::Receiving::new();
        self.snd = super::Sending::new();
        self.listener = None;
    }
}
