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
//! - A gate may sit inside another: a task of a `LocalSet` that a task drives. Its runtime polls it only while it polls
//!   the outer future, its *carrier*. From the carried one's grant until its poll the carrier *carries*: its polls pass
//!   without a turn of its own, because the turn is the carried task's, and its wakes reach its runtime at once.
//! - A task that is spawned by a task is ready at once. Any other is ready when its runtime first polls it: nobody might
//!   drive its runtime or its `LocalSet` yet, and the turn would be lost on it.
//! - Never: a call for a task after `task_close`; a poll of the future without grant or passage.

use super::abi::{Abi, Text};
use super::name::{self, Place};
use super::{turn, world};
use std::ffi::c_void;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// What the world, the runtime and the wakers of one task share.
pub(super) struct Gate {
    world: &'static Abi,
    /// The world's name for the task. Written once, before anybody else has the gate but the world.
    task: AtomicU64,
    is_open: AtomicBool,
    /// Whether a task inside this one was granted and not yet polled.
    carries: AtomicBool,
    seat: Mutex<Seat>,
}

/// From where the task was last polled.
#[derive(Default)]
struct Seat {
    /// The runtime's waker. Before the first poll there is none.
    waker: Option<Waker>,
    /// The gate whose future was being polled meanwhile.
    carrier: Option<Arc<Gate>>,
}

impl Gate {
    fn open(world: &'static Abi, name: &str, place: &str) -> Arc<Self> {
        let gate = Arc::new(Self {
            world,
            task: AtomicU64::new(0),
            is_open: AtomicBool::new(true),
            carries: AtomicBool::new(false),
            seat: Mutex::default(),
        });
        let address = Arc::as_ptr(&gate).cast::<c_void>();
        let task = (world.task_open)(Text::of(name), Text::of(place), address, grant);
        gate.task.store(task, Ordering::Release);
        gate
    }

    fn task(&self) -> u64 {
        self.task.load(Ordering::Acquire)
    }

    /// What a poll by the runtime may do. The seat comes first: a grant may follow at once.
    fn admit(&self, waker: &Waker) -> Admission {
        let is_first = self.sit(waker);
        if (self.world.task_begin)(self.task()) {
            self.carriers(|carrier| carrier.carries.store(false, Ordering::Release));
            return Admission::Granted;
        }
        if is_first {
            (self.world.task_wake)(self.task());
        }
        if self.carries.load(Ordering::Acquire) { Admission::Passing } else { Admission::Refused }
    }

    /// Notes from where it is polled; whether for the first time.
    fn sit(&self, waker: &Waker) -> bool {
        let mut seat = self.seat();
        let is_first = seat.waker.is_none();
        let carrier = turn::polled();
        let is_same = seat.waker.as_ref().is_some_and(|seated| seated.will_wake(waker))
            && seat.carrier.as_ref().map_or(std::ptr::null(), Arc::as_ptr) == carrier;
        if !is_same {
            let now = Seat { waker: Some(waker.clone()), carrier: turn::shared(carrier) };
            let before = std::mem::replace(&mut *seat, now);
            // A waker's destructor is foreign code.
            drop(seat);
            drop(before);
        }
        is_first
    }

    fn seat(&self) -> MutexGuard<'_, Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carrier(&self) -> Option<Arc<Self>> {
        self.seat().carrier.clone()
    }

    /// Every carrier, from the nearest.
    fn carriers(&self, mut visit: impl FnMut(&Self)) {
        let mut next = self.carrier();
        while let Some(carrier) = next {
            visit(&carrier);
            next = carrier.carrier();
        }
    }

    fn wake_runtime(&self) {
        // Without one, the runtime has the task in its queue and has not come to it.
        let waker = self.seat().waker.clone();
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
    gate.carriers(|carrier| carrier.carries.store(true, Ordering::Release));
    let wake = || {
        gate.wake_runtime();
        gate.carriers(Gate::wake_runtime);
    };
    // At the end of a poll the runtime runs and looks into its queue next. In the middle of a wait it sleeps on this very
    // thread, and must be woken as from another.
    turn::granting(|| match turn::is_ending() {
        true => wake(),
        false => crate::runtime::context::sim_without_scheduler(wake),
    });
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_open.load(Ordering::Acquire) {
            return;
        }
        let carries = self.carries.load(Ordering::Acquire);
        // A grant that reaches a carrier means the carried task, not this one.
        if !(carries && turn::is_granting()) {
            turn::note_wake();
            (self.world.task_wake)(self.task());
        }
        if carries {
            self.wake_runtime();
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
        self.gate.carriers(|carrier| carrier.carries.store(false, Ordering::Release));
        if self.has_turn {
            turn::ending(|| (self.gate.world.task_end)(task, true));
        }
        (self.gate.world.task_close)(task);
    }
}

/// When a new task is ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// At once: its thread is about to poll it.
    Now,
    /// At once if a task spawns it, whose runtime is driven, else when it is first polled.
    InTurn,
    /// When it is first polled.
    Polled,
}

/// A future behind a gate; outside a world, the future alone.
pub(crate) struct Gated<F> {
    // Dropped in this order: the future with its turn, then the pass, which gives it up.
    future: F,
    pass: Option<Pass>,
}

impl<F> Gated<F> {
    pub(super) fn new(future: F, spawned_at: &Location<'_>, start: Start) -> Self {
        let pass = world::joined().map(|world| {
            let place = Place::of(spawned_at);
            let gate = Gate::open(world, name::of_future::<F>(), place.as_str());
            if start == Start::Now || start == Start::InTurn && turn::is_running() {
                (world.task_wake)(gate.task());
            }
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
        let polling = turn::Polling::begin(self.has_turn, &self.gate);
        let answer = future.poll(&mut Context::from_waker(&self.waker));
        drop(polling);
        if self.has_turn && answer.is_pending() {
            self.has_turn = false;
            turn::ending(|| (self.gate.world.task_end)(self.gate.task(), false));
        }
        answer
    }
}
