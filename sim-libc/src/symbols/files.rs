//! Opening files, and reading, writing, cutting and syncing them (open(2), pread(2), lseek(2), ftruncate(2), fsync(2)).
//!
//! Each is a submission that its thread waits for. What is read and written without an offset arrives through [`io`](super::io), which
//! serves every kind of descriptor.

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::io::{gather, scatter};
use super::paths::{Where, done, place, submit, system};
use super::{answer, answer_int, stat};
use crate::descriptors::{number, simulated};
use crate::memory::{In, Out, parts};
use crate::world::{is_member, with};
use bytes::Bytes;
use core::ffi::{c_char, c_int, c_uint};
use libc::{iovec, mode_t, off_t};
use sim_core::backend::{FileKind, Op, OpenOptions, Output, SeekTo};
use sim_core::{Errno, Fd, Result};

/// Flags that mean nothing here: what they ask for is so, or cannot be told apart.
const WITHOUT_MEANING: c_int = libc::O_CLOEXEC
    | libc::O_LARGEFILE
    | libc::O_NOATIME
    | libc::O_NOCTTY
    | libc::O_PATH
    | libc::O_SYNC
    | libc::O_DSYNC
    | LARGE_FILE;
/// The kernel's `O_LARGEFILE`, which libc has as 0 where it means nothing.
pub const LARGE_FILE: c_int = 0o100_000;

/// open(2)'s flags and mode, as the kernel of the world has them.
fn options(flags: c_int, mode: mode_t) -> Result<OpenOptions> {
    const KNOWN: c_int = libc::O_ACCMODE
        | libc::O_APPEND
        | libc::O_TRUNC
        | libc::O_CREAT
        | libc::O_EXCL
        | libc::O_DIRECTORY
        | libc::O_NOFOLLOW
        | libc::O_NONBLOCK;
    // A file system need not have files without a name (open(2), O_TMPFILE), and callers make one and remove its name.
    if flags & libc::O_TMPFILE == libc::O_TMPFILE {
        return Err(Errno::EOPNOTSUPP);
    }
    let unknown = flags & !KNOWN & !WITHOUT_MEANING;
    if unknown != 0 {
        return Err(with(|world| world.refuse(&format!("open with flags {unknown:#o}"))));
    }
    let access = flags & libc::O_ACCMODE;
    let has = |flag: c_int| flags & flag != 0;
    let write = access == libc::O_WRONLY || access == libc::O_RDWR;
    Ok(OpenOptions {
        read: access == libc::O_RDONLY || access == libc::O_RDWR,
        write,
        append: write && has(libc::O_APPEND),
        truncate: has(libc::O_TRUNC),
        create: has(libc::O_CREAT),
        create_new: has(libc::O_CREAT) && has(libc::O_EXCL),
        directory: has(libc::O_DIRECTORY),
        no_follow: has(libc::O_NOFOLLOW),
        nonblocking: has(libc::O_NONBLOCK),
        mode: Some(with(|world| world.folders.masked(mode))),
    })
}

/// Opens a file of the disk, and answers the program's number for it.
pub fn open_on_disk(path: Box<str>, flags: c_int, mode: mode_t) -> Result<c_int> {
    let options = options(flags, mode)?;
    match submit(Op::Open { path, options })? {
        Output::Fd(fd) => {
            // A kernel of 64 bits adds it to what it opens, and tells of it.
            with(|world| world.descriptors.open_file(fd, flags | LARGE_FILE));
            Ok(number(fd))
        }
        other => unreachable!("an open answers a descriptor, not {other:?}"),
    }
}

/// Opens what is the system's own, of which nothing real may be changed but what keeps nothing.
fn open_of_system(folder: c_int, path: In<c_char>, flags: c_int, mode: mode_t) -> c_int {
    let text = path.text().map(core::ffi::CStr::to_bytes).unwrap_or_default();
    let changes =
        flags & libc::O_ACCMODE != libc::O_RDONLY || flags & (libc::O_CREAT | libc::O_TRUNC) != 0;
    if is_member() && changes && !text.starts_with(b"/dev/") {
        return super::paths::denied("a file below /proc that is opened to be written") as c_int;
    }
    let fd = system(
        libc::SYS_openat,
        [folder as usize, path.address(), flags as usize, mode as usize, 0, 0],
    ) as c_int;
    if fd >= 0 && is_member() && matches!(text, b"/dev/urandom" | b"/dev/random") {
        with(|world| world.random.insert(fd));
    }
    fd
}

