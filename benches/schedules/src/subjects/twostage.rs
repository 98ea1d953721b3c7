//! `twostage`: two steps that belong together are under a lock each.
//!
//! A writer sets the first value under the first lock, and the second from it under the second lock. A reader that sees the first wants to
//! see the second. SCTBench, `twostage_bad`. Goes wrong where a reader passes both locks after some writer has passed the first, and before
//! any has passed the second.

use super::Version::{self, Buggy};
use super::{Corrected, Small, Subject};
use crate::primitives::{Lock, Shared, Work, crew, times};

const fn sized(name: &'static str, program: fn() -> Work, corrected: fn() -> Work) -> Subject {
    let small = || boxed(1, 1, Version::Corrected);
    Subject { name, program, corrected: Some(Corrected { program: corrected, small: Some(small) }) }
}

/// By the number of tasks, in the published proportions; the smallest is published without a number.
pub(super) const SUBJECTS: &[Subject] = &[
    sized("twostage_1", || boxed(1, 1, Buggy), || boxed(1, 1, Version::Corrected)),
    sized("twostage_20", || boxed(10, 10, Buggy), || boxed(10, 10, Version::Corrected)),
    sized("twostage_50", || boxed(40, 10, Buggy), || boxed(40, 10, Version::Corrected)),
    sized("twostage_100", || boxed(99, 1, Buggy), || boxed(99, 1, Version::Corrected)),
];

pub(super) const SMALL: &[Small] =
    &[Small { name: "twostage", program: || boxed(1, 1, Buggy), depth: 2 }];

#[derive(Clone)]
struct Stages {
    first: Shared<i32>,
    second: Shared<i32>,
    first_lock: Lock,
    second_lock: Lock,
    version: Version,
}

impl Stages {
    /// From the first stage to the second: the corrected program stays under the first lock.
    async fn go_on(&self) {
        if self.version == Buggy {
            self.first_lock.release().await;
        }
        self.second_lock.acquire().await;
    }

    async fn leave(&self) {
        self.second_lock.release().await;
        if self.version == Version::Corrected {
            self.first_lock.release().await;
        }
    }

    async fn write(&self) {
        self.first_lock.acquire().await;
        self.first.write(1).await;
        self.go_on().await;
        let first = self.first.read().await;
        self.second.write(first + 1).await;
        self.leave().await;
    }

    async fn read(&self) {
        self.first_lock.acquire().await;
        if self.first.read().await == 0 {
            self.first_lock.release().await;
            return;
        }
        let first = self.first.read().await;
        self.go_on().await;
        let second = self.second.read().await;
        self.leave().await;
        assert_eq!(second, first + 1, "the second stage follows the first");
    }
}

fn boxed(writers: usize, readers: usize, version: Version) -> Work {
    Box::pin(twostage(writers, readers, version))
}

async fn twostage(writers: usize, readers: usize, version: Version) {
    let stages = Stages {
        first: Shared::new(0),
        second: Shared::new(0),
        first_lock: Lock::new(),
        second_lock: Lock::new(),
        version,
    };
    let write = |_| -> Work {
        let stages = stages.clone();
        Box::pin(async move { stages.write().await })
    };
    let read = |_| -> Work {
        let stages = stages.clone();
        Box::pin(async move { stages.read().await })
    };
    crew(times(writers, write).chain(times(readers, read))).await;
}
