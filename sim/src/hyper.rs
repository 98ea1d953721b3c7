//! What hyper asks of a runtime: an executor and a timer. Its streams are [`net::TcpStream`](crate::net::TcpStream) itself.

use crate::time::{self, Sleep};
use core::pin::Pin;
use core::task::{Context, Poll};
use hyper::rt::{Executor, Timer};
use std::time::Duration;

/// Spawns hyper's tasks, detached.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimExecutor;

impl<F> Executor<F> for SimExecutor
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        crate::spawn(future).detach();
    }
}

/// Times by the host's monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimTimer;

impl Timer for SimTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(HyperSleep(time::sleep(duration)))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(HyperSleep(time::sleep(deadline.saturating_duration_since(self.now()))))
    }

    fn now(&self) -> std::time::Instant {
        virtual_now()
    }
}

/// hyper speaks of std's instants, which only the real clock makes. One of them, taken once, is the
/// origin; what is added to it is the host's clock, so differences are virtual time.
#[expect(
    clippy::disallowed_methods,
    reason = "the origin cancels out of every difference, so it decides nothing"
)]
fn virtual_now() -> std::time::Instant {
    static ORIGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let origin = *ORIGIN.get_or_init(std::time::Instant::now);
    origin + Duration::from_nanos(sim_core::rt::with(|runtime| runtime.monotonic_ns()))
}

/// hyper asks its sleeps to be shared between threads, which a number is.
#[derive(Debug)]
struct HyperSleep(Sleep);

impl Future for HyperSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl hyper::rt::Sleep for HyperSleep {}
