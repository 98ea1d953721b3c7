//! The sending side: the window, Nagle's rule, retransmission (RFC 9293 section 3.8, RFC 6298, RFC 6582).
//!
//! What holds between calls: `una <= nxt`, and `nxt - una` is the bytes transmitted and not
//! acknowledged, plus one each for a SYN and a FIN. `nxt` never goes back; what is sent again is
//! counted by [`Recovery`]. There is no congestion window: the receiver's window alone bounds what
//! is under way, so a link with a short queue loses more than it would on Linux, and recovers.

use super::{Connection, State};
use crate::buffer::{CHUNK_BYTES, SendBuffer};
use crate::packet::Flags;
use crate::payload::{Payload, SHORT_BYTES};
use crate::stack::Io;
use core::cell::Cell;
use sim_core::backend::Readiness;
use sim_core::{Env, Errno, Result};
use sim_time::Instant;

/// The largest payload of a frame on a link of 1500 bytes, with timestamps: what Linux reports as `TCP_MAXSEG`.
pub(crate) const MSS_BYTES: u32 = 1448;
/// The same on the loopback interface, whose frames hold 64 KiB.
pub(crate) const LOOPBACK_MSS_BYTES: u32 = 65_483;
/// The least piece that a window is cut into.
const DECENT_BYTES: usize = 4096;
/// How many equal acknowledgements mean that a segment is missing (RFC 5681, section 3.2).
const DUPLICATE_ACKS: u8 = 3;

/// Where our FIN is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fin {
    /// The program may still send.
    None,
    /// Behind the data not yet transmitted.
    Queued,
    /// Transmitted; its number is `nxt - 1`.
    Sent,
}

/// What is being sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovery {
    /// All before this had been transmitted when the loss was noticed.
    until: u64,
    /// All before this has been transmitted again.
    next: u64,
    /// How many segments the next acknowledgement releases.
    burst: u32,
    /// Whether `burst` doubles with each: after a timeout everything may be missing, after equal
    /// acknowledgements only a few segments are.
    doubling: bool,
}

#[derive(Debug)]
pub(crate) struct Sending {
    /// The oldest number not acknowledged (SND.UNA).
    pub(crate) una: u64,
    /// The next number to use (SND.NXT).
    pub(crate) nxt: u64,
    /// What the peer can take from `una` on (SND.WND).
    pub(crate) wnd: u64,
    /// The segment that told it: its sequence number (SND.WL1) and its acknowledgement (SND.WL2).
    wl1: u64,
    wl2: u64,
    /// The largest window the peer ever told.
    max_wnd: u64,
    pub(crate) mss: u32,
    /// The end of the latest short segment, for Nagle's rule as Minshall narrowed it.
    short_end: u64,
    pub(crate) buffer: SendBuffer,
    pub(crate) fin: Fin,
    /// Somebody found the buffer full and is to be told of free space (`SOCK_NOSPACE`). Asking
    /// whether the socket is writable sets it too, as poll does on Linux, hence the cell.
    pub(crate) wants_room: Cell<bool>,
    duplicate_acks: u8,
    /// Apart, since most connections lose nothing.
    recovery: Option<Box<Recovery>>,
    /// A segment whose round trip is being timed: its end, and when it was sent.
    timed: Option<(u64, Instant)>,
}

impl Sending {
    pub(crate) fn new() -> Self {
        Self {
            una: 0,
            nxt: 0,
            wnd: 0,
            wl1: 0,
            wl2: 0,
            max_wnd: 0,
            mss: MSS_BYTES,
            short_end: 0,
            buffer: SendBuffer::default(),
            fin: Fin::None,
            wants_room: Cell::new(false),
            duplicate_acks: 0,
            recovery: None,
            timed: None,
        }
    }

    /// Starts at `iss`, with the SYN as the first number.
    pub(crate) fn start(&mut self, iss: u64, mss: u32) {
        *self = Self { una: iss, nxt: iss + 1, short_end: iss, mss, ..Self::new() };
    }

    /// Whether something transmitted is not acknowledged.
    pub(crate) const fn in_flight(&self) -> bool {
        self.una != self.nxt
    }

    /// Whether our FIN was transmitted and all is acknowledged.
    pub(crate) fn fin_acknowledged(&self) -> bool {
        self.fin == Fin::Sent && !self.in_flight()
    }

    /// Notes the window that a segment told, if it is the latest to have done so (RFC 9293, section 3.10.7.4).
    #[inline]
    pub(crate) fn note_window(&mut self, seq: u64, ack: u64, window: u32) {
        if self.wl1 < seq || (self.wl1 == seq && self.wl2 <= ack) {
            (self.wl1, self.wl2, self.wnd) = (seq, ack, u64::from(window));
            self.max_wnd = self.max_wnd.max(self.wnd);
        }
    }

