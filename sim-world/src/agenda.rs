//! The agenda: what will happen, by its instant.
//!
//! An entry stays in one place from the day it is planned until it has run; the queue and the enabled
//! set hold its number. When its instant comes it joins the enabled set, where a policy may let
//! others go first. Segments of one connection do not overtake one another there: the second waits
//! in the chain of the first, because a reordering network is a fault that the fabric decides, not an
//! accident of scheduling.

use crate::line::Line;
use crate::table::DescriptionId;
use core::cmp::Ordering;
use sim_core::choice::Path;
use sim_core::enabled::{EnabledSet, Member, Runnable};
use sim_core::{Env, EventId, HostId, OpId};
use sim_net::{Body, Packet, SocketId};
use sim_time::Instant;
use std::collections::{BinaryHeap, VecDeque};

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Planned {
    /// A packet arrives at a host.
    Arrival(HostId, Box<Packet>),
    /// A socket's kernel timer runs out.
    SocketTimer(HostId, SocketId),
    /// A socket learns that nobody answers for the address it sends to.
    NoRoute(HostId, SocketId),
    /// A submitted operation takes effect and completes.
    Completion(OpId),
    /// A timer that a program holds expires, unless it was set anew since it had this number of plans.
    TimerFd(DescriptionId, u32),
}

#[derive(Debug)]
struct Entry {
    /// `None` while the place is free.
    planned: Option<Planned>,
    path: Path,
    ordinal: u32,
    /// Whether it is a segment, which waits for those of its connection that came before.
    in_order: bool,
    /// The entry of the same connection that waits behind this one.
    behind: Option<u32>,
}

/// An entry's place in the queue: by its instant, and among equals in the order of planning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    at: Instant,
    order: u64,
    entry: u32,
}

impl Ord for Due {
    /// The other way round, since a [`BinaryHeap`] gives the greatest first.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialOrd for Due {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Entries by their instants.
///
/// Not a wheel, which pays for taking entries out before their time: nothing that is planned here is ever
/// taken back, and a kernel timer that no longer counts comes due and finds nothing to do. Links of one
/// latency are passed in the order of departures, so most arrivals need no sorting: they wait in a line of
/// their own, and only what would come before the last of the line goes into the heap.
#[derive(Debug, Default)]
struct Queue {
    line: VecDeque<Due>,
    heap: BinaryHeap<Due>,
}

impl Queue {
    /// Puts an entry in. Only what `may_line` joins the line: one far timer there would keep every arrival out.
    #[inline]
    fn push(&mut self, due: Due, may_line: bool) {
        if may_line && self.line.back().is_none_or(|last| last.at <= due.at) {
            self.line.push_back(due);
        } else {
            self.heap.push(due);
        }
    }

    /// When the next entry is due.
    #[inline]
    fn next(&self) -> Option<Instant> {
        match (self.line.front(), self.heap.peek()) {
            (Some(line), Some(heap)) => Some(line.at.min(heap.at)),
            (line, heap) => line.or(heap).map(|next| next.at),
        }
    }

    /// Takes out the next entry, if it is due at `now`.
    #[inline]
    fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let Some(heap) = self.heap.peek().filter(|heap| heap.at <= now) else {
            return self.line.pop_front_if(|line| line.at <= now).map(|line| line.entry);
        };
        let line = self.line.front().filter(|line| line.at <= now);
        // The heap's order is reversed: what comes first is the greatest.
        match line.filter(|line| *line > heap).map(|line| line.entry) {
            Some(entry) => {
                self.line.pop_front();
                Some(entry)
            }
            None => self.heap.pop().map(|heap| heap.entry),
        }
    }
}

/// Fewer arrivals than this are of few connections.
const CROWD: usize = 128;

/// What will happen.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    queue: Queue,
    /// How many entries were ever planned.
    planned: u64,
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// The connections with an arrival in the enabled set, and the last of its chain.
    line: Line,
    /// Entries whose predecessor has run: they join at the next admission.
    unblocked: Vec<u32>,
}

