//! Where the entries of a wheel live: places reused, names that cannot be mistaken.
//!
//! An entry stays at its index from insertion to removal; lists of entries are chains of indexes.
//! It is kept whole, links and value side by side, because among many entries each one touched is a
//! line of the cache that was not there: with a small value one line serves a whole life. An owner of
//! large values keeps them elsewhere and gives the wheel their number.
//!
//! A place is vacant or occupied. Each time it becomes vacant its generation grows, so a [`Key`]
//! given out earlier stops matching. A place whose generation can grow no further is retired
//! instead of reused: four thousand million reuses cost one place, and no key ever comes to name a
//! stranger.

/// The index that ends a list. No entry has it.
pub(super) const NIL: u32 = u32::MAX;

/// The generation of a place that has not been used before. It is not 0, so that no key ever given
/// out is 0 in bits, and a caller may store 0 for "no entry".
const FIRST_GENERATION: u32 = 1;

/// The name of an entry, as long as the wheel holds it and for ever after.
///
/// A key is 64 bits: the index of the entry's place and how often that place had been used. Once
/// its entry has been removed or given back, a key is stale, and every question about it is
/// answered by `None`. A key means nothing to another wheel than the one it came from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// The key as a number, which is never 0 for a key that a wheel gave out.
    ///
    /// ```
    /// use sim_time::{Instant, Key, Wheel};
    ///
    /// let mut wheel = Wheel::new();
    /// let key = wheel.insert(Instant::MAX, "never");
    /// assert_ne!(key.to_bits(), 0);
    /// assert_eq!(Key::from_bits(key.to_bits()), key);
    /// assert_eq!(wheel.remove(Key::from_bits(0)), None);
    /// ```
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The key that `bits` stand for. Bits that did not come from [`Key::to_bits`] do no harm: the
    /// key is stale, or names whatever entry it names.
    pub const fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }

    /// Where the entry lies, if it is still held.
    pub(super) const fn index(self) -> u32 {
        self.index
    }
}

/// A place, and the entry in it.
pub(super) struct Place<T> {
    pub(super) deadline_ns: u64,
    pub(super) prev: u32,
    /// The next entry of the list, or the next vacant place when this one is vacant.
    pub(super) next: u32,
    generation: u32,
    /// `None` exactly when the place is vacant.
    value: Option<T>,
}

/// All places, and which of them are vacant.
pub(super) struct Slab<T> {
    places: Vec<Place<T>>,
    /// The vacant place to use next, the one that became vacant last: it is likely to be cached.
    vacant: u32,
    len: usize,
}

