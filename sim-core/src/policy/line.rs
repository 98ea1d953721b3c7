//! An order of a policy's own over the members, by rank.

use crate::members::Place;
use std::collections::BTreeMap;

/// Members by rank. Equal ranks are told apart by when they joined, so every key is unique.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    by_rank: BTreeMap<(u64, u64), Place>,
    rank_of: BTreeMap<Place, (u64, u64)>,
    joined: u64,
}

impl Line {
    /// Enters a member; of equal ranks the earlier comes first.
    pub(super) fn enter(&mut self, place: Place, rank: u64) {
        self.joined += 1;
        self.insert(place, (rank, self.joined));
    }

    fn insert(&mut self, place: Place, rank: (u64, u64)) {
        self.by_rank.insert(rank, place);
        self.rank_of.insert(place, rank);
    }

    /// Takes a member out: its rank.
    pub(super) fn leave(&mut self, place: Place) -> u64 {
        let rank = self.rank_of.remove(&place).expect("every member has a rank");
        let removed = self.by_rank.remove(&rank);
        assert!(removed == Some(place), "every member stands in the line");
        rank.0
    }

    /// A member has another place.
    pub(super) fn moved(&mut self, from: Place, to: Place) {
        let rank = self.rank_of.remove(&from).expect("only a member moves");
        self.insert(to, rank);
    }

    /// The least rank, and whose it is.
    pub(super) fn least(&self) -> Option<(u64, Place)> {
        self.by_rank.first_key_value().map(|(&(rank, _), &place)| (rank, place))
    }
}
