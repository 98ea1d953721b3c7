//! What files are (stat(2), statx(2), access(2)), and changing that (chmod(2), chown(2), utimensat(2)).
//!
//! Whoever asks is the superuser: only the right to execute can be missing. The time at which a file was made is not kept.

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::paths::{denied, done, on_path, on_path_changing, stat as stat_path, submit, system};
use super::{answer_int, call};
use crate::descriptors::simulated;
use crate::memory::{In, Out};
use crate::world::{is_member, with};
use core::ffi::{c_char, c_int, c_uint};
use libc::{gid_t, mode_t, stat64 as Stat, statx as Statx, timespec, timeval, uid_t};
use sim_core::backend::{AttributeChange, FileKind, Metadata, Op, Output, Place, SetTime};
use sim_core::{Errno, Fd, Result};
use sim_time::WallTime;

/// The number of the simulated disk's device (makedev(3)): the first partition of the first disk.
const DEVICE: (u32, u32) = (8, 1);
/// How much it is best to read at once.
const BLOCK: i64 = 4096;

fn kind_bits(kind: FileKind) -> u32 {
    match kind {
        FileKind::File => libc::S_IFREG,
        FileKind::Directory => libc::S_IFDIR,
        FileKind::Symlink => libc::S_IFLNK,
        FileKind::Socket => libc::S_IFSOCK,
        FileKind::Fifo => libc::S_IFIFO,
    }
}

fn parts(time: WallTime) -> (i64, i64) {
    let nanos = time.as_nanos();
    ((nanos / 1_000_000_000) as i64, (nanos % 1_000_000_000) as i64)
}

/// What is known of an object that is no file: of which kind it is.
fn of_object(fd: Fd) -> Result<Metadata> {
    call(|world| {
        let is_socket = world.descriptors.status(fd).kind.is_some();
        world.descriptors.close_on_exec(fd).ok_or(Errno::EBADF)?;
        let start = WallTime::UNIX_EPOCH;
        Ok(Metadata {
            kind: match is_socket {
                true => FileKind::Socket,
                false if world.universe.is_pipe(fd) => FileKind::Fifo,
                false => FileKind::File,
            },
            len: 0,
            inode: u64::from(fd.number()),
            links: 1,
            mode: if is_socket { 0o777 } else { 0o600 },
            owner: 0,
            group: 0,
            blocks: 0,
            modified: start,
            accessed: start,
            changed: start,
        })
    })
}

/// What an open file is.
pub fn of_open(fd: Fd) -> Result<Metadata> {
    if !with(|world| world.universe.has_inode(fd)) {
        return of_object(fd);
    }
    match submit(Op::StatFd { fd })? {
        Output::Metadata(metadata) => Ok(metadata),
        other => unreachable!("fstat answers metadata, not {other:?}"),
    }
}

fn fill(metadata: &Metadata, into: Out<Stat>) -> c_int {
    // Every field is a number, for which zero is a value.
    let mut value: Stat = crate::memory::zeroed();
    let ((accessed, accessed_ns), (modified, modified_ns), (changed, changed_ns)) =
        (parts(metadata.accessed), parts(metadata.modified), parts(metadata.changed));
    value.st_dev = libc::makedev(DEVICE.0, DEVICE.1);
    value.st_ino = metadata.inode;
    value.st_nlink = metadata.links as _;
    value.st_mode = kind_bits(metadata.kind) | metadata.mode;
    (value.st_uid, value.st_gid) = (metadata.owner, metadata.group);
    value.st_size = metadata.len as i64;
    value.st_blksize = BLOCK as _;
    value.st_blocks = metadata.blocks as i64;
    (value.st_atime, value.st_atime_nsec) = (accessed, accessed_ns);
    (value.st_mtime, value.st_mtime_nsec) = (modified, modified_ns);
    (value.st_ctime, value.st_ctime_nsec) = (changed, changed_ns);
    into.set(value);
    0
}

