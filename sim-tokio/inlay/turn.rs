//! Whether the code that runs on this thread has a turn, and what it may do with it.
//!
//! A thread is *outside* except while a gate polls a future whose turn was granted. Gates nest (`block_in_place` and
//! `Handle::block_on` inside a task, a `LocalSet` inside another task), so each poll puts back what it found.
//!
//! Never: a second forced pending in one poll, or one whose wake would be lost.

use super::abi::{Abi, Text};
use super::gate::Gate;
use super::world;
use std::cell::Cell;
use std::ptr;
use std::sync::Arc;
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
    /// Whether a turn is being given up at the end of a poll.
    static IS_ENDING: Cell<bool> = const { Cell::new(false) };
    /// The gate whose future is being polled.
    static POLLED: Cell<*const Gate> = const { Cell::new(ptr::null()) };
    /// How often a gate was woken on this thread.
    static WAKES: Cell<u64> = const { Cell::new(0) };
}

/// What a poll found on its thread, and puts back.
struct Found {
    turn: Turn,
    polled: *const Gate,
}

impl Found {
    fn replaced_by(turn: Turn, polled: *const Gate) -> Self {
        Self { turn: TURN.with(|cell| cell.replace(turn)), polled: POLLED.with(|cell| cell.replace(polled)) }
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        TURN.with(|cell| cell.set(self.turn));
        POLLED.with(|cell| cell.set(self.polled));
    }
}

/// A poll by a gate.
pub(super) struct Polling(Found);

impl Polling {
    /// A poll with or without a turn.
    pub(super) fn begin(has_turn: bool, gate: &Arc<Gate>) -> Self {
        let turn = if has_turn { Turn::Running { has_yielded: false } } else { Turn::Outside };
        Self(Found::replaced_by(turn, Arc::as_ptr(gate)))
    }
}

/// A stretch of a granted poll without its turn. What is polled in it is not carried by the poll around it.
pub(super) struct Without(Found);

impl Without {
    pub(super) fn begin() -> Self {
        let without = Self(Found::replaced_by(Turn::Outside, ptr::null()));
        if let Some(world) = without.world() {
            (world.blocking_begin)();
        }
        without
    }

    /// The world, if there was a turn to give up.
    fn world(&self) -> Option<&'static Abi> {
        if self.0.turn == Turn::Outside { None } else { world::table() }
    }
}

impl Drop for Without {
    fn drop(&mut self) {
        if let Some(world) = self.world() {
            (world.blocking_end)();
        }
    }
}

/// Whether the code that runs is a task's, with its turn.
pub(super) fn is_running() -> bool {
    TURN.with(Cell::get) != Turn::Outside
}

/// The gate whose future is being polled on this thread; null where none is.
pub(super) fn polled() -> *const Gate {
    POLLED.with(Cell::get)
}

/// A share of the gate that [`polled`] answered.
pub(super) fn shared(polled: *const Gate) -> Option<Arc<Gate>> {
    if polled.is_null() {
        return None;
    }
    // SAFETY: it came from an `Arc` that the poll around this call holds, and counts itself here.
    unsafe {
        Arc::increment_strong_count(polled);
        Some(Arc::from_raw(polled))
    }
}

/// Calls `wake` as the world's grant.
pub(super) fn granting(wake: impl FnOnce()) {
    let before = IS_GRANTING.with(|cell| cell.replace(true));
    wake();
    IS_GRANTING.with(|cell| cell.set(before));
}

/// Gives up a turn at the end of a poll by `end`.
pub(super) fn ending(end: impl FnOnce()) {
    let before = IS_ENDING.with(|cell| cell.replace(true));
    end();
    IS_ENDING.with(|cell| cell.set(before));
}

/// Whether a turn is being given up at the end of a poll.
pub(super) fn is_ending() -> bool {
    IS_ENDING.with(Cell::get)
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
