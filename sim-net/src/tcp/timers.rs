//! The timers of a connection: retransmission (RFC 6298), tail probes (RFC 8985), zero-window probes,
//! delayed acknowledgements, keepalive (RFC 1122 section 4.2.3.6) and giving up (tcp(7)).
//!
//! Each deadline is a field that a step moves freely; the caller's agenda holds at most one entry that
//! counts, at `armed`. When it runs out early the next one is asked for. So a segment sets and
//! clears deadlines without touching the agenda. An entry left behind by an earlier deadline finds
//! nothing due and costs one look.

use super::{Connection, Duty, State};
use crate::packet::Flags;
use crate::payload::Payload;
use crate::stack::{Io, Owner};
use core::time::Duration;
use sim_core::{Env, Errno};
use sim_time::Instant;

const MS: u64 = 1_000_000;
const S: u64 = 1000 * MS;

/// The least retransmission timeout (`tcp_rto_min_us`).
const RTO_MIN_NS: u64 = 200 * MS;
/// The greatest (`tcp_rto_max_ms`).
const RTO_MAX_NS: u64 = 120 * S;
/// The first, before a round trip was measured (RFC 6298, section 2).
const RTO_INITIAL_NS: u64 = S;
/// How many SYN retransmissions follow each other without backing off (`tcp_syn_linear_timeouts`).
const SYN_LINEAR: u32 = 4;
/// SYN-ACK retransmissions before a half-open connection is forgotten (`tcp_synack_retries`).
const SYN_ACK_RETRIES: u32 = 5;
/// Retransmissions before a connection is given up (`tcp_retries2`).
const RETRIES: u32 = 15;
/// The same when no program holds it any more (`tcp_orphan_retries` = 0 means this).
const ORPHAN_RETRIES: u32 = 8;
/// How long a connection that no program holds waits for the peer's FIN (`tcp_fin_timeout`).
pub(crate) const FIN_TIMEOUT_NS: u64 = 60 * S;
/// How long three unanswered neighbour solicitations take.
const UNREACHABLE_AFTER_NS: u64 = 3060 * MS;

#[derive(Debug)]
pub(crate) struct Timers {
    /// Retransmission, tail probe or window probe.
    pub(crate) resend_at: Instant,
    /// Delayed acknowledgement.
    pub(crate) delack_at: Instant,
    /// Keepalive.
    pub(crate) keepalive_at: Instant,
    /// The end of FIN_WAIT2 without an owner, or of waiting for a neighbour that does not answer.
    pub(crate) end_at: Instant,
    /// The earliest entry on the caller's agenda.
    armed: Instant,
    /// Retransmissions since the peer last acknowledged something new.
    pub(crate) retransmits: u32,
    /// When the first of them was sent, or the SYN.
    pub(crate) resending_since: Instant,
    backoff: u32,
    /// The tail was probed since the peer last acknowledged something new.
    tail_probed: bool,
    /// Keepalive or window probes that nothing has answered.
    probes: u32,
    /// When the peer was last heard.
    pub(crate) heard_at: Instant,
    /// Smoothed round trip and its variation, 0 before the first measurement.
    srtt_ns: u64,
    rttvar_ns: u64,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self {
            resend_at: Instant::MAX,
            delack_at: Instant::MAX,
            keepalive_at: Instant::MAX,
            end_at: Instant::MAX,
            armed: Instant::MAX,
            retransmits: 0,
            resending_since: Instant::ZERO,
            backoff: 0,
            tail_probed: false,
            probes: 0,
            heard_at: Instant::ZERO,
            srtt_ns: 0,
            rttvar_ns: 0,
        }
    }

    /// Forgets every deadline; entries on the agenda stay and find nothing due.
    pub(crate) fn stop(&mut self) {
        let armed = self.armed;
        *self = Self { armed, ..Self::new() };
    }

    #[inline]
    fn next(&self) -> Instant {
        self.resend_at.min(self.delack_at).min(self.keepalive_at).min(self.end_at)
    }

    /// The retransmission timeout without backing off.
    #[inline]
    pub(crate) fn rto_ns(&self) -> u64 {
        if self.srtt_ns == 0 {
            return RTO_INITIAL_NS;
        }
        (self.srtt_ns + (4 * self.rttvar_ns).max(RTO_MIN_NS)).min(RTO_MAX_NS)
    }

    fn backed_off_ns(&self) -> u64 {
        self.rto_ns()
            .saturating_mul(1_u64.checked_shl(self.backoff).unwrap_or(u64::MAX))
            .min(RTO_MAX_NS)
    }

    /// Takes in a measured round trip (RFC 6298, section 2).
    #[inline]
    pub(crate) fn sample(&mut self, round_trip_ns: u64) {
        let rtt_ns = round_trip_ns.max(1000);
        if self.srtt_ns == 0 {
            (self.srtt_ns, self.rttvar_ns) = (rtt_ns, rtt_ns / 2);
        } else {
            self.rttvar_ns = (3 * self.rttvar_ns + self.srtt_ns.abs_diff(rtt_ns)) / 4;
            self.srtt_ns = (7 * self.srtt_ns + rtt_ns) / 8;
        }
    }

    /// The peer has acknowledged something new.
    #[inline]
    pub(crate) fn progress(&mut self, now: Instant, in_flight: bool) {
        (self.retransmits, self.backoff, self.probes, self.tail_probed) = (0, 0, 0, false);
        self.resend_at =
            if in_flight { now.saturating_add_nanos(self.rto_ns()) } else { Instant::MAX };
    }

    /// The peer was heard.
    #[inline]
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.probes = 0;
    }
}