impl Agenda {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Plans something for the instant `at`. Its name is (`path`, `ordinal`).
    #[inline]
    pub(crate) fn plan(
        &mut self,
        env: &mut Env,
        at: Instant,
        planned: Planned,
        path: Path,
        ordinal: u32,
    ) {
        let (arrives, in_order) = match &planned {
            Planned::Arrival(_, packet) => (true, matches!(packet.body, Body::Tcp(_))),
            _ => (false, false),
        };
        let entry = Entry { planned: Some(planned), path, ordinal, in_order, behind: None };
        let index = match self.free.pop() {
            Some(index) => {
                self.entries[index as usize] = entry;
                index
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        self.queue.push(Due { at, order: self.planned, entry: index }, arrives);
        self.planned += 1;
        env.due = env.due.min(at);
    }

    /// The arrivals that will probably be due next and after that, with their hosts; nobody's if few are under way, since those
    /// lie in the nearer caches.
    #[inline]
    pub(crate) fn soon(&self) -> [Option<(HostId, &Packet)>; 2] {
        if self.queue.line.len() < CROWD {
            return [None; 2];
        }
        [0, 1].map(|nth| match &self.entries[self.queue.line.get(nth)?.entry as usize].planned {
            Some(Planned::Arrival(host, packet)) => Some((*host, &**packet)),
            _ => None,
        })
    }

    /// What is due joins the enabled set.
    #[inline]
    pub(crate) fn admit(&mut self, env: &mut Env, enabled: &mut EnabledSet) {
        if !self.unblocked.is_empty() {
            self.admit_unblocked(enabled);
        }
        while let Some(entry) = self.queue.pop_due(env.now) {
            if !self.waits_in_line(entry) {
                self.enable(entry, enabled);
            }
        }
        env.due = self.queue.next().unwrap_or(Instant::MAX);
    }

    #[cold]
    fn admit_unblocked(&mut self, enabled: &mut EnabledSet) {
        let mut unblocked = core::mem::take(&mut self.unblocked);
        unblocked.drain(..).for_each(|index| self.enable(index, enabled));
        self.unblocked = unblocked;
    }

    /// Whether `index` is a segment of a connection that has one in the enabled set already.
    #[inline]
    fn waits_in_line(&mut self, index: u32) -> bool {
        let entry = &self.entries[index as usize];
        if !entry.in_order {
            return false;
        }
        match self.line.join(entry.path, index) {
            Some(before) => {
                self.entries[before as usize].behind = Some(index);
                true
            }
            None => false,
        }
    }

    #[inline]
    fn enable(&self, index: u32, enabled: &mut EnabledSet) {
        let entry = &self.entries[index as usize];
        let runnable = Runnable::Event(EventId(u64::from(index)));
        enabled.insert(Member::new(runnable, entry.path, entry.ordinal));
    }

    /// Takes an entry that has the turn.
    #[inline]
    pub(crate) fn take(&mut self, env: &mut Env, event: EventId) -> Planned {
        let index = event.0 as u32;
        let entry = &mut self.entries[index as usize];
        if entry.in_order {
            match entry.behind {
                Some(behind) => {
                    self.unblocked.push(behind);
                    env.due = env.now;
                }
                None => self.line.leave(entry.path),
            }
        }
        self.free.push(index);
        entry.planned.take().expect("an event runs once")
    }

    /// When the next thing is planned for.
    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.queue.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Against an ordered map: by instant, and among equals in the order of planning, wherever an entry waits.
    #[test]
    fn the_queue_is_in_order_of_instants_and_then_of_planning() {
        let (mut queue, mut model) = (Queue::default(), BTreeMap::new());
        let (mut state, mut now) = (1_u64, 0_u64);
        let mut lined = 0;
        for order in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = Instant::from_nanos(now + (state >> 33) % 8);
            let may_line = state >> 60 & 3 != 0;
            queue.push(Due { at, order, entry: order as u32 }, may_line);
            model.insert((at, order), order as u32);
            lined = lined.max(queue.line.len());
            if state >> 40 & 3 == 0 {
                now += 1 + (state >> 50 & 3);
                assert_eq!(queue.next(), model.first_key_value().map(|((at, _), _)| *at));
                while let Some(entry) = queue.pop_due(Instant::from_nanos(now)) {
                    let ((due, _), expected) = model.pop_first().expect("the model has as many");
                    assert!(due.as_nanos() <= now && entry == expected);
                }
                assert!(model.first_key_value().is_none_or(|((at, _), _)| at.as_nanos() > now));
            }
        }
        assert!(lined > 3, "some entries wait in the line, or only the heap was tested");
    }
}
