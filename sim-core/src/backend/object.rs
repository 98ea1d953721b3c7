//! The words of the descriptors that are neither sockets nor files: eventfd(2), timerfd_create(2), pipe(7).

use std::time::Duration;

/// A timer descriptor's setting (timerfd_settime(2), `struct itimerspec`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TimerSetting {
    /// Until the next expiration; zero is a timer that is not armed. When it is set absolutely, the clock's reading.
    pub value: Duration,
    /// Between later expirations; zero is a timer that expires once.
    pub interval: Duration,
}

/// The most that one write to a pipe takes without being divided (pipe(7), `PIPE_BUF`), in bytes.
pub const PIPE_ATOMIC_BYTES: usize = 4096;
