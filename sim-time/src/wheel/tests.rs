//! The wheel beside a sorted map that does the same slowly.
//!
//! The map's keys are (deadline, number of the insertion), which is the promised order by
//! definition. After every operation the wheel's own facts are recomputed by walking everything,
//! which is where a fault shows first. Questions about the next deadline are operations of their
//! own: they settle what a level knows, and asking always would hide what happens unasked.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Something to do to a wheel. Spans count from the pair's `now`.
#[derive(Clone, Copy, Debug)]
enum Op {
    InsertAfter(u64),
    InsertBefore(u64),
    /// A deadline that another entry already has, the n-th of those held.
    InsertAtDeadlineOf(usize),
    InsertAtNanos(u64),
    Remove(usize),
    RemoveFirst,
    /// Lets time pass and takes out at most so many entries.
    Pop(u64, usize),
    /// Asks for all that was due in the past.
    PopBefore(u64),
    JumpToNext,
    Ask(u64),
}

/// A wheel and its model, driven in step.
struct Pair {
    wheel: Wheel<u64>,
    model: BTreeMap<(u64, u64), Key>,
    inserted: u64,
    elapsed: u64,
    now: u64,
    stale: Vec<Key>,
    most: usize,
}

impl Pair {
    fn starting_at(now: u64) -> Self {
        let mut wheel = Wheel::new();
        assert_eq!(wheel.pop_due(Instant::from_nanos(now)), None);
        Self {
            wheel,
            model: BTreeMap::new(),
            inserted: 0,
            elapsed: now,
            now,
            stale: Vec::new(),
            most: 0,
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::InsertAfter(span) => self.insert(self.now.saturating_add(span)),
            Op::InsertBefore(span) => self.insert(self.now.saturating_sub(span)),
            Op::InsertAtNanos(nanos) => self.insert(nanos),
            Op::InsertAtDeadlineOf(nth) => {
                if let Some((deadline, _)) = self.nth(nth) {
                    self.insert(deadline);
                }
            }
            Op::Remove(nth) => self.nth(nth).into_iter().for_each(|place| self.remove(place)),
            Op::RemoveFirst => self.nth(0).into_iter().for_each(|place| self.remove(place)),
            Op::Pop(span, most) => {
                self.now = self.now.saturating_add(span);
                self.pop(self.now, most);
            }
            Op::PopBefore(span) => self.pop(self.now.saturating_sub(span), usize::MAX),
            Op::JumpToNext => {
                if let Some((deadline, _)) = self.nth(0) {
                    self.now = self.now.max(deadline);
                    self.pop(self.now, usize::MAX);
                }
            }
            Op::Ask(span) => self.ask(self.now.saturating_add(span)),
        }
    }

    fn nth(&self, nth: usize) -> Option<(u64, u64)> {
        let place = nth.checked_rem(self.model.len())?;
        self.model.keys().nth(place).copied()
    }

    fn insert(&mut self, deadline: u64) {
        let value = self.inserted;
        self.inserted += 1;
        let key = self.wheel.insert(Instant::from_nanos(deadline), value);
        assert!(!self.stale.contains(&key) && !self.model.values().any(|&held| held == key));
        self.model.insert((deadline.max(self.elapsed), value), key);
        self.most = self.most.max(self.model.len());
    }

    fn remove(&mut self, place: (u64, u64)) {
        let key = self.model.remove(&place).expect("the place is in the model");
        assert_eq!(self.wheel.deadline(key), Some(Instant::from_nanos(place.0)));
        assert_eq!(self.wheel.get(key), Some(&place.1));
        assert_eq!(self.wheel.get_mut(key).copied(), Some(place.1));
        assert_eq!(self.wheel.remove(key), Some(place.1));
        self.stale.push(key);
    }

    fn pop(&mut self, now: u64, most: usize) {
        for _ in 0..most {
            let expect = self.model.first_key_value().map(|(&place, &key)| (place, key));
            let expect = expect.filter(|((deadline, _), _)| *deadline <= now);
            let popped = self.wheel.pop_due(Instant::from_nanos(now));
            let Some((place, key)) = expect else {
                assert_eq!(popped, None, "nothing is due at {now}");
                self.elapsed = self.elapsed.max(now);
                return;
            };
            assert_eq!(popped, Some((key, Instant::from_nanos(place.0), place.1)));
            self.model.remove(&place);
            self.stale.push(key);
            self.elapsed = place.0;
        }
    }