impl Connection {
    /// Asks the caller for a timer if the next deadline comes before the one it has.
    #[inline]
    pub(crate) fn arm(&mut self, io: &mut Io) {
        let next = self.timers.next();
        if next < self.timers.armed {
            self.timers.armed = next;
            io.out.timers.push((self.id, next));
        }
    }

    /// The caller's timer ran out.
    pub(crate) fn timer(&mut self, env: &mut Env, io: &mut Io) -> Duty {
        if env.now >= self.timers.armed {
            self.timers.armed = Instant::MAX;
        }
        let mut duty = Duty::Nothing;
        if env.now >= self.timers.end_at {
            self.timers.end_at = Instant::MAX;
            duty = self.end(io);
        }
        if env.now >= self.timers.resend_at {
            self.timers.resend_at = Instant::MAX;
            duty = self.resend_due(env, io);
        }
        if env.now >= self.timers.delack_at {
            // The reply that the acknowledgement waited for did not come.
            self.rcv.interactive = false;
            self.acknowledge(env, io);
        }
        if env.now >= self.timers.keepalive_at {
            self.timers.keepalive_at = Instant::MAX;
            duty = self.keepalive_due(env, io);
        }
        if duty != Duty::Close {
            self.arm(io);
        }
        duty
    }

    fn end(&mut self, io: &mut Io) -> Duty {
        match self.state {
            State::SynSent => self.fail(io, Errno::EHOSTUNREACH),
            State::FinWait2 => self.vanish(io),
            _ => Duty::Nothing,
        }
    }

    /// The SYN found no host: the connection fails unless one answers before the neighbour look-up gives up.
    pub(crate) fn unreachable(&mut self, env: &Env, io: &mut Io) {
        if self.state == State::SynSent && self.timers.end_at == Instant::MAX {
            self.timers.end_at = env.now.saturating_add_nanos(UNREACHABLE_AFTER_NS);
            self.arm(io);
        }
    }

    fn resend_due(&mut self, env: &mut Env, io: &mut Io) -> Duty {
        match self.state {
            State::SynSent => self.resend_syn(env, io),
            State::SynReceived => self.resend_syn_ack(env, io),
            state if state.transmits() && self.snd.in_flight() => self.resend_oldest(env, io),
            state if state.transmits() && self.snd.buffer.unsent() > 0 => {
                self.probe_window(env, io)
            }
            _ => Duty::Nothing,
        }
    }

