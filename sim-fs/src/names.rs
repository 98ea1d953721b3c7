//! The verbs on names: opening, making, renaming, removing, listing.
//!
//! The order of the checks is the kernel's (fs/namei.c), since a call that is wrong twice has one answer.

use crate::change::{Ino, NameChange, NameKind, Slot};
use crate::disk::Disk;
use crate::files::FileId;
use crate::image::{Directory, Node};
use crate::path::{EBUSY, Last, Parent};
use sim_core::backend::{Entry, FileKind, Metadata, OpenOptions};
use sim_core::{Errno, Result};
use sim_time::WallTime;

impl Disk {
    /// Opens a file, or a directory for reading (open(2)).
    ///
    /// `append` implies writing, as in `std::fs::OpenOptions`. `truncate` and `create` do not ask for it, as in the
    /// kernel.
    ///
    /// # Errors
    /// `EINVAL` for neither reading nor writing; `ENXIO` for a socket's name; `ENOENT`, `ENOTDIR`, `EISDIR`, `EEXIST`, `ENAMETOOLONG`.
    pub fn open(&mut self, now: WallTime, path: &str, options: OpenOptions) -> Result<FileId> {
        let writable = options.write || options.append;
        if !(options.read || writable) {
            return Err(Errno::EINVAL);
        }
        let creates = options.create || options.create_new;
        let parent = self.volatile.parent_of(path)?;
        if creates && parent.slash && matches!(parent.last, Last::Name(_)) {
            return Err(Errno::EISDIR);
        }
        let ino = match self.volatile.step(parent.dir, parent.last)? {
            Some(_) if options.create_new => return Err(Errno::EEXIST),
            Some(ino) => {
                self.check_open(ino, creates || writable || options.truncate, parent.slash)?;
                if options.truncate {
                    self.set_len(now, ino, 0);
                }
                ino
            }
            None if creates => self.create(now, parent, FileKind::File),
            None => return Err(Errno::ENOENT),
        };
        Ok(self.open_inode(ino, options.read, writable, options.append))
    }

    fn check_open(&self, ino: Ino, changes: bool, slash: bool) -> Result<()> {
        match self.volatile.inode(ino).kind() {
            FileKind::Directory if changes => Err(Errno::EISDIR),
            FileKind::File | FileKind::Socket if slash => Err(Errno::ENOTDIR),
            FileKind::Socket => Err(Errno::ENXIO),
            _ => Ok(()),
        }
    }

    fn create(&mut self, now: WallTime, parent: Parent<'_>, kind: FileKind) -> Ino {
        let Last::Name(name) = parent.last else {
            unreachable!("what has no name is there already")
        };
        let ino = self.new_ino();
        let slot = Slot { dir: parent.dir, name: name.into() };
        self.change_names(NameChange { ino, kind: NameKind::Create(kind, slot), at: now });
        ino
    }

    /// Makes a directory (mkdir(2)).
    ///
    /// # Errors
    /// `EEXIST`; `ENOENT`, `ENOTDIR` on the way to it; `ENAMETOOLONG`; `ENOSPC`.
    pub fn create_dir(&mut self, now: WallTime, path: &str) -> Result<()> {
        let parent = self.volatile.parent_of(path)?;
        if self.volatile.step(parent.dir, parent.last)?.is_some() {
            return Err(Errno::EEXIST);
        }
        if self.free_blocks() == 0 {
            return Err(Errno::ENOSPC);
        }
        self.create(now, parent, FileKind::Directory);
        Ok(())
    }

    /// Makes the name of a Unix socket (bind(2), mknod(2)) and answers its inode's number, which no other ever has.
    ///
    /// # Errors
    /// `EEXIST`; `ENOENT`, `ENOTDIR` on the way to it; `ENAMETOOLONG`.
    pub fn create_socket(&mut self, now: WallTime, path: &str) -> Result<u64> {
        let parent = self.volatile.parent_of(path)?;
        if self.volatile.step(parent.dir, parent.last)?.is_some() {
            return Err(Errno::EEXIST);
        }
        if parent.slash {
            return Err(Errno::ENOENT);
        }
        Ok(self.create(now, parent, FileKind::Socket).0)
    }

    /// Removes a file's name (unlink(2)). Its contents stay for those who have it open.
    ///
    /// # Errors
    /// `EISDIR` for a directory; `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`.
    pub fn remove_file(&mut self, now: WallTime, path: &str) -> Result<()> {
        let parent = self.volatile.parent_of(path)?;
        let Last::Name(name) = parent.last else { return Err(Errno::EISDIR) };
        let ino = self.volatile.lookup(parent.dir, name)?.ok_or(Errno::ENOENT)?;
        if self.volatile.inode(ino).is_dir() {
            return Err(Errno::EISDIR);
        }
        if parent.slash {
            return Err(Errno::ENOTDIR);
        }
        self.remove(now, parent.dir, name, ino);
        Ok(())
    }