    fn ask(&self, now: u64) {
        let next = self.model.keys().next().map(|place| place.0);
        assert_eq!(self.wheel.due(Instant::from_nanos(now)), next.is_some_and(|next| next <= now));
        assert_eq!(self.wheel.next_deadline(), next.map(Instant::from_nanos));
        assert_eq!(self.wheel.due(Instant::from_nanos(now)), next.is_some_and(|next| next <= now));
    }

    fn check(&mut self) {
        assert_eq!(self.wheel.elapsed(), Instant::from_nanos(self.elapsed));
        assert!(self.wheel.base_ns <= self.elapsed, "it counts from an instant that has passed");
        assert_eq!(self.wheel.len(), self.model.len());
        assert_eq!(self.wheel.is_empty(), self.model.is_empty());
        let mut held = 0;
        for (index, level) in self.wheel.levels.iter().enumerate() {
            held += level.check(index, (self.wheel.base_ns, self.elapsed), &self.wheel.slab);
            assert_eq!(self.wheel.occupied & (1 << index) != 0, !level.is_empty());
        }
        assert_eq!(held, self.model.len(), "an entry is in no list");
        assert_eq!(self.wheel.slab.places(), self.most, "vacant places are used before new ones");
        for &key in self.stale.iter().rev().take(8) {
            assert_eq!((self.wheel.get(key), self.wheel.deadline(key)), (None, None));
            assert_eq!(self.wheel.get_mut(key), None);
            assert_eq!(self.wheel.remove(key), None);
        }
    }
}

/// Spans of every scale, crowded around the places where a digit carries.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => prop::sample::select(vec![0, 0, 1, 2, 62, 63, 64, 65, 4_095, 4_096, 4_097]),
        3 => (0..64_u32, 0..=2_u64).prop_map(|(bits, by)| (1_u64 << bits).saturating_add(by).saturating_sub(1)),
        3 => (0..=63_u32, any::<u64>()).prop_map(|(bits, any)| any >> bits),
        1 => Just(u64::MAX),
    ]
}

/// Spans that are small beside one another, so that many entries share slots of middle levels.
fn crowded_span() -> impl Strategy<Value = u64> {
    prop_oneof![0..=130_u64, 4_000..=4_200_u64, 0..=20_000_u64, 262_000..=270_000_u64]
}

fn op(span: impl Strategy<Value = u64> + Clone) -> impl Strategy<Value = Op> {
    let most = prop_oneof![Just(1), 0..4_usize, Just(usize::MAX)];
    prop_oneof![
        6 => span.clone().prop_map(Op::InsertAfter),
        1 => span.clone().prop_map(Op::InsertBefore),
        2 => any::<usize>().prop_map(Op::InsertAtDeadlineOf),
        1 => span.clone().prop_map(|span| Op::InsertAtNanos(u64::MAX - span)),
        2 => any::<usize>().prop_map(Op::Remove),
        2 => Just(Op::RemoveFirst),
        3 => (span.clone(), most).prop_map(|(span, most)| Op::Pop(span, most)),
        1 => span.clone().prop_map(Op::PopBefore),
        2 => Just(Op::JumpToNext),
        3 => span.prop_map(Op::Ask),
    ]
}

fn run(start: u64, script: &[Op]) {
    let mut pair = Pair::starting_at(start);
    pair.check();
    for &op in script {
        pair.apply(op);
        pair.check();
    }
    pair.pop(u64::MAX, usize::MAX);
    assert!(pair.wheel.is_empty() && pair.model.is_empty());
    pair.check();
}

proptest! {
    #[test]
    fn behaves_like_a_sorted_map_at_all_scales(
        start in prop_oneof![Just(0), span(), span().prop_map(|span| u64::MAX - span)],
        script in prop::collection::vec(op(span().boxed()), 0..80),
    ) {
        run(start, &script);
    }

    #[test]
    fn behaves_like_a_sorted_map_when_crowded(
        start in crowded_span(),
        script in prop::collection::vec(op(crowded_span().boxed()), 0..150),
    ) {
        run(start, &script);
    }
}

/// Every script of up to five operations from eight, across the carry of two digits. The facts are
/// recomputed at the end of each only: what comes before is the end of a shorter one.
#[test]
fn all_short_scripts_behave_like_a_sorted_map() {
    let alphabet = [
        Op::InsertAfter(0),
        Op::InsertAfter(1),
        Op::InsertAfter(65),
        Op::InsertAfter(66),
        Op::RemoveFirst,
        Op::Pop(0, 1),
        Op::Pop(2, usize::MAX),
        Op::Ask(65),
    ];
    let mut scripts = 0;
    for len in 0..=5 {
        for number in 0..alphabet.len().pow(len) {
            let mut pair = Pair::starting_at(4_095 - 2);
            for place in 0..len {
                pair.apply(alphabet[number / alphabet.len().pow(place) % alphabet.len()]);
            }
            pair.check();
            pair.pop(u64::MAX, usize::MAX);
            assert!(pair.wheel.is_empty() && pair.model.is_empty());
            scripts += 1;
        }
    }
    assert_eq!(scripts, 37_449, "the sum of the powers of eight from the 0th to the 5th");
}

