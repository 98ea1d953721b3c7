//! A barrier: all wait for the last.

use super::at;
use core::fmt;
use sim_core::object::{Object, ObjectKind};
use sim_core::rt;
use std::sync::{Mutex, PoisonError};
use tokio::sync;

/// As [`tokio::sync::Barrier`]; those who wait are woken in the order of their coming.
pub struct Barrier {
    object: Object,
    n: usize,
    /// How many of this round are there.
    arrived: Mutex<usize>,
    freed: sync::Notify,
}

impl Barrier {
    /// A barrier for `n` tasks, and for one if `n` is 0.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self {
            object: rt::object(ObjectKind::Signal),
            n: n.max(1),
            arrived: Mutex::new(0),
            freed: sync::Notify::new(),
        }
    }

    /// Waits until `n` tasks have come. One that is cancelled has come all the same, as in tokio.
    pub async fn wait(&self) -> BarrierWaitResult {
        at(self.object, self.arrive()).await
    }

    async fn arrive(&self) -> BarrierWaitResult {
        let freed = {
            let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
            *arrived += 1;
            if *arrived == self.n {
                *arrived = 0;
                self.freed.notify_waiters();
                return BarrierWaitResult(true);
            }
            // Made before the lock is given back: it hears of this round's end whenever it is first polled.
            self.freed.notified()
        };
        freed.await;
        BarrierWaitResult(false)
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("n", &self.n).finish_non_exhaustive()
    }
}

/// What [`Barrier::wait`] says of the round.
#[derive(Clone, Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether this task came last; one of each round does.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}
