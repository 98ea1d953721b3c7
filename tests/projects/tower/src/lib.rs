//! Asks replicas that are slow, break and come back, through a stack of tower's layers.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::retry::Policy;
use tower::{BoxError, Service};

/// Doubles numbers, after a while, and after it has failed some times.
#[derive(Clone)]
pub struct Replica {
    pub latency: Duration,
    failures: Arc<AtomicUsize>,
    busy: Arc<AtomicUsize>,
    /// The most requests that were in it at once.
    pub most: Arc<AtomicUsize>,
    /// How many requests it got.
    pub asked: Arc<AtomicUsize>,
}

impl Replica {
    pub fn new(latency: Duration, failures: usize) -> Self {
        let zero = Arc::<AtomicUsize>::default;
        let failures = Arc::new(AtomicUsize::new(failures));
        Self { latency, failures, busy: zero(), most: zero(), asked: zero() }
    }
}

impl Service<u32> for Replica {
    type Response = u32;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<u32, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, number: u32) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            this.asked.fetch_add(1, Ordering::Relaxed);
            let busy = this.busy.fetch_add(1, Ordering::Relaxed) + 1;
            this.most.fetch_max(busy, Ordering::Relaxed);
            tokio::time::sleep(this.latency).await;
            this.busy.fetch_sub(1, Ordering::Relaxed);
            let fails = this.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            match fails {
                Ok(_) => Err("the replica is out of order".into()),
                Err(_) => Ok(number * 2),
            }
        })
    }
}

/// Tries again a fixed number of times, and waits twice as long each time.
#[derive(Clone)]
pub struct Again {
    pub left: u32,
    pub wait: Duration,
}

impl Policy<u32, u32, BoxError> for Again {
    type Future = tokio::time::Sleep;

    fn retry(&mut self, _: &mut u32, answer: &mut Result<u32, BoxError>) -> Option<Self::Future> {
        if answer.is_ok() {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        let wait = self.wait;
        self.wait *= 2;
        Some(tokio::time::sleep(wait))
    }

    fn clone_request(&mut self, number: &u32) -> Option<u32> {
        Some(*number)
    }
}
