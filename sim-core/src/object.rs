//! What actors share: the name that a sync point gives, and that strategies reason about.
//!
//! Two turns race if they touch the same object. A strategy needs no more than that: POS deals new priorities to those
//! who race, SURW samples the orders of what happens to one object. An object's name is structural where its owner
//! knows one (who made it, the how many-th), so that it is the same in every run of a program.

use crate::choice::{Path, mix};
use core::fmt;

/// Something that actors share, by name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Object(u64);

/// What kind of thing an [`Object`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    /// Nothing that is known.
    Unknown,
    /// A lock, a semaphore, a shared variable.
    Lock,
    /// A channel.
    Channel,
    /// A socket, a pipe, an end of a connection.
    Socket,
    /// A file or a folder.
    File,
    /// A machine: what arrives at it, and its tasks' calls into its network.
    Host,
    /// A notification, a barrier, a one-time cell.
    Signal,
    /// A task, whose end another waits for.
    Task,
    /// A timer. Nobody but its task touches it.
    Timer,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "something",
            Self::Lock => "a lock",
            Self::Channel => "a channel",
            Self::Socket => "a socket",
            Self::File => "a file",
            Self::Host => "the network",
            Self::Signal => "a notification",
            Self::Task => "a task",
            Self::Timer => "a timer",
        })
    }
}

/// The kinds, by the number that an object carries in its lowest bits.
const KINDS: [ObjectKind; 9] = [
    ObjectKind::Unknown,
    ObjectKind::Lock,
    ObjectKind::Channel,
    ObjectKind::Socket,
    ObjectKind::File,
    ObjectKind::Host,
    ObjectKind::Signal,
    ObjectKind::Task,
    ObjectKind::Timer,
];

/// The bits that the kind takes.
const KIND_BITS: u64 = 15;

impl Object {
    /// Nothing that is known: races with nobody.
    pub const UNKNOWN: Self = Self(0);

    /// The object of this kind whose owner, at `owner`, made it as its `ordinal`-th.
    #[must_use]
    pub const fn new(kind: ObjectKind, owner: Path, ordinal: u64) -> Self {
        let name = mix::join(owner.to_bits(), ordinal);
        Self(name & !KIND_BITS | kind as u64)
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(self) -> ObjectKind {
        KINDS[(self.0 & KIND_BITS) as usize % KINDS.len()]
    }

    /// Whether anything is known about it.
    #[inline]
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.0 != 0
    }

    /// Its name as a number.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The object of this name.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{:016x}", self.kind(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_kind() {
        let path = Path::WORLD.child("x", 0);
        for kind in KINDS {
            assert_eq!(Object::new(kind, path, 7).kind(), kind);
        }
        assert_ne!(
            Object::new(ObjectKind::Lock, path, 7),
            Object::new(ObjectKind::Channel, path, 7)
        );
        assert_ne!(Object::new(ObjectKind::Lock, path, 7), Object::new(ObjectKind::Lock, path, 8));
        assert!(!Object::UNKNOWN.is_known());
    }
}
