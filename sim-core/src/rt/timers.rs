//! Timers of the engine: a deadline in true time, and who waits for it.

use super::{Runtime, WaitsFor, WakerSlot, current, foreign};
use crate::backend::{ClockId, Waiter};
use crate::choice::Path;
use crate::enabled::{Member, Runnable};
use core::pin::Pin;
use core::task::{Context, Poll};
use sim_time::{Instant, Key};
use std::time::Duration;

/// An entry of the wheel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    waiter: Waiter,
    path: Path,
    ordinal: u32,
}

impl Runtime {
    /// The due timers join the enabled set, and the next deadline is noted.
    pub(super) fn admit_timers(&mut self) {
        while let Some((_, _, Timer { waiter, path, ordinal })) = self.timers.pop_due(self.env.now)
        {
            self.enabled.insert(Member {
                runnable: Runnable::Timer(waiter),
                path,
                ordinal,
                level: 0,
            });
        }
        self.timers_due = self.timers.next_deadline().unwrap_or(Instant::MAX);
    }

    /// Sets a timer. Its name is its task's, and its ordinal is of what the task has opened.
    fn set_timer(&mut self, deadline: Instant, waiter: Waiter) -> Key {
        let actor = &mut self.env.actor;
        actor.opened += 1;
        let (path, ordinal) = (actor.path, actor.opened);
        self.timers_due = self.timers_due.min(deadline);
        self.timers.insert(deadline, Timer { waiter, path, ordinal })
    }

    /// The monotonic clock of the host that has the turn, in nanoseconds.
    pub fn monotonic_ns(&mut self) -> u64 {
        let host = self.host();
        self.backend.clock_ns(&mut self.env, host, ClockId::Monotonic)
    }

    /// Real time goes on during a turn; virtual time does not.
    fn look_at_the_clock(&mut self) {
        if !self.time_is_virtual {
            let now_ns = self.monotonic_ns();
            self.env.now = self.instant_of(now_ns);
        }
    }

    /// The true instant at which that clock reads `monotonic_ns`.
    fn instant_of(&mut self, monotonic_ns: u64) -> Instant {
        let host = self.host();
        self.backend.instant_of(&mut self.env, host, monotonic_ns)
    }
}

/// Waits until its host's monotonic clock reads a given time.
///
/// Dropping it takes the timer away at once; nothing of it stays behind.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Sleep {
    deadline_ns: u64,
    /// The deadline in true time, known from the first poll on; until then the end of time.
    due: Instant,
    key: Option<Key>,
    slot: WakerSlot,
}

impl Sleep {
    /// Until the host's monotonic clock reads `deadline_ns`.
    pub const fn until(deadline_ns: u64) -> Self {
        Self { deadline_ns, due: Instant::MAX, key: None, slot: WakerSlot::new() }
    }

    /// For `duration` from now on, by the host's monotonic clock.
    ///
    /// # Panics
    /// Outside a runtime.
    pub fn after(duration: Duration) -> Self {
        let now_ns = current::with(Runtime::monotonic_ns);
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self::until(now_ns.saturating_add(duration_ns))
    }

    /// What the host's monotonic clock will read, in nanoseconds.
    #[must_use]
    pub const fn deadline_ns(&self) -> u64 {
        self.deadline_ns
    }

    /// Whether it has elapsed, as far as the last poll knows.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        current::try_with(|runtime| runtime.env.now >= self.due).unwrap_or(false)
    }

    /// Changes the deadline: the next poll waits for the new one.
    pub fn reset(&mut self, deadline_ns: u64) {
        self.cancel();
        self.deadline_ns = deadline_ns;
        self.due = Instant::MAX;
    }

    fn cancel(&mut self) {
        if let Some(key) = self.key.take() {
            current::try_with(|runtime| runtime.timers.remove(key));
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let waiter = foreign::waiter(context, &mut this.slot);
        current::with(|runtime| {
            if this.due == Instant::MAX {
                this.due = runtime.instant_of(this.deadline_ns);
            }
            let due = this.due;
            runtime.look_at_the_clock();
            if runtime.env.now >= due {
                if let Some(key) = this.key.take() {
                    runtime.timers.remove(key);
                }
                return Poll::Ready(());
            }
            match this.key.and_then(|key| runtime.timers.get_mut(key)) {
                Some(timer) => timer.waiter = waiter,
                None => this.key = Some(runtime.set_timer(due, waiter)),
            }
            runtime.note_wait(WaitsFor::Timer(due));
            Poll::Pending
        })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.cancel();
    }
}