    /// Sets the first window of a connection.
    pub(crate) fn first_window(&mut self, seq: u64, ack: u64, window: u32) {
        (self.wl1, self.wl2, self.wnd, self.max_wnd) =
            (seq, ack, u64::from(window), u64::from(window));
    }

    /// Whether `len` bytes of the program may leave as one segment at once, without a look at the queue: they are few,
    /// nothing waits or is under way, so that Nagle's rule has no say, and the window is open for all of them.
    #[inline]
    fn takes_alone(&self, len: usize) -> bool {
        len <= SHORT_BYTES
            && !self.in_flight()
            && self.buffer.len() == 0
            && self.fin == Fin::None
            && len as u64 <= self.wnd
    }

    /// How long the next new segment is to be; `None` if it must wait.
    #[inline]
    fn next_segment(&self, no_delay: bool) -> Option<usize> {
        let usable = (self.una + self.wnd).saturating_sub(self.nxt) as usize;
        let want = self.buffer.next_len();
        let len = want.min(usable);
        if len == 0 {
            return None;
        }
        // A full segment always goes; half of the largest window seen counts as full, for the peer's
        // buffer may be small (RFC 9293, section 3.8.6.2.1).
        let full = u64::from(self.mss).min(self.max_wnd / 2).max(1) as usize;
        if len >= full {
            return Some(len);
        }
        if len < want {
            // The end of the window is used up in decent pieces only.
            return (len >= full.min(DECENT_BYTES)).then_some(len);
        }
        let nagle = !no_delay && self.fin == Fin::None && self.short_end > self.una;
        (!nagle).then_some(len)
    }
}

impl Connection {
    /// Takes bytes from the program (send(2)): how many, or `EAGAIN` if there is no room for one.
    pub(crate) fn send(&mut self, env: &mut Env, io: &mut Io, data: &[u8]) -> Result<usize> {
        if !self.state.takes_data() {
            let waits = matches!(self.state, State::SynSent | State::SynReceived);
            return Err(self.error.take().unwrap_or(if waits {
                Errno::EAGAIN
            } else {
                Errno::EPIPE
            }));
        }
        if self.error.is_some() || self.shut.write {
            return Err(self.error.take().unwrap_or(Errno::EPIPE));
        }
        let room = (self.options.send_buffer as usize).saturating_sub(self.snd.buffer.len());
        if room < data.len() {
            self.snd.wants_room.set(true);
        }
        let take = room.min(data.len());
        if take == 0 {
            return if data.is_empty() { Ok(0) } else { Err(Errno::EAGAIN) };
        }
        if env.now < self.rcv.interactive_until {
            // A reply soon after data: from now on acknowledgements wait for replies (tcp(7), TCP_QUICKACK).
            self.rcv.interactive = true;
        }
        if self.snd.takes_alone(take) {
            let payload = Payload::short(&data[..take]);
            self.snd.buffer.push_transmitted(&payload);
            self.transmit_new(env, io, payload);
        } else {
            self.snd.buffer.push(&data[..take], &mut io.pool);
            self.push(env, io);
        }
        self.arm(io);
        Ok(take)
    }

    /// Whether at least a third of the send buffer is free.
    #[inline]
    pub(crate) fn is_writable(&self) -> bool {
        3 * self.snd.buffer.len() as u64 <= 2 * u64::from(self.options.send_buffer)
    }

    /// Transmits what the window and Nagle's rule let go.
    #[inline]
    pub(crate) fn push(&mut self, env: &mut Env, io: &mut Io) {
        if !self.state.transmits() {
            return;
        }
        while self.snd.buffer.unsent() > 0 {
            let Some(len) = self.snd.next_segment(self.options.no_delay) else { break };
            let payload = self.snd.buffer.transmit(len);
            self.transmit_new(env, io, payload);
        }
        if self.snd.fin == Fin::Queued && self.snd.buffer.unsent() == 0 {
            self.transmit_new(env, io, Payload::new());
        }
        if self.snd.buffer.unsent() > 0
            && !self.snd.in_flight()
            && self.timers.resend_at == Instant::MAX
        {
            // Nothing under way will bring a new window: probe for it (RFC 9293, section 3.8.6.1).
            self.timers.resend_at = env.now.saturating_add_nanos(self.timers.rto_ns());
        }
    }

    #[inline]
    fn transmit_new(&mut self, env: &mut Env, io: &mut Io, payload: Payload) {
        let (seq, len) = (self.snd.nxt, payload.len());
        let last = self.snd.fin == Fin::Queued && self.snd.buffer.unsent() == 0;
        let flags = if last { Flags::ACK | Flags::FIN } else { Flags::ACK };
        self.snd.nxt += len as u64 + u64::from(last);
        if last {
            self.snd.fin = Fin::Sent;
        }
        if (len as u32) < self.snd.mss {
            self.snd.short_end = self.snd.nxt;
        }
        if self.snd.timed.is_none() {
            self.snd.timed = Some((self.snd.nxt, env.now));
        }
        self.emit_here(env, io, seq, flags, payload);
        if self.timers.resend_at == Instant::MAX {
            self.timers.resend_at = env.now.saturating_add_nanos(self.timers.rto_ns());
        }
    }

