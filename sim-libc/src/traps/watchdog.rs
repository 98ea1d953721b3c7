//! A thread that spins and never asks for anything keeps the turn for ever: no other thread of the world can run. It is noticed here.
//!
//! A timer on each thread's own processor time looks whether the world was entered since the last tick; reading the cycle counter does not
//! count, since no other thread gets a turn by that. If it was not for
//! `PATIENCE` ticks, the run ends as a livelock, with the place where the thread spins. Real time decides only that a run is given up,
//! never what it does.

use super::handlers;
use crate::finish;
use crate::memory::Out;
use crate::real;
use crate::world::{is_member, me, with};
use core::cell::Cell;
use core::ffi::c_int;
use core::sync::atomic::{AtomicU64, Ordering};
use libc::{itimerspec, siginfo_t, timespec, ucontext_t};
use sim_core::rt::{Failure, FailureKind};
use std::backtrace::Backtrace;

/// How often it is looked, in seconds of processor time.
const TICK: i64 = 1;
/// After how many ticks without any call a run is given up: sooner than whoever watches the process loses patience.
const PATIENCE: u32 = 15;

/// How often the world was entered. Only the thread that has the turn counts.
static ENTRIES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The entries at the last tick of this thread, and how many ticks ago that number was seen first.
    static SEEN: Cell<(u64, u32)> = const { Cell::new((0, 0)) };
    /// The system's number of this thread's timer.
    static TIMER: Cell<Option<c_int>> = const { Cell::new(None) };
}

/// The world is entered.
#[inline]
pub fn note_entry() {
    // No other thread counts at the same time, so this needs no atomic addition.
    ENTRIES.store(ENTRIES.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// The event that the kernel sends at each tick (timer_create(2)).
#[repr(C)]
struct Notification {
    value: usize,
    signal: c_int,
    how: c_int,
    thread: c_int,
    reserved: [c_int; 11],
}

/// Watches the calling thread.
pub fn watch() {
    let notification = Notification {
        value: 0,
        signal: handlers::WATCH,
        how: libc::SIGEV_THREAD_ID,
        thread: real::tid(),
        reserved: [0; 11],
    };
    let mut timer: c_int = 0;
    let (event, place) = ((&raw const notification) as usize, (&raw mut timer) as usize);
    let clock = libc::CLOCK_THREAD_CPUTIME_ID as usize;
    if real::syscall(libc::SYS_timer_create, [clock, event, place, 0, 0, 0]) < 0 {
        return super::notice("the system has no timer left: a thread that spins is not noticed");
    }
    let tick = timespec { tv_sec: TICK, tv_nsec: 0 };
    let times = itimerspec { it_interval: tick, it_value: tick };
    let place = (&raw const times) as usize;
    real::syscall(libc::SYS_timer_settime, [timer as usize, 0, place, 0, 0, 0]);
    TIMER.set(Some(timer));
}

/// Watches the calling thread no longer.
pub fn unwatch() {
    if let Some(timer) = TIMER.take() {
        real::syscall(libc::SYS_timer_delete, [timer as usize, 0, 0, 0, 0, 0]);
    }
}

/// The handler of the tick, in the thread whose time has passed.
pub(super) extern "C" fn on_tick(signal: c_int, info: Out<siginfo_t>, context: Out<ucontext_t>) {
    if handlers::code(info) != libc::SI_TIMER {
        return handlers::hand_on(signal, info, context);
    }
    let entries = ENTRIES.load(Ordering::Relaxed);
    let (seen, ticks) = SEEN.get();
    let ticks = if seen == entries { ticks + 1 } else { 0 };
    SEEN.set((entries, ticks));
    // A thread that was busy all the time while nobody entered the world has the turn.
    if ticks >= PATIENCE && is_member() {
        give_up();
    }
}

fn give_up() -> ! {
    let trace = Backtrace::force_capture();
    with(|world| {
        let name = world.env.choices.names.text(world.threads.get(me()).path());
        let text = format!(
            "thread {} {name} spins without asking the kernel for anything: no other thread can run",
            me()
        );
        let others = world.who_waits();
        let advice = "wait with std::thread::yield_now, park, a lock or a channel; a long computation needs a call now and then\n";
        let failure = Failure::new(FailureKind::Livelock, text);
        finish::now(world, failure.with_details(format!("{advice}{others}{trace}")))
    })
}
