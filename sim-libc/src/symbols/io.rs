//! Reading, writing and closing whatever a descriptor is (read(2), write(2), close(2), dup(2), fcntl(2), ioctl(2), pipe(2)).
//!
//! Numbers below those of the world are the system's: the standard streams, devices, and what of `/proc` is open. What is written to the
//! standard streams is remembered for the report. The devices of random bytes are opened for real, and read from the world.

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::process::PID;
use super::{answer, answer_int, blocking, call, entropy, files, locks};
use crate::descriptors::{number, simulated};
use crate::memory::{In, Out, parts};
use crate::real::{self, next};
use crate::world::{World, is_member, with};
use core::ffi::{c_int, c_ulong};
use libc::iovec;
use sim_core::backend::{Backend, Readiness};
use sim_core::{Errno, Fd, Result};

/// Reads into parts one after the other, as far as there is something.
pub fn scatter(into: impl Iterator<Item = &'static mut [u8]>, data: &[u8]) {
    let mut rest = data;
    for part in into {
        let len = part.len().min(rest.len());
        part[..len].copy_from_slice(&rest[..len]);
        rest = &rest[len..];
    }
}

/// All parts in a row.
pub fn gather(from: impl Iterator<Item = &'static mut [u8]>) -> Vec<u8> {
    from.fold(Vec::new(), |mut all, part| {
        all.extend_from_slice(part);
        all
    })
}

fn is_file(fd: Fd) -> bool {
    with(|world| world.universe.is_file(fd))
}

fn read_into(fd: Fd, into: &mut [u8]) -> Result<usize> {
    if is_file(fd) {
        return files::read_file(fd, None, into);
    }
    blocking(fd, Readiness::IN, false, |world| world.universe.read(&mut world.env, fd, into))
}

/// Writes, and goes on until all is written where the description blocks, as a socket's or a pipe's does.
fn write_from(fd: Fd, data: &[u8]) -> Result<usize> {
    if is_file(fd) {
        return files::write_file(fd, None, data);
    }
    send_all(fd, data.len(), |world, written| {
        world.universe.write(&mut world.env, fd, &data[written..])
    })
}

/// Sends `len` bytes by calls of `send`, which is told how many were sent. A blocking description takes all of them.
pub fn send_all(
    fd: Fd,
    len: usize,
    mut send: impl FnMut(&mut World, usize) -> Result<usize>,
) -> Result<usize> {
    let mut written = 0;
    loop {
        match blocking(fd, Readiness::OUT, false, |world| send(world, written)) {
            Ok(more) => written += more,
            Err(_) if written > 0 => return Ok(written),
            Err(errno) => return Err(errno),
        }
        let blocks = !with(|world| world.descriptors.status(fd).nonblocking.get());
        if written >= len || !blocks {
            return Ok(written);
        }
    }
}

