//! Weights of numbered things, and a draw in proportion to them: sums of eight each, and sums of those.
//!
//! A level is one array. A draw goes down from the top and scans eight at each level, which are one line of the cache; setting a weight adds to
//! one sum a level. Both are O(log n), with four levels for a thousand.

use crate::choice::Draws;

/// How many a sum is of, as a power of two.
const FAN_BITS: u32 = 3;

/// The weights of things `0..n`. A weight of 0 is never drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Weights {
    /// The weights, their sums, the sums of those, up to at most eight.
    levels: Vec<Vec<u64>>,
    total: u64,
}

impl Weights {
    /// The sum of all.
    #[inline]
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The weight of `thing`.
    #[inline]
    pub(super) fn get(&self, thing: usize) -> u64 {
        self.levels.first().and_then(|weights| weights.get(thing)).copied().unwrap_or(0)
    }

    /// Gives `thing` a weight.
    #[inline]
    pub(super) fn set(&mut self, thing: usize, weight: u64) {
        let change = weight.wrapping_sub(self.get(thing));
        if change == 0 {
            return;
        }
        if self.levels.first().is_none_or(|weights| thing >= weights.len()) {
            self.grow(thing);
        }
        let mut node = thing;
        for level in &mut self.levels {
            level[node] = level[node].wrapping_add(change);
            node >>= FAN_BITS;
        }
        self.total = self.total.wrapping_add(change);
    }

    /// The thing whose share of `0..total` holds `at`.
    #[inline]
    pub(super) fn holder(&self, mut at: u64) -> usize {
        debug_assert!(at < self.total, "a draw lies below the total");
        let mut node = 0;
        for level in self.levels.iter().rev() {
            node <<= FAN_BITS;
            while at >= level[node] {
                at -= level[node];
                node += 1;
            }
        }
        node
    }

    /// A thing drawn in proportion to the weights; `None` if all are 0.
    #[inline]
    pub(super) fn draw(&self, draws: &mut Draws) -> Option<usize> {
        match self.total {
            0 => None,
            total => Some(self.holder(draws.below(total))),
        }
    }

    #[cold]
    fn grow(&mut self, thing: usize) {
        let mut weights = self.levels.first_mut().map(core::mem::take).unwrap_or_default();
        weights.resize((thing + 1).next_power_of_two().max(1 << FAN_BITS), 0);
        self.levels.clear();
        while weights.len() > 1 << FAN_BITS {
            let sums = weights.chunks(1 << FAN_BITS).map(|of| of.iter().sum()).collect();
            self.levels.push(core::mem::replace(&mut weights, sums));
        }
        self.levels.push(weights);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_vector(script in proptest::collection::vec((0_usize..700, 0_u64..50), 1..200)) {
            let (mut weights, mut model) = (Weights::default(), vec![0; 700]);
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
