//! The true time of a world: one number that only grows.
//!
//! An [`Instant`] counts nanoseconds from the start of the world. All hosts share it, none of them
//! can read it: what a program on a host sees comes from that host's [`ClockModel`]. Deadlines,
//! traces and the order of events use it alone.
//!
//! It is a plain 64-bit number, which is enough for 584 years. The standard library's `Instant` is
//! refused here because it can only be made by asking the operating system.
//!
//! [`ClockModel`]: crate::ClockModel

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use crate::text::Text;

/// Nanoseconds in a second.
pub(crate) const NANOS_PER_SEC: u64 = 1_000_000_000;

/// A point of true time: nanoseconds since the start of the world, from 0 to `u64::MAX`.
///
/// `Display` and `Debug` show seconds with nine digits. The width of the format is honoured, so a
/// column of them lines up.
///
/// ```
/// use sim_time::Instant;
/// use std::time::Duration;
///
/// let later = Instant::ZERO + Duration::new(12, 350);
/// assert_eq!(later.to_string(), "12.000000350s");
/// assert_eq!(format!("{later:>15}|"), "  12.000000350s|");
/// assert_eq!(later - Instant::from_nanos(350), Duration::from_secs(12));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The start of the world.
    pub const ZERO: Self = Self(0);

    /// The last instant, 584 years after the start. As a deadline it means "never".
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the start of the world.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// How many nanoseconds after the start of the world this is.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The instant `duration` later, or `None` when that lies beyond [`Instant::MAX`].
    ///
    /// ```
    /// use sim_time::Instant;
    /// use std::time::Duration;
    ///
    /// let nearly = Instant::from_nanos(u64::MAX - 1);
    /// assert_eq!(nearly.checked_add(Duration::from_nanos(1)), Some(Instant::MAX));
    /// assert_eq!(nearly.checked_add(Duration::from_nanos(2)), None);
    /// ```
    pub const fn checked_add(self, duration: Duration) -> Option<Self> {
        match add(self.0, duration) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// The instant `duration` later, or [`Instant::MAX`] when that lies beyond it. This is the
    /// addition for timeouts that come from a user, who may mean "for ever" by [`Duration::MAX`].
    pub const fn saturating_add(self, duration: Duration) -> Self {
        match self.checked_add(duration) {
            Some(sum) => sum,
            None => Self::MAX,
        }
    }

    /// The instant `nanos` nanoseconds later, or [`Instant::MAX`] when that lies beyond it.
    pub const fn saturating_add_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    ///
    /// ```
    /// use sim_time::Instant;
    /// use std::time::Duration;
    ///
    /// let (early, late) = (Instant::from_nanos(5), Instant::from_nanos(7));
    /// assert_eq!(late.duration_since(early), Duration::from_nanos(2));
    /// assert_eq!(early.duration_since(late), Duration::ZERO);
    /// ```
    pub const fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// `nanos + duration`, or `None` when it does not fit 64 bits.
pub(crate) const fn add(nanos: u64, duration: Duration) -> Option<u64> {
    let sum = nanos as u128 + duration.as_nanos();
    if sum > u64::MAX as u128 { None } else { Some(sum as u64) }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// The instant `duration` later.
    ///
    /// # Panics
    ///
    /// When that lies beyond [`Instant::MAX`]. Use [`Instant::saturating_add`] where the duration
    /// is not known to be sane.
    #[track_caller]
    fn add(self, duration: Duration) -> Self {
        match self.checked_add(duration) {
            Some(sum) => sum,
            None => panic!(
                "{self} + {duration:?} lies beyond the last instant, {}; \
                 use saturating_add where a duration may mean \"for ever\"",
                Self::MAX
            ),
        }
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// The same as [`Instant::duration_since`]: zero when `earlier` is in fact later.
    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text::pad(f, format_args!("{}.{:09}s", self.0 / NANOS_PER_SEC, self.0 % NANOS_PER_SEC))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_seconds_with_nine_digits() {
        let check = |nanos, expect: &str| {
            assert_eq!(Instant::from_nanos(nanos).to_string(), expect);
            assert_eq!(format!("{:?}", Instant::from_nanos(nanos)), expect);
        };
        check(0, "0.000000000s");
        check(1, "0.000000001s");
        check(999_999_999, "0.999999999s");
        check(12_000_000_350, "12.000000350s");
        check(u64::MAX, "18446744073.709551615s");
    }

    #[test]
    fn width_pads_and_precision_does_not_cut() {
        let at = Instant::from_nanos(1_500_000_000);
        assert_eq!(format!("{at:14}|"), "  1.500000000s|");
        assert_eq!(format!("{at:<14}|"), "1.500000000s  |");
        assert_eq!(format!("{at:.2}"), "1.500000000s");
    }

    #[test]
    fn addition_ends_at_max() {
        let far = Duration::from_nanos(u64::MAX);
        assert_eq!(Instant::ZERO.checked_add(far), Some(Instant::MAX));
        assert_eq!(Instant::from_nanos(1).checked_add(far), None);
        assert_eq!(Instant::from_nanos(1).saturating_add(far), Instant::MAX);
        assert_eq!(Instant::ZERO.checked_add(Duration::MAX), None);
        assert_eq!(Instant::MAX.saturating_add(Duration::MAX), Instant::MAX);
        assert_eq!(Instant::MAX.saturating_add_nanos(1), Instant::MAX);
        assert_eq!(Instant::from_nanos(3).saturating_add_nanos(4), Instant::from_nanos(7));
        assert_eq!(
            Instant::from_nanos(3).saturating_add(Duration::new(1, 4)).as_nanos(),
            1_000_000_007
        );
    }

    #[test]
    #[should_panic(
        expected = "18446744073.709551615s + 1ns lies beyond the last instant, 18446744073.709551615s"
    )]
    fn plus_panics_beyond_max() {
        let _ = Instant::MAX + Duration::from_nanos(1);
    }

    #[test]
    fn subtraction_ends_at_zero() {
        assert_eq!(Instant::ZERO - Instant::MAX, Duration::ZERO);
        assert_eq!(Instant::MAX - Instant::ZERO, Duration::from_nanos(u64::MAX));
        assert_eq!(Instant::default(), Instant::ZERO);
    }
}
