//! The trace: what happened in a run, by those who own the state that changed.
//!
//! - Always: a rolling fingerprint over every event, a schedule hash over the order of actors alone,
//!   and a ring of the most recent events. That is all a search pays for.
//! - On demand, for a replay: every event, the lines that the program logged, and asides: who woke whom, where in the
//!   source an actor stood.
//!
//! Whether events are kept changes no choice, and log lines and asides are never part of a fingerprint. An
//! event holds names, ordinals, virtual time, lengths and hashes; never an address, a type id, a
//! line number or an absolute path.

mod aside;
mod call;
mod codec;
mod diff;
mod event;
mod hash;
mod probe;

pub use aside::Aside;
pub use call::Call;
pub use codec::TraceError;
pub use diff::{Divergence, first_divergence};
pub use event::{Event, Kind};
pub use hash::payload_hash;
pub use probe::Probe;

use crate::choice::{Answered, Choices, Names, Path, mix};
use crate::errno::Errno;
use core::fmt;
use core::panic::Location;
use hash::Rolling;
use probe::Probes;
use sim_time::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// How many recent events the ring keeps.
pub const RECENT_EVENTS: usize = 256;

/// The hash of all events of a run: equal for equal (binary, configuration, choice log).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// The fingerprint of a run whose choices were answered so.
    #[must_use]
    pub const fn with(self, answers: u64) -> Self {
        Self(mix::join(self.0, answers))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A line that the program logged, with where it stood among the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How many events had happened before.
    pub after: u64,
    /// When, in true time of the world.
    pub at: Instant,
    /// The task that wrote it.
    pub task: Path,
    /// Level, target, spans and message.
    pub text: String,
}

/// Something not modelled that the program asked for, or another remark a reader of the outcome must see.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// What, as a sentence with advice.
    pub text: String,
}

/// What is kept of a run that somebody will read.
#[derive(Debug, Default)]
struct Full {
    events: Vec<Event>,
    lines: Vec<LogLine>,
    asides: Vec<Aside>,
    /// The turns of which a reader wants to know where in the source they ended.
    wanted: BTreeSet<(Path, u32)>,
    /// The objects that were used, with the number of each.
    objects: BTreeMap<u64, u64>,
}

