//! The verbs on what a file is besides its content: permissions, owners, times.
//!
//! Whoever asks is the superuser: nothing is refused for want of permission, and what is set is remembered. A change is
//! an operation like a write: a sync of the file makes it durable, and a crash may lose it.

use crate::change::{DataChange, DataKind, Ino};
use crate::disk::Disk;
use crate::files::FileId;
use crate::names::ALL_MODES;
use sim_core::Result;
use sim_core::backend::{AttributeChange, SetTime};
use sim_time::WallTime;

impl Disk {
    /// Changes what a path names (chmod(2), chown(2), utimensat(2)).
    ///
    /// # Errors
    /// `ENOENT`; `ENOTDIR`; `ENAMETOOLONG`; `ELOOP`.
    pub fn set_attributes(
        &mut self,
        now: WallTime,
        path: &str,
        follow: bool,
        change: AttributeChange,
    ) -> Result<()> {
        let ino = self.resolve(path, follow)?;
        self.change_attributes(now, ino, change);
        Ok(())
    }

    /// Changes an open file (fchmod(2), fchown(2), futimens(3)).
    ///
    /// # Errors
    /// `EBADF`.
    pub fn set_attributes_fd(
        &mut self,
        now: WallTime,
        id: FileId,
        change: AttributeChange,
    ) -> Result<()> {
        let ino = self.files.get(id)?.ino;
        self.change_attributes(now, ino, change);
        Ok(())
    }

    fn change_attributes(&mut self, now: WallTime, ino: Ino, change: AttributeChange) {
        let mut attributes = self.volatile.inode(ino).attributes;
        let time = |old: WallTime, new: Option<SetTime>| match new {
            None => old,
            Some(SetTime::Now) => now,
            Some(SetTime::To(time)) => time,
        };
        attributes.mode = change.mode.map_or(attributes.mode, |mode| mode & ALL_MODES);
        attributes.owner = change.owner.unwrap_or(attributes.owner);
        attributes.group = change.group.unwrap_or(attributes.group);
        attributes.accessed = time(attributes.accessed, change.accessed);
        attributes.modified = time(attributes.modified, change.modified);
        let change = DataChange { ino, kind: DataKind::Attributes(attributes), at: now };
        self.volatile.change_data(&change);
        self.log_data(change);
    }
}
