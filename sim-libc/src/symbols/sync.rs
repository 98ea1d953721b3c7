//! The C library's own locks (pthread_mutex_lock(3), pthread_cond_wait(3), pthread_rwlock_rdlock(3), sem_wait(3)).
//!
//! Their contended forms wait in the C library with system calls of its own, which nobody could see: the thread would keep the turn
//! for ever. So a lock is *tried*, and a thread that does not get it waits in a queue of ours at the lock's address; whoever gives a lock
//! back wakes that queue. std's own locks are made of futexes and never come here.

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::duration;
use super::futex::wait_at;
use crate::memory::{In, Out};
use crate::real::next;
use crate::world::{is_member, with};
use core::ffi::{c_int, c_void};
use libc::timespec;
use sim_time::Instant;

/// Tries until it works, waiting at the object's address in between. A deadline that has come is `ETIMEDOUT`.
fn acquire(object: Out<c_void>, deadline: Option<Instant>, attempt: impl Fn() -> c_int) -> c_int {
    loop {
        let status = attempt();
        if status != libc::EBUSY {
            return status;
        }
        if !wait_at(object.address(), u32::MAX, deadline) {
            return libc::ETIMEDOUT;
        }
    }
}

fn wake(object: Out<c_void>, count: usize) {
    if is_member() {
        with(|world| world.wake_waiting(object.address(), count, u32::MAX));
    }
}

/// A deadline by the real-time clock, as the timed forms take it.
fn deadline(until: In<timespec>) -> Option<Instant> {
    let time = until.get().and_then(duration)?;
    Some(with(|world| world.instant_at(libc::CLOCK_REALTIME, time)))
}

macro_rules! locks {
    ($($(#[$doc:meta])* $name:ident = $real:literal by $attempt:literal;)*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        extern "C" fn $name(object: Out<c_void>) -> c_int {
            if !is_member() {
                return next!($real(object: Out<c_void>) -> c_int);
            }
            acquire(object, None, || next!($attempt(object: Out<c_void>) -> c_int))
        }
    )*};
}

locks! {
    /// Locks a mutex. One that its owner may lock again, or that reports an error instead, answers so when it is tried.
    pthread_mutex_lock = c"pthread_mutex_lock" by c"pthread_mutex_trylock";
    /// Locks for reading.
    pthread_rwlock_rdlock = c"pthread_rwlock_rdlock" by c"pthread_rwlock_tryrdlock";
    /// Locks for writing.
    pthread_rwlock_wrlock = c"pthread_rwlock_wrlock" by c"pthread_rwlock_trywrlock";
}

macro_rules! unlocks {
    ($($(#[$doc:meta])* $name:ident = $real:literal;)*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        extern "C" fn $name(object: Out<c_void>) -> c_int {
            let status = next!($real(object: Out<c_void>) -> c_int);
            wake(object, usize::MAX);
            status
        }
    )*};
}

unlocks! {
    /// Gives a mutex back.
    pthread_mutex_unlock = c"pthread_mutex_unlock";
    /// Gives a lock for reading or writing back.
    pthread_rwlock_unlock = c"pthread_rwlock_unlock";
    /// Raises a semaphore.
    sem_post = c"sem_post";
}

#[unsafe(no_mangle)]
extern "C" fn pthread_mutex_timedlock(object: Out<c_void>, until: In<timespec>) -> c_int {
    if !is_member() {
        return next!(c"pthread_mutex_timedlock"(object: Out<c_void>, until: In<timespec>) -> c_int);
    }
    let deadline = deadline(until);
    acquire(object, deadline, || next!(c"pthread_mutex_trylock"(object: Out<c_void>) -> c_int))
}

/// Waits for a condition: the mutex is given back, and taken again before it returns.
fn condition(object: Out<c_void>, mutex: Out<c_void>, deadline: Option<Instant>) -> c_int {
    let status = pthread_mutex_unlock(mutex);
    if status != 0 {
        return status;
    }
    // Nobody else has had the turn since the mutex was given back, so no signal can be missed.
    let was_woken = wait_at(object.address(), u32::MAX, deadline);
    match pthread_mutex_lock(mutex) {
        0 if was_woken => 0,
        0 => libc::ETIMEDOUT,
        status => status,
    }
}

#[unsafe(no_mangle)]
extern "C" fn pthread_cond_wait(object: Out<c_void>, mutex: Out<c_void>) -> c_int {
    if !is_member() {
        return next!(c"pthread_cond_wait"(object: Out<c_void>, mutex: Out<c_void>) -> c_int);
    }
    condition(object, mutex, None)
}

#[unsafe(no_mangle)]
extern "C" fn pthread_cond_timedwait(
    object: Out<c_void>,
    mutex: Out<c_void>,
    until: In<timespec>,
) -> c_int {
    if !is_member() {
        return next!(c"pthread_cond_timedwait"(object: Out<c_void>, mutex: Out<c_void>, until: In<timespec>) -> c_int);
    }
    condition(object, mutex, deadline(until))
}

#[unsafe(no_mangle)]
extern "C" fn pthread_cond_clockwait(
    object: Out<c_void>,
    mutex: Out<c_void>,
    clock: libc::clockid_t,
    until: In<timespec>,
) -> c_int {
    if !is_member() {
        return next!(c"pthread_cond_clockwait"(object: Out<c_void>, mutex: Out<c_void>, clock: libc::clockid_t, until: In<timespec>) -> c_int);
    }
    let time = until.get().and_then(duration);
    condition(object, mutex, time.map(|time| with(|world| world.instant_at(clock, time))))
}

#[unsafe(no_mangle)]
extern "C" fn pthread_cond_signal(object: Out<c_void>) -> c_int {
    wake(object, 1);
    next!(c"pthread_cond_signal"(object: Out<c_void>) -> c_int)
}

#[unsafe(no_mangle)]
extern "C" fn pthread_cond_broadcast(object: Out<c_void>) -> c_int {
    wake(object, usize::MAX);
    next!(c"pthread_cond_broadcast"(object: Out<c_void>) -> c_int)
}

/// A semaphore that cannot be had answers -1 and `EAGAIN` when it is tried.
fn try_semaphore(object: Out<c_void>) -> c_int {
    match next!(c"sem_trywait"(object: Out<c_void>) -> c_int) {
        0 => 0,
        _ => libc::EBUSY,
    }
}

#[unsafe(no_mangle)]
extern "C" fn sem_wait(object: Out<c_void>) -> c_int {
    if !is_member() {
        return next!(c"sem_wait"(object: Out<c_void>) -> c_int);
    }
    acquire(object, None, || try_semaphore(object))
}

#[unsafe(no_mangle)]
extern "C" fn sem_timedwait(object: Out<c_void>, until: In<timespec>) -> c_int {
    if !is_member() {
        return next!(c"sem_timedwait"(object: Out<c_void>, until: In<timespec>) -> c_int);
    }
    match acquire(object, deadline(until), || try_semaphore(object)) {
        0 => 0,
        status => {
            crate::real::set_errno(status);
            -1
        }
    }
}
