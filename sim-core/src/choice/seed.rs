//! Seeds: the shortest way to name a log of choices.

use core::fmt;
use core::str::FromStr;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seed of up to 256 bits. Written as `0x` and hexadecimal digits, read as that or as a decimal number.
///
/// ```
/// use sim_core::choice::Seed;
/// let seed: Seed = "0x2a".parse()?;
/// assert_eq!(seed, "42".parse()?);
/// assert_eq!(seed.to_string(), "0x2a");
/// # Ok::<(), sim_core::choice::SeedError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Seed([u8; 32]);

impl Seed {
    /// The seed with this number.
    #[must_use]
    pub fn from_u64(number: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Self(bytes)
    }

    /// The seed of run `run` of test `test` under the base seed `self`. It depends on nothing else.
    #[must_use]
    pub fn for_run(self, test: &str, run: u64) -> Self {
        Self::from_u64(self.derive(super::mix::name(test), run))
    }

    /// A number drawn from the seed for the purpose `stream`, the `index`-th of its kind (ChaCha8).
    pub(super) fn derive(self, stream: u64, index: u64) -> u64 {
        let mut rng = ChaCha8Rng::from_seed(self.0);
        rng.set_stream(stream);
        rng.set_word_pos(u128::from(index) * 2);
        rng.next_u64()
    }
}

impl From<u64> for Seed {
    fn from(number: u64) -> Self {
        Self::from_u64(number)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.0.iter().rposition(|&byte| byte != 0).map_or(1, |last| last + 1);
        write!(f, "0x{:x}", self.0[used - 1])?;
        self.0[..used - 1].iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedError {
    text: String,
}

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        write!(
            f,
            "'{text}' is not a seed: give a decimal number or 0x and up to 64 hexadecimal digits"
        )
    }
}

impl core::error::Error for SeedError {}

impl FromStr for Seed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, SeedError> {
        let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => (digits, 16),
            None => (text, 10),
        };
        let number = digits.bytes().map(|c| char::from(c).to_digit(radix));
        let bytes = match digits.is_empty() {
            true => None,
            false => {
                number.collect::<Option<Vec<u32>>>().and_then(|digits| to_bytes(&digits, radix))
            }
        };
        bytes.map(Self).ok_or_else(|| SeedError { text: text.to_owned() })
    }
}

/// The little-endian number whose digits are given, or `None` where 256 bits do not hold it.
fn to_bytes(digits: &[u32], radix: u32) -> Option<[u8; 32]> {
    let mut bytes = [0_u8; 32];
    for &digit in digits {
        let mut carry = digit;
        for byte in &mut bytes {
            let product = u32::from(*byte) * radix + carry;
            *byte = (product & 0xff) as u8;
            carry = product >> 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["0x0", "0x1", "0xdeadbeef", &format!("0x{}", "f".repeat(64))] {
            assert_eq!(text.parse::<Seed>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in ["", "0x", "x", "-1", "1.5", "0xg", &format!("0x1{}", "0".repeat(64))] {
            assert!(text.parse::<Seed>().is_err(), "{text}");
        }
    }

    #[test]
    fn runs_are_independent() {
        let seed = Seed::from_u64(1);
        assert_eq!(seed.for_run("t", 5), seed.for_run("t", 5));
        assert_ne!(seed.for_run("t", 5), seed.for_run("t", 6));
        assert_ne!(seed.for_run("t", 5), seed.for_run("u", 5));
    }
}
