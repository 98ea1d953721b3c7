//! What a program calls that was compiled to check its buffers (`_FORTIFY_SOURCE`): the function of the same name, unless the
//! buffer is too short. The C library's own make their system calls where no symbol sees them.

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::files::pread64;
use super::io::read;
use super::naming::{getcwd, readlink, readlinkat, realpath};
use super::poll::{poll, ppoll};
use super::process::gethostname;
use super::socket::{recv, recvfrom};
use crate::memory::{In, Out};
use crate::real::next;
use core::ffi::{c_char, c_int, c_void};
use libc::{nfds_t, off_t, pollfd, sockaddr, socklen_t, timespec};

/// The program is ended, as the C library ends one whose buffer would overflow.
fn check(wanted: usize, room: usize) {
    if wanted > room {
        next!(c"__chk_fail"() -> ());
    }
}

macro_rules! checked {
    ($($name:ident = $function:ident($($before:ident: $type:ty),*; $len:ident; $($after:ident: $more:ty),*) -> $answer:ty;)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name($($before: $type,)* $len: usize, $($after: $more,)* room: usize) -> $answer {
            check($len, room);
            $function($($before,)* $len, $($after,)*)
        }
    )*};
}

checked! {
    __read_chk = read(fd: c_int, into: Out<u8>; len;) -> isize;
    __readlink_chk = readlink(path: In<c_char>, into: Out<u8>; len;) -> isize;
    __readlinkat_chk = readlinkat(folder: c_int, path: In<c_char>, into: Out<u8>; len;) -> isize;
    __getcwd_chk = getcwd(into: Out<c_char>; len;) -> *mut c_char;
    __gethostname_chk = gethostname(into: Out<u8>; len;) -> c_int;
}

// Those with a buffer's room before other arguments.

#[unsafe(no_mangle)]
extern "C" fn __pread_chk(
    fd: c_int,
    into: Out<u8>,
    len: usize,
    offset: off_t,
    room: usize,
) -> isize {
    check(len, room);
    pread64(fd, into, len, offset)
}

#[unsafe(no_mangle)]
extern "C" fn __pread64_chk(
    fd: c_int,
    into: Out<u8>,
    len: usize,
    offset: off_t,
    room: usize,
) -> isize {
    __pread_chk(fd, into, len, offset, room)
}

#[unsafe(no_mangle)]
extern "C" fn __recv_chk(fd: c_int, into: Out<u8>, len: usize, room: usize, flags: c_int) -> isize {
    check(len, room);
    recv(fd, into, len, flags)
}

#[unsafe(no_mangle)]
extern "C" fn __recvfrom_chk(
    fd: c_int,
    into: Out<u8>,
    len: usize,
    room: usize,
    flags: c_int,
    address: Out<sockaddr>,
    address_len: Out<socklen_t>,
) -> isize {
    check(len, room);
    recvfrom(fd, into, len, flags, address, address_len)
}

#[unsafe(no_mangle)]
extern "C" fn __poll_chk(
    descriptors: Out<pollfd>,
    count: nfds_t,
    timeout_ms: c_int,
    room: usize,
) -> c_int {
    check(count as usize * size_of::<pollfd>(), room);
    poll(descriptors, count, timeout_ms)
}

#[unsafe(no_mangle)]
extern "C" fn __ppoll_chk(
    descriptors: Out<pollfd>,
    count: nfds_t,
    timeout: In<timespec>,
    mask: In<c_void>,
    room: usize,
) -> c_int {
    check(count as usize * size_of::<pollfd>(), room);
    ppoll(descriptors, count, timeout, mask)
}

#[unsafe(no_mangle)]
extern "C" fn __realpath_chk(path: In<c_char>, into: Out<c_char>, room: usize) -> *mut c_char {
    check(libc::PATH_MAX as usize, room);
    realpath(path, into)
}
