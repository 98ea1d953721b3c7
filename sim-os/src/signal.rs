//! Signals as bytes to read, in the manner of signalfd(2).
//!
//! A handler may do next to nothing, so it writes a byte into a socket of its signal's own; one
//! epoll object over those sockets is the descriptor that is waited for. Reading empties them: a
//! signal that came several times before it was read is read once, as Linux merges pending signals.
//!
//! A signal that was watched once keeps its handler when the last descriptor is closed, and is then
//! ignored: nobody knows what its action ought to be by then, and to end the process is the worse guess.

use crate::errno::Answer;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::net::RecvFlags;
use signal_hook::SigId;
use signal_hook::low_level::{pipe, unregister};
use sim_core::backend::Signal;
use sim_core::{Errno, Result};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// The watched signals of one description.
#[derive(Debug)]
pub(crate) struct Signals(Vec<Watch>);

#[derive(Debug)]
struct Watch {
    signal: Signal,
    pending: UnixStream,
    handler: SigId,
}

impl Drop for Watch {
    fn drop(&mut self) {
        unregister(self.handler);
    }
}

impl Signals {
    /// Watches `signals`; the second part is readable while one of them is pending. `EINVAL` for none.
    pub(crate) fn watch(signals: &[Signal]) -> Result<(Self, OwnedFd)> {
        let mut signals = signals.to_vec();
        signals.sort_unstable();
        signals.dedup();
        if signals.is_empty() {
            return Err(Errno::EINVAL);
        }
        let epoll = epoll::create(CreateFlags::CLOEXEC).answer()?;
        let watches =
            signals.into_iter().map(|signal| Watch::new(signal, &epoll)).collect::<Result<_>>()?;
        Ok((Self(watches), epoll))
    }

    /// Takes the numbers of pending signals, lowest first; `EAGAIN` if there is none.
    pub(crate) fn read(&self, into: &mut [u8], peek: bool) -> Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let mut len = 0;
        for watch in &self.0 {
            if len < into.len() && watch.is_pending() {
                into[len] = watch.signal as u8;
                len += 1;
                if !peek {
                    watch.clear();
                }
            }
        }
        if len > 0 { Ok(len) } else { Err(Errno::EAGAIN) }
    }

    /// How many signals are pending.
    pub(crate) fn pending(&self) -> usize {
        self.0.iter().filter(|watch| watch.is_pending()).count()
    }

    /// Which signals are watched.
    pub(crate) fn signals(&self) -> impl Iterator<Item = Signal> {
        self.0.iter().map(|watch| watch.signal)
    }
}

impl Watch {
    fn new(signal: Signal, epoll: &OwnedFd) -> Result<Self> {
        let (pending, handlers_end) = UnixStream::pair().answer()?;
        pending.set_nonblocking(true).answer()?;
        epoll::add(epoll, &pending, EventData::new_u64(signal as u64), EventFlags::IN).answer()?;
        let handler = pipe::register(i32::from(signal as u8), handlers_end).answer()?;
        Ok(Self { signal, pending, handler })
    }

    fn is_pending(&self) -> bool {
        matches!(rustix::net::recv(&self.pending, &mut [0; 1], RecvFlags::PEEK), Ok((1, _)))
    }

    fn clear(&self) {
        let mut bytes = [0; 64];
        while matches!(
            rustix::net::recv(&self.pending, &mut bytes, RecvFlags::empty()),
            Ok((64, _))
        ) {}
    }
}