impl<T> Slab<T> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { places: Vec::with_capacity(capacity), vacant: NIL, len: 0 }
    }

    /// How many places are occupied.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Occupies a place. The entry is in no list yet: its links are for the caller to set.
    pub(super) fn insert(&mut self, deadline_ns: u64, value: T) -> Key {
        let index = self.vacant;
        let Some(place) = self.places.get_mut(index as usize) else {
            return self.grow(deadline_ns, value);
        };
        debug_assert!(place.value.is_none(), "a place on the list of vacant ones is occupied");
        self.len += 1;
        self.vacant = place.next;
        place.deadline_ns = deadline_ns;
        place.value = Some(value);
        Key { index, generation: place.generation }
    }

    /// Occupies a new place at the end.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, deadline_ns: u64, value: T) -> Key {
        assert!(self.places.len() < NIL as usize, "a wheel holds at most 2^32 - 1 entries");
        let key = Key { index: self.places.len() as u32, generation: FIRST_GENERATION };
        let (prev, next, generation) = (NIL, NIL, key.generation);
        self.places.push(Place { deadline_ns, prev, next, generation, value: Some(value) });
        self.len += 1;
        key
    }

    /// Vacates an occupied place. The key it had is stale from now on.
    pub(super) fn free(&mut self, index: u32) -> (Key, T) {
        let place = &mut self.places[index as usize];
        let key = Key { index, generation: place.generation };
        let value = place.value.take().expect("a place that is freed is occupied");
        self.len -= 1;
        if place.generation < u32::MAX {
            place.generation += 1;
            place.next = self.vacant;
            self.vacant = index;
        }
        (key, value)
    }

    /// The value of the entry that `key` names, if it is still held.
    pub(super) fn get(&self, key: Key) -> Option<&T> {
        let place = self.places.get(key.index as usize)?;
        if place.generation == key.generation { place.value.as_ref() } else { None }
    }

    /// The value of the entry that `key` names, if it is still held.
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation == key.generation { place.value.as_mut() } else { None }
    }

    /// The value in the place `index`, if it is occupied.
    #[inline]
    pub(super) fn value(&self, index: u32) -> Option<&T> {
        self.places[index as usize].value.as_ref()
    }

    /// The deadline of the entry that `key` names, if it is still held.
    pub(super) fn deadline_ns(&self, key: Key) -> Option<u64> {
        // A matching generation is not enough: a key made from any bits may name a vacant place.
        self.get(key).map(|_| self.place(key.index).deadline_ns)
    }

    /// The place `index`, which exists.
    #[inline]
    pub(super) fn place(&self, index: u32) -> &Place<T> {
        &self.places[index as usize]
    }

    /// The place `index`, which exists.
    #[inline]
    pub(super) fn place_mut(&mut self, index: u32) -> &mut Place<T> {
        &mut self.places[index as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl<T> Slab<T> {
        /// How many places there are, occupied, vacant and retired ones.
        pub(in super::super) fn places(&self) -> usize {
            self.places.len()
        }
    }

    #[test]
    fn places_are_reused_latest_first_under_new_names() {
        let mut slab = Slab::with_capacity(0);
        let (a, b) = (slab.insert(1, 'a'), slab.insert(2, 'b'));
        assert_eq!((slab.free(a.index), slab.free(b.index)), ((a, 'a'), (b, 'b')));
        assert!(slab.get(a).is_none() && slab.get_mut(b).is_none());
        let (c, d) = (slab.insert(3, 'c'), slab.insert(4, 'd'));
        assert_eq!((c.index, d.index), (b.index, a.index));
        assert_eq!((slab.deadline_ns(c), slab.get(c)), (Some(3), Some(&'c')));
        assert!(slab.get(a).is_none() && slab.get_mut(b).is_none());
        assert_eq!((slab.len(), slab.places()), (2, 2));
    }

    #[test]
    fn a_place_is_retired_before_its_generations_repeat() {
        let mut slab = Slab::with_capacity(0);
        let first = slab.insert(0, 'a');
        slab.places[first.index as usize].generation = u32::MAX - 1;
        slab.free(first.index);
        let last = slab.insert(0, 'b');
        assert_eq!(last, Key { index: first.index, generation: u32::MAX });
        assert_eq!(slab.free(last.index), (last, 'b'));
        assert!(slab.get(last).is_none());
        let other = slab.insert(0, 'c');
        assert_ne!(other.index, first.index);
        assert_eq!((slab.len(), slab.places()), (1, 2));
    }

    #[test]
    fn bits_that_no_wheel_gave_out_name_nothing() {
        let mut slab = Slab::with_capacity(0);
        let key = slab.insert(0, 'a');
        slab.free(key.index);
        let vacant = Key { index: key.index, generation: key.generation + 1 };
        for forged in [vacant, Key::from_bits(0), Key::from_bits(u64::MAX)] {
            assert!(slab.get(forged).is_none() && slab.get_mut(forged).is_none(), "{forged:?}");
            assert_eq!(slab.deadline_ns(forged), None);
        }
        assert_eq!(Key::from_bits(0x0000_0002_0000_0001), Key { index: 1, generation: 2 });
        assert_eq!(Key { index: 1, generation: 2 }.to_bits(), 0x0000_0002_0000_0001);
        assert_eq!(size_of::<Key>(), 8);
    }
}
