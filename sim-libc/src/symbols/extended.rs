//! Extended attributes (xattr(7)): the simulated disk has none, as a file system need not. Reading, listing and setting them answers
//! `EOPNOTSUPP`, which callers take for that; the first to set one leaves a notice.

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::answer;
use super::paths::{Where, place, system};
use crate::descriptors::simulated;
use crate::memory::In;
use crate::world::{is_member, with};
use core::ffi::{c_char, c_int, c_long};
use sim_core::Errno;

/// A call on what `path` names: its error on the disk, the system's answer elsewhere.
fn on_path(path: In<c_char>, sets: bool, number: c_long, rest: [usize; 4]) -> isize {
    let [a, b, c, d] = rest;
    let ask = |path: usize| system(number, [path, a, b, c, d, 0]);
    match place(libc::AT_FDCWD, path) {
        Ok(Where::Disk(path)) => {
            let found = super::paths::stat(path, true);
            answer(found.and_then(|_| Err(refused(sets))))
        }
        Ok(Where::System(_)) if is_member() && sets => answer(Err(Errno::EPERM)),
        Ok(Where::System(None)) => ask(path.address()),
        Ok(Where::System(Some(absolute))) => ask(absolute.as_ptr() as usize),
        Err(errno) => answer(Err(errno)),
    }
}

/// The same on an open file.
fn on_open(fd: c_int, sets: bool, number: c_long, rest: [usize; 4]) -> isize {
    let [a, b, c, d] = rest;
    match simulated(fd) {
        Some(_) => answer(Err(refused(sets))),
        None => system(number, [fd as usize, a, b, c, d, 0]),
    }
}

fn refused(sets: bool) -> Errno {
    if sets {
        return with(|world| world.refuse("an extended attribute of a file"));
    }
    Errno::EOPNOTSUPP
}

macro_rules! by_path {
    ($($name:ident = $number:ident, $sets:literal;)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(path: In<c_char>, a: usize, b: usize, c: usize, d: usize) -> isize {
            on_path(path, $sets, libc::$number, [a, b, c, d])
        }
    )*};
}

macro_rules! by_descriptor {
    ($($name:ident = $number:ident, $sets:literal;)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(fd: c_int, a: usize, b: usize, c: usize, d: usize) -> isize {
            on_open(fd, $sets, libc::$number, [a, b, c, d])
        }
    )*};
}

// All of them take no more than five words, and those that they do not have are not looked at.

by_path! {
    getxattr = SYS_getxattr, false;
    lgetxattr = SYS_lgetxattr, false;
    listxattr = SYS_listxattr, false;
    llistxattr = SYS_llistxattr, false;
    setxattr = SYS_setxattr, true;
    lsetxattr = SYS_lsetxattr, true;
    removexattr = SYS_removexattr, true;
    lremovexattr = SYS_lremovexattr, true;
}

by_descriptor! {
    fgetxattr = SYS_fgetxattr, false;
    flistxattr = SYS_flistxattr, false;
    fsetxattr = SYS_fsetxattr, true;
    fremovexattr = SYS_fremovexattr, true;
}
