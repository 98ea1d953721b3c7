//! File operations and name look-ups: what a thread of the pool does for a submission.
//!
//! [`prepare`] turns an operation into a job: it looks up what belongs to the backend (descriptors,
//! the host's root directory), so that the job itself can run on any thread and after the
//! descriptor's number is closed.

use crate::errno::Answer;
use crate::root::Root;
use crate::table::Table;
use crate::{attributes, directory};
use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, SeekFrom, Stat};
use rustix::io::retry_on_intr;
use sim_core::backend::{FileKind, LockOwner, Metadata, Op, OpenOptions, Output, Place, SeekTo};
use sim_core::{Env, Errno, Fd, Result};
use sim_time::WallTime;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Linux moves no more than this in one call, whatever was asked for (read(2)).
const MOST: usize = 0x7fff_f000;

/// What a job gave.
#[derive(Debug)]
pub(crate) enum Done {
    /// A file, which gets its number when the completion comes in.
    Opened(OwnedFd, Box<str>),
    /// Anything else.
    Output(Output),
}

impl Done {
    const NOTHING: Self = Self::Output(Output::Done);

    fn len(len: u64) -> Self {
        Self::Output(Output::Len(len))
    }
}

/// Work for a thread of the pool.
pub(crate) type Job = Box<dyn FnOnce() -> Result<Done> + Send>;

/// The job of an operation; `EBADF` if its descriptor is not open.
pub(crate) fn prepare(env: &mut Env, op: Op, root: &Root, table: &Table) -> Result<Job> {
    let root = root.clone();
    let file = |fd: Fd| -> Result<Arc<OwnedFd>> { Ok(table.get(fd)?.file.clone()) };
    Ok(match op {
        Op::Open { path, options } => Box::new(move || open(&root, path, options)),
        Op::Read { fd, offset, len } => with(file(fd)?, move |file| read(file, offset, len)),
        Op::Write { fd, offset, data } => with(file(fd)?, move |file| write(file, offset, &data)),
        Op::Truncate { fd, len } => with(file(fd)?, move |file| {
            retry_on_intr(|| rustix::fs::ftruncate(file, len)).answer()?;
            Ok(Done::NOTHING)
        }),
        Op::Sync { fd, data_only } => with(file(fd)?, move |file| sync(file, data_only)),
        Op::SyncAll => Box::new(|| {
            rustix::fs::sync();
            Ok(Done::NOTHING)
        }),
        Op::Seek { fd, to } => with(file(fd)?, move |file| seek(file, to)),
        Op::StatFd { fd } => with(file(fd)?, stat),
        Op::Stat { path, follow } => {
            let flags = if follow { OFlags::PATH } else { OFlags::PATH | OFlags::NOFOLLOW };
            Box::new(move || stat(&root.open(&path, flags, Mode::empty())?))
        }
        Op::ReadDirFd { fd } => with(file(fd)?, directory::list),
        Op::Link { from, to } => Box::new(move || attributes::link(&root, &from, &to)),
        Op::Symlink { target, path } => {
            Box::new(move || attributes::symlink(&root, &target, &path))
        }
        Op::ReadLink { path } => Box::new(move || attributes::read_link(&root, &path)),
        Op::SetAttributes { of: Place::Path { path, follow }, change } => {
            Box::new(move || attributes::set(&root, &path, follow, change))
        }
        Op::SetAttributes { of: Place::Fd(fd), change } => {
            with(file(fd)?, move |file| attributes::set_open(file, change))
        }
        Op::Lock { fd, lock } if lock.owner == LockOwner::Flock => {
            with(file(fd)?, move |file| attributes::lock(file, lock.mode))
        }
        Op::Rename { from, to } => Box::new(move || rename(&root, &from, &to)),
        Op::RemoveFile { path } => Box::new(move || remove(&root, &path, AtFlags::empty())),
        Op::RemoveDir { path } => Box::new(move || remove(&root, &path, AtFlags::REMOVEDIR)),
        Op::CreateDir { path, mode } => Box::new(move || directory::create(&root, &path, mode)),
        Op::MakeFifo { path, mode } => Box::new(move || make_fifo(&root, &path, mode)),
        Op::ReadDir { path } => Box::new(move || directory::read(&root, &path)),
        Op::Resolve { name } => Box::new(move || resolve(&name)),
        other => {
            env.trace.notice(format!(
                "{other:?} has no counterpart on the real backend and answers EOPNOTSUPP"
            ));
            return Err(Errno::EOPNOTSUPP);
        }
    })
}

