//! The verbs on names: opening, making, renaming, removing, listing.
//!
//! The order of the checks is the kernel's (fs/namei.c), since a call that is wrong twice has one answer.

use crate::change::{Ino, NameChange, NameKind, New, Slot};
use crate::disk::Disk;
use crate::files::FileId;
use crate::image::{Directory, Node};
use crate::path::{EBUSY, End, Last, Parent};
use sim_core::backend::{Entry, FileKind, Metadata, OpenOptions};
use sim_core::{Errno, Result};
use sim_time::WallTime;

/// The bits of a mode that chmod(2) can set.
pub(crate) const ALL_MODES: u32 = 0o7777;

impl Disk {
    /// Opens a file, or a directory for reading (open(2)).
    ///
    /// `append` implies writing, as in `std::fs::OpenOptions`. `truncate` and `create` do not ask for it, as in the
    /// kernel.
    ///
    /// # Errors
    /// `EINVAL` for neither reading nor writing, or for making a directory; `ENXIO` for a socket's name; `ENOENT`, `ENOTDIR`, `EISDIR`, `EEXIST`, `ENAMETOOLONG`; `ELOOP` for
    /// more than 40 symbolic links, or one that is not to be followed.
    pub fn open(&mut self, now: WallTime, path: &str, options: OpenOptions) -> Result<FileId> {
        let writable = options.write || options.append;
        if !(options.read || writable) {
            return Err(Errno::EINVAL);
        }
        let creates = options.create || options.create_new;
        if creates && options.directory {
            return Err(Errno::EINVAL);
        }
        let end = match (creates, options.create_new || options.no_follow) {
            (true, true) => End::Keep,
            (true, false) => End::FollowBare,
            (false, true) => End::KeepBare,
            (false, false) => End::Follow,
        };
        let mut parent = self.walk(path, end)?;
        if creates && parent.slash && matches!(parent.last, Last::Name(_)) {
            return Err(Errno::EISDIR);
        }
        let ino = match self.step(parent.dir, &parent.last)? {
            Some(_) if options.create_new => return Err(Errno::EEXIST),
            Some(ino) => {
                parent.slash |= options.directory;
                self.check_open(ino, creates || writable || options.truncate, parent.slash)?;
                if options.truncate && self.volatile.inode(ino).kind() == FileKind::File {
                    self.set_len(now, ino, 0);
                }
                ino
            }
            None if creates => {
                self.create(now, parent, New::File(options.mode.unwrap_or(0o666) & ALL_MODES))
            }
            None => return Err(Errno::ENOENT),
        };
        Ok(self.open_inode(ino, options.read, writable, options.append))
    }

    fn check_open(&self, ino: Ino, changes: bool, directory: bool) -> Result<()> {
        match self.volatile.inode(ino).kind() {
            FileKind::Directory if changes => Err(Errno::EISDIR),
            FileKind::Directory => Ok(()),
            _ if directory => Err(Errno::ENOTDIR),
            FileKind::Socket => Err(Errno::ENXIO),
            // One that was not to be followed (open(2), O_NOFOLLOW).
            FileKind::Symlink => Err(Errno::ELOOP),
            FileKind::File | FileKind::Fifo => Ok(()),
        }
    }

    pub(crate) fn create(&mut self, now: WallTime, parent: Parent, new: New) -> Ino {
        let Last::Name(name) = parent.last else {
            unreachable!("what has no name is there already")
        };
        let ino = self.new_ino();
        let slot = Slot { dir: parent.dir, name };
        self.change_names(NameChange { ino, kind: NameKind::Create(new, slot), at: now });
        ino
    }

    /// Makes a directory (mkdir(2)).
    ///
    /// # Errors
    /// `EEXIST`; `ENOENT`, `ENOTDIR` on the way to it; `ENAMETOOLONG`; `ENOSPC`.
    pub fn create_dir(&mut self, now: WallTime, path: &str) -> Result<()> {
        self.create_dir_with(now, path, 0o777)
    }

    /// As [`Disk::create_dir`], with these permissions.
    ///
    /// # Errors
    /// As [`Disk::create_dir`].
    pub fn create_dir_with(&mut self, now: WallTime, path: &str, mode: u32) -> Result<()> {
        let parent = self.walk(path, End::Keep)?;
        if self.step(parent.dir, &parent.last)?.is_some() {
            return Err(Errno::EEXIST);
        }
        if self.free_blocks() == 0 {
            return Err(Errno::ENOSPC);
        }
        self.create(now, parent, New::Directory(mode & ALL_MODES));
        Ok(())
    }

    /// Makes the name of a Unix socket (bind(2), mknod(2)) and answers its inode's number, which no other ever has.
    ///
    /// # Errors
    /// `EEXIST`; `ENOENT`, `ENOTDIR` on the way to it; `ENAMETOOLONG`.
    pub fn create_socket(&mut self, now: WallTime, path: &str) -> Result<u64> {
        self.create_special(now, path, New::Socket)
    }

