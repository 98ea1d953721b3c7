//! One digit of the wheel: 64 lists of entries, and what is known about the earliest of them.
//!
//! A level keeps three facts beside its lists, all of which save walking them:
//!
//! - *occupied*: which slots hold entries. The first set bit is the slot that is due next.
//! - *ordered*: which slots have their entries in the order of their deadlines, because they came
//!   that way. The head of such a slot is its earliest entry. Equal timeouts, started one after
//!   another and cancelled in the same order, never need a search.
//! - *least*: the earliest deadline of the level, or, when it is not *settled*, a bound that no
//!   deadline is below. Removing the earliest entry unsettles it; the next question settles it. The
//!   fact belongs to the level and not to the wheel, so that short timers which come and go at the
//!   lower levels do not make a crowded slot of a higher one forget its earliest entry.

use std::cell::Cell;

use super::slab::{NIL, Slab};

/// Bits of a digit.
const DIGIT_BITS: usize = 6;

/// Slots of a level, the values of a digit.
const SLOTS: usize = 1 << DIGIT_BITS;

/// Digits in 64 bits. The highest has only four bits.
pub(super) const LEVELS: usize = 64_usize.div_ceil(DIGIT_BITS);

/// The level where an entry for `deadline_ns` belongs: that of the highest digit in which it
/// differs from `base_ns`, and the lowest when none does.
#[inline]
pub(super) fn level_of(base_ns: u64, deadline_ns: u64) -> usize {
    let differing = (base_ns ^ deadline_ns) | (SLOTS as u64 - 1);
    differing.ilog2() as usize / DIGIT_BITS
}

/// The slot where an entry for `deadline_ns` belongs within its level: the value of that digit.
#[inline]
pub(super) fn slot_of(deadline_ns: u64, level: usize) -> usize {
    (deadline_ns >> (level * DIGIT_BITS)) as usize % SLOTS
}

/// The first instant of a slot: `base_ns` with the level's digit set and the lower ones zero.
#[inline]
pub(super) fn slot_start(base_ns: u64, level: usize, slot: usize) -> u64 {
    let shift = level * DIGIT_BITS;
    ((base_ns >> shift) & !(SLOTS as u64 - 1) | slot as u64) << shift
}

/// A list of entries by the indexes of its ends.
#[derive(Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

impl List {
    const EMPTY: Self = Self { head: NIL, tail: NIL };

    /// The earliest deadline of a list that is not empty.
    ///
    /// It is walked from both ends. Each next entry is a line of the cache that is known only when the
    /// one before has come, so two walks, of which neither waits for the other, take half the time.
    fn least_ns<T>(self, slab: &Slab<T>) -> u64 {
        let (mut front, mut back) = (slab.place(self.head), slab.place(self.tail));
        let (mut at, mut end) = (self.head, self.tail);
        let mut least_ns = front.deadline_ns.min(back.deadline_ns);
        // They meet in one entry, or between two.
        while at != end && front.next != end {
            (at, end) = (front.next, back.prev);
            (front, back) = (slab.place(at), slab.place(end));
            least_ns = least_ns.min(front.deadline_ns).min(back.deadline_ns);
        }
        least_ns
    }

    /// Whether a list that is not empty has one entry only.
    fn is_single(self) -> bool {
        self.head == self.tail
    }
}

/// One level of the wheel.
pub(super) struct Level {
    /// Bit `s` is set when slot `s` holds an entry.
    occupied: u64,
    /// Bit `s` is set when slot `s` is known to hold its entries in the order of their deadlines.
    ordered: u64,
    /// The earliest deadline of the level, or a lower bound of it; `u64::MAX` when the level is
    /// empty. A cell, as a question about the earliest deadline changes nothing but what is known.
    least_ns: Cell<u64>,
    /// Whether `least_ns` is exact.
    settled: Cell<bool>,
    slots: [List; SLOTS],
}