fn with(file: Arc<OwnedFd>, verb: impl FnOnce(&OwnedFd) -> Result<Done> + Send + 'static) -> Job {
    Box::new(move || verb(&file))
}

/// Opens without waiting, which matters for a FIFO alone: a thread that waits there for a partner could not be ended.
fn open(root: &Root, path: Box<str>, options: OpenOptions) -> Result<Done> {
    let flags = flags(options)? | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mode = Mode::from_raw_mode(options.mode.unwrap_or(0o666) & 0o7777);
    let file = root.open(&path, flags, mode)?;
    Ok(Done::Opened(file, path))
}

/// open(2)'s flags. Neither reading nor writing is `EINVAL`, as in the standard library.
fn flags(options: OpenOptions) -> Result<OFlags> {
    let OpenOptions { read, write, append, truncate, create, create_new, .. } = options;
    let mut flags = match (read, write || append) {
        (true, true) => OFlags::RDWR,
        (true, false) => OFlags::RDONLY,
        (false, true) => OFlags::WRONLY,
        (false, false) => return Err(Errno::EINVAL),
    };
    flags.set(OFlags::APPEND, append);
    flags.set(OFlags::TRUNC, truncate);
    flags.set(OFlags::CREATE, create || create_new);
    flags.set(OFlags::EXCL, create_new);
    flags.set(OFlags::DIRECTORY, options.directory);
    flags.set(OFlags::NOFOLLOW, options.no_follow);
    Ok(flags)
}

fn read(file: &OwnedFd, offset: Option<u64>, len: usize) -> Result<Done> {
    let mut data = Vec::new();
    data.try_reserve_exact(len.min(MOST)).map_err(|_| Errno::ENOMEM)?;
    if len > 0 {
        retry_on_intr(|| match offset {
            None => rustix::io::read(file, spare_capacity(&mut data)),
            Some(offset) => rustix::io::pread(file, spare_capacity(&mut data), offset),
        })
        .answer()?;
    }
    // A short read must not hold a long buffer for as long as its bytes live.
    if data.len() < data.capacity() / 2 {
        data.shrink_to_fit();
    }
    Ok(Done::Output(Output::Data(Bytes::from(data))))
}

fn write(file: &OwnedFd, offset: Option<u64>, data: &[u8]) -> Result<Done> {
    let written = retry_on_intr(|| match offset {
        None => rustix::io::write(file, data),
        Some(offset) => rustix::io::pwrite(file, data, offset),
    });
    Ok(Done::len(written.answer()? as u64))
}

fn sync(file: &OwnedFd, data_only: bool) -> Result<Done> {
    // Not repeated after an error: the kernel reports a lost write once, and a second call would say that all is well.
    let synced = if data_only { rustix::fs::fdatasync(file) } else { rustix::fs::fsync(file) };
    synced.answer()?;
    Ok(Done::NOTHING)
}

fn seek(file: &OwnedFd, to: SeekTo) -> Result<Done> {
    let to = match to {
        // The kernel takes a signed offset and answers a negative one in this way.
        SeekTo::Start(offset) if offset > i64::MAX as u64 => return Err(Errno::EINVAL),
        SeekTo::Start(offset) => SeekFrom::Start(offset),
        SeekTo::Current(by) => SeekFrom::Current(by),
        SeekTo::End(by) => SeekFrom::End(by),
    };
    Ok(Done::len(rustix::fs::seek(file, to).answer()?))
}

fn stat(file: &OwnedFd) -> Result<Done> {
    let stat = rustix::fs::fstat(file).answer()?;
    Ok(Done::Output(Output::Metadata(metadata(&stat))))
}

