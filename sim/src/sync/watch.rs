//! A value that is looked at when it changes: as [`tokio::sync::watch`], with receivers woken in the order of their waiting.
//!
//! Versions count the sends. A receiver knows the version it saw last; there is a change to see while the channel's is newer.
//! Values between two looks are not seen.
//!
//! - A receiver waits with [`Notified`](super::Notified), made before it looks, so that no send is missed between the look and the wait.
//! - Never: a value locked while a task waits. A [`Ref`] locks it, so it must not be held across an await or a send.

use super::at;
use core::fmt;
use core::mem;
use core::ops::Deref;
use error::{RecvError, SendError};
use sim_core::object::{Object, ObjectKind};
use sim_core::rt;
use std::panic;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::Notify;

/// What can go wrong.
pub mod error {
    pub use tokio::sync::watch::error::SendError;

    use core::fmt;

    /// No sender is left.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RecvError(pub(super) ());

    impl fmt::Display for RecvError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("channel closed")
        }
    }

    impl core::error::Error for RecvError {}
}

/// A channel that holds `value`. The receiver has seen it.
#[must_use]
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(value);
    let receiver = sender.subscribe();
    (sender, receiver)
}

struct Shared<T> {
    object: Object,
    value: RwLock<T>,
    /// How often it was sent. Changed only while the value is locked for writing.
    version: AtomicU64,
    senders: AtomicUsize,
    receivers: AtomicUsize,
    /// A value was sent, or the last sender is gone.
    changed: Notify,
    /// The last receiver is gone.
    left: Notify,
}

impl<T> Shared<T> {
    fn read(&self) -> RwLockReadGuard<'_, T> {
        self.value.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn version(&self) -> u64 {
        self.version.load(SeqCst)
    }

    fn is_closed(&self) -> bool {
        self.senders.load(SeqCst) == 0
    }
}

/// Sends the value.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// A channel that holds `value` and has no receiver yet.
    pub fn new(value: T) -> Self {
        let shared = Shared {
            object: rt::object(ObjectKind::Channel),
            value: RwLock::new(value),
            version: AtomicU64::new(0),
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(0),
            changed: Notify::new(),
            left: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Sends a value.
    ///
    /// # Errors
    /// If there is no receiver now: with the value.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            return Err(SendError(value));
        }
        self.send_replace(value);
        Ok(())
    }

    /// Sends a value whether there are receivers or not: what was there before.
    pub fn send_replace(&self, mut value: T) -> T {
        self.send_modify(|present| mem::swap(present, &mut value));
        value
    }

    /// Changes the value in place, and sends it.
    pub fn send_modify(&self, modify: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// Changes the value in place, and sends it if `modify` says so: whether it did. If `modify` panics nothing is sent.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let mut value = self.shared.value.write().unwrap_or_else(PoisonError::into_inner);
        match panic::catch_unwind(panic::AssertUnwindSafe(|| modify(&mut value))) {
            Ok(true) => self.shared.version.fetch_add(1, SeqCst),
            Ok(false) => return false,
            Err(panic) => {
                // Unlocked first, so that the lock is not poisoned by a panic of the program's.
                drop(value);
                panic::resume_unwind(panic);
            }
        };
        drop(value);
        self.shared.changed.notify_waiters();
        true
    }

    /// Looks at the value.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref { value: self.shared.read(), has_changed: false }
    }

    /// Another receiver, which has seen the present value.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(&self.shared, self.shared.version())
    }

    /// Waits until there is no receiver.
    pub async fn closed(&self) {
        at(self.shared.object, async {
            while !self.is_closed() {
                let left = self.shared.left.notified();
                if !self.is_closed() {
                    left.await;
                }
            }
        })
        .await;
    }

    /// Whether there is no receiver now.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers.load(SeqCst)
    }

    /// How many senders there are.
    #[must_use]
    pub fn sender_count(&self) -> usize {
        self.shared.senders.load(SeqCst)
    }

    /// Whether both send into one channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.fetch_add(1, SeqCst);
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.shared.senders.fetch_sub(1, SeqCst) == 1 {
            self.shared.changed.notify_waiters();
        }
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("version", &self.shared.version()).finish_non_exhaustive()
    }
}

/// Sees the value.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The version it has seen.
    seen: u64,
}

impl<T> Receiver<T> {
    fn new(shared: &Arc<Shared<T>>, seen: u64) -> Self {
        shared.receivers.fetch_add(1, SeqCst);
        Self { shared: Arc::clone(shared), seen }
    }

    /// Looks at the value; a change remains to be seen.
    pub fn borrow(&self) -> Ref<'_, T> {
        let value = self.shared.read();
        Ref { has_changed: self.shared.version() != self.seen, value }
    }

    /// Looks at the value, which then counts as seen.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let value = self.shared.read();
        let version = self.shared.version();
        let before = mem::replace(&mut self.seen, version);
        Ref { has_changed: version != before, value }
    }

    /// Whether there is a change to see.
    ///
    /// # Errors
    /// If no sender is left.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        if self.shared.is_closed() {
            return Err(RecvError(()));
        }
        Ok(self.shared.version() != self.seen)
    }

    /// The present value counts as not seen.
    pub fn mark_changed(&mut self) {
        self.seen = self.shared.version().wrapping_sub(1);
    }

    /// The present value counts as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.shared.version();
    }

    /// Waits for a change, which then counts as seen. One that is cancelled has seen nothing.
    ///
    /// # Errors
    /// If no sender is left and there is no change to see.
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        let Self { shared, seen } = self;
        at(shared.object, changed(shared, seen)).await
    }

    /// Waits until the value is one that `is_meant` wants, which then counts as seen. The present one is looked at first.
    ///
    /// # Errors
    /// If no sender is left and the value is none.
    pub async fn wait_for(
        &mut self,
        mut is_meant: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'_, T>, RecvError> {
        let Self { shared, seen } = self;
        at(shared.object, async {
            loop {
                // Asked before the look: a value that the last sender sent before it went is still looked at.
                let is_closed = shared.is_closed();
                {
                    let value = shared.read();
                    let version = shared.version();
                    let before = mem::replace(seen, version);
                    if is_meant(&value) {
                        return Ok(Ref { has_changed: version != before, value });
                    }
                }
                if is_closed {
                    return Err(RecvError(()));
                }
                // Whether there was a change or the last sender has gone, the next round finds out.
                let _ = changed(shared, seen).await;
            }
        })
        .await
    }

    /// Whether both receive from one channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

async fn changed<T>(shared: &Shared<T>, seen: &mut u64) -> Result<(), RecvError> {
    loop {
        let change = shared.changed.notified();
        // Asked before the version: the last sender may send and go between the two questions.
        let is_closed = shared.is_closed();
        let version = shared.version();
        if version != *seen {
            *seen = version;
            return Ok(());
        }
        if is_closed {
            return Err(RecvError(()));
        }
        change.await;
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self::new(&self.shared, self.seen)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if self.shared.receivers.fetch_sub(1, SeqCst) == 1 {
            self.shared.left.notify_waiters();
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("seen", &self.seen).finish_non_exhaustive()
    }
}

/// A look at the value, which is locked meanwhile.
#[derive(Debug)]
pub struct Ref<'a, T> {
    value: RwLockReadGuard<'a, T>,
    has_changed: bool,
}

impl<T> Ref<'_, T> {
    /// Whether it was a change when it was looked at.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
