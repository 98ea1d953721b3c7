//! What the tokio door adds to the project's own tokio.
//!
//! These files become the module `sim_door` of a copy of tokio's source. A handful of places in tokio call it:
//!
//! | verb | called where | does |
//! |---|---|---|
//! | [`spawned`], [`driven`], [`blocked_on`] | a future is spawned or blocked on | puts it behind a gate: it is polled when the world grants it |
//! | [`leaf`], [`leaf_of`] | a leaf future begins its poll | lets the world take the turn away although it need not |
//! | [`branch`] | `select!` picks where to begin | asks the world |
//! | [`unturned`] | `block_in_place` runs its closure | gives up the turn meanwhile |
//! | [`workers`], [`show_workers`] | a multi-thread runtime is built | one worker runs, as many as asked for are shown |
//!
//! Outside a simulated world each verb is what tokio did before: a gate holds nothing and passes every poll on.
//!
//! Never: a call into the world while a lock of a gate is held; a line added to a file of tokio's (panics and spans name
//! lines); a dependency besides std.

#![allow(dead_code, unused_imports, unreachable_pub, missing_docs, unsafe_op_in_unsafe_fn, clippy::all)]

mod abi;
mod gate;
mod name;
mod turn;
mod world;

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::Location;
use std::task::{Context, Poll};

pub(crate) use gate::Gated;
use gate::Start;

/// Puts the future of a runtime's new task behind a gate, if the calling thread belongs to a simulated world.
#[track_caller]
pub(crate) fn spawned<F>(future: F) -> Gated<F> {
    Gated::new(future, Location::caller(), Start::InTurn)
}

/// The same for a task that another future drives, as a `LocalSet` is driven.
#[track_caller]
pub(crate) fn driven<F>(future: F) -> Gated<F> {
    Gated::new(future, Location::caller(), Start::Polled)
}

/// The same for a future that the calling thread blocks on.
#[track_caller]
pub(crate) fn blocked_on<F>(future: F) -> Gated<F> {
    Gated::new(future, Location::caller(), Start::Now)
}

/// A sync point, behind what tokio's own leaf `said`: pending where the world takes the turn away, once a poll.
///
/// `kind` names the primitive and `object` tells one from another; 0 where that is not known.
#[inline]
pub(crate) fn leaf(said: Poll<()>, cx: &mut Context<'_>, kind: &'static str, object: usize) -> Poll<()> {
    if said.is_pending() {
        return said;
    }
    turn::sync_point(cx.waker(), kind, object)
}

/// The same for an async function.
#[inline]
pub(crate) async fn leaf_of(kind: &'static str, object: usize) {
    poll_fn(|cx| turn::sync_point(cx.waker(), kind, object)).await
}

/// Which of `n` branches `select!` polls first: the world's answer, else tokio's own.
pub(crate) fn branch(n: u32, own: fn(u32) -> u32) -> u32 {
    match world::joined() {
        Some(world) if n > 1 => {
            let answer = (world.pick)(abi::Text::of("tokio.select.start"), u64::from(n));
            u32::try_from(answer).map_or(n - 1, |answer| answer.min(n - 1))
        }
        Some(_) => 0,
        None => own(n),
    }
}

/// `call`, during which the task that calls it has no turn.
pub(crate) fn unturned<R>(call: impl FnOnce() -> R) -> impl FnOnce() -> R {
    move || {
        let _without = turn::Without::begin();
        call()
    }
}

thread_local! {
    /// How many workers the runtime that is being built on this thread was asked for, if it got one instead.
    static ASKED_FOR: Cell<Option<usize>> = const { Cell::new(None) };
}

/// How many workers to start where `asked_for` were asked for.
///
/// The tasks of a world run one at a time, so more workers would add hand-overs between threads and no behaviour.
pub(crate) fn workers(asked_for: usize) -> usize {
    if world::joined().is_none() || asked_for == 0 {
        return asked_for;
    }
    ASKED_FOR.with(|cell| cell.set(Some(asked_for)));
    1
}

/// Adds to the metrics of the workers that run those of the workers that were asked for.
pub(crate) fn show_workers<M>(metrics: &mut Vec<M>, idle: impl FnMut() -> M) {
    if let Some(asked_for) = ASKED_FOR.with(Cell::take) {
        let shown = asked_for.max(metrics.len());
        metrics.resize_with(shown, idle);
    }
}