fn is_standard(fd: c_int) -> bool {
    (fd == 1 || fd == 2) && is_member()
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn read(fd: c_int, into: Out<u8>, len: usize) -> isize {
    match simulated(fd) {
        Some(fd) => answer(read_into(fd, into.slice(len))),
        None if is_random(fd) => {
            entropy::fill(into.slice(len));
            len as isize
        }
        None => next!(c"read"(fd: c_int, into: Out<u8>, len: usize) -> isize),
    }
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn write(fd: c_int, from: In<u8>, len: usize) -> isize {
    if is_standard(fd) {
        with(|world| world.note_output(from.slice(len)));
    }
    match simulated(fd) {
        Some(fd) => answer(write_from(fd, from.slice(len))),
        None => next!(c"write"(fd: c_int, from: In<u8>, len: usize) -> isize),
    }
}

#[unsafe(no_mangle)]
extern "C" fn readv(fd: c_int, vector: In<iovec>, count: c_int) -> isize {
    let Some(object) = simulated(fd) else {
        return next!(c"readv"(fd: c_int, vector: In<iovec>, count: c_int) -> isize);
    };
    let count = usize::try_from(count).unwrap_or(0);
    let len = parts(vector, count).map(|part| part.len()).sum();
    let mut data = vec![0; len];
    answer(
        read_into(object, &mut data).inspect(|&read| scatter(parts(vector, count), &data[..read])),
    )
}

#[unsafe(no_mangle)]
extern "C" fn writev(fd: c_int, vector: In<iovec>, count: c_int) -> isize {
    let parts_of = || parts(vector, usize::try_from(count).unwrap_or(0));
    if is_standard(fd) {
        with(|world| parts_of().for_each(|part| world.note_output(part)));
    }
    match simulated(fd) {
        Some(fd) => answer(write_from(fd, &gather(parts_of()))),
        None => next!(c"writev"(fd: c_int, vector: In<iovec>, count: c_int) -> isize),
    }
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn close(fd: c_int) -> c_int {
    let Some(object) = simulated(fd) else {
        if is_member() {
            with(|world| world.random.remove(&fd));
        }
        return next!(c"close"(fd: c_int) -> c_int);
    };
    answer_int(call(|world| {
        if world.universe.is_file(object) {
            world.universe.forget_process_locks(&mut world.env, object, PID as u32)?;
        }
        world.universe.close(&mut world.env, object)?;
        world.descriptors.close(object);
        world.release_lock_waiters();
        Ok(0)
    }))
}

/// Closes a descriptor by the program's number.
pub fn close_ours(fd: c_int) -> c_int {
    close(fd)
}

fn duplicate(fd: Fd, close_on_exec: bool) -> Result<c_int> {
    call(|world| {
        let other = world.universe.dup(&mut world.env, fd)?;
        world.descriptors.dup(fd, other, close_on_exec);
        Ok(number(other))
    })
}

#[unsafe(no_mangle)]
extern "C" fn dup(fd: c_int) -> c_int {
    match simulated(fd) {
        Some(fd) => answer_int(duplicate(fd, false)),
        None => next!(c"dup"(fd: c_int) -> c_int),
    }
}

/// A chosen number would have to be given among the system's or the world's own.
#[unsafe(no_mangle)]
extern "C" fn dup2(fd: c_int, to: c_int) -> c_int {
    if simulated(fd).or(simulated(to)).is_none() {
        return next!(c"dup2"(fd: c_int, to: c_int) -> c_int);
    }
    with(|world| world.refuse("dup2 of a simulated descriptor"));
    answer_int(Err(Errno::EBADF))
}

#[unsafe(no_mangle)]
extern "C" fn dup3(fd: c_int, to: c_int, flags: c_int) -> c_int {
    if simulated(fd).or(simulated(to)).is_none() {
        return next!(c"dup3"(fd: c_int, to: c_int, flags: c_int) -> c_int);
    }
    with(|world| world.refuse("dup3 of a simulated descriptor"));
    answer_int(Err(Errno::EBADF))
}

fn control(fd: Fd, command: c_int, argument: usize) -> Result<c_int> {
    match command {
        libc::F_GETFL => with(|world| {
            world.universe.readiness(&mut world.env, fd)?;
            let status = world.descriptors.status(fd);
            let opened = status.opened.unwrap_or(libc::O_RDWR);
            Ok(opened | if status.nonblocking.get() { libc::O_NONBLOCK } else { 0 })
        }),
        libc::F_SETFL => with(|world| {
            world.universe.readiness(&mut world.env, fd)?;
            let status = world.descriptors.status(fd);
            let appends = |flags: c_int| flags & libc::O_APPEND != 0;
            if status.opened.is_some_and(|opened| appends(opened) != appends(argument as c_int)) {
                return Err(world.refuse("fcntl that changes whether a file is appended to"));
            }
            status.nonblocking.set(argument as c_int & libc::O_NONBLOCK != 0);
            Ok(0)
        }),
        libc::F_GETFD => with(|world| {
            let flag = world.descriptors.close_on_exec(fd).ok_or(Errno::EBADF)?;
            Ok(if *flag { libc::FD_CLOEXEC } else { 0 })
        }),
        libc::F_SETFD => with(|world| {
            let flag = world.descriptors.close_on_exec(fd).ok_or(Errno::EBADF)?;
            *flag = argument as c_int & libc::FD_CLOEXEC != 0;
            Ok(0)
        }),
        libc::F_DUPFD => duplicate(fd, false),
        libc::F_DUPFD_CLOEXEC => duplicate(fd, true),
        libc::F_GETLK
        | libc::F_SETLK
        | libc::F_SETLKW
        | libc::F_OFD_GETLK
        | libc::F_OFD_SETLK
        | libc::F_OFD_SETLKW => locks::control(fd, command, Out(argument as *mut libc::flock)),
        _ => Err(with(|world| world.refuse(&format!("fcntl command {command}")))),
    }
}

/// Both names of one function; a variable argument is passed as any other on the architectures of this object.
#[unsafe(no_mangle)]
pub(super) extern "C" fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int {
    match simulated(fd) {
        Some(fd) => answer_int(control(fd, command, argument)),
        None => next!(c"fcntl"(fd: c_int, command: c_int, argument: usize) -> c_int),
    }
}

#[unsafe(no_mangle)]
extern "C" fn fcntl64(fd: c_int, command: c_int, argument: usize) -> c_int {
    fcntl(fd, command, argument)
}

#[unsafe(no_mangle)]
extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: Out<c_int>) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"ioctl"(fd: c_int, request: c_ulong, argument: Out<c_int>) -> c_int);
    };
    answer_int(call(|world| match request {
        libc::FIONBIO => {
            let nonblocking = argument.get().unwrap_or_default() != 0;
            world.descriptors.status(object).nonblocking.set(nonblocking);
            Ok(0)
        }
        libc::FIONREAD => {
            let len = world.universe.readable_bytes(&mut world.env, object)?;
            argument.set(len as c_int);
            Ok(0)
        }
        libc::TIOCOUTQ => {
            let len = world.universe.unsent_bytes(&mut world.env, object)?;
            argument.set(len as c_int);
            Ok(0)
        }
        libc::TCGETS => Err(Errno::from_raw(libc::ENOTTY as u16)),
        _ => Err(world.refuse(&format!("ioctl request {request:#x}"))),
    }))
}

