//! A value that is made once.

use super::{SetError, at};
use core::fmt;
use sim_core::object::{Object, ObjectKind};
use sim_core::rt;
use tokio::sync;

/// As [`tokio::sync::OnceCell`]: of all who come while the value is being made one makes it and the others wait; if that one fails or
/// is cancelled, the next tries.
pub struct OnceCell<T> {
    object: Object,
    inner: sync::OnceCell<T>,
}

impl<T> OnceCell<T> {
    /// Without a value.
    #[must_use]
    pub fn new() -> Self {
        Self::new_with(None)
    }

    /// With a value, or without.
    #[must_use]
    pub fn new_with(value: Option<T>) -> Self {
        Self { object: rt::object(ObjectKind::Signal), inner: sync::OnceCell::new_with(value) }
    }

    /// As [`new`](Self::new), for a static. It has no name; see the [module](super).
    #[must_use]
    pub const fn const_new() -> Self {
        Self { object: Object::UNKNOWN, inner: sync::OnceCell::const_new() }
    }

    /// Whether there is a value.
    pub fn initialized(&self) -> bool {
        self.inner.initialized()
    }

    /// The value, if there is one.
    pub fn get(&self) -> Option<&T> {
        self.inner.get()
    }

    /// The value, if there is one.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.inner.get_mut()
    }

    /// Sets the value.
    ///
    /// # Errors
    /// If there is one, or somebody makes it now: with the value.
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        self.inner.set(value)
    }

    /// The value, which `make` makes if there is none.
    pub async fn get_or_init<F, Fut>(&self, make: F) -> &T
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        at(self.object, core::future::ready(())).await;
        self.inner.get_or_init(make).await
    }

    /// The value, which `make` makes if there is none.
    ///
    /// # Errors
    /// What `make` fails with; there is no value then.
    pub async fn get_or_try_init<E, F, Fut>(&self, make: F) -> Result<&T, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        at(self.object, core::future::ready(())).await;
        self.inner.get_or_try_init(make).await
    }

    /// The value, if there is one.
    pub fn into_inner(self) -> Option<T> {
        self.inner.into_inner()
    }

    /// Takes the value out, if there is one.
    pub fn take(&mut self) -> Option<T> {
        self.inner.take()
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self::new_with(Some(value))
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
