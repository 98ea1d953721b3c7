//! When two failures are the same.

use sim_core::simtrace::normalise;

/// What makes a failure the one it is: its oracle, what it says, and where.
///
/// Numbers differ from one find of a failure to the next (a balance, a port, an address), so they are no part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    kind: String,
    message: String,
    place: Option<String>,
}

impl Identity {
    /// The identity of a failure of this kind, with this message, at this place of the source where one is known.
    #[must_use]
    pub fn new(kind: &str, message: &str, place: Option<&str>) -> Self {
        Self { kind: kind.to_owned(), message: normalise(message), place: place.map(str::to_owned) }
    }

    /// The same wherever it stands: places move with every edit above them.
    #[must_use]
    pub fn anywhere(self) -> Self {
        Self { place: None, ..self }
    }

    /// Whether another failure is this one.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let same_place = match (&self.place, &other.place) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        self.kind == other.kind && self.message == other.message && same_place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_do_not_count_and_places_do_where_both_are_known() {
        let failure = |message, place| Identity::new("panic", message, place);
        let found = failure("left: 99 at 0x7f12", Some("a.rs:1:2"));
        assert!(found.is(&failure("left: 3 at 0x9", Some("a.rs:1:2"))));
        assert!(!found.is(&failure("left: 3 at 0x9", Some("a.rs:2:2"))));
        assert!(found.clone().anywhere().is(&failure("left: 3 at 0x9", Some("a.rs:2:2"))));
        assert!(!found.is(&failure("right: 3 at 0x9", Some("a.rs:1:2"))));
        assert!(!found.is(&Identity::new("error", "left: 99 at 0x7f12", Some("a.rs:1:2"))));
    }
}
