//! Locks: one at a time, or many that read.
//!
//! Both are fair: whoever asks first is first, and a reader does not pass a writer that waits. The value lies behind a pointer, so that a guard can
//! own its lock.

use super::{
    MutexGuard, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLockReadGuard,
    RwLockWriteGuard, TryLockError, at,
};
use core::fmt;
use sim_core::object::{Object, ObjectKind};
use sim_core::rt;
use std::sync::Arc;
use tokio::sync;

/// The value of a lock that nothing else owns any more.
fn sole<L>(inner: Arc<L>) -> L {
    Arc::into_inner(inner).expect("a lock is taken apart when no owned guard of it is left")
}

/// As [`tokio::sync::Mutex`]: first come, first served; a task that is cancelled while it waits leaves the line.
pub struct Mutex<T> {
    object: Object,
    inner: Arc<sync::Mutex<T>>,
}

impl<T> Mutex<T> {
    /// A lock that nobody has.
    pub fn new(value: T) -> Self {
        Self { object: rt::object(ObjectKind::Lock), inner: Arc::new(sync::Mutex::new(value)) }
    }

    /// Takes the lock, when it is the caller's turn.
    pub async fn lock(&self) -> MutexGuard<'_, T> {
        at(self.object, self.inner.lock()).await
    }

    /// As [`lock`](Self::lock), with a guard that borrows nothing.
    pub async fn lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        at(self.object, Arc::clone(&self.inner).lock_owned()).await
    }

    /// Takes the lock if nobody has it.
    ///
    /// # Errors
    /// If somebody has.
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        self.inner.try_lock()
    }

    /// As [`try_lock`](Self::try_lock), with a guard that borrows nothing.
    ///
    /// # Errors
    /// If somebody has the lock.
    pub fn try_lock_owned(self: Arc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        Arc::clone(&self.inner).try_lock_owned()
    }

    /// The value, whose lock nobody else can have.
    ///
    /// # Panics
    /// If an owned guard of it is left.
    pub fn get_mut(&mut self) -> &mut T {
        let inner = Arc::get_mut(&mut self.inner);
        inner.expect("a lock is borrowed whole when no owned guard of it is left").get_mut()
    }

    /// The value.
    ///
    /// # Panics
    /// If an owned guard of it is left.
    pub fn into_inner(self) -> T {
        sole(self.inner).into_inner()
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// As [`tokio::sync::RwLock`]: many readers or one writer, in the order of asking.
pub struct RwLock<T> {
    object: Object,
    inner: Arc<sync::RwLock<T>>,
}

impl<T> RwLock<T> {
    /// A lock that nobody has.
    pub fn new(value: T) -> Self {
        Self { object: rt::object(ObjectKind::Lock), inner: Arc::new(sync::RwLock::new(value)) }
    }

    /// Waits until the value may be read. A writer that asked before is served before.
    pub async fn read(&self) -> RwLockReadGuard<'_, T> {
        at(self.object, self.inner.read()).await
    }

    /// As [`read`](Self::read), with a guard that borrows nothing.
    pub async fn read_owned(self: Arc<Self>) -> OwnedRwLockReadGuard<T> {
        at(self.object, Arc::clone(&self.inner).read_owned()).await
    }

    /// Waits until the value may be written.
    pub async fn write(&self) -> RwLockWriteGuard<'_, T> {
        at(self.object, self.inner.write()).await
    }

    /// As [`write`](Self::write), with a guard that borrows nothing.
    pub async fn write_owned(self: Arc<Self>) -> OwnedRwLockWriteGuard<T> {
        at(self.object, Arc::clone(&self.inner).write_owned()).await
    }

    /// Reads, if no writer has the lock or waits for it.
    ///
    /// # Errors
    /// If one does.
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        self.inner.try_read()
    }

    /// As [`try_read`](Self::try_read), with a guard that borrows nothing.
    ///
    /// # Errors
    /// If a writer has the lock or waits for it.
    pub fn try_read_owned(self: Arc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        Arc::clone(&self.inner).try_read_owned()
    }

    /// Writes, if nobody has the lock.
    ///
    /// # Errors
    /// If somebody has.
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        self.inner.try_write()
    }

    /// As [`try_write`](Self::try_write), with a guard that borrows nothing.
    ///
    /// # Errors
    /// If somebody has the lock.
    pub fn try_write_owned(self: Arc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        Arc::clone(&self.inner).try_write_owned()
    }

    /// The value, whose lock nobody else can have.
    ///
    /// # Panics
    /// If an owned guard of it is left.
    pub fn get_mut(&mut self) -> &mut T {
        let inner = Arc::get_mut(&mut self.inner);
        inner.expect("a lock is borrowed whole when no owned guard of it is left").get_mut()
    }

    /// The value.
    ///
    /// # Panics
    /// If an owned guard of it is left.
    pub fn into_inner(self) -> T {
        sole(self.inner).into_inner()
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
