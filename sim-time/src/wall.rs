//! Calendar time, as `CLOCK_REALTIME` shows it.
//!
//! A [`WallTime`] is an answer given to a program, never an input to the order of events: the same
//! wall time comes twice when a clock is set back. It is therefore a type of its own, and cannot be
//! compared with or subtracted from an [`Instant`].
//!
//! Leap seconds do not exist here, as they do not in POSIX time: every day has 86,400 seconds.
//!
//! [`Instant`]: crate::Instant

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use crate::instant::{self, NANOS_PER_SEC};
use crate::text::Text;

/// A calendar time in UTC: nanoseconds since 1970-01-01T00:00:00Z, from 0 to `u64::MAX`, which is
/// in the year 2554.
///
/// `Display` and `Debug` show the form of RFC 3339, section 5.6, always with nine digits after the
/// second and always in UTC, so that texts sort as the times do.
///
/// ```
/// use sim_time::WallTime;
/// use std::time::Duration;
///
/// let new_year = WallTime::from_nanos(1_767_225_600_000_000_000);
/// assert_eq!(new_year.to_string(), "2026-01-01T00:00:00.000000000Z");
/// let next_day = new_year + Duration::from_secs(86_400);
/// assert_eq!(next_day.to_string(), "2026-01-02T00:00:00.000000000Z");
/// assert_eq!(next_day - new_year, Duration::from_secs(86_400));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(u64);

impl WallTime {
    /// 1970-01-01T00:00:00Z, the earliest time there is.
    pub const UNIX_EPOCH: Self = Self(0);

    /// 2554-07-21T23:34:33.709551615Z, the latest time there is.
    pub const MAX: Self = Self(u64::MAX);

    /// The time `nanos` nanoseconds after the Unix epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// How many nanoseconds after the Unix epoch this is.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time `duration` later, or `None` when that lies beyond [`WallTime::MAX`].
    pub const fn checked_add(self, duration: Duration) -> Option<Self> {
        match instant::add(self.0, duration) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// The time `duration` later, or [`WallTime::MAX`] when that lies beyond it.
    pub const fn saturating_add(self, duration: Duration) -> Self {
        match self.checked_add(duration) {
            Some(sum) => sum,
            None => Self::MAX,
        }
    }

    /// The time `nanos` nanoseconds later, or [`WallTime::MAX`] when that lies beyond it.
    pub const fn saturating_add_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// How long after `earlier` this is; zero when it is not after it, which for wall times is an
    /// ordinary case: somebody set the clock back in between.
    pub const fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for WallTime {
    type Output = Self;

    /// The time `duration` later.
    ///
    /// # Panics
    ///
    /// When that lies beyond [`WallTime::MAX`]. Use [`WallTime::saturating_add`] where the duration
    /// is not known to be sane.
    #[track_caller]
    fn add(self, duration: Duration) -> Self {
        match self.checked_add(duration) {
            Some(sum) => sum,
            None => panic!(
                "{self} + {duration:?} lies beyond the last wall time, {}; \
                 use saturating_add where a duration may mean \"for ever\"",
                Self::MAX
            ),
        }
    }
}

impl Sub for WallTime {
    type Output = Duration;

    /// The same as [`WallTime::duration_since`]: zero when `earlier` is in fact later.
    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0 / NANOS_PER_SEC, self.0 % NANOS_PER_SEC);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_date(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        Text::pad(
            f,
            format_args!(
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z"
            ),
        )
    }
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The year, month (1..=12) and day (1..=31) in the Gregorian calendar, `days` after 1970-01-01.
///
/// Years are counted from the first of March, so that the leap day is the last of its year and the
/// months before it always begin on the same day: from March on their lengths are 31, 30, 31, 30,
/// 31 and the same again, which a line of slope 153/5 passes through.
fn civil_date(days: u64) -> (u64, u64, u64) {
    const DAYS_IN_4_YEARS: u64 = 4 * 365 + 1;
    const DAYS_IN_100_YEARS: u64 = 25 * DAYS_IN_4_YEARS - 1;
    const DAYS_IN_400_YEARS: u64 = 4 * DAYS_IN_100_YEARS + 1;
    // From the first of March of the year 1600, the last common start of all three cycles.
    const DAYS_FROM_1600_TO_1970: u64 = 135_080;

    let days = days + DAYS_FROM_1600_TO_1970;
    let (cycles_400, days) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    // The last century of four and the last year of four are a day longer than the others, and
    // that day must not open a fifth one.
    let cycles_100 = (days / DAYS_IN_100_YEARS).min(3);
    let days = days - cycles_100 * DAYS_IN_100_YEARS;
    let (cycles_4, days) = (days / DAYS_IN_4_YEARS, days % DAYS_IN_4_YEARS);
    let years = (days / 365).min(3);
    let day_of_year = days - years * 365;

    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let march_year = 1600 + 400 * cycles_400 + 100 * cycles_100 + 4 * cycles_4 + years;
    if months_from_march < 10 {
        (march_year, months_from_march + 3, day)
    } else {
        (march_year + 1, months_from_march - 9, day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_leap(year: u64) -> bool {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    }

    fn days_in_month(year: u64, month: u64) -> u64 {
        match month {
            2 => 28 + u64::from(is_leap(year)),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    #[test]
    fn every_day_of_the_range_follows_the_day_before() {
        let last_day = u64::MAX / NANOS_PER_SEC / 86_400;
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..=last_day {
            assert_eq!(civil_date(days), (year, month, day), "{days} days after the epoch");
            day += 1;
            if day > days_in_month(year, month) {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!((year, month, day), (2554, 7, 22));
    }

    #[test]
    fn text_is_rfc_3339() {
        let check = |nanos, expect: &str| {
            assert_eq!(WallTime::from_nanos(nanos).to_string(), expect);
            assert_eq!(format!("{:?}", WallTime::from_nanos(nanos)), expect);
        };
        check(0, "1970-01-01T00:00:00.000000000Z");
        check(951_782_399_999_999_999, "2000-02-28T23:59:59.999999999Z");
        check(951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z");
        check(1_234_567_890_123_456_789, "2009-02-13T23:31:30.123456789Z");
        check(1_767_225_600_000_000_000, "2026-01-01T00:00:00.000000000Z");
        check(2_147_483_648_000_000_000, "2038-01-19T03:14:08.000000000Z");
        check(4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z");
        check(u64::MAX, "2554-07-21T23:34:33.709551615Z");
        assert_eq!(format!("{:>31}", WallTime::UNIX_EPOCH), " 1970-01-01T00:00:00.000000000Z");
    }

    #[test]
    fn arithmetic_stays_in_range() {
        let second = Duration::from_secs(1);
        assert_eq!(WallTime::MAX.checked_add(Duration::from_nanos(1)), None);
        assert_eq!(WallTime::MAX.saturating_add(second), WallTime::MAX);
        assert_eq!(WallTime::MAX.saturating_add_nanos(1), WallTime::MAX);
        assert_eq!((WallTime::UNIX_EPOCH + second).as_nanos(), NANOS_PER_SEC);
        assert_eq!(WallTime::UNIX_EPOCH.saturating_add(second).as_nanos(), NANOS_PER_SEC);
        assert_eq!(WallTime::UNIX_EPOCH - WallTime::MAX, Duration::ZERO);
        assert_eq!(WallTime::default(), WallTime::UNIX_EPOCH);
    }

    #[test]
    #[should_panic(expected = "lies beyond the last wall time, 2554-07-21T23:34:33.709551615Z")]
    fn plus_panics_beyond_max() {
        let _ = WallTime::MAX + Duration::from_nanos(1);
    }
}
