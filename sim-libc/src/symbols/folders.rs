//! Listing directories (opendir(3), readdir(3), getdents(2)).
//!
//! A stream lists what was in the directory when it was first read, ordered by name, with `.` and `..` before all; Linux promises no
//! order, and no more about what comes and goes meanwhile. A stream's address is that of its listing, and one of the C library's is
//! told from ours by not being known.

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::files::open_on_disk;
use super::paths::{Where, place, submit};
use super::{answer, answer_int, io};
use crate::descriptors::{number, simulated};
use crate::memory::{In, Out, zeroed};
use crate::real::{next, set_errno};
use crate::world::{is_member, with};
use core::ffi::{c_char, c_int, c_long, c_void};
use core::ptr;
use libc::dirent64;
use sim_core::backend::{Entry, FileKind, Op, Output};
use sim_core::{Errno, Fd, Result};

/// A stream of a directory's entries.
pub struct Listing {
    fd: Fd,
    entries: Option<Vec<Entry>>,
    next: usize,
    /// What the last call gave to the program.
    given: dirent64,
}

impl core::fmt::Debug for Listing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Listing")
            .field("fd", &self.fd)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// A stream as the C library's functions know it.
type Stream = Out<Listing>;

/// The entries of an open directory.
pub fn entries(fd: Fd) -> Result<Vec<Entry>> {
    let own = super::stat::of_open(fd)?.inode;
    match submit(Op::ReadDirFd { fd })? {
        Output::Entries(entries) => {
            let dots = [".", ".."].map(|name| Entry {
                name: name.into(),
                kind: FileKind::Directory,
                inode: own,
            });
            Ok(dots.into_iter().chain(entries).collect())
        }
        other => unreachable!("a listing answers entries, not {other:?}"),
    }
}

fn kind_of(kind: FileKind) -> u8 {
    match kind {
        FileKind::File => libc::DT_REG,
        FileKind::Directory => libc::DT_DIR,
        FileKind::Symlink => libc::DT_LNK,
        FileKind::Socket => libc::DT_SOCK,
        FileKind::Fifo => libc::DT_FIFO,
    }
}

/// How long an entry is as the kernel writes it: what comes before the name, the name, a byte 0, and up to a whole word.
fn record_len(entry: &Entry) -> usize {
    (core::mem::offset_of!(dirent64, d_name) + entry.name.len() + 1).next_multiple_of(8)
}

fn record(entry: &Entry, position: usize) -> dirent64 {
    let mut value: dirent64 = zeroed();
    value.d_ino = entry.inode;
    value.d_off = position as i64;
    value.d_reclen = record_len(entry) as u16;
    value.d_type = kind_of(entry.kind);
    for (place, byte) in value.d_name.iter_mut().zip(entry.name.bytes()) {
        *place = byte as c_char;
    }
    value
}

/// Whether a stream is one of ours.
fn is_ours(stream: Stream) -> bool {
    is_member() && with(|world| world.listings.contains_key(&stream.address()))
}

/// Does a thing with a stream of ours.
fn on_stream<R>(stream: Stream, f: impl FnOnce(&mut Listing) -> R) -> Option<R> {
    with(|world| world.listings.get_mut(&stream.address()).map(|listing| f(listing)))
}

fn begin(fd: Fd) -> *mut c_void {
    let mut listing = Box::new(Listing { fd, entries: None, next: 0, given: zeroed() });
    let address = &raw mut *listing;
    with(|world| world.listings.insert(address as usize, listing));
    address.cast()
}

fn failed(errno: Errno) -> *mut c_void {
    answer_int(Err(errno));
    ptr::null_mut()
}

#[unsafe(no_mangle)]
extern "C" fn opendir(path: In<c_char>) -> *mut c_void {
    let path = match place(libc::AT_FDCWD, path) {
        Ok(Where::Disk(path)) => path,
        Ok(Where::System(_)) => return next!(c"opendir"(path: In<c_char>) -> *mut c_void),
        Err(errno) => return failed(errno),
    };
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    match open_on_disk(path, flags, 0) {
        Ok(fd) => simulated(fd).map_or(ptr::null_mut(), begin),
        Err(errno) => failed(errno),
    }
}

