//! Timers to be waited for (timerfd_create(2)).
//!
//! ```text
//!              set                    its time has come
//! disarmed ──────────▶ running ───────────────────────────▶ expired
//!     ▲                 │   ▲                                 │ │
//!     └──── set to 0 ───┘   └──── read or set, periodic ──────┘ └─ read, once ─▶ disarmed
//! ```
//!
//! A periodic timer that nobody reads wakes once: as in Linux, it runs on when it is read, and the reading counts
//! the expirations that would have been. So a timer that is left alone does not keep a world awake.
//!
//! A deadline is a reading of the timer's clock. The instant at which the clock reads so is worked out by whoever
//! owns the clock, and again when the clock is stepped or its drift changes.

use crate::counter::NUMBER_BYTES;
use sim_core::backend::{ClockId, Readiness, TimerSetting};
use sim_core::choice::Path;
use sim_core::{Errno, Result};
use std::time::Duration;

/// A timer.
#[derive(Debug)]
pub(crate) struct Timer {
    /// Its structural name, under which its expirations have the turn.
    pub(crate) path: Path,
    pub(crate) clock: ClockId,
    /// Counts what was planned for it: an expiration of an earlier plan is not one.
    pub(crate) plan: u32,
    /// When it expires next, by its clock in nanoseconds. `None` if it is disarmed.
    due_ns: Option<u64>,
    /// 0 for a timer that expires once.
    interval_ns: u64,
    /// A periodic timer that expired and was not read yet stands still.
    still: bool,
    /// Expirations to be read.
    ticks: u64,
}

/// After [`Timer::expire`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "waiters are to be told, or the timer is to be planned again"]
pub(crate) enum Expired {
    /// Nothing: the expiration is of an earlier plan.
    Stale,
    /// The clock does not read so much yet: plan it again.
    Early,
    /// It has become readable.
    Now,
}

impl Timer {
    pub(crate) const fn new(path: Path, clock: ClockId) -> Self {
        Self { path, clock, plan: 0, due_ns: None, interval_ns: 0, still: false, ticks: 0 }
    }

    /// The reading of its clock at which it is to be looked at; `None` if nothing is to come.
    pub(crate) fn wakes_at_ns(&self) -> Option<u64> {
        self.due_ns.filter(|_| !self.still)
    }

    /// Arms or disarms it, at the reading `now_ns`. What was not read is forgotten.
    pub(crate) fn set(
        &mut self,
        now_ns: u64,
        setting: TimerSetting,
        absolute: bool,
    ) -> TimerSetting {
        let old = self.get(now_ns);
        let value_ns = nanos(setting.value);
        let from_ns = if absolute { 0 } else { now_ns };
        self.due_ns = (value_ns > 0).then(|| from_ns.saturating_add(value_ns));
        self.interval_ns = nanos(setting.interval);
        (self.still, self.ticks) = (false, 0);
        self.plan = self.plan.wrapping_add(1);
        old
    }

    /// What is left at the reading `now_ns`. A periodic timer that stood still runs on.
    pub(crate) fn get(&mut self, now_ns: u64) -> TimerSetting {
        self.run_on(now_ns);
        let left_ns = self.due_ns.map_or(0, |due_ns| due_ns.saturating_sub(now_ns));
        // Zero would say that it is not armed.
        let left_ns = if self.wakes_at_ns().is_some() { left_ns.max(1) } else { 0 };
        TimerSetting {
            value: Duration::from_nanos(left_ns),
            interval: Duration::from_nanos(self.interval_ns),
        }
    }

    /// What was planned as number `plan` has come, and the clock reads `now_ns`.
    pub(crate) fn expire(&mut self, plan: u32, now_ns: u64) -> Expired {
        match self.wakes_at_ns() {
            Some(_) if plan != self.plan => Expired::Stale,
            None => Expired::Stale,
            Some(due_ns) if now_ns < due_ns => Expired::Early,
            Some(_) => {
                self.ticks += 1;
                if self.interval_ns == 0 {
                    self.due_ns = None;
                } else {
                    self.still = true;
                }
                Expired::Now
            }
        }
    }

