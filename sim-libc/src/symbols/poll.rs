//! poll(2) and select(2).

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::{answer_int, await_ready, duration};
use crate::descriptors::simulated;
use crate::memory::{In, Out};
use crate::real::{self, next};
use crate::thread;
use crate::world::{World, is_member, with};
use core::ffi::{c_int, c_short, c_ulong, c_void};
use core::time::Duration;
use libc::{nfds_t, pollfd, timespec};
use sim_core::backend::{Backend, Readiness};
use sim_core::{Errno, Fd, Result};
use sim_time::Instant;

#[unsafe(no_mangle)]
pub(super) extern "C" fn poll(descriptors: Out<pollfd>, count: nfds_t, timeout_ms: c_int) -> c_int {
    if !is_member() {
        return next!(c"poll"(descriptors: Out<pollfd>, count: nfds_t, timeout_ms: c_int) -> c_int);
    }
    let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    answer_int(wait(descriptors.slice(count as usize), timeout))
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn ppoll(
    descriptors: Out<pollfd>,
    count: nfds_t,
    timeout: In<timespec>,
    mask: In<c_void>,
) -> c_int {
    if !is_member() {
        return next!(c"ppoll"(descriptors: Out<pollfd>, count: nfds_t, timeout: In<timespec>, mask: In<c_void>) -> c_int);
    }
    answer_int(wait(descriptors.slice(count as usize), timeout.get().and_then(duration)))
}

fn wait(descriptors: &mut [pollfd], timeout: Option<Duration>) -> Result<c_int> {
    if timeout == Some(Duration::ZERO) && !with(|world| world.gates.is_granting()) {
        thread::yield_turn();
    }
    let deadline =
        with(|world| timeout.map_or(Instant::MAX, |timeout| world.env.now.saturating_add(timeout)));
    loop {
        let ready = look(descriptors);
        if ready > 0 || with(|world| world.env.now) >= deadline {
            if ready == 0 {
                with(|world| world.look_in_vain(thread::LOOKS_OF_CALL));
            }
            return Ok(ready);
        }
        let watched: Vec<(Fd, Readiness)> = descriptors
            .iter()
            .filter_map(|entry| {
                Some((simulated(entry.fd)?, Readiness::from_bits(entry.events as u32)))
            })
            .collect();
        await_ready(&watched, deadline)?;
    }
}

/// Fills in what each descriptor is ready for; how many are.
fn look(descriptors: &mut [pollfd]) -> c_int {
    let mut ready = 0;
    for entry in descriptors {
        entry.revents = match simulated(entry.fd) {
            _ if entry.fd < 0 => 0,
            Some(fd) => with(|world| look_at(world, fd, entry.events)),
            None => look_at_system(entry.fd, entry.events),
        };
        ready += c_int::from(entry.revents != 0);
    }
    ready
}

fn look_at(world: &mut World, fd: Fd, events: c_short) -> c_short {
    world.charge(world.config.call_cost_ns);
    match world.universe.readiness(&mut world.env, fd) {
        Ok(readiness) => {
            let always = Readiness::ERR | Readiness::HUP;
            (readiness & (Readiness::from_bits(events as u32) | always)).bits() as c_short
        }
        Err(_) => libc::POLLNVAL,
    }
}

/// A descriptor of the system is looked at without waiting.
fn look_at_system(fd: c_int, events: c_short) -> c_short {
    let mut entry = pollfd { fd, events, revents: 0 };
    let zero = timespec { tv_sec: 0, tv_nsec: 0 };
    let (entry_at, zero_at) = ((&raw mut entry) as usize, (&raw const zero) as usize);
    real::syscall(libc::SYS_ppoll, [entry_at, 1, zero_at, 0, 8, 0]);
    entry.revents
}

/// Simulated descriptors have no place in a `fd_set`, whose numbers end at 1024.
#[unsafe(no_mangle)]
extern "C" fn select(
    count: c_int,
    read: Out<c_ulong>,
    write: Out<c_ulong>,
    except: Out<c_ulong>,
    timeout: Out<libc::timeval>,
) -> c_int {
    if !is_member() {
        return next!(c"select"(count: c_int, read: Out<c_ulong>, write: Out<c_ulong>, except: Out<c_ulong>, timeout: Out<libc::timeval>) -> c_int);
    }
    // Without descriptors it is an old way to sleep.
    if let (0, Some(time)) = (count, timeout.get()) {
        let time =
            Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64);
        super::time::sleep_until(with(|world| world.env.now.saturating_add(time)));
        return 0;
    }
    with(|world| world.refuse("select on descriptors (use poll)"));
    answer_int(Err(Errno::EBADF))
}