#[unsafe(no_mangle)]
extern "C" fn fdopendir(fd: c_int) -> *mut c_void {
    let Some(object) = simulated(fd) else { return next!(c"fdopendir"(fd: c_int) -> *mut c_void) };
    match super::stat::of_open(object) {
        Ok(metadata) if metadata.kind == FileKind::Directory => begin(object),
        Ok(_) => failed(Errno::ENOTDIR),
        Err(errno) => failed(errno),
    }
}

/// The next entry of a stream of ours, in the stream's own memory; null at the end, and with `errno` after a failure.
fn advance(stream: Stream) -> *mut dirent64 {
    let unread = on_stream(stream, |listing| listing.entries.is_none().then_some(listing.fd));
    if let Some(Some(fd)) = unread {
        match entries(fd) {
            Ok(entries) => drop(on_stream(stream, |listing| listing.entries = Some(entries))),
            Err(errno) => return failed(errno).cast(),
        }
    }
    let given = on_stream(stream, |listing| {
        let entry = listing.entries.as_ref()?.get(listing.next)?;
        listing.next += 1;
        listing.given = record(entry, listing.next);
        Some(&raw mut listing.given)
    });
    given.flatten().unwrap_or(ptr::null_mut())
}

#[unsafe(no_mangle)]
extern "C" fn readdir64(stream: Stream) -> *mut dirent64 {
    if is_ours(stream) {
        advance(stream)
    } else {
        next!(c"readdir64"(stream: Stream) -> *mut dirent64)
    }
}

/// `struct dirent` and `struct dirent64` are one on the architectures of this object.
#[unsafe(no_mangle)]
extern "C" fn readdir(stream: Stream) -> *mut dirent64 {
    readdir64(stream)
}

#[unsafe(no_mangle)]
extern "C" fn readdir64_r(stream: Stream, into: Out<dirent64>, found: Out<*mut dirent64>) -> c_int {
    if !is_ours(stream) {
        return next!(c"readdir64_r"(stream: Stream, into: Out<dirent64>, found: Out<*mut dirent64>) -> c_int);
    }
    match Out(advance(stream)).get() {
        Some(entry) => {
            into.set(entry);
            found.set(into.0);
        }
        None => found.set(ptr::null_mut()),
    }
    0
}

#[unsafe(no_mangle)]
extern "C" fn readdir_r(stream: Stream, into: Out<dirent64>, found: Out<*mut dirent64>) -> c_int {
    readdir64_r(stream, into, found)
}

#[unsafe(no_mangle)]
extern "C" fn closedir(stream: Stream) -> c_int {
    if !is_ours(stream) {
        return next!(c"closedir"(stream: Stream) -> c_int);
    }
    let listing = with(|world| world.listings.remove(&stream.address()));
    listing.map_or(0, |listing| io::close_ours(number(listing.fd)))
}

#[unsafe(no_mangle)]
extern "C" fn rewinddir(stream: Stream) {
    if !is_ours(stream) {
        return next!(c"rewinddir"(stream: Stream) -> ());
    }
    on_stream(stream, |listing| (listing.entries, listing.next) = (None, 0));
}

#[unsafe(no_mangle)]
extern "C" fn dirfd(stream: Stream) -> c_int {
    if !is_ours(stream) {
        return next!(c"dirfd"(stream: Stream) -> c_int);
    }
    on_stream(stream, |listing| number(listing.fd)).unwrap_or(-1)
}

#[unsafe(no_mangle)]
extern "C" fn telldir(stream: Stream) -> c_long {
    if !is_ours(stream) {
        return next!(c"telldir"(stream: Stream) -> c_long);
    }
    on_stream(stream, |listing| listing.next as c_long).unwrap_or(-1)
}

#[unsafe(no_mangle)]
extern "C" fn seekdir(stream: Stream, position: c_long) {
    if !is_ours(stream) {
        return next!(c"seekdir"(stream: Stream, position: c_long) -> ());
    }
    on_stream(stream, |listing| listing.next = usize::try_from(position).unwrap_or(0));
}

