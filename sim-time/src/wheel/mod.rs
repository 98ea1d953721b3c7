//! What is to happen at an instant, given back in order.
//!
//! A [`Wheel`] owns values, each with a deadline. It gives them back by deadline, and those of one
//! deadline in the order they were inserted. That second half is a promise and not an accident: a
//! run is a value only when ties have an owner.
//!
//! # Shape
//!
//! An instant is a number of eleven digits in base 64. Eleven levels of 64 slots each stand for
//! those digits. An entry lies at the level of the highest digit in which its deadline differs from
//! the instant the wheel counts from, `base`, in the slot of that digit's value; an entry due at
//! `base` itself lies at level 0. What follows from this one rule:
//!
//! - All entries of a lower level are due before all of a higher one, and within a level the slots
//!   are due in ascending order. So the next entry is in the *first* slot of the *lowest* level that
//!   holds any, and two bitmaps find it.
//! - A slot of level 0 is one nanosecond, so its entries are all equal in deadline.
//! - Where an entry lies is a function of its deadline and `base`. It is not stored.
//! - Nothing wraps around: the digits cover all 64 bits, and there is no list of far timers.
//!
//! When `base` moves into a slot, the rule would be broken for its entries, so they *cascade* to
//! the lower levels where they now belong. An entry cascades at most ten times in its life. `base`
//! follows `elapsed`, the instant the wheel has reached, with one exception: it stays before a slot
//! whose entries came in the order of their deadlines. They are given back from where they lie, and
//! equal timeouts, such as those of hosts that wake once a second, never cascade at all.
//!
//! # Why ties keep their order
//!
//! Two entries of one deadline are always in the same slot, as where an entry lies does not depend
//! on when it came. New entries go to the end of the slot's list. A cascade walks the list from the
//! front, and the slots it fills were empty before: had they held anything, it would have been due
//! before `elapsed` came that far.
//!
//! # What may never happen
//!
//! - `elapsed` never goes back, and never passes the deadline of an entry that is still held. `base`
//!   never goes back, and never passes `elapsed`.
//! - No entry lies elsewhere than the rule says, and no bit is set for an empty slot.
//! - A [`Key`] never names another entry than the one it was given out for.

mod level;
mod slab;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::instant::Instant;
use level::{LEVELS, Level, level_of, slot_of, slot_start};
pub use slab::Key;
use slab::{NIL, Slab};

/// Values waiting for their deadlines.
///
/// Insertion and removal cost O(1); giving an entry back costs O(1) amortised, and nothing is
/// allocated once the wheel has held as many entries as it ever will. An idle wheel costs nothing
/// however far time jumps. It holds at most 2³² − 1 entries.
///
/// ```
/// use sim_time::{Instant, Wheel};
///
/// let mut wheel = Wheel::new();
/// let late = wheel.insert(Instant::from_nanos(2_000), "late");
/// let early = wheel.insert(Instant::from_nanos(1_000), "early");
/// wheel.insert(Instant::from_nanos(1_000), "early too");
/// assert_eq!(wheel.next_deadline(), Some(Instant::from_nanos(1_000)));
///
/// let now = Instant::from_nanos(1_500);
/// assert_eq!(wheel.pop_due(now), Some((early, Instant::from_nanos(1_000), "early")));
/// assert_eq!(wheel.pop_due(now).map(|(_, _, value)| value), Some("early too"));
/// assert_eq!(wheel.pop_due(now), None);
///
/// assert_eq!(wheel.remove(late), Some("late"));
/// assert_eq!(wheel.remove(late), None);
/// assert!(wheel.is_empty());
/// ```
pub struct Wheel<T> {
    /// The instant the wheel has reached: no entry is due before it.
    elapsed_ns: u64,
    /// The instant it counts from: where an entry lies depends on it.
    base_ns: u64,
    /// Bit `l` is set when level `l` holds an entry.
    occupied: u32,
    /// None before the first entry: many a world never sets a timer, and levels are six kilobytes.
    levels: Box<[Level]>,
    slab: Slab<T>,
}

