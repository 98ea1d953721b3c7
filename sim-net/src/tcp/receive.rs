//! The receiving side: the window, reassembly, and when to acknowledge (RFC 9293 section 3.8.6, RFC 1122 section 4.2.3.2).
//!
//! What holds between calls: the right edge of the window never goes back (`tcp_shrink_window` = 0),
//! and what waits out of order lies beyond `nxt` and before that edge.

use super::{Connection, State};
use crate::buffer::ReceiveBuffer;
use crate::payload::Payload;
use crate::stack::Io;
use sim_core::backend::{Readiness, RecvFlags};
use sim_core::{Env, Errno, Result};
use sim_time::Instant;
use std::collections::BTreeMap;

/// How long an acknowledgement may wait for data to go with it.
pub(crate) const DELAYED_ACK_NS: u64 = 40_000_000;
/// How many acknowledgements are sent at once at the beginning of a connection.
const QUICK_ACKS: u8 = 16;
/// The largest buffer that automatic tuning gives a reader who keeps up (`tcp_rmem`).
const MAX_TUNED_BYTES: u32 = 6_291_456;
/// The least segment length the peer is taken to use.
const MIN_MSS_BYTES: u32 = 536;

#[derive(Debug)]
pub(crate) struct Receiving {
    /// The next number expected (RCV.NXT).
    pub(crate) nxt: u64,
    /// `nxt` as last acknowledged.
    pub(crate) acked: u64,
    /// The right edge of the window as last told.
    pub(crate) edge: u64,
    pub(crate) buffer: ReceiveBuffer,
    /// What waits out of order. Apart and made when needed, since most connections never see any.
    ahead: Option<Box<Ahead>>,
    /// An acknowledgement is due with the end of this step.
    pub(crate) ack_now: bool,
    /// Acknowledgements still to be sent at once.
    quick: u8,
    /// The program answers what it reads: acknowledgements travel with the answers (`pingpong`).
    pub(crate) interactive: bool,
    /// Data sent before then answers the data last received.
    pub(crate) interactive_until: Instant,
    /// The length of the peer's full segments, as seen.
    peer_mss: u32,
    /// Bytes read since the buffer last grew.
    read_since_growth: u64,
}

/// What has come before its turn.
#[derive(Debug, Default)]
struct Ahead {
    /// Segments beyond `nxt`, by their first number.
    segments: BTreeMap<u64, Payload>,
    /// The number of a FIN at `nxt` or beyond.
    fin: Option<u64>,
}

impl Receiving {
    pub(crate) fn new() -> Self {
        Self {
            nxt: 0,
            acked: 0,
            edge: 0,
            buffer: ReceiveBuffer::default(),
            ahead: None,
            ack_now: false,
            quick: QUICK_ACKS,
            interactive: false,
            interactive_until: Instant::ZERO,
            peer_mss: MIN_MSS_BYTES,
            read_since_growth: 0,
        }
    }

    /// The peer's SYN had this number.
    pub(crate) fn start(&mut self, irs: u64) {
        (self.nxt, self.acked, self.edge) = (irs + 1, irs + 1, irs + 1);
    }

    /// Whether nothing waits out of order.
    #[inline]
    pub(crate) fn is_contiguous(&self) -> bool {
        self.ahead.is_none()
    }

    /// Drops what waits out of order: nothing will fill the holes.
    pub(crate) fn clear_ahead(&mut self) {
        self.ahead = None;
    }

    /// The window to tell, for a buffer of `capacity` bytes of data; moves the edge.
    ///
    /// While less than half is free, the window opens only for a full segment (RFC 9293, section
    /// 3.8.6.2.2: silly windows), so a reader that dribbles does not make the sender dribble.
    #[inline]
    pub(crate) fn tell_window(&mut self, capacity: u32, mss: u32) -> u32 {
        self.edge = self.edge.max(self.nxt + u64::from(self.open_window(capacity, mss)));
        (self.edge - self.nxt) as u32
    }

