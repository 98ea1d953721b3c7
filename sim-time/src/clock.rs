//! How the clocks of one host tell the time.
//!
//! A host has a crystal that runs too fast or too slow, and an administrator or an NTP daemon who
//! sets the clock. A [`ClockModel`] is both: a function from true time, an [`Instant`], to what
//! `clock_gettime` answers on that host.
//!
//! - *Monotonic* (`CLOCK_MONOTONIC`) counts from an offset of its own, such as the time since boot,
//!   at a rate that drift changes. It never goes back and is never stepped.
//! - *Realtime* (`CLOCK_REALTIME`) is monotonic plus a difference, and a step changes the
//!   difference. So a drift bends both alike, and a step is seen by realtime alone. That is how
//!   Linux keeps time: see clock_gettime(2), and adjtimex(2) for the rate.
//!
//! # Exactness
//!
//! A rate is a whole number of nanoseconds per true second, and the fraction of a nanosecond that a
//! change of rate cuts off is kept. However often the drift changes, a clock reads exactly the sum
//! of its rates times their durations, rounded down once. No floating point is involved, so the
//! answer is the same on every machine.
//!
//! # What may never happen
//!
//! - A reading of the monotonic clock is never below an earlier one.
//! - A change of drift never makes a reading jump, not by a nanosecond.
//! - The model keeps no history. Questions about times before the last change of drift are answered
//!   as of that change.

use crate::instant::{Instant, NANOS_PER_SEC};
use crate::wall::WallTime;

/// The clocks of one host as functions of true time.
///
/// ```
/// use sim_time::{ClockModel, Instant, WallTime};
///
/// // Up for a minute at the start of the world, which is the start of the year 2026.
/// let new_year = WallTime::from_nanos(1_767_225_600_000_000_000);
/// let mut clock = ClockModel::new(Instant::ZERO, 60_000_000_000, new_year);
///
/// // A crystal 100 ppm too slow loses 8.64 seconds a day.
/// clock.set_drift(Instant::ZERO, -100_000);
/// let next_day = Instant::from_nanos(86_400_000_000_000);
/// assert_eq!(clock.monotonic_ns(next_day), 60_000_000_000 + 86_391_360_000_000);
/// assert_eq!(clock.realtime(next_day).to_string(), "2026-01-01T23:59:51.360000000Z");
///
/// // NTP puts the calendar right; the monotonic clock does not notice.
/// clock.step_realtime(next_day, 8_640_000_000);
/// assert_eq!(clock.realtime(next_day).to_string(), "2026-01-02T00:00:00.000000000Z");
/// assert_eq!(clock.monotonic_ns(next_day), 60_000_000_000 + 86_391_360_000_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockModel {
    /// The true instant of the last change of drift, or of the clock's start.
    anchor: Instant,
    /// What the monotonic clock read at the anchor.
    anchor_ns: u64,
    /// The fraction of a nanosecond it had advanced beyond that, in 1/1,000,000,000 ns.
    anchor_residue: u64,
    /// How far it advances in a true second, in nanoseconds: 10⁹ plus the drift. Never 0.
    rate_ns: u64,
    /// Realtime minus monotonic, in nanoseconds. Wider than either, so that steps beyond the range
    /// of a [`WallTime`] can be taken back.
    realtime_offset_ns: i128,
}

impl ClockModel {
    /// Clocks without drift that read `monotonic_ns` nanoseconds and `realtime` at the true instant
    /// `now`, the boot of the host.
    pub fn new(now: Instant, monotonic_ns: u64, realtime: WallTime) -> Self {
        Self {
            anchor: now,
            anchor_ns: monotonic_ns,
            anchor_residue: 0,
            rate_ns: NANOS_PER_SEC,
            realtime_offset_ns: i128::from(realtime.as_nanos()) - i128::from(monotonic_ns),
        }
    }

