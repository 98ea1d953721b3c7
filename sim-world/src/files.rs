//! What a door to the world asks of files beside the submissions: where an open file is, and what lies below a disk.

use crate::table::Object;
use crate::universe::Universe;
use bytes::Bytes;
use sim_core::{Env, Errno, Fd, HostId, Result};
use sim_fs::{FileId, Lower};
use std::rc::Rc;

/// What a shared mapping holds of a file; it lasts as long as its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    host: HostId,
    file: FileId,
}

impl Universe {
    /// Puts a tree of files below a host's disk; see [`Lower`].
    pub fn put_above(&mut self, env: &mut Env, host: HostId, below: Rc<dyn Lower>) {
        self.host(host).sees_real_files = true;
        self.host(host).disk(env).put_above(below);
    }

    /// The absolute path of an open directory.
    ///
    /// # Errors
    /// `EBADF`; `ENOTDIR`; `ENOENT` if it was removed.
    pub fn directory_path(&mut self, env: &mut Env, fd: Fd) -> Result<String> {
        let (host, file) = self.file_of(fd)?;
        self.host(host).disk(env).path_of(file)
    }

    /// The path in the tree below of an open file, as long as nobody has changed it.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn path_below(&mut self, env: &mut Env, fd: Fd) -> Result<Option<String>> {
        let (host, file) = self.file_of(fd)?;
        Ok(self.host(host).disk(env).below(file)?.map(str::to_owned))
    }

    /// Whether a number is that of a file or directory.
    #[must_use]
    pub fn is_file(&self, fd: Fd) -> bool {
        self.file_of(fd).is_ok()
    }

    /// Whether a number is that of a pipe.
    #[must_use]
    pub fn is_pipe(&self, fd: Fd) -> bool {
        self.table.of(fd).is_ok_and(|open| matches!(open.object, Object::Pipe(_)))
    }

    /// Whether a number is that of something with an inode on a disk: a file, a directory, a pipe with a name.
    #[must_use]
    pub fn has_inode(&self, fd: Fd) -> bool {
        self.table.of(fd).is_ok_and(|open| match &open.object {
            Object::Pipe(end) => end.file.is_some(),
            Object::File(_) => true,
            _ => false,
        })
    }

    /// The number of an open file on its host's disk.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn inode(&mut self, env: &mut Env, fd: Fd) -> Result<u64> {
        let (host, file) = self.file_of(fd)?;
        Ok(self.host(host).disk(env).stat_fd(file)?.inode)
    }

    /// Maps an open file shared: what is in it is looked at and changed as memory, without time and without an event.
    ///
    /// # Errors
    /// As [`Disk::map`](sim_fs::Disk::map).
    pub fn map(&mut self, env: &mut Env, fd: Fd, writes: bool) -> Result<Mapped> {
        let (host, file) = self.file_of(fd).map_err(|_| Errno::ENODEV)?;
        Ok(Mapped { host, file: self.host(host).disk(env).map(file, writes)? })
    }

    /// How long a mapped file is.
    ///
    /// # Errors
    /// `EBADF` if its host has crashed since.
    pub fn mapped_len(&mut self, env: &mut Env, mapped: Mapped) -> Result<u64> {
        Ok(self.host(mapped.host).disk(env).stat_fd(mapped.file)?.len)
    }

    /// What is in a mapped file: up to `len` bytes from `offset` on.
    ///
    /// # Errors
    /// `EBADF` if its host has crashed since.
    pub fn load(
        &mut self,
        env: &mut Env,
        mapped: Mapped,
        offset: u64,
        len: usize,
    ) -> Result<Bytes> {
        let now = self.host(mapped.host).clock.realtime(env.now);
        self.host(mapped.host).disk(env).read(now, mapped.file, Some(offset), len)
    }

    /// Says what was stored in a mapped file.
    ///
    /// # Errors
    /// `EBADF` if its host has crashed since; `ENOSPC`.
    pub fn store(&mut self, env: &mut Env, mapped: Mapped, offset: u64, data: &[u8]) -> Result<()> {
        let now = self.host(mapped.host).clock.realtime(env.now);
        let data = Bytes::copy_from_slice(data);
        self.host(mapped.host).disk(env).write(now, mapped.file, Some(offset), &data).map(drop)
    }

    /// A process closes a descriptor of a file, and with it gives its locks on that file back (fcntl(2)).
    ///
    /// # Errors
    /// `EBADF`.
    pub fn forget_process_locks(&mut self, env: &mut Env, fd: Fd, process: u32) -> Result<()> {
        let (host, file) = self.file_of(fd)?;
        self.host(host).disk(env).forget_process_locks(file, process)
    }

    fn file_of(&self, fd: Fd) -> Result<(HostId, FileId)> {
        let open = self.table.of(fd)?;
        match open.object {
            Object::File(file) => Ok((open.host, file)),
            _ => Err(Errno::EBADF),
        }
    }
}
