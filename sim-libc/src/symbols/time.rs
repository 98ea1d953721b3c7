//! Clocks and sleeping (clock_gettime(2), clock_nanosleep(2), gettimeofday(2), time(2)).

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::{answer_int, duration};
use crate::memory::{In, Out};
use crate::real::next;
use crate::thread::{self, WaitsFor};
use crate::world::{World, glance, is_member, with};
use core::ffi::{c_int, c_uint, c_void};
use core::time::Duration;
use libc::{clockid_t, time_t, timespec, timeval};
use sim_core::Errno;
use sim_core::backend::{Backend, ClockId};
use sim_time::Instant;

/// What it costs to look at a clock, which is no system call.
const LOOK_NS: u64 = 25;

impl World {
    /// The reading of a clock; `None` for one that there is not. CPU time is virtual time: whoever runs uses a processor.
    pub fn clock(&mut self, clock: clockid_t) -> Option<Duration> {
        let host = self.host();
        let mut read =
            |clock| Duration::from_nanos(self.universe.clock_ns(&mut self.env, host, clock));
        match clock {
            libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => Some(read(ClockId::Realtime)),
            libc::CLOCK_TAI => Some(read(ClockId::Realtime) + Duration::from_secs(37)),
            libc::CLOCK_MONOTONIC
            | libc::CLOCK_MONOTONIC_COARSE
            | libc::CLOCK_MONOTONIC_RAW
            | libc::CLOCK_BOOTTIME => Some(read(ClockId::Monotonic)),
            libc::CLOCK_PROCESS_CPUTIME_ID | libc::CLOCK_THREAD_CPUTIME_ID => {
                Some(Duration::from_nanos(self.env.now.as_nanos()))
            }
            _ => None,
        }
    }

    /// The true instant at which a clock will read `reading`.
    pub fn instant_at(&mut self, clock: clockid_t, reading: Duration) -> Instant {
        let now = self.clock(clock).unwrap_or_default();
        match reading.checked_sub(now) {
            None => self.env.now,
            Some(left) => self.env.now.saturating_add(left),
        }
    }
}

fn as_timespec(time: Duration) -> timespec {
    timespec { tv_sec: time.as_secs() as time_t, tv_nsec: i64::from(time.subsec_nanos()) }
}

/// Reads a clock, which costs a moment.
fn look(clock: clockid_t) -> Option<Duration> {
    if glance(|world| world.look_in_vain(1)) {
        thread::yield_turn();
    }
    glance(|world| {
        world.charge(LOOK_NS);
        world.clock(clock)
    })
}

/// Sleeps until `deadline`.
pub fn sleep_until(deadline: Instant) {
    loop {
        thread::wait(WaitsFor::Sleep, Some(deadline));
        if with(|world| world.env.now) >= deadline {
            return;
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn clock_gettime(clock: clockid_t, into: Out<timespec>) -> c_int {
    if !is_member() {
        return next!(c"clock_gettime"(clock: clockid_t, into: Out<timespec>) -> c_int);
    }
    answer_int(match look(clock) {
        Some(time) => {
            into.set(as_timespec(time));
            Ok(0)
        }
        None => Err(Errno::EINVAL),
    })
}

#[unsafe(no_mangle)]
extern "C" fn clock_getres(clock: clockid_t, into: Out<timespec>) -> c_int {
    if !is_member() {
        return next!(c"clock_getres"(clock: clockid_t, into: Out<timespec>) -> c_int);
    }
    into.set(timespec { tv_sec: 0, tv_nsec: 1 });
    0
}

#[unsafe(no_mangle)]
extern "C" fn gettimeofday(into: Out<timeval>, zone: Out<c_void>) -> c_int {
    if !is_member() {
        return next!(c"gettimeofday"(into: Out<timeval>, zone: Out<c_void>) -> c_int);
    }
    let time = look(libc::CLOCK_REALTIME).unwrap_or_default();
    into.set(timeval {
        tv_sec: time.as_secs() as time_t,
        tv_usec: i64::from(time.subsec_micros()),
    });
    0
}

#[unsafe(no_mangle)]
extern "C" fn time(into: Out<time_t>) -> time_t {
    if !is_member() {
        return next!(c"time"(into: Out<time_t>) -> time_t);
    }
    let now = look(libc::CLOCK_REALTIME).unwrap_or_default().as_secs() as time_t;
    into.set(now);
    now
}

#[unsafe(no_mangle)]
extern "C" fn nanosleep(request: In<timespec>, left: Out<timespec>) -> c_int {
    if !is_member() {
        return next!(c"nanosleep"(request: In<timespec>, left: Out<timespec>) -> c_int);
    }
    answer_int(sleep_for(request))
}

fn sleep_for(request: In<timespec>) -> sim_core::Result<c_int> {
    let time = request.get().and_then(duration).ok_or(Errno::EINVAL)?;
    sleep_until(with(|world| world.env.now.saturating_add(time)));
    Ok(0)
}

/// Answers the error's number itself, as its page says.
#[unsafe(no_mangle)]
extern "C" fn clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    request: In<timespec>,
    left: Out<timespec>,
) -> c_int {
    if !is_member() {
        return next!(c"clock_nanosleep"(clock: clockid_t, flags: c_int, request: In<timespec>, left: Out<timespec>) -> c_int);
    }
    let Some(time) = request.get().and_then(duration) else { return libc::EINVAL };
    if with(|world| world.clock(clock)).is_none() {
        return libc::EINVAL;
    }
    let is_absolute = flags & libc::TIMER_ABSTIME != 0;
    sleep_until(with(|world| match is_absolute {
        true => world.instant_at(clock, time),
        false => world.env.now.saturating_add(time),
    }));
    0
}

#[unsafe(no_mangle)]
extern "C" fn usleep(micros: c_uint) -> c_int {
    if !is_member() {
        return next!(c"usleep"(micros: c_uint) -> c_int);
    }
    sleep_until(with(|world| {
        world.env.now.saturating_add(Duration::from_micros(u64::from(micros)))
    }));
    0
}

#[unsafe(no_mangle)]
extern "C" fn sleep(seconds: c_uint) -> c_uint {
    if !is_member() {
        return next!(c"sleep"(seconds: c_uint) -> c_uint);
    }
    sleep_until(with(|world| {
        world.env.now.saturating_add(Duration::from_secs(u64::from(seconds)))
    }));
    0
}