impl<T> Wheel<T> {
    /// An empty wheel at [`Instant::ZERO`].
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty wheel at [`Instant::ZERO`] that will not allocate before it holds more than
    /// `capacity` entries at once.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut wheel = Self {
            elapsed_ns: 0,
            base_ns: 0,
            occupied: 0,
            levels: Box::default(),
            slab: Slab::with_capacity(capacity),
        };
        if capacity > 0 {
            wheel.make_levels();
        }
        wheel
    }

    /// How many entries wait.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether no entry waits.
    pub fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// The instant the wheel has reached: the latest of all deadlines given back and all instants
    /// for which [`Wheel::pop_due`] found nothing. Never goes back.
    pub fn elapsed(&self) -> Instant {
        Instant::from_nanos(self.elapsed_ns)
    }

    /// Inserts `value`, to be given back when `deadline` has come.
    ///
    /// A deadline before [`Wheel::elapsed`] counts as `elapsed`: the entry is due at once, behind
    /// those that were already due then. So the instants given back never decrease, and overdue
    /// entries come in the order of their insertion, not of deadlines nobody could have kept.
    ///
    /// ```
    /// use sim_time::{Instant, Wheel};
    ///
    /// let (early, now) = (Instant::from_nanos(1), Instant::from_nanos(100));
    /// let mut wheel = Wheel::new();
    /// assert_eq!(wheel.pop_due(now), None);
    /// wheel.insert(now, 'a');
    /// let overdue = wheel.insert(early, 'b');
    /// assert_eq!(wheel.deadline(overdue), Some(now));
    /// assert_eq!(wheel.pop_due(now).map(|(_, at, value)| (at, value)), Some((now, 'a')));
    /// assert_eq!(wheel.pop_due(now).map(|(_, at, value)| (at, value)), Some((now, 'b')));
    /// ```
    ///
    /// # Panics
    ///
    /// When the wheel holds 2³² − 1 entries already.
    pub fn insert(&mut self, deadline: Instant, value: T) -> Key {
        let deadline_ns = deadline.as_nanos().max(self.elapsed_ns);
        let key = self.slab.insert(deadline_ns, value);
        self.link(key.index(), deadline_ns);
        key
    }

    /// Takes the entry out before its deadline; `None` when it is no longer held.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let deadline_ns = self.slab.deadline_ns(key)?;
        let level = level_of(self.base_ns, deadline_ns);
        Some(self.unlink(level, key.index(), deadline_ns).1)
    }

    /// The value of an entry; `None` when it is no longer held.
    pub fn get(&self, key: Key) -> Option<&T> {
        self.slab.get(key)
    }

    /// The value of an entry, to be changed in place; `None` when it is no longer held.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slab.get_mut(key)
    }

    /// The instant an entry is due at, which is later than asked for when it was inserted overdue;
    /// `None` when it is no longer held.
    pub fn deadline(&self, key: Key) -> Option<Instant> {
        self.slab.deadline_ns(key).map(Instant::from_nanos)
    }

    /// The earliest deadline of all, exactly; `None` when no entry waits.
    ///
    /// Three loads in the common case. When the earliest entry of a level has been removed since
    /// the last question, the new earliest one is looked for in one slot, by walking its list
    /// unless its entries came in the order of their deadlines, as equal timeouts do. An engine
    /// with another source of events can spare itself that walk: it asks [`Wheel::due`] with the
    /// instant of the other event first.
    pub fn next_deadline(&self) -> Option<Instant> {
        let level = &self.levels[self.lowest_level()?];
        Some(Instant::from_nanos(level.least_ns(&self.slab)))
    }

    /// The values that will probably be given back next and after that: what is known without a
    /// search, for an owner who wants to get ready for them.
    pub fn soon(&self) -> [Option<&T>; 2] {
        let Some(level) = self.lowest_level() else { return [None; 2] };
        self.levels[level].soon(&self.slab).map(|index| self.slab.value(index?))
    }

    /// Whether an entry is due at `now`, so that [`Wheel::pop_due`] would give one back.
    ///
    /// One comparison in the common case that none is. Any instant may be asked about. Unlike
    /// `pop_due` this leaves [`Wheel::elapsed`] where it is; an engine that asks `due` first must
    /// still call `pop_due` now and then, or new entries will crowd into the wide slots of the
    /// higher levels.
    pub fn due(&self, now: Instant) -> bool {
        let now_ns = now.as_nanos();
        self.lowest_level().is_some_and(|level| {
            self.levels[level].least_bound_ns() <= now_ns
                && self.raise_bound(level) <= now_ns
                && self.levels[level].least_ns(&self.slab) <= now_ns
        })
    }

    /// Takes out the first entry that is due at `now`, with the key it had and its deadline.
    ///
    /// Entries come in the order of their deadlines, and in the order of insertion where those are
    /// equal. `None` means that nothing (more) is due; the wheel has then reached `now`. A `now`
    /// before [`Wheel::elapsed`] finds nothing and moves nothing.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Key, Instant, T)> {
        let now_ns = now.as_nanos();
        while let Some(level) = self.lowest_level()
            && self.levels[level].least_bound_ns() <= now_ns
        {
            let first = self.approach(level, now_ns);
            if first.is_some() {
                return first;
            }
        }
        if now_ns > self.elapsed_ns {
            self.advance(now_ns);
        }
        None
    }

    /// Gives back the first entry if it is known and due at `now_ns`. Otherwise comes closer to it:
    /// the bound of its level rises, and if it is still not beyond `now_ns` the slot cascades.
    fn approach(&mut self, level: usize, now_ns: u64) -> Option<(Key, Instant, T)> {
        let bound_ns = self.raise_bound(level);
        if bound_ns > now_ns {
            return None;
        }
        let slot = self.levels[level].first_slot();
        // The head of a slot in order, and so a lone entry, is the first of all. It need not be
        // carried down level by level.
        let Some(head) = self.levels[level].least_entry(slot) else {
            // The wheel may have come into the slot while its entries were still in order.
            self.cascade(level, slot, bound_ns.max(self.elapsed_ns));
            return None;
        };
        let (key, value) = self.unlink(level, head, bound_ns);
        self.elapsed_ns = bound_ns;
        if level == 0 || !self.levels[level].holds(slot) {
            self.base_ns = bound_ns;
        }
        Some((key, Instant::from_nanos(bound_ns), value))
    }

    /// Moves to `now_ns`, when nothing is due there, and lets the slot that this enters cascade,
    /// unless it is in order.
    ///
    /// At most one slot is entered. Were there entries at a level below the highest digit that
    /// changes, or in a slot passed over at its level, they would be due.
    fn advance(&mut self, now_ns: u64) {
        self.elapsed_ns = now_ns;
        let level = level_of(self.base_ns, now_ns);
        debug_assert_eq!(self.occupied & ((1 << level) - 1), 0, "time passed an entry by");
        let slot = slot_of(now_ns, level);
        match self.levels.get(level).filter(|level| level.holds(slot)) {
            None => self.base_ns = now_ns,
            Some(entered) if entered.least_entry(slot).is_none() => {
                self.cascade(level, slot, now_ns);
            }
            Some(_) => {}
        }
    }

    #[cold]
    fn make_levels(&mut self) {
        self.levels = Box::new([const { Level::new() }; LEVELS]);
    }

    /// Counts from `to_ns` on, which lies in the slot and is no later than any of its entries, and puts
    /// each of these where it now belongs, all of them at lower levels.
    fn cascade(&mut self, level: usize, slot: usize, to_ns: u64) {
        debug_assert!(level > 0, "an entry of level 0 is due when its slot is entered");
        debug_assert_eq!(slot, self.levels[level].first_slot(), "time passed a slot by");
        let mut next = self.levels[level].take(slot);
        self.note_vacancy(level);
        self.base_ns = to_ns;
        self.elapsed_ns = self.elapsed_ns.max(to_ns);
        while next != NIL {
            let index = next;
            let place = self.slab.place(index);
            next = place.next;
            self.link(index, place.deadline_ns);
        }
    }

    /// Appends the entry to the slot where it belongs.
    fn link(&mut self, index: u32, deadline_ns: u64) {
        if self.levels.is_empty() {
            self.make_levels();
        }
        let level = level_of(self.base_ns, deadline_ns);
        self.occupied |= 1 << level;
        let slot = slot_of(deadline_ns, level);
        self.levels[level].push_back(slot, index, deadline_ns, &mut self.slab);
    }

    /// Takes the entry out of its slot and frees its place.
    fn unlink(&mut self, level: usize, index: u32, deadline_ns: u64) -> (Key, T) {
        self.levels[level].unlink(slot_of(deadline_ns, level), index, &mut self.slab);
        self.note_vacancy(level);
        self.slab.free(index)
    }

    /// Keeps the bitmap of levels true after entries have left `level`.
    fn note_vacancy(&mut self, level: usize) {
        self.occupied &= !(u32::from(self.levels[level].is_empty()) << level);
    }

    /// Learns about the first slot of the lowest level, `level`, what costs no walk, and returns a
    /// bound of all deadlines, which is exact when that slot is in order.
    fn raise_bound(&self, level: usize) -> u64 {
        let start_ns = slot_start(self.base_ns, level, self.levels[level].first_slot());
        self.levels[level].raise_bound(start_ns, &self.slab)
    }

    /// The lowest level that holds an entry, and with it the next one.
    fn lowest_level(&self) -> Option<usize> {
        (self.occupied != 0).then(|| self.occupied.trailing_zeros() as usize)
    }
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Wheel<T> {
    /// A summary. The entries are left out: a world holds thousands, and their type need not be
    /// `Debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel")
            .field("elapsed", &self.elapsed())
            .field("len", &self.len())
            .field("next_deadline", &self.next_deadline())
            .finish()
    }
}
