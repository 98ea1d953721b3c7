//! Making, naming and removing what paths lead to (mkdir(2), unlink(2), rename(2), link(2), readlink(2)), and the working directory.

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::answer_int;
use super::paths::{Where, denied, done, on_both, on_path_changing, place, stat, submit, system};
use crate::descriptors::simulated;
use crate::memory::{In, Out, allocate};
use crate::real::{self, next};
use crate::world::{is_member, with};
use core::ffi::{c_char, c_int, c_uint};
use core::ptr;
use libc::{dev_t, mode_t};
use sim_core::backend::{FileKind, Op, Output};
use sim_core::{Errno, Result};

fn at(folder: c_int) -> usize {
    folder as usize
}

#[unsafe(no_mangle)]
extern "C" fn mkdirat(folder: c_int, path: In<c_char>, mode: mode_t) -> c_int {
    on_path_changing(
        folder,
        path,
        |path| done(Op::CreateDir { path, mode: Some(with(|world| world.folders.masked(mode))) }),
        |path| system(libc::SYS_mkdirat, [at(folder), path.address(), mode as usize, 0, 0, 0]),
    )
}

#[unsafe(no_mangle)]
extern "C" fn mkdir(path: In<c_char>, mode: mode_t) -> c_int {
    mkdirat(libc::AT_FDCWD, path, mode)
}

#[unsafe(no_mangle)]
extern "C" fn mkfifoat(folder: c_int, path: In<c_char>, mode: mode_t) -> c_int {
    mknodat(folder, path, mode & !libc::S_IFMT | libc::S_IFIFO, 0)
}

#[unsafe(no_mangle)]
extern "C" fn mkfifo(path: In<c_char>, mode: mode_t) -> c_int {
    mkfifoat(libc::AT_FDCWD, path, mode)
}

/// Makes what is no directory (mknod(2)): a named pipe or an empty file.
fn make_node(path: Box<str>, mode: mode_t) -> Result<c_int> {
    match mode & libc::S_IFMT {
        libc::S_IFIFO => {
            done(Op::MakeFifo { path, mode: Some(with(|world| world.folders.masked(mode))) })
        }
        0 | libc::S_IFREG => {
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
            super::files::opened(path, flags, mode, |_| Ok(0))
        }
        kind => Err(with(|world| world.refuse(&format!("mknod of a file of kind {kind:#o}")))),
    }
}

#[unsafe(no_mangle)]
extern "C" fn mknodat(folder: c_int, path: In<c_char>, mode: mode_t, device: dev_t) -> c_int {
    on_path_changing(
        folder,
        path,
        |path| make_node(path, mode),
        |path| {
            let arguments = [at(folder), path.address(), mode as usize, device as usize, 0, 0];
            system(libc::SYS_mknodat, arguments)
        },
    )
}

#[unsafe(no_mangle)]
extern "C" fn mknod(path: In<c_char>, mode: mode_t, device: dev_t) -> c_int {
    mknodat(libc::AT_FDCWD, path, mode, device)
}

