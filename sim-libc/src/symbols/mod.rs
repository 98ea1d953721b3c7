//! The functions of the C library that a world answers, file by file.
//!
//! Each function asks first whether the caller belongs to a world and the descriptor is simulated; if not, the C library's own function
//! is called, or the system itself. A function that blocks is *try, subscribe the thread, give up the turn, try again*.

pub mod address;
pub mod checked;
pub mod entropy;
pub mod epoll;
pub mod extended;
pub mod files;
pub mod folders;
pub mod futex;
pub mod io;
pub mod locks;
pub mod mapping;
pub mod message;
pub mod names;
pub mod naming;
pub mod numbers;
pub mod options;
pub mod paths;
pub mod poll;
pub mod process;
pub mod raw;
pub mod signals;
pub mod socket;
pub mod space;
pub mod stat;
pub mod stdio;
pub mod sync;
pub mod threads;
pub mod time;

use crate::real;
use crate::thread::{self, WaitsFor};
use crate::world::{World, me, with};
use core::ffi::c_int;
use core::time::Duration;
use sim_core::backend::Waiter;
use sim_core::backend::{Backend, Readiness};
use sim_core::object::Object;
use sim_core::{Errno, Fd, Result, ThreadId};
use sim_time::Instant;

/// How long a call may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Not at all.
    None,
    /// Until this instant; [`Instant::MAX`] is for ever.
    Until(Instant),
}

impl Patience {
    /// For `timeout` from now on; zero is for ever (socket(7)).
    pub fn after(now: Instant, timeout: Duration) -> Self {
        match timeout {
            Duration::ZERO => Self::Until(Instant::MAX),
            timeout => Self::Until(now.saturating_add(timeout)),
        }
    }
}

/// A call into the kernel by the program: now and then the thread gives up its turn first, which costs what a call costs.
pub fn call<R>(f: impl FnOnce(&mut World) -> R) -> R {
    if with(World::is_preempted) {
        thread::yield_turn();
    }
    with(|world| {
        world.charge(world.config.call_cost_ns);
        let answer = f(world);
        world.release_woken();
        answer
    })
}

impl World {
    /// Whether the thread gives up its turn at this call. A gated task does so at its sync points instead.
    fn is_preempted(&mut self) -> bool {
        let is_gated = !self.threads.get(me()).tasks.is_empty();
        if is_gated || self.enabled.members().is_empty() || self.gates.is_granting() {
            return false;
        }
        let Self { env, enabled, threads, .. } = self;
        let (path, occurrence) = threads.get(me()).next_sync();
        enabled.sync(env, path, occurrence, Object::UNKNOWN)
    }

    /// How long calls on `fd` that need `interest` block.
    pub fn patience(&self, fd: Fd, interest: Readiness) -> Patience {
        let status = self.descriptors.status(fd);
        if status.nonblocking.get() {
            return Patience::None;
        }
        let timeout =
            if interest == Readiness::OUT { &status.send_timeout } else { &status.receive_timeout };
        Patience::after(self.env.now, timeout.get())
    }
}

/// Calls `f` until it answers anything but `EAGAIN`, or the patience has run out.
pub fn blocking<T>(
    fd: Fd,
    interest: Readiness,
    dont_wait: bool,
    mut f: impl FnMut(&mut World) -> Result<T>,
) -> Result<T> {
    let mut answer = call(&mut f);
    if !matches!(answer, Err(Errno::EAGAIN)) || dont_wait {
        return answer;
    }
    let Patience::Until(deadline) = with(|world| world.patience(fd, interest)) else {
        return answer;
    };
    while matches!(answer, Err(Errno::EAGAIN)) {
        if with(|world| world.env.now) >= deadline {
            return answer;
        }
        await_blocked(fd, interest, deadline)?;
        answer = with(|world| {
            let answer = f(world);
            world.release_woken();
            answer
        });
    }
    answer
}

/// Waits for `interest` right after a call that needs it has answered `EAGAIN`. Nobody else has had the turn since, and some
/// descriptors that look ready are not for this call: a Unix socket whose listener's queue is full.
fn await_blocked(fd: Fd, interest: Readiness, deadline: Instant) -> Result<()> {
    let waiter = Waiter::Thread(ThreadId(me()));
    with(|world| world.universe.subscribe_blocked(&mut world.env, fd, interest, waiter))?;
    thread::wait(WaitsFor::Ready, (deadline != Instant::MAX).then_some(deadline));
    with(|world| {
        // It may be closed meanwhile, and then nobody waits for it.
        let _ = world.universe.unsubscribe(&mut world.env, fd, waiter);
    });
    Ok(())
}

/// Waits until one of the descriptors is ready, or `deadline` has come; or returns without either.
pub fn await_ready(descriptors: &[(Fd, Readiness)], deadline: Instant) -> Result<()> {
    let waiter = Waiter::Thread(ThreadId(me()));
    let is_ready = with(|world| -> Result<bool> {
        let World { universe, env, .. } = world;
        for &(fd, interest) in descriptors {
            universe.subscribe(env, fd, interest, waiter)?;
        }
        // Whoever is ready already was released at once, and there is nothing to wait for.
        let is_ready = env.woken.contains(&waiter);
        env.woken.retain(|woken| *woken != waiter);
        Ok(is_ready)
    })?;
    if !is_ready {
        thread::wait(WaitsFor::Ready, (deadline != Instant::MAX).then_some(deadline));
    }
    with(|world| {
        for &(fd, _) in descriptors {
            // It may be closed meanwhile, and then nobody waits for it.
            let _ = world.universe.unsubscribe(&mut world.env, fd, waiter);
        }
    });
    Ok(())
}

/// An answer as libc gives it: -1 and `errno`, or the value.
pub fn answer(result: Result<usize>) -> isize {
    match result {
        Ok(value) => value as isize,
        Err(errno) => {
            real::set_errno(c_int::from(errno.raw() as i16));
            -1
        }
    }
}

/// As [`answer`], for functions that answer an `int`.
pub fn answer_int(result: Result<c_int>) -> c_int {
    answer(result.map(|value| value as usize)) as c_int
}

/// A time as C has it.
pub fn duration(time: libc::timespec) -> Option<Duration> {
    let nanos = u32::try_from(time.tv_nsec).ok().filter(|&nanos| nanos < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, nanos))
}