/// Writes as many of the next entries as there is room for, and answers how long they are (getdents(2)).
fn dents(fd: Fd, into: &mut [u8]) -> Result<usize> {
    let status = with(|world| world.descriptors.status(fd));
    if status.listed.borrow().is_none() {
        let listed = entries(fd)?;
        status.listed.replace(Some((listed, 0)));
    }
    let mut listed = status.listed.borrow_mut();
    let Some((entries, next)) = listed.as_mut() else { return Ok(0) };
    let mut written = 0;
    while let Some(entry) = entries.get(*next) {
        let len = record_len(entry);
        let Some(place) = into.get_mut(written..written + len) else {
            return if written == 0 { Err(Errno::EINVAL) } else { Ok(written) };
        };
        *next += 1;
        let head = [entry.inode.to_ne_bytes(), (*next as i64).to_ne_bytes()].concat();
        place.fill(0);
        place[..16].copy_from_slice(&head);
        place[16..18].copy_from_slice(&(len as u16).to_ne_bytes());
        place[18] = kind_of(entry.kind);
        place[19..19 + entry.name.len()].copy_from_slice(entry.name.as_bytes());
        written += len;
    }
    Ok(written)
}

#[unsafe(no_mangle)]
extern "C" fn getdents64(fd: c_int, into: Out<u8>, len: usize) -> isize {
    match simulated(fd) {
        Some(fd) => answer(dents(fd, into.slice(len))),
        None => {
            super::paths::system(libc::SYS_getdents64, [fd as usize, into.address(), len, 0, 0, 0])
        }
    }
}

/// Functions of the C library that walk through directories by calls that nobody sees: they would list the real machine.
macro_rules! refuses {
    ($($name:ident($($arg:ident: $type:ty),*) -> $answer:ty = $real:literal, $failed:expr;)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name($($arg: $type),*) -> $answer {
            if !is_member() {
                return next!($real($($arg: $type),*) -> $answer);
            }
            with(|world| world.refuse(concat!(stringify!($name), "(3)")));
            set_errno(libc::ENOSYS);
            $failed
        }
    )*};
}

type Any = *mut c_void;

refuses! {
    scandir(path: In<c_char>, names: Any, filter: Any, order: Any) -> c_int = c"scandir", -1;
    scandir64(path: In<c_char>, names: Any, filter: Any, order: Any) -> c_int = c"scandir64", -1;
    ftw(path: In<c_char>, function: Any, open: c_int) -> c_int = c"ftw", -1;
    ftw64(path: In<c_char>, function: Any, open: c_int) -> c_int = c"ftw64", -1;
    nftw(path: In<c_char>, function: Any, open: c_int, flags: c_int) -> c_int = c"nftw", -1;
    nftw64(path: In<c_char>, function: Any, open: c_int, flags: c_int) -> c_int = c"nftw64", -1;
    fts_open(paths: Any, options: c_int, order: Any) -> Any = c"fts_open", ptr::null_mut();
    glob(pattern: In<c_char>, flags: c_int, error: Any, found: Any) -> c_int = c"glob", libc::GLOB_ABORTED;
    glob64(pattern: In<c_char>, flags: c_int, error: Any, found: Any) -> c_int = c"glob64", libc::GLOB_ABORTED;
    statfs(path: In<c_char>, into: Any) -> c_int = c"statfs", -1;
    statfs64(path: In<c_char>, into: Any) -> c_int = c"statfs64", -1;
    fstatfs(fd: c_int, into: Any) -> c_int = c"fstatfs", -1;
    fstatfs64(fd: c_int, into: Any) -> c_int = c"fstatfs64", -1;
    statvfs(path: In<c_char>, into: Any) -> c_int = c"statvfs", -1;
    statvfs64(path: In<c_char>, into: Any) -> c_int = c"statvfs64", -1;
    fstatvfs(fd: c_int, into: Any) -> c_int = c"fstatvfs", -1;
    fstatvfs64(fd: c_int, into: Any) -> c_int = c"fstatvfs64", -1;
    inotify_add_watch(fd: c_int, path: In<c_char>, mask: u32) -> c_int = c"inotify_add_watch", -1;
    chroot(path: In<c_char>) -> c_int = c"chroot", -1;
}
