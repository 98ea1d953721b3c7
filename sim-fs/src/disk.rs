//! The disk, and the verbs on open files. Those on names are in `names`, on durability in `sync` and `crash`.

use crate::change::{DataChange, DataKind, Ino, NameChange};
use crate::contents::{PAGE, pages_of};
use crate::files::{FileId, Files, Open};
use crate::image::Image;
use crate::journal::Journal;
use crate::locks::Locks;
use crate::lower::Layer;
use crate::timing::Timing;
use bytes::Bytes;
use sim_core::backend::{FileKind, Metadata, SeekTo};
use sim_core::choice::{Path, Site, Stream};
use sim_core::{Env, Errno, Result};
use sim_time::WallTime;
use std::collections::{BTreeMap, BTreeSet};

const CRASH_MODE: Site = Site::new("fs.crash.mode");
const CRASH_KEEP: Site = Site::new("fs.crash.keep");
const DELAY: Site = Site::new("fs.disk.delay");

/// The longest file: 2^32 - 1 blocks, as on ext4.
const MAX_LEN: u64 = (u32::MAX as u64) * PAGE;
/// The most that one call reads or writes (read(2), write(2), "NOTES").
const MAX_COUNT: usize = 0x7fff_f000;
/// The greatest `off_t`. What is beyond was negative before it was cast.
const MAX_OFFSET: u64 = i64::MAX as u64;
/// Where write-back begins unless [`Disk::set_dirty_limit`] says otherwise.
const DIRTY_LIMIT: u64 = 64 << 20;

/// The file system of one host.
///
/// A verb takes effect when it is called: whoever owns the disk calls it at the instant of its completion, which
/// [`Disk::latency`] helps to choose. `now` is the host's wall clock and serves as modification time only.
///
/// Errors are those of Linux, checked against recorded answers of ext4 on Linux 6.18.
#[derive(Debug)]
pub struct Disk {
    pub(crate) volatile: Image,
    pub(crate) durable: Image,
    pub(crate) journal: Journal,
    pub(crate) files: Files,
    /// What the page cache knows of an inode besides its contents; only of those with something to know.
    pub(crate) cached: BTreeMap<Ino, Cached>,
    pub(crate) locks: Locks,
    pub(crate) layer: Layer,
    next_ino: u64,
    capacity_blocks: u64,
    dirty_limit: u64,
    pub(crate) sync_fails: bool,
    pub(crate) timing: Timing,
    pub(crate) crash_mode: Stream,
    pub(crate) crash_keep: Stream,
    pub(crate) delay: Stream,
}

/// What the page cache knows of an inode.
#[derive(Debug, Default)]
pub(crate) struct Cached {
    /// How many descriptions are open on it.
    pub(crate) opens: u32,
    /// How many write-back errors there were since it was first opened (`errseq_t`).
    pub(crate) errors: u32,
    /// Pages that are newer here than on the medium and yet marked clean, since writing them back failed.
    pub(crate) unwritten: BTreeSet<u64>,
}

/// How much a [`Disk`] holds, and how much work it has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Operations that a crash could lose.
    pub pending_operations: usize,
    /// What these are counted as towards [`Disk::set_dirty_limit`], in bytes.
    pub pending_bytes: u64,
    /// Space taken by contents and directories as programs see them, in bytes; whole blocks of 4096.
    pub used_bytes: u64,
    /// Open file descriptions.
    pub open_files: usize,
    /// How often a page was written to since the disk was made, in memory and on the medium together.
    pub pages_touched: u64,
}

impl Disk {
    /// An empty disk with a root directory and `/tmp`, of unlimited capacity. `path` is the host's, and names the
    /// asker of the disk's choices.
    #[must_use]
    pub fn new(env: &mut Env, path: Path) -> Self {
        let image = Image::new();
        Self {
            volatile: image.clone(),
            durable: image,
            journal: Journal::default(),
            files: Files::default(),
            cached: BTreeMap::new(),
            locks: Locks::default(),
            layer: Layer::default(),
            next_ino: Ino::FIRST_FREE.0,
            capacity_blocks: u64::MAX,
            dirty_limit: DIRTY_LIMIT,
            sync_fails: false,
            timing: Timing::default(),
            crash_mode: env.choices.stream(CRASH_MODE, path),
            crash_keep: env.choices.stream(CRASH_KEEP, path),
            delay: env.choices.stream(DELAY, path),
        }
    }

    /// Sets how many bytes the disk holds, rounded down to blocks of 4096. With no room left a write is cut short
    /// and the next one answers `ENOSPC`, as does making a directory; what is there already can be overwritten.
    ///
    /// A disk that holds more by now keeps it.
    pub fn set_capacity(&mut self, bytes: u64) {
        self.capacity_blocks = bytes / PAGE;
    }

    /// Sets how many bytes of operations may be pending before the oldest are written back, 64 MiB at first; see
    /// [`Usage::pending_bytes`]. This stands for the kernel's own write-back (`vm.dirty_bytes`, proc_sys_vm(5)) and
    /// bounds the memory of a program that never syncs.
    pub fn set_dirty_limit(&mut self, bytes: u64) {
        self.dirty_limit = bytes;
        self.write_back();
    }

