//! Counters to be waited for (eventfd(2)).
//!
//! A counter holds 0 to 2^64 - 2. Reading it takes it all, or 1 if it is a semaphore; at 0 there is nothing to
//! read. Writing adds; what would not fit is not taken.

use sim_core::backend::Readiness;
use sim_core::{Errno, Result};

/// The greatest value: the one above is kept for the overflow that only a kernel can bring about.
const MAX: u64 = u64::MAX - 1;
/// Reads and writes are of so many bytes.
pub(crate) const NUMBER_BYTES: usize = 8;

/// A counter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter {
    value: u64,
    semaphore: bool,
}

impl Counter {
    pub(crate) const fn new(value: u64, semaphore: bool) -> Self {
        Self { value, semaphore }
    }

    /// Takes the value, or one of it.
    pub(crate) fn take(&mut self, into: &mut [u8]) -> Result<usize> {
        let into = into.first_chunk_mut::<NUMBER_BYTES>().ok_or(Errno::EINVAL)?;
        if self.value == 0 {
            return Err(Errno::EAGAIN);
        }
        let taken = if self.semaphore { 1 } else { self.value };
        self.value -= taken;
        *into = taken.to_ne_bytes();
        Ok(NUMBER_BYTES)
    }

    /// Adds a number.
    pub(crate) fn add(&mut self, data: &[u8]) -> Result<usize> {
        let number = u64::from_ne_bytes(*data.first_chunk().ok_or(Errno::EINVAL)?);
        if number > MAX {
            return Err(Errno::EINVAL);
        }
        self.value =
            self.value.checked_add(number).filter(|&sum| sum <= MAX).ok_or(Errno::EAGAIN)?;
        Ok(NUMBER_BYTES)
    }

    /// `IN` above 0, `OUT` while 1 can be added.
    pub(crate) const fn readiness(self) -> Readiness {
        let input = if self.value > 0 { Readiness::IN.bits() } else { 0 };
        let output = if self.value < MAX { Readiness::OUT.bits() } else { 0 };
        Readiness::from_bits(input | output)
    }

    /// The value, for a report.
    pub(crate) const fn value(self) -> u64 {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(counter: &mut Counter) -> Result<u64> {
        let mut into = [0; 8];
        counter.take(&mut into).map(|_| u64::from_ne_bytes(into))
    }

    #[test]
    fn a_counter_gives_all_and_a_semaphore_one() {
        let (mut all, mut one) = (Counter::new(3, false), Counter::new(2, true));
        assert_eq!((take(&mut all), take(&mut all)), (Ok(3), Err(Errno::EAGAIN)));
        assert_eq!((take(&mut one), take(&mut one)), (Ok(1), Ok(1)));
        assert_eq!(take(&mut one), Err(Errno::EAGAIN));
        assert_eq!(one.readiness().to_string(), "OUT");
    }

    #[test]
    fn what_does_not_fit_is_not_taken() {
        let mut counter = Counter::new(0, false);
        assert_eq!(counter.add(&u64::MAX.to_ne_bytes()), Err(Errno::EINVAL));
        assert_eq!(counter.add(&[0; 7]), Err(Errno::EINVAL));
        assert_eq!(counter.add(&MAX.to_ne_bytes()), Ok(8));
        assert_eq!(counter.readiness().to_string(), "IN");
        assert_eq!(counter.add(&1_u64.to_ne_bytes()), Err(Errno::EAGAIN));
        assert_eq!(counter.add(&0_u64.to_ne_bytes()), Ok(8));
        assert_eq!(counter.take(&mut [0; 7]), Err(Errno::EINVAL));
        assert_eq!(take(&mut counter), Ok(MAX));
    }
}
