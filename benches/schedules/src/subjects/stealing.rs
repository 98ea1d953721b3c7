//! Work-stealing queues: `WorkStealQueue`, `InterlockedWorkStealQueue`, and two that record their calls.
//!
//! An owner pushes and pops at the tail without a lock, thieves take at the head under one, and both look whether they have met (the THE
//! protocol of Cilk-5, Frigo et al., PLDI 1998). Each item is to be worked on once.
//!
//! - `WorkStealQueue` waits for its lock, `InterlockedWorkStealQueue` spins. SCTBench, from CHESS. The owner fills the last free slot as well,
//!   and while a thief is about to step back, the head says that there is one more than there is: an item is overwritten.
//! - `StateWorkStealQueue` and `InterlockedWSQWithState` have a correct queue, and note each call in a table with a row for each
//!   task. A new task makes the table as long as it needs it, and two that begin together can make it shorter again: a row is gone.

use super::Version::{self, Buggy};
use super::{Corrected, Subject};
use crate::primitives::{Lock, Shared, Work, crew};

const fn subject(
    name: &'static str,
    program: fn() -> Work,
    corrected: fn() -> Work,
    small: Option<fn() -> Work>,
) -> Subject {
    Subject { name, program, corrected: Some(Corrected { program: corrected, small }) }
}

pub(super) const SUBJECTS: &[Subject] = &[
    subject(
        "WorkStealQueue",
        || PAIRS.run(Waits::Parked, Buggy),
        || PAIRS.run(Waits::Parked, Version::Corrected),
        Some(|| LAST.run(Waits::Parked, Version::Corrected)),
    ),
    subject(
        "InterlockedWorkStealQueue",
        || PAIRS.run(Waits::Spinning, Buggy),
        || PAIRS.run(Waits::Spinning, Version::Corrected),
        None,
    ),
    subject(
        "StateWorkStealQueue",
        || AT_ONCE.run(Waits::Spinning, Buggy),
        || AT_ONCE.run(Waits::Spinning, Version::Corrected),
        None,
    ),
    subject(
        "InterlockedWSQWithState",
        || RECORDED_PAIRS.run(Waits::Spinning, Buggy),
        || RECORDED_PAIRS.run(Waits::Spinning, Version::Corrected),
        None,
    ),
];

/// Who does how much.
#[derive(Clone, Copy)]
struct Plan {
    thieves: usize,
    attempts: usize,
    items: usize,
    /// Whether the items are in the queue from the start, one or two of them, or the owner pushes them.
    are_there: bool,
    /// How many items the owner pushes before it pops one.
    at_once: usize,
    /// Whether calls are noted: then the table is what is wrong, and else the queue.
    is_recorded: bool,
}

const PAIRS: Plan =
    Plan { thieves: 1, attempts: 2, items: 4, are_there: false, at_once: 2, is_recorded: false };
const RECORDED_PAIRS: Plan = Plan { thieves: 2, is_recorded: true, ..PAIRS };
const AT_ONCE: Plan = Plan { at_once: 4, ..RECORDED_PAIRS };
/// Owner and thief meet at the only item.
const LAST: Plan = Plan { attempts: 1, items: 1, are_there: true, ..PAIRS };

/// How a task waits for the queue's lock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    Parked,
    Spinning,
}

/// A lock that is waited for in either way.
#[derive(Clone)]
struct Guard {
    waits: Waits,
    lock: Lock,
    is_held: Shared<bool>,
}

impl Guard {
    async fn acquire(&self) {
        if self.waits == Waits::Parked {
            return self.lock.acquire().await;
        }
        while self.is_held.update(|is_held| core::mem::replace(is_held, true)).await {
            sim::yield_now().await;
        }
    }

    async fn release(&self) {
        match self.waits {
            Waits::Parked => self.lock.release().await,
            Waits::Spinning => self.is_held.write(false).await,
        }
    }
}

/// Which calls each task is in: a row of depths by task.
#[derive(Clone)]
struct Calls {
    rows: Option<Shared<Vec<u32>>>,
    version: Version,
}

impl Calls {
    /// `task` begins a call. What is asked first, whether there is a row for it, may be past when one is made.
    async fn enter(&self, task: usize) {
        let Some(rows) = &self.rows else { return };
        if self.version == Version::Corrected {
            return rows.update(|rows| deepen(rows, task, true)).await;
        }
        if rows.update(|rows| rows.len()).await <= task {
            rows.update(|rows| rows.resize(task + 1, 0)).await;
        }
        rows.update(|rows| deepen(rows, task, false)).await;
    }

    /// `task` notes how far it is in its call.
    async fn note(&self, task: usize) {
        let Some(rows) = &self.rows else { return };
        let depth = rows.update(|rows| rows.get(task).copied()).await;
        assert!(depth.is_some_and(|depth| depth > 0), "task {task} is in no call: {depth:?}");
    }

    async fn leave(&self, task: usize) {
        self.note(task).await;
        let Some(rows) = &self.rows else { return };
        rows.update(|rows| {
            if let Some(depth) = rows.get_mut(task) {
                *depth = depth.saturating_sub(1);
            }
        })
        .await;
    }
}

fn deepen(rows: &mut Vec<u32>, task: usize, grows: bool) {
    if grows && rows.len() <= task {
        rows.resize(task + 1, 0);
    }
    let Some(depth) = rows.get_mut(task) else { panic!("the table has no row for task {task}") };
    *depth += 1;
}

