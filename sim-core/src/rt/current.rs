//! The one thread-local in which the running runtime lives.
//!
//! The rule that goes with it: **no user code runs while it is borrowed**. Polls, drops of futures
//! and outputs, foreign wakers and the program's `Debug` all happen after the borrow has ended, so
//! whatever they call finds the runtime free. A second borrow is therefore a defect of ours and
//! panics.

use super::Runtime;
use super::inbox::{self, Request};
use crate::backend::Backend;
use crate::env::Env;
use crate::id::TaskId;
use core::cell::{Cell, RefCell};
use core::mem::ManuallyDrop;
use core::task::Waker;

thread_local! {
    /// Whoever enters a runtime takes it out again, so there is nothing to drop when the thread ends; and without a
    /// destructor the place is there at once, with no question whether it still is.
    static CURRENT: ManuallyDrop<RefCell<Option<Box<Runtime>>>> =
        const { ManuallyDrop::new(RefCell::new(None)) };
}

/// The task that is being polled, and whether it was woken meanwhile: what wakes itself, as every
/// yield does, need not enter the runtime.
struct Polled {
    task: Cell<u64>,
    woken: Cell<bool>,
    /// Whether somebody wants to know where it wakes itself.
    watched: Cell<bool>,
}

/// No task: all ones is the last place of the last runtime, which is never made.
const NOBODY: u64 = u64::MAX;

thread_local! {
    static POLLED: Polled = const {
        Polled { task: Cell::new(NOBODY), woken: Cell::new(false), watched: Cell::new(false) }
    };
}

/// Polls `task` through `f`: what `f` gave, and whether the task was woken meanwhile.
#[inline]
pub(super) fn polling<R>(task: TaskId, f: impl FnOnce() -> R) -> (R, bool) {
    POLLED.with(|polled| {
        polled.task.set(task.to_bits());
        polled.woken.set(false);
    });
    let result = f();
    POLLED.with(|polled| {
        polled.task.set(NOBODY);
        (result, polled.woken.get())
    })
}

/// Whether the task that is being polled was woken meanwhile.
pub(super) fn is_woken() -> bool {
    POLLED.with(|polled| polled.woken.get())
}

/// Whether it is of interest where the polled task wakes itself.
pub(super) fn watch(watched: bool) {
    POLLED.with(|polled| polled.watched.set(watched));
}

/// What a call from outside a runtime says.
const OUTSIDE: &str = "this must be called from within a runtime: inside sim::Builder::run, Runtime::block_on, #[sim::test] or #[sim::main]";
const REENTERED: &str =
    "the runtime was entered while it was borrowed: user code ran where none may";

/// Lends the current runtime.
///
/// # Panics
/// If this thread runs none.
#[inline]
#[track_caller]
pub fn with<R>(f: impl FnOnce(&mut Runtime) -> R) -> R {
    CURRENT.with(|current| f(current.try_borrow_mut().expect(REENTERED).as_mut().expect(OUTSIDE)))
}

/// Lends the current runtime, if this thread runs one: for destructors.
#[inline]
pub fn try_with<R>(f: impl FnOnce(&mut Runtime) -> R) -> Option<R> {
    CURRENT
        .try_with(|current| current.try_borrow_mut().ok()?.as_mut().map(|runtime| f(runtime)))
        .ok()
        .flatten()
}

/// Lends the runtime that `task` belongs to, if this thread runs it now.
pub(super) fn with_runtime_of<R>(task: TaskId, f: impl FnOnce(&mut Runtime) -> R) -> Option<R> {
    try_with(|runtime| (runtime.number == task.runtime()).then(|| f(runtime))).flatten()
}

/// Whether the runtime is borrowed right now: a panic is then a defect of ours, not the program's.
pub(super) fn is_borrowed() -> bool {
    CURRENT.try_with(|current| current.try_borrow().is_err()).unwrap_or(false)
}

/// Whether this thread runs a runtime.
#[must_use]
pub fn is_inside() -> bool {
    try_with(|_| ()).is_some()
}

/// A call into the kernel: charged to virtual time, its released waiters woken afterwards.
///
/// # Panics
/// If this thread runs no runtime.
#[inline]
#[track_caller]
pub fn call<R>(f: impl FnOnce(&mut dyn Backend, &mut Env) -> R) -> R {
    let (result, wakers) = with(|runtime| runtime.call(f));
    wakers.into_iter().for_each(Waker::wake);
    result
}

/// As [`call`], from a destructor, where there may be no runtime.
pub fn try_call<R>(f: impl FnOnce(&mut dyn Backend, &mut Env) -> R) -> Option<R> {
    let (result, wakers) = try_with(|runtime| runtime.call(f))?;
    wakers.into_iter().for_each(Waker::wake);
    Some(result)
}

/// Moves a runtime in for the time of `f`, and out again also when `f` panics.
pub(super) fn enter<R>(runtime: &mut Option<Box<Runtime>>, f: impl FnOnce() -> R) -> R {
    struct Leave<'a>(&'a mut Option<Box<Runtime>>);
    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            *self.0 = CURRENT.with(|current| current.borrow_mut().take());
        }
    }
    let is_taken = CURRENT.with(|current| current.try_borrow().expect(REENTERED).is_some());
    assert!(!is_taken, "a runtime cannot be started from within a runtime: spawn a task instead");
    CURRENT.with(|current| *current.borrow_mut() = runtime.take());
    let _leave = Leave(runtime);
    f()
}

/// As [`enter`], with the runtime that is the current one put aside meanwhile: an engine may be dropped anywhere, and its
/// tasks' destructors must find their own runtime.
pub(super) fn enter_aside<R>(runtime: &mut Option<Box<Runtime>>, f: impl FnOnce() -> R) -> R {
    struct PutBack(Option<Box<Runtime>>);
    impl Drop for PutBack {
        fn drop(&mut self) {
            CURRENT.with(|current| *current.borrow_mut() = self.0.take());
        }
    }
    let _put_back =
        PutBack(CURRENT.with(|current| current.try_borrow_mut().expect(REENTERED).take()));
    enter(runtime, f)
}

/// A wake of `task`, from wherever.
#[inline]
pub(super) fn wake(task: TaskId) {
    let wakes_itself = POLLED.try_with(|polled| {
        let itself = polled.task.get() == task.to_bits();
        if itself {
            polled.woken.set(true);
            if polled.watched.get() {
                try_with(Runtime::note_place);
            }
        }
        itself
    });
    if wakes_itself != Ok(true) {
        wake_other(task);
    }
}

fn wake_other(task: TaskId) {
    let ours = try_with(|runtime| {
        let ours = runtime.number == task.runtime();
        if ours {
            runtime.wake(task);
        }
        ours
    });
    if ours != Some(true) {
        inbox::leave(Request::Wake(task));
    }
}

/// Somebody keeps one more waker of `task`.
#[inline]
pub(super) fn waker_made(task: TaskId) {
    try_with(|runtime| runtime.count_waker(task, 1));
}

/// Somebody dropped or used up a waker of `task`.
#[inline]
pub(super) fn waker_gone(task: TaskId) {
    try_with(|runtime| runtime.count_waker(task, -1));
}
