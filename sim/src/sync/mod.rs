//! What tasks share: locks, channels, notifications, with a sync point before every operation.
//!
//! The names, the semantics and the fairness are tokio's, whose primitives lie inside: they need no runtime, and a waiter is
//! a waker and nothing else. What is added is a name for each object and the question who runs first. A poll is atomic, so an uncontended
//! `lock().await` would never let anybody in between; with [sync points](crate::Builder::sync_points) it may.
//!
//! ```
//! use std::rc::Rc;
//! use sim::sync::{Mutex, mpsc};
//!
//! sim::Builder::new().run(|| async {
//!     let total = Rc::new(Mutex::new(0));
//!     let (sender, mut receiver) = mpsc::channel(8);
//!     for n in 1..=3 {
//!         let (total, sender) = (Rc::clone(&total), sender.clone());
//!         sim::spawn(async move {
//!             *total.lock().await += n;
//!             sender.send(n).await.unwrap();
//!         }).detach();
//!     }
//!     drop(sender);
//!     while receiver.recv().await.is_some() {}
//!     assert_eq!(*total.lock().await, 6);
//! }).unwrap();
//! ```
//!
//! - An operation that is `async` begins with a sync point; one that is not (`send` of an unbounded channel, `try_lock`, the drop of a guard)
//!   cannot give up a turn, and asks nobody.
//! - Outside a runtime, on the operating system and where a run has no sync points nothing is asked, and the cost is that of finding this out.
//! - An object is named after the task that makes it, so make it in the run. One that is made outside a runtime, as in a
//!   static, has no name; it works, and strategies do not know who races for it.
//! - A deadlock report says of a task what kind of object it waits for.
//! - Two primitives of tokio draw at random whom they wake first where another crate of the build turns on tokio's runtime or macros: `watch` and
//!   `Barrier`. These two are written anew here, over [`Notify`], which wakes in the order of asking.
//! - Not here, because they would have to name the object of a constant or block a thread: `const_new` of locks and semaphores, payloads without a
//!   size, `blocking_*`.

mod barrier;
pub mod broadcast;
mod lock;
pub mod mpsc;
mod notify;
mod once;
pub mod oneshot;
mod semaphore;
pub mod watch;

pub use barrier::{Barrier, BarrierWaitResult};
pub use lock::{Mutex, RwLock};
pub use notify::{Notified, Notify};
pub use once::OnceCell;
pub use semaphore::Semaphore;
pub use tokio::sync::{
    AcquireError, MappedMutexGuard, MutexGuard, OwnedMappedMutexGuard, OwnedMutexGuard,
    OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit,
    RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard, SemaphorePermit, SetError,
    TryAcquireError, TryLockError,
};

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pin_project_lite::pin_project;
use sim_core::object::Object;
use sim_core::rt;

pin_project! {
    /// An operation on an object: a sync point before each poll, and where it waits it says for what.
    struct At<F> {
        object: Object,
        #[pin]
        operation: F,
    }
}

/// `operation`, which touches `object`.
fn at<F: Future>(object: Object, operation: F) -> At<F> {
    At { object, operation }
}

impl<F: Future> Future for At<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        poll_at(*this.object, context, |context| this.operation.poll(context))
    }
}

/// One poll of an operation on `object`.
#[inline]
fn poll_at<T>(
    object: Object,
    context: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    ready!(rt::poll_sync(context, object));
    let polled = poll(context);
    if polled.is_pending() {
        rt::wait_at(object);
    }
    polled
}