    /// Times the SYN or SYN-ACK just sent.
    pub(crate) fn time_syn(&mut self, env: &Env) {
        self.snd.timed = Some((self.snd.nxt, env.now));
    }

    /// Transmits again, from `at` on, one segment; where it ends.
    pub(crate) fn resend(&mut self, env: &mut Env, io: &mut Io, at: u64) -> u64 {
        // An answer could be to either transmission, so neither is timed (RFC 6298, section 3: Karn).
        self.snd.timed = None;
        match self.state {
            State::SynSent => self.emit(env, io, self.snd.una, Flags::SYN, Payload::new()),
            State::SynReceived => {
                self.emit(env, io, self.snd.una, Flags::SYN | Flags::ACK, Payload::new());
            }
            _ => return self.resend_data(env, io, at),
        }
        self.snd.nxt
    }

    fn resend_data(&mut self, env: &mut Env, io: &mut Io, at: u64) -> u64 {
        let payload = self.snd.buffer.retransmit((at - self.snd.una) as usize, CHUNK_BYTES);
        let end = at + payload.len() as u64;
        let fin = self.snd.fin == Fin::Sent && end + 1 == self.snd.nxt;
        self.emit(env, io, at, if fin { Flags::ACK | Flags::FIN } else { Flags::ACK }, payload);
        end + u64::from(fin)
    }

    /// All that was transmitted may be missing: sends the first of it again, and the rest as answers come.
    pub(crate) fn resend_all(&mut self, env: &mut Env, io: &mut Io) {
        let next = self.resend(env, io, self.snd.una);
        let recovery = Recovery { until: self.snd.nxt, next, burst: 1, doubling: true };
        self.snd.recovery = Some(Box::new(recovery));
    }

    /// Takes in an acknowledgement of `una..=nxt` (RFC 9293, section 3.10.7.4, fifth).
    #[inline]
    pub(crate) fn acknowledged(
        &mut self,
        env: &mut Env,
        io: &mut Io,
        ack: u64,
        window: u32,
        bare: bool,
    ) {
        if ack == self.snd.una {
            if bare && self.snd.in_flight() && self.snd.wnd == u64::from(window) {
                self.count_duplicate(env, io);
            }
            return;
        }
        let fin_too = self.snd.fin == Fin::Sent && ack == self.snd.nxt;
        let bytes = (ack - self.snd.una) as usize - usize::from(fin_too);
        self.snd.buffer.acknowledged(bytes, &mut io.pool);
        self.snd.una = ack;
        self.snd.duplicate_acks = 0;
        self.sample_round_trip(env, ack);
        self.timers.progress(env.now, self.snd.in_flight());
        if self.snd.recovery.is_some() {
            self.go_on_recovering(env, io);
        }
        if self.snd.wants_room.get() && self.is_writable() {
            self.snd.wants_room.set(false);
            self.wake(io, Readiness::OUT);
        }
    }

    /// Ends the timing of a round trip, if `ack` covers what was timed.
    #[inline]
    pub(crate) fn sample_round_trip(&mut self, env: &Env, ack: u64) {
        if let Some((end, sent_at)) = self.snd.timed
            && ack >= end
        {
            self.snd.timed = None;
            self.timers.sample(env.now.as_nanos() - sent_at.as_nanos());
        }
    }

    fn count_duplicate(&mut self, env: &mut Env, io: &mut Io) {
        self.snd.duplicate_acks = self.snd.duplicate_acks.saturating_add(1);
        if self.snd.duplicate_acks == DUPLICATE_ACKS && self.snd.recovery.is_none() {
            let next = self.resend(env, io, self.snd.una);
            let recovery = Recovery { until: self.snd.nxt, next, burst: 1, doubling: false };
            self.snd.recovery = Some(Box::new(recovery));
        }
    }

    fn go_on_recovering(&mut self, env: &mut Env, io: &mut Io) {
        let Some(mut recovery) = self.snd.recovery.take() else { return };
        recovery.next = recovery.next.max(self.snd.una);
        if recovery.doubling {
            recovery.burst = recovery.burst.saturating_mul(2);
        } else {
            // An acknowledgement short of `until` names the next hole (RFC 6582, section 3.2).
            recovery.next = self.snd.una;
        }
        for _ in 0..recovery.burst {
            if recovery.next >= recovery.until {
                break;
            }
            recovery.next = self.resend(env, io, recovery.next);
        }
        if self.snd.una < recovery.until {
            self.snd.recovery = Some(recovery);
        }
    }
}
