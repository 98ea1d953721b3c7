//! Streams of the C library on files of the disk (fopen(3)), and names for files that nobody else has (mkstemp(3)).
//!
//! The C library's own streams make system calls that nobody sees. A stream on a simulated file is one of fopencookie(3), whose functions
//! are ours; such a stream has no number (fileno(3) answers `EBADF`).

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::files::{lseek64, open_on_disk};
use super::paths::{Where, done, place};
use super::{answer_int, entropy, io};
use crate::descriptors::simulated;
use crate::memory::{In, Out};
use crate::real::next;
use crate::world::{is_member, with};
use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use libc::{mode_t, off64_t};
use sim_core::backend::Op;
use sim_core::{Errno, Result};

/// `cookie_io_functions_t`: the four functions of a stream.
#[repr(C)]
struct Functions {
    read: extern "C" fn(usize, Out<u8>, usize) -> isize,
    write: extern "C" fn(usize, In<u8>, usize) -> isize,
    seek: extern "C" fn(usize, Out<off64_t>, c_int) -> c_int,
    close: extern "C" fn(usize) -> c_int,
}

unsafe extern "C" {
    fn fopencookie(cookie: usize, mode: In<c_char>, functions: Functions) -> *mut c_void;
}

extern "C" fn read(fd: usize, into: Out<u8>, len: usize) -> isize {
    io::read(fd as c_int, into, len)
}

/// A stream takes 0 for a failure.
extern "C" fn write(fd: usize, from: In<u8>, len: usize) -> isize {
    io::write(fd as c_int, from, len).max(0)
}

extern "C" fn seek(fd: usize, offset: Out<off64_t>, whence: c_int) -> c_int {
    let position = lseek64(fd as c_int, offset.get().unwrap_or(0), whence);
    if position < 0 {
        return -1;
    }
    offset.set(position);
    0
}

extern "C" fn close(fd: usize) -> c_int {
    io::close_ours(fd as c_int)
}

/// A stream on a simulated descriptor.
fn stream(fd: c_int, mode: In<c_char>) -> *mut c_void {
    let functions = Functions { read, write, seek, close };
    // SAFETY: the four functions are of the types that fopencookie(3) asks for, and the cookie is a number to them.
    unsafe { fopencookie(fd as usize, mode, functions) }
}

/// open(2)'s flags for a mode of fopen(3).
fn flags_of(mode: In<c_char>) -> Result<c_int> {
    let text = mode.text().map(core::ffi::CStr::to_bytes).unwrap_or_default();
    let has = |letter: u8| text.contains(&letter);
    let access = if has(b'+') { libc::O_RDWR } else { libc::O_WRONLY };
    let flags = match text.first() {
        Some(b'r') if !has(b'+') => libc::O_RDONLY,
        Some(b'r') => libc::O_RDWR,
        Some(b'w') => access | libc::O_CREAT | libc::O_TRUNC,
        Some(b'a') => access | libc::O_CREAT | libc::O_APPEND,
        _ => return Err(Errno::EINVAL),
    };
    let exclusive = if has(b'x') { libc::O_EXCL } else { 0 };
    Ok(flags | exclusive | if has(b'e') { libc::O_CLOEXEC } else { 0 })
}

fn failed(errno: Errno) -> *mut c_void {
    answer_int(Err(errno));
    ptr::null_mut()
}

#[unsafe(no_mangle)]
extern "C" fn fopen64(path: In<c_char>, mode: In<c_char>) -> *mut c_void {
    let path = match place(libc::AT_FDCWD, path) {
        Ok(Where::Disk(path)) => path,
        Ok(Where::System(_)) => {
            let reads = flags_of(mode).is_ok_and(|flags| flags == libc::O_RDONLY);
            let is_device = path.text().is_some_and(|path| path.to_bytes().starts_with(b"/dev/"));
            if is_member() && !reads && !is_device {
                super::paths::denied("a stream that writes below /proc");
                return ptr::null_mut();
            }
            return next!(c"fopen64"(path: In<c_char>, mode: In<c_char>) -> *mut c_void);
        }
        Err(errno) => return failed(errno),
    };
    match flags_of(mode).and_then(|flags| open_on_disk(path, flags, 0o666)) {
        Ok(fd) => stream(fd, mode),
        Err(errno) => failed(errno),
    }
}

#[unsafe(no_mangle)]
extern "C" fn fopen(path: In<c_char>, mode: In<c_char>) -> *mut c_void {
    fopen64(path, mode)
}

