//! Locks on files (flock(2), fcntl(2), "Advisory record locking"). They bind nobody who does not ask.
//!
//! Two families that know nothing of each other: locks of flock(2), each on a whole file and held by an open description;
//! and locks of ranges, held by a process or by an open description. A lock that one owner takes replaces what it held of
//! those bytes, so its locks never overlap. A crash takes all locks.

use crate::change::Ino;
use crate::disk::Disk;
use crate::files::FileId;
use sim_core::backend::{Lock, LockMode, LockOwner};
use sim_core::{Errno, Result};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
struct Held {
    lock: Lock,
    /// The description that took it. What the owner is, unless that is a process.
    by: FileId,
}

impl Held {
    fn is_of(&self, other: &Self) -> bool {
        self.lock.owner == other.lock.owner
            && (matches!(self.lock.owner, LockOwner::Process(_)) || self.by == other.by)
    }

    fn is_of_family(&self, other: &Self) -> bool {
        (self.lock.owner == LockOwner::Flock) == (other.lock.owner == LockOwner::Flock)
    }

    fn excludes(&self, wanted: &Self) -> bool {
        let overlaps = self.lock.start < wanted.lock.end && wanted.lock.start < self.lock.end;
        let is_exclusive =
            self.lock.mode == LockMode::Exclusive || wanted.lock.mode == LockMode::Exclusive;
        overlaps && is_exclusive && self.is_of_family(wanted) && !self.is_of(wanted)
    }

    /// What is left of it where `taken` lies.
    fn without(&self, taken: Lock) -> impl Iterator<Item = Self> {
        let (before, after) = (self.lock.end.min(taken.start), self.lock.start.max(taken.end));
        let parts = [(self.lock.start, before), (after, self.lock.end)];
        parts
            .into_iter()
            .filter(|(start, end)| start < end)
            .map(|(start, end)| Self { lock: Lock { start, end, ..self.lock }, by: self.by })
    }
}

/// The locks on the files of a disk.
#[derive(Debug, Default)]
pub(crate) struct Locks(BTreeMap<Ino, Vec<Held>>);

impl Locks {
    /// A description is closed.
    pub(crate) fn forget_description(&mut self, ino: Ino, by: FileId) {
        let of_description =
            |held: &Held| held.by == by && !matches!(held.lock.owner, LockOwner::Process(_));
        self.retain(ino, |held| !of_description(held));
    }

    fn retain(&mut self, ino: Ino, keep: impl Fn(&Held) -> bool) {
        if let Some(held) = self.0.get_mut(&ino) {
            held.retain(keep);
            if held.is_empty() {
                self.0.remove(&ino);
            }
        }
    }
}

impl Disk {
    /// Takes, changes or gives back a lock.
    ///
    /// # Errors
    /// `EAGAIN` if another holds a lock that excludes it; `EBADF`, also for a lock of a range that the file is not open
    /// for; `EINVAL` for an empty range.
    pub fn lock(&mut self, id: FileId, lock: Lock) -> Result<()> {
        let open = *self.files.get(id)?;
        if lock.start >= lock.end {
            return Err(Errno::EINVAL);
        }
        let (shared, exclusive) = (lock.mode == LockMode::Shared, lock.mode == LockMode::Exclusive);
        let is_range = lock.owner != LockOwner::Flock;
        if is_range && (shared && !open.readable || exclusive && !open.writable) {
            return Err(Errno::EBADF);
        }
        let wanted = Held { lock, by: id };
        let is_given = lock.mode != LockMode::Unlocked;
        let all = self.locks.0.entry(open.ino).or_default();
        if is_given && all.iter().any(|held| held.excludes(&wanted)) {
            return Err(Errno::EAGAIN);
        }
        let (own, mut kept): (Vec<Held>, Vec<Held>) =
            all.drain(..).partition(|held| held.is_of_family(&wanted) && held.is_of(&wanted));
        kept.extend(own.iter().flat_map(|held| held.without(lock)));
        kept.extend(is_given.then_some(wanted));
        *all = kept;
        if all.is_empty() {
            self.locks.0.remove(&open.ino);
        }
        Ok(())
    }

    /// A lock that would exclude this one (`F_GETLK`).
    ///
    /// # Errors
    /// `EBADF`.
    pub fn test_lock(&self, id: FileId, lock: Lock) -> Result<Option<Lock>> {
        let ino = self.files.get(id)?.ino;
        let wanted = Held { lock, by: id };
        let held = self.locks.0.get(&ino).into_iter().flatten();
        Ok(held.filter(|held| held.excludes(&wanted)).map(|held| held.lock).min_by_key(|l| l.start))
    }

    /// A process has closed a descriptor of a file: its locks on that file are gone (fcntl(2)).
    ///
    /// # Errors
    /// `EBADF`.
    pub fn forget_process_locks(&mut self, id: FileId, process: u32) -> Result<()> {
        let ino = self.files.get(id)?.ino;
        self.locks.retain(ino, |held| held.lock.owner != LockOwner::Process(process));
        Ok(())
    }
}
