//! Channels of many senders and one receiver, with room for so many values or for any number.
//!
//! As [`tokio::sync::mpsc`]: senders that wait for room are served in the order of asking; what was sent before the last sender
//! was dropped is still received; `recv` that is cancelled has taken nothing. For a `send` with a limit of time put
//! [`reserve`](Sender::reserve) into a [`timeout`](crate::time::timeout): the value is then still there when the time is up.

pub use tokio::sync::mpsc::{Permit, PermitIterator, error};

use super::{at, poll_at};
use core::fmt;
use core::task::{Context, Poll};
use error::{SendError, TryRecvError, TrySendError};
use sim_core::object::{Object, ObjectKind};
use sim_core::rt;
use tokio::sync::mpsc;

/// A channel with room for `buffer` values.
///
/// # Panics
/// If `buffer` is 0.
#[must_use]
pub fn channel<T>(buffer: usize) -> (Sender<T>, Receiver<T>) {
    let object = rt::object(ObjectKind::Channel);
    let (sender, receiver) = mpsc::channel(buffer);
    (Sender { object, inner: sender }, Receiver { object, inner: receiver })
}

/// A channel with room for any number of values.
#[must_use]
pub fn unbounded_channel<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    let object = rt::object(ObjectKind::Channel);
    let (sender, receiver) = mpsc::unbounded_channel();
    (UnboundedSender { object, inner: sender }, UnboundedReceiver { object, inner: receiver })
}

/// Sends; waits where there is no room.
pub struct Sender<T> {
    object: Object,
    inner: mpsc::Sender<T>,
}

impl<T> Sender<T> {
    /// Sends a value when there is room. One that is cancelled has sent nothing.
    ///
    /// # Errors
    /// If nobody will receive: with the value.
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        at(self.object, self.inner.send(value)).await
    }

    /// Sends a value if there is room.
    ///
    /// # Errors
    /// If there is none, or nobody will receive: with the value.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.inner.try_send(value)
    }

    /// Waits for room for one value, and keeps it.
    ///
    /// # Errors
    /// If nobody will receive.
    pub async fn reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        at(self.object, self.inner.reserve()).await
    }

    /// Waits for room for `n` values, and keeps it.
    ///
    /// # Errors
    /// If nobody will receive.
    pub async fn reserve_many(&self, n: usize) -> Result<PermitIterator<'_, T>, SendError<()>> {
        at(self.object, self.inner.reserve_many(n)).await
    }

    /// As [`reserve`](Self::reserve), with a permit that holds the sender.
    ///
    /// # Errors
    /// If nobody will receive.
    pub async fn reserve_owned(self) -> Result<OwnedPermit<T>, SendError<()>> {
        let object = self.object;
        let inner = at(object, self.inner.reserve_owned()).await?;
        Ok(OwnedPermit { object, inner })
    }

    /// Keeps room for one value if there is any.
    ///
    /// # Errors
    /// If there is none, or nobody will receive.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.inner.try_reserve()
    }

    /// Keeps room for `n` values if there is so much.
    ///
    /// # Errors
    /// If there is less, or nobody will receive.
    pub fn try_reserve_many(&self, n: usize) -> Result<PermitIterator<'_, T>, TrySendError<()>> {
        self.inner.try_reserve_many(n)
    }

    /// Waits until nobody will receive.
    pub async fn closed(&self) {
        at(self.object, self.inner.closed()).await;
    }

    /// Whether nobody will receive.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Whether both send into one channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// How many more values there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.inner.capacity()
    }

    /// How many values there is room for when it is empty.
    #[must_use]
    pub fn max_capacity(&self) -> usize {
        self.inner.max_capacity()
    }

    /// A sender that does not keep the channel open.
    #[must_use]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender { object: self.object, inner: self.inner.downgrade() }
    }
}

/// Room for one value, and the sender.
pub struct OwnedPermit<T> {
    object: Object,
    inner: mpsc::OwnedPermit<T>,
}

impl<T> OwnedPermit<T> {
    /// Sends the value: the sender again.
    pub fn send(self, value: T) -> Sender<T> {
        Sender { object: self.object, inner: self.inner.send(value) }
    }