    fn resend_syn(&mut self, env: &mut Env, io: &mut Io) -> Duty {
        let retries = if self.options.syn_count > 0 { self.options.syn_count } else { 6 };
        if self.waited_for(env, retries, RTO_INITIAL_NS) {
            return self.fail(io, Errno::ETIMEDOUT);
        }
        self.timers.retransmits += 1;
        if self.timers.retransmits > SYN_LINEAR {
            self.timers.backoff += 1;
        }
        self.resend_and_wait(env, io);
        Duty::Nothing
    }

    fn resend_syn_ack(&mut self, env: &mut Env, io: &mut Io) -> Duty {
        if self.timers.retransmits >= SYN_ACK_RETRIES {
            return if self.owner == Owner::Program {
                self.fail(io, Errno::ETIMEDOUT)
            } else {
                self.vanish(io)
            };
        }
        self.timers.retransmits += 1;
        self.timers.backoff += 1;
        self.resend_and_wait(env, io);
        Duty::Nothing
    }

    fn resend_and_wait(&mut self, env: &mut Env, io: &mut Io) {
        self.resend(env, io, self.snd.una);
        self.timers.resend_at = self.next_resend(env);
    }

    /// When to send again, which `TCP_USER_TIMEOUT` can bring forward: it is looked at only then.
    fn next_resend(&self, env: &Env) -> Instant {
        let at = env.now.saturating_add_nanos(self.timers.backed_off_ns());
        if self.options.user_timeout.is_zero() {
            return at;
        }
        let limit = self.timers.resending_since.saturating_add(self.options.user_timeout);
        at.min(limit.max(env.now.saturating_add_nanos(MS)))
    }

    /// Starts to wait for the answer to a SYN or SYN-ACK.
    pub(crate) fn wait_for_handshake(&mut self, env: &Env) {
        self.timers.resending_since = env.now;
        self.timers.resend_at = self.next_resend(env);
        self.time_syn(env);
    }

    fn resend_oldest(&mut self, env: &mut Env, io: &mut Io) -> Duty {
        if !self.timers.tail_probed && self.timers.retransmits == 0 {
            // The first silence is answered with a probe: a lost tail is no reason to back off yet.
            self.timers.tail_probed = true;
            self.resend_and_wait_plainly(env, io);
            return Duty::Nothing;
        }
        let retries = if self.owner == Owner::Nobody { ORPHAN_RETRIES } else { RETRIES };
        if self.timers.retransmits > 0 && self.waited_for(env, retries, RTO_MIN_NS) {
            return self.fail(io, Errno::ETIMEDOUT);
        }
        if self.timers.retransmits == 0 {
            self.timers.resending_since = env.now;
        }
        self.timers.retransmits += 1;
        self.timers.backoff += 1;
        self.resend_all(env, io);
        self.timers.resend_at = self.next_resend(env);
        Duty::Nothing
    }

    fn resend_and_wait_plainly(&mut self, env: &mut Env, io: &mut Io) {
        self.resend(env, io, self.snd.una);
        self.timers.resend_at = env.now.saturating_add_nanos(self.timers.rto_ns());
    }

    /// Whether as much time has passed as `retries` doubling timeouts from `base_ns` on take, or as `TCP_USER_TIMEOUT` allows.
    fn waited_for(&self, env: &Env, retries: u32, base_ns: u64) -> bool {
        let waited = env.now.duration_since(self.timers.resending_since);
        if !self.options.user_timeout.is_zero() {
            return waited >= self.options.user_timeout;
        }
        waited >= Duration::from_nanos(hypothetical_wait_ns(retries, base_ns))
    }

