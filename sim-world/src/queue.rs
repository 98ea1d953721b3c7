//! Who waits at a description.
//!
//! Mostly nobody or one, who stands in place: a wait and its release then touch the description and nothing else. Those who
//! come while one waits stand apart, behind. Order is the order of coming, whoever leaves.

use crate::table::DescriptionId;
use sim_core::Fd;
use sim_core::backend::{Readiness, Waiter};

/// An entry of a wait queue.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    /// Released by the first event of its interest, and then forgotten.
    Once(Waiter, Readiness),
    /// An epoll object that watches the description under this number.
    Epoll(DescriptionId, Fd),
}

/// A wait queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// `None` if nobody waits.
    first: Option<Entry>,
    /// Empty if there is no first. Made when a second comes.
    rest: Option<Box<Rest>>,
}

#[derive(Debug, Default)]
struct Rest(Vec<Entry>);

impl Queue {
    /// Enters a waiter; one that is there waits for both interests.
    #[inline]
    pub(crate) fn enter(&mut self, waiter: Waiter, interest: Readiness) {
        if self.first.is_none() {
            self.first = Some(Entry::Once(waiter, interest));
            return;
        }
        let known = self.iter_mut().find_map(|entry| match entry {
            Entry::Once(other, interest) if *other == waiter => Some(interest),
            _ => None,
        });
        match known {
            Some(known) => *known |= interest,
            None => self.push(Entry::Once(waiter, interest)),
        }
    }

    /// Puts an entry behind all others.
    pub(crate) fn push(&mut self, entry: Entry) {
        match self.first {
            None => self.first = Some(entry),
            Some(_) => self.rest.get_or_insert_default().0.push(entry),
        }
    }

    /// Who there is to release.
    #[inline(always)]
    pub(crate) fn waiting(&self) -> Waiting {
        match self.first {
            None => Waiting::Nobody,
            Some(Entry::Once(waiter, interest)) if self.is_alone() => {
                Waiting::One(waiter, interest)
            }
            Some(_) => Waiting::Others,
        }
    }

    /// The one who waited, and nobody else, has left.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        debug_assert!(self.is_alone(), "others wait behind the first");
        self.first = None;
    }

    #[inline]
    fn is_alone(&self) -> bool {
        self.rest.as_ref().is_none_or(|rest| rest.0.is_empty())
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        let rest = self.rest.as_mut().map(|rest| rest.0.iter_mut());
        self.first.iter_mut().chain(rest.into_iter().flatten())
    }

    /// Keeps those whom `stays` keeps; it is asked in their order.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&Entry) -> bool) {
        self.first = self.first.filter(&mut stays);
        if let Some(rest) = &mut self.rest {
            rest.0.retain(stays);
            if self.first.is_none() && !rest.0.is_empty() {
                self.first = Some(rest.0.remove(0));
            }
        }
    }

    /// Everybody, in order.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.first.into_iter().chain(self.rest.map(|rest| rest.0).into_iter().flatten())
    }
}

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Nobody.
    Nobody,
    /// One, and nobody else.
    One(Waiter, Readiness),
    /// Several, or one who stays when it is released: they are to be asked one by one.
    Others,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(n: u32) -> Waiter {
        Waiter::Waker(n)
    }

    fn waiting(queue: &mut Queue) -> Vec<u32> {
        let entries = queue.iter_mut().map(|entry| match entry {
            Entry::Once(Waiter::Waker(n), _) => *n,
            other => panic!("{other:?} was not entered"),
        });
        entries.collect()
    }

    /// Against a vector: order, both interests of one waiter, and whoever comes into the first place.
    #[test]
    fn it_is_a_vector_with_its_first_in_place() {
        let (mut queue, mut model) = (Queue::default(), Vec::new());
        let mut state = 1_u64;
        for _ in 0..5_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let n = (state >> 33) as u32 % 5;
            match state >> 61 {
                0..=4 => {
                    queue.enter(waiter(n), Readiness::IN);
                    if !model.contains(&n) {
                        model.push(n);
                    }
                }
                5 => {
                    let expected = match *model {
                        [] => Waiting::Nobody,
                        [only] => Waiting::One(waiter(only), Readiness::IN),
                        _ => Waiting::Others,
                    };
                    assert_eq!(queue.waiting(), expected);
                    if model.len() == 1 {
                        queue.clear();
                        model.clear();
                    }
                }
                _ => {
                    let stays = |m: u32| m % 3 != n % 3;
                    queue.retain(|entry| match entry {
                        Entry::Once(Waiter::Waker(m), _) => stays(*m),
                        _ => true,
                    });
                    model.retain(|&m| stays(m));
                }
            }
            assert_eq!(waiting(&mut queue), model);
        }
        assert_eq!(queue.into_entries().count(), model.len());
    }

    #[test]
    fn one_waiter_waits_for_both_interests() {
        let mut queue = Queue::default();
        queue.enter(waiter(1), Readiness::IN);
        queue.enter(waiter(2), Readiness::IN);
        queue.enter(waiter(1), Readiness::OUT);
        let first = queue.into_entries().next();
        assert!(
            matches!(first, Some(Entry::Once(_, both)) if both == Readiness::IN | Readiness::OUT)
        );
    }
}
