//! The verbs on links, hard and symbolic.

use crate::change::{NameChange, NameKind, New, Slot};
use crate::disk::Disk;
use crate::image::Node;
use crate::path::{End, Last};
use sim_core::{Errno, Result};
use sim_time::WallTime;

/// The longest target of a symbolic link, in bytes.
const TARGET_MAX: usize = 4095;

impl Disk {
    /// Gives a file one more name (link(2)). A symbolic link at the end of `from` is linked itself.
    ///
    /// # Errors
    /// `EPERM` for a directory; `EEXIST`; `ENOENT`; `ENOTDIR`; `ENAMETOOLONG`; `ELOOP`.
    pub fn link(&mut self, now: WallTime, from: &str, to: &str) -> Result<()> {
        let ino = self.resolve(from, false)?;
        let parent = self.walk(to, End::Keep)?;
        if self.step(parent.dir, &parent.last)?.is_some() {
            return Err(Errno::EEXIST);
        }
        if parent.slash {
            return Err(Errno::ENOENT);
        }
        if self.volatile.inode(ino).is_dir() {
            return Err(Errno::EPERM);
        }
        let Last::Name(name) = parent.last else {
            unreachable!("what has no name is there already")
        };
        let slot = Slot { dir: parent.dir, name };
        self.change_names(NameChange { ino, kind: NameKind::Link(slot), at: now });
        Ok(())
    }

    /// Makes a symbolic link to `target`, which need not be there (symlink(2)).
    ///
    /// # Errors
    /// `EEXIST`; `ENOENT`, also for an empty target; `ENOTDIR`; `ENAMETOOLONG`; `ELOOP`.
    pub fn symlink(&mut self, now: WallTime, target: &str, path: &str) -> Result<()> {
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        if target.len() > TARGET_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let parent = self.walk(path, End::Keep)?;
        if self.step(parent.dir, &parent.last)?.is_some() {
            return Err(Errno::EEXIST);
        }
        if parent.slash {
            return Err(Errno::ENOENT);
        }
        self.create(now, parent, New::Symlink(target.into()));
        Ok(())
    }

    /// What a symbolic link leads to (readlink(2)).
    ///
    /// # Errors
    /// `EINVAL` if it is none; `ENOENT`; `ENOTDIR`; `ENAMETOOLONG`; `ELOOP`.
    pub fn read_link(&mut self, path: &str) -> Result<Box<str>> {
        let ino = self.resolve(path, false)?;
        match &self.volatile.inode(ino).node {
            Node::Symlink(target) => Ok(target.clone()),
            _ => Err(Errno::EINVAL),
        }
    }
}
