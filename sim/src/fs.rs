//! Files on the host's disk.
//!
//! Every operation is submitted to the kernel and completes in its own time. What was not synced may
//! be lost when the host crashes.
//!
//! ```
//! sim::Builder::new().run(|| async {
//!     let mut file = sim::fs::File::create("/log").await?;
//!     file.write_all(b"entry").await?;
//!     file.sync_all().await?;
//!     assert_eq!(sim::fs::read("/log").await?, b"entry");
//!     std::io::Result::Ok(())
//! }).unwrap().unwrap();
//! ```

pub use sim_core::backend::{AttributeChange, Entry, FileKind, Metadata, SeekTo, SetTime};

use bytes::Bytes;
use sim_core::Fd;
use sim_core::backend::{self, Lock, LockMode, LockOwner, Op, Output, Place};
use sim_core::choice::{Path, name_hash};
use sim_core::object::{Object, ObjectKind};
use sim_core::rt::{self, Submission};
use std::io;

/// How much one read asks for where the caller sets no bound.
const CHUNK: usize = 64 * 1024;

/// How a file is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions(backend::OpenOptions);

impl OpenOptions {
    /// Nothing set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For reading.
    #[must_use]
    pub fn read(mut self, on: bool) -> Self {
        self.0.read = on;
        self
    }

    /// For writing.
    #[must_use]
    pub fn write(mut self, on: bool) -> Self {
        self.0.write = on;
        self
    }

    /// Every write goes to the end.
    #[must_use]
    pub fn append(mut self, on: bool) -> Self {
        self.0.append = on;
        self
    }

    /// Cut to length 0.
    #[must_use]
    pub fn truncate(mut self, on: bool) -> Self {
        self.0.truncate = on;
        self
    }

    /// Made if it is not there.
    #[must_use]
    pub fn create(mut self, on: bool) -> Self {
        self.0.create = on;
        self
    }

    /// Made, and refused if it is there.
    #[must_use]
    pub fn create_new(mut self, on: bool) -> Self {
        self.0.create_new = on;
        self
    }

    /// Opens a file.
    ///
    /// # Errors
    /// As open(2).
    pub async fn open(self, path: &str) -> io::Result<File> {
        let file = object(path);
        match rt::submit_at(Op::Open { path: path.into(), options: self.0 }, file).await? {
            Output::Fd(fd) => Ok(File { fd, file }),
            other => unreachable!("open answers a descriptor, not {other:?}"),
        }
    }
}

/// An open file.
#[derive(Debug)]
pub struct File {
    fd: Fd,
    /// The name it was opened by: whoever opens it by another is not known to touch the same file.
    file: Object,
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// As open(2).
    pub async fn open(path: &str) -> io::Result<Self> {
        OpenOptions::new().read(true).open(path).await
    }

