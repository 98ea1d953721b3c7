//! Whether the code that runs on this thread has a turn, and what it may do with it.
//!
//! A thread is *outside* except while a gate polls a future whose turn was granted. Gates nest (`block_in_place` and
//! `Handle::block_on` inside a task, a `LocalSet` inside another task), so each poll puts back what it found.
//!
//! Never: a second forced pending in one poll, or one whose wake would be lost.

use super::abi::Text;
use super::world;
use std::cell::Cell;
use std::task::{Poll, Waker};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Outside,
    /// Inside a granted poll.
    Running { has_yielded: bool },
}

thread_local! {
    static TURN: Cell<Turn> = const { Cell::new(Turn::Outside) };
    /// Whether the world is granting on this thread: whom that wakes is carried along.
    static IS_GRANTING: Cell<bool> = const { Cell::new(false) };
    /// How often a gate was woken on this thread.
    static WAKES: Cell<u64> = const { Cell::new(0) };
}

/// A poll by a gate; its end puts back what was there.
pub(super) struct Polling(Turn);

impl Polling {
    /// A poll with or without a turn.
    pub(super) fn begin(has_turn: bool) -> Self {
        let turn = if has_turn { Turn::Running { has_yielded: false } } else { Turn::Outside };
        Self(TURN.with(|cell| cell.replace(turn)))
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        TURN.with(|cell| cell.set(self.0));
    }
}

/// A stretch of a granted poll without its turn.
pub(super) struct Without(Turn);

impl Without {
    pub(super) fn begin() -> Self {
        let before = TURN.with(|cell| cell.replace(Turn::Outside));
        if let (Turn::Running { .. }, Some(world)) = (before, world::table()) {
            (world.blocking_begin)();
        }
        Self(before)
    }
}

impl Drop for Without {
    fn drop(&mut self) {
        if let (Turn::Running { .. }, Some(world)) = (self.0, world::table()) {
            (world.blocking_end)();
        }
        TURN.with(|cell| cell.set(self.0));
    }
}

/// Calls `wake` as the world's grant.
pub(super) fn granting(wake: impl FnOnce()) {
    let before = IS_GRANTING.with(|cell| cell.replace(true));
    wake();
    IS_GRANTING.with(|cell| cell.set(before));
}

/// Whether a wake on this thread is part of a grant.
pub(super) fn is_granting() -> bool {
    IS_GRANTING.with(Cell::get)
}

/// A gate was woken on this thread.
pub(super) fn note_wake() {
    WAKES.with(|cell| cell.set(cell.get().wrapping_add(1)));
}

/// Asks the world whether the running task gives up its turn here.
pub(super) fn sync_point(waker: &Waker, kind: &'static str, object: usize) -> Poll<()> {
    if TURN.with(Cell::get) != (Turn::Running { has_yielded: false }) {
        return Poll::Ready(());
    }
    let Some(world) = world::table() else { return Poll::Ready(()) };
    if !(world.sync_point)(Text::of(kind), object) || !reaches_a_gate(waker) {
        return Poll::Ready(());
    }
    TURN.with(|cell| cell.set(Turn::Running { has_yielded: true }));
    Poll::Pending
}

/// Wakes `waker` and says whether that woke a gate. A future that is polled by hand, with a waker that does nothing or
/// that somebody looks at later, would otherwise wait for ever.
fn reaches_a_gate(waker: &Waker) -> bool {
    let before = WAKES.with(Cell::get);
    waker.wake_by_ref();
    WAKES.with(Cell::get) != before
}
