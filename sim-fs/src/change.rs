//! Operations on the tree, as values: done at once to the volatile view and, later or never, to the durable one.
//!
//! A call that has found no error becomes one [`NameChange`] or [`DataChange`]. It is whole: it survives a crash
//! with all its parts or with none. So a rename moves and replaces in one, and a file is made together with its
//! first name.

use bytes::Bytes;
use sim_time::WallTime;
use std::fmt;

/// The number of an inode. Never used twice on a disk, not even after a crash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ino(pub(crate) u64);

impl Ino {
    /// The root directory, by the number it has on ext4.
    pub(crate) const ROOT: Self = Self(2);
    /// `/tmp`.
    pub(crate) const TMP: Self = Self(3);
    /// The first that a program can make.
    pub(crate) const FIRST_FREE: Self = Self(4);
}

impl fmt::Debug for Ino {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ino{}", self.0)
    }
}

/// A place for a name: which directory, which name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) dir: Ino,
    pub(crate) name: Box<str>,
}

/// A change of what names what. All of them change the times of the directories they touch.
#[derive(Clone, Debug)]
pub(crate) struct NameChange {
    /// Which inode gets, changes or loses its name.
    pub(crate) ino: Ino,
    pub(crate) kind: NameKind,
    pub(crate) at: WallTime,
}

#[derive(Clone, Debug)]
pub(crate) enum NameKind {
    /// The inode begins to exist under this name.
    Create(New, Slot),
    /// It has this name as well.
    Link(Slot),
    /// This name is taken away.
    Remove(Slot),
    /// A name is changed. The inode that had the new name, if any, loses it.
    Rename { from: Slot, to: Slot, replaced: Option<Ino> },
}

/// What an inode begins as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum New {
    /// An empty file of this mode.
    File(u32),
    /// An empty directory of this mode.
    Directory(u32),
    /// A symbolic link to this.
    Symlink(Box<str>),
    /// The name of a Unix socket.
    Socket,
    /// The name of a pipe, of this mode.
    Fifo(u32),
}

impl NameChange {
    /// The places that the change touches.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        let (first, second) = match &self.kind {
            NameKind::Create(_, slot) | NameKind::Link(slot) | NameKind::Remove(slot) => {
                (slot, None)
            }
            NameKind::Rename { from, to, .. } => (from, Some(to)),
        };
        std::iter::once(first).chain(second)
    }

    /// The inode that has one name less after the change, and perhaps none.
    pub(crate) fn losing(&self) -> Option<Ino> {
        match self.kind {
            NameKind::Create(..) | NameKind::Link(_) => None,
            NameKind::Remove(_) => Some(self.ino),
            NameKind::Rename { replaced, .. } => replaced,
        }
    }

    /// The inodes whose name the change gives, changes or takes.
    pub(crate) fn inodes(&self) -> impl Iterator<Item = Ino> {
        let replaced = match self.kind {
            NameKind::Rename { replaced, .. } => replaced,
            NameKind::Create(..) | NameKind::Link(_) | NameKind::Remove(_) => None,
        };
        std::iter::once(self.ino).chain(replaced)
    }
}

/// A change of a file's contents, or of what it is besides them.
#[derive(Clone, Debug)]
pub(crate) struct DataChange {
    pub(crate) ino: Ino,
    pub(crate) kind: DataKind,
    pub(crate) at: WallTime,
}

#[derive(Clone, Debug)]
pub(crate) enum DataKind {
    /// Bytes at an offset. If the file grew by it, its length becomes the end of the bytes.
    Write { offset: u64, data: Bytes, grows: bool },
    /// The length alone.
    SetLen(u64),
    /// Permissions, owners and times, all of them as they are then.
    Attributes(Attributes),
}

/// What an inode is besides what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Permissions: the lower 12 bits of a mode.
    pub(crate) mode: u32,
    pub(crate) owner: u32,
    pub(crate) group: u32,
    pub(crate) accessed: WallTime,
    pub(crate) modified: WallTime,
}

impl DataChange {
    /// Whether the change has a say in the file's length.
    pub(crate) fn sizes(&self) -> bool {
        matches!(self.kind, DataKind::Write { grows: true, .. } | DataKind::SetLen(_))
    }
}
