//! Tasks: how they begin, are awaited, aborted and asked about.
//!
//! ```
//! sim::Builder::new().run(|| async {
//!     let task = sim::task::Builder::new().name("adder").spawn(async { 1 + 1 });
//!     assert_eq!(sim::task::all().iter().find(|task| task.name == "adder").unwrap().polls, 0);
//!     assert_eq!(task.await.unwrap(), 2);
//! }).unwrap();
//! ```

pub use sim_core::TaskId;
pub use sim_core::rt::{
    AbortHandle, JoinError, JoinHandle, Spawner, State, TaskBuilder as Builder, TaskInfo, WaitsFor,
    spawn, yield_now,
};

use core::cell::RefCell;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;
use std::thread;

/// Every task that has not been forgotten, as it stands.
///
/// # Panics
/// Outside a runtime.
#[must_use]
pub fn all() -> Vec<TaskInfo> {
    sim_core::rt::with(|runtime| runtime.tasks())
}

/// The task that is being polled; `None` between tasks and outside a runtime.
#[must_use]
pub fn try_id() -> Option<TaskId> {
    sim_core::rt::try_with(|runtime| runtime.current_task()).flatten()
}

/// Declares values that a task carries along; see [`LocalKey`].
///
/// ```
/// sim::task_local! {
///     /// The request being served.
///     static REQUEST: u32;
/// }
/// sim::Builder::new().run(|| REQUEST.scope(7, async {
///     sim::yield_now().await;
///     assert_eq!(REQUEST.get(), 7);
/// })).unwrap();
/// ```
#[macro_export]
macro_rules! task_local {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty;)*) => {$(
        $(#[$attribute])*
        $visibility static $name: $crate::task::LocalKey<$type> = {
            ::std::thread_local! {
                static SLOT: ::core::cell::RefCell<::core::option::Option<$type>> =
                    const { ::core::cell::RefCell::new(::core::option::Option::None) };
            }
            $crate::task::LocalKey::new(&SLOT)
        };
    )*};
}

/// A value that is there while a future of [`LocalKey::scope`] is polled, and nowhere else.
pub struct LocalKey<T: 'static> {
    slot: &'static thread::LocalKey<RefCell<Option<T>>>,
}

impl<T> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalKey")
    }
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    pub const fn new(slot: &'static thread::LocalKey<RefCell<Option<T>>>) -> Self {
        Self { slot }
    }

    /// Runs `future` with the value `value`.
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> Scope<T, F> {
        Scope { key: self, value: Some(value), future }
    }

    /// Looks at the value.
    ///
    /// # Panics
    /// Outside a scope of this key.
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.slot.with(|slot| {
            f(slot.borrow().as_ref().expect("a task local is read inside a scope of its key"))
        })
    }

    /// A copy of the value.
    ///
    /// # Panics
    /// Outside a scope of this key.
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(|value| *value)
    }
}

pin_project! {
    /// A future that carries a value along; see [`LocalKey::scope`].
    #[must_use = "a future does nothing unless it is polled"]
    pub struct Scope<T: 'static, F> {
        key: &'static LocalKey<T>,
        value: Option<T>,
        #[pin]
        future: F,
    }
}

impl<T, F> fmt::Debug for Scope<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scope")
    }
}

impl<T: 'static, F: Future> Future for Scope<T, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        /// Puts the value back where it was also when the future panics.
        struct Restore<'a, T: 'static>(&'static LocalKey<T>, &'a mut Option<T>);
        impl<T> Restore<'_, T> {
            fn swap(&mut self) {
                self.0.slot.with(|slot| core::mem::swap(&mut *slot.borrow_mut(), self.1));
            }
        }
        impl<T> Drop for Restore<'_, T> {
            fn drop(&mut self) {
                self.swap();
            }
        }
        let this = self.project();
        let mut restore = Restore(this.key, this.value);
        restore.swap();
        this.future.poll(context)
    }
}