#[unsafe(no_mangle)]
extern "C" fn unlinkat(folder: c_int, path: In<c_char>, flags: c_int) -> c_int {
    on_path_changing(
        folder,
        path,
        |path| match flags {
            0 => done(Op::RemoveFile { path }),
            libc::AT_REMOVEDIR => done(Op::RemoveDir { path }),
            _ => Err(Errno::EINVAL),
        },
        |path| system(libc::SYS_unlinkat, [at(folder), path.address(), flags as usize, 0, 0, 0]),
    )
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn unlink(path: In<c_char>) -> c_int {
    unlinkat(libc::AT_FDCWD, path, 0)
}

#[unsafe(no_mangle)]
extern "C" fn rmdir(path: In<c_char>) -> c_int {
    unlinkat(libc::AT_FDCWD, path, libc::AT_REMOVEDIR)
}

#[unsafe(no_mangle)]
extern "C" fn remove(path: In<c_char>) -> c_int {
    on_path_changing(
        libc::AT_FDCWD,
        path,
        |path| match stat(path.clone(), false)?.kind {
            FileKind::Directory => done(Op::RemoveDir { path }),
            _ => done(Op::RemoveFile { path }),
        },
        |path| next!(c"remove"(path: In<c_char>) -> c_int) as isize,
    )
}

#[unsafe(no_mangle)]
extern "C" fn renameat2(
    from_folder: c_int,
    from: In<c_char>,
    to_folder: c_int,
    to: In<c_char>,
    flags: c_uint,
) -> c_int {
    on_both(
        (from_folder, from),
        (to_folder, to),
        |from, to| match flags {
            0 => done(Op::Rename { from, to }),
            // As a file system that does not know the flag (rename(2)): callers then link and unlink.
            _ => Err(Errno::EINVAL),
        },
        || {
            let (from, to) = (from.address(), to.address());
            let folders = (at(from_folder), at(to_folder));
            system(libc::SYS_renameat2, [folders.0, from, folders.1, to, flags as usize, 0])
        },
    )
}

#[unsafe(no_mangle)]
extern "C" fn renameat(
    from_folder: c_int,
    from: In<c_char>,
    to_folder: c_int,
    to: In<c_char>,
) -> c_int {
    renameat2(from_folder, from, to_folder, to, 0)
}

#[unsafe(no_mangle)]
extern "C" fn rename(from: In<c_char>, to: In<c_char>) -> c_int {
    renameat2(libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0)
}

#[unsafe(no_mangle)]
extern "C" fn linkat(
    from_folder: c_int,
    from: In<c_char>,
    to_folder: c_int,
    to: In<c_char>,
    flags: c_int,
) -> c_int {
    on_both(
        (from_folder, from),
        (to_folder, to),
        |from, to| {
            let from = if flags & libc::AT_SYMLINK_FOLLOW != 0 { resolved(from)? } else { from };
            done(Op::Link { from, to })
        },
        || {
            let (from, to) = (from.address(), to.address());
            let folders = (at(from_folder), at(to_folder));
            system(libc::SYS_linkat, [folders.0, from, folders.1, to, flags as usize, 0])
        },
    )
}

#[unsafe(no_mangle)]
extern "C" fn link(from: In<c_char>, to: In<c_char>) -> c_int {
    linkat(libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0)
}

#[unsafe(no_mangle)]
extern "C" fn symlinkat(target: In<c_char>, folder: c_int, path: In<c_char>) -> c_int {
    on_path_changing(
        folder,
        path,
        |path| {
            let target = target.text().ok_or(Errno::EFAULT)?.to_str().map_err(|_| Errno::EILSEQ)?;
            done(Op::Symlink { target: target.into(), path })
        },
        |path| system(libc::SYS_symlinkat, [target.address(), at(folder), path.address(), 0, 0, 0]),
    )
}

#[unsafe(no_mangle)]
extern "C" fn symlink(target: In<c_char>, path: In<c_char>) -> c_int {
    symlinkat(target, libc::AT_FDCWD, path)
}

fn read_link(path: Box<str>) -> Result<Box<str>> {
    match submit(Op::ReadLink { path })? {
        Output::Target(target) => Ok(target),
        other => unreachable!("a link answers its target, not {other:?}"),
    }
}

/// What `/proc/self/fd/N` and `/proc/self/cwd` lead to, where the world knows it and the system does not.
fn of_process(path: &str) -> Option<Result<String>> {
    if path == "/proc/self/cwd" {
        return Some(Ok(with(|world| world.folders.working.clone())));
    }
    let number = path.strip_prefix("/proc/self/fd/").or_else(|| path.strip_prefix("/dev/fd/"))?;
    let fd = simulated(number.parse().ok()?)?;
    Some(with(|world| world.universe.directory_path(&mut world.env, fd)))
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn readlinkat(
    folder: c_int,
    path: In<c_char>,
    into: Out<u8>,
    len: usize,
) -> isize {
    let target = match place(folder, path) {
        Ok(Where::Disk(path)) => read_link(path).map(String::from),
        Ok(Where::System(absolute)) => {
            let text = absolute.as_ref().and_then(|path| path.to_str().ok());
            match text.and_then(of_process) {
                Some(target) => target,
                None => {
                    let path =
                        absolute.as_ref().map_or(path.address(), |path| path.as_ptr() as usize);
                    let arguments = [at(folder), path, into.address(), len, 0, 0];
                    return system(libc::SYS_readlinkat, arguments);
                }
            }
        }
        Err(errno) => Err(errno),
    };
    super::answer(target.and_then(|target| match len {
        0 => Err(Errno::EINVAL),
        len => {
            let bytes = &target.as_bytes()[..target.len().min(len)];
            into.slice(bytes.len()).copy_from_slice(bytes);
            Ok(bytes.len())
        }
    }))
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn readlink(path: In<c_char>, into: Out<u8>, len: usize) -> isize {
    readlinkat(libc::AT_FDCWD, path, into, len)
}

/// An absolute path without symbolic links, all of which must be there (realpath(3)).
fn resolved(path: Box<str>) -> Result<Box<str>> {
    let mut rest: Vec<String> = path.split('/').rev().map(String::from).collect();
    let (mut found, mut links) = (String::new(), 0);
    while let Some(part) = rest.pop() {
        match &*part {
            "" | "." => continue,
            ".." => {
                found.truncate(found.rfind('/').unwrap_or(0));
                continue;
            }
            part => {
                found.push('/');
                found.push_str(part);
            }
        }
        if stat(found.as_str().into(), false)?.kind != FileKind::Symlink {
            continue;
        }
        links += 1;
        if links > 40 {
            return Err(Errno::ELOOP);
        }
        let target = read_link(found.as_str().into())?;
        let base = if target.starts_with('/') { 0 } else { found.rfind('/').unwrap_or(0) };
        found.truncate(base);
        rest.extend(target.split('/').rev().map(String::from));
    }
    // That what a slash follows is a directory, and that all is there, is for the kernel to say.
    stat(path, true)?;
    Ok(if found.is_empty() { "/".into() } else { found.into() })
}

/// Gives a C caller a text: in its own memory if that has room, else in new memory.
fn give(text: &str, into: Out<c_char>, len: usize) -> *mut c_char {
    let bytes = text.len() + 1;
    let place = match into.is_null() {
        true => allocate(bytes.max(len)).cast::<u8>(),
        false if bytes > len => {
            real::set_errno(libc::ERANGE);
            return ptr::null_mut();
        }
        false => into.0.cast::<u8>(),
    };
    let memory = Out(place).slice(bytes);
    if !memory.is_empty() {
        memory[..text.len()].copy_from_slice(text.as_bytes());
        memory[text.len()] = 0;
    }
    place.cast()
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn realpath(path: In<c_char>, into: Out<c_char>) -> *mut c_char {
    let found = match place(libc::AT_FDCWD, path) {
        Ok(Where::Disk(path)) => resolved(path),
        Ok(Where::System(_)) => {
            return next!(c"realpath"(path: In<c_char>, into: Out<c_char>) -> *mut c_char);
        }
        Err(errno) => Err(errno),
    };
    match found {
        Ok(found) => give(&found, into, libc::PATH_MAX as usize),
        Err(errno) => {
            answer_int(Err(errno));
            ptr::null_mut()
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn canonicalize_file_name(path: In<c_char>) -> *mut c_char {
    realpath(path, Out(ptr::null_mut()))
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn getcwd(into: Out<c_char>, len: usize) -> *mut c_char {
    if !is_member() {
        return next!(c"getcwd"(into: Out<c_char>, len: usize) -> *mut c_char);
    }
    if len == 0 && !into.is_null() {
        real::set_errno(libc::EINVAL);
        return ptr::null_mut();
    }
    let working = with(|world| world.folders.working.clone());
    give(&working, into, len)
}

/// Makes a directory the working directory.
fn enter(path: Box<str>) -> Result<c_int> {
    let path = resolved(path)?;
    if stat(path.clone(), true)?.kind != FileKind::Directory {
        return Err(Errno::ENOTDIR);
    }
    with(|world| {
        let host = world.host();
        world.universe.set_working_directory(host, &path);
        world.folders.working = path.into();
    });
    Ok(0)
}

#[unsafe(no_mangle)]
extern "C" fn chdir(path: In<c_char>) -> c_int {
    on_path_changing(libc::AT_FDCWD, path, enter, |path| {
        system(libc::SYS_chdir, [path.address(), 0, 0, 0, 0, 0])
    })
}

#[unsafe(no_mangle)]
extern "C" fn fchdir(folder: c_int) -> c_int {
    let Some(fd) = simulated(folder) else {
        if is_member() {
            return denied("the working directory below /proc") as c_int;
        }
        return system(libc::SYS_fchdir, [at(folder), 0, 0, 0, 0, 0]) as c_int;
    };
    let path = with(|world| world.universe.directory_path(&mut world.env, fd));
    answer_int(path.and_then(|path| enter(path.into())))
}

#[unsafe(no_mangle)]
extern "C" fn umask(mask: mode_t) -> mode_t {
    if !is_member() {
        return system(libc::SYS_umask, [mask as usize, 0, 0, 0, 0, 0]) as mode_t;
    }
    with(|world| core::mem::replace(&mut world.folders.mask, mask & 0o777))
}
