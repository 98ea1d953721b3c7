//! Making things durable: fsync, fdatasync, sync, write-back, and how they fail.
//!
//! A sync of a file persists its contents and its present name, with the directories on the way to it. It does not
//! persist that a name was removed, except where another takes the place. A sync of a directory persists what was
//! made, renamed and removed in it (both sides of a rename between directories), and never the contents of what it
//! holds. POSIX promises less about names; ext4, xfs and btrfs all do this.
//!
//! A failed sync (fsync(2), `EIO`) behaves as on ext4 and xfs: the pages are marked clean although they never reached
//! the medium. Reads go on answering the new content, the next sync succeeds and writes nothing, and a crash brings
//! the old content back. Every description that was open reports the error once.

use crate::change::{DataChange, DataKind, Ino};
use crate::contents::{PAGE, pages_of};
use crate::disk::Disk;
use crate::files::FileId;
use crate::journal::{Change, Seq};
use sim_core::{Errno, Result};
use std::collections::BTreeSet;

impl Disk {
    /// Makes an open file or directory durable (fsync(2)), or with `data_only` what is needed to read its data back
    /// (fdatasync(2)): all but its modification time.
    ///
    /// # Errors
    /// `EIO` if a write-back failed that this description has not reported yet; see [`Disk::fail_next_sync`].
    pub fn sync(&mut self, id: FileId, data_only: bool) -> Result<()> {
        let ino = self.files.get(id)?.ino;
        if std::mem::take(&mut self.sync_fails) {
            self.fail_write_back(ino);
        }
        let errors = self.cached.get(&ino).map_or(0, |cached| cached.errors);
        let open = self.files.get_mut(id)?;
        if open.errors_seen != errors {
            open.errors_seen = errors;
            return Err(Errno::EIO);
        }
        self.persist_name(ino);
        if self.volatile.inode(ino).is_dir() {
            let changes = self.journal.with_needs(self.journal.in_dir(ino));
            self.persist_names(changes);
        }
        self.persist_data(ino, data_only);
        Ok(())
    }

    /// Makes everything durable (sync(2)), as an orderly shutdown does.
    pub fn sync_all(&mut self) {
        while self.persist_oldest() {}
    }

    /// Lets the next [`Disk::sync`] of whatever file or directory fail with `EIO`.
    ///
    /// What was written to the file since the last sync will never be on the medium, unless it is written again. A
    /// directory keeps what is pending.
    pub fn fail_next_sync(&mut self) {
        self.sync_fails = true;
    }

    /// Persists an inode's names and those of the directories on the way to them.
    fn persist_name(&mut self, ino: Ino) {
        let parents = &self.volatile.inode(ino).parents;
        // It has lost its names, and the medium need not know yet. One that was made and removed since the last sync
        // need not be remembered at all.
        if parents.is_empty() && self.durable.contains(ino) {
            return;
        }
        let ancestors = parents.iter().flat_map(|&dir| self.volatile.ancestors(dir));
        let named = std::iter::once(ino).chain(ancestors);
        let changes = self.journal.with_needs(named.filter_map(|ino| self.journal.naming(ino)));
        self.persist_names(changes);
    }

    fn persist_names(&mut self, changes: BTreeSet<Seq>) {
        for seq in changes {
            let change = self.journal.take_names(seq);
            self.durable.change_names(&change);
            if let Some(ino) = change.losing()
                && !self.durable.inode(ino).has_name()
            {
                self.durable.forget(ino);
                self.journal.forget_data(ino);
            }
        }
    }

    fn persist_data(&mut self, ino: Ino, data_only: bool) {
        if !self.durable.contains(ino) {
            return;
        }
        let (mut modified, mut sizes) = (self.durable.inode(ino).attributes.modified, false);
        while let Some(change) = self.journal.take_data(ino) {
            sizes |= change.sizes();
            self.durable.change_data(&change);
        }
        // A new length brings the inode along, and the time with it.
        if !data_only || sizes {
            modified = self.volatile.inode(ino).attributes.modified;
        }
        self.durable.inode_mut(ino).attributes.modified = modified;
    }

    /// Persists the oldest pending operation; `false` if there is none.
    pub(crate) fn persist_oldest(&mut self) -> bool {
        match self.journal.oldest() {
            None => return false,
            Some((seq, Change::Names { .. })) => self.persist_names(BTreeSet::from([seq])),
            Some((_, Change::Data(change))) => {
                let ino = change.ino;
                let change = self
                    .journal
                    .take_data(ino)
                    .expect("the oldest operation is the first of its file");
                self.durable.change_data(&change);
            }
        }
        true
    }

    /// The contents of `ino` could not be written: they are marked clean, and lost for the medium.
    fn fail_write_back(&mut self, ino: Ino) {
        let cached = self.cached.get_mut(&ino).expect("an open inode is known to the cache");
        cached.errors += 1;
        let mut of_inode = Vec::new();
        while let Some(change) = self.journal.take_data(ino) {
            if let DataKind::Write { offset, data, .. } = &change.kind {
                cached.unwritten.extend(pages_of(*offset, data.len() as u64));
            }
            // Length and attributes belong to the inode, which waits in the journal and not among the pages.
            if let DataKind::Attributes(_) = &change.kind {
                of_inode.push(change);
            } else if let Some(len) = length_of(&change) {
                of_inode.push(DataChange { kind: DataKind::SetLen(len), ..change });
            }
        }
        let len = self.volatile.inode(ino).metadata(ino).len;
        cached.unwritten.retain(|&page| page * PAGE < len);
        of_inode.into_iter().for_each(|change| self.journal.push_data(change));
    }
}

/// The length that a change gives to its file.
fn length_of(change: &DataChange) -> Option<u64> {
    match &change.kind {
        DataKind::Write { offset, data, grows: true } => Some(offset + data.len() as u64),
        DataKind::Write { grows: false, .. } | DataKind::Attributes(_) => None,
        DataKind::SetLen(len) => Some(*len),
    }
}
