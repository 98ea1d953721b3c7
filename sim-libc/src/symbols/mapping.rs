//! Files in memory (mmap(2)).
//!
//! A file that nobody has changed since it was declared is mapped for real, unless it is to be written through. A private mapping of any
//! other is memory of the process's own, which shows what was in the file when it was made, as it may (mmap(2), `MAP_PRIVATE`). A shared one
//! is the file's [window](crate::windows).

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::files::read_file;
use super::paths::system;
use super::{answer, stat};
use crate::descriptors::simulated;
use crate::memory::Out;
use crate::real;
use crate::windows::of_kernel;
use crate::world::with;
use core::ffi::{c_int, c_void};
use libc::off_t;
use sim_core::backend::FileKind;
use sim_core::{Errno, Fd, Result};
use std::ffi::CString;

/// What a mapping is asked for.
#[derive(Clone, Copy)]
struct Wanted {
    address: usize,
    len: usize,
    protection: c_int,
    flags: c_int,
    offset: off_t,
}

impl Wanted {
    fn map(self, flags: c_int, protection: c_int, fd: usize, offset: off_t) -> Result<usize> {
        let arguments =
            [self.address, self.len, protection as usize, flags as usize, fd, offset as usize];
        of_kernel(real::syscall(libc::SYS_mmap, arguments))
    }
}

/// Maps a declared file that nobody has changed.
fn map_below(path: &str, wanted: Wanted) -> Result<usize> {
    let path = CString::new(path).map_err(|_| Errno::EINVAL)?;
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
    let arguments = [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags, 0, 0, 0];
    let fd = of_kernel(real::syscall(libc::SYS_openat, arguments))?;
    let mapped = wanted.map(wanted.flags, wanted.protection, fd, wanted.offset);
    real::syscall(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
    mapped
}

/// Copies a file into memory of its own.
fn map_copy(fd: Fd, wanted: Wanted) -> Result<usize> {
    let offset = u64::try_from(wanted.offset).map_err(|_| Errno::EINVAL)?;
    let kept = wanted.flags & !(libc::MAP_SHARED | libc::MAP_SHARED_VALIDATE);
    let flags = kept | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let address = wanted.map(flags, libc::PROT_READ | libc::PROT_WRITE, usize::MAX, 0)?;
    let memory = Out(address as *mut u8).slice(wanted.len);
    let mut done = 0;
    while done < memory.len() {
        match read_file(fd, Some(offset + done as u64), &mut memory[done..]) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(errno) => {
                real::syscall(libc::SYS_munmap, [address, wanted.len, 0, 0, 0, 0]);
                return Err(errno);
            }
        }
    }
    let protection = wanted.protection as usize;
    real::syscall(libc::SYS_mprotect, [address, wanted.len, protection, 0, 0, 0]);
    Ok(address)
}

/// Maps the memory behind a file. Who may not write the file gets a descriptor that does not let it: mprotect(2) cannot either, then.
fn map_window(memory: c_int, writes: bool, wanted: Wanted) -> Result<usize> {
    if writes {
        return wanted.map(wanted.flags, wanted.protection, memory as usize, wanted.offset);
    }
    map_below(&format!("/proc/self/fd/{memory}"), wanted)
}

/// Whether a descriptor lets its file be read, and be written.
fn access(fd: Fd) -> (bool, bool) {
    let flags =
        with(|world| world.descriptors.status(fd).opened).unwrap_or_default() & libc::O_ACCMODE;
    (flags != libc::O_WRONLY, flags == libc::O_RDWR)
}

fn map(fd: Fd, wanted: Wanted) -> Result<usize> {
    let (reads, writes) = access(fd);
    let is_shared = wanted.flags & libc::MAP_TYPE != libc::MAP_PRIVATE;
    let is_written = is_shared && wanted.protection & libc::PROT_WRITE != 0;
    if !with(|world| world.universe.is_file(fd)) {
        return Err(Errno::ENODEV);
    }
    if !reads || is_written && !writes {
        return Err(Errno::EACCES);
    }
    if stat::of_open(fd)?.kind != FileKind::File {
        return Err(Errno::ENODEV);
    }
    if let Some(memory) = with(|world| world.memory_of(fd))? {
        return map_window(memory, writes, wanted);
    }
    match with(|world| world.universe.path_below(&mut world.env, fd))? {
        Some(path) if !is_written => {
            if is_shared {
                with(|world| world.note_real_mapping(fd))?;
            }
            map_below(&path, wanted)
        }
        _ if is_shared => {
            let memory = with(|world| world.open_window(fd, is_written))?;
            map_window(memory, writes, wanted)
        }
        _ => map_copy(fd, wanted),
    }
}

#[unsafe(no_mangle)]
extern "C" fn mmap64(
    address: *mut c_void,
    len: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    offset: off_t,
) -> *mut c_void {
    let wanted = Wanted { address: address as usize, len, protection, flags, offset };
    let is_file = flags & libc::MAP_ANONYMOUS == 0;
    let mapped = match simulated(fd).filter(|_| is_file) {
        Some(fd) => answer(map(fd, wanted)),
        None => {
            let (protection, flags) = (protection as usize, flags as usize);
            let arguments = [wanted.address, len, protection, flags, fd as usize, offset as usize];
            system(libc::SYS_mmap, arguments)
        }
    };
    mapped as *mut c_void
}

#[unsafe(no_mangle)]
extern "C" fn mmap(
    address: *mut c_void,
    len: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    offset: off_t,
) -> *mut c_void {
    mmap64(address, len, protection, flags, fd, offset)
}
