//! Why two executions of the same choices may differ, the likeliest cause first.

use crate::exit::Stop;
use sim_core::trace::{Divergence, Event, Recorded, first_divergence};
use std::fs;
use std::path::Path;

const HASH_ORDER: &str =
    "the order of a HashMap or HashSet: use BTreeMap, BTreeSet or a fixed hasher";
const CLOCK: &str = "std::time::Instant::now or SystemTime::now: use the clock of sim::time";
const ADDRESS: &str = "an address that was printed, hashed or compared: use an id";
const THREAD: &str = "a thread of the operating system, or its id: use a task";
const ENTROPY: &str = "entropy from outside: use the generator of sim";

/// What is known about the circumstances of a divergence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Circumstance {
    /// The first run of a process against a later one.
    EarlierRuns,
    /// Undeclared variables.
    Variables,
    /// The working directory.
    Folder,
    /// The name of the thread.
    ThreadName,
    /// Nothing but the process and the time of day.
    Nothing,
}

/// Where two executions part, and in what.
#[derive(Clone, Debug)]
pub(crate) struct Parted {
    pub(crate) divergence: Divergence,
    differs: Differs,
}

/// What differs in the first event that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Differs {
    /// Who acted, or what was done, or one execution had ended.
    Order,
    /// Nothing but the time.
    Time,
    /// Lengths or contents.
    Content,
}

/// Compares two executions.
pub(crate) fn compare(left: &Recorded, right: &Recorded) -> Option<Parted> {
    let divergence = first_divergence(left, right)?;
    let at = usize::try_from(divergence.event).unwrap_or(usize::MAX);
    let differs = left
        .events
        .get(at)
        .zip(right.events.get(at))
        .map_or(Differs::Order, |(a, b)| differs(a, b));
    Some(Parted { divergence, differs })
}

fn differs(left: &Event, right: &Event) -> Differs {
    let doing = |event: &Event| (event.actor, event.kind, event.object);
    match doing(left) == doing(right) {
        false => Differs::Order,
        true if left.at != right.at => Differs::Time,
        true => Differs::Content,
    }
}

/// Reads a trace that a worker wrote.
pub(crate) fn read(path: &Path) -> Result<Recorded, Stop> {
    let bytes = fs::read(path)
        .map_err(|error| Stop::defect(format!("a worker left no trace of its run: {error}")))?;
    Recorded::from_bytes(&bytes).map_err(|error| {
        Stop::usage(format!(
            "a worker's trace cannot be read: {error}: use equal versions of sim and cargo-sim"
        ))
    })
}

/// The likely causes in one sentence, the likeliest first.
pub(crate) fn hint(circumstance: Circumstance, parted: Option<&Parted>) -> String {
    match circumstance {
        Circumstance::EarlierRuns => String::from(
            "a static or thread-local that survives a run, such as a counter, cache or lazy value: keep state in the world, or reset it",
        ),
        Circumstance::Variables => {
            String::from("an environment variable is read: pass what it says as an argument")
        }
        Circumstance::Folder => {
            String::from("the working directory is used: name files from CARGO_MANIFEST_DIR")
        }
        Circumstance::ThreadName => {
            String::from("the name of the thread is used: name tasks instead")
        }
        Circumstance::Nothing => ranked(parted.map(|parted| parted.differs)).join("; else "),
    }
}

/// Causes ordered by what differs in the first event that does.
fn ranked(differs: Option<Differs>) -> &'static [&'static str] {
    match differs {
        Some(Differs::Time) => &[CLOCK, THREAD, HASH_ORDER],
        Some(Differs::Content) => &[CLOCK, ADDRESS, HASH_ORDER, ENTROPY],
        Some(Differs::Order) | None => &[HASH_ORDER, THREAD, CLOCK, ADDRESS],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::Env;
    use sim_core::choice::{Choices, Path as Actor, Seed};
    use sim_core::trace::Kind;
    use std::time::Duration;

    fn recorded(events: &[Event]) -> Recorded {
        Recorded { events: events.to_vec(), ..Recorded::default() }
    }

    /// The likeliest cause, where the second events of two executions are these.
    fn first(left: Event, right: Event) -> &'static str {
        let shared = event();
        let parted = compare(&recorded(&[shared, left]), &recorded(&[shared, right])).unwrap();
        assert_eq!(parted.divergence.event, 1);
        ranked(Some(parted.differs))[0]
    }

    fn event() -> Event {
        let at = Env::new(Choices::seeded(Seed::default())).now;
        Event { at, kind: Kind::Poll, actor: Actor::WORLD, object: 1, len: 0, data: 0 }
    }

    #[test]
    fn what_differs_first_ranks_the_causes() {
        let base = event();
        assert_eq!(first(base, Event { actor: Actor::WORLD.child("b", 0), ..base }), HASH_ORDER);
        assert_eq!(first(base, Event { kind: Kind::Timer, ..base }), HASH_ORDER);
        let later = base.at.saturating_add(Duration::from_nanos(1));
        assert_eq!(first(base, Event { at: later, ..base }), CLOCK);
        assert_eq!(first(base, Event { data: 9, ..base }), CLOCK);
        assert!(compare(&recorded(&[base]), &recorded(&[base])).is_none());
        let ended = compare(&recorded(&[base, base]), &recorded(&[base])).unwrap();
        assert_eq!(ended.differs, Differs::Order);
        assert_eq!(ranked(None)[0], HASH_ORDER);
    }
}
