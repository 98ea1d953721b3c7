//! What a machine of the world is lent for the time of one call: the time, the choices, the trace.
//!
//! Nothing keeps an `Env`; whoever has the turn passes it down. So a machine cannot act on its own,
//! and a test of it needs no executor.

use crate::choice::{Choices, Path};
use crate::id::{HostId, Waiter};
use crate::trace::{Event, Kind, Trace};
use sim_time::Instant;

/// Who has the turn.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    /// Its structural name.
    pub path: Path,
    /// The host it runs on.
    pub host: HostId,
    /// How many objects (sockets, files, timers) it has opened; the next one's ordinal.
    pub opened: u32,
}

impl Actor {
    /// The world itself, before any task and between them.
    pub const WORLD: Self = Self { path: Path::WORLD, host: HostId::ROOT, opened: 0 };
}

/// The time, the choices and the trace, lent for a call.
#[derive(Debug)]
pub struct Env {
    /// True time of the world.
    pub now: Instant,
    /// No event of the backend's agenda comes due before this instant. Whoever puts one there lowers it.
    pub due: Instant,
    /// All that could go otherwise.
    pub choices: Choices,
    /// All that happened.
    pub trace: Trace,
    /// Who has the turn.
    pub actor: Actor,
    /// The waiters that calls have released since the engine last looked. Nobody is woken from within a call.
    pub woken: Vec<Waiter>,
}

impl Env {
    /// The beginning of a run.
    #[must_use]
    pub fn new(choices: Choices) -> Self {
        Self {
            now: Instant::ZERO,
            due: Instant::MAX,
            choices,
            trace: Trace::new(),
            actor: Actor::WORLD,
            woken: Vec::new(),
        }
    }

    /// The path of the next object named `name` that the actor opens.
    pub fn open(&mut self, name: &str) -> Path {
        let (parent, ordinal) = (self.actor.path, self.actor.opened);
        self.actor.opened += 1;
        let path = parent.child(name, ordinal);
        self.choices.names.note(path, parent, name, ordinal);
        path
    }

    /// Notes that an actor begins its turn of this number.
    #[inline]
    pub fn begin_turn(&mut self, path: Path, ordinal: u32) {
        self.trace.turn(path, ordinal);
        self.choices.begin_turn(path, ordinal);
    }

    /// Notes an event at the present instant.
    #[inline(always)]
    pub fn event(&mut self, kind: Kind, actor: Path, object: u64, len: u64, data: u64) {
        self.trace.event(Event { at: self.now, kind, actor, object, len, data });
    }
}
