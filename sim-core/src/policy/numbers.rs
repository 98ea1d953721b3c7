//! Numbers for names that are hashes already, such as paths and objects: 0 for the first that is seen, and so on.
//!
//! A table with open addressing. A policy looks up a name or two at every step, where a tree of a thousand names costs ten misses.
//! A name is never forgotten, so what is kept by number is a plain vector.

/// No number: the slot is free.
const FREE: u32 = u32::MAX;

/// Names and their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    /// At least twice as many as there are names; their number is a power of two, or 0.
    slots: Vec<(u64, u32)>,
    len: u32,
}

impl Numbers {
    /// The number of `name`, if it has been seen.
    #[inline]
    pub(super) fn get(&self, name: u64) -> Option<u32> {
        let slot = self.slots.get(self.slot(name)?)?;
        (slot.1 != FREE).then_some(slot.1)
    }

    /// The number of `name`, which is new if it has not been seen.
    #[inline]
    pub(super) fn number(&mut self, name: u64) -> u32 {
        if 2 * self.len as usize >= self.slots.len() {
            self.grow();
        }
        let at = self.slot(name).expect("there are slots");
        let slot = &mut self.slots[at];
        if slot.1 == FREE {
            *slot = (name, self.len);
            self.len += 1;
        }
        slot.1
    }

    /// Where `name` is, or would be; `None` before the first name.
    #[inline]
    fn slot(&self, name: u64) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = name as usize >> 3 & mask;
        while self.slots[at].1 != FREE && self.slots[at].0 != name {
            at = (at + 1) & mask;
        }
        Some(at)
    }

    #[cold]
    fn grow(&mut self) {
        let slots = vec![(0, FREE); (4 * self.len as usize).next_power_of_two().max(32)];
        let before = core::mem::replace(&mut self.slots, slots);
        for (name, number) in before.into_iter().filter(|slot| slot.1 != FREE) {
            let at = self.slot(name).expect("there are slots");
            self.slots[at] = (name, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_list(names in proptest::collection::vec(0_u64..200, 0..300)) {
            let (mut numbers, mut model) = (Numbers::default(), Vec::new());
            for name in names {
                let known = model.iter().position(|&seen| seen == name);
                prop_assert_eq!(numbers.get(name), known.map(|at| at as u32));
                if known.is_none() {
                    model.push(name);
                }
                let expected = known.unwrap_or(model.len() - 1) as u32;
                prop_assert_eq!(numbers.number(name), expected);
            }
        }
    }
}
