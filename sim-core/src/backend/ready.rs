//! Readiness: what a descriptor is ready for, and who waits for it.

use crate::id::{Fd, HostId};
use core::fmt;
use core::ops::{BitAnd, BitOr, BitOrAssign, Not};

/// A set of poll bits, with the values of epoll_ctl(2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Readiness(u32);

impl Readiness {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// There is something to read, or an end of the stream.
    pub const IN: Self = Self(0x001);
    /// There is urgent data.
    pub const PRI: Self = Self(0x002);
    /// There is room to write.
    pub const OUT: Self = Self(0x004);
    /// An error is pending. Always reported.
    pub const ERR: Self = Self(0x008);
    /// Both directions are shut. Always reported.
    pub const HUP: Self = Self(0x010);
    /// The peer has shut its sending side.
    pub const RDHUP: Self = Self(0x2000);
    /// What a reader waits for.
    pub const READ: Self = Self(0x001 | 0x2000);
    /// Every bit.
    pub const ALL: Self = Self(0x201f);

    /// The bits as a number.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// From a number; bits without a meaning here are left out.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Whether no bit is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Readiness {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Readiness {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for Readiness {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Readiness {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }
}

impl fmt::Display for Readiness {
    /// The names joined by `|`, `-` for none, in the order of the recorded Linux answers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            (Self::IN, "IN"),
            (Self::PRI, "PRI"),
            (Self::OUT, "OUT"),
            (Self::ERR, "ERR"),
            (Self::HUP, "HUP"),
            (Self::RDHUP, "RDHUP"),
        ];
        let mut first = true;
        for (_, name) in named.iter().filter(|(bit, _)| self.contains(*bit)) {
            write!(f, "{}{name}", if first { "" } else { "|" })?;
            first = false;
        }
        if first { f.write_str("-") } else { Ok(()) }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An operation on an epoll object's interest list (epoll_ctl(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpollControl {
    /// Adds a descriptor; `EEXIST` if it is there.
    Add(EpollInterest),
    /// Changes one and arms it again; `ENOENT` if it is not there.
    Modify(EpollInterest),
    /// Removes one; `ENOENT` if it is not there.
    Delete,
}

/// What an epoll object watches a descriptor for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpollInterest {
    /// The bits; `ERR` and `HUP` are reported in any case.
    pub readiness: Readiness,
    /// Report a change once (`EPOLLET`).
    pub edge: bool,
    /// Disarm after one report (`EPOLLONESHOT`).
    pub oneshot: bool,
    /// Handed back with each report.
    pub data: u64,
}

/// One report of an epoll object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpollEvent {
    /// What the descriptor is ready for, of what was asked.
    pub readiness: Readiness,
    /// As given with the interest.
    pub data: u64,
}

/// What a descriptor is, for reports about those still open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its number.
    pub fd: Fd,
    /// The host it belongs to.
    pub host: HostId,
    /// What it is, as a short text: `tcp 10.0.0.1:80 -> 10.0.0.2:41000`.
    pub text: String,
}
