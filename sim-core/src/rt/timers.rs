//! Timers of the engine: a deadline in true time, and who waits for it.

use super::sync::give_up;
use super::{FUTURE_LINES, Runtime, WaitsFor, WakerSlot, current, foreign, waker};
use crate::backend::{ClockId, Waiter};
use crate::choice::Path;
use crate::enabled::{Member, Runnable};
use crate::id::TaskId;
use crate::object::{Object, ObjectKind};
use crate::prefetch::prefetch;
use core::num::NonZeroU32;
use core::pin::Pin;
use core::task::{Context, Poll};
use sim_time::{Instant, Key};
use std::time::Duration;

/// Fewer sleepers than this lie in the cache of a core anyway, and asking for their memory would be in vain.
const CROWD: usize = 4096;

/// An entry of the wheel: twelve bytes, with which a place of the wheel is half a line of the cache.
///
/// Nearly every timer is waited for by the task that set it, and its name is that task's, which the cell
/// has. Any other is kept in [`OddTimers`] under its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    /// The task's number, in halves because a word of eight bytes would be padded; or a number of an odd timer.
    waiter: [u32; 2],
    /// Which of its task's this is, from 1 on; times two, odd if the timer is an odd one.
    ordinal: NonZeroU32,
}

const _: () = assert!(size_of::<Option<Timer>>() == 12, "a place of the wheel is 32 bytes");

/// Who waits for a timer, and whose it is.
#[derive(Clone, Copy, Debug)]
struct Odd {
    waiter: Waiter,
    path: Path,
}

/// Timers that are not waited for by the task that set them.
#[derive(Debug, Default)]
pub(super) struct OddTimers {
    timers: Vec<Odd>,
    free: Vec<u32>,
}

impl OddTimers {
    fn keep(&mut self, odd: Odd) -> u32 {
        match self.free.pop() {
            Some(at) => {
                self.timers[at as usize] = odd;
                at
            }
            None => {
                self.timers.push(odd);
                self.timers.len() as u32 - 1
            }
        }
    }

    fn take(&mut self, at: u32) -> Odd {
        self.free.push(at);
        self.timers[at as usize]
    }
}

impl Timer {
    fn is_odd(self) -> bool {
        self.ordinal.get() & 1 == 1
    }

    fn task(self) -> TaskId {
        TaskId::from_bits(u64::from(self.waiter[1]) << 32 | u64::from(self.waiter[0]))
    }
}

impl Runtime {
    /// The due timers join the enabled set, and the next deadline is noted.
    pub(super) fn admit_timers(&mut self) {
        while let Some((_, _, timer)) = self.timers.pop_due(self.env.now) {
            let ordinal = timer.ordinal.get() >> 1;
            let Odd { waiter, path } = self.whose(timer);
            let runnable = Runnable::Timer(waiter);
            self.enabled.insert(Member::new(runnable, path, ordinal));
        }
        self.timers_due = self.timers.next_deadline().unwrap_or(Instant::MAX);
        if self.timers.len() >= CROWD {
            self.get_ready();
        }
    }

    /// Asks for the memory of the tasks that will be woken next: for the future of the first, whose cell was asked for a turn
    /// ago, and for the cell of the second.
    #[inline]
    fn get_ready(&mut self) {
        let [first, second] = self.timers.soon();
        if let Some(timer) = first.filter(|timer| !timer.is_odd())
            && let Some(cell) = self.tasks.get_mut(timer.task())
            && let Some(task) = &cell.task
        {
            prefetch(&**task, FUTURE_LINES);
        }
        if let Some(timer) = second.filter(|timer| !timer.is_odd())
            && let Some(cell) = self.tasks.place(timer.task())
        {
            prefetch(cell, 1);
        }
    }

    /// Who waits for a timer that has left the wheel, and whose it is.
    #[inline]
    fn whose(&mut self, timer: Timer) -> Odd {
        if timer.is_odd() {
            return self.odd_timers.take(timer.waiter[0]);
        }
        let task = timer.task();
        // A sleep that outlives its task, in the hands of another that has not polled it yet, is the world's.
        let path = self.tasks.get_mut(task).map_or(Path::WORLD, |cell| cell.actor.path);
        Odd { waiter: Waiter::Task(task), path }
    }