    /// The window is shut and nothing is under way: asks for an acknowledgement that tells it (RFC 9293, section 3.8.6.1).
    fn probe_window(&mut self, env: &mut Env, io: &mut Io) -> Duty {
        if self.timers.probes == 0 {
            self.timers.resending_since = env.now;
        }
        let orphan = self.owner == Owner::Nobody;
        let retries = if orphan { ORPHAN_RETRIES } else { RETRIES };
        let silent =
            !self.options.user_timeout.is_zero() && self.waited_for(env, retries, RTO_MIN_NS);
        // A peer that answers and never reads may keep a program waiting, but not the kernel.
        let abandoned = orphan && self.timers.backed_off_ns() >= RTO_MAX_NS;
        if abandoned || (self.timers.probes > 0 && (self.timers.probes >= retries || silent)) {
            return self.fail(io, Errno::ETIMEDOUT);
        }
        self.timers.probes += 1;
        self.timers.backoff += 1;
        self.probe(env, io);
        self.timers.resend_at = self.next_resend(env);
        Duty::Nothing
    }

    /// Sends a segment that the peer must answer: it repeats a number long acknowledged.
    fn probe(&mut self, env: &mut Env, io: &mut Io) {
        self.emit(env, io, self.snd.una - 1, Flags::ACK, Payload::new());
    }

    /// Starts or stops keepalive, as `SO_KEEPALIVE` says.
    pub(crate) fn set_keepalive(&mut self, env: &Env) {
        let connected =
            self.state.takes_data() || matches!(self.state, State::FinWait1 | State::FinWait2);
        self.timers.keepalive_at = match self.options.keep_alive && connected {
            true => env.now.saturating_add(self.options.keep_idle),
            false => Instant::MAX,
        };
    }

    fn keepalive_due(&mut self, env: &mut Env, io: &mut Io) -> Duty {
        if !self.options.keep_alive || !self.state.owes_reset() {
            return Duty::Nothing;
        }
        if self.snd.in_flight() || self.snd.buffer.unsent() > 0 {
            // Retransmission and window probes are proof enough; pending data defeats keepalive.
            self.timers.keepalive_at = env.now.saturating_add(self.options.keep_idle);
            return Duty::Nothing;
        }
        let idle_until = self.timers.heard_at.saturating_add(self.options.keep_idle);
        if env.now < idle_until {
            self.timers.keepalive_at = idle_until;
            return Duty::Nothing;
        }
        let silence = env.now.duration_since(self.timers.heard_at);
        let timed_out = match self.options.user_timeout.is_zero() {
            true => self.timers.probes >= self.options.keep_count,
            false => self.timers.probes > 0 && silence >= self.options.user_timeout,
        };
        if timed_out {
            self.emit(env, io, self.snd.nxt, Flags::RST | Flags::ACK, Payload::new());
            return self.fail(io, Errno::ETIMEDOUT);
        }
        self.timers.probes += 1;
        self.probe(env, io);
        self.timers.keepalive_at = env.now.saturating_add(self.options.keep_interval);
        Duty::Nothing
    }
}

/// How long `retries` timeouts take that double from `base_ns` up to the greatest (tcp(7), tcp_retries2).
fn hypothetical_wait_ns(retries: u32, base_ns: u64) -> u64 {
    let doubling = retries.min((RTO_MAX_NS / base_ns).ilog2());
    ((2 << doubling) - 1) * base_ns + u64::from(retries - doubling) * RTO_MAX_NS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_are_those_of_the_manual() {
        assert_eq!(hypothetical_wait_ns(15, RTO_MIN_NS), 924_600 * MS);
        assert_eq!(hypothetical_wait_ns(3, RTO_MIN_NS), 3 * S);
        assert_eq!(hypothetical_wait_ns(6, RTO_INITIAL_NS), 127 * S);
    }

    #[test]
    fn the_timeout_follows_the_round_trip_and_its_variation() {
        let mut timers = Timers::new();
        assert_eq!(timers.rto_ns(), RTO_INITIAL_NS);
        (0..100).for_each(|_| timers.sample(50 * MS));
        assert_eq!(timers.rto_ns() / MS, 250);
        timers.sample(1050 * MS);
        assert!(timers.rto_ns() > 1000 * MS, "{}", timers.rto_ns());
    }
}