/// Another description of what a descriptor of the world is about, opened by its name in `/proc`.
fn reopen(path: &str, flags: c_int) -> Option<Result<c_int>> {
    let text = path.strip_prefix("/proc/self/fd/").or_else(|| path.strip_prefix("/dev/fd/"))?;
    let fd = simulated(text.parse().ok()?)?;
    let found = with(|world| world.universe.directory_path(&mut world.env, fd));
    Some(match found {
        Ok(path) => open_on_disk(path.into(), flags, 0),
        Err(_) => {
            Err(with(|world| world.refuse("opening a simulated descriptor by its name in /proc")))
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn openat64(folder: c_int, path: In<c_char>, flags: c_int, mode: mode_t) -> c_int {
    match place(folder, path) {
        Ok(Where::Disk(path)) => answer_int(open_on_disk(path, flags, mode)),
        Ok(Where::System(None)) => open_of_system(folder, path, flags, mode),
        Ok(Where::System(Some(absolute))) => {
            match absolute.to_str().ok().and_then(|path| reopen(path, flags)) {
                Some(result) => answer_int(result),
                None => open_of_system(libc::AT_FDCWD, In(absolute.as_ptr()), flags, mode),
            }
        }
        Err(errno) => answer_int(Err(errno)),
    }
}

#[unsafe(no_mangle)]
extern "C" fn openat(folder: c_int, path: In<c_char>, flags: c_int, mode: mode_t) -> c_int {
    openat64(folder, path, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn open64(path: In<c_char>, flags: c_int, mode: mode_t) -> c_int {
    openat64(libc::AT_FDCWD, path, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn open(path: In<c_char>, flags: c_int, mode: mode_t) -> c_int {
    openat64(libc::AT_FDCWD, path, flags, mode)
}

// What a program calls that was compiled to check its arguments (`_FORTIFY_SOURCE`).

#[unsafe(no_mangle)]
extern "C" fn __open_2(path: In<c_char>, flags: c_int) -> c_int {
    open(path, flags, 0)
}

#[unsafe(no_mangle)]
extern "C" fn __open64_2(path: In<c_char>, flags: c_int) -> c_int {
    open(path, flags, 0)
}

#[unsafe(no_mangle)]
extern "C" fn __openat_2(folder: c_int, path: In<c_char>, flags: c_int) -> c_int {
    openat(folder, path, flags, 0)
}

#[unsafe(no_mangle)]
extern "C" fn __openat64_2(folder: c_int, path: In<c_char>, flags: c_int) -> c_int {
    openat(folder, path, flags, 0)
}

#[unsafe(no_mangle)]
extern "C" fn creat(path: In<c_char>, mode: mode_t) -> c_int {
    open(path, libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC, mode)
}

#[unsafe(no_mangle)]
extern "C" fn creat64(path: In<c_char>, mode: mode_t) -> c_int {
    creat(path, mode)
}

/// Reads a file.
pub fn read_file(fd: Fd, offset: Option<u64>, into: &mut [u8]) -> Result<usize> {
    match submit(Op::Read { fd, offset, len: into.len() })? {
        Output::Data(data) => {
            into[..data.len()].copy_from_slice(&data);
            Ok(data.len())
        }
        other => unreachable!("a read answers data, not {other:?}"),
    }
}

/// Writes a file.
pub fn write_file(fd: Fd, offset: Option<u64>, data: &[u8]) -> Result<usize> {
    length(Op::Write { fd, offset, data: Bytes::copy_from_slice(data) }).map(|len| len as usize)
}

fn length(op: Op) -> Result<u64> {
    match submit(op)? {
        Output::Len(len) => Ok(len),
        other => unreachable!("a length is answered, not {other:?}"),
    }
}

/// An offset that a caller gives, for a descriptor that has offsets.
fn offset_of(fd: Fd, offset: off_t) -> Result<Option<u64>> {
    let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
    if with(|world| world.universe.is_file(fd)) { Ok(Some(offset)) } else { Err(Errno::ESPIPE) }
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn pread64(fd: c_int, into: Out<u8>, len: usize, offset: off_t) -> isize {
    match simulated(fd) {
        Some(fd) => {
            answer(offset_of(fd, offset).and_then(|offset| read_file(fd, offset, into.slice(len))))
        }
        None => {
            system(libc::SYS_pread64, [fd as usize, into.address(), len, offset as usize, 0, 0])
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn pread(fd: c_int, into: Out<u8>, len: usize, offset: off_t) -> isize {
    pread64(fd, into, len, offset)
}

#[unsafe(no_mangle)]
extern "C" fn pwrite64(fd: c_int, from: In<u8>, len: usize, offset: off_t) -> isize {
    match simulated(fd) {
        Some(fd) => {
            answer(offset_of(fd, offset).and_then(|offset| write_file(fd, offset, from.slice(len))))
        }
        None => {
            system(libc::SYS_pwrite64, [fd as usize, from.address(), len, offset as usize, 0, 0])
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn pwrite(fd: c_int, from: In<u8>, len: usize, offset: off_t) -> isize {
    pwrite64(fd, from, len, offset)
}

/// A count of parts, of which there may be 1024 (readv(2)).
fn count_of(count: c_int) -> Result<usize> {
    usize::try_from(count).ok().filter(|&count| count <= 1024).ok_or(Errno::EINVAL)
}

#[unsafe(no_mangle)]
extern "C" fn preadv64(fd: c_int, vector: In<iovec>, count: c_int, offset: off_t) -> isize {
    let Some(object) = simulated(fd) else {
        return system(
            libc::SYS_preadv,
            [fd as usize, vector.address(), count as usize, offset as usize, 0, 0],
        );
    };
    answer(count_of(count).and_then(|count| {
        let mut data = vec![0; parts(vector, count).map(|part| part.len()).sum()];
        let read = read_file(object, offset_of(object, offset)?, &mut data)?;
        scatter(parts(vector, count), &data[..read]);
        Ok(read)
    }))
}

#[unsafe(no_mangle)]
extern "C" fn preadv(fd: c_int, vector: In<iovec>, count: c_int, offset: off_t) -> isize {
    preadv64(fd, vector, count, offset)
}

#[unsafe(no_mangle)]
extern "C" fn pwritev64(fd: c_int, vector: In<iovec>, count: c_int, offset: off_t) -> isize {
    let Some(object) = simulated(fd) else {
        return system(
            libc::SYS_pwritev,
            [fd as usize, vector.address(), count as usize, offset as usize, 0, 0],
        );
    };
    answer(count_of(count).and_then(|count| {
        write_file(object, offset_of(object, offset)?, &gather(parts(vector, count)))
    }))
}

#[unsafe(no_mangle)]
extern "C" fn pwritev(fd: c_int, vector: In<iovec>, count: c_int, offset: off_t) -> isize {
    pwritev64(fd, vector, count, offset)
}

/// Moves a position. Holes are not told apart from zeros: all of a file is data (lseek(2), "the simplest implementation").
fn seek(fd: Fd, offset: off_t, whence: c_int) -> Result<u64> {
    if !with(|world| world.universe.is_file(fd)) {
        return Err(Errno::ESPIPE);
    }
    let forget_listing = || with(|world| world.descriptors.status(fd).listed.replace(None));
    let from_start = u64::try_from(offset).map_err(|_| Errno::EINVAL);
    let to = match whence {
        libc::SEEK_SET => SeekTo::Start(from_start?),
        libc::SEEK_CUR => SeekTo::Current(offset),
        libc::SEEK_END => SeekTo::End(offset),
        libc::SEEK_DATA | libc::SEEK_HOLE => {
            let (len, from) = (stat::of_open(fd)?.len, from_start.map_err(|_| Errno::ENXIO)?);
            if from >= len {
                return Err(Errno::ENXIO);
            }
            SeekTo::Start(if whence == libc::SEEK_DATA { from } else { len })
        }
        _ => return Err(Errno::EINVAL),
    };
    forget_listing();
    length(Op::Seek { fd, to })
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn lseek64(fd: c_int, offset: off_t, whence: c_int) -> off_t {
    match simulated(fd) {
        Some(fd) => answer(seek(fd, offset, whence).map(|position| position as usize)) as off_t,
        None => system(libc::SYS_lseek, [fd as usize, offset as usize, whence as usize, 0, 0, 0])
            as off_t,
    }
}

#[unsafe(no_mangle)]
extern "C" fn lseek(fd: c_int, offset: off_t, whence: c_int) -> off_t {
    lseek64(fd, offset, whence)
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate64(fd: c_int, len: off_t) -> c_int {
    let Some(object) = simulated(fd) else {
        return system(libc::SYS_ftruncate, [fd as usize, len as usize, 0, 0, 0, 0]) as c_int;
    };
    let len = u64::try_from(len).map_err(|_| Errno::EINVAL);
    answer_int(len.and_then(|len| done(Op::Truncate { fd: object, len })))
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate(fd: c_int, len: off_t) -> c_int {
    ftruncate64(fd, len)
}

/// Opens a file, does a thing with it, and closes it.
pub fn opened(
    path: Box<str>,
    flags: c_int,
    mode: mode_t,
    verb: impl FnOnce(c_int) -> Result<c_int>,
) -> Result<c_int> {
    let fd = open_on_disk(path, flags, mode)?;
    let answer = verb(fd);
    super::io::close_ours(fd);
    answer
}

#[unsafe(no_mangle)]
extern "C" fn truncate64(path: In<c_char>, len: off_t) -> c_int {
    super::paths::on_path_changing(
        libc::AT_FDCWD,
        path,
        |path| {
            let len = u64::try_from(len).map_err(|_| Errno::EINVAL)?;
            if super::paths::stat(path.clone(), true)?.kind == FileKind::Fifo {
                return Err(Errno::EINVAL);
            }
            opened(path, libc::O_WRONLY, 0, |fd| {
                let fd = simulated(fd).ok_or(Errno::EBADF)?;
                done(Op::Truncate { fd, len })
            })
        },
        |path| system(libc::SYS_truncate, [path.address(), len as usize, 0, 0, 0, 0]),
    )
}

#[unsafe(no_mangle)]
extern "C" fn truncate(path: In<c_char>, len: off_t) -> c_int {
    truncate64(path, len)
}

fn sync_file(fd: c_int, data_only: bool, number: libc::c_long) -> c_int {
    match simulated(fd) {
        // What is no file cannot be synced (fsync(2), EINVAL).
        Some(fd) => answer_int(done(Op::Sync { fd, data_only })),
        // Of the system's own there are only devices here, and nothing of them may wait for a real disk.
        None => system(number, [fd as usize, 0, 0, 0, 0, 0]) as c_int,
    }
}

#[unsafe(no_mangle)]
extern "C" fn fsync(fd: c_int) -> c_int {
    sync_file(fd, false, libc::SYS_fsync)
}

#[unsafe(no_mangle)]
extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync_file(fd, true, libc::SYS_fdatasync)
}

/// Makes all of the disk durable (sync(2)).
#[unsafe(no_mangle)]
extern "C" fn sync() -> c_int {
    if !is_member() {
        return system(libc::SYS_sync, [0; 6]) as c_int;
    }
    answer_int(done(Op::SyncAll))
}

/// The same, of the disk that a file is on.
#[unsafe(no_mangle)]
extern "C" fn syncfs(fd: c_int) -> c_int {
    match simulated(fd) {
        Some(fd) => answer_int(stat::of_open(fd).and_then(|_| done(Op::SyncAll))),
        None => system(libc::SYS_syncfs, [fd as usize, 0, 0, 0, 0, 0]) as c_int,
    }
}

/// It promises nothing that a crash of the machine would show (sync_file_range(2), "Warning").
#[unsafe(no_mangle)]
extern "C" fn sync_file_range(fd: c_int, offset: off_t, len: off_t, flags: c_uint) -> c_int {
    match simulated(fd) {
        Some(fd) => answer_int(stat::of_open(fd).map(|_| 0)),
        None => {
            let (offset, len) = (offset as usize, len as usize);
            system(libc::SYS_sync_file_range, [fd as usize, offset, len, flags as usize, 0, 0])
                as c_int
        }
    }
}
