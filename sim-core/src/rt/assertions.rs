//! What assertions, probes and provoked faults of the program's own ask of the run they stand in.
//!
//! Each answers in the dull way outside a simulated run: nothing is noted, nothing fires. So the code that carries them may be what
//! is shipped.

use super::{Failure, FailureKind, Runtime, current};
use crate::choice::{Path, Ratio, Site, Stream, name_hash};
use core::panic::Location;
use core::task::Poll;
use std::collections::BTreeMap;

/// Whether a place is active in this run.
const ACTIVE: Site = Site::new("app.buggify.active");
/// Whether it fires this time.
const FIRE: Site = Site::new("app.buggify.fire");
/// In how many runs a place is active.
const ACTIVE_RATIO: Ratio = Ratio::new(1, 4);

/// Ends the simulated run that the caller is in, if it is in one, as a failed assertion.
pub fn assertion_failed(message: &str, details: &str, place: &Location<'_>) {
    current::try_with(|runtime| {
        if runtime.time_is_virtual {
            let failure = Failure::new(FailureKind::Assertion, message);
            let mut failure = failure.with_details(details.to_owned());
            failure.location = Some(place.to_string());
            runtime.fail(failure);
        }
    });
}

/// The caller has come by the probe `message`, and it was `reached` or not.
#[track_caller]
pub fn probe(message: &str, reached: bool) {
    let place = Location::caller();
    current::try_with(|runtime| {
        if runtime.time_is_virtual {
            runtime.env.trace.probe(message, place, reached);
        }
    });
}

/// Whether the fault at `place` of the caller's code is provoked now. It is active in a quarter of the runs, and fires there with the probability
/// `ratio`; each actor asks for itself. Never outside a simulated run, and where [`RuntimeConfig::buggify`](super::RuntimeConfig::buggify) is off.
#[must_use]
pub fn buggify(place: &'static str, ratio: Ratio) -> bool {
    let fires = |runtime: &mut Runtime| runtime.time_is_virtual && runtime.buggify(place, ratio);
    current::try_with(fires).unwrap_or(false)
}

/// The tail of a simulated run begins, in which nothing stands in the way of what is to happen in the end: every actor has its turns, whatever the
/// policy, and whoever makes trouble ends it ([`poll_tail`]). Nothing elsewhere.
pub fn begin_tail() {
    current::try_with(|runtime| {
        if !runtime.time_is_virtual || runtime.in_tail {
            return;
        }
        runtime.in_tail = true;
        runtime.enabled.be_fair(&runtime.env.choices);
        if let Some(driver) = runtime.tail_waiter.take() {
            runtime.wake(driver);
        }
    });
}

/// Whether the tail has begun. If not, the running task is woken when it does; one task can wait for that.
///
/// # Panics
/// Outside a runtime.
pub fn poll_tail() -> Poll<()> {
    current::with(|runtime| match runtime.in_tail {
        true => Poll::Ready(()),
        false => {
            runtime.tail_waiter = runtime.current;
            Poll::Pending
        }
    })
}

/// The places that were asked, by the hash of their names.
#[derive(Debug, Default)]
pub(super) struct Provoked {
    active: BTreeMap<u64, bool>,
    fire: BTreeMap<Path, Stream>,
}

impl Runtime {
    fn buggify(&mut self, place: &'static str, ratio: Ratio) -> bool {
        let Self { env, provoked, config, .. } = self;
        let (choices, actor, hash) = (&mut env.choices, env.actor.path, name_hash(place));
        // Where it is off the question is asked all the same, of one answer: so a log of the run is replayed alike where it is on.
        let is_on = config.buggify;
        let active = *provoked.active.entry(hash).or_insert_with(|| {
            let path = Path::WORLD.child_hashed(hash, 0);
            choices.names.note(path, Path::WORLD, place, 0);
            let mut stream = choices.stream(ACTIVE, path);
            if is_on {
                choices.chance(&mut stream, ACTIVE_RATIO)
            } else {
                choices.pick(&mut stream, 1) == 1
            }
        });
        if !active {
            return false;
        }
        let path = actor.child_hashed(hash, 0);
        let stream = provoked.fire.entry(path).or_insert_with(|| {
            choices.names.note(path, actor, place, 0);
            choices.stream(FIRE, path)
        });
        choices.chance(stream, ratio)
    }
}