    /// Makes a file, or empties it, for writing.
    ///
    /// # Errors
    /// As open(2).
    pub async fn create(path: &str) -> io::Result<Self> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path).await
    }

    /// Reads up to `len` bytes from the file's position on, and moves it.
    ///
    /// # Errors
    /// As read(2).
    pub async fn read(&mut self, len: usize) -> io::Result<Bytes> {
        data(rt::submit_at(Op::Read { fd: self.fd, offset: None, len }, self.file)).await
    }

    /// Reads up to `len` bytes at `offset`.
    ///
    /// # Errors
    /// As pread(2).
    pub async fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        data(rt::submit_at(Op::Read { fd: self.fd, offset: Some(offset), len }, self.file)).await
    }

    /// Reads from the file's position to its end.
    ///
    /// # Errors
    /// As read(2).
    pub async fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let chunk = self.read(CHUNK).await?;
            if chunk.is_empty() {
                return Ok(whole);
            }
            whole.extend_from_slice(&chunk);
        }
    }

    /// Writes at the file's position, or at its end if it was opened to append: how many bytes were taken.
    ///
    /// # Errors
    /// As write(2).
    pub async fn write(&mut self, data: impl Into<Bytes>) -> io::Result<u64> {
        len(rt::submit_at(Op::Write { fd: self.fd, offset: None, data: data.into() }, self.file))
            .await
    }

    /// Writes all of `data`.
    ///
    /// # Errors
    /// As write(2); part of it may have been written.
    pub async fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        let mut rest = Bytes::copy_from_slice(data);
        while !rest.is_empty() {
            let written = self.write(rest.clone()).await?;
            rest = rest.split_off(written as usize);
        }
        Ok(())
    }

    /// Writes at `offset`: how many bytes were taken.
    ///
    /// # Errors
    /// As pwrite(2).
    pub async fn write_at(&self, offset: u64, data: impl Into<Bytes>) -> io::Result<u64> {
        len(rt::submit_at(
            Op::Write { fd: self.fd, offset: Some(offset), data: data.into() },
            self.file,
        ))
        .await
    }

    /// Moves the file's position: the new one.
    ///
    /// # Errors
    /// As lseek(2).
    pub async fn seek(&mut self, to: SeekTo) -> io::Result<u64> {
        len(rt::submit_at(Op::Seek { fd: self.fd, to }, self.file)).await
    }

    /// Sets the length.
    ///
    /// # Errors
    /// As ftruncate(2).
    pub async fn set_len(&self, len: u64) -> io::Result<()> {
        done(rt::submit_at(Op::Truncate { fd: self.fd, len }, self.file)).await
    }

    /// Makes data and metadata durable.
    ///
    /// # Errors
    /// As fsync(2).
    pub async fn sync_all(&self) -> io::Result<()> {
        done(rt::submit_at(Op::Sync { fd: self.fd, data_only: false }, self.file)).await
    }

    /// Makes the data durable, and what is needed to read it back.
    ///
    /// # Errors
    /// As fdatasync(2).
    pub async fn sync_data(&self) -> io::Result<()> {
        done(rt::submit_at(Op::Sync { fd: self.fd, data_only: true }, self.file)).await
    }

    /// What the file is.
    ///
    /// # Errors
    /// As fstat(2).
    pub async fn metadata(&self) -> io::Result<Metadata> {
        metadata_of(rt::submit_at(Op::StatFd { fd: self.fd }, self.file)).await
    }

    /// Changes permissions, owners and times.
    ///
    /// # Errors
    /// As fchmod(2), fchown(2) and futimens(3).
    pub async fn set_attributes(&self, change: AttributeChange) -> io::Result<()> {
        done(rt::submit_at(Op::SetAttributes { of: Place::Fd(self.fd), change }, self.file)).await
    }

    /// Takes a lock of the whole file, alone, if nobody else has one.
    ///
    /// # Errors
    /// As flock(2): [`io::ErrorKind::WouldBlock`] if somebody has.
    pub async fn try_lock(&self) -> io::Result<()> {
        self.flock(LockMode::Exclusive).await
    }

    /// Takes a lock of the whole file that others may share, if nobody has it alone.
    ///
    /// # Errors
    /// As flock(2): [`io::ErrorKind::WouldBlock`] if somebody has.
    pub async fn try_lock_shared(&self) -> io::Result<()> {
        self.flock(LockMode::Shared).await
    }

    /// Gives the lock back, if there is one.
    ///
    /// # Errors
    /// As flock(2).
    pub async fn unlock(&self) -> io::Result<()> {
        self.flock(LockMode::Unlocked).await
    }

    async fn flock(&self, mode: LockMode) -> io::Result<()> {
        let lock = Lock { owner: LockOwner::Flock, mode, start: 0, end: u64::MAX };
        done(rt::submit_at(Op::Lock { fd: self.fd, lock }, self.file)).await
    }
}

impl Drop for File {
    fn drop(&mut self) {
        rt::try_call(|backend, env| backend.close(env, self.fd).unwrap_or_default());
    }
}

/// A whole file.
///
/// # Errors
/// As open(2) and read(2).
pub async fn read(path: &str) -> io::Result<Vec<u8>> {
    File::open(path).await?.read_to_end().await
}

/// Makes a file with this content.
///
/// # Errors
/// As open(2) and write(2).
pub async fn write(path: &str, data: &[u8]) -> io::Result<()> {
    File::create(path).await?.write_all(data).await
}

