//! `qsort_mt`: a sort that farms halves out to a pool of workers.
//!
//! Whoever splits a range looks for an idle worker, marks it as at work, writes the range down for it and signals. The last to become idle
//! tells all others to end. SCTBench, from the Inspect collection; the sort is Spinellis's `qsort_mt` of 2006.
//!
//! Goes wrong where a worker becomes idle and is marked again before it looks: it sees that there is work, does not wait, and sorts the
//! range that it had before; what was farmed out to it is never sorted. In the corrected program the range is written before the mark.

use super::Version::{self, Buggy};
use super::{Corrected, Subject};
use crate::primitives::{Condition, Lock, Shared, Work, crew, times};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

pub(super) const SUBJECTS: &[Subject] = &[Subject {
    name: "qsort_mt",
    program: || Box::pin(qsort_mt(32, 2, Buggy)),
    corrected: Some(Corrected {
        program: || Box::pin(qsort_mt(32, 2, Version::Corrected)),
        small: None,
    }),
}];

/// A range is farmed out if both halves have more elements than this.
const FORK_MIN: usize = 4;

/// Fewer elements than this are sorted by insertion.
const SPLIT_MIN: usize = 7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Works,
    Ends,
}

#[derive(Clone)]
struct Worker {
    state: Shared<State>,
    range: Shared<(usize, usize)>,
    lock: Lock,
    changed: Condition,
}

#[derive(Clone)]
struct Pool {
    /// Each range is one worker's at a time, so that there is nothing to explore about the elements.
    elements: Rc<RefCell<Vec<u32>>>,
    workers: Vec<Worker>,
    idle: Shared<usize>,
    lock: Lock,
    version: Version,
}

impl Pool {
    /// Hands `range` to an idle worker, if there is one.
    async fn farm_out(&self, range: &Range<usize>) -> bool {
        self.lock.acquire().await;
        for worker in &self.workers {
            if worker.state.read().await == State::Idle {
                self.idle.update(|idle| *idle -= 1).await;
                self.hand_over(worker, range).await;
                return true;
            }
        }
        self.lock.release().await;
        false
    }

    async fn hand_over(&self, worker: &Worker, range: &Range<usize>) {
        let range = (range.start, range.end);
        if self.version == Version::Corrected {
            worker.lock.acquire().await;
            worker.range.write(range).await;
            worker.state.write(State::Works).await;
            self.lock.release().await;
        } else {
            worker.state.write(State::Works).await;
            worker.lock.acquire().await;
            self.lock.release().await;
            worker.range.write(range).await;
        }
        worker.changed.signal().await;
        worker.lock.release().await;
    }

    async fn sort(&self, mut range: Range<usize>) {
        while range.len() >= SPLIT_MIN {
            let at = split(&mut self.elements.borrow_mut()[range.clone()]) + range.start;
            let (left, right) = (range.start..at, at + 1..range.end);
            let is_farmed = left.len().min(right.len()) > FORK_MIN && self.farm_out(&left).await;
            if !is_farmed {
                Box::pin(self.sort(left)).await;
            }
            range = right;
        }
        self.elements.borrow_mut()[range].sort_unstable();
    }

    async fn work(&self, number: usize) {
        let worker = &self.workers[number];
        loop {
            worker.lock.acquire().await;
            while worker.state.read().await == State::Idle {
                worker.changed.wait(&worker.lock).await;
            }
            worker.lock.release().await;
            if worker.state.read().await == State::Ends {
                return;
            }
            let (start, end) = worker.range.read().await;
            self.sort(start..end).await;
            self.lock.acquire().await;
            worker.state.write(State::Idle).await;
            let idle = self
                .idle
                .update(|idle| {
                    *idle += 1;
                    *idle
                })
                .await;
            if idle == self.workers.len() {
                self.end(number).await;
                return self.lock.release().await;
            }
            self.lock.release().await;
        }
    }

    /// Tells everybody but the worker `number` to end.
    async fn end(&self, number: usize) {
        let others = self.workers.iter().enumerate().filter(|(other, _)| *other != number);
        for (_, worker) in others {
            worker.lock.acquire().await;
            worker.state.write(State::Ends).await;
            worker.changed.signal().await;
            worker.lock.release().await;
        }
    }

    /// Hands the whole to the first worker, as the caller of the sort does.
    async fn begin(&self) {
        let (first, len) = (&self.workers[0], self.elements.borrow().len());
        first.lock.acquire().await;
        first.range.write((0, len)).await;
        first.state.write(State::Works).await;
        self.idle.update(|idle| *idle -= 1).await;
        first.changed.signal().await;
        first.lock.release().await;
    }
}

/// Parts the elements at the middle one: where it is then.
fn split(elements: &mut [u32]) -> usize {
    let last = elements.len() - 1;
    elements.swap(last / 2, last);
    let mut at = 0;
    for next in 0..last {
        if elements[next] < elements[last] {
            elements.swap(at, next);
            at += 1;
        }
    }
    elements.swap(at, last);
    at
}

async fn qsort_mt(len: u32, workers: usize, version: Version) {
    // Any fixed order does; this one splits evenly.
    let elements: Vec<u32> = (0..len).map(|n| (n * 7 + 7) % len).collect();
    let worker = |_| Worker {
        state: Shared::new(State::Idle),
        range: Shared::new((0, 0)),
        lock: Lock::new(),
        changed: Condition::new(),
    };
    let pool = Pool {
        elements: Rc::new(RefCell::new(elements)),
        workers: (0..workers).map(worker).collect(),
        idle: Shared::new(workers),
        lock: Lock::new(),
        version,
    };
    let begin: Work = {
        let pool = pool.clone();
        Box::pin(async move { pool.begin().await })
    };
    let work = |number| -> Work {
        let pool = pool.clone();
        Box::pin(async move { pool.work(number).await })
    };
    crew(times(workers, work).chain([begin])).await;
    assert!(pool.elements.borrow().is_sorted(), "the elements are sorted");
}
