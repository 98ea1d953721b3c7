//! What a segment does to a connection whose sequence numbers are known (RFC 9293, section 3.10.7.4).

use super::{Connection, Duty, Shut, State};
use crate::packet::{Flags, Segment};
use crate::payload::Payload;
use crate::stack::{Io, Owner};
use sim_core::backend::Readiness;
use sim_core::{Env, Errno};
use sim_time::Instant;

/// How rarely segments that make no sense are answered, so that two confused ends do not answer
/// each other for ever (RFC 5961, section 7; `tcp_invalid_ratelimit`).
const QUIET_NS: u64 = 500_000_000;

impl Connection {
    /// Takes in a segment.
    #[inline]
    pub(crate) fn segment(&mut self, env: &mut Env, io: &mut Io, segment: &mut Segment) -> Duty {
        if self.is_expected(segment) {
            self.expected(env, io, segment);
            return Duty::Nothing;
        }
        if self.state == State::SynSent {
            return self.in_syn_sent(env, io, segment);
        }
        let duty = self.unexpected(env, io, segment.hand_over());
        if duty != Duty::Close {
            self.arm(io);
        }
        duty
    }

    /// Whether nothing can be wrong with it: data or an acknowledgement, next in order.
    #[inline]
    fn is_expected(&self, segment: &Segment) -> bool {
        self.state == State::Established
            && segment.flags == Flags::ACK
            && segment.seq == self.rcv.nxt
            && segment.ack >= self.snd.una
            && segment.ack <= self.snd.nxt
            && segment.seq + segment.payload.len() as u64 <= self.rcv.edge
            && self.rcv.is_contiguous()
    }

    #[inline]
    fn expected(&mut self, env: &mut Env, io: &mut Io, segment: &mut Segment) {
        self.timers.heard(env.now);
        self.acknowledged(env, io, segment.ack, segment.window, segment.payload.is_empty());
        self.snd.note_window(segment.seq, segment.ack, segment.window);
        if !segment.payload.is_empty() {
            self.take_in_order(env, io, &mut segment.payload);
        }
        self.finish(env, io);
        self.arm(io);
    }

    /// Sends what the segment made possible, then what it made necessary.
    #[inline]
    fn finish(&mut self, env: &mut Env, io: &mut Io) {
        if self.snd.buffer.unsent() > 0 || self.snd.fin == super::send::Fin::Queued {
            self.push(env, io);
        }
        if self.rcv.ack_now {
            self.acknowledge(env, io);
        }
    }

    fn unexpected(&mut self, env: &mut Env, io: &mut Io, segment: Segment) -> Duty {
        if self.confirms_own_syn(&segment) {
            return self.synchronised(env, io, segment);
        }
        if self.state == State::SynReceived
            && segment.flags == Flags::SYN
            && segment.seq + 1 == self.rcv.nxt
        {
            // Our SYN-ACK was lost, or is late.
            self.resend(env, io, self.snd.una);
            return Duty::Nothing;
        }
        if !self.is_acceptable(&segment) {
            return self.refuse(env, io, &segment);
        }
        if segment.flags.contains(Flags::RST) {
            return self.reset_by_peer(env, io, &segment);
        }
        if segment.flags.contains(Flags::SYN) {
            self.challenge(env, io);
            return Duty::Nothing;
        }
        if !segment.flags.contains(Flags::ACK) {
            return Duty::Nothing;
        }
        self.synchronised(env, io, segment)
    }

    /// A SYN-ACK that repeats the SYN and acknowledges ours: both ends connected at once.
    fn confirms_own_syn(&self, segment: &Segment) -> bool {
        self.state == State::SynReceived
            && !matches!(self.owner, Owner::Listener(_))
            && segment.flags == Flags::SYN | Flags::ACK
            && segment.seq + 1 == self.rcv.nxt
            && segment.ack == self.snd.nxt
    }

    /// Whether it touches the window (RFC 9293, section 3.10.7.4, first).
    fn is_acceptable(&self, segment: &Segment) -> bool {
        segment.seq + segment.seq_len() >= self.rcv.acked && segment.seq <= self.rcv.edge
    }

    fn refuse(&mut self, env: &mut Env, io: &mut Io, segment: &Segment) -> Duty {
        if segment.flags.contains(Flags::RST) {
            return Duty::Nothing;
        }
        if segment.payload.is_empty() {
            self.challenge(env, io);
        } else {
            self.acknowledge(env, io);
        }
        Duty::Nothing
    }

    /// Tells the peer where we are, not too often (RFC 5961).
    fn challenge(&mut self, env: &mut Env, io: &mut Io) {
        if env.now >= self.quiet_until {
            self.quiet_until = env.now.saturating_add_nanos(QUIET_NS);
            self.acknowledge(env, io);
        }
    }

    /// An RST counts only at the very next number (RFC 5961, section 3.2); another is asked to prove itself.
    fn reset_by_peer(&mut self, env: &mut Env, io: &mut Io, segment: &Segment) -> Duty {
        if segment.seq != self.rcv.nxt {
            self.challenge(env, io);
            return Duty::Nothing;
        }
        match (self.state, self.owner) {
            (State::SynReceived, Owner::Listener(_)) => self.vanish(io),
            (State::CloseWait, _) => self.fail(io, Errno::EPIPE),
            _ => self.fail(io, Errno::ECONNRESET),
        }
    }

