//! Invariants: what must hold after every step of a simulated run.
//!
//! The engine hands them out like a future that is to be polled: they are the program's code, and run while nothing is borrowed. With none
//! registered a turn pays nothing, since they are asked for where the engine looks besides turns. The first
//! that does not hold ends the run.

use super::{Failure, FailureKind, Runtime, current, panics};
use crate::trace::describe;
use core::fmt;
use core::panic::Location;

/// A condition that must hold after every step.
pub(super) struct Invariant {
    name: Box<str>,
    place: &'static Location<'static>,
    holds: Box<dyn FnMut() -> bool>,
}

impl fmt::Debug for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invariant({})", self.name)
    }
}

/// Has `holds` evaluated after every step from now on, until the run ends. It must change nothing.
///
/// Outside a runtime, and on the operating system, it is dropped unasked.
#[track_caller]
pub fn invariant(name: impl Into<Box<str>>, holds: impl FnMut() -> bool + 'static) {
    let invariant =
        Invariant { name: name.into(), place: Location::caller(), holds: Box::new(holds) };
    let mut invariant = Some(invariant);
    current::try_with(|runtime| {
        if runtime.time_is_virtual && !runtime.inert {
            runtime.invariants.extend(invariant.take());
            runtime.call_for_a_look();
        }
    });
    // What was not taken is the program's, and dropped after the borrow.
    drop(invariant);
}

/// Evaluates all until one does not hold. Nothing is borrowed.
pub(super) fn evaluate(invariants: &mut [Invariant]) -> Option<Failure> {
    invariants.iter_mut().find_map(Invariant::broken)
}

impl Invariant {
    fn broken(&mut self) -> Option<Failure> {
        let name = &self.name;
        let message = match panics::catch(|| (self.holds)()) {
            Ok(true) => return None,
            Ok(false) => format!("invariant broken: {name}"),
            Err(payload) => {
                let text = panics::message(payload.as_ref()).to_owned();
                // The payload is the program's, and its drop may panic as well.
                panics::catch(move || drop(payload)).unwrap_or_default();
                format!("invariant broken: {name}: {text}")
            }
        };
        let mut failure = Failure::new(FailureKind::Assertion, message);
        failure.location = Some(self.place.to_string());
        Some(failure)
    }
}

impl Runtime {
    /// The invariants, if they were not evaluated since the last step.
    pub(super) fn unchecked(&mut self) -> Option<Vec<Invariant>> {
        let is_due = !self.invariants.is_empty()
            && self.checked_at != Some(self.steps)
            && self.failure.is_none();
        is_due.then(|| {
            self.checked_at = Some(self.steps);
            core::mem::take(&mut self.invariants)
        })
    }

    /// Takes them back, with those that were registered meanwhile, and notes the one that is broken.
    pub(super) fn settle_checked(
        &mut self,
        mut invariants: Vec<Invariant>,
        broken: Option<Failure>,
    ) {
        invariants.append(&mut self.invariants);
        self.invariants = invariants;
        if let Some(failure) = broken {
            let last = self.env.trace.recent().last();
            let names = &self.env.choices.names;
            let last = last.map(|(number, event)| describe(number, event, names));
            let details = last.map(|event| format!("after {event}\n")).unwrap_or_default();
            self.fail(failure.with_details(details));
        }
    }
}
