//! Time as a value: instants, a timer wheel and the clocks of a simulated host.
//!
//! Nothing in this crate asks what time it is. Every function takes the time as an argument and
//! answers from its own state alone, so that a run which is repeated gets the same answers to the
//! nanosecond, and so that a simulated year of idleness costs as little as a simulated nanosecond.
//!
//! Read in this order:
//!
//! 1. [`instant`]: [`Instant`], the one true time of a world, counted from its start. Everything
//!    that is ordered is ordered by it.
//! 2. [`wall`]: [`WallTime`], what a calendar shows. It can be set back, so nothing is ordered by
//!    it.
//! 3. [`wheel`]: [`Wheel`], which holds what is to happen at an instant and gives it back in order:
//!    earliest first, and what was inserted first among equals.
//! 4. [`clock`]: [`ClockModel`], how one host's clocks tell a time that is not quite the true one:
//!    too fast, too slow, or stepped by somebody.
//!
//! The four together, as an engine uses them:
//!
//! ```
//! use sim_time::{ClockModel, Instant, WallTime, Wheel};
//!
//! // A host whose clocks run 50 ppm too fast has been up for a minute.
//! let mut clock = ClockModel::new(Instant::ZERO, 60_000_000_000, WallTime::UNIX_EPOCH);
//! clock.set_drift(Instant::ZERO, 50_000);
//!
//! // Its program sleeps for one second by its own clock, which is a little less than one second.
//! let deadline = clock.true_instant_of_monotonic(61_000_000_000);
//! let mut timers = Wheel::new();
//! timers.insert(deadline, "sleeper");
//!
//! // Nothing else is going on, so time jumps to the next deadline.
//! let now = timers.next_deadline().unwrap();
//! assert_eq!(now.to_string(), "0.999950003s");
//! assert_eq!(timers.pop_due(now).map(|(_, _, who)| who), Some("sleeper"));
//! assert_eq!(clock.monotonic_ns(now), 61_000_000_000);
//! ```
#![forbid(unsafe_code)]

pub mod instant;

pub mod wall;

pub mod wheel;

pub mod clock;

mod text;

pub use clock::ClockModel;
pub use instant::Instant;
pub use wall::WallTime;
pub use wheel::{Key, Wheel};
