//! Weights of numbered things, and a draw in proportion to them: sums in one array.
//!
//! A leaf is a thing; every inner node is the sum of its two. A draw goes down from the root: O(log n), as is setting a weight.

use crate::choice::Draws;

/// The weights of things `0..n`. A weight of 0 is never drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Weights {
    /// Node 1 is the root, the children of node `n` are `2n` and `2n + 1`, and the second half are the leaves.
    nodes: Vec<u64>,
}

impl Weights {
    fn leaves(&self) -> usize {
        self.nodes.len() / 2
    }

    /// The sum of all.
    #[inline]
    pub(super) fn total(&self) -> u64 {
        self.nodes.get(1).copied().unwrap_or(0)
    }

    /// The weight of `thing`.
    #[inline]
    pub(super) fn get(&self, thing: usize) -> u64 {
        self.nodes.get(self.leaves() + thing).copied().unwrap_or(0)
    }

    /// Gives `thing` a weight.
    #[inline]
    pub(super) fn set(&mut self, thing: usize, weight: u64) {
        if thing >= self.leaves() {
            if weight == 0 {
                return;
            }
            self.grow(thing);
        }
        let mut node = self.leaves() + thing;
        let change = weight.wrapping_sub(self.nodes[node]);
        if change == 0 {
            return;
        }
        while node > 0 {
            self.nodes[node] = self.nodes[node].wrapping_add(change);
            node /= 2;
        }
    }

    /// The thing whose share of `0..total` holds `at`.
    #[inline]
    pub(super) fn holder(&self, mut at: u64) -> usize {
        debug_assert!(at < self.total(), "a draw lies below the total");
        let mut node = 1;
        while node < self.leaves() {
            node *= 2;
            let left = self.nodes[node];
            if at >= left {
                at -= left;
                node += 1;
            }
        }
        node - self.leaves()
    }

    /// A thing drawn in proportion to the weights; `None` if all are 0.
    #[inline]
    pub(super) fn draw(&self, draws: &mut Draws) -> Option<usize> {
        match self.total() {
            0 => None,
            total => Some(self.holder(draws.below(total))),
        }
    }

    #[cold]
    fn grow(&mut self, thing: usize) {
        let leaves = (thing + 1).next_power_of_two().max(16);
        let mut nodes = vec![0; 2 * leaves];
        nodes[leaves..leaves + self.leaves()].copy_from_slice(&self.nodes[self.leaves()..]);
        for node in (1..leaves).rev() {
            nodes[node] = nodes[2 * node] + nodes[2 * node + 1];
        }
        self.nodes = nodes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_vector(script in proptest::collection::vec((0_usize..70, 0_u64..50), 1..200)) {
            let (mut weights, mut model) = (Weights::default(), vec![0; 70]);
            for (thing, weight) in script {
                weights.set(thing, weight);
                model[thing] = weight;
                prop_assert_eq!(weights.get(thing), weight);
                prop_assert_eq!(weights.total(), model.iter().sum::<u64>());
            }
            let holders = model.iter().enumerate().flat_map(|(thing, &weight)| (0..weight).map(move |_| thing));
            for (at, thing) in (0..).zip(holders) {
                prop_assert_eq!(weights.holder(at), thing);
            }
        }
    }
}
