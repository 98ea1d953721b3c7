//! Wakers that are integers. The one file of unsafe code in this crate.
//!
//! A waker's data is a [`TaskId`]: place, generation, runtime. It is never dereferenced, so a waker
//! may be cloned, dropped and called anywhere, on any thread, also after its task, its runtime or
//! its thread has ended: a stale one finds another generation and does nothing.
#![expect(
    unsafe_code,
    reason = "the only way to make a Waker without a reference count is its raw vtable"
)]

use super::current;
use crate::id::TaskId;
use core::mem::ManuallyDrop;
use core::ptr;
use core::task::{RawWaker, RawWakerVTable, Waker};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// The waker of `task` for the time of one poll. It is never dropped, and so not counted as kept.
pub(super) fn borrowed(task: TaskId) -> ManuallyDrop<Waker> {
    // SAFETY: the contract of `RawWakerVTable` asks that the functions be thread safe and that the data
    // stay valid while a waker lives. The data is a number without provenance that no function
    // dereferences, so it is always valid; all the functions do with it is look for the task in the
    // calling thread's runtime or hand the number to a locked inbox.
    ManuallyDrop::new(unsafe { Waker::new(data(task), &VTABLE) })
}

/// The task that `waker` wakes, if it is one of ours.
#[inline]
pub(super) fn task_of(waker: &Waker) -> Option<TaskId> {
    ptr::eq(waker.vtable(), &VTABLE).then(|| id(waker.data()))
}

const fn data(task: TaskId) -> *const () {
    const { assert!(usize::BITS == 64, "a task id takes 64 bits and travels in a pointer's place") };
    ptr::without_provenance(task.to_bits() as usize)
}

fn id(data: *const ()) -> TaskId {
    TaskId::from_bits(data.addr() as u64)
}

fn clone(data: *const ()) -> RawWaker {
    current::waker_made(id(data));
    RawWaker::new(data, &VTABLE)
}

fn wake(data: *const ()) {
    current::wake(id(data));
    current::waker_gone(id(data));
}

fn wake_by_ref(data: *const ()) {
    current::wake(id(data));
}

fn drop_waker(data: *const ()) {
    current::waker_gone(id(data));
}
