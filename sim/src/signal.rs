//! Signals as events (signal(7)).

pub use sim_core::backend::Signal;

use core::task::{Context, Poll};
use sim_core::Fd;
use sim_core::backend::{Readiness, RecvFlags};
use sim_core::rt::{self, WakerSlot};
use std::io;

/// The stream of the signals that the caller's process takes. Signals that come while one is pending merge.
#[derive(Debug)]
pub struct Signals {
    fd: Fd,
    slot: WakerSlot,
}

impl Signals {
    /// Takes `signals` from now on.
    ///
    /// # Errors
    /// If the kernel refuses a descriptor.
    ///
    /// # Panics
    /// Outside a runtime.
    pub fn new(signals: &[Signal]) -> io::Result<Self> {
        let host = rt::with(|runtime| runtime.host());
        let fd = rt::call(|backend, env| backend.signals(env, host, signals))?;
        Ok(Self { fd, slot: WakerSlot::new() })
    }

    /// The next signal.
    ///
    /// # Errors
    /// If the descriptor fails.
    pub async fn recv(&mut self) -> io::Result<Signal> {
        core::future::poll_fn(|context| self.poll_recv(context)).await
    }

    /// As [`Signals::recv`], by hand.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Signal>> {
        let (fd, mut byte) = (self.fd, [0_u8]);
        let read = rt::poll_call(context, &mut self.slot, fd, Readiness::IN, |backend, env| {
            backend.recv(env, fd, &mut byte, RecvFlags::default())
        });
        read.map(|read| {
            read?;
            match byte[0] {
                2 => Ok(Signal::Interrupt),
                15 => Ok(Signal::Terminate),
                other => Err(io::Error::other(format!("signal {other} was not asked for"))),
            }
        })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        rt::try_call(|backend, env| backend.close(env, self.fd).unwrap_or_default());
    }
}
