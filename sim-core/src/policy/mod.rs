//! Scheduling policies: which of the enabled actors runs next.
//!
//! A policy is told who joins and leaves, if it wants to know, and picks one when there is more than
//! one. It draws from a private stream of its own; its answers, not its draws, are what a log keeps,
//! so a run replays without the policy that made it.

mod delay;
mod fair;
mod fifo;
mod kind;
mod lesson;
mod line;
mod numbers;
mod pct;
mod pos;
mod priority;
mod random;
mod ranks;
mod sticky;
mod surw;
#[cfg(test)]
mod tests;
mod urw;
mod weights;

pub use delay::Delay;
pub use fair::Fair;
pub use fifo::Fifo;
pub use kind::{POLICY_NAMES, PolicyError, PolicyKind};
pub use lesson::{Census, Counted, Lesson, Touched};
pub use pct::Pct;
pub use pos::Pos;
pub use priority::Priority;
pub use random::Random;
pub use sticky::Sticky;
pub use surw::Surw;
pub use urw::Urw;

use crate::choice::Path;
use crate::members::{Member, Members, Place};
use crate::object::Object;
use core::fmt;

/// Picks who runs next.
pub trait Policy {
    /// Its name, as on the command line.
    fn name(&self) -> &'static str;

    /// Whether it keeps something of its own, and must hear who joins, leaves, runs and is charged.
    fn watches(&self) -> bool {
        false
    }

    /// Whether it needs no base order: members are kept in a pool, from which [`Members::draw`] takes any.
    fn draws(&self) -> bool {
        false
    }

    /// `parent` has spawned `actor`.
    fn born(&mut self, _actor: Path, _parent: Path) {}

    /// `member` could run now.
    fn joined(&mut self, _place: Place, _member: &Member) {}

    /// The member at `place` has the turn, or can no longer run.
    fn left(&mut self, _place: Place) {}

    /// A member has another place than before.
    fn moved(&mut self, _from: Place, _to: Place) {}

    /// An event of `actor` happens: it touches `object`.
    fn ran(&mut self, _actor: Path, _object: Object) {}

    /// The actor at `path` used `cost_ns` of virtual time.
    fn charged(&mut self, _path: Path, _cost_ns: u64) {}

    /// Picks one of at least two members.
    fn pick(&mut self, members: &Members) -> Place;

    /// `actor`, which has the turn, is about to touch `object`: picks one of at least one member that runs before, or nobody.
    fn pick_or_stay(&mut self, _members: &Members, _actor: Path, _object: Object) -> Option<Place> {
        None
    }
}

/// A policy in its place. The two that every search uses are called directly, others through a table.
pub enum PolicyBox {
    /// First in, first out.
    Fifo(Fifo),
    /// A random walk.
    Random(Random),
    /// Any other, and how many choices it makes at most: one that may starve an actor hands over to a random walk then.
    Other(Box<dyn Policy>, Option<u64>),
}

impl fmt::Debug for PolicyBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PolicyBox {
    fn inner(&mut self) -> &mut dyn Policy {
        match self {
            Self::Fifo(policy) => policy,
            Self::Random(policy) => policy,
            Self::Other(policy, _) => &mut **policy,
        }
    }

    fn shared(&self) -> &dyn Policy {
        match self {
            Self::Fifo(policy) => policy,
            Self::Random(policy) => policy,
            Self::Other(policy, _) => &**policy,
        }
    }

    /// The choice after which it hands over to a fair one; `None` if it is fair itself.
    #[must_use]
    pub fn unfair_until(&self) -> Option<u64> {
        match self {
            Self::Fifo(_) | Self::Random(_) => None,
            Self::Other(_, unfair_until) => *unfair_until,
        }
    }
}

impl Policy for PolicyBox {
    fn name(&self) -> &'static str {
        self.shared().name()
    }

    fn watches(&self) -> bool {
        self.shared().watches()
    }

    fn draws(&self) -> bool {
        self.shared().draws()
    }

    fn born(&mut self, actor: Path, parent: Path) {
        self.inner().born(actor, parent);
    }

    fn joined(&mut self, place: Place, member: &Member) {
        self.inner().joined(place, member);
    }

    fn left(&mut self, place: Place) {
        self.inner().left(place);
    }

    fn moved(&mut self, from: Place, to: Place) {
        self.inner().moved(from, to);
    }

    fn ran(&mut self, actor: Path, object: Object) {
        self.inner().ran(actor, object);
    }

    fn charged(&mut self, path: Path, cost_ns: u64) {
        self.inner().charged(path, cost_ns);
    }

    #[inline(always)]
    fn pick(&mut self, members: &Members) -> Place {
        match self {
            Self::Fifo(policy) => policy.pick(members),
            Self::Random(policy) => policy.pick(members),
            Self::Other(policy, _) => policy.pick(members),
        }
    }

    fn pick_or_stay(&mut self, members: &Members, actor: Path, object: Object) -> Option<Place> {
        self.inner().pick_or_stay(members, actor, object)
    }
}
