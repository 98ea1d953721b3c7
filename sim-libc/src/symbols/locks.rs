//! Locks on files (flock(2), fcntl(2), lockf(3)).
//!
//! A lock is tried; whoever must wait for it does so until some lock is given back, and tries again.

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::answer_int;
use super::files::lseek64;
use super::paths::{denied, done, submit, system};
use super::process::PID;
use super::stat::of_open;
use crate::descriptors::{number, simulated};
use crate::memory::Out;
use crate::thread::{self, WaitsFor};
use crate::world::{World, is_member, me, with};
use core::ffi::c_int;
use libc::{flock as Flock, off_t};
use sim_core::backend::{Lock, LockMode, LockOwner, Op, Output};
use sim_core::{Errno, Fd, Result};

impl World {
    /// A lock may have been given back: whoever waits for one looks again.
    pub fn release_lock_waiters(&mut self) {
        for thread in core::mem::take(&mut self.lock_waiters) {
            self.release(thread);
        }
    }
}

/// Takes, changes or gives back a lock.
fn lock(fd: Fd, lock: Lock, waits: bool) -> Result<c_int> {
    loop {
        match done(Op::Lock { fd, lock }) {
            Err(Errno::EAGAIN) if waits => {
                with(|world| world.lock_waiters.push(me()));
                thread::wait(WaitsFor::Lock, None);
            }
            result => {
                // To share what one had alone gives something back, too.
                with(World::release_lock_waiters);
                return result;
            }
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn flock(fd: c_int, operation: c_int) -> c_int {
    let Some(object) = simulated(fd) else {
        return match is_member() {
            true => denied("a lock on a file of the system") as c_int,
            false => {
                system(libc::SYS_flock, [fd as usize, operation as usize, 0, 0, 0, 0]) as c_int
            }
        };
    };
    let mode = match operation & !libc::LOCK_NB {
        libc::LOCK_SH => LockMode::Shared,
        libc::LOCK_EX => LockMode::Exclusive,
        libc::LOCK_UN => LockMode::Unlocked,
        _ => return answer_int(Err(Errno::EINVAL)),
    };
    let wanted = Lock { owner: LockOwner::Flock, mode, start: 0, end: u64::MAX };
    answer_int(lock(object, wanted, operation & libc::LOCK_NB == 0))
}

/// The range of a lock, from where its place is counted (fcntl(2)).
fn range(fd: Fd, request: Flock) -> Result<(u64, u64)> {
    let base = match c_int::from(request.l_whence) {
        libc::SEEK_SET => 0,
        libc::SEEK_CUR => lseek64(number(fd), 0, libc::SEEK_CUR),
        libc::SEEK_END => of_open(fd)?.len as off_t,
        _ => return Err(Errno::EINVAL),
    };
    let start = base.checked_add(request.l_start).ok_or(Errno::EINVAL)?;
    let (start, end) = match request.l_len {
        0 => (start, None),
        len if len > 0 => (start, Some(start.checked_add(len).ok_or(Errno::EINVAL)?)),
        len => (start.checked_add(len).ok_or(Errno::EINVAL)?, Some(start)),
    };
    let start = u64::try_from(start).map_err(|_| Errno::EINVAL)?;
    Ok((start, end.map_or(u64::MAX, |end| end as u64)))
}

/// fcntl(2)'s commands on locks.
pub fn control(fd: Fd, command: c_int, argument: Out<Flock>) -> Result<c_int> {
    let mut request = argument.get().ok_or(Errno::EFAULT)?;
    let owner = match command {
        libc::F_OFD_GETLK | libc::F_OFD_SETLK | libc::F_OFD_SETLKW => LockOwner::Description,
        _ => LockOwner::Process(PID as u32),
    };
    let mode = match c_int::from(request.l_type) {
        libc::F_RDLCK => LockMode::Shared,
        libc::F_WRLCK => LockMode::Exclusive,
        libc::F_UNLCK => LockMode::Unlocked,
        _ => return Err(Errno::EINVAL),
    };
    let (start, end) = range(fd, request)?;
    let wanted = Lock { owner, mode, start, end };
    if matches!(command, libc::F_SETLK | libc::F_SETLKW | libc::F_OFD_SETLK | libc::F_OFD_SETLKW) {
        let waits = matches!(command, libc::F_SETLKW | libc::F_OFD_SETLKW);
        return lock(fd, wanted, waits);
    }
    match submit(Op::TestLock { fd, lock: wanted })? {
        Output::Lock(None) => request.l_type = libc::F_UNLCK as _,
        Output::Lock(Some(held)) => {
            let is_shared = held.mode == LockMode::Shared;
            request.l_type = if is_shared { libc::F_RDLCK } else { libc::F_WRLCK } as _;
            request.l_whence = libc::SEEK_SET as _;
            request.l_start = held.start as off_t;
            request.l_len = if held.end == u64::MAX { 0 } else { (held.end - held.start) as off_t };
            request.l_pid = match held.owner {
                LockOwner::Process(process) => process as libc::pid_t,
                LockOwner::Flock | LockOwner::Description => -1,
            };
        }
        other => unreachable!("a test of a lock answers a lock, not {other:?}"),
    }
    argument.set(request);
    Ok(0)
}

#[unsafe(no_mangle)]
extern "C" fn lockf64(fd: c_int, command: c_int, len: off_t) -> c_int {
    let Some(object) = simulated(fd) else {
        return match is_member() {
            true => denied("a lock on a file of the system") as c_int,
            false => crate::real::next!(c"lockf64"(fd: c_int, command: c_int, len: off_t) -> c_int),
        };
    };
    let kind = if command == libc::F_ULOCK { libc::F_UNLCK } else { libc::F_WRLCK };
    let mut request = Flock {
        l_type: kind as _,
        l_whence: libc::SEEK_CUR as _,
        l_start: 0,
        l_len: len,
        l_pid: 0,
    };
    let place = Out(&raw mut request);
    answer_int(match command {
        libc::F_LOCK => control(object, libc::F_SETLKW, place),
        libc::F_TLOCK | libc::F_ULOCK => control(object, libc::F_SETLK, place),
        libc::F_TEST => control(object, libc::F_GETLK, place).and_then(|_| {
            let is_free =
                place.get().is_some_and(|found| c_int::from(found.l_type) == libc::F_UNLCK);
            if is_free { Ok(0) } else { Err(Errno::EACCES) }
        }),
        _ => Err(Errno::EINVAL),
    })
}

#[unsafe(no_mangle)]
extern "C" fn lockf(fd: c_int, command: c_int, len: off_t) -> c_int {
    lockf64(fd, command, len)
}
