//! Exhaustive enumeration: the digits of an odometer answer the questions of one run after another.

/// Counts through every combination of answers of a small program.
///
/// Digit `i` answers the `i`-th question. After a run, [`Odometer::advance`] turns the last digit
/// that can go on and drops those behind it, since another answer there may lead to other questions.
///
/// ```
/// use sim_core::choice::{Choices, Odometer, Path, Site};
/// const COIN: Site = Site::new("doc.coin");
/// let (mut odometer, mut outcomes) = (Odometer::new(), Vec::new());
/// loop {
///     let mut choices = Choices::odometer(odometer);
///     let mut coin = choices.stream(COIN, Path::WORLD);
///     outcomes.push((choices.pick(&mut coin, 2), choices.pick(&mut coin, 3)));
///     odometer = choices.into_odometer().unwrap();
///     assert!(odometer.bases().eq([2, 3]));
///     if !odometer.advance() {
///         break;
///     }
/// }
/// assert_eq!(outcomes, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Odometer {
    digits: Vec<(u64, u64)>,
    position: usize,
}

impl Odometer {
    /// All digits at 0: the dull run.
    #[must_use]
    pub const fn new() -> Self {
        Self { digits: Vec::new(), position: 0 }
    }

    /// The answer to the next question, which has `n` alternatives.
    pub(super) fn pick(&mut self, n: u64) -> u64 {
        let position = self.position;
        self.position += 1;
        if let Some(&(digit, last_n)) = self.digits.get(position) {
            assert_eq!(
                last_n, n,
                "the same answers led to another question: the program is not deterministic"
            );
            return digit;
        }
        self.digits.push((0, n));
        0
    }

    /// How many alternatives each question of the last run had, in the order of the questions.
    pub fn bases(&self) -> impl Iterator<Item = u64> {
        self.digits[..self.position].iter().map(|&(_, alternatives)| alternatives)
    }

    /// Goes on to the next combination; `false` when all were seen.
    #[must_use]
    pub fn advance(&mut self) -> bool {
        self.digits.truncate(self.position);
        self.position = 0;
        while let Some((digit, n)) = self.digits.last_mut() {
            if *digit + 1 < *n {
                *digit += 1;
                return true;
            }
            self.digits.pop();
        }
        false
    }
}
