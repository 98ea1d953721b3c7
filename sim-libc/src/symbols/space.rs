//! Room for files, advice about them, and copying within the kernel (fallocate(2), posix_fadvise(2), copy_file_range(2), sendfile(2)).

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::paths::{done, system};
use super::{answer, answer_int, stat};
use crate::descriptors::simulated;
use crate::memory::Out;
use crate::real;
use crate::world::is_member;
use core::ffi::{c_int, c_uint};
use libc::off_t;
use sim_core::backend::{FileKind, Op};
use sim_core::{Errno, Fd, Result};

/// Makes a file at least so long. The disk has no room set aside; a write that finds none says so.
fn allocate(fd: Fd, offset: off_t, len: off_t) -> Result<c_int> {
    let (offset, len) = (u64::try_from(offset), u64::try_from(len));
    let (Ok(offset), Ok(len @ 1..)) = (offset, len) else { return Err(Errno::EINVAL) };
    let metadata = stat::of_open(fd)?;
    if metadata.kind != FileKind::File {
        return Err(Errno::ENODEV);
    }
    let end = offset.checked_add(len).ok_or(Errno::EFBIG)?;
    if end > metadata.len { done(Op::Truncate { fd, len: end }) } else { Ok(0) }
}

/// Other modes are refused as a file system may that does not have them (fallocate(2), EOPNOTSUPP).
#[unsafe(no_mangle)]
extern "C" fn fallocate64(fd: c_int, mode: c_int, offset: off_t, len: off_t) -> c_int {
    let Some(object) = simulated(fd) else {
        let (offset, len) = (offset as usize, len as usize);
        return system(libc::SYS_fallocate, [fd as usize, mode as usize, offset, len, 0, 0])
            as c_int;
    };
    answer_int(match mode {
        0 => allocate(object, offset, len),
        _ => Err(Errno::EOPNOTSUPP),
    })
}

#[unsafe(no_mangle)]
extern "C" fn fallocate(fd: c_int, mode: c_int, offset: off_t, len: off_t) -> c_int {
    fallocate64(fd, mode, offset, len)
}

/// The error is what it answers (posix_fallocate(3)).
#[unsafe(no_mangle)]
extern "C" fn posix_fallocate64(fd: c_int, offset: off_t, len: off_t) -> c_int {
    let Some(object) = simulated(fd) else {
        let arguments = [fd as usize, 0, offset as usize, len as usize, 0, 0];
        return -real::syscall(libc::SYS_fallocate, arguments) as c_int;
    };
    allocate(object, offset, len).map_or_else(|errno| c_int::from(errno.raw()), |_| 0)
}

#[unsafe(no_mangle)]
extern "C" fn posix_fallocate(fd: c_int, offset: off_t, len: off_t) -> c_int {
    posix_fallocate64(fd, offset, len)
}

#[unsafe(no_mangle)]
extern "C" fn posix_fadvise64(fd: c_int, offset: off_t, len: off_t, advice: c_int) -> c_int {
    match simulated(fd) {
        Some(_) => 0,
        None => {
            let arguments = [fd as usize, offset as usize, len as usize, advice as usize, 0, 0];
            -real::syscall(libc::SYS_fadvise64, arguments) as c_int
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn posix_fadvise(fd: c_int, offset: off_t, len: off_t, advice: c_int) -> c_int {
    posix_fadvise64(fd, offset, len, advice)
}

// Copying within the kernel: callers read and write where it cannot be done (copy_file_range(2), EXDEV; sendfile(2), EINVAL).

#[unsafe(no_mangle)]
extern "C" fn copy_file_range(
    from: c_int,
    at: Out<i64>,
    to: c_int,
    to_at: Out<i64>,
    len: usize,
    flags: c_uint,
) -> isize {
    if is_member() {
        return answer(Err(Errno::EXDEV));
    }
    let (at, to_at) = (at.address(), to_at.address());
    system(libc::SYS_copy_file_range, [from as usize, at, to as usize, to_at, len, flags as usize])
}

#[unsafe(no_mangle)]
extern "C" fn sendfile64(to: c_int, from: c_int, offset: Out<off_t>, len: usize) -> isize {
    if is_member() {
        return answer(Err(Errno::EINVAL));
    }
    system(libc::SYS_sendfile, [to as usize, from as usize, offset.address(), len, 0, 0])
}

#[unsafe(no_mangle)]
extern "C" fn sendfile(to: c_int, from: c_int, offset: Out<off_t>, len: usize) -> isize {
    sendfile64(to, from, offset, len)
}

#[unsafe(no_mangle)]
extern "C" fn splice(
    from: c_int,
    at: Out<i64>,
    to: c_int,
    to_at: Out<i64>,
    len: usize,
    flags: c_uint,
) -> isize {
    if simulated(from).or(simulated(to)).is_some() {
        return answer(Err(Errno::EINVAL));
    }
    let (at, to_at) = (at.address(), to_at.address());
    system(libc::SYS_splice, [from as usize, at, to as usize, to_at, len, flags as usize])
}
