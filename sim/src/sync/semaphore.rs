//! Permits.

use super::{AcquireError, OwnedSemaphorePermit, SemaphorePermit, TryAcquireError, at};
use core::fmt;
use sim_core::object::{Object, ObjectKind};
use sim_core::rt;
use std::sync::Arc;
use tokio::sync;

/// As [`tokio::sync::Semaphore`]: first come, first served, also where a later one asks for fewer permits.
pub struct Semaphore {
    object: Object,
    inner: Arc<sync::Semaphore>,
}

impl Semaphore {
    /// The largest number of permits.
    pub const MAX_PERMITS: usize = sync::Semaphore::MAX_PERMITS;

    /// A semaphore with so many permits.
    ///
    /// # Panics
    /// If there are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[must_use]
    pub fn new(permits: usize) -> Self {
        Self {
            object: rt::object(ObjectKind::Lock),
            inner: Arc::new(sync::Semaphore::new(permits)),
        }
    }

    /// How many permits nobody has.
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.inner.available_permits()
    }

    /// Adds permits.
    ///
    /// # Panics
    /// If there would be more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    pub fn add_permits(&self, n: usize) {
        self.inner.add_permits(n);
    }

    /// Takes up to `n` permits away for ever: how many there were.
    pub fn forget_permits(&self, n: usize) -> usize {
        self.inner.forget_permits(n)
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// If the semaphore is closed.
    pub async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        at(self.object, self.inner.acquire()).await
    }

    /// Waits for `n` permits.
    ///
    /// # Errors
    /// If the semaphore is closed.
    pub async fn acquire_many(&self, n: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        at(self.object, self.inner.acquire_many(n)).await
    }

    /// As [`acquire`](Self::acquire), with a permit that borrows nothing.
    ///
    /// # Errors
    /// If the semaphore is closed.
    pub async fn acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        at(self.object, Arc::clone(&self.inner).acquire_owned()).await
    }

    /// As [`acquire_many`](Self::acquire_many), with permits that borrow nothing.
    ///
    /// # Errors
    /// If the semaphore is closed.
    pub async fn acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        at(self.object, Arc::clone(&self.inner).acquire_many_owned(n)).await
    }

    /// Takes a permit if there is one.
    ///
    /// # Errors
    /// If there is none, or the semaphore is closed.
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.inner.try_acquire()
    }

    /// Takes `n` permits if there are so many.
    ///
    /// # Errors
    /// If there are fewer, or the semaphore is closed.
    pub fn try_acquire_many(&self, n: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.inner.try_acquire_many(n)
    }

    /// As [`try_acquire`](Self::try_acquire), with a permit that borrows nothing.
    ///
    /// # Errors
    /// If there is none, or the semaphore is closed.
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Arc::clone(&self.inner).try_acquire_owned()
    }

    /// As [`try_acquire_many`](Self::try_acquire_many), with permits that borrow nothing.
    ///
    /// # Errors
    /// If there are fewer, or the semaphore is closed.
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Arc::clone(&self.inner).try_acquire_many_owned(n)
    }

    /// Gives no more permits: whoever waits is told.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Whether it gives no more permits.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