#[test]
fn equal_deadlines_keep_their_order_through_every_cascade() {
    let deadline = 1_u64 << 62 | 1;
    let mut wheel = Wheel::new();
    let mut expect = Vec::new();
    // One entry is inserted at each level that the deadline is seen from, as time comes nearer.
    for digit in (0..62).rev() {
        for _ in 0..2 {
            expect.push(expect.len());
            wheel.insert(Instant::from_nanos(deadline), expect.len() - 1);
        }
        assert_eq!(wheel.pop_due(Instant::from_nanos(deadline - (1 << digit))), None);
    }
    let now = Instant::from_nanos(deadline);
    let popped: Vec<_> =
        std::iter::from_fn(|| wheel.pop_due(now)).map(|(_, _, value)| value).collect();
    assert_eq!(popped, expect);
}

#[test]
fn overdue_entries_come_in_the_order_of_insertion() {
    let now = Instant::from_nanos(1_000);
    let mut wheel = Wheel::new();
    assert_eq!(wheel.pop_due(now), None);
    for (deadline, value) in [(1_001, 'd'), (900, 'a'), (1_000, 'b'), (100, 'c')] {
        wheel.insert(Instant::from_nanos(deadline), value);
    }
    assert_eq!(wheel.next_deadline(), Some(now));
    let popped: String =
        std::iter::from_fn(|| wheel.pop_due(now)).map(|(_, _, value)| value).collect();
    assert_eq!(popped, "abc");
    assert_eq!(wheel.len(), 1);
}

#[test]
fn a_hundred_thousand_timers_come_back_sorted_from_reused_places() {
    let mut wheel = Wheel::with_capacity(0);
    let mut state = 1_u64;
    for round in 0..3 {
        let base = wheel.elapsed().as_nanos();
        let mut expect = Vec::new();
        for value in 0..100_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let deadline = base + (state >> 33) % 1_000_000_000;
            wheel.insert(Instant::from_nanos(deadline), value);
            expect.push((deadline, value));
        }
        expect.sort_unstable();
        for (deadline, value) in expect {
            let now = wheel.next_deadline().expect("an entry is left");
            assert_eq!(now.as_nanos(), deadline);
            assert_eq!(wheel.pop_due(now).map(|(_, at, value)| (at, value)), Some((now, value)));
        }
        assert_eq!((round, wheel.len(), wheel.slab.places()), (round, 0, 100_000));
    }
}

#[test]
fn a_wheel_can_follow_the_turn_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&Wheel::<u64>::new());
}

#[test]
fn debug_text_is_a_summary() {
    let mut wheel = Wheel::default();
    wheel.insert(Instant::from_nanos(7), ());
    assert_eq!(
        format!("{wheel:?}"),
        "Wheel { elapsed: 0.000000000s, len: 1, next_deadline: Some(0.000000007s) }"
    );
}

/// Timers of one period stay where they are until their time has come; one that comes between them is found all the same.
#[test]
fn a_slot_in_order_does_not_cascade() {
    let at = |ns: u64| Instant::from_nanos(ns);
    let mut wheel = Wheel::new();
    for deadline_ns in [1_000_000, 1_000_100, 1_000_200, 1_000_300] {
        wheel.insert(at(deadline_ns), deadline_ns);
    }
    assert_eq!(wheel.pop_due(at(1_000_050)).map(|(.., value)| value), Some(1_000_000));
    assert_eq!(wheel.pop_due(at(1_000_050)), None);
    assert_eq!((wheel.base_ns, wheel.elapsed()), (0, at(1_000_050)));
    wheel.insert(at(1_000_150), 1_000_150);
    let rest: Vec<_> = std::iter::from_fn(|| wheel.pop_due(at(1_000_300))).collect();
    let values: Vec<_> = rest.iter().map(|(.., value)| *value).collect();
    assert_eq!(values, [1_000_100, 1_000_150, 1_000_200, 1_000_300]);
    assert_eq!((wheel.base_ns, wheel.elapsed()), (1_000_300, at(1_000_300)));
}