    /// Takes the number of expirations at the reading `now_ns`. A periodic timer is to be planned again.
    pub(crate) fn take(&mut self, now_ns: u64, into: &mut [u8]) -> Result<usize> {
        let into = into.first_chunk_mut::<NUMBER_BYTES>().ok_or(Errno::EINVAL)?;
        self.run_on(now_ns);
        if self.ticks == 0 {
            return Err(Errno::EAGAIN);
        }
        *into = core::mem::take(&mut self.ticks).to_ne_bytes();
        Ok(NUMBER_BYTES)
    }

    /// A timer that stood still counts what it missed, and is due at the next multiple of its interval.
    fn run_on(&mut self, now_ns: u64) {
        let Some(due_ns) = self.due_ns.filter(|_| self.still) else { return };
        let missed = now_ns.saturating_sub(due_ns) / self.interval_ns;
        self.ticks += missed;
        self.due_ns = Some(due_ns.saturating_add((missed + 1).saturating_mul(self.interval_ns)));
        self.still = false;
        self.plan = self.plan.wrapping_add(1);
    }

    /// `IN` while there are expirations to be read.
    pub(crate) const fn readiness(&self) -> Readiness {
        if self.ticks > 0 { Readiness::IN } else { Readiness::NONE }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer(value: u64, interval: u64) -> Timer {
        let mut timer = Timer::new(Path::WORLD, ClockId::Monotonic);
        let setting = TimerSetting {
            value: Duration::from_nanos(value),
            interval: Duration::from_nanos(interval),
        };
        assert_eq!(timer.set(1000, setting, false), TimerSetting::default());
        timer
    }

    fn take(timer: &mut Timer, now_ns: u64) -> Result<u64> {
        let mut into = [0; 8];
        timer.take(now_ns, &mut into).map(|_| u64::from_ne_bytes(into))
    }

    #[test]
    fn it_expires_once() {
        let mut timer = timer(50, 0);
        assert_eq!(timer.wakes_at_ns(), Some(1050));
        assert_eq!(timer.expire(timer.plan, 1049), Expired::Early);
        assert_eq!(timer.expire(timer.plan + 1, 1050), Expired::Stale);
        assert_eq!(timer.expire(timer.plan, 1050), Expired::Now);
        assert_eq!(timer.expire(timer.plan, 1050), Expired::Stale);
        assert_eq!((take(&mut timer, 2000), take(&mut timer, 2000)), (Ok(1), Err(Errno::EAGAIN)));
        assert_eq!(timer.wakes_at_ns(), None);
    }

    #[test]
    fn a_periodic_one_counts_what_was_missed() {
        let mut timer = timer(50, 10);
        assert_eq!(timer.expire(timer.plan, 1055), Expired::Now);
        assert_eq!(timer.wakes_at_ns(), None, "it stands still until it is read");
        assert_eq!(take(&mut timer, 1083), Ok(4), "1050, 1060, 1070, 1080");
        assert_eq!(timer.wakes_at_ns(), Some(1090));
        assert_eq!(timer.get(1084).value, Duration::from_nanos(6));
        assert_eq!(timer.expire(timer.plan, 1090), Expired::Now);
        assert_eq!(timer.get(1095).value, Duration::from_nanos(5), "asking makes it run on");
        assert_eq!((timer.readiness(), take(&mut timer, 1095)), (Readiness::IN, Ok(1)));
    }

    #[test]
    fn setting_it_forgets_what_was_not_read() {
        let mut timer = timer(50, 0);
        let plan = timer.plan;
        assert_eq!(timer.expire(plan, 1050), Expired::Now);
        let off = TimerSetting::default();
        assert_eq!(timer.set(1060, off, false), off);
        assert_eq!((timer.readiness(), timer.wakes_at_ns()), (Readiness::NONE, None));
        assert_eq!(take(&mut timer, 1060), Err(Errno::EAGAIN));
        let at = TimerSetting { value: Duration::from_nanos(5), interval: Duration::ZERO };
        timer.set(1060, at, true);
        assert_eq!(timer.wakes_at_ns(), Some(5), "an absolute deadline may be in the past");
        assert_eq!(timer.get(1060).value, Duration::from_nanos(1));
    }
}