    /// Removes an empty directory (rmdir(2)).
    ///
    /// # Errors
    /// `ENOTEMPTY`; `ENOTDIR`; `ENOENT`; `ENAMETOOLONG`; `EINVAL` for `.`, `ENOTEMPTY` for `..`, `EBUSY` for `/`.
    pub fn remove_dir(&mut self, now: WallTime, path: &str) -> Result<()> {
        let parent = self.volatile.parent_of(path)?;
        let name = match parent.last {
            Last::Name(name) => name,
            Last::Dot => return Err(Errno::EINVAL),
            Last::DotDot => return Err(Errno::ENOTEMPTY),
            Last::Root => return Err(EBUSY),
        };
        let ino = self.volatile.lookup(parent.dir, name)?.ok_or(Errno::ENOENT)?;
        if !self.directory(ino)?.entries.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.remove(now, parent.dir, name, ino);
        Ok(())
    }

    fn remove(&mut self, now: WallTime, dir: Ino, name: &str, ino: Ino) {
        let kind = NameKind::Remove(Slot { dir, name: name.into() });
        self.change_names(NameChange { ino, kind, at: now });
    }

    /// Names a file or directory anew (rename(2)). A file takes the place of a file, a directory that of an empty
    /// directory, in one step. To rename a thing to its own name does nothing.
    ///
    /// # Errors
    /// `ENOENT`; `EISDIR`, `ENOTDIR` if a file and a directory would replace each other; `ENOTEMPTY`; `EINVAL` for a
    /// directory into itself; `EBUSY` for `/`, `.` and `..`; `ENAMETOOLONG`.
    pub fn rename(&mut self, now: WallTime, from: &str, to: &str) -> Result<()> {
        let (source, target) = (self.volatile.parent_of(from)?, self.volatile.parent_of(to)?);
        let (Last::Name(old), Last::Name(new)) = (source.last, target.last) else {
            return Err(EBUSY);
        };
        let ino = self.volatile.lookup(source.dir, old)?.ok_or(Errno::ENOENT)?;
        let replaced = self.volatile.lookup(target.dir, new)?;
        let is_dir = self.volatile.inode(ino).is_dir();
        if !is_dir && (source.slash || target.slash) {
            return Err(Errno::ENOTDIR);
        }
        if self.volatile.ancestors(target.dir).any(|dir| dir == ino) {
            return Err(Errno::EINVAL);
        }
        if let Some(replaced) = replaced {
            if self.volatile.ancestors(source.dir).any(|dir| dir == replaced) {
                return Err(Errno::ENOTEMPTY);
            }
            if replaced == ino {
                return Ok(());
            }
            self.check_replace(is_dir, replaced)?;
        }
        let from = Slot { dir: source.dir, name: old.into() };
        let to = Slot { dir: target.dir, name: new.into() };
        self.change_names(NameChange {
            ino,
            kind: NameKind::Rename { from, to, replaced },
            at: now,
        });
        Ok(())
    }

    fn check_replace(&self, by_dir: bool, replaced: Ino) -> Result<()> {
        if !by_dir {
            return if self.volatile.inode(replaced).is_dir() {
                Err(Errno::EISDIR)
            } else {
                Ok(())
            };
        }
        if self.directory(replaced)?.entries.is_empty() { Ok(()) } else { Err(Errno::ENOTEMPTY) }
    }

    /// What a directory holds, ordered by name, without `.` and `..` (getdents(2)).
    ///
    /// # Errors
    /// `ENOTDIR`; `ENOENT`; `ENAMETOOLONG`.
    pub fn read_dir(&self, path: &str) -> Result<Vec<Entry>> {
        let directory = self.directory(self.volatile.resolve(path)?)?;
        let entries = directory.entries.iter();
        Ok(entries
            .map(|(name, &ino)| Entry { name: name.clone(), kind: self.volatile.inode(ino).kind() })
            .collect())
    }

    /// Describes what a path names (stat(2)).
    ///
    /// # Errors
    /// `ENOENT`; `ENOTDIR`; `ENAMETOOLONG`.
    pub fn stat(&self, path: &str) -> Result<Metadata> {
        let ino = self.volatile.resolve(path)?;
        Ok(self.volatile.inode(ino).metadata(ino))
    }

    fn directory(&self, ino: Ino) -> Result<&Directory> {
        match &self.volatile.inode(ino).node {
            Node::Directory(directory) => Ok(directory),
            Node::File(_) | Node::Socket => Err(Errno::ENOTDIR),
        }
    }
}
