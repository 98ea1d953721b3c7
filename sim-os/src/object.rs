//! What is neither socket nor file (eventfd(2), timerfd_create(2)), and reading and writing whatever it is.
//!
//! All of it is the kernel's own. A monotonic clock of this backend starts with it, so an absolute deadline on that
//! clock is handed to the kernel as the time that is left.

use crate::errno::Answer;
use crate::table::{Description, Kind};
use rustix::event::{EventfdFlags, eventfd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_gettime, timerfd_settime,
};
use sim_core::backend::{ClockId, RecvFlags, TimerSetting};
use sim_core::{Env, Errno, HostId, Result};
use std::time::Duration;

impl Description {
    /// Reads (read(2)).
    pub(crate) fn read(&self, into: &mut [u8]) -> Result<usize> {
        match &self.kind {
            Kind::Socket(_) => self.recv(into, RecvFlags::default()),
            Kind::Signals(signals) => signals.read(into, false),
            Kind::File(_) | Kind::Epoll => Err(Errno::EINVAL),
            Kind::Counter | Kind::Timer(_) | Kind::Pipe | Kind::Received => {
                rustix::io::read(self.fd(), into).answer()
            }
        }
    }

    /// Writes (write(2)).
    pub(crate) fn write(&self, data: &[u8]) -> Result<usize> {
        match &self.kind {
            Kind::Socket(_) => self.send(data),
            Kind::File(_) | Kind::Epoll | Kind::Signals(_) => Err(Errno::EINVAL),
            Kind::Counter | Kind::Timer(_) | Kind::Pipe | Kind::Received => {
                rustix::io::write(self.fd(), data).answer()
            }
        }
    }
}

/// Makes a counter.
pub(crate) fn counter(host: HostId, initial: u32, semaphore: bool) -> Result<Description> {
    let mut flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    flags.set(EventfdFlags::SEMAPHORE, semaphore);
    Ok(Description::new(eventfd(initial, flags).answer()?, Kind::Counter, host))
}

/// Makes a pipe. The runtime of Rust ignores `SIGPIPE`, so writing to one without a reader is an error and no more.
pub(crate) fn pipe(host: HostId) -> Result<(Description, Description)> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).answer()?;
    let end = |file| Description::new(file, Kind::Pipe, host);
    Ok((end(reader), end(writer)))
}

/// What has not been sent: `SIOCOUTQ` is not to be had through safe code.
pub(crate) fn unsent_bytes(env: &mut Env) -> Errno {
    env.trace.notice("SIOCOUTQ cannot be asked for on the real backend and answers EOPNOTSUPP");
    Errno::EOPNOTSUPP
}

/// Makes a timer.
pub(crate) fn timer(host: HostId, clock: ClockId) -> Result<Description> {
    let kernels = match clock {
        ClockId::Monotonic => TimerfdClockId::Monotonic,
        ClockId::Realtime => TimerfdClockId::Realtime,
    };
    let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
    Ok(Description::new(timerfd_create(kernels, flags).answer()?, Kind::Timer(clock), host))
}

/// Arms or disarms a timer; the monotonic clock reads `elapsed_ns`.
pub(crate) fn set_timer(
    timer: &Description,
    setting: TimerSetting,
    absolute: bool,
    elapsed_ns: u64,
) -> Result<TimerSetting> {
    let mut flags = TimerfdTimerFlags::empty();
    let mut value = setting.value;
    if absolute && !value.is_zero() {
        match timer.kind {
            Kind::Timer(ClockId::Monotonic) => {
                let left = value.saturating_sub(Duration::from_nanos(elapsed_ns));
                value = left.max(Duration::from_nanos(1));
            }
            _ => flags = TimerfdTimerFlags::ABSTIME,
        }
    }
    let new = Itimerspec { it_interval: spec(setting.interval)?, it_value: spec(value)? };
    timerfd_settime(timer.fd(), flags, &new).answer().map(told)
}

/// What is left until a timer expires.
pub(crate) fn timer_left(timer: &Description) -> Result<TimerSetting> {
    timerfd_gettime(timer.fd()).answer().map(told)
}

fn spec(duration: Duration) -> Result<Timespec> {
    Timespec::try_from(duration).map_err(|_| Errno::EINVAL)
}

fn told(setting: Itimerspec) -> TimerSetting {
    let duration = |spec: Timespec| Duration::try_from(spec).unwrap_or_default();
    TimerSetting { value: duration(setting.it_value), interval: duration(setting.it_interval) }
}