#[unsafe(no_mangle)]
extern "C" fn pipe2(into: Out<c_int>, flags: c_int) -> c_int {
    if !is_member() {
        return next!(c"pipe2"(into: Out<c_int>, flags: c_int) -> c_int);
    }
    const KNOWN: c_int = libc::O_CLOEXEC | libc::O_NONBLOCK;
    answer_int(call(|world| {
        if flags & !KNOWN != 0 {
            return Err(world.refuse(&format!("pipe2 with flags {:#x}", flags & !KNOWN)));
        }
        let host = world.host();
        let (read, write) = world.universe.pipe(&mut world.env, host)?;
        let ends = [(read, libc::O_RDONLY), (write, libc::O_WRONLY)];
        for (n, (fd, access)) in ends.into_iter().enumerate() {
            world.descriptors.open_file(fd, flags | access);
            into.at(n).set(number(fd));
        }
        Ok(0)
    }))
}

#[unsafe(no_mangle)]
extern "C" fn pipe(into: Out<c_int>) -> c_int {
    if !is_member() {
        return next!(c"pipe"(into: Out<c_int>) -> c_int);
    }
    pipe2(into, 0)
}

/// Whether a descriptor of the system is one of the devices of random bytes.
fn is_random(fd: c_int) -> bool {
    is_member() && with(|world| world.random.contains(&fd))
}

/// As [`real::as_libc`], for the calls that arrive by number.
pub fn system(number: libc::c_long, arguments: [usize; 6]) -> isize {
    real::as_libc(real::syscall(number, arguments))
}