    fn open_window(&self, capacity: u32, mss: u32) -> u32 {
        let free = capacity.saturating_sub(self.buffer.len() as u32);
        if free < capacity / 2 && free < mss.min(capacity) { 0 } else { free }
    }

    fn window_left(&self) -> u32 {
        (self.edge - self.nxt) as u32
    }
}

/// Bytes of data that a receive buffer of `bytes` holds: a quarter is taken up by headers.
pub(crate) const fn data_capacity(bytes: u32) -> u32 {
    bytes - bytes / 4
}

impl Connection {
    /// Takes received bytes (recv(2)): 0 is the end of the stream.
    pub(crate) fn recv(
        &mut self,
        env: &mut Env,
        io: &mut Io,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<usize> {
        if self.state == State::Listen {
            return Err(Errno::ENOTCONN);
        }
        if self.rcv.buffer.len() == 0 {
            return self.nothing_to_read();
        }
        if flags.peek {
            return Ok(self.rcv.buffer.peek(into));
        }
        let read = self.rcv.buffer.read(into);
        self.after_read(env, io, read);
        Ok(read)
    }

    fn nothing_to_read(&mut self) -> Result<usize> {
        if self.ended {
            return Ok(0);
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        match self.state {
            _ if self.shut.read => Ok(0),
            State::Closed => Err(Errno::ENOTCONN),
            _ => Err(Errno::EAGAIN),
        }
    }

    /// Tells the peer of the space that reading has freed, when it is worth a segment.
    #[inline]
    fn after_read(&mut self, env: &mut Env, io: &mut Io, read: usize) {
        if self.state == State::Closed {
            return;
        }
        self.tune(read);
        let capacity = data_capacity(self.options.receive_buffer);
        let ack_waits = self.timers.delack_at != Instant::MAX;
        let drained = self.rcv.buffer.len() == 0 && !self.rcv.interactive;
        let mut due =
            ack_waits && (drained || self.rcv.nxt - self.rcv.acked > u64::from(self.rcv.peer_mss));
        let left = self.rcv.window_left();
        if !due && !self.shut.read && left <= capacity / 2 {
            let open = self.rcv.open_window(capacity, self.snd.mss);
            due = open > 0 && open >= left.saturating_mul(2);
        }
        if due {
            self.acknowledge(env, io);
            self.arm(io);
        }
    }

    /// Doubles the buffer of a reader that has read a buffer's worth, unless the program fixed its size.
    fn tune(&mut self, read: usize) {
        if self.options.receive_buffer_fixed || self.options.receive_buffer >= MAX_TUNED_BYTES {
            return;
        }
        self.rcv.read_since_growth += read as u64;
        if self.rcv.read_since_growth >= u64::from(self.options.receive_buffer) {
            self.rcv.read_since_growth = 0;
            self.options.receive_buffer = (self.options.receive_buffer * 2).min(MAX_TUNED_BYTES);
        }
    }

    /// Takes in the payload of the segment that is next in order; what stays behind means nothing.
    #[inline]
    pub(crate) fn take_in_order(&mut self, env: &Env, io: &mut Io, payload: &mut Payload) {
        let len = payload.len() as u32;
        self.rcv.nxt += u64::from(len);
        self.rcv.buffer.take(payload);
        self.rcv.peer_mss = self.rcv.peer_mss.max(len).min(self.snd.mss);
        self.schedule_ack(env);
        self.rcv.interactive_until = env.now.saturating_add_nanos(DELAYED_ACK_NS);
        self.wake(io, Readiness::IN);
    }

    /// Decides when what was received is acknowledged.
    #[inline]
    fn schedule_ack(&mut self, env: &Env) {
        let quick = self.rcv.quick > 0 && !self.rcv.interactive;
        if quick || self.rcv.nxt - self.rcv.acked > u64::from(self.rcv.peer_mss) {
            self.rcv.ack_now = true;
        } else if self.timers.delack_at == Instant::MAX {
            self.timers.delack_at = env.now.saturating_add_nanos(DELAYED_ACK_NS);
        }
    }

    /// Whether acknowledgements do not wait for answers (`TCP_QUICKACK`, tcp(7)).
    pub(crate) const fn has_quick_ack(&self) -> bool {
        !self.rcv.interactive
    }

    /// Lets acknowledgements wait for answers or not, until the program's own behaviour changes that. One that waits is sent.
    pub(crate) fn set_quick_ack(&mut self, env: &mut Env, io: &mut Io, on: bool) {
        self.rcv.interactive = !on;
        let is_open = matches!(self.state, State::Established | State::CloseWait);
        if on && is_open && self.timers.delack_at != Instant::MAX {
            self.acknowledge(env, io);
        }
    }

    /// A segment that carries an acknowledgement has been sent.
    #[inline]
    pub(crate) fn ack_sent(&mut self) {
        self.rcv.acked = self.rcv.nxt;
        self.rcv.ack_now = false;
        self.rcv.quick = self.rcv.quick.saturating_sub(1);
        self.timers.delack_at = Instant::MAX;
    }

    /// Takes in the data and FIN of an acceptable segment, in order or not; whether a FIN came in order.
    pub(crate) fn take_data(
        &mut self,
        env: &Env,
        io: &mut Io,
        seq: u64,
        payload: Payload,
        fin: bool,
    ) -> bool {
        let end = seq + payload.len() as u64;
        let in_order = seq <= self.rcv.nxt && (end > self.rcv.nxt || (fin && end == self.rcv.nxt));
        if in_order {
            let mut new = self.trim(seq, payload);
            if !new.is_empty() {
                self.take_in_order(env, io, &mut new);
            }
            self.join_ahead(env, io);
        } else {
            // Both a repeated and an early segment are answered at once, so that the peer learns where we are.
            self.rcv.ack_now = true;
            self.keep_ahead(seq, payload);
        }
        if fin && end <= self.rcv.edge && end >= self.rcv.nxt {
            self.rcv.ahead.get_or_insert_default().fin = Some(end);
        }
        let Some(ahead) = &self.rcv.ahead else { return false };
        self.rcv.ack_now |= !ahead.segments.is_empty();
        ahead.fin == Some(self.rcv.nxt)
    }

    /// The part of a segment that is new and fits the window.
    fn trim(&self, seq: u64, mut payload: Payload) -> Payload {
        let old = self.rcv.nxt.saturating_sub(seq).min(payload.len() as u64);
        payload.advance(old as usize);
        let room = self.rcv.edge.saturating_sub(seq.max(self.rcv.nxt));
        payload.truncate(payload.len().min(room as usize));
        payload
    }

    fn keep_ahead(&mut self, seq: u64, payload: Payload) {
        let payload = self.trim(seq, payload);
        if payload.is_empty() || seq <= self.rcv.nxt {
            return;
        }
        let kept = self.rcv.ahead.get_or_insert_default().segments.entry(seq).or_default();
        if kept.len() < payload.len() {
            *kept = payload;
        }
    }

    /// Moves what has become contiguous out of the waiting segments.
    fn join_ahead(&mut self, env: &Env, io: &mut Io) {
        while let Some(ahead) = &mut self.rcv.ahead
            && let Some(first) = ahead.segments.first_entry()
            && *first.key() <= self.rcv.nxt
        {
            let (seq, payload) = first.remove_entry();
            let mut new = self.trim(seq, payload);
            if !new.is_empty() {
                self.take_in_order(env, io, &mut new);
            }
        }
        if self
            .rcv
            .ahead
            .as_ref()
            .is_some_and(|ahead| ahead.segments.is_empty() && ahead.fin.is_none())
        {
            self.rcv.ahead = None;
        }
    }
}