fn fill_extended(metadata: &Metadata, into: Out<Statx>) -> c_int {
    let mut value: Statx = crate::memory::zeroed();
    let time = |time| {
        let mut stamp: libc::statx_timestamp = crate::memory::zeroed();
        let (seconds, nanos) = parts(time);
        (stamp.tv_sec, stamp.tv_nsec) = (seconds, nanos as u32);
        stamp
    };
    value.stx_mask = libc::STATX_BASIC_STATS;
    value.stx_blksize = BLOCK as u32;
    value.stx_nlink = metadata.links;
    (value.stx_uid, value.stx_gid) = (metadata.owner, metadata.group);
    value.stx_mode = (kind_bits(metadata.kind) | metadata.mode) as u16;
    value.stx_ino = metadata.inode;
    value.stx_size = metadata.len;
    value.stx_blocks = metadata.blocks;
    value.stx_atime = time(metadata.accessed);
    value.stx_mtime = time(metadata.modified);
    value.stx_ctime = time(metadata.changed);
    (value.stx_dev_major, value.stx_dev_minor) = DEVICE;
    into.set(value);
    0
}

/// The descriptor that a call with `AT_EMPTY_PATH` is about, if it is one of ours.
fn by_descriptor(folder: c_int, path: In<c_char>, flags: c_int) -> Option<Fd> {
    let is_empty = path.text().is_none_or(|path| path.is_empty());
    if flags & libc::AT_EMPTY_PATH != 0 && is_empty { simulated(folder) } else { None }
}

/// Whether a call with `AT_EMPTY_PATH` is about a descriptor of the system.
fn is_systems_own(folder: c_int, path: In<c_char>, flags: c_int) -> bool {
    let is_empty = path.text().is_none_or(|path| path.is_empty());
    flags & libc::AT_EMPTY_PATH != 0
        && is_empty
        && folder != libc::AT_FDCWD
        && simulated(folder).is_none()
}

#[unsafe(no_mangle)]
extern "C" fn fstatat64(folder: c_int, path: In<c_char>, into: Out<Stat>, flags: c_int) -> c_int {
    let ask = |path: In<c_char>| {
        system(
            libc::SYS_newfstatat,
            [folder as usize, path.address(), into.address(), flags as usize, 0, 0],
        )
    };
    if let Some(fd) = by_descriptor(folder, path, flags) {
        return answer_int(of_open(fd).map(|metadata| fill(&metadata, into)));
    }
    if is_systems_own(folder, path, flags) {
        return ask(path) as c_int;
    }
    let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    on_path(folder, path, |path| Ok(fill(&stat_path(path, follow)?, into)), ask)
}

#[unsafe(no_mangle)]
extern "C" fn fstat64(fd: c_int, into: Out<Stat>) -> c_int {
    match simulated(fd) {
        Some(fd) => answer_int(of_open(fd).map(|metadata| fill(&metadata, into))),
        None => system(libc::SYS_fstat, [fd as usize, into.address(), 0, 0, 0, 0]) as c_int,
    }
}

#[unsafe(no_mangle)]
extern "C" fn stat64(path: In<c_char>, into: Out<Stat>) -> c_int {
    fstatat64(libc::AT_FDCWD, path, into, 0)
}

#[unsafe(no_mangle)]
extern "C" fn lstat64(path: In<c_char>, into: Out<Stat>) -> c_int {
    fstatat64(libc::AT_FDCWD, path, into, libc::AT_SYMLINK_NOFOLLOW)
}

// On the architectures of this object `struct stat` and `struct stat64` are one, and the names without a number mean the same.

#[unsafe(no_mangle)]
extern "C" fn fstatat(folder: c_int, path: In<c_char>, into: Out<Stat>, flags: c_int) -> c_int {
    fstatat64(folder, path, into, flags)
}

#[unsafe(no_mangle)]
extern "C" fn fstat(fd: c_int, into: Out<Stat>) -> c_int {
    fstat64(fd, into)
}

#[unsafe(no_mangle)]
extern "C" fn stat(path: In<c_char>, into: Out<Stat>) -> c_int {
    stat64(path, into)
}

#[unsafe(no_mangle)]
extern "C" fn lstat(path: In<c_char>, into: Out<Stat>) -> c_int {
    lstat64(path, into)
}

// What programs call that were linked with a C library before 2.33.

macro_rules! versioned {
    ($($name:ident, $name64:ident = $ours:ident($($arg:ident: $type:ty),*);)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(_version: c_int, $($arg: $type),*) -> c_int {
            $ours($($arg),*)
        }

        #[unsafe(no_mangle)]
        extern "C" fn $name64(_version: c_int, $($arg: $type),*) -> c_int {
            $ours($($arg),*)
        }
    )*};
}

