//! One epoll object that waits for every descriptor of the backend, and the bell that other threads ring.
//!
//! A description is registered when somebody first waits for it, and disarmed with each report
//! (`EPOLLONESHOT`). Arming makes the kernel look at the descriptor again, so nothing is lost
//! between a call that answered `EAGAIN` and the subscription that follows it.
//!
//! A key names a description with the generation of its place, so that a report that was under way
//! when the description was closed does not reach its successor.

use crate::errno::Answer;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};
use rustix::io::Errno;
use sim_core::Result;
use sim_core::backend::Readiness;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// At most so many reports are taken in one round; the others stay with the kernel, in their order.
const ROUND: usize = 256;

/// A description: its place in the table and the generation of that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u64);

impl Key {
    /// The key of the bell. No table grows to the place that this would name.
    const BELL: Self = Self(u64::MAX);

    pub(crate) const fn new(place: u32, generation: u32) -> Self {
        Self((generation as u64) << 32 | place as u64)
    }

    pub(crate) const fn place(self) -> usize {
        self.0 as u32 as usize
    }

    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// What a round found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// Somebody rang: look at the completions.
    Bell,
    /// A description is ready and is now disarmed.
    Ready(Key, Readiness),
}

/// Ends a wait of the backend from another thread (or the same one: then the next wait ends at once).
///
/// Several rings before the wait ends count as one. It may outlive the backend; then ringing does nothing.
#[derive(Clone, Debug)]
pub struct OsWaker(Arc<OwnedFd>);

impl OsWaker {
    /// Ends the present wait, or the next one.
    pub fn wake(&self) {
        // The only errors are a full counter, which rings as well, and an interruption, which an eventfd write does not have.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

/// The epoll object, its reports and its bell.
pub(crate) struct Poller {
    epoll: OwnedFd,
    bell: OsWaker,
    events: Vec<epoll::Event>,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let bell = OsWaker(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?));
        epoll::add(&epoll, &bell.0, EventData::new_u64(Key::BELL.0), EventFlags::IN)?;
        Ok(Self { epoll, bell, events: Vec::with_capacity(ROUND) })
    }

    /// A handle that ends a wait.
    pub(crate) fn bell(&self) -> OsWaker {
        self.bell.clone()
    }

    /// Asks for one report of `wanted`. `EPERM` for what cannot be waited for, such as a regular file.
    pub(crate) fn arm(
        &self,
        key: Key,
        fd: BorrowedFd<'_>,
        wanted: Readiness,
        registered: bool,
    ) -> Result<()> {
        let (data, flags) = (EventData::new_u64(key.0), flags(wanted) | EventFlags::ONESHOT);
        if registered {
            epoll::modify(&self.epoll, fd, data, flags).answer()
        } else {
            epoll::add(&self.epoll, fd, data, flags).answer()
        }
    }

    /// Forgets a descriptor that is about to be closed. It was registered, so this cannot fail.
    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) {
        epoll::delete(&self.epoll, fd)
            .expect("a registered descriptor is known to the epoll object");
    }

    /// Waits for reports, at most for `limit`. It may end early by less than a millisecond, and on a signal; the caller looks at its clock.
    pub(crate) fn wait(&mut self, limit: Option<Duration>) {
        self.events.clear();
        let limit = limit.map(|limit| self.refine(limit));
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("an open epoll object can be waited for, but: {error}"),
        }
    }

    /// The time to hand to epoll_wait(2), which counts whole milliseconds. The last fraction of one is spent in ppoll(2), which
    /// counts nanoseconds, so that a timer is not late by up to a millisecond. (epoll_pwait2(2) would do both, but not on a
    /// kernel before 5.11 nor under older container runtimes.)
    fn refine(&self, limit: Duration) -> Timespec {
        const LONGEST: Duration = Duration::from_secs(86_400);
        let whole = limit.min(LONGEST).as_millis() as i64;
        if whole == 0 && !limit.is_zero() {
            let exact = Timespec { tv_sec: 0, tv_nsec: limit.subsec_nanos().into() };
            // Interrupted or not: what is ready is found out by the call that follows.
            let _ =
                rustix::event::poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], Some(&exact));
        }
        Timespec { tv_sec: whole / 1000, tv_nsec: whole % 1000 * 1_000_000 }
    }

    /// How many reports the last round found.
    pub(crate) fn found(&self) -> usize {
        self.events.len()
    }

    /// The `index`-th report of the last round.
    pub(crate) fn report(&self, index: usize) -> Report {
        let event = self.events[index];
        let key = Key(event.data.u64());
        if key == Key::BELL {
            self.silence();
            return Report::Bell;
        }
        let flags = event.flags;
        Report::Ready(key, Readiness::from_bits(flags.bits()))
    }

    /// Takes the rings, before what they announce is looked at: a ring in between is kept for the next round.
    fn silence(&self) {
        let mut count = [0; 8];
        // Nothing else reads it, so the only possible error is that of an empty counter.
        let _ = rustix::io::read(&self.bell.0, &mut count);
    }
}

/// The bits of the contract have the kernel's values.
pub(crate) fn flags(readiness: Readiness) -> EventFlags {
    EventFlags::from_bits_retain(readiness.bits())
}

/// What one descriptor is ready for now (poll(2) without waiting).
pub(crate) fn readiness(fd: BorrowedFd<'_>) -> Result<Readiness> {
    let asked = PollFlags::from_bits_retain(Readiness::ALL.bits() as u16);
    let mut polled = [PollFd::from_borrowed_fd(fd, asked)];
    rustix::event::poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).answer()?;
    Ok(Readiness::from_bits(polled[0].revents().bits().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_of_the_contract_are_the_kernels() {
        for (bit, epoll, poll) in [
            (Readiness::IN, EventFlags::IN, PollFlags::IN),
            (Readiness::PRI, EventFlags::PRI, PollFlags::PRI),
            (Readiness::OUT, EventFlags::OUT, PollFlags::OUT),
            (Readiness::ERR, EventFlags::ERR, PollFlags::ERR),
            (Readiness::HUP, EventFlags::HUP, PollFlags::HUP),
            (Readiness::RDHUP, EventFlags::RDHUP, PollFlags::RDHUP),
        ] {
            assert_eq!(flags(bit), epoll);
            assert_eq!(Readiness::from_bits(epoll.bits()), bit);
            assert_eq!(bit.bits(), u32::from(poll.bits()));
        }
    }

    #[test]
    fn a_ring_before_the_wait_ends_it() {
        let mut poller = Poller::new().unwrap();
        poller.bell().wake();
        poller.bell().wake();
        poller.wait(None);
        assert_eq!((poller.found(), poller.report(0)), (1, Report::Bell));
        poller.wait(Some(Duration::ZERO));
        assert_eq!(poller.found(), 0, "two rings before the wait are one");
    }

    #[test]
    fn a_wait_is_exact_below_a_millisecond() {
        let mut poller = Poller::new().unwrap();
        let shortest = (0..20)
            .map(|_| {
                let start = std::time::Instant::now();
                poller.wait(Some(Duration::from_micros(200)));
                start.elapsed()
            })
            .min();
        let shortest = shortest.unwrap();
        assert!(
            (Duration::from_micros(200)..Duration::from_millis(1)).contains(&shortest),
            "{shortest:?}"
        );
    }
}