    /// What `CLOCK_MONOTONIC` reads at `now`, in nanoseconds; `u64::MAX` beyond its range.
    ///
    /// Before the last change of drift, or the clock's start, it is the reading at that instant.
    #[inline]
    pub fn monotonic_ns(&self, now: Instant) -> u64 {
        let true_ns = now.as_nanos().saturating_sub(self.anchor.as_nanos());
        if self.rate_ns == NANOS_PER_SEC {
            // A residue is less than a nanosecond, and whole nanoseconds do not add to it.
            return self.anchor_ns.saturating_add(true_ns);
        }
        self.anchor_ns.saturating_add(self.advance(true_ns).0)
    }

    /// What `CLOCK_REALTIME` reads at `now`. Steps beyond the range of a [`WallTime`] leave it at
    /// the end of that range.
    #[inline]
    pub fn realtime(&self, now: Instant) -> WallTime {
        let ns = i128::from(self.monotonic_ns(now)) + self.realtime_offset_ns;
        WallTime::from_nanos(ns.clamp(0, i128::from(u64::MAX)) as u64)
    }

    /// By how many nanoseconds the clocks gain in a true second, or lose when negative: the drift in
    /// parts per billion.
    pub fn drift_ppb(&self) -> i32 {
        (self.rate_ns as i64 - NANOS_PER_SEC as i64) as i32
    }

    /// Changes the drift from `now` on to `ppb` parts per billion: both clocks gain so many
    /// nanoseconds in a true second, or lose them when it is negative. Neither reading jumps.
    ///
    /// # Panics
    ///
    /// When `ppb` is -1,000,000,000 or less: such a clock would stand still or run backwards, and
    /// no deadline on it would ever come. When `now` is before the last change.
    pub fn set_drift(&mut self, now: Instant, ppb: i32) {
        let rate_ns = NANOS_PER_SEC as i64 + i64::from(ppb);
        assert!(
            rate_ns > 0,
            "a drift of {ppb} ppb makes a clock stand still or run backwards; \
             choose more than -1000000000 ppb (real crystals stay within 200000 ppb of 0)"
        );
        self.move_anchor(now);
        self.rate_ns = rate_ns as u64;
    }

    /// Sets `CLOCK_REALTIME` forward at `now` by `delta_ns` nanoseconds, or back when it is
    /// negative, as clock_settime(2) or an NTP daemon does. `CLOCK_MONOTONIC` is not affected.
    ///
    /// # Panics
    ///
    /// When `now` is before the last change.
    pub fn step_realtime(&mut self, now: Instant, delta_ns: i64) {
        self.move_anchor(now);
        self.realtime_offset_ns += i128::from(delta_ns);
    }

    /// The earliest true instant at which the monotonic clock reads at least `monotonic_ns`, if the
    /// drift stays as it is: when a timer that is set on this host's clock fires. It is
    /// [`Instant::MAX`] when that lies beyond the range.
    ///
    /// A reading that had been reached by the last change answers with the instant of that change,
    /// which is in the past, so such a timer is due at once.
    ///
    /// ```
    /// use sim_time::{ClockModel, Instant, WallTime};
    ///
    /// let mut clock = ClockModel::new(Instant::ZERO, 0, WallTime::UNIX_EPOCH);
    /// clock.set_drift(Instant::ZERO, 250_000_000);
    /// // This clock runs 25 % too fast: it reads 0, 1, 2, 3, 5, 6, ... and never 4.
    /// assert_eq!(clock.true_instant_of_monotonic(4), Instant::from_nanos(4));
    /// assert_eq!(clock.monotonic_ns(Instant::from_nanos(3)), 3);
    /// assert_eq!(clock.monotonic_ns(Instant::from_nanos(4)), 5);
    /// ```
    pub fn true_instant_of_monotonic(&self, monotonic_ns: u64) -> Instant {
        if monotonic_ns <= self.anchor_ns {
            return self.anchor;
        }
        let ahead_ns = monotonic_ns - self.anchor_ns;
        if self.rate_ns == NANOS_PER_SEC {
            return self.anchor.saturating_add_nanos(ahead_ns);
        }
        let parts =
            u128::from(ahead_ns) * u128::from(NANOS_PER_SEC) - u128::from(self.anchor_residue);
        let true_ns = parts.div_ceil(u128::from(self.rate_ns));
        self.anchor.saturating_add_nanos(u64::try_from(true_ns).unwrap_or(u64::MAX))
    }