    /// Gives the room back: the sender again.
    pub fn release(self) -> Sender<T> {
        Sender { object: self.object, inner: self.inner.release() }
    }
}

/// A sender that does not keep the channel open.
pub struct WeakSender<T> {
    object: Object,
    inner: mpsc::WeakSender<T>,
}

impl<T> WeakSender<T> {
    /// A sender, if the channel is still open.
    #[must_use]
    pub fn upgrade(&self) -> Option<Sender<T>> {
        self.inner.upgrade().map(|inner| Sender { object: self.object, inner })
    }
}

/// Sends without waiting.
pub struct UnboundedSender<T> {
    object: Object,
    inner: mpsc::UnboundedSender<T>,
}

impl<T> UnboundedSender<T> {
    /// Sends a value.
    ///
    /// # Errors
    /// If nobody will receive: with the value.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.inner.send(value)
    }

    /// Waits until nobody will receive.
    pub async fn closed(&self) {
        at(self.object, self.inner.closed()).await;
    }

    /// Whether nobody will receive.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Whether both send into one channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// A sender that does not keep the channel open.
    #[must_use]
    pub fn downgrade(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender { object: self.object, inner: self.inner.downgrade() }
    }
}

/// A sender that does not keep the channel open.
pub struct WeakUnboundedSender<T> {
    object: Object,
    inner: mpsc::WeakUnboundedSender<T>,
}

impl<T> WeakUnboundedSender<T> {
    /// A sender, if the channel is still open.
    #[must_use]
    pub fn upgrade(&self) -> Option<UnboundedSender<T>> {
        self.inner.upgrade().map(|inner| UnboundedSender { object: self.object, inner })
    }
}

/// Receives.
pub struct Receiver<T> {
    object: Object,
    inner: mpsc::Receiver<T>,
}

/// Receives from a channel with room for any number of values.
pub struct UnboundedReceiver<T> {
    object: Object,
    inner: mpsc::UnboundedReceiver<T>,
}

/// What both receivers can do.
macro_rules! receiver {
    ($($receiver:ident)*) => {$(
        impl<T> $receiver<T> {
            /// The next value; `None` if all were received and no sender is left. One that is cancelled has taken nothing.
            pub async fn recv(&mut self) -> Option<T> {
                at(self.object, self.inner.recv()).await
            }

            /// Receives up to `limit` values, waiting for the first: how many. 0 if no sender is left, or `limit` is 0.
            pub async fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
                at(self.object, self.inner.recv_many(buffer, limit)).await
            }

            /// The next value if there is one.
            ///
            /// # Errors
            /// If there is none: whether none will come.
            pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
                self.inner.try_recv()
            }

            /// As [`recv`](Self::recv), by hand.
            pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
                poll_at(self.object, context, |context| self.inner.poll_recv(context))
            }

            /// Takes no more values. Those that were sent, and those for which room was kept, are still received.
            pub fn close(&mut self) {
                self.inner.close();
            }

            /// Whether no more values are taken.
            #[must_use]
            pub fn is_closed(&self) -> bool {
                self.inner.is_closed()
            }

            /// Whether no value is there.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.inner.is_empty()
            }

            /// How many values are there.
            #[must_use]
            pub fn len(&self) -> usize {
                self.inner.len()
            }
        }
    )*};
}
receiver!(Receiver UnboundedReceiver);

/// What is written alike for all of them.
macro_rules! debug {
    ($($half:ident)*) => {$(
        impl<T> fmt::Debug for $half<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.inner.fmt(f)
            }
        }
    )*};
}
debug!(Sender WeakSender OwnedPermit UnboundedSender WeakUnboundedSender Receiver UnboundedReceiver);

/// Another sender into the same channel.
macro_rules! clone {
    ($($half:ident)*) => {$(
        impl<T> Clone for $half<T> {
            fn clone(&self) -> Self {
                Self { object: self.object, inner: self.inner.clone() }
            }
        }
    )*};
}
clone!(Sender WeakSender UnboundedSender WeakUnboundedSender);