versioned! {
    __xstat, __xstat64 = stat64(path: In<c_char>, into: Out<Stat>);
    __lxstat, __lxstat64 = lstat64(path: In<c_char>, into: Out<Stat>);
    __fxstat, __fxstat64 = fstat64(fd: c_int, into: Out<Stat>);
    __fxstatat, __fxstatat64 = fstatat64(folder: c_int, path: In<c_char>, into: Out<Stat>, flags: c_int);
}

#[unsafe(no_mangle)]
extern "C" fn statx(
    folder: c_int,
    path: In<c_char>,
    flags: c_int,
    mask: c_uint,
    into: Out<Statx>,
) -> c_int {
    let ask = |path: In<c_char>| {
        let (path, into) = (path.address(), into.address());
        system(libc::SYS_statx, [folder as usize, path, flags as usize, mask as usize, into, 0])
    };
    // std asks in this way whether there is such a call.
    if is_member() && into.is_null() {
        return answer_int(Err(Errno::EFAULT));
    }
    if let Some(fd) = by_descriptor(folder, path, flags) {
        return answer_int(of_open(fd).map(|metadata| fill_extended(&metadata, into)));
    }
    if is_systems_own(folder, path, flags) {
        return ask(path) as c_int;
    }
    let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    on_path(folder, path, |path| Ok(fill_extended(&stat_path(path, follow)?, into)), ask)
}

#[unsafe(no_mangle)]
extern "C" fn faccessat(folder: c_int, path: In<c_char>, mode: c_int, flags: c_int) -> c_int {
    let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    on_path(
        folder,
        path,
        |path| {
            let metadata = stat_path(path, follow)?;
            let executes = metadata.kind == FileKind::Directory || metadata.mode & 0o111 != 0;
            if mode & libc::X_OK != 0 && !executes { Err(Errno::EACCES) } else { Ok(0) }
        },
        |path| {
            system(libc::SYS_faccessat, [folder as usize, path.address(), mode as usize, 0, 0, 0])
        },
    )
}

#[unsafe(no_mangle)]
extern "C" fn access(path: In<c_char>, mode: c_int) -> c_int {
    faccessat(libc::AT_FDCWD, path, mode, 0)
}

#[unsafe(no_mangle)]
extern "C" fn euidaccess(path: In<c_char>, mode: c_int) -> c_int {
    access(path, mode)
}

#[unsafe(no_mangle)]
extern "C" fn eaccess(path: In<c_char>, mode: c_int) -> c_int {
    access(path, mode)
}

/// Changes what a path names.
fn change(
    folder: c_int,
    path: In<c_char>,
    flags: c_int,
    change: AttributeChange,
    theirs: impl FnOnce(In<c_char>) -> isize,
) -> c_int {
    if let Some(fd) = by_descriptor(folder, path, flags) {
        return answer_int(done(Op::SetAttributes { of: Place::Fd(fd), change }));
    }
    let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    let ours = |path: Box<str>| {
        if !follow
            && change.mode.is_some()
            && stat_path(path.clone(), false)?.kind == FileKind::Symlink
        {
            return Err(Errno::EOPNOTSUPP);
        }
        done(Op::SetAttributes { of: Place::Path { path, follow }, change })
    };
    on_path_changing(folder, path, ours, theirs)
}

/// Changes an open file.
fn change_open(fd: c_int, change: AttributeChange, theirs: impl FnOnce() -> isize) -> c_int {
    match simulated(fd) {
        Some(fd) => answer_int(done(Op::SetAttributes { of: Place::Fd(fd), change })),
        None if is_member() => denied("a change of a file of the system") as c_int,
        None => theirs() as c_int,
    }
}

fn mode_of(mode: mode_t) -> AttributeChange {
    AttributeChange { mode: Some(mode), ..AttributeChange::default() }
}

fn owners(owner: uid_t, group: gid_t) -> AttributeChange {
    let known = |id: u32| (id != u32::MAX).then_some(id);
    AttributeChange { owner: known(owner), group: known(group), ..AttributeChange::default() }
}