    /// How much the disk holds and has done.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            pending_operations: self.journal.len(),
            pending_bytes: self.journal.bytes(),
            used_bytes: self.volatile.blocks() * PAGE,
            open_files: self.files.len(),
            pages_touched: self.volatile.pages_touched() + self.durable.pages_touched(),
        }
    }

    /// Reads up to `len` bytes (read(2), pread(2)): fewer at the end of the file, none beyond it.
    ///
    /// Without `offset`, from the description's position, which moves on.
    ///
    /// # Errors
    /// `EBADF` if it is not open for reading; `EISDIR`; `EINVAL` if the range ends beyond 2^63 - 1.
    pub fn read(
        &mut self,
        now: WallTime,
        id: FileId,
        offset: Option<u64>,
        len: usize,
    ) -> Result<Bytes> {
        check_offset(offset)?;
        let open = self.files.get(id)?;
        let (ino, at) = (open.ino, offset.unwrap_or(open.position));
        if !open.readable {
            return Err(Errno::EBADF);
        }
        check_range(at, len)?;
        self.check_contents(ino)?;
        let data = self.volatile.contents(ino).read(at, len.min(MAX_COUNT));
        if !data.is_empty() {
            self.volatile.note_access(ino, now);
        }
        if offset.is_none() {
            self.files.get_mut(id)?.position += data.len() as u64;
        }
        Ok(data)
    }

    /// Writes `data` (write(2), pwrite(2)) and answers how much of it was taken: less if the disk or the file is
    /// full.
    ///
    /// Without `offset`, at the description's position, which moves on. A file opened to append is written at its
    /// end whatever the offset (pwrite(2), "BUGS").
    ///
    /// # Errors
    /// `EBADF` if it is not open for writing; `ENOSPC`; `EFBIG` from 16 TiB - 4 KiB on; `EINVAL` if the range ends
    /// beyond 2^63 - 1.
    pub fn write(
        &mut self,
        now: WallTime,
        id: FileId,
        offset: Option<u64>,
        data: &Bytes,
    ) -> Result<u64> {
        check_offset(offset)?;
        let Open { ino, position, writable, append, .. } = *self.files.get(id)?;
        if !writable {
            return Err(Errno::EBADF);
        }
        check_range(offset.unwrap_or(position), data.len())?;
        self.check_contents(ino)?;
        if data.is_empty() {
            return Ok(0);
        }
        let len = self.volatile.contents(ino).len();
        let at = if append { len } else { offset.unwrap_or(position) };
        let room = MAX_LEN.checked_sub(at).filter(|&room| room > 0).ok_or(Errno::EFBIG)?;
        let data = data
            .slice(..data.len().min(MAX_COUNT).min(usize::try_from(room).unwrap_or(usize::MAX)));
        let done = self.write_at(now, ino, at, data)?;
        if offset.is_none() {
            self.files.get_mut(id)?.position = at + done;
        }
        Ok(done)
    }

    /// Only a file has contents on the disk: those of a named pipe are elsewhere.
    fn check_contents(&self, ino: Ino) -> Result<()> {
        match self.volatile.inode(ino).kind() {
            FileKind::File => Ok(()),
            FileKind::Directory => Err(Errno::EISDIR),
            FileKind::Symlink | FileKind::Socket | FileKind::Fifo => Err(Errno::EINVAL),
        }
    }

    fn write_at(&mut self, now: WallTime, ino: Ino, offset: u64, mut data: Bytes) -> Result<u64> {
        self.redirty(ino, offset, data.len() as u64);
        let len = self.volatile.contents(ino).len();
        let done = self.volatile.write(ino, offset, &data, self.free_blocks(), now);
        if done == 0 {
            return Err(Errno::ENOSPC);
        }
        data.truncate(done);
        let grows = offset + done as u64 > len;
        self.log_data(DataChange { ino, kind: DataKind::Write { offset, data, grows }, at: now });
        Ok(done as u64)
    }

    /// A page whose write-back failed is written back whole when it is written to again, with what was lost before.
    fn redirty(&mut self, ino: Ino, offset: u64, len: u64) {
        let Some(cached) = self.cached.get_mut(&ino).filter(|cached| !cached.unwritten.is_empty())
        else {
            return;
        };
        let pages: Vec<u64> = cached.unwritten.range(pages_of(offset, len)).copied().collect();
        for page in pages {
            self.cached.get_mut(&ino).expect("it was there").unwritten.remove(&page);
            let data = self.volatile.contents(ino).read(page * PAGE, PAGE as usize);
            let at = self.volatile.inode(ino).attributes.modified;
            let kind = DataKind::Write { offset: page * PAGE, data, grows: false };
            self.log_data(DataChange { ino, kind, at });
        }
    }

    /// Sets a file's length (ftruncate(2)). What is beyond is gone; what is new reads as zeros and takes no room.
    ///
    /// # Errors
    /// `EINVAL` if it is not a file open for writing, or `len` is beyond 2^63 - 1; `EFBIG` beyond 16 TiB - 4 KiB.
    pub fn truncate(&mut self, now: WallTime, id: FileId, len: u64) -> Result<()> {
        check_offset(Some(len))?;
        let open = *self.files.get(id)?;
        if !open.writable || self.check_contents(open.ino).is_err() {
            return Err(Errno::EINVAL);
        }
        if len > MAX_LEN {
            return Err(Errno::EFBIG);
        }
        self.set_len(now, open.ino, len);
        Ok(())
    }

    pub(crate) fn set_len(&mut self, now: WallTime, ino: Ino, len: u64) {
        let change = DataChange { ino, kind: DataKind::SetLen(len), at: now };
        self.volatile.change_data(&change);
        if let Some(cached) = self.cached.get_mut(&ino) {
            cached.unwritten.retain(|&page| page * PAGE < len);
        }
        self.log_data(change);
    }

    /// Moves the description's position (lseek(2)) and answers the new one.
    ///
    /// # Errors
    /// `EINVAL` if it would be before the start or beyond the greatest length of a file.
    pub fn seek(&mut self, id: FileId, to: SeekTo) -> Result<u64> {
        let open = *self.files.get(id)?;
        let position = match to {
            SeekTo::Start(offset) => Some(offset),
            SeekTo::Current(delta) => open.position.checked_add_signed(delta),
            SeekTo::End(delta) => {
                self.volatile.inode(open.ino).metadata(open.ino).len.checked_add_signed(delta)
            }
        };
        let position = position.filter(|&position| position <= MAX_LEN).ok_or(Errno::EINVAL)?;
        self.files.get_mut(id)?.position = position;
        Ok(position)
    }

    /// Describes an open file (fstat(2)). One whose name was removed has 0 links.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn stat_fd(&self, id: FileId) -> Result<Metadata> {
        let ino = self.files.get(id)?.ino;
        Ok(self.volatile.inode(ino).metadata(ino))
    }

    /// Closes a description (close(2)). A file without a name goes with its last one. Nothing becomes durable by it.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn close(&mut self, id: FileId) -> Result<()> {
        let ino = self.files.remove(id)?.ino;
        self.locks.forget_description(ino, id);
        let cached = self.cached.get_mut(&ino).expect("an open inode is known to the cache");
        cached.opens -= 1;
        if cached.opens == 0 {
            // Whoever opens it from now on has no business with errors that were reported before.
            cached.errors = 0;
            if cached.unwritten.is_empty() {
                self.cached.remove(&ino);
            }
            if !self.volatile.inode(ino).has_name() {
                self.drop_inode(ino);
            }
        }
        Ok(())
    }

    pub(crate) fn open_inode(
        &mut self,
        ino: Ino,
        readable: bool,
        writable: bool,
        append: bool,
    ) -> FileId {
        let cached = self.cached.entry(ino).or_default();
        cached.opens += 1;
        let errors_seen = cached.errors;
        self.files.insert(Open { ino, position: 0, readable, writable, append, errors_seen })
    }

    pub(crate) fn new_ino(&mut self) -> Ino {
        self.next_ino += 1;
        Ino(self.next_ino - 1)
    }

    pub(crate) fn free_blocks(&self) -> u64 {
        self.capacity_blocks.saturating_sub(self.volatile.blocks())
    }

    /// Does a change of names to the volatile view and logs it.
    pub(crate) fn change_names(&mut self, change: NameChange) {
        let ancestors = change.slots().flat_map(|slot| self.volatile.ancestors(slot.dir));
        let emptied = change.losing().filter(|&ino| self.volatile.inode(ino).is_dir());
        self.journal.push_names(change.clone(), ancestors, emptied);
        self.volatile.change_names(&change);
        if let Some(ino) = change.losing()
            && !self.volatile.inode(ino).has_name()
            && self.cached.get(&ino).is_none_or(|cached| cached.opens == 0)
        {
            self.drop_inode(ino);
        }
        self.write_back();
    }

    fn drop_inode(&mut self, ino: Ino) {
        self.volatile.forget(ino);
        self.cached.remove(&ino);
    }

    /// Logs a change of contents that was done to the volatile view, unless no crash could ever show it.
    pub(crate) fn log_data(&mut self, change: DataChange) {
        if self.durable.contains(change.ino) || self.journal.naming(change.ino).is_some() {
            self.journal.push_data(change);
            self.write_back();
        }
    }

    fn write_back(&mut self) {
        while self.journal.bytes() > self.dirty_limit && self.persist_oldest() {}
    }
}

/// Refuses an offset that a kernel would take for a negative one. It does so before it looks at the descriptor.
fn check_offset(offset: Option<u64>) -> Result<()> {
    if offset.is_some_and(|offset| offset > MAX_OFFSET) { Err(Errno::EINVAL) } else { Ok(()) }
}

/// Refuses a range whose end a kernel would take for a negative offset.
fn check_range(offset: u64, len: usize) -> Result<()> {
    let end = offset.checked_add(len as u64).filter(|&end| end <= MAX_OFFSET);
    end.map(drop).ok_or(Errno::EINVAL)
}
