//! Notifications: one for whoever waits first, kept if nobody does; or one for all who wait now.

use super::poll_at;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;
use sim_core::object::{Object, ObjectKind};
use sim_core::rt;
use tokio::sync;

/// As [`tokio::sync::Notify`].
#[derive(Debug)]
pub struct Notify {
    object: Object,
    inner: sync::Notify,
}

impl Notify {
    /// Without a notification.
    #[must_use]
    pub fn new() -> Self {
        Self { object: rt::object(ObjectKind::Signal), inner: sync::Notify::new() }
    }

    /// As [`new`](Self::new), for a static. It has no name; see the [module](super).
    #[must_use]
    pub const fn const_new() -> Self {
        Self { object: Object::UNKNOWN, inner: sync::Notify::const_new() }
    }

    /// Waits for a notification. A call of [`notify_waiters`](Self::notify_waiters) counts from now on,
    /// a place in the line is taken by the first poll, or by [`Notified::enable`].
    pub fn notified(&self) -> Notified<'_> {
        Notified { object: self.object, inner: self.inner.notified() }
    }

    /// Notifies whoever has waited longest. If nobody waits, the next one need not.
    pub fn notify_one(&self) {
        self.inner.notify_one();
    }

    /// Notifies whoever came last. If nobody waits, the next one need not.
    pub fn notify_last(&self) {
        self.inner.notify_last();
    }

    /// Notifies all who wait now, in the order of their coming; nothing is kept.
    pub fn notify_waiters(&self) {
        self.inner.notify_waiters();
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self::new()
    }
}

pin_project! {
    /// See [`Notify::notified`].
    #[derive(Debug)]
    #[must_use = "a future does nothing unless it is polled"]
    pub struct Notified<'a> {
        object: Object,
        #[pin]
        inner: sync::futures::Notified<'a>,
    }
}

impl Notified<'_> {
    /// Takes a place in the line without a poll: whether a notification is there already.
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.project().inner.enable()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        poll_at(*this.object, context, |context| this.inner.poll(context))
    }
}