    /// Sets a timer. Its name is its task's, and its ordinal is of what the task has opened.
    #[inline]
    fn set_timer(&mut self, deadline: Instant, waiter: Waiter) -> Key {
        let actor = &mut self.env.actor;
        actor.opened += 1;
        let (number, path) = (actor.opened, actor.path);
        let (waiter, odd) = match waiter {
            Waiter::Task(task) if self.current == Some(task) => {
                ([task.to_bits() as u32, (task.to_bits() >> 32) as u32], 0)
            }
            waiter => ([self.odd_timers.keep(Odd { waiter, path }), 0], 1),
        };
        let ordinal =
            NonZeroU32::new(number << 1 | odd).expect("a task has fewer than 2^31 timers");
        self.timers_due = self.timers_due.min(deadline);
        self.timers.insert(deadline, Timer { waiter, ordinal })
    }

    /// Whether a timer that is set is waited for by `waiter`.
    fn is_set_for(&self, key: Key, waiter: Waiter) -> bool {
        let Some(timer) = self.timers.get(key) else { return false };
        match timer.is_odd() {
            true => self.odd_timers.timers[timer.waiter[0] as usize].waiter == waiter,
            false => Waiter::Task(timer.task()) == waiter,
        }
    }

    /// Takes a timer away, if it is still set.
    fn unset_timer(&mut self, key: Key) {
        if let Some(timer) = self.timers.remove(key)
            && timer.is_odd()
        {
            self.odd_timers.take(timer.waiter[0]);
        }
    }

    /// Whether a sleep is over; if not, its timer is set for `waiter`. `None` if it is over and its task gives way to others
    /// first. Inlined by force into its two callers: nothing that a waiting task does is more frequent.
    #[inline(always)]
    fn poll_sleep(&mut self, sleep: &mut Sleep, waiter: Waiter) -> Option<Poll<()>> {
        if sleep.due == Instant::MAX {
            sleep.due = self.instant_of(sleep.deadline_ns);
        }
        let due = sleep.due;
        self.look_at_the_clock();
        if self.env.now >= due {
            match sleep.key.take() {
                Some(key) => self.unset_timer(key),
                None if self.goes_by(sleep.deadline_ns) => return None,
                None => {}
            }
            return Some(Poll::Ready(()));
        }
        if !sleep.key.is_some_and(|key| self.is_set_for(key, waiter)) {
            // Another task has it now, if any had it before: it is that one's from now on.
            if let Some(key) = sleep.key.replace(self.set_timer(due, waiter)) {
                self.unset_timer(key);
            }
        }
        self.note_wait(WaitsFor::Timer(due));
        Some(Poll::Pending)
    }

    /// The monotonic clock of the host that has the turn, in nanoseconds.
    pub fn monotonic_ns(&mut self) -> u64 {
        let host = self.host();
        self.backend.clock_ns(&mut self.env, host, ClockId::Monotonic)
    }

    /// Whether the running task is interrupted where it asks for a time that has come already: it need not wait, but a thread might.
    fn goes_by(&mut self, deadline_ns: u64) -> bool {
        self.config.sync_points && {
            let timer = Object::new(ObjectKind::Timer, self.env.actor.path, deadline_ns);
            self.yields(timer)
        }
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

    /// A poll by a combinator, with a waker of its own.
    #[inline(never)]
    fn poll_within(&mut self, context: &Context<'_>) -> Option<Poll<()>> {
        let waiter = foreign::waiter(context, &mut self.slot);
        current::with(|runtime| runtime.poll_sleep(self, waiter))
    }

    fn cancel(&mut self) {
        if let Some(key) = self.key.take() {
            current::try_with(|runtime| runtime.unset_timer(key));
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let polled = match waker::task_of(context.waker()) {
            Some(task) => current::with(|runtime| runtime.poll_sleep(this, Waiter::Task(task))),
            None => this.poll_within(context),
        };
        polled.unwrap_or_else(|| give_up(context))
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.cancel();
    }
}
