//! `token_ring`: three tasks copy a token from one to the next, and a fourth compares.
//!
//! Each does so under one lock, but nothing says in which order. SCTBench, `token_ring_bad`. Goes wrong where one copies before the one before it
//! has, and the fourth sees that all three are through. In the corrected program each waits for the one before.

use super::Version::{self, Buggy};
use super::{Corrected, Subject};
use crate::primitives::{Condition, Lock, Shared, Work, crew};

pub(super) const SUBJECTS: &[Subject] = &[Subject {
    name: "token_ring",
    program: || Box::pin(token_ring(Buggy)),
    corrected: Some(Corrected {
        program: || Box::pin(token_ring(Version::Corrected)),
        small: None,
    }),
}];

#[derive(Clone)]
struct Ring {
    lock: Lock,
    tokens: Vec<Shared<i32>>,
    are_through: Vec<Shared<bool>>,
    passed: Vec<Condition>,
    version: Version,
}

impl Ring {
    /// The station `at` takes the token from the one before it; the first one makes another of it.
    async fn pass(&self, at: usize) {
        self.lock.acquire().await;
        let before = (at + self.tokens.len() - 1) % self.tokens.len();
        if self.version == Version::Corrected && at > 0 {
            while !self.are_through[before].read().await {
                self.passed[before].wait(&self.lock).await;
            }
        }
        let token = self.tokens[before].read().await;
        self.tokens[at].write(if at == 0 { (token + 1) % 4 } else { token }).await;
        self.are_through[at].write(true).await;
        self.lock.release().await;
        if self.version == Version::Corrected {
            self.passed[at].signal().await;
        }
    }

    async fn compare(&self) {
        self.lock.acquire().await;
        for is_through in &self.are_through {
            if !is_through.read().await {
                return self.lock.release().await;
            }
        }
        let first = self.tokens[0].read().await;
        for token in &self.tokens[1..] {
            assert_eq!(token.read().await, first, "the token has come round");
        }
        self.lock.release().await;
    }
}

async fn token_ring(version: Version) {
    let ring = Ring {
        lock: Lock::new(),
        tokens: [1, 2, 1].map(Shared::new).to_vec(),
        are_through: [false; 3].map(Shared::new).to_vec(),
        passed: (0..3).map(|_| Condition::new()).collect(),
        version,
    };
    let mut works: Vec<Work> = Vec::new();
    for at in 0..3 {
        let ring = ring.clone();
        works.push(Box::pin(async move { ring.pass(at).await }));
    }
    works.push(Box::pin(async move { ring.compare().await }));
    crew(works).await;
}