    /// Makes the name of a pipe (mkfifo(3)), with these permissions. Whoever opens it gets a description that says which pipe is
    /// meant, by the number of its inode; bytes are not the disk's business.
    ///
    /// # Errors
    /// As [`Disk::create_socket`].
    pub fn create_fifo(&mut self, now: WallTime, path: &str, mode: u32) -> Result<()> {
        self.create_special(now, path, New::Fifo(mode & ALL_MODES)).map(drop)
    }

    fn create_special(&mut self, now: WallTime, path: &str, new: New) -> Result<u64> {
        let parent = self.walk(path, End::Keep)?;
        if self.step(parent.dir, &parent.last)?.is_some() {
            return Err(Errno::EEXIST);
        }
        if parent.slash {
            return Err(Errno::ENOENT);
        }
        Ok(self.create(now, parent, new).0)
    }

    /// Removes a file's name (unlink(2)). Its contents stay for those who have it open.
    ///
    /// # Errors
    /// `EISDIR` for a directory; `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`.
    pub fn remove_file(&mut self, now: WallTime, path: &str) -> Result<()> {
        let parent = self.walk(path, End::Keep)?;
        let Last::Name(name) = &parent.last else { return Err(Errno::EISDIR) };
        let ino = self.lookup(parent.dir, name)?.ok_or(Errno::ENOENT)?;
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
        let parent = self.walk(path, End::Keep)?;
        let name = match &parent.last {
            Last::Name(name) => name,
            Last::Dot => return Err(Errno::EINVAL),
            Last::DotDot => return Err(Errno::ENOTEMPTY),
            Last::Root => return Err(EBUSY),
        };
        let ino = self.lookup(parent.dir, name)?.ok_or(Errno::ENOENT)?;
        self.complete(ino);
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
        let (source, target) = (self.walk(from, End::Keep)?, self.walk(to, End::Keep)?);
        let (Last::Name(old), Last::Name(new)) = (source.last, target.last) else {
            return Err(EBUSY);
        };
        let ino = self.lookup(source.dir, &old)?.ok_or(Errno::ENOENT)?;
        let replaced = self.lookup(target.dir, &new)?;
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
            self.complete(replaced);
            self.check_replace(is_dir, replaced)?;
        }
        let from = Slot { dir: source.dir, name: old };
        let to = Slot { dir: target.dir, name: new };
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
    pub fn read_dir(&mut self, path: &str) -> Result<Vec<Entry>> {
        let ino = self.resolve(path, true)?;
        self.entries(ino)
    }

    /// What an open directory holds; nothing if it was removed.
    ///
    /// # Errors
    /// `ENOTDIR`; `EBADF`.
    pub fn read_dir_fd(&mut self, id: FileId) -> Result<Vec<Entry>> {
        let ino = self.files.get(id)?.ino;
        self.entries(ino)
    }

    fn entries(&mut self, ino: Ino) -> Result<Vec<Entry>> {
        self.complete(ino);
        let entries = self.directory(ino)?.entries.iter();
        let entries = entries.map(|(name, &ino)| {
            let kind = self.volatile.inode(ino).kind();
            Entry { name: name.clone(), kind, inode: ino.0 }
        });
        Ok(entries.collect())
    }

    /// Describes what a path names (stat(2)).
    ///
    /// # Errors
    /// `ENOENT`; `ENOTDIR`; `ENAMETOOLONG`; `ELOOP`.
    pub fn stat(&mut self, path: &str) -> Result<Metadata> {
        let ino = self.resolve(path, true)?;
        Ok(self.volatile.inode(ino).metadata(ino))
    }

    /// As [`Disk::stat`], of a symbolic link itself if the path ends with one (lstat(2)).
    ///
    /// # Errors
    /// As [`Disk::stat`].
    pub fn stat_link(&mut self, path: &str) -> Result<Metadata> {
        let ino = self.resolve(path, false)?;
        Ok(self.volatile.inode(ino).metadata(ino))
    }

    /// The absolute path of an open directory.
    ///
    /// # Errors
    /// `EBADF`; `ENOTDIR`; `ENOENT` if it was removed.
    pub fn path_of(&self, id: FileId) -> Result<String> {
        let mut ino = self.files.get(id)?.ino;
        self.directory(ino)?;
        let mut names: Vec<&str> = Vec::new();
        while ino != Ino::ROOT {
            let parent = self.volatile.inode(ino).parent().ok_or(Errno::ENOENT)?;
            let mut held = self.directory(parent)?.entries.iter();
            let (name, _) = held.find(|(_, held)| **held == ino).ok_or(Errno::ENOENT)?;
            names.push(name);
            ino = parent;
        }
        names.reverse();
        Ok(format!("/{}", names.join("/")))
    }

    fn directory(&self, ino: Ino) -> Result<&Directory> {
        match &self.volatile.inode(ino).node {
            Node::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }
}
