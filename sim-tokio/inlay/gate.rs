//! A future that is polled only when the world has granted it a turn.
//!
//! ```text
//! new ──▶ (task_open) ── poll: task_begin? ──no──▶ refused: pending, nothing happened
//!                              │yes
//!                              ▼
//!                           polled ──pending──▶ task_end(false), and the next is granted before this poll returns
//!                              │ready, or it panicked
//!                              ▼
//!                           dropped with its turn ──▶ task_end(true), task_close
//! ```
//!
//! - A finished future keeps its turn until it is dropped, which its runtime does at once: what its destructors do is
//!   part of the turn, and a panic unwinds through.
//! - A wake goes to the world, which grants later. Only the grant wakes the runtime's own waker.
//! - A gate that is woken *by a grant* carries the granted one: a `LocalSet` inside this task. It passes its next poll
//!   without a turn of its own, because the turn is the carried task's.
//! - Never: a call for a task after `task_close`; a poll of the future without grant or passage.

use super::abi::{Abi, Text};
use super::name::{self, Place};
use super::{turn, world};
use std::ffi::c_void;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// What the world, the runtime and the wakers of one task share.
struct Gate {
    world: &'static Abi,
    /// The world's name for the task. Written once, before anybody else has the gate but the world.
    task: AtomicU64,
    is_open: AtomicBool,
    /// Whether the next poll may pass although it was not granted.
    may_pass: AtomicBool,
    /// The runtime's waker of the latest poll.
    runtime: Mutex<Option<Waker>>,
}

impl Gate {
    fn open(world: &'static Abi, name: &str, place: &str) -> Arc<Self> {
        let gate = Arc::new(Self {
            world,
            task: AtomicU64::new(0),
            is_open: AtomicBool::new(true),
            may_pass: AtomicBool::new(false),
            runtime: Mutex::new(None),
        });
        let address = Arc::as_ptr(&gate).cast::<c_void>();
        let task = (world.task_open)(Text::of(name), Text::of(place), address, grant);
        gate.task.store(task, Ordering::Release);
        gate
    }

    fn task(&self) -> u64 {
        self.task.load(Ordering::Acquire)
    }

    /// What a poll by the runtime may do. The waker comes first: a grant may follow at once.
    fn admit(&self, waker: &Waker) -> Admission {
        self.seat(waker);
        let may_pass = self.may_pass.swap(false, Ordering::AcqRel);
        if (self.world.task_begin)(self.task()) {
            Admission::Granted
        } else if may_pass {
            Admission::Passing
        } else {
            Admission::Refused
        }
    }

    fn seat(&self, waker: &Waker) {
        let mut seat = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if !seat.as_ref().is_some_and(|seated| seated.will_wake(waker)) {
            let before = seat.replace(waker.clone());
            // A waker's destructor is foreign code.
            drop(seat);
            drop(before);
        }
    }

    fn wake_runtime(&self) {
        let waker = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Before the first poll there is none, and the runtime is about to poll anyway.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

enum Admission {
    Refused,
    Granted,
    Passing,
}

/// The world grants the task its turn.
extern "C" fn grant(gate: *const c_void) {
    // SAFETY: the world hands back what `Gate::open` gave it, and never after `task_close`, until when the future's
    // `Pass` keeps the gate.
    let gate = unsafe { &*gate.cast::<Gate>() };
    turn::granting(|| gate.wake_runtime());
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_open.load(Ordering::Acquire) {
            return;
        }
        if turn::is_granting() {
            self.may_pass.store(true, Ordering::Release);
            self.wake_runtime();
        } else {
            turn::note_wake();
            (self.world.task_wake)(self.task());
        }
    }
}

/// A task's own end of its gate.
struct Pass {
    gate: Arc<Gate>,
    /// What the future is polled with.
    waker: Waker,
    /// Whether a turn was granted and not given up.
    has_turn: bool,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let task = self.gate.task();
        self.gate.is_open.store(false, Ordering::Release);
        if self.has_turn {
            (self.gate.world.task_end)(task, true);
        }
        (self.gate.world.task_close)(task);
    }
}

/// A future behind a gate; outside a world, the future alone.
pub(crate) struct Gated<F> {
    // Dropped in this order: the future with its turn, then the pass, which gives it up.
    future: F,
    pass: Option<Pass>,
}

impl<F> Gated<F> {
    pub(super) fn new(future: F, spawned_at: &Location<'_>) -> Self {
        let pass = world::joined().map(|world| {
            let place = Place::of(spawned_at);
            let gate = Gate::open(world, name::of_future::<F>(), place.as_str());
            Pass { waker: Waker::from(Arc::clone(&gate)), gate, has_turn: false }
        });
        Self { future, pass }
    }
}

impl<F: Future> Future for Gated<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: the future is not moved out of the pinned value; the pass is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: as above; `Gated` has no destructor of its own.
        let future = unsafe { Pin::new_unchecked(&mut this.future) };
        match &mut this.pass {
            None => future.poll(cx),
            Some(pass) => pass.poll(future, cx),
        }
    }
}

impl Pass {
    fn poll<F: Future>(&mut self, future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.has_turn = match self.gate.admit(cx.waker()) {
            Admission::Refused => return Poll::Pending,
            Admission::Granted => true,
            Admission::Passing => false,
        };
        let polling = turn::Polling::begin(self.has_turn);
        let answer = future.poll(&mut Context::from_waker(&self.waker));
        drop(polling);
        if self.has_turn && answer.is_pending() {
            self.has_turn = false;
            (self.gate.world.task_end)(self.gate.task(), false);
        }
        answer
    }
}
