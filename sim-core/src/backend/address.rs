//! Socket addresses of every family that is modelled (ip(7), ipv6(7), unix(7)).

use core::fmt;
use std::net::SocketAddr;

/// The most bytes a Unix socket's name has (`sun_path`).
const NAME_BYTES: usize = 108;

/// The name of a Unix socket: a path, a name of the abstract namespace, or none (unix(7)).
///
/// ```
/// use sim_core::backend::UnixName;
///
/// let name = UnixName::path(b"/run/app.sock").unwrap();
/// assert_eq!(name.as_path(), Some(&b"/run/app.sock"[..]));
/// assert_eq!(UnixName::abstract_name(b"app").unwrap().to_string(), "@app");
/// assert_eq!(UnixName::from_sun_path(b"/run/app.sock\0\0"), Some(name));
/// assert!(UnixName::UNNAMED.is_unnamed());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixName {
    len: u8,
    /// As in `sun_path`, without a final NUL. What is beyond `len` is 0.
    bytes: [u8; NAME_BYTES],
}

impl UnixName {
    /// No name.
    pub const UNNAMED: Self = Self { len: 0, bytes: [0; NAME_BYTES] };

    /// A path of 1 to 108 bytes without a NUL; `None` for another.
    #[must_use]
    pub fn path(path: &[u8]) -> Option<Self> {
        if path.is_empty() || path.contains(&0) { None } else { Self::of(path) }
    }

    /// A name of up to 107 bytes, of any value, in the abstract namespace; `None` for a longer one.
    #[must_use]
    pub fn abstract_name(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; NAME_BYTES];
        bytes.get_mut(1..=name.len())?.copy_from_slice(name);
        Some(Self { len: name.len() as u8 + 1, bytes })
    }

    /// The name that `sun_path` holds, as bind(2) reads it: a path ends at its first NUL, an abstract name at the end
    /// of the address. `None` if it is too long.
    #[must_use]
    pub fn from_sun_path(path: &[u8]) -> Option<Self> {
        match path {
            [] => Some(Self::UNNAMED),
            [0, name @ ..] => Self::abstract_name(name),
            _ => Self::of(path.split(|&byte| byte == 0).next().unwrap_or(path)),
        }
    }

    fn of(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; NAME_BYTES];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { len: text.len() as u8, bytes })
    }

    /// The bytes of `sun_path` without a final NUL: an abstract name begins with one.
    #[must_use]
    pub fn sun_path(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The path, if it is one.
    #[must_use]
    pub fn as_path(&self) -> Option<&[u8]> {
        match self.sun_path() {
            [] | [0, ..] => None,
            path => Some(path),
        }
    }

    /// The abstract name, without its NUL, if it is one.
    #[must_use]
    pub fn as_abstract(&self) -> Option<&[u8]> {
        match self.sun_path() {
            [0, name @ ..] => Some(name),
            _ => None,
        }
    }

    /// Whether it is none.
    #[must_use]
    pub const fn is_unnamed(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Display for UnixName {
    /// A path as it is, an abstract name after `@`, and `(unnamed)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.as_path(), self.as_abstract()) {
            (Some(path), _) => write!(f, "{}", path.escape_ascii()),
            (_, Some(name)) => write!(f, "@{}", name.escape_ascii()),
            _ => f.write_str("(unnamed)"),
        }
    }
}

impl fmt::Debug for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A socket's address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// IPv4 or IPv6, and a port.
    Inet(SocketAddr),
    /// Unix.
    Unix(UnixName),
}

impl Address {
    /// The IP address and port, if it is one.
    #[must_use]
    pub const fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(addr) => Some(*addr),
            Self::Unix(_) => None,
        }
    }

    /// The Unix name, if it is one.
    #[must_use]
    pub const fn unix(&self) -> Option<&UnixName> {
        match self {
            Self::Unix(name) => Some(name),
            Self::Inet(_) => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(addr: SocketAddr) -> Self {
        Self::Inet(addr)
    }
}

impl From<UnixName> for Address {
    fn from(name: UnixName) -> Self {
        Self::Unix(name)
    }
}

impl PartialEq<SocketAddr> for Address {
    fn eq(&self, other: &SocketAddr) -> bool {
        self.inet() == Some(*other)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => fmt::Display::fmt(addr, f),
            Self::Unix(name) => fmt::Display::fmt(name, f),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_bounds() {
        assert_eq!(UnixName::path(b""), None);
        assert_eq!(UnixName::path(b"a\0b"), None);
        assert!(UnixName::path(&[b'x'; 108]).is_some());
        assert_eq!(UnixName::path(&[b'x'; 109]), None);
        assert!(UnixName::abstract_name(&[0; 107]).is_some());
        assert_eq!(UnixName::abstract_name(&[0; 108]), None);
    }

    #[test]
    fn a_name_is_read_as_bind_reads_it() {
        let read = |path: &[u8]| UnixName::from_sun_path(path).map(|name| name.to_string());
        assert_eq!(read(b"").as_deref(), Some("(unnamed)"));
        assert_eq!(read(b"/a\0rest").as_deref(), Some("/a"));
        assert_eq!(read(b"\0a\0").as_deref(), Some("@a\\x00"), "a NUL is part of an abstract name");
        assert_eq!(read(&[b'x'; 109]), None);
        let empty = UnixName::abstract_name(b"").unwrap();
        assert!(
            !empty.is_unnamed() && empty.as_abstract() == Some(b"") && empty.as_path().is_none()
        );
    }
}
