//! The wait queue of one open description: who waits for what.
//!
//! A waiter is in it once. It leaves at the first event that it waits for, or when it is taken out.
//! The kernel below is asked for the union of all interests, once for each time somebody is
//! released: `armed` is what it has been asked for and has not yet reported. It may be armed for
//! more than anybody still waits for, which costs an event that releases nobody; never for less.

use crate::poller::{Key, Poller};
use sim_core::Result;
use sim_core::backend::{Readiness, Waiter};
use std::os::fd::BorrowedFd;

/// Reported whether asked for or not (epoll_ctl(2)).
const ALWAYS: Readiness = Readiness::from_bits(Readiness::ERR.bits() | Readiness::HUP.bits());

/// The waiters of one open description.
#[derive(Debug, Default)]
pub(crate) struct WaitQueue {
    waiters: Vec<(Waiter, Readiness)>,
    /// Whether the poller knows the description.
    registered: bool,
    armed: Readiness,
}

impl WaitQueue {
    /// Enters `waiter`, or adds `interest` to what it waits for already, and arms the poller.
    pub(crate) fn enter(
        &mut self,
        poller: &Poller,
        (key, fd): (Key, BorrowedFd<'_>),
        waiter: Waiter,
        interest: Readiness,
    ) -> Result<()> {
        self.arm(poller, (key, fd), self.wanted() | interest | ALWAYS)?;
        match self.waiters.iter_mut().find(|(other, _)| *other == waiter) {
            Some((_, present)) => *present |= interest,
            None => self.waiters.push((waiter, interest)),
        }
        Ok(())
    }

    /// Takes `waiter` out. The poller stays armed: to disarm it costs a system call, a needless event hardly ever comes.
    pub(crate) fn leave(&mut self, waiter: Waiter) {
        self.waiters.retain(|(other, _)| *other != waiter);
    }

    /// The poller reported `ready`: releases whom that concerns and arms it again for the others.
    pub(crate) fn report(
        &mut self,
        poller: &Poller,
        (key, fd): (Key, BorrowedFd<'_>),
        ready: Readiness,
        woken: &mut Vec<Waiter>,
    ) {
        self.armed = Readiness::NONE;
        self.waiters.retain(|&(waiter, interest)| {
            let released = ready.intersects(interest | ALWAYS);
            if released {
                woken.push(waiter);
            }
            !released
        });
        if self.waiters.is_empty() {
            return;
        }
        if self.arm(poller, (key, fd), self.wanted() | ALWAYS).is_err() {
            // Never left out: who cannot wait any longer looks for itself.
            self.release_all(woken);
        }
    }

    /// The description goes: everybody looks for itself, and finds a bad descriptor.
    pub(crate) fn end(&mut self, poller: &Poller, fd: BorrowedFd<'_>, woken: &mut Vec<Waiter>) {
        if self.registered {
            poller.remove(fd);
        }
        self.release_all(woken);
    }

    fn release_all(&mut self, woken: &mut Vec<Waiter>) {
        woken.extend(self.waiters.drain(..).map(|(waiter, _)| waiter));
    }

    fn wanted(&self) -> Readiness {
        self.waiters.iter().fold(Readiness::NONE, |all, &(_, interest)| all | interest)
    }

    fn arm(
        &mut self,
        poller: &Poller,
        (key, fd): (Key, BorrowedFd<'_>),
        wanted: Readiness,
    ) -> Result<()> {
        if self.armed.contains(wanted) {
            return Ok(());
        }
        poller.arm(key, fd, self.armed | wanted, self.registered)?;
        self.registered = true;
        self.armed |= wanted;
        Ok(())
    }
}
