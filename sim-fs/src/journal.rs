//! The pending log: what was done to the volatile view and has not reached the durable one, in order.
//!
//! An operation on names *needs* earlier ones that are still pending; it is on the medium only together with them:
//!
//! - what was last done to each place it touches, and to the names of each inode. So the history of a name, and of a
//!   file's names, survives up to some point and never with a gap: a file that was renamed is under its old name or
//!   under its new one, and never under neither or both. This also brings the inode before its names.
//! - what last named each directory on the way to those places. So nothing is moved to where it cannot be reached,
//!   and no directory into itself.
//! - all that was done in a directory which it removes, since that is what emptied it.
//!
//! An operation on contents needs its inode and nothing else. Two writes to one file are independent: either may be
//! missing, and where they overlap the later one wins.
//!
//! Persisted operations leave the log, so a program that syncs keeps it short. [`Journal::oldest`] serves the
//! write-back that bounds it for one that does not.

use crate::change::{DataChange, DataKind, Ino, NameChange};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The place of an operation in the order in which all were done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seq(u64);

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Names { change: NameChange, needs: Vec<Seq> },
    Data(DataChange),
}

/// What an entry of the log is counted as, besides the bytes it holds.
const ENTRY_BYTES: u64 = 128;

impl Change {
    fn bytes(&self) -> u64 {
        ENTRY_BYTES
            + match self {
                Self::Data(DataChange { kind: DataKind::Write { data, .. }, .. }) => {
                    data.len() as u64
                }
                Self::Data(_) | Self::Names { .. } => 0,
            }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    next: u64,
    log: BTreeMap<Seq, Change>,
    bytes: u64,
    /// The pending operations in each directory.
    dirs: BTreeMap<Ino, DirLog>,
    /// The last pending operation that gave, changed or took an inode's name.
    naming: BTreeMap<Ino, Seq>,
    /// The pending operations on each file's contents. An empty queue stays, for the next write.
    data: BTreeMap<Ino, VecDeque<Seq>>,
}

#[derive(Clone, Debug, Default)]
struct DirLog {
    all: BTreeSet<Seq>,
    /// The last pending operation on each name.
    last: BTreeMap<Box<str>, Seq>,
}

impl Journal {
    pub(crate) fn len(&self) -> usize {
        self.log.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends an operation on names. `ancestors` are the directories on the way to the places it touches, and
    /// `emptied` is the directory that it removes.
    pub(crate) fn push_names(
        &mut self,
        change: NameChange,
        ancestors: impl Iterator<Item = Ino>,
        emptied: Option<Ino>,
    ) {
        let named = ancestors.chain(change.inodes());
        let mut needs: Vec<Seq> = named.filter_map(|ino| self.naming.get(&ino).copied()).collect();
        needs.extend(
            emptied.and_then(|dir| self.dirs.get(&dir)).into_iter().flat_map(|dir| &dir.all),
        );
        let seq = self.next_seq();
        for slot in change.slots() {
            let dir = self.dirs.entry(slot.dir).or_default();
            dir.all.insert(seq);
            needs.extend(dir.last.insert(slot.name.clone(), seq));
        }
        for ino in change.inodes() {
            self.naming.insert(ino, seq);
        }
        self.insert(seq, Change::Names { change, needs });
    }

    /// Appends an operation on contents.
    pub(crate) fn push_data(&mut self, change: DataChange) {
        let seq = self.next_seq();
        self.data.entry(change.ino).or_default().push_back(seq);
        self.insert(seq, Change::Data(change));
    }

    fn next_seq(&mut self) -> Seq {
        self.next += 1;
        Seq(self.next)
    }

    fn insert(&mut self, seq: Seq, change: Change) {
        self.bytes += change.bytes();
        self.log.insert(seq, change);
    }

    fn remove(&mut self, seq: Seq) -> Change {
        let change = self.log.remove(&seq).expect("an indexed operation is in the log");
        self.bytes -= change.bytes();
        change
    }

    /// The last pending operation that gave, changed or took this inode's name.
    pub(crate) fn naming(&self, ino: Ino) -> Option<Seq> {
        self.naming.get(&ino).copied()
    }

    /// The pending operations in a directory.
    pub(crate) fn in_dir(&self, dir: Ino) -> impl Iterator<Item = Seq> {
        self.dirs.get(&dir).into_iter().flat_map(|dir| &dir.all).copied()
    }

    /// The oldest pending operation. It needs none.
    pub(crate) fn oldest(&self) -> Option<(Seq, &Change)> {
        self.log.first_key_value().map(|(&seq, change)| (seq, change))
    }

    /// These operations on names and all pending ones that they need, in order.
    pub(crate) fn with_needs(&self, wanted: impl Iterator<Item = Seq>) -> BTreeSet<Seq> {
        let (mut stack, mut found): (Vec<Seq>, BTreeSet<Seq>) = (wanted.collect(), BTreeSet::new());
        while let Some(seq) = stack.pop() {
            // One that is not in the log any more has been persisted.
            if let Some(Change::Names { needs, .. }) = self.log.get(&seq)
                && found.insert(seq)
            {
                stack.extend(needs);
            }
        }
        found
    }

    /// Takes an operation on names out of the log.
    pub(crate) fn take_names(&mut self, seq: Seq) -> NameChange {
        let Change::Names { change, .. } = self.remove(seq) else {
            unreachable!("{seq:?} is an operation on contents")
        };
        for slot in change.slots() {
            // A rename within one directory finds it gone the second time.
            let Some(dir) = self.dirs.get_mut(&slot.dir) else { continue };
            dir.all.remove(&seq);
            if dir.last.get(&slot.name) == Some(&seq) {
                dir.last.remove(&slot.name);
            }
            if dir.all.is_empty() {
                self.dirs.remove(&slot.dir);
            }
        }
        for ino in change.inodes() {
            if self.naming.get(&ino) == Some(&seq) {
                self.naming.remove(&ino);
            }
        }
        change
    }

    /// Takes the oldest operation on a file's contents out of the log.
    pub(crate) fn take_data(&mut self, ino: Ino) -> Option<DataChange> {
        let seq = self.data.get_mut(&ino)?.pop_front()?;
        match self.remove(seq) {
            Change::Data(change) => Some(change),
            Change::Names { .. } => unreachable!("{seq:?} is queued as an operation on contents"),
        }
    }

    /// Drops what is pending for the contents of an inode that can have no name any more.
    pub(crate) fn forget_data(&mut self, ino: Ino) {
        while self.take_data(ino).is_some() {}
        self.data.remove(&ino);
    }

    /// All pending operations on names with what they need, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = (Seq, &NameChange, &[Seq])> {
        self.log.iter().filter_map(|(&seq, entry)| match entry {
            Change::Names { change, needs } => Some((seq, change, &needs[..])),
            Change::Data(_) => None,
        })
    }

    /// The files with operations on their contents pending, and these in order.
    pub(crate) fn data(&self) -> impl Iterator<Item = (Ino, impl Iterator<Item = &DataChange>)> {
        self.data.iter().map(|(&ino, queue)| {
            let changes = queue.iter().map(|seq| match &self.log[seq] {
                Change::Data(change) => change,
                Change::Names { .. } => {
                    unreachable!("{seq:?} is queued as an operation on contents")
                }
            });
            (ino, changes)
        })
    }
}