/// The two times as C has them; null is now for both.
fn times(times: In<timespec>) -> Result<AttributeChange> {
    let one = |time: timespec| match time.tv_nsec {
        libc::UTIME_NOW => Ok(Some(SetTime::Now)),
        libc::UTIME_OMIT => Ok(None),
        nanos if (0..1_000_000_000).contains(&nanos) => {
            // The calendar of a world begins in 1970.
            let seconds = u64::try_from(time.tv_sec).map_err(|_| Errno::EINVAL)?;
            let nanos = seconds.saturating_mul(1_000_000_000).saturating_add(nanos as u64);
            Ok(Some(SetTime::To(WallTime::from_nanos(nanos))))
        }
        _ => Err(Errno::EINVAL),
    };
    let (accessed, modified) = match times.slice(2) {
        [accessed, modified] => (one(*accessed)?, one(*modified)?),
        _ => (Some(SetTime::Now), Some(SetTime::Now)),
    };
    Ok(AttributeChange { accessed, modified, ..AttributeChange::default() })
}

#[unsafe(no_mangle)]
extern "C" fn fchmodat(folder: c_int, path: In<c_char>, mode: mode_t, flags: c_int) -> c_int {
    change(folder, path, flags, mode_of(mode), |path| {
        system(libc::SYS_fchmodat, [folder as usize, path.address(), mode as usize, 0, 0, 0])
    })
}

#[unsafe(no_mangle)]
extern "C" fn chmod(path: In<c_char>, mode: mode_t) -> c_int {
    fchmodat(libc::AT_FDCWD, path, mode, 0)
}

#[unsafe(no_mangle)]
extern "C" fn fchmod(fd: c_int, mode: mode_t) -> c_int {
    change_open(fd, mode_of(mode), || {
        system(libc::SYS_fchmod, [fd as usize, mode as usize, 0, 0, 0, 0])
    })
}

#[unsafe(no_mangle)]
extern "C" fn fchownat(
    folder: c_int,
    path: In<c_char>,
    owner: uid_t,
    group: gid_t,
    flags: c_int,
) -> c_int {
    change(folder, path, flags, owners(owner, group), |path| {
        let (owner, group) = (owner as usize, group as usize);
        system(
            libc::SYS_fchownat,
            [folder as usize, path.address(), owner, group, flags as usize, 0],
        )
    })
}

#[unsafe(no_mangle)]
extern "C" fn chown(path: In<c_char>, owner: uid_t, group: gid_t) -> c_int {
    fchownat(libc::AT_FDCWD, path, owner, group, 0)
}

#[unsafe(no_mangle)]
extern "C" fn lchown(path: In<c_char>, owner: uid_t, group: gid_t) -> c_int {
    fchownat(libc::AT_FDCWD, path, owner, group, libc::AT_SYMLINK_NOFOLLOW)
}

#[unsafe(no_mangle)]
extern "C" fn fchown(fd: c_int, owner: uid_t, group: gid_t) -> c_int {
    change_open(fd, owners(owner, group), || {
        system(libc::SYS_fchown, [fd as usize, owner as usize, group as usize, 0, 0, 0])
    })
}

#[unsafe(no_mangle)]
extern "C" fn utimensat(folder: c_int, path: In<c_char>, to: In<timespec>, flags: c_int) -> c_int {
    let ask = |path: In<c_char>| {
        system(
            libc::SYS_utimensat,
            [folder as usize, path.address(), to.address(), flags as usize, 0, 0],
        )
    };
    if path.0.is_null() && is_member() {
        return futimens(folder, to);
    }
    match times(to) {
        Ok(times) => change(folder, path, flags, times, ask),
        Err(errno) => answer_int(Err(errno)),
    }
}

#[unsafe(no_mangle)]
extern "C" fn futimens(fd: c_int, to: In<timespec>) -> c_int {
    match times(to) {
        Ok(times) => change_open(fd, times, || {
            system(libc::SYS_utimensat, [fd as usize, 0, to.address(), 0, 0, 0])
        }),
        Err(errno) => answer_int(Err(errno)),
    }
}

#[unsafe(no_mangle)]
extern "C" fn utimes(path: In<c_char>, to: In<timeval>) -> c_int {
    let precise: Vec<timespec> = to
        .slice(if to.0.is_null() { 0 } else { 2 })
        .iter()
        .map(|time| timespec { tv_sec: time.tv_sec, tv_nsec: time.tv_usec * 1000 })
        .collect();
    let precise = if precise.is_empty() { core::ptr::null() } else { precise.as_ptr() };
    utimensat(libc::AT_FDCWD, path, In(precise), 0)
}