    /// The earliest true instant at which the real-time clock reads at least `realtime_ns` nanoseconds since the
    /// epoch, if nobody steps it and the drift stays as it is. As with [`ClockModel::true_instant_of_monotonic`],
    /// a reading of the past answers an instant of the past.
    pub fn true_instant_of_realtime(&self, realtime_ns: u64) -> Instant {
        let monotonic_ns = i128::from(realtime_ns) - self.realtime_offset_ns;
        match u64::try_from(monotonic_ns.max(0)) {
            Ok(monotonic_ns) => self.true_instant_of_monotonic(monotonic_ns),
            Err(_) => Instant::MAX,
        }
    }

    /// Makes `now` the instant that readings are counted from, without changing any later one.
    fn move_anchor(&mut self, now: Instant) {
        assert!(
            now >= self.anchor,
            "true time went back: a clock was changed at {} and then at {now}",
            self.anchor
        );
        let (advance_ns, residue) = self.advance((now - self.anchor).as_nanos() as u64);
        self.anchor = now;
        self.anchor_ns = self.anchor_ns.saturating_add(advance_ns);
        self.anchor_residue = residue;
    }

    /// How far the monotonic clock gets from its anchor in `true_ns` nanoseconds, saturating, and
    /// the residue it has then.
    ///
    /// Whole seconds advance it by whole nanoseconds, so only the rest of a second needs dividing,
    /// and that fits 64 bits: the product is below 10⁹ * 3.2 * 10⁹. The 128-bit division that the
    /// plain formula needs would cost more than everything else in a reading. A clock without drift,
    /// as nearly all are, needs none.
    #[inline]
    fn advance(&self, true_ns: u64) -> (u64, u64) {
        if self.rate_ns == NANOS_PER_SEC {
            return (true_ns, self.anchor_residue);
        }
        let (seconds, rest_ns) = (true_ns / NANOS_PER_SEC, true_ns % NANOS_PER_SEC);
        let parts = rest_ns * self.rate_ns + self.anchor_residue;
        let whole_ns = seconds.saturating_mul(self.rate_ns).saturating_add(parts / NANOS_PER_SEC);
        (whole_ns, parts % NANOS_PER_SEC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    /// Drifts of all sizes, with the usual and the extreme ones often among them.
    fn drift() -> impl Strategy<Value = i32> {
        prop_oneof![
            Just(0),
            -200_000..=200_000_i32,
            -999_999_999..=i32::MAX,
            Just(-999_999_999),
            Just(i32::MAX),
            Just(1),
            Just(-1),
        ]
    }

    /// Spans of all sizes: the exponent is uniform, not the number.
    fn span_ns() -> impl Strategy<Value = u64> {
        (0..=63_u32, any::<u64>()).prop_map(|(bits, any)| any >> bits)
    }

    /// The readings by the definition: a sum of products of exact fractions, rounded down once.
    #[derive(Debug)]
    struct SlowClock {
        /// The monotonic reading at `since` in 1/1,000,000,000 ns.
        parts: i128,
        since: u64,
        rate: i128,
        offset_ns: i128,
    }

    impl SlowClock {
        fn parts(&self, now: u64) -> i128 {
            self.parts + i128::from(now - self.since) * self.rate
        }

        fn monotonic_ns(&self, now: u64) -> u64 {
            (self.parts(now) / 1_000_000_000).min(i128::from(u64::MAX)) as u64
        }

        fn realtime_ns(&self, now: u64) -> u64 {
            let ns = i128::from(self.monotonic_ns(now)) + self.offset_ns;
            ns.clamp(0, i128::from(u64::MAX)) as u64
        }

        fn set_drift(&mut self, now: u64, ppb: i32) {
            self.parts = self.parts(now);
            (self.since, self.rate) = (now, 1_000_000_000 + i128::from(ppb));
        }
    }

    #[derive(Clone, Debug)]
    enum Change {
        Drift(i32),
        Step(i64),
        None,
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            drift().prop_map(Change::Drift),
            (span_ns(), any::<bool>()).prop_map(|(ns, back)| {
                Change::Step(if back { -((ns >> 1) as i64) } else { (ns >> 1) as i64 })
            }),
            Just(Change::None),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Over any history of changes the readings are those of the definition, neither clock
        /// jumps at a change of drift, and the monotonic one never goes back.
        #[test]
        fn readings_follow_the_definition(
            boot in span_ns(),
            uptime_ns in span_ns(),
            wall_ns in any::<u64>(),
            script in prop::collection::vec((span_ns(), change()), 0..20),
        ) {
            let mut now = boot;
            let mut clock = ClockModel::new(at(boot), uptime_ns, WallTime::from_nanos(wall_ns));
            let mut slow = SlowClock {
                parts: i128::from(uptime_ns) * 1_000_000_000,
                since: boot,
                rate: 1_000_000_000,
                offset_ns: i128::from(wall_ns) - i128::from(uptime_ns),
            };
            let mut last_ns = uptime_ns;
            for (span, change) in script {
                now = now.saturating_add(span);
                let before = (clock.monotonic_ns(at(now)), clock.realtime(at(now)).as_nanos());
                prop_assert_eq!(before, (slow.monotonic_ns(now), slow.realtime_ns(now)));
                prop_assert!(before.0 >= last_ns);
                last_ns = before.0;
                match change {
                    Change::Drift(ppb) => {
                        clock.set_drift(at(now), ppb);
                        slow.set_drift(now, ppb);
                        prop_assert_eq!(clock.drift_ppb(), ppb);
                        prop_assert_eq!(clock.realtime(at(now)).as_nanos(), before.1);
                    }
                    Change::Step(delta_ns) => {
                        clock.step_realtime(at(now), delta_ns);
                        slow.offset_ns += i128::from(delta_ns);
                    }
                    Change::None => {}
                }
                prop_assert_eq!(clock.monotonic_ns(at(now)), before.0);
                prop_assert_eq!(clock.realtime(at(now)).as_nanos(), slow.realtime_ns(now));
            }
        }

        /// The inverse is the first instant that reads enough, whatever residue a clock carries.
        #[test]
        fn the_inverse_is_the_earliest_instant(
            boot in span_ns(),
            uptime_ns in span_ns(),
            (first_ppb, span, second_ppb) in (drift(), span_ns(), drift()),
            ahead_ns in span_ns(),
        ) {
            let mut clock = ClockModel::new(at(boot), uptime_ns, WallTime::UNIX_EPOCH);
            clock.set_drift(at(boot), first_ppb);
            let changed = boot.saturating_add(span);
            clock.set_drift(at(changed), second_ppb);
            let wanted_ns = clock.monotonic_ns(at(changed)).saturating_add(ahead_ns);
            let found = clock.true_instant_of_monotonic(wanted_ns);
            prop_assert!(found >= at(changed));
            if found != Instant::MAX {
                prop_assert!(clock.monotonic_ns(found) >= wanted_ns);
            }
            if found > at(changed) {
                prop_assert!(clock.monotonic_ns(at(found.as_nanos() - 1)) < wanted_ns);
            }
        }
    }

    #[test]
    fn readings_start_at_their_offsets() {
        let wall = WallTime::from_nanos(1_000_000);
        let clock = ClockModel::new(at(500), 70, wall);
        assert_eq!((clock.monotonic_ns(at(500)), clock.realtime(at(500))), (70, wall));
        assert_eq!(
            (clock.monotonic_ns(at(502)), clock.realtime(at(502)).as_nanos()),
            (72, 1_000_002)
        );
        assert_eq!(clock.monotonic_ns(at(100)), 70, "before its start a clock reads its start");
        assert_eq!(clock.true_instant_of_monotonic(60), at(500));
        assert_eq!(clock.true_instant_of_monotonic(71), at(501));
        assert_eq!(clock.drift_ppb(), 0);
    }

    #[test]
    fn fractions_survive_a_change_of_drift() {
        let mut clock = ClockModel::new(at(0), 0, WallTime::UNIX_EPOCH);
        // A third of a nanosecond is lost in each nanosecond, in three rates that differ by a part.
        for now in 0..3_000 {
            clock.set_drift(at(now), [-333_333_333, -333_333_334, -333_333_333][now as usize % 3]);
        }
        assert_eq!(clock.monotonic_ns(at(3_000)), 2_000);
        assert_eq!(clock.monotonic_ns(at(2_999)), 1_999);
    }

    #[test]
    fn a_step_moves_realtime_alone_and_can_be_taken_back() {
        let wall = WallTime::from_nanos(1_000);
        let mut clock = ClockModel::new(at(0), 0, wall);
        clock.step_realtime(at(5), -400);
        assert_eq!((clock.monotonic_ns(at(5)), clock.realtime(at(5)).as_nanos()), (5, 605));
        clock.step_realtime(at(5), -10_000);
        assert_eq!(clock.realtime(at(5)), WallTime::UNIX_EPOCH);
        clock.step_realtime(at(6), 10_400);
        assert_eq!((clock.monotonic_ns(at(6)), clock.realtime(at(6)).as_nanos()), (6, 1_006));
        clock.step_realtime(at(6), i64::MAX);
        clock.step_realtime(at(6), i64::MAX);
        assert_eq!(clock.realtime(at(1_000)), WallTime::MAX);
        assert_eq!(clock.monotonic_ns(at(1_000)), 1_000);
    }

    #[test]
    fn readings_end_at_the_end_of_their_range() {
        let mut clock = ClockModel::new(at(0), u64::MAX - 1, WallTime::MAX);
        assert_eq!(clock.monotonic_ns(Instant::MAX), u64::MAX);
        assert_eq!(clock.realtime(Instant::MAX), WallTime::MAX);
        clock.set_drift(at(0), i32::MAX);
        assert_eq!(clock.monotonic_ns(Instant::MAX), u64::MAX);
        clock.set_drift(Instant::MAX, 0);
        assert_eq!(clock.monotonic_ns(Instant::MAX), u64::MAX);

        let mut slow = ClockModel::new(at(0), 0, WallTime::UNIX_EPOCH);
        slow.set_drift(at(0), -999_999_999);
        assert_eq!(slow.true_instant_of_monotonic(18), at(18_000_000_000));
        assert_eq!(slow.true_instant_of_monotonic(u64::MAX), Instant::MAX);
    }

    #[test]
    #[should_panic(expected = "a drift of -1000000000 ppb makes a clock stand still")]
    fn a_clock_cannot_be_stopped() {
        ClockModel::new(at(0), 0, WallTime::UNIX_EPOCH).set_drift(at(0), -1_000_000_000);
    }

    #[test]
    #[should_panic(
        expected = "true time went back: a clock was changed at 0.000000009s and then at"
    )]
    fn a_clock_cannot_be_changed_in_the_past() {
        let mut clock = ClockModel::new(at(9), 0, WallTime::UNIX_EPOCH);
        clock.step_realtime(at(8), 1);
    }
}
