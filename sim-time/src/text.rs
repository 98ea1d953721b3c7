//! A short text on the stack, for `Display` implementations that honour the width asked for.
//!
//! Padding needs the finished text. Building it in a `String` would make every line of a trace
//! allocate once per time stamp.

use std::fmt;

/// Up to 32 bytes of ASCII.
pub(crate) struct Text {
    bytes: [u8; 32],
    len: usize,
}

impl Text {
    /// Formats `args`, which must come out as at most 32 bytes, and writes them to `f` padded to
    /// the width that `f` was given; numbers stand on the right, so times do too. A precision is
    /// ignored: cutting a time stamp short would make it name another time.
    pub(crate) fn pad(f: &mut fmt::Formatter<'_>, args: fmt::Arguments<'_>) -> fmt::Result {
        let mut text = Self { bytes: [0; 32], len: 0 };
        fmt::Write::write_fmt(&mut text, args)?;
        let written = &text.bytes[..text.len];
        f.pad_integral(true, "", std::str::from_utf8(written).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.len + part.len();
        let place = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        place.copy_from_slice(part.as_bytes());
        self.len = end;
        Ok(())
    }
}
