//! `reorder`: two variables are written in an order, and read in the same.
//!
//! Setters write `a = 1` and then `b = -1`; checkers want both written or neither. SCTBench, `reorder_bad`. Goes wrong where a checker reads
//! `b` after some setter has written `a` and before any has written `b`. Every setter has to be held back for that, which is why more of
//! them make it harder. A checker reads `a` twice where it is not 0 at first, as the condition of the original does.

use super::Version::{self, Buggy};
use super::{Corrected, Small, Subject};
use crate::primitives::{Lock, Shared, Work, crew, times};

const fn sized(name: &'static str, program: fn() -> Work, corrected: fn() -> Work) -> Subject {
    let small = || boxed(1, 1, Version::Corrected);
    Subject { name, program, corrected: Some(Corrected { program: corrected, small: Some(small) }) }
}

/// By the number of tasks, in the published proportions.
pub(super) const SUBJECTS: &[Subject] = &[
    sized("reorder_3", || boxed(2, 1, Buggy), || boxed(2, 1, Version::Corrected)),
    sized("reorder_4", || boxed(3, 1, Buggy), || boxed(3, 1, Version::Corrected)),
    sized("reorder_5", || boxed(4, 1, Buggy), || boxed(4, 1, Version::Corrected)),
    sized("reorder_10", || boxed(9, 1, Buggy), || boxed(9, 1, Version::Corrected)),
    sized("reorder_20", || boxed(10, 10, Buggy), || boxed(10, 10, Version::Corrected)),
    sized("reorder_50", || boxed(40, 10, Buggy), || boxed(40, 10, Version::Corrected)),
    sized("reorder_100", || boxed(99, 1, Buggy), || boxed(99, 1, Version::Corrected)),
];

pub(super) const SMALL: &[Small] =
    &[Small { name: "reorder", program: || boxed(1, 1, Buggy), depth: 2 }];

#[derive(Clone)]
struct Pair {
    a: Shared<i32>,
    b: Shared<i32>,
    lock: Lock,
    version: Version,
}

impl Pair {
    async fn begin(&self) {
        if self.version == Version::Corrected {
            self.lock.acquire().await;
        }
    }

    async fn end(&self) {
        if self.version == Version::Corrected {
            self.lock.release().await;
        }
    }

    async fn set(&self) {
        self.begin().await;
        self.a.write(1).await;
        self.b.write(-1).await;
        self.end().await;
    }

    async fn check(&self) {
        self.begin().await;
        let is_untouched = self.a.read().await == 0 && self.b.read().await == 0;
        assert!(
            is_untouched || (self.a.read().await == 1 && self.b.read().await == -1),
            "one of the two is set"
        );
        self.end().await;
    }
}

fn boxed(setters: usize, checkers: usize, version: Version) -> Work {
    Box::pin(reorder(setters, checkers, version))
}

async fn reorder(setters: usize, checkers: usize, version: Version) {
    let pair = Pair { a: Shared::new(0), b: Shared::new(0), lock: Lock::new(), version };
    let set = |_| -> Work {
        let pair = pair.clone();
        Box::pin(async move { pair.set().await })
    };
    let check = |_| -> Work {
        let pair = pair.clone();
        Box::pin(async move { pair.check().await })
    };
    crew(times(setters, set).chain(times(checkers, check))).await;
}
