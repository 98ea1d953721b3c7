//! epoll(7), eventfd(2), timerfd_create(2).

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::{answer_int, await_ready, call, duration};
use crate::descriptors::{number, simulated};
use crate::memory::{In, Out};
use crate::real::next;
use crate::thread;
use crate::world::{World, is_member, with};
use core::ffi::{c_int, c_uint, c_void};
use core::time::Duration;
use libc::{epoll_event, itimerspec, timespec};
use sim_core::backend::{Backend, ClockId, EpollControl, EpollInterest, Readiness, TimerSetting};
use sim_core::{Errno, Fd, Result};
use sim_time::Instant;

/// The bits of an interest that are flags and not readiness.
const FLAGS: u32 =
    (libc::EPOLLET | libc::EPOLLONESHOT | libc::EPOLLWAKEUP | libc::EPOLLEXCLUSIVE) as u32;

#[unsafe(no_mangle)]
extern "C" fn epoll_create1(flags: c_int) -> c_int {
    if !is_member() {
        return next!(c"epoll_create1"(flags: c_int) -> c_int);
    }
    answer_int(call(|world| {
        let host = world.host();
        let fd = world.universe.epoll_create(&mut world.env, host)?;
        world.descriptors.open(fd, false, flags & libc::EPOLL_CLOEXEC != 0);
        Ok(number(fd))
    }))
}

#[unsafe(no_mangle)]
extern "C" fn epoll_create(size: c_int) -> c_int {
    if !is_member() {
        return next!(c"epoll_create"(size: c_int) -> c_int);
    }
    if size > 0 { epoll_create1(0) } else { answer_int(Err(Errno::EINVAL)) }
}

#[unsafe(no_mangle)]
extern "C" fn epoll_ctl(
    epoll: c_int,
    operation: c_int,
    fd: c_int,
    event: In<epoll_event>,
) -> c_int {
    let Some(object) = simulated(epoll) else {
        return next!(c"epoll_ctl"(epoll: c_int, operation: c_int, fd: c_int, event: In<epoll_event>) -> c_int);
    };
    answer_int(control(object, operation, fd, event))
}

fn control(epoll: Fd, operation: c_int, fd: c_int, event: In<epoll_event>) -> Result<c_int> {
    let Some(watched) = simulated(fd) else {
        // As Linux answers for a regular file: what is the system's is not waited for in a world.
        with(|world| {
            world.env.trace.notice(format!(
                "descriptor {fd} of the system cannot be watched by an epoll object of the world: it answered EPERM"
            ));
        });
        return Err(Errno::EPERM);
    };
    let control = match (operation, event.get()) {
        (libc::EPOLL_CTL_DEL, _) => EpollControl::Delete,
        (libc::EPOLL_CTL_ADD, Some(event)) => EpollControl::Add(interest(event)?),
        (libc::EPOLL_CTL_MOD, Some(event)) => EpollControl::Modify(interest(event)?),
        _ => return Err(Errno::EINVAL),
    };
    call(|world| world.universe.epoll_control(&mut world.env, epoll, watched, control))?;
    Ok(0)
}

fn interest(event: epoll_event) -> Result<EpollInterest> {
    let bits = event.events;
    let readiness = Readiness::from_bits(bits & !FLAGS);
    let (edge, oneshot) = (bits & libc::EPOLLET as u32 != 0, bits & libc::EPOLLONESHOT as u32 != 0);
    Ok(EpollInterest { readiness, edge, oneshot, data: event.u64 })
}

#[unsafe(no_mangle)]
extern "C" fn epoll_wait(
    epoll: c_int,
    into: Out<epoll_event>,
    max: c_int,
    timeout_ms: c_int,
) -> c_int {
    let Some(object) = simulated(epoll) else {
        return next!(c"epoll_wait"(epoll: c_int, into: Out<epoll_event>, max: c_int, timeout_ms: c_int) -> c_int);
    };
    let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    answer_int(wait(object, into, max, timeout))
}

#[unsafe(no_mangle)]
extern "C" fn epoll_pwait(
    epoll: c_int,
    into: Out<epoll_event>,
    max: c_int,
    timeout_ms: c_int,
    mask: In<c_void>,
) -> c_int {
    if simulated(epoll).is_none() {
        return next!(c"epoll_pwait"(epoll: c_int, into: Out<epoll_event>, max: c_int, timeout_ms: c_int, mask: In<c_void>) -> c_int);
    }
    epoll_wait(epoll, into, max, timeout_ms)
}

#[unsafe(no_mangle)]
extern "C" fn epoll_pwait2(
    epoll: c_int,
    into: Out<epoll_event>,
    max: c_int,
    timeout: In<timespec>,
    mask: In<c_void>,
) -> c_int {
    let Some(object) = simulated(epoll) else {
        return next!(c"epoll_pwait2"(epoll: c_int, into: Out<epoll_event>, max: c_int, timeout: In<timespec>, mask: In<c_void>) -> c_int);
    };
    answer_int(wait(object, into, max, timeout.get().and_then(duration)))
}

