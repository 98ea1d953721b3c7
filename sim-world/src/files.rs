//! What a door to the world asks of files beside the submissions: where an open file is, and what lies below a disk.

use crate::table::Object;
use crate::universe::Universe;
use sim_core::{Env, Errno, Fd, HostId, Result};
use sim_fs::{FileId, Lower};
use std::rc::Rc;

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
