//! Power loss: which of the pending operations reached the medium, asked of choices.
//!
//! One question first, since to lose everything that was not synced is the failure most often looked for and should
//! be one answer in a log: 0 everything survives, 1 nothing does, 2 each operation is asked about. Then, for each
//! operation that could have survived: 0 it did, 1 it did not. What needs a lost operation is lost unasked, and so
//! is a write to a file whose name did not survive: nobody would see the difference.
//!
//! Names are asked about first, in the order in which they were done; then the contents of the files that are
//! there, file by file.

use crate::disk::Disk;
use crate::journal::{Journal, Seq};
use crate::locks::Locks;
use sim_core::Env;
use std::collections::{BTreeMap, BTreeSet};

/// What became of the operations that were pending at a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// How many reached the medium.
    pub kept: usize,
    /// How many are lost.
    pub lost: usize,
}

impl Disk {
    /// Power loss. What was synced is there; of the rest, what choices let survive (sites `fs.crash.mode` and
    /// `fs.crash.keep`). All open files are gone: their ids answer `EBADF`.
    ///
    /// A disk may hold more than its capacity afterwards, where data survived in the space of a file whose removal
    /// did not.
    pub fn crash(&mut self, env: &mut Env) -> Crash {
        let pending = self.journal.len();
        // With nothing to lose there is one answer, and with one operation no difference between the last two. The
        // question is counted all the same, so that the n-th crash of a log stays the n-th.
        let kept = match env.choices.pick(&mut self.crash_mode, (pending as u64 + 1).min(3)) {
            0 => {
                self.sync_all();
                pending
            }
            1 => 0,
            _ => self.keep_some(env),
        };
        assert!(self.durable.is_well_formed(), "an operation survives only with what it needs");
        self.journal = Journal::default();
        self.volatile.become_like(&self.durable);
        self.files.clear();
        self.locks = Locks::default();
        self.cached = BTreeMap::new();
        self.sync_fails = false;
        Crash { kept, lost: pending - kept }
    }

    /// Asks about every pending operation, and answers how many survived.
    fn keep_some(&mut self, env: &mut Env) -> usize {
        let journal = std::mem::take(&mut self.journal);
        self.keep_names(env, &journal) + self.keep_data(env, &journal)
    }

    fn keep_names(&mut self, env: &mut Env, journal: &Journal) -> usize {
        let (mut kept, mut lost) = (0, BTreeSet::<Seq>::new());
        for (seq, change, needs) in journal.names() {
            if needs.iter().any(|need| lost.contains(need)) || self.is_lost(env) {
                lost.insert(seq);
                continue;
            }
            kept += 1;
            self.durable.change_names(change);
            if let Some(ino) = change.losing()
                && !self.durable.inode(ino).has_name()
            {
                self.durable.forget(ino);
            }
        }
        kept
    }

    fn keep_data(&mut self, env: &mut Env, journal: &Journal) -> usize {
        let mut kept = 0;
        for (ino, changes) in journal.data() {
            if !self.durable.contains(ino) {
                continue;
            }
            for change in changes {
                if !self.is_lost(env) {
                    kept += 1;
                    self.durable.change_data(change);
                }
            }
            self.durable.trim(ino);
        }
        kept
    }

    fn is_lost(&mut self, env: &mut Env) -> bool {
        env.choices.pick(&mut self.crash_keep, 2) == 1
    }
}
