//! A channel for one value, as [`tokio::sync::oneshot`].

pub use tokio::sync::oneshot::error;

use super::{at, poll_at};
use core::pin::Pin;
use core::task::{Context, Poll};
use error::{RecvError, TryRecvError};
use sim_core::object::{Object, ObjectKind};
use sim_core::rt;
use tokio::sync::oneshot;

/// A channel for one value.
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let object = rt::object(ObjectKind::Channel);
    let (sender, receiver) = oneshot::channel();
    (Sender { object, inner: sender }, Receiver { object, inner: receiver })
}

/// Sends the value.
#[derive(Debug)]
pub struct Sender<T> {
    object: Object,
    inner: oneshot::Sender<T>,
}

impl<T> Sender<T> {
    /// Sends the value.
    ///
    /// # Errors
    /// If nobody will receive: the value.
    pub fn send(self, value: T) -> Result<(), T> {
        self.inner.send(value)
    }

    /// Waits until nobody will receive.
    pub async fn closed(&mut self) {
        at(self.object, self.inner.closed()).await;
    }

    /// As [`closed`](Self::closed), by hand.
    pub fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        poll_at(self.object, context, |context| self.inner.poll_closed(context))
    }

    /// Whether nobody will receive.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }
}

/// Gives the value when it is awaited.
#[derive(Debug)]
pub struct Receiver<T> {
    object: Object,
    inner: oneshot::Receiver<T>,
}

impl<T> Receiver<T> {
    /// Takes no value any more, but one that was sent.
    pub fn close(&mut self) {
        self.inner.close();
    }

    /// The value if it is there.
    ///
    /// # Errors
    /// If it is not: whether it will come.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.inner.try_recv()
    }

    /// Whether it has given its value, or said that there is none.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { object, inner } = &mut *self;
        poll_at(*object, context, |context| Pin::new(inner).poll(context))
    }
}