impl Level {
    /// A level without entries.
    pub(super) const fn new() -> Self {
        Self {
            occupied: 0,
            ordered: 0,
            least_ns: Cell::new(u64::MAX),
            settled: Cell::new(true),
            slots: [List::EMPTY; SLOTS],
        }
    }

    /// Whether the level holds no entry.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// Whether the slot holds an entry.
    #[inline]
    pub(super) fn holds(&self, slot: usize) -> bool {
        self.occupied & (1 << slot) != 0
    }

    /// The slot that is due next. The level is not empty.
    #[inline]
    pub(super) fn first_slot(&self) -> usize {
        debug_assert!(!self.is_empty(), "only a level with entries is asked for its first slot");
        self.occupied.trailing_zeros() as usize % SLOTS
    }

    /// The earliest entry of a slot that is not empty, if its entries are known to be in order.
    pub(super) fn least_entry(&self, slot: usize) -> Option<u32> {
        (self.ordered & (1 << slot) != 0).then(|| self.slots[slot].head)
    }

    /// The first entry of the first slot, and the one that comes next as far as is known without a search: the second of a
    /// slot in order, or else the first of the next slot.
    #[inline]
    pub(super) fn soon<T>(&self, slab: &Slab<T>) -> [Option<u32>; 2] {
        let head_of = |slots: u64| {
            let slot = slots.trailing_zeros() as usize;
            self.slots.get(slot).map(|list| list.head)
        };
        let first = head_of(self.occupied);
        let is_ordered = self.ordered & self.occupied & self.occupied.wrapping_neg() != 0;
        let second = first.filter(|_| is_ordered).map(|head| slab.place(head).next);
        let behind = self.occupied & self.occupied.wrapping_sub(1);
        [first, second.filter(|&next| next != NIL).or_else(|| head_of(behind))]
    }

    /// An instant before which no entry of the level is due.
    pub(super) fn least_bound_ns(&self) -> u64 {
        self.least_ns.get()
    }

    /// The earliest deadline of the level, which is not empty.
    pub(super) fn least_ns<T>(&self, slab: &Slab<T>) -> u64 {
        if !self.settled.get() {
            self.settle(slab);
        }
        self.least_ns.get()
    }

    /// Finds the earliest deadline of the level, in its first slot.
    #[cold]
    #[inline(never)]
    fn settle<T>(&self, slab: &Slab<T>) {
        let slot = self.first_slot();
        let list = self.slots[slot];
        let least_ns = match self.ordered & (1 << slot) {
            0 => list.least_ns(slab),
            _ => slab.place(list.head).deadline_ns,
        };
        debug_assert!(self.least_ns.get() <= least_ns, "a deadline was below the bound");
        self.least_ns.set(least_ns);
        self.settled.set(true);
    }

    /// Learns what can be learned about the earliest deadline without walking a list, given that
    /// the first slot starts at `start_ns`, and returns the bound. For a slot whose entries are in
    /// order, and so for a lone entry, it is exact.
    pub(super) fn raise_bound<T>(&self, start_ns: u64, slab: &Slab<T>) -> u64 {
        let slot = self.first_slot();
        if self.ordered & (1 << slot) != 0 {
            self.least_ns.set(slab.place(self.slots[slot].head).deadline_ns);
            self.settled.set(true);
        } else {
            self.least_ns.set(self.least_ns.get().max(start_ns));
        }
        self.least_ns.get()
    }

    /// Appends an entry that is in no list to a slot.
    pub(super) fn push_back<T>(
        &mut self,
        slot: usize,
        index: u32,
        deadline_ns: u64,
        slab: &mut Slab<T>,
    ) {
        let list = &mut self.slots[slot];
        let (bit, tail) = (1 << slot, list.tail);
        if self.occupied & bit == 0 {
            self.occupied |= bit;
            self.ordered |= bit;
            list.head = index;
        } else {
            let last = slab.place_mut(tail);
            last.next = index;
            if deadline_ns < last.deadline_ns {
                self.ordered &= !bit;
            }
        }
        list.tail = index;
        let place = slab.place_mut(index);
        (place.prev, place.next) = (tail, NIL);
        // Nothing is below the bound, so a deadline that reaches it is the least, settled or not.
        if deadline_ns <= self.least_ns.get() {
            self.least_ns.set(deadline_ns);
            self.settled.set(true);
        }
    }