impl Full {
    #[cold]
    fn keep(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// So many events have room from the beginning: those of a few hosts that start.
const RING_MIN: usize = 16;

/// The events of one run.
#[derive(Debug)]
pub struct Trace {
    rolling: Rolling,
    count: u64,
    /// The most recent events. It grows to its size with the first of them: most worlds of a search are small.
    ring: Vec<Event>,
    full: Option<Box<Full>>,
    notices: Vec<Notice>,
    probes: Probes,
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

impl Trace {
    /// A trace without events, which keeps the most recent ones only.
    #[must_use]
    pub fn new() -> Self {
        Self {
            rolling: Rolling::new(),
            count: 0,
            ring: Vec::with_capacity(RING_MIN),
            full: None,
            notices: Vec::new(),
            probes: Probes::default(),
        }
    }

    /// Keeps every event and log line from now on.
    pub fn keep_all(&mut self) {
        self.full = Some(Box::default());
    }

    /// Whether every event is kept; if not, a log line need not be formatted.
    #[must_use]
    pub fn keeps_all(&self) -> bool {
        self.full.is_some()
    }

    /// Notes an event. Inlined by force: a turn notes one or more, and out of line an event would be written down twice.
    #[inline(always)]
    pub fn event(&mut self, event: Event) {
        self.rolling.event(&event);
        match self.ring.get_mut(self.count as usize % RECENT_EVENTS) {
            Some(place) => *place = event,
            None => self.ring.push(event),
        }
        self.count += 1;
        if let Some(full) = &mut self.full {
            full.keep(event);
        }
    }

    /// Notes that `actor` has the turn, for the schedule hash.
    #[inline]
    pub fn turn(&mut self, actor: Path, ordinal: u32) {
        self.rolling.turn(actor.to_bits(), ordinal);
    }

    /// Notes a line that the program logged. It changes no fingerprint.
    pub fn line(&mut self, at: Instant, task: Path, text: String) {
        if let Some(full) = &mut self.full {
            full.lines.push(LogLine { after: self.count, at, task, text });
        }
    }

    /// Asks for the places in the source at which these turns end, of a run that keeps every event.
    pub fn want_places(&mut self, turns: BTreeSet<(Path, u32)>) {
        if let Some(full) = &mut self.full {
            full.wanted = turns;
        }
    }

    /// Whether somebody wants to know where in the source this turn of an actor ends.
    #[inline]
    #[must_use]
    pub fn wants_place(&self, path: Path, turn: u32) -> bool {
        self.full.as_ref().is_some_and(|full| full.wanted.contains(&(path, turn)))
    }

    /// Notes that `by` made `whom` ready.
    #[inline]
    pub fn woke(&mut self, by: Path, whom: Path) {
        if let Some(full) = &mut self.full {
            full.asides.push(Aside::Woke { after: self.count, by, whom });
        }
    }

    /// Notes where the source spawned an actor; `place` is only built where somebody will read it.
    pub fn spawned(&mut self, actor: Path, place: impl FnOnce() -> String) {
        if let Some(full) = &mut self.full {
            full.asides.push(Aside::Spawned { actor, place: place() });
        }
    }

    /// Notes that an actor used an object that others may use too; `object` tells it from others while the run lasts.
    pub fn touched(&mut self, actor: Path, kind: &str, object: u64) {
        if let Some(full) = &mut self.full {
            // Counted by first use: what the program calls it may be an address, which is not the same in another run.
            let next = full.objects.len() as u64;
            let object = *full.objects.entry(object).or_insert(next);
            let (after, kind) = (self.count, kind.to_owned());
            full.asides.push(Aside::Touched { after, actor, kind, object });
        }
    }

    /// Whether a place of any turn is asked for.
    #[inline]
    #[must_use]
    pub fn wants_places(&self) -> bool {
        self.full.as_ref().is_some_and(|full| !full.wanted.is_empty())
    }

    /// Notes where in the source an actor stands in a turn. The last word about a turn counts.
    pub fn stood(&mut self, actor: Path, turn: u32, place: String) {
        let about = |aside: &&mut Aside| matches!(aside, Aside::Stood { actor: a, turn: t, .. } if (*a, *t) == (actor, turn));
        let Some(full) = &mut self.full else { return };
        match full.asides.iter_mut().rev().find(about) {
            Some(Aside::Stood { place: known, .. }) => *known = place,
            _ => full.asides.push(Aside::Stood { actor, turn, place }),
        }
    }

    /// Notes a remark for the outcome; the same remark is kept once.
    pub fn notice(&mut self, text: impl Into<String>) {
        let notice = Notice { text: text.into() };
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    /// The remarks so far.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Notes that the run has come by the probe `message`, which was `reached` or not. It changes no fingerprint.
    pub fn probe(&mut self, message: &str, place: &Location<'_>, reached: bool) {
        self.probes.note(message, place, reached);
    }

    /// The probes that the run has come by, ordered by message.
    #[must_use]
    pub fn probes(&self) -> &[Probe] {
        self.probes.as_slice()
    }

    /// How many events happened.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The fingerprint so far.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.rolling.events())
    }

    /// The hash of the order of actors so far: equal schedules, whatever else differed.
    #[must_use]
    pub fn schedule_hash(&self) -> Fingerprint {
        Fingerprint(self.rolling.schedule())
    }

    /// The most recent events, oldest first, with their numbers.
    pub fn recent(&self) -> impl Iterator<Item = (u64, &Event)> {
        let kept = self.count.min(RECENT_EVENTS as u64);
        (self.count - kept..self.count)
            .map(|number| (number, &self.ring[number as usize % RECENT_EVENTS]))
    }

    /// Every event since [`Trace::keep_all`], with the log lines.
    #[must_use]
    pub fn into_recorded(self, choices: &Choices) -> Option<Recorded> {
        let Full { events, lines, asides, .. } = *self.full?;
        let (answered, names) = (choices.answered(), choices.names.clone());
        Some(Recorded { events, lines, asides, answered, names })
    }
}

/// A whole execution: every event, every log line, and the names to read them by.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The events in order.
    pub events: Vec<Event>,
    /// The program's log lines in order.
    pub lines: Vec<LogLine>,
    /// What else a reader wants to know, in order.
    pub asides: Vec<Aside>,
    /// The choices that were not dull, in order, where they were recorded too.
    pub answered: Vec<Answered>,
    /// The texts of the paths that occur.
    pub names: Names,
}

impl Recorded {
    /// One line for event `number`; see [`describe`].
    #[must_use]
    pub fn line(&self, number: usize) -> String {
        describe(number as u64, &self.events[number], &self.names)
    }
}

/// One line for an event: number, time, actor, and what happened in the words of its kind.
#[must_use]
pub fn describe(number: u64, event: &Event, names: &Names) -> String {
    let Event { at, kind, actor, object, len, data } = event;
    let (name, actor) = (kind.name(), names.text(*actor));
    let what = match kind {
        Kind::Call => match (Call::from_number(*object), *data) {
            (Some(call), 0) => format!("{} = {len}", call.name()),
            (Some(call), errno) => format!("{} = {}", call.name(), Errno::from_raw(errno as u16)),
            (None, _) => format!("{name} {object} = {len}"),
        },
        Kind::Complete if *data != 0 => format!("{name} {}", Errno::from_raw(*data as u16)),
        Kind::Send | Kind::Deliver | Kind::Complete => format!("{name} #{object} of {len} B"),
        Kind::Drop => {
            let why = ["loss", "cut", "no such host", "queue full"].get(*data as usize);
            format!("{name} #{object} of {len} B: {}", why.unwrap_or(&"unknown"))
        }
        Kind::End => {
            let how = ["completed", "cancelled", "panicked"].get(*object as usize);
            String::from(*how.unwrap_or(&"ended"))
        }
        Kind::Poll | Kind::Spawn | Kind::Timer | Kind::KernelTimer => format!("{name} #{object}"),
        _ => format!("{name} {object} len={len} data={data:x}"),
    };
    format!("{number} {at} {actor} {what}")
}

impl fmt::Display for Recorded {
    /// Events and log lines in the order in which they happened.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.lines.iter().peekable();
        for number in 0..=self.events.len() {
            while let Some(line) = lines.next_if(|line| line.after == number as u64) {
                writeln!(f, "- {} {} {}", line.at, self.names.text(line.task), line.text)?;
            }
            if number < self.events.len() {
                writeln!(f, "{}", self.line(number))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Log;

    fn event(object: u64) -> Event {
        Event {
            at: Instant::from_nanos(5),
            kind: Kind::Poll,
            actor: Path::WORLD,
            object,
            len: 0,
            data: 0,
        }
    }

    #[test]
    fn the_fingerprint_sees_order_and_every_field() {
        let print = |events: &[Event]| {
            let mut trace = Trace::new();
            events.iter().for_each(|&event| trace.event(event));
            trace.fingerprint()
        };
        let base = print(&[event(1), event(2)]);
        assert_eq!(base, print(&[event(1), event(2)]));
        assert_ne!(base, print(&[event(2), event(1)]));
        for changed in [
            Event { at: Instant::from_nanos(6), ..event(2) },
            Event { kind: Kind::Timer, ..event(2) },
            Event { actor: Path::WORLD.child("a", 0), ..event(2) },
            Event { len: 1, ..event(2) },
            Event { data: 1, ..event(2) },
        ] {
            assert_ne!(base, print(&[event(1), changed]), "{changed:?}");
        }
    }

    #[test]
    fn the_ring_keeps_the_last() {
        let mut trace = Trace::new();
        (0..1000).for_each(|n| trace.event(event(n)));
        let recent: Vec<u64> = trace.recent().map(|(_, event)| event.object).collect();
        assert_eq!(recent, (1000 - RECENT_EVENTS as u64..1000).collect::<Vec<_>>());
    }

    #[test]
    fn log_lines_change_no_fingerprint() {
        let (mut with, mut without) = (Trace::new(), Trace::new());
        with.keep_all();
        with.line(Instant::ZERO, Path::WORLD, String::from("hello"));
        with.event(event(0));
        without.event(event(0));
        assert_eq!(with.fingerprint(), without.fingerprint());
        assert!(
            with.into_recorded(&Choices::replay(&Log::default()))
                .unwrap()
                .to_string()
                .starts_with("- 0.000000000s / hello\n0 ")
        );
    }
}
