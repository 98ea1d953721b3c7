//! `bluetooth`: a driver is stopped while a request begins.
//!
//! A count of pending requests, which begins at 1, says when the driver can be taken down; who brings it to 0 says so in an event. SCTBench,
//! `bluetooth_driver_bad`, after Qadeer and Wu (PLDI 2004). Goes wrong where a request has seen that nobody stops the driver and is
//! counted only after the driver has been stopped. The corrected request is counted first and looks then.

use super::Version::{self, Buggy};
use super::{Corrected, Small, Subject};
use crate::primitives::{Lock, Shared, Work, crew};

pub(super) const SUBJECTS: &[Subject] = &[Subject {
    name: "bluetooth",
    program: || Box::pin(bluetooth(Buggy)),
    corrected: Some(Corrected {
        program: || Box::pin(bluetooth(Version::Corrected)),
        small: Some(|| Box::pin(bluetooth(Version::Corrected))),
    }),
}];

pub(super) const SMALL: &[Small] =
    &[Small { name: "bluetooth", program: || Box::pin(bluetooth(Buggy)), depth: 2 }];

#[derive(Clone)]
struct Driver {
    atomic: Lock,
    pending: Shared<i32>,
    is_stopping: Shared<bool>,
    stopping_event: Shared<bool>,
    is_stopped: Shared<bool>,
    version: Version,
}

impl Driver {
    async fn increment(&self) {
        self.atomic.acquire().await;
        self.pending.add(1).await;
        self.atomic.release().await;
    }

    async fn decrement(&self) {
        self.atomic.acquire().await;
        self.pending.add(-1).await;
        let pending = self.pending.read().await;
        self.atomic.release().await;
        if pending == 0 {
            self.stopping_event.write(true).await;
        }
    }

    /// Whether a request may go on; it is counted then, and in the corrected program in any case.
    async fn enter(&self) -> bool {
        if self.version == Version::Corrected {
            self.increment().await;
            return !self.is_stopping.read().await;
        }
        let enters = !self.is_stopping.read().await;
        if enters {
            self.increment().await;
        }
        enters
    }

    async fn request(&self) {
        if self.enter().await {
            assert!(!self.is_stopped.read().await, "a request runs in a driver that has stopped");
        }
        self.decrement().await;
    }

    async fn stop(&self) {
        self.is_stopping.write(true).await;
        self.decrement().await;
        if self.stopping_event.read().await {
            self.is_stopped.write(true).await;
        }
    }
}

async fn bluetooth(version: Version) {
    let driver = Driver {
        atomic: Lock::new(),
        pending: Shared::new(1),
        is_stopping: Shared::new(false),
        stopping_event: Shared::new(false),
        is_stopped: Shared::new(false),
        version,
    };
    let stop: Work = {
        let driver = driver.clone();
        Box::pin(async move { driver.stop().await })
    };
    let request: Work = Box::pin(async move { driver.request().await });
    crew([stop, request]).await;
}