/// Waits for reports; `None` waits for ever. A look without waiting gives up the turn, or whoever polls so would keep it for ever.
fn wait(epoll: Fd, into: Out<epoll_event>, max: c_int, timeout: Option<Duration>) -> Result<c_int> {
    let max = usize::try_from(max).ok().filter(|&max| max > 0).ok_or(Errno::EINVAL)?;
    if timeout == Some(Duration::ZERO) && !with(|world| world.gates.is_granting()) {
        thread::yield_turn();
    }
    let deadline =
        with(|world| timeout.map_or(Instant::MAX, |timeout| world.env.now.saturating_add(timeout)));
    loop {
        let (events, now) = with(|world| -> Result<_> {
            world.charge(world.config.call_cost_ns);
            let mut events = Vec::new();
            let World { universe, env, .. } = world;
            universe.epoll_take(env, epoll, max, &mut events)?;
            Ok((events, env.now))
        })?;
        if !events.is_empty() || now >= deadline {
            if events.is_empty() {
                with(|world| world.look_in_vain(thread::LOOKS_OF_CALL));
            }
            for (n, event) in events.iter().enumerate() {
                into.at(n).set(epoll_event { events: event.readiness.bits(), u64: event.data });
            }
            return Ok(events.len() as c_int);
        }
        await_ready(&[(epoll, Readiness::IN)], deadline)?;
    }
}

#[unsafe(no_mangle)]
extern "C" fn eventfd(initial: c_uint, flags: c_int) -> c_int {
    if !is_member() {
        return next!(c"eventfd"(initial: c_uint, flags: c_int) -> c_int);
    }
    answer_int(call(|world| {
        let (host, semaphore) = (world.host(), flags & libc::EFD_SEMAPHORE != 0);
        let fd = world.universe.eventfd(&mut world.env, host, initial, semaphore)?;
        world.descriptors.open(fd, flags & libc::EFD_NONBLOCK != 0, flags & libc::EFD_CLOEXEC != 0);
        Ok(number(fd))
    }))
}

#[unsafe(no_mangle)]
extern "C" fn timerfd_create(clock: c_int, flags: c_int) -> c_int {
    if !is_member() {
        return next!(c"timerfd_create"(clock: c_int, flags: c_int) -> c_int);
    }
    answer_int(call(|world| {
        let host = world.host();
        let clock = match clock {
            libc::CLOCK_REALTIME => ClockId::Realtime,
            libc::CLOCK_MONOTONIC | libc::CLOCK_BOOTTIME => ClockId::Monotonic,
            _ => return Err(Errno::EINVAL),
        };
        let fd = world.universe.timerfd_create(&mut world.env, host, clock)?;
        world.descriptors.open(fd, flags & libc::TFD_NONBLOCK != 0, flags & libc::TFD_CLOEXEC != 0);
        Ok(number(fd))
    }))
}

#[unsafe(no_mangle)]
extern "C" fn timerfd_settime(
    fd: c_int,
    flags: c_int,
    new: In<itimerspec>,
    old: Out<itimerspec>,
) -> c_int {
    let Some(timer) = simulated(fd) else {
        return next!(c"timerfd_settime"(fd: c_int, flags: c_int, new: In<itimerspec>, old: Out<itimerspec>) -> c_int);
    };
    answer_int(call(|world| {
        let new = new.get().ok_or(Errno::EINVAL)?;
        let value = duration(new.it_value).ok_or(Errno::EINVAL)?;
        let interval = duration(new.it_interval).ok_or(Errno::EINVAL)?;
        if flags & libc::TFD_TIMER_CANCEL_ON_SET != 0 {
            return Err(world.refuse("TFD_TIMER_CANCEL_ON_SET"));
        }
        let setting = TimerSetting { value, interval };
        let absolute = flags & libc::TFD_TIMER_ABSTIME != 0;
        let before = world.universe.timerfd_set(&mut world.env, timer, setting, absolute)?;
        old.set(as_itimerspec(before));
        Ok(0)
    }))
}

#[unsafe(no_mangle)]
extern "C" fn timerfd_gettime(fd: c_int, into: Out<itimerspec>) -> c_int {
    let Some(timer) = simulated(fd) else {
        return next!(c"timerfd_gettime"(fd: c_int, into: Out<itimerspec>) -> c_int);
    };
    answer_int(call(|world| {
        into.set(as_itimerspec(world.universe.timerfd_get(&mut world.env, timer)?));
        Ok(0)
    }))
}

fn as_itimerspec(setting: TimerSetting) -> itimerspec {
    let time = |time: Duration| timespec {
        tv_sec: time.as_secs() as libc::time_t,
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    itimerspec { it_value: time(setting.value), it_interval: time(setting.interval) }
}