/// Names a file or directory anew; what had the new name is gone.
///
/// # Errors
/// As rename(2).
pub async fn rename(from: &str, to: &str) -> io::Result<()> {
    done(rt::submit_at(Op::Rename { from: from.into(), to: to.into() }, object(from))).await
}

/// Removes a file's name.
///
/// # Errors
/// As unlink(2).
pub async fn remove_file(path: &str) -> io::Result<()> {
    done(rt::submit_at(Op::RemoveFile { path: path.into() }, object(path))).await
}

/// Makes a directory.
///
/// # Errors
/// As mkdir(2).
pub async fn create_dir(path: &str) -> io::Result<()> {
    done(rt::submit_at(Op::CreateDir { path: path.into(), mode: None }, object(path))).await
}

/// Removes an empty directory.
///
/// # Errors
/// As rmdir(2).
pub async fn remove_dir(path: &str) -> io::Result<()> {
    done(rt::submit_at(Op::RemoveDir { path: path.into() }, object(path))).await
}

/// Gives a file one more name.
///
/// # Errors
/// As link(2).
pub async fn hard_link(from: &str, to: &str) -> io::Result<()> {
    done(rt::submit_at(Op::Link { from: from.into(), to: to.into() }, object(from))).await
}

/// Makes a symbolic link to `target`, which need not be there.
///
/// # Errors
/// As symlink(2).
pub async fn symlink(target: &str, path: &str) -> io::Result<()> {
    done(rt::submit_at(Op::Symlink { target: target.into(), path: path.into() }, object(path)))
        .await
}

/// What a symbolic link leads to.
///
/// # Errors
/// As readlink(2).
pub async fn read_link(path: &str) -> io::Result<Box<str>> {
    match rt::submit_at(Op::ReadLink { path: path.into() }, object(path)).await? {
        Output::Target(target) => Ok(target),
        other => unreachable!("a link answers its target, not {other:?}"),
    }
}

/// Changes permissions, owners and times of what a path names.
///
/// # Errors
/// As chmod(2), chown(2) and utimensat(2).
pub async fn set_attributes(path: &str, change: AttributeChange) -> io::Result<()> {
    let of = Place::Path { path: path.into(), follow: true };
    done(rt::submit_at(Op::SetAttributes { of, change }, object(path))).await
}

/// What a path names, be it a symbolic link.
///
/// # Errors
/// As lstat(2).
pub async fn symlink_metadata(path: &str) -> io::Result<Metadata> {
    metadata_of(rt::submit_at(Op::Stat { path: path.into(), follow: false }, object(path))).await
}

/// What a directory holds, ordered by name.
///
/// # Errors
/// As readdir(3).
pub async fn read_dir(path: &str) -> io::Result<Vec<Entry>> {
    match rt::submit_at(Op::ReadDir { path: path.into() }, object(path)).await? {
        Output::Entries(entries) => Ok(entries),
        other => unreachable!("a listing answers entries, not {other:?}"),
    }
}

/// What a path names.
///
/// # Errors
/// As stat(2).
pub async fn metadata(path: &str) -> io::Result<Metadata> {
    metadata_of(rt::submit_at(Op::Stat { path: path.into(), follow: true }, object(path))).await
}

/// What a path of the caller's host is to whoever asks what tasks share.
fn object(path: &str) -> Object {
    let host = rt::with(|runtime| runtime.host());
    Object::new(ObjectKind::File, Path::WORLD.child("disk", host.index() as u32), name_hash(path))
}

async fn done(submission: Submission) -> io::Result<()> {
    submission.await?;
    Ok(())
}

async fn data(submission: Submission) -> io::Result<Bytes> {
    match submission.await? {
        Output::Data(data) => Ok(data),
        other => unreachable!("a read answers data, not {other:?}"),
    }
}

async fn len(submission: Submission) -> io::Result<u64> {
    match submission.await? {
        Output::Len(len) => Ok(len),
        other => unreachable!("a write answers a length, not {other:?}"),
    }
}

async fn metadata_of(submission: Submission) -> io::Result<Metadata> {
    match submission.await? {
        Output::Metadata(metadata) => Ok(metadata),
        other => unreachable!("stat answers metadata, not {other:?}"),
    }
}
