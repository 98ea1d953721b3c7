//! Wakers that are not a task's own: those of combinators that poll many futures in one task.
//!
//! A kernel knows waiters by number, so such a waker is kept here and its slot's number is what waits.
//! A slot belongs to the leaf future (or socket direction) that made it, which keeps the latest waker
//! in it. Nothing here calls or drops a waker under the borrow: what is replaced is handed out.

use super::{current, waker};
use crate::backend::Waiter;
use core::task::{Context, Waker};

/// The slots: made with the first, since most worlds have none.
#[derive(Debug, Default)]
pub(super) struct Foreign(Option<Box<Slots>>);

#[derive(Debug, Default)]
struct Slots {
    wakers: Vec<Option<Waker>>,
    free: Vec<u32>,
}

impl Foreign {
    fn open(&mut self) -> u32 {
        let slots = self.0.get_or_insert_default();
        slots.free.pop().unwrap_or_else(|| {
            slots.wakers.push(None);
            (slots.wakers.len() - 1) as u32
        })
    }

    fn keep(&mut self, slot: u32, waker: Waker) -> Option<Waker> {
        self.0.get_or_insert_default().wakers[slot as usize].replace(waker)
    }

    /// Takes the waker of a slot that was released. A stale number finds nothing, or wakes without need.
    pub(super) fn take(&mut self, slot: u32) -> Option<Waker> {
        self.0.as_mut()?.wakers.get_mut(slot as usize)?.take()
    }

    fn close(&mut self, slot: u32) -> Option<Waker> {
        let slots = self.0.as_mut()?;
        slots.free.push(slot);
        slots.wakers[slot as usize].take()
    }
}

/// A leaf's place for a waker that is not a task's own. Most never need one.
#[derive(Debug, Default)]
pub struct WakerSlot(Option<u32>);

impl WakerSlot {
    /// Without a place, until one is needed.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }
}

impl Drop for WakerSlot {
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            close(slot);
        }
    }
}

#[cold]
fn close(slot: u32) {
    // The waker itself is dropped here, after the borrow.
    drop(current::try_with(|runtime| runtime.foreign.close(slot)));
}

/// Who waits when a leaf is polled with `context`: the task itself, or the waker now kept in `slot`.
///
/// # Panics
/// Outside a runtime.
#[inline]
pub fn waiter(context: &Context<'_>, slot: &mut WakerSlot) -> Waiter {
    match waker::task_of(context.waker()) {
        Some(task) => Waiter::Task(task),
        None => keep_waker(context, slot),
    }
}

#[inline(never)]
fn keep_waker(context: &Context<'_>, slot: &mut WakerSlot) -> Waiter {
    let waker = context.waker().clone();
    let (number, before) = current::with(|runtime| {
        let number = *slot.0.get_or_insert_with(|| runtime.foreign.open());
        (number, runtime.foreign.keep(number, waker))
    });
    drop(before);
    Waiter::Waker(number)
}
