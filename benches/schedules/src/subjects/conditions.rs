//! A producer and a consumer with a lock and two conditions: `sync01`, `sync02` and `arithmetic_prog`.
//!
//! All three go wrong in every schedule. They are in the collection to see that a deadlock or a plain mistake is found at once.

use super::Version::{self, Buggy};
use super::{Corrected, Subject};
use crate::primitives::{Condition, Lock, Shared, Work, crew};

const fn subject(
    name: &'static str,
    program: fn() -> Work,
    corrected: fn() -> Work,
    small: fn() -> Work,
) -> Subject {
    Subject { name, program, corrected: Some(Corrected { program: corrected, small: Some(small) }) }
}

pub(super) const SUBJECTS: &[Subject] = &[
    subject(
        "sync01",
        || Box::pin(sync01(Buggy)),
        || Box::pin(sync01(Version::Corrected)),
        || Box::pin(sync01(Version::Corrected)),
    ),
    subject(
        "sync02",
        || Box::pin(sync02(2, 2)),
        || Box::pin(sync02(2, 0)),
        || Box::pin(sync02(1, 0)),
    ),
    subject(
        "arithmetic_prog",
        || Box::pin(arithmetic_prog(3, Buggy)),
        || Box::pin(arithmetic_prog(3, Version::Corrected)),
        || Box::pin(arithmetic_prog(1, Version::Corrected)),
    ),
];

/// Room for one item.
#[derive(Clone)]
struct Store {
    lock: Lock,
    items: Shared<i32>,
    emptied: Condition,
    filled: Condition,
}

impl Store {
    fn new(items: i32) -> Self {
        let (emptied, filled) = (Condition::new(), Condition::new());
        Self { lock: Lock::new(), items: Shared::new(items), emptied, filled }
    }

    async fn produce(&self) {
        self.lock.acquire().await;
        while self.items.read().await > 0 {
            self.emptied.wait(&self.lock).await;
        }
        self.items.add(1).await;
        self.lock.release().await;
        self.filled.signal().await;
    }

    /// Waits for an item, and leaves with the lock held.
    async fn wait_for_item(&self) {
        self.lock.acquire().await;
        while self.items.read().await == 0 {
            self.filled.wait(&self.lock).await;
        }
    }

    async fn leave(&self) {
        self.lock.release().await;
        self.emptied.signal().await;
    }

    async fn consume(&self) {
        self.wait_for_item().await;
        self.items.add(-1).await;
        self.leave().await;
    }
}

/// The consumer takes nothing. SCTBench, `sync01_bad`: a producer waits for ever for room.
async fn sync01(version: Version) {
    let store = Store::new(i32::from(version == Buggy));
    let producer: Work = {
        let store = store.clone();
        Box::pin(async move { store.produce().await })
    };
    let consumer: Work = Box::pin(async move {
        store.wait_for_item().await;
        if version == Version::Corrected {
            store.items.add(-1).await;
        }
        store.leave().await;
    });
    crew([producer, consumer]).await;
}

/// As many are produced as are consumed, but some were there before. SCTBench, `sync02_bad`: the producer waits for ever for room.
async fn sync02(rounds: usize, items: i32) {
    let store = Store::new(items);
    let producer: Work = {
        let store = store.clone();
        Box::pin(async move {
            for _ in 0..rounds {
                store.produce().await;
            }
        })
    };
    let consumer: Work = Box::pin(async move {
        for _ in 0..rounds {
            store.consume().await;
        }
    });
    crew([producer, consumer]).await;
}

/// The consumer sums up its rounds. SCTBench, `arithmetic_prog_bad`: asserts that the sum is not what it always is.
async fn arithmetic_prog(rounds: i32, version: Version) {
    let (store, total) = (Store::new(0), Shared::new(0));
    let producer: Work = {
        let store = store.clone();
        Box::pin(async move {
            for _ in 0..rounds {
                store.produce().await;
            }
        })
    };
    let consumer: Work = {
        let total = total.clone();
        Box::pin(async move {
            for round in 0..rounds {
                store.wait_for_item().await;
                total.add(round).await;
                store.items.add(-1).await;
                store.leave().await;
            }
            total.add(rounds).await;
        })
    };
    crew([producer, consumer]).await;
    let is_sum = total.settled(|total| *total == rounds * (rounds + 1) / 2);
    assert!(is_sum == (version == Version::Corrected), "the total is the sum: {is_sum}");
}