    /// Takes an entry out of its slot.
    pub(super) fn unlink<T>(&mut self, slot: usize, index: u32, slab: &mut Slab<T>) {
        let place = slab.place(index);
        let (prev, next, deadline_ns) = (place.prev, place.next, place.deadline_ns);
        let list = &mut self.slots[slot];
        if prev == NIL {
            list.head = next;
        } else {
            slab.place_mut(prev).next = next;
        }
        if next == NIL {
            list.tail = prev;
        } else {
            slab.place_mut(next).prev = prev;
        }
        if list.head == NIL {
            self.note_vacancy(slot);
            return;
        }
        self.ordered |= u64::from(list.is_single()) << slot;
        if deadline_ns == self.least_ns.get() {
            self.settled.set(false);
        }
    }

    /// Takes all entries out of a slot, still linked to each other; returns the first of them.
    pub(super) fn take(&mut self, slot: usize) -> u32 {
        let list = std::mem::replace(&mut self.slots[slot], List::EMPTY);
        self.note_vacancy(slot);
        list.head
    }

    /// Keeps the facts about the level true after a slot has lost its last entry.
    #[inline]
    fn note_vacancy(&mut self, slot: usize) {
        self.occupied &= !(1 << slot);
        self.ordered &= !(1 << slot);
        if self.is_empty() {
            // Whatever is inserted next reaches this bound, and so settles the level.
            self.least_ns.set(u64::MAX);
        } else if slot < self.first_slot() {
            self.settled.set(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Level {
        /// Checks every fact that the level keeps by walking all its lists; returns how many
        /// entries there are.
        pub(in super::super) fn check<T>(
            &self,
            level: usize,
            (base_ns, elapsed_ns): (u64, u64),
            slab: &Slab<T>,
        ) -> usize {
            let mut deadlines = Vec::new();
            for (slot, list) in self.slots.iter().enumerate() {
                if list.head == NIL && (self.occupied | self.ordered) & (1 << slot) == 0 {
                    continue;
                }
                let found = check_list(*list, slab);
                assert_eq!(self.holds(slot), !found.is_empty(), "occupied bit of {level}/{slot}");
                assert!(
                    self.ordered & (1 << slot) == 0 || (!found.is_empty() && found.is_sorted()),
                    "ordered bit of {level}/{slot} with {found:?}"
                );
                for &deadline_ns in &found {
                    assert!(deadline_ns >= elapsed_ns, "{deadline_ns} was passed over");
                    assert_eq!(level_of(base_ns, deadline_ns), level, "level of {deadline_ns}");
                    assert_eq!(slot_of(deadline_ns, level), slot, "slot of {deadline_ns}");
                }
                deadlines.extend(found);
            }
            let least_ns = deadlines.iter().copied().min().unwrap_or(u64::MAX);
            assert!(self.least_ns.get() <= least_ns, "bound of level {level}");
            assert!(
                !self.settled.get() || self.least_ns.get() == least_ns,
                "level {level} believes {} to be its least, which is {least_ns}",
                self.least_ns.get()
            );
            deadlines.len()
        }
    }

    /// Checks the links of a list in both directions; returns the deadlines in its order.
    fn check_list<T>(list: List, slab: &Slab<T>) -> Vec<u64> {
        let (mut deadlines, mut prev, mut next) = (Vec::new(), NIL, list.head);
        while next != NIL {
            let place = slab.place(next);
            assert_eq!(place.prev, prev, "the links of a list disagree");
            deadlines.push(place.deadline_ns);
            (prev, next) = (next, place.next);
        }
        assert_eq!(list.tail, prev, "a list does not end at its tail");
        deadlines
    }

    #[test]
    fn the_level_is_that_of_the_highest_differing_digit() {
        assert_eq!(LEVELS, 11);
        assert_eq!(level_of(0, 0), 0);
        assert_eq!(level_of(0, u64::MAX), 10);
        assert_eq!(level_of(u64::MAX, u64::MAX), 0);
        for level in 1..LEVELS {
            let first = 1_u64 << (level * DIGIT_BITS);
            assert_eq!(level_of(0, first - 1), level - 1);
            assert_eq!(level_of(0, first), level);
            assert_eq!(level_of(first - 1, first), level, "a carry reaches the digit above");
            assert_eq!(level_of(first, 2 * first - 1), level - 1);
        }
    }

    #[test]
    fn a_slot_begins_where_the_lower_digits_are_zero() {
        // Two octal digits to a digit of the wheel, the highest (1) first.
        let elapsed_ns = 0o1_02_03_04_05_06_07_10_11_12_13;
        assert_eq!(slot_start(elapsed_ns, 0, 0o77), 0o1_02_03_04_05_06_07_10_11_12_77);
        assert_eq!(slot_start(elapsed_ns, 1, 0o77), 0o1_02_03_04_05_06_07_10_11_77_00);
        assert_eq!(slot_start(elapsed_ns, 9, 0o77), 0o1_77_00_00_00_00_00_00_00_00_00);
        assert_eq!(slot_start(elapsed_ns, 10, 0o17), 0o17_00_00_00_00_00_00_00_00_00_00);
        for (level, slot) in [(0, 0o13), (1, 0o12), (9, 0o02), (10, 1)] {
            assert_eq!(slot_of(elapsed_ns, level), slot);
        }
    }

    /// A level and a slab with an entry for each deadline, all in slot 7.
    fn crowd<const N: usize>(deadlines_ns: [u64; N]) -> (Level, Slab<()>, [u32; N]) {
        let (mut level, mut slab) = (Level::new(), Slab::with_capacity(0));
        let indexes = deadlines_ns.map(|deadline_ns| {
            let index = slab.insert(deadline_ns, ()).index();
            level.push_back(7, index, deadline_ns, &mut slab);
            index
        });
        (level, slab, indexes)
    }

    #[test]
    fn the_least_is_known_without_a_walk_until_it_leaves_a_slot_out_of_order() {
        let (mut level, mut slab, [_, b, _, d]) = crowd([50, 40, 60, 40]);
        assert_eq!((level.settled.get(), level.least_bound_ns()), (true, 40));
        assert_eq!(level.least_entry(7), None, "40 came after 50");
        level.unlink(7, b, &mut slab);
        assert_eq!((level.settled.get(), level.least_bound_ns()), (false, 40));
        assert_eq!(level.least_ns(&slab), 40);
        assert!(level.settled.get(), "a walk is not repeated");
        level.unlink(7, d, &mut slab);
        assert_eq!(level.raise_bound(45, &slab), 45, "the start of the slot is a bound");
        assert!(!level.settled.get());
        let e = slab.insert(45, ()).index();
        level.push_back(7, e, 45, &mut slab);
        assert!(level.settled.get(), "what is inserted at the bound is the least");
        assert_eq!(level.take(7), 0, "the first of a slot is the one inserted first");
        assert_eq!(level.least_bound_ns(), u64::MAX);
    }

    #[test]
    fn a_slot_in_order_is_never_walked() {
        let (mut level, mut slab, [a, b, c]) = crowd([40, 40, 50]);
        for (index, next) in [(a, Some(b)), (b, Some(c))] {
            assert_eq!(level.least_entry(7), Some(index));
            level.unlink(7, index, &mut slab);
            assert_eq!(level.least_entry(7), next);
        }
        assert_eq!(level.raise_bound(0, &slab), 50);
        assert!(level.settled.get());
    }

    #[test]
    fn a_slot_is_in_order_again_when_one_entry_is_left() {
        let (mut level, mut slab, [a, b]) = crowd([50, 40]);
        assert_eq!(level.least_entry(7), None);
        level.unlink(7, b, &mut slab);
        assert_eq!(level.least_entry(7), Some(a));
    }
}