/// Positions count on, and their place is what is left of them by the number of slots, a power of two.
#[derive(Clone)]
struct Queue {
    guard: Guard,
    calls: Calls,
    head: Shared<i64>,
    tail: Shared<i64>,
    slots: Shared<Vec<usize>>,
    /// How many slots the owner leaves free: a thief that steps back needs one.
    spare: i64,
}

impl Queue {
    /// The number of slots less one. Only the owner and whoever has the lock changes it.
    fn mask(&self) -> i64 {
        self.slots.settled(|slots| slots.len() as i64 - 1)
    }

    async fn take(&self, position: i64) -> usize {
        self.slots.update(|slots| slots[(position & (slots.len() as i64 - 1)) as usize]).await
    }

    async fn put(&self, position: i64, item: usize) {
        let put = |slots: &mut Vec<usize>| {
            let mask = slots.len() as i64 - 1;
            slots[(position & mask) as usize] = item;
        };
        self.slots.update(put).await;
    }

    async fn steal(&self, task: usize) -> Option<usize> {
        self.calls.enter(task).await;
        self.guard.acquire().await;
        let head = self.head.read().await;
        self.calls.note(task).await;
        self.head.write(head + 1).await;
        let item = if head < self.tail.read().await {
            Some(self.take(head).await)
        } else {
            self.head.write(head).await;
            None
        };
        self.guard.release().await;
        self.calls.leave(task).await;
        item
    }

    async fn pop(&self) -> Option<usize> {
        self.calls.enter(0).await;
        let tail = self.tail.read().await - 1;
        self.calls.note(0).await;
        self.tail.write(tail).await;
        let item = if self.head.read().await <= tail {
            Some(self.take(tail).await)
        } else {
            self.tail.write(tail + 1).await;
            self.pop_alone().await
        };
        self.calls.leave(0).await;
        item
    }

    /// Under the lock: no thief is at it.
    async fn pop_alone(&self) -> Option<usize> {
        self.guard.acquire().await;
        let tail = self.tail.read().await - 1;
        self.tail.write(tail).await;
        let item = if self.head.read().await <= tail {
            Some(self.take(tail).await)
        } else {
            self.head.write(0).await;
            self.tail.write(0).await;
            None
        };
        self.guard.release().await;
        item
    }

    async fn push(&self, item: usize) {
        self.calls.enter(0).await;
        let tail = self.tail.read().await;
        self.calls.note(0).await;
        if tail < self.head.read().await + self.mask() + 1 - self.spare {
            self.put(tail, item).await;
            self.tail.write(tail + 1).await;
        } else {
            self.push_alone(item).await;
        }
        self.calls.leave(0).await;
    }

    /// Under the lock: begins to count anew, and makes more slots if they are needed.
    async fn push_alone(&self, item: usize) {
        self.guard.acquire().await;
        let head = self.head.read().await;
        let count = self.tail.read().await - head;
        let head = head & self.mask();
        self.head.write(head).await;
        self.tail.write(head + count).await;
        if count >= self.mask() {
            self.slots
                .update(|slots| {
                    let mask = slots.len() as i64 - 1;
                    let at = |nth: i64| slots[((head + nth) & mask) as usize];
                    let mut more: Vec<usize> = (0..count).map(at).collect();
                    more.resize(2 * slots.len(), 0);
                    *slots = more;
                })
                .await;
            self.head.write(0).await;
            self.tail.write(count).await;
        }
        let tail = self.tail.read().await;
        self.put(tail, item).await;
        self.tail.write(tail + 1).await;
        self.guard.release().await;
    }
}

impl Plan {
    fn run(self, waits: Waits, version: Version) -> Work {
        Box::pin(self.steal_and_pop(waits, version))
    }

    fn queue(self, waits: Waits, version: Version) -> Queue {
        let rows = self.is_recorded.then(|| Shared::new(vec![0]));
        Queue {
            guard: Guard { waits, lock: Lock::new(), is_held: Shared::new(false) },
            calls: Calls { rows, version },
            head: Shared::new(0),
            tail: Shared::new(if self.are_there { self.items as i64 } else { 0 }),
            slots: Shared::new(vec![0, 1]),
            spare: i64::from(self.is_recorded || version == Version::Corrected),
        }
    }

    async fn steal_and_pop(self, waits: Waits, version: Version) {
        let queue = self.queue(waits, version);
        let worked: Vec<Shared<i32>> = (0..self.items).map(|_| Shared::new(0)).collect();
        let mut works: Vec<Work> = Vec::new();
        for task in 1..=self.thieves {
            let (queue, worked) = (queue.clone(), worked.clone());
            works.push(Box::pin(async move {
                for _ in 0..self.attempts {
                    if let Some(item) = queue.steal(task).await {
                        worked[item].add(1).await;
                    }
                }
            }));
        }
        works.push(self.owner(queue, worked.clone()));
        crew(works).await;
        for (item, times) in worked.iter().enumerate() {
            let times = times.settled(|times| *times);
            assert_eq!(times, 1, "item {item} was worked on {times} times");
        }
    }

    fn owner(self, queue: Queue, worked: Vec<Shared<i32>>) -> Work {
        Box::pin(async move {
            let mut items = if self.are_there { 0..0 } else { 0..self.items };
            for _ in 0..self.items {
                for item in items.by_ref().take(self.at_once) {
                    queue.push(item).await;
                }
                if let Some(item) = queue.pop().await {
                    worked[item].add(1).await;
                }
            }
        })
    }
}
