//! How a task and the place where it was spawned are told to the world, without an allocation.

use std::fmt::{self, Write};
use std::panic::Location;

/// The type of a future, without the box that tokio puts around a large one.
pub(super) fn of_future<F>() -> &'static str {
    let name = std::any::type_name::<F>();
    // What `#[tokio::main]` and `#[tokio::test]` make of their function's body: no name at all.
    if name.starts_with("core::pin::Pin<&mut dyn ") {
        return "block_on";
    }
    name.strip_prefix("core::pin::Pin<alloc::boxed::Box<")
        .and_then(|name| name.strip_suffix(">>"))
        .unwrap_or(name)
}

/// `file:line:column`; of a path that is too long, its end.
pub(super) struct Place {
    text: [u8; Self::ROOM],
    len: usize,
}

impl Place {
    const ROOM: usize = 256;
    /// What is left for the file: line and column take two colons and ten digits each at most.
    const FILE: usize = Self::ROOM - 22;

    pub(super) fn of(location: &Location<'_>) -> Self {
        let mut place = Self { text: [0; Self::ROOM], len: 0 };
        let file = end_of(location.file(), Self::FILE);
        // It cannot fail: there is room for all of it.
        let _ = write!(place, "{file}:{}:{}", location.line(), location.column());
        place
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..self.len]).unwrap_or_default()
    }
}

impl Write for Place {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.len + part.len();
        self.text.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(part.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// The last `most` bytes of `text`, or a little less: whole characters only.
fn end_of(text: &str, most: usize) -> &str {
    let mut start = text.len().saturating_sub(most);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}
