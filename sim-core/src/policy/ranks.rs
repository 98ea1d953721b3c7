//! Ranks of places, and whose is the greatest: a knock-out tournament in one array.
//!
//! A leaf is a place; every inner node is the greater of its two. Setting a rank repeats the matches on the way to the root, and
//! stops at the first whose winner stays the same, so that a newcomer of middling rank costs two or three. (A heap would have
//! to find a member that leaves from the middle; a tree of maps costs ten times as much.)

use crate::members::Place;

/// The ranks of the members of a pool. A rank of 0 stands for nobody.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranks {
    /// Node 1 is the root, the children of node `n` are `2n` and `2n + 1`, and the second half are the leaves.
    nodes: Vec<u64>,
}

impl Ranks {
    fn leaves(&self) -> usize {
        self.nodes.len() / 2
    }

    /// The rank at `place`.
    #[inline]
    pub(super) fn get(&self, place: Place) -> u64 {
        self.nodes.get(self.leaves() + place.index()).copied().unwrap_or(0)
    }

    /// Gives `place` a rank, or takes it away with 0.
    #[inline]
    pub(super) fn set(&mut self, place: Place, rank: u64) {
        if place.index() >= self.leaves() {
            if rank == 0 {
                return;
            }
            self.grow(place.index());
        }
        let mut node = self.leaves() + place.index();
        self.nodes[node] = rank;
        while node > 1 {
            node /= 2;
            let winner = self.nodes[2 * node].max(self.nodes[2 * node + 1]);
            if self.nodes[node] == winner {
                return;
            }
            self.nodes[node] = winner;
        }
    }

    /// The member at `from` is at `to` now.
    #[inline]
    pub(super) fn moved(&mut self, from: Place, to: Place) {
        let rank = self.get(from);
        self.set(from, 0);
        self.set(to, rank);
    }

    /// The greatest rank, and whose it is; of equals, the one at the lowest place.
    #[inline]
    pub(super) fn greatest(&self) -> Option<(u64, Place)> {
        let rank = self.nodes.get(1).copied().filter(|&rank| rank != 0)?;
        let mut node = 1;
        while node < self.leaves() {
            node = 2 * node + usize::from(self.nodes[2 * node] != rank);
        }
        Some((rank, Place::at(node - self.leaves())))
    }

    #[cold]
    fn grow(&mut self, place: usize) {
        let leaves = (place + 1).next_power_of_two().max(16);
        let mut nodes = vec![0; 2 * leaves];
        nodes[leaves..leaves + self.leaves()].copy_from_slice(&self.nodes[self.leaves()..]);
        for node in (1..leaves).rev() {
            nodes[node] = nodes[2 * node].max(nodes[2 * node + 1]);
        }
        self.nodes = nodes;
    }
}

/// What a policy keeps of each member of a pool, by place.
#[derive(Clone, Debug)]
pub(super) struct ByPlace<T> {
    kept: Vec<T>,
    nothing: T,
}

impl<T: Copy> ByPlace<T> {
    /// `nothing` is what a place holds that was never filled.
    pub(super) const fn new(nothing: T) -> Self {
        Self { kept: Vec::new(), nothing }
    }

    /// What is kept of the member at `place`.
    #[inline]
    pub(super) fn get(&self, place: Place) -> T {
        self.kept.get(place.index()).copied().unwrap_or(self.nothing)
    }

    /// Keeps `kept` of the member at `place`.
    #[inline]
    pub(super) fn set(&mut self, place: Place, kept: T) {
        if place.index() >= self.kept.len() {
            self.kept.resize(place.index() + 1, self.nothing);
        }
        self.kept[place.index()] = kept;
    }

    /// The member at `from` is at `to` now.
    #[inline]
    pub(super) fn moved(&mut self, from: Place, to: Place) {
        let kept = self.get(from);
        self.set(to, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn agrees_with_a_map(script in proptest::collection::vec((0_usize..70, 0_u64..50), 0..300)) {
            let (mut ranks, mut model) = (Ranks::default(), BTreeMap::new());
            for (place, rank) in script {
                ranks.set(Place::at(place), rank);
                model.insert(place, rank);
                let best = model.iter().map(|(&place, &rank)| (rank, core::cmp::Reverse(place))).max();
                let best = best.filter(|(rank, _)| *rank != 0).map(|(rank, place)| (rank, Place::at(place.0)));
                prop_assert_eq!(ranks.greatest(), best);
            }
        }
    }
}
