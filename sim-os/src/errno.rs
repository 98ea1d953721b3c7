//! Error numbers of the operating system as the contract's [`Errno`]: the same numbers, another type.

use sim_core::{Errno, Result};
use std::io;

/// A system call's answer in the words of the contract.
pub(crate) trait Answer<T> {
    /// The value, or the error by its number.
    fn answer(self) -> Result<T>;
}

impl<T> Answer<T> for rustix::io::Result<T> {
    #[inline]
    fn answer(self) -> Result<T> {
        self.map_err(errno)
    }
}

impl<T> Answer<T> for io::Result<T> {
    /// An error without a number was made up by the standard library; the manual's word for "it failed" is `EIO`.
    fn answer(self) -> Result<T> {
        self.map_err(|error| error.raw_os_error().and_then(number).unwrap_or(Errno::EIO))
    }
}

/// The error of the same number.
#[inline]
pub(crate) fn errno(error: rustix::io::Errno) -> Errno {
    number(error.raw_os_error()).expect("Linux error numbers lie between 1 and 4095")
}

fn number(raw: i32) -> Option<Errno> {
    u16::try_from(raw).ok().map(Errno::from_raw)
}
