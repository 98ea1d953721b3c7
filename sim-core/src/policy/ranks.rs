//! Ranks of places, and whose is the greatest: the greatest of four each, and the greatest of those.
//!
//! A level is one array. A rank that is not the greatest of its four changes nothing above; when the greatest leaves, its four are compared. Five
//! levels do for a thousand. (A heap would have to find a member that leaves from the middle; a tree of maps costs ten times as much. Of
//! two, eight and sixteen instead of four, each takes more instructions.)

use crate::members::Place;

/// How many a knock-out is among.
const FAN: usize = 4;

/// The ranks of the members of a pool. A rank of 0 stands for nobody.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranks {
    /// The ranks, the greatest of four each, the greatest of those, and so on up to four.
    levels: Vec<Vec<u64>>,
}

/// The greatest of the four below `node`.
#[inline]
fn greatest_below(level: &[u64], node: usize) -> u64 {
    let [a, b, c, d] = level.as_chunks::<FAN>().0[node];
    a.max(b).max(c.max(d))
}

impl Ranks {
    /// The rank at `place`.
    #[inline]
    pub(super) fn get(&self, place: Place) -> u64 {
        self.levels.first().and_then(|ranks| ranks.get(place.index())).copied().unwrap_or(0)
    }

    /// Gives `place` a rank, or takes it away with 0.
    #[inline]
    pub(super) fn set(&mut self, place: Place, rank: u64) {
        let mut node = place.index();
        if self.levels.first().is_none_or(|ranks| node >= ranks.len()) {
            if rank == 0 {
                return;
            }
            self.grow(node);
        }
        let Some((ranks, above)) = self.levels.split_first_mut() else { return };
        let (mut before, mut rank, mut below) =
            (core::mem::replace(&mut ranks[node], rank), rank, ranks);
        for level in above {
            node /= FAN;
            let greatest = level[node];
            if rank < greatest {
                if before < greatest {
                    return;
                }
                rank = greatest_below(below, node);
            }
            if rank == greatest {
                return;
            }
            level[node] = rank;
            (before, below) = (greatest, level);
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
        let rank = greatest_below(self.levels.last()?, 0);
        if rank == 0 {
            return None;
        }
        let mut node = 0;
        for level in self.levels.iter().rev() {
            let [a, b, c, _] = level.as_chunks::<FAN>().0[node];
            node = FAN * node
                + if a == rank {
                    0
                } else if b == rank {
                    1
                } else if c == rank {
                    2
                } else {
                    3
                };
        }
        Some((rank, Place::at(node)))
    }

    #[cold]
    fn grow(&mut self, place: usize) {
        let mut ranks = self.levels.first_mut().map(core::mem::take).unwrap_or_default();
        let mut leaves = FAN;
        while leaves <= place {
            leaves *= FAN;
        }
        ranks.resize(leaves, 0);
        self.levels.clear();
        while ranks.len() > FAN {
            let winners = (0..ranks.len() / FAN).map(|node| greatest_below(&ranks, node)).collect();
            self.levels.push(core::mem::replace(&mut ranks, winners));
        }
        self.levels.push(ranks);
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
        fn agrees_with_a_map(script in proptest::collection::vec((0_usize..700, 0_u64..50), 0..300)) {
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
