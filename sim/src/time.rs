//! Time, by the clocks of the caller's host.
//!
//! In simulation time passes only when nobody can run, and a little for every poll and call. An hour's
//! sleep costs no more than a second's.

pub use std::time::Duration;

use core::fmt;
use core::ops::{Add, AddAssign, Sub, SubAssign};
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;
use sim_core::backend::ClockId;
use sim_core::rt;

pub use sim_core::rt::Sleep;

/// A reading of the host's monotonic clock. Readings of different hosts do not compare.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The clock now.
    ///
    /// # Panics
    /// Outside a runtime.
    #[must_use]
    pub fn now() -> Self {
        Self(rt::with(|runtime| runtime.monotonic_ns()))
    }

    /// How long it has been since `earlier`; zero if it is later.
    #[must_use]
    pub fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// How long it has been until now.
    ///
    /// # Panics
    /// Outside a runtime.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now().duration_since(self)
    }

    /// So much later; `None` if the clock does not reach that far.
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }

    /// So much earlier; `None` if that was before the clock began.
    #[must_use]
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Self)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({:?})", Duration::from_nanos(self.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.checked_add(duration).expect("the clock reaches 584 years")
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        self.checked_sub(duration).expect("the clock did not begin so early")
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

/// The host's real-time clock, which a fault can step.
#[derive(Clone, Copy, Debug)]
pub struct SystemTime;

impl SystemTime {
    /// The clock now, as std's type, for formatting and arithmetic.
    ///
    /// # Panics
    /// Outside a runtime.
    #[must_use]
    pub fn now() -> std::time::SystemTime {
        let host = rt::with(|runtime| runtime.host());
        let nanos = rt::call(|backend, env| backend.clock_ns(env, host, ClockId::Realtime));
        std::time::UNIX_EPOCH + Duration::from_nanos(nanos)
    }
}

/// Waits for `duration`.
///
/// # Panics
/// Outside a runtime.
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::after(duration)
}

/// Waits until the host's monotonic clock reads `deadline`.
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::until(deadline.0)
}

/// The deadline passed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl core::error::Error for Elapsed {}

impl From<Elapsed> for std::io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(std::io::ErrorKind::TimedOut, elapsed)
    }
}

/// Gives `future` so much time.
///
/// # Panics
/// Outside a runtime.
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    Timeout { future, sleep: Sleep::after(duration) }
}

/// Gives `future` time until `deadline`.
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    Timeout { future, sleep: Sleep::until(deadline.0) }
}

pin_project! {
    /// See [`timeout`].
    #[derive(Debug)]
    #[must_use = "a future does nothing unless it is polled"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        #[pin]
        sleep: Sleep,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // The future first: one that is ready at its deadline has made it.
        match this.future.poll(context) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => this.sleep.poll(context).map(|()| Err(Elapsed(()))),
        }
    }
}

/// What an [`Interval`] does about ticks that nobody was there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MissedTicks {
    /// Gives them at once, one after another.
    #[default]
    Burst,
    /// Begins a new period at the late tick.
    Delay,
    /// Leaves them out and keeps to the original schedule.
    Skip,
}

/// Ticks now and then every `period`.
///
/// # Panics
/// If `period` is zero, or outside a runtime.
#[must_use]
pub fn interval(period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval needs a period above zero");
    Interval { next: sleep_until(Instant::now()), period, missed: MissedTicks::Burst }
}

/// So late a tick is still on time, as in tokio.
const ON_TIME: Duration = Duration::from_millis(5);

/// See [`interval`].
#[derive(Debug)]
pub struct Interval {
    next: Sleep,
    period: Duration,
    missed: MissedTicks,
}

impl Interval {
    /// Sets what is done about missed ticks.
    pub fn set_missed_ticks(&mut self, missed: MissedTicks) {
        self.missed = missed;
    }

    /// Waits for the next tick and gives its instant. Cancelling loses no tick.
    pub async fn tick(&mut self) -> Instant {
        core::future::poll_fn(|context| self.poll_tick(context)).await
    }

    /// As [`Interval::tick`], by hand.
    pub fn poll_tick(&mut self, context: &mut Context<'_>) -> Poll<Instant> {
        if Pin::new(&mut self.next).poll(context).is_pending() {
            return Poll::Pending;
        }
        let tick = Instant(self.next.deadline_ns());
        let now = Instant::now();
        let next = match self.missed {
            // A tick that comes a little late is on time: on a real machine every one is.
            _ if now.duration_since(tick) <= ON_TIME => tick + self.period,
            MissedTicks::Burst => tick + self.period,
            MissedTicks::Delay => now + self.period,
            MissedTicks::Skip => {
                let periods = now.duration_since(tick).as_nanos() / self.period.as_nanos() + 1;
                let skipped = self.period.as_nanos().saturating_mul(periods);
                Instant(tick.0.saturating_add(u64::try_from(skipped).unwrap_or(u64::MAX)))
            }
        };
        self.next.reset(next.0);
        Poll::Ready(tick)
    }
}