#[unsafe(no_mangle)]
extern "C" fn fdopen(fd: c_int, mode: In<c_char>) -> *mut c_void {
    match simulated(fd) {
        Some(_) => stream(fd, mode),
        None => next!(c"fdopen"(fd: c_int, mode: In<c_char>) -> *mut c_void),
    }
}

/// A stream that is to become another is the C library's own affair, and that can be no simulated file.
#[unsafe(no_mangle)]
extern "C" fn freopen64(path: In<c_char>, mode: In<c_char>, stream: *mut c_void) -> *mut c_void {
    if matches!(place(libc::AT_FDCWD, path), Ok(Where::Disk(_)) | Err(_)) {
        with(|world| world.refuse("freopen of a file"));
        return failed(Errno::EOPNOTSUPP);
    }
    next!(c"freopen64"(path: In<c_char>, mode: In<c_char>, stream: *mut c_void) -> *mut c_void)
}

#[unsafe(no_mangle)]
extern "C" fn freopen(path: In<c_char>, mode: In<c_char>, stream: *mut c_void) -> *mut c_void {
    freopen64(path, mode, stream)
}

/// How often another name is tried.
const TRIES: u32 = 100;

/// Replaces the six `X` before the last `suffix` bytes of a template until `make` finds the name free.
fn with_name<T>(
    template: Out<c_char>,
    suffix: c_int,
    make: impl Fn(Box<str>) -> Result<T>,
) -> Result<T> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let len = In(template.0.cast_const()).text().map_or(0, |text| text.to_bytes().len());
    let end = len.checked_sub(usize::try_from(suffix).unwrap_or(0)).ok_or(Errno::EINVAL)?;
    let text = Out(template.0.cast::<u8>()).slice(len);
    let start =
        end.checked_sub(6).filter(|&start| &text[start..end] == b"XXXXXX").ok_or(Errno::EINVAL)?;
    for _ in 0..TRIES {
        let mut random = [0; 6];
        entropy::fill(&mut random);
        for (place, byte) in text[start..end].iter_mut().zip(random) {
            *place = LETTERS[usize::from(byte) % LETTERS.len()];
        }
        let Where::Disk(path) = place(libc::AT_FDCWD, In(template.0.cast_const()))? else {
            return Err(Errno::EACCES);
        };
        match make(path) {
            Err(Errno::EEXIST) => {}
            result => return result,
        }
    }
    Err(Errno::EEXIST)
}

#[unsafe(no_mangle)]
extern "C" fn mkostemps64(template: Out<c_char>, suffix: c_int, flags: c_int) -> c_int {
    if !is_member() {
        return next!(c"mkostemps64"(template: Out<c_char>, suffix: c_int, flags: c_int) -> c_int);
    }
    let flags = flags & !libc::O_ACCMODE | libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
    answer_int(with_name(template, suffix, |path| open_on_disk(path, flags, 0o600)))
}

#[unsafe(no_mangle)]
extern "C" fn mkdtemp(template: Out<c_char>) -> *mut c_char {
    const OWN: mode_t = 0o700;
    if !is_member() {
        return next!(c"mkdtemp"(template: Out<c_char>) -> *mut c_char);
    }
    match with_name(template, 0, |path| done(Op::CreateDir { path, mode: Some(OWN) })) {
        Ok(_) => template.0,
        Err(errno) => failed(errno).cast(),
    }
}

macro_rules! temporary {
    ($($name:ident($($arg:ident),*) = $suffix:expr, $flags:expr;)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(template: Out<c_char>, $($arg: c_int),*) -> c_int {
            mkostemps64(template, $suffix, $flags)
        }
    )*};
}

temporary! {
    mkstemp() = 0, 0;
    mkstemp64() = 0, 0;
    mkostemp(flags) = 0, flags;
    mkostemp64(flags) = 0, flags;
    mkstemps(suffix) = suffix, 0;
    mkstemps64(suffix) = suffix, 0;
    mkostemps(suffix, flags) = suffix, flags;
}

/// A file without a name of the C library's own making would be a real one.
#[unsafe(no_mangle)]
extern "C" fn tmpfile64() -> *mut c_void {
    if !is_member() {
        return next!(c"tmpfile64"() -> *mut c_void);
    }
    let mut template = *b"/tmp/tmpfXXXXXX\0";
    let place = Out(template.as_mut_ptr().cast::<c_char>());
    let fd = mkostemps64(place, 0, 0);
    if fd < 0 {
        return ptr::null_mut();
    }
    super::naming::unlink(In(place.0.cast_const()));
    stream(fd, In(c"w+".as_ptr()))
}

#[unsafe(no_mangle)]
extern "C" fn tmpfile() -> *mut c_void {
    tmpfile64()
}
