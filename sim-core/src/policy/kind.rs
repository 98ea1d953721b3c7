//! Policies by name, as on the command line.

use super::{Delay, Fair, Fifo, Lesson, Pct, PolicyBox, Pos, Priority, Random, Sticky, Surw, Urw};
use crate::choice::Choices;
use core::fmt;
use core::str::FromStr;

/// A policy's name with its argument, as on the command line: `random`, `pct:3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PolicyKind {
    /// First in, first out: what a plain single-threaded executor does.
    #[default]
    Fifo,
    /// Any of them with equal chance.
    Random,
    /// A random walk that stays with whoever ran last, but for one choice in `one_in`.
    Sticky {
        /// At least 1.
        one_in: u32,
    },
    /// The most urgent level first; waiting makes urgent.
    Priority,
    /// Whoever has used the least virtual time.
    Fair,
    /// Random priorities with `depth` - 1 random points of change (PCT, Burckhardt et al., ASPLOS 2010).
    Pct {
        /// The depth of bug that is found with the guaranteed probability; at least 1.
        depth: u32,
    },
    /// Random priorities of events, dealt anew to those who race (partial order sampling, Yuan et al., CAV 2018).
    Pos,
    /// A walk that is uniform over interleavings if the counts are right (URW, Zhao et al., ASPLOS 2025).
    Urw,
    /// The same for the events on one object that is drawn per run (SURW, Zhao et al., ASPLOS 2025); [`PolicyKind::Urw`] where no object is shared.
    Surw,
    /// First in, first out, but for `delays` random choices at which the first is skipped (Emmi et al., POPL 2011).
    Delay {
        /// How many.
        delays: u32,
    },
}

/// The names that [`PolicyKind`] reads.
pub const POLICY_NAMES: [&str; 10] =
    ["fifo", "random", "sticky", "priority", "fair", "pct", "pos", "urw", "surw", "delay"];

/// An unfair policy makes so many choices at least before it hands over,
const UNFAIR_MIN: u64 = 10_000;
/// and so many times as many as the lesson has counted.
const UNFAIR_TIMES: u64 = 10;

impl PolicyKind {
    /// The policy itself, for a program of which `lesson` is known.
    #[must_use]
    pub fn build(self, choices: &Choices, lesson: &Lesson) -> PolicyBox {
        let draws = || choices.policy_draws();
        let steps = lesson.choices;
        let unfair = Some(UNFAIR_MIN.max(u64::from(steps) * UNFAIR_TIMES));
        match self {
            Self::Fifo => PolicyBox::Fifo(Fifo),
            Self::Random => PolicyBox::Random(Random::new(draws())),
            Self::Priority => PolicyBox::Other(Box::new(Priority::new()), None),
            Self::Fair => PolicyBox::Other(Box::new(Fair::new()), None),
            Self::Sticky { one_in } => {
                PolicyBox::Other(Box::new(Sticky::new(one_in, draws())), unfair)
            }
            Self::Pct { depth } => {
                PolicyBox::Other(Box::new(Pct::new(depth, steps, draws())), unfair)
            }
            Self::Pos => PolicyBox::Other(Box::new(Pos::new(draws())), unfair),
            Self::Urw => PolicyBox::Other(Box::new(Urw::new(lesson, draws())), unfair),
            Self::Surw => match Surw::new(lesson, draws()) {
                Some(policy) => PolicyBox::Other(Box::new(policy), unfair),
                None => Self::Urw.build(choices, lesson),
            },
            // It runs out of delays, and is first in, first out then.
            Self::Delay { delays } => {
                PolicyBox::Other(Box::new(Delay::new(delays, steps, draws())), None)
            }
        }
    }

    /// Whether it does better if it knows what the first run of its batch did.
    #[must_use]
    pub const fn learns(self) -> bool {
        !matches!(self, Self::Fifo | Self::Random | Self::Priority | Self::Fair)
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fifo => f.write_str("fifo"),
            Self::Random => f.write_str("random"),
            Self::Priority => f.write_str("priority"),
            Self::Fair => f.write_str("fair"),
            Self::Pos => f.write_str("pos"),
            Self::Urw => f.write_str("urw"),
            Self::Surw => f.write_str("surw"),
            Self::Sticky { one_in } => write!(f, "sticky:{one_in}"),
            Self::Pct { depth } => write!(f, "pct:{depth}"),
            Self::Delay { delays } => write!(f, "delay:{delays}"),
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
            "'{}' is not a strategy: give one of {names} (with a number above 0: sticky:8 switches at one choice in 8, \
             pct:3 has the depth 3, delay:2 skips twice)",
            self.text
        )
    }
}

impl core::error::Error for PolicyError {}

impl FromStr for PolicyKind {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, argument.parse().ok().filter(|&number| number > 0)),
            None => (text, None),
        };
        let kind = match (name, argument) {
            ("sticky", number) => Some(Self::Sticky { one_in: number.unwrap_or(8) }),
            ("pct", number) => Some(Self::Pct { depth: number.unwrap_or(3) }),
            ("delay", number) => Some(Self::Delay { delays: number.unwrap_or(2) }),
            ("fifo", None) => Some(Self::Fifo),
            ("random", None) => Some(Self::Random),
            ("priority", None) => Some(Self::Priority),
            ("fair", None) => Some(Self::Fair),
            ("pos", None) => Some(Self::Pos),
            ("urw", None) => Some(Self::Urw),
            ("surw", None) => Some(Self::Surw),
            _ => None,
        };
        // An argument that was given is a good one, and not given to a policy that takes none.
        let is_read = argument.is_some() || !text.contains(':');
        kind.filter(|_| is_read).ok_or_else(|| PolicyError { text: text.to_owned() })
    }
}