    /// A segment in order of numbers, with an acknowledgement and neither SYN nor RST of its own.
    fn synchronised(&mut self, env: &mut Env, io: &mut Io, segment: Segment) -> Duty {
        if segment.ack > self.snd.nxt {
            return self.beyond_what_was_sent(env, io, &segment);
        }
        self.timers.heard(env.now);
        let duty = match self.take_ack(env, io, &segment) {
            Duty::Nothing => Duty::Nothing,
            Duty::Accept => Duty::Accept,
            ended => return ended,
        };
        let fin = segment.flags.contains(Flags::FIN);
        let (seq, payload) =
            (segment.seq + u64::from(segment.flags.contains(Flags::SYN)), segment.payload);
        match self.take_text(env, io, seq, payload, fin) {
            Duty::Nothing => {}
            ended => return ended,
        }
        self.finish(env, io);
        duty
    }

    fn beyond_what_was_sent(&mut self, env: &mut Env, io: &mut Io, segment: &Segment) -> Duty {
        match self.state {
            State::SynReceived => self.emit(env, io, segment.ack, Flags::RST, Payload::new()),
            _ => self.challenge(env, io),
        }
        Duty::Nothing
    }

    /// Takes in the acknowledgement (fifth step of the RFC).
    fn take_ack(&mut self, env: &mut Env, io: &mut Io, segment: &Segment) -> Duty {
        if self.state == State::SynReceived {
            if segment.ack != self.snd.nxt {
                self.emit(env, io, segment.ack, Flags::RST, Payload::new());
                return Duty::Nothing;
            }
            self.establish(env, segment);
            self.wake_all(io);
            if self.shut.write {
                self.queue_fin(env, io);
            }
            return if matches!(self.owner, Owner::Listener(_)) {
                Duty::Accept
            } else {
                Duty::Nothing
            };
        }
        if segment.ack < self.snd.una {
            return Duty::Nothing;
        }
        let bare = segment.payload.is_empty() && !segment.flags.contains(Flags::FIN);
        self.acknowledged(env, io, segment.ack, segment.window, bare);
        self.snd.note_window(segment.seq, segment.ack, segment.window);
        if !self.snd.fin_acknowledged() {
            return Duty::Nothing;
        }
        match self.state {
            State::FinWait1 => {
                self.state = State::FinWait2;
                self.wait_for_fin(env);
                self.wake_all(io);
                Duty::Nothing
            }
            State::Closing => self.enter_time_wait(io),
            State::LastAck => self.vanish(io),
            _ => Duty::Nothing,
        }
    }

    /// Takes in data and FIN (seventh and eighth steps).
    fn take_text(
        &mut self,
        env: &mut Env,
        io: &mut Io,
        seq: u64,
        payload: Payload,
        fin: bool,
    ) -> Duty {
        let end = seq + payload.len() as u64;
        match self.state {
            State::Established => {}
            State::FinWait1 | State::FinWait2
                if self.shut.read && !payload.is_empty() && end > self.rcv.nxt =>
            {
                // Nobody will read it: the peer must not believe that it was read (RFC 1122, section 4.2.2.13).
                self.emit(env, io, self.snd.nxt, Flags::RST | Flags::ACK, Payload::new());
                return self.fail(io, Errno::ECONNRESET);
            }
            State::FinWait1 | State::FinWait2 => {}
            // The peer's FIN came before. What comes now is repeated, and the repetition is answered.
            State::CloseWait | State::Closing | State::LastAck => {
                self.rcv.ack_now |= fin || !payload.is_empty();
                return Duty::Nothing;
            }
            _ => return Duty::Nothing,
        }
        if payload.is_empty() && !fin {
            // A probe repeats a number and wants to know where we are.
            self.rcv.ack_now |=
                seq < self.rcv.nxt && self.rcv.acked == self.rcv.nxt && seq + 1 == self.rcv.nxt;
            return Duty::Nothing;
        }
        if self.take_data(env, io, seq, payload, fin) {
            self.take_fin(env, io)
        } else {
            Duty::Nothing
        }
    }

    /// The peer sends no more.
    fn take_fin(&mut self, env: &mut Env, io: &mut Io) -> Duty {
        self.rcv.nxt += 1;
        self.rcv.edge = self.rcv.edge.max(self.rcv.nxt);
        self.rcv.clear_ahead();
        self.shut.read = true;
        self.ended = true;
        match self.state {
            State::Established => {
                self.state = State::CloseWait;
                // The acknowledgement waits for the program to answer, which it most often does with its own FIN.
                self.rcv.interactive = true;
                if self.timers.delack_at == Instant::MAX {
                    self.timers.delack_at =
                        env.now.saturating_add_nanos(super::receive::DELAYED_ACK_NS);
                }
                self.wake_all(io);
                Duty::Nothing
            }
            State::FinWait1 => {
                self.state = State::Closing;
                self.acknowledge(env, io);
                self.wake_all(io);
                Duty::Nothing
            }
            State::FinWait2 => {
                self.acknowledge(env, io);
                self.enter_time_wait(io)
            }
            state => unreachable!("a FIN is taken in order once, not in {state:?}"),
        }
    }

    fn enter_time_wait(&mut self, io: &mut Io) -> Duty {
        self.become_closed();
        self.wake_all(io);
        Duty::TimeWait
    }

    /// Everything about the connection ends; data that was received stays readable.
    pub(crate) fn become_closed(&mut self) {
        self.state = State::Closed;
        self.shut = Shut::BOTH;
        self.snd.buffer.clear();
        self.rcv.clear_ahead();
        self.timers.stop();
    }

    /// The connection ends with an error, which the program is told once.
    pub(crate) fn fail(&mut self, io: &mut Io, error: Errno) -> Duty {
        self.error = Some(error);
        self.become_closed();
        self.wake_all(io);
        Duty::Close
    }

    /// The connection ends without an error.
    pub(crate) fn vanish(&mut self, io: &mut Io) -> Duty {
        self.become_closed();
        self.wake(io, self.readiness() | Readiness::HUP);
        Duty::Close
    }
}
