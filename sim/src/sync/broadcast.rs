//! Channels in which every receiver sees every value, as [`tokio::sync::broadcast`]: a receiver that falls behind by more than the
//! channel holds is told how many values it lost.

pub use tokio::sync::broadcast::error;

use super::at;
use core::fmt;
use error::{RecvError, SendError, TryRecvError};
use sim_core::object::{Object, ObjectKind};
use sim_core::rt;
use tokio::sync::broadcast;

/// A channel that holds the last `capacity` values, rounded up to a power of two.
///
/// # Panics
/// If `capacity` is 0 or above half of `usize`.
#[must_use]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let object = rt::object(ObjectKind::Channel);
    let (sender, receiver) = broadcast::channel(capacity);
    (Sender { object, inner: sender }, Receiver { object, inner: receiver })
}

/// Sends to all receivers.
pub struct Sender<T> {
    object: Object,
    inner: broadcast::Sender<T>,
}

impl<T> Sender<T> {
    /// Sends a value: to how many receivers.
    ///
    /// # Errors
    /// If there is no receiver now: with the value.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        self.inner.send(value)
    }

    /// A receiver of what is sent from now on.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver { object: self.object, inner: self.inner.subscribe() }
    }

    /// Waits until there is no receiver.
    pub async fn closed(&self) {
        at(self.object, self.inner.closed()).await;
    }

    /// How many values some receiver has still to see.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether all receivers have seen all values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.inner.receiver_count()
    }

    /// Whether both send into one channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { object: self.object, inner: self.inner.clone() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Receives every value.
pub struct Receiver<T> {
    object: Object,
    inner: broadcast::Receiver<T>,
}

impl<T: Clone> Receiver<T> {
    /// The next value. One that is cancelled has taken nothing.
    ///
    /// # Errors
    /// If all were received and no sender is left; or if it fell behind, with how many values it lost.
    pub async fn recv(&mut self) -> Result<T, RecvError> {
        at(self.object, self.inner.recv()).await
    }

    /// The next value if there is one.
    ///
    /// # Errors
    /// If there is none, if none will come, or if it fell behind.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.inner.try_recv()
    }

    /// Another receiver, of what is sent from now on.
    #[must_use]
    pub fn resubscribe(&self) -> Self {
        Self { object: self.object, inner: self.inner.resubscribe() }
    }
}

impl<T> Receiver<T> {
    /// How many values it has still to see.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether it has seen all values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Whether both receive from one channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
