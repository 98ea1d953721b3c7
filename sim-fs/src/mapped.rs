//! Files that are mapped shared (mmap(2), `MAP_SHARED`): what a mapping holds of a file, whoever has the memory.
//!
//! A shared mapping is the page cache itself. Whoever owns the memory says what was stored there with [`Disk::write`], and looks at what
//! was written since with [`Disk::read`], both at once: it is memory, and takes no time of the disk.

use crate::disk::Disk;
use crate::files::FileId;
use sim_core::backend::FileKind;
use sim_core::{Errno, Result};

impl Disk {
    /// Opens what a shared mapping keeps of an open file: a description of its own, without its locks and its position, which lasts until
    /// it is closed.
    ///
    /// # Errors
    /// As mmap(2): `EBADF`; `EACCES` if it is not open for reading, or is to be written through and not open for writing; `ENODEV` if it is
    /// no file.
    pub fn map(&mut self, id: FileId, writes: bool) -> Result<FileId> {
        let open = *self.files.get(id)?;
        if !open.readable || writes && !open.writable {
            return Err(Errno::EACCES);
        }
        if self.volatile.inode(open.ino).kind() != FileKind::File {
            return Err(Errno::ENODEV);
        }
        // The file may be mapped again by somebody who writes.
        Ok(self.open_inode(open.ino, true, true, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use sim_core::Env;
    use sim_core::backend::{Lock, LockMode, LockOwner, OpenOptions};
    use sim_core::choice::{Choices, Log, Path};
    use sim_time::WallTime;

    const NOW: WallTime = WallTime::UNIX_EPOCH;

    fn disk() -> Disk {
        let mut env = Env::new(Choices::replay(&Log::default()));
        Disk::new(&mut env, Path::parse("host"))
    }

    fn open(disk: &mut Disk, read: bool, write: bool) -> FileId {
        let options = OpenOptions { read, write, create: write, ..OpenOptions::default() };
        disk.open(NOW, "/file", options).unwrap()
    }

    #[test]
    fn a_mapping_needs_a_file_that_is_open_for_it() {
        let mut disk = disk();
        let writer = open(&mut disk, false, true);
        assert_eq!(disk.map(writer, true), Err(Errno::EACCES));
        let reader = open(&mut disk, true, false);
        assert_eq!(disk.map(reader, true), Err(Errno::EACCES));
        assert!(disk.map(reader, false).is_ok());
        let options = OpenOptions { read: true, ..OpenOptions::default() };
        let folder = disk.open(NOW, "/tmp", options).unwrap();
        assert_eq!(disk.map(folder, false), Err(Errno::ENODEV));
    }

    #[test]
    fn a_mapping_outlives_descriptor_and_name_and_holds_no_lock() {
        let mut disk = disk();
        let file = open(&mut disk, true, true);
        disk.write(NOW, file, None, &Bytes::from_static(b"text")).unwrap();
        let lock =
            Lock { owner: LockOwner::Flock, mode: LockMode::Exclusive, start: 0, end: u64::MAX };
        disk.lock(file, lock).unwrap();
        let mapped = disk.map(file, true).unwrap();
        disk.close(file).unwrap();
        let other = open(&mut disk, true, true);
        disk.lock(other, lock).unwrap();
        disk.close(other).unwrap();
        disk.remove_file(NOW, "/file").unwrap();
        assert_eq!(&disk.read(NOW, mapped, Some(0), 9).unwrap()[..], b"text");
    }
}
