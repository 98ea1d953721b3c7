//! How a connection comes about (RFC 9293 section 3.5, connect(2), listen(2)).

use super::send::{LOOPBACK_MSS_BYTES, MSS_BYTES};
use super::{Connection, Duty, State};
use crate::packet::{Flags, Segment};
use crate::payload::Payload;
use crate::stack::{Io, Options, SocketId};
use sim_core::{Env, Errno, Result};
use std::collections::VecDeque;

/// What a connected socket's send buffer grows to unless the program fixed its size (`tcp_wmem`).
const TUNED_SEND_BUFFER_BYTES: u32 = 4_194_304;

/// How far connect(2) has come; it decides what the next call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// No call is under way.
    Unconnected,
    /// A call has begun and its outcome was not asked for.
    Connecting,
    /// The program knows that it is connected.
    Connected,
}

/// What a listening socket has besides.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Completed connections that wait for accept(2).
    pub(crate) queue: VecDeque<SocketId>,
    /// The queue is full when it holds more than this many: a backlog of 0 lets one wait.
    pub(crate) backlog: usize,
}

impl Listener {
    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() > self.backlog
    }
}

impl Connection {
    /// Answers connect(2) from what earlier calls have begun; `None` if a new attempt is to be made.
    pub(crate) fn connect_again(&mut self) -> Option<Result<()>> {
        match (self.progress, self.state) {
            (Progress::Connected, _) | (Progress::Unconnected, State::Listen) => {
                Some(Err(Errno::EISCONN))
            }
            (Progress::Unconnected, State::Closed) => None,
            (Progress::Unconnected, _) => Some(Err(Errno::EISCONN)),
            (Progress::Connecting, State::SynSent | State::SynReceived) => {
                Some(Err(Errno::EALREADY))
            }
            (Progress::Connecting, State::Closed) => {
                let error = self.error.take().unwrap_or(Errno::ECONNABORTED);
                self.forget();
                Some(Err(error))
            }
            (Progress::Connecting, _) => {
                self.progress = Progress::Connected;
                Some(Ok(()))
            }
        }
    }

    /// Sends the SYN.
    pub(crate) fn connect(&mut self, env: &mut Env, io: &mut Io, iss: u64) {
        self.state = State::SynSent;
        self.progress = Progress::Connecting;
        self.error = None;
        self.snd.start(iss, self.route_mss());
        self.timers.stop();
        self.emit(env, io, iss, Flags::SYN, Payload::new());
        self.wait_for_handshake(env);
        self.arm(io);
    }

    fn route_mss(&self) -> u32 {
        if self.on_host { LOOPBACK_MSS_BYTES } else { MSS_BYTES }
    }

    /// Answers a SYN that a listener received.
    pub(crate) fn answer_syn(&mut self, env: &mut Env, io: &mut Io, syn: &Segment, iss: u64) {
        self.snd.start(iss, self.route_mss());
        self.half_open(env, io, syn);
        self.arm(io);
    }

    fn half_open(&mut self, env: &mut Env, io: &mut Io, syn: &Segment) {
        self.state = State::SynReceived;
        self.rcv.start(syn.seq);
        self.snd.first_window(syn.seq, self.snd.una, syn.window);
        self.emit(env, io, self.snd.una, Flags::SYN | Flags::ACK, Payload::new());
        self.timers.stop();
        self.wait_for_handshake(env);
    }

    /// A segment for a connection that has sent its SYN (RFC 9293, section 3.10.7.3).
    pub(crate) fn in_syn_sent(&mut self, env: &mut Env, io: &mut Io, segment: &Segment) -> Duty {
        let acks = segment.flags.contains(Flags::ACK);
        if acks && segment.ack != self.snd.nxt {
            if !segment.flags.contains(Flags::RST) {
                self.emit(env, io, segment.ack, Flags::RST, Payload::new());
            }
            return Duty::Nothing;
        }
        if segment.flags.contains(Flags::RST) {
            return if acks { self.fail(io, Errno::ECONNREFUSED) } else { Duty::Nothing };
        }
        if !segment.flags.contains(Flags::SYN) {
            return Duty::Nothing;
        }
        if !acks {
            // Both ends connect to each other at once, or a socket to itself.
            self.half_open(env, io, segment);
            self.arm(io);
            return Duty::Nothing;
        }
        self.rcv.start(segment.seq);
        self.establish(env, segment);
        self.acknowledge(env, io);
        self.wake_all(io);
        self.arm(io);
        Duty::Nothing
    }

    /// Our SYN is acknowledged.
    pub(crate) fn establish(&mut self, env: &Env, segment: &Segment) {
        self.state = State::Established;
        self.sample_round_trip(env, segment.ack);
        self.snd.una = segment.ack;
        self.snd.first_window(segment.seq, segment.ack, segment.window);
        self.timers.progress(env.now, false);
        self.timers.end_at = sim_time::Instant::MAX;
        self.timers.heard(env.now);
        if !self.options.send_buffer_fixed {
            self.options.send_buffer = TUNED_SEND_BUFFER_BYTES;
        }
        self.set_keepalive(env);
    }

    /// Becomes a listener, or changes its backlog.
    pub(crate) fn listen(&mut self, backlog: usize) {
        self.state = State::Listen;
        match &mut self.listener {
            Some(listener) => listener.backlog = backlog,
            None => self.listener = Some(Box::new(Listener { queue: VecDeque::new(), backlog })),
        }
    }

    /// The options that a connection has from its listener (tcp(7)).
    pub(crate) const fn inherited(&self) -> Options {
        self.options
    }
}
