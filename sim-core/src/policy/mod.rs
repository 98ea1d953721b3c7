//! Scheduling policies: which of the enabled actors runs next.
//!
//! A policy is told who joins and leaves, if it wants to know, and picks one when there is more than
//! one. It draws from a private stream of its own; its answers, not its draws, are what a log keeps,
//! so a run replays without the policy that made it.

mod fair;
mod fifo;
mod line;
mod pct;
mod priority;
mod random;

pub use fair::Fair;
pub use fifo::Fifo;
pub use pct::Pct;
pub use priority::Priority;
pub use random::Random;

use crate::choice::{Draws, Path};
use crate::members::{Member, Members, Place};
use core::fmt;
use core::str::FromStr;

/// Picks who runs next.
pub trait Policy {
    /// Its name, as on the command line.
    fn name(&self) -> &'static str;

    /// Whether it keeps an order of its own, and must hear who joins, leaves and is charged.
    fn watches(&self) -> bool {
        false
    }

    /// Whether it draws with [`Members::draw`] and needs no base order.
    fn draws(&self) -> bool {
        false
    }

    /// `member` could run now.
    fn joined(&mut self, _place: Place, _member: &Member) {}

    /// `member` has the turn, or can no longer run.
    fn left(&mut self, _place: Place, _member: &Member) {}

    /// A member has another place than before.
    fn moved(&mut self, _from: Place, _to: Place) {}

    /// The actor at `path` used `cost_ns` of virtual time.
    fn charged(&mut self, _path: Path, _cost_ns: u64) {}

    /// Picks one of at least two members.
    fn pick(&mut self, members: &Members) -> Place;
}

/// A policy in its place. The two that every search uses are called directly, others through a table.
pub enum PolicyBox {
    /// First in, first out.
    Fifo(Fifo),
    /// A random walk.
    Random(Random),
    /// Any other.
    Other(Box<dyn Policy>),
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
            Self::Other(policy) => &mut **policy,
        }
    }
}

impl Policy for PolicyBox {
    fn name(&self) -> &'static str {
        match self {
            Self::Fifo(policy) => policy.name(),
            Self::Random(policy) => policy.name(),
            Self::Other(policy) => policy.name(),
        }
    }

    fn watches(&self) -> bool {
        match self {
            Self::Fifo(policy) => policy.watches(),
            Self::Random(policy) => policy.watches(),
            Self::Other(policy) => policy.watches(),
        }
    }

    fn draws(&self) -> bool {
        match self {
            Self::Fifo(policy) => policy.draws(),
            Self::Random(policy) => policy.draws(),
            Self::Other(policy) => policy.draws(),
        }
    }

    fn joined(&mut self, place: Place, member: &Member) {
        self.inner().joined(place, member);
    }

    fn left(&mut self, place: Place, member: &Member) {
        self.inner().left(place, member);
    }

    fn moved(&mut self, from: Place, to: Place) {
        self.inner().moved(from, to);
    }

    fn charged(&mut self, path: Path, cost_ns: u64) {
        self.inner().charged(path, cost_ns);
    }

    #[inline(always)]
    fn pick(&mut self, members: &Members) -> Place {
        match self {
            Self::Fifo(policy) => policy.pick(members),
            Self::Random(policy) => policy.pick(members),
            Self::Other(policy) => policy.pick(members),
        }
    }
}

/// A policy's name with its argument, as on the command line: `random`, `pct:3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PolicyKind {
    /// First in, first out: what a plain single-threaded executor does.
    #[default]
    Fifo,
    /// Any of them with equal chance.
    Random,
    /// The most urgent level first; waiting makes urgent.
    Priority,
    /// Whoever has used the least virtual time.
    Fair,
    /// Random priorities with `depth` - 1 random points of change (PCT, Burckhardt et al., ASPLOS 2010).
    Pct {
        /// The depth of bug that is found with the guaranteed probability; at least 1.
        depth: u32,
    },
}

/// The names that [`PolicyKind`] reads.
pub const POLICY_NAMES: [&str; 5] = ["fifo", "random", "priority", "fair", "pct"];

impl PolicyKind {
    /// The policy itself. `steps` is how many choices a run is expected to make; points of change are drawn below it.
    #[must_use]
    pub fn build(self, draws: Draws, steps: u32) -> PolicyBox {
        match self {
            Self::Fifo => PolicyBox::Fifo(Fifo),
            Self::Random => PolicyBox::Random(Random::new(draws)),
            Self::Priority => PolicyBox::Other(Box::new(Priority::new())),
            Self::Fair => PolicyBox::Other(Box::new(Fair::new())),
            Self::Pct { depth } => PolicyBox::Other(Box::new(Pct::new(depth, steps, draws))),
        }
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fifo => f.write_str("fifo"),
            Self::Random => f.write_str("random"),
            Self::Priority => f.write_str("priority"),
            Self::Fair => f.write_str("fair"),
            Self::Pct { depth } => write!(f, "pct:{depth}"),
        }
    }
}

/// Why a text names no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    text: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = POLICY_NAMES.join(", ");
        write!(
            f,
            "'{}' is not a strategy: give one of {names} (pct takes a depth, as in pct:3)",
            self.text
        )
    }
}

impl core::error::Error for PolicyError {}

impl FromStr for PolicyKind {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let refuse = || PolicyError { text: text.to_owned() };
        match text.split_once(':') {
            None if text == "fifo" => Ok(Self::Fifo),
            None if text == "random" => Ok(Self::Random),
            None if text == "priority" => Ok(Self::Priority),
            None if text == "fair" => Ok(Self::Fair),
            None if text == "pct" => Ok(Self::Pct { depth: 3 }),
            Some(("pct", depth)) => depth
                .parse()
                .ok()
                .filter(|&depth| depth > 0)
                .map(|depth| Self::Pct { depth })
                .ok_or_else(refuse),
            _ => Err(refuse()),
        }
    }
}