fn metadata(stat: &Stat) -> Metadata {
    // Before 1970 counts as 1970: the contract's calendar begins there.
    let time = |seconds: i64, nanos: u64| {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        WallTime::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    };
    Metadata {
        kind: kind(FileType::from_raw_mode(stat.st_mode)),
        len: stat.st_size as u64,
        inode: stat.st_ino,
        links: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
        mode: stat.st_mode & 0o7777,
        owner: stat.st_uid,
        group: stat.st_gid,
        blocks: u64::try_from(stat.st_blocks).unwrap_or(0),
        modified: time(stat.st_mtime, stat.st_mtime_nsec),
        accessed: time(stat.st_atime, stat.st_atime_nsec),
        changed: time(stat.st_ctime, stat.st_ctime_nsec),
    }
}

/// The contract has no devices; they are opened, read and written like files, so they count as files.
pub(crate) fn kind(file_type: FileType) -> FileKind {
    match file_type {
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        FileType::Socket => FileKind::Socket,
        FileType::Fifo => FileKind::Fifo,
        _ => FileKind::File,
    }
}

fn make_fifo(root: &Root, path: &str, mode: Option<u32>) -> Result<Done> {
    let place = root.place(path)?;
    let mode = Mode::from_raw_mode(mode.unwrap_or(0o666) & 0o7777);
    rustix::fs::mknodat(place.parent(), place.name, FileType::Fifo, mode, 0).answer()?;
    Ok(Done::NOTHING)
}

fn rename(root: &Root, from: &str, to: &str) -> Result<Done> {
    let (from, to) = (root.place(from)?, root.place(to)?);
    rustix::fs::renameat(from.parent(), from.name, to.parent(), to.name).answer()?;
    Ok(Done::NOTHING)
}

fn remove(root: &Root, path: &str, flags: AtFlags) -> Result<Done> {
    let place = root.place(path)?;
    rustix::fs::unlinkat(place.parent(), place.name, flags).answer()?;
    Ok(Done::NOTHING)
}

/// Asks the system's resolver. A name without addresses is `ENOENT`: the resolver's own reasons (EAI_NONAME and its like) are no
/// error numbers, and the standard library does not tell them apart.
fn resolve(name: &str) -> Result<Done> {
    if name.contains('\0') {
        return Err(Errno::EINVAL);
    }
    let found = (name, 0).to_socket_addrs().map_err(|error| match error.raw_os_error() {
        Some(_) => Err::<(), _>(error).answer().expect_err("it is an error"),
        None => Errno::ENOENT,
    })?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|found| found.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        Err(Errno::ENOENT)
    } else {
        Ok(Done::Output(Output::Addresses(addresses)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_flags() {
        let none = OpenOptions::default();
        let write = OpenOptions { write: true, ..none };
        for (options, expected) in [
            (none, Err(Errno::EINVAL)),
            (OpenOptions { create: true, ..none }, Err(Errno::EINVAL)),
            (OpenOptions { read: true, ..none }, Ok(OFlags::RDONLY)),
            (OpenOptions { read: true, ..write }, Ok(OFlags::RDWR)),
            (OpenOptions { append: true, ..none }, Ok(OFlags::WRONLY | OFlags::APPEND)),
            (
                OpenOptions { truncate: true, create: true, ..write },
                Ok(OFlags::WRONLY | OFlags::TRUNC | OFlags::CREATE),
            ),
            (
                OpenOptions { create_new: true, ..write },
                Ok(OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL),
            ),
        ] {
            assert_eq!(flags(options), expected, "{options:?}");
        }
    }

    #[test]
    fn a_read_of_more_than_memory_is_refused_or_cut() {
        let file = rustix::fs::open("/dev/null", OFlags::RDONLY, Mode::empty()).unwrap();
        match read(&file, None, usize::MAX) {
            Ok(Done::Output(Output::Data(data))) => assert!(data.is_empty()),
            answer => assert_eq!(answer.unwrap_err(), Errno::ENOMEM),
        }
    }
}
