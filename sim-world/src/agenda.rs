//! The agenda: what will happen, by its instant.
//!
//! An entry stays in one place from the day it is planned until it has run; the wheel and the enabled
//! set hold its number. When its instant comes it joins the enabled set, where a policy may let
//! others go first. Segments of one connection do not overtake one another there: the second waits
//! in the chain of the first, because a reordering network is a fault that the fabric decides, not an
//! accident of scheduling.

use sim_core::choice::Path;
use sim_core::enabled::{EnabledSet, Member, Runnable};
use sim_core::{Env, EventId, HostId, OpId};
use sim_net::{Body, Packet, SocketId};
use sim_time::{Instant, Wheel};
use std::collections::BTreeMap;

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Planned {
    /// A packet arrives at a host.
    Arrival(HostId, Packet),
    /// A socket's kernel timer runs out.
    SocketTimer(HostId, SocketId),
    /// A socket learns that nobody answers for the address it sends to.
    NoRoute(HostId, SocketId),
    /// A submitted operation takes effect and completes.
    Completion(OpId),
}

#[derive(Debug)]
struct Entry {
    /// `None` while the place is free.
    planned: Option<Planned>,
    path: Path,
    ordinal: u32,
    /// The entry of the same connection that waits behind this one.
    behind: Option<u32>,
}

/// What will happen.
#[derive(Debug)]
pub(crate) struct Agenda {
    wheel: Wheel<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// The connections with an arrival in the enabled set, and the last of its chain.
    in_line: BTreeMap<Path, u32>,
    /// Entries whose predecessor has run: they join at the next admission.
    unblocked: Vec<u32>,
}

impl Agenda {
    pub(crate) fn new() -> Self {
        Self {
            wheel: Wheel::new(),
            entries: Vec::new(),
            free: Vec::new(),
            in_line: BTreeMap::new(),
            unblocked: Vec::new(),
        }
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
        let entry = Entry { planned: Some(planned), path, ordinal, behind: None };
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
        self.wheel.insert(at, index);
        env.due = env.due.min(at);
    }

    /// What is due joins the enabled set.
    #[inline]
    pub(crate) fn admit(&mut self, env: &mut Env, enabled: &mut EnabledSet) {
        for index in core::mem::take(&mut self.unblocked) {
            self.enable(index, enabled);
        }
        while let Some((_, _, index)) = self.wheel.pop_due(env.now) {
            if !self.waits_in_line(index) {
                self.enable(index, enabled);
            }
        }
        env.due = self.wheel.next_deadline().unwrap_or(Instant::MAX);
    }

    /// Whether `index` is a segment of a connection that has one in the enabled set already.
    fn waits_in_line(&mut self, index: u32) -> bool {
        let entry = &self.entries[index as usize];
        if !matches!(&entry.planned, Some(Planned::Arrival(_, packet)) if matches!(packet.body, Body::Tcp(_)))
        {
            return false;
        }
        match self.in_line.insert(entry.path, index) {
            Some(before) => {
                self.entries[before as usize].behind = Some(index);
                true
            }
            None => false,
        }
    }

    fn enable(&self, index: u32, enabled: &mut EnabledSet) {
        let entry = &self.entries[index as usize];
        let runnable = Runnable::Event(EventId(u64::from(index)));
        enabled.insert(Member { runnable, path: entry.path, ordinal: entry.ordinal, level: 0 });
    }

    /// Takes an entry that has the turn.
    #[inline]
    pub(crate) fn take(&mut self, env: &mut Env, event: EventId) -> Planned {
        let index = event.0 as u32;
        let entry = &mut self.entries[index as usize];
        let planned = entry.planned.take().expect("an event runs once");
        match entry.behind.take() {
            Some(behind) => {
                self.unblocked.push(behind);
                env.due = env.now;
            }
            None if matches!(&planned, Planned::Arrival(_, packet) if matches!(packet.body, Body::Tcp(_))) =>
            {
                self.in_line.remove(&entry.path);
            }
            None => {}
        }
        self.free.push(index);
        planned
    }

    /// When the next thing is planned for.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.wheel.next_deadline()
    }
}
