//! Where a path leads (path_resolution(7)): to the simulated disk, or to what the system answers.
//!
//! A path is made absolute by the working directory or by the directory that it is relative to. A few places are the system's own: the
//! devices that keep nothing, and `/proc/self`, of which a program may read what it likes and change nothing. All others are the disk's,
//! below which the declared trees lie ([`overlay`](crate::overlay)). The rest of `/proc` and `/sys` tells about the machine, and is not there.

use super::{answer_int, call};
use crate::descriptors::FIRST;
use crate::memory::In;
use crate::real;
use crate::thread::{self, WaitsFor};
use crate::windows::Touch;
use crate::world::{World, is_member, me, with};
use core::ffi::{c_char, c_int};
use libc::mode_t;
use sim_core::backend::{Backend, Metadata, Op, Output, Waiter};
use sim_core::{Errno, Result, ThreadId};
use std::env;
use std::ffi::CString;

/// What a process knows of files besides its descriptors.
#[derive(Debug)]
pub struct Folders {
    /// The working directory.
    pub working: String,
    /// What is taken off the permissions of what it makes (umask(2)).
    pub mask: mode_t,
}

impl Folders {
    /// As the process begins.
    pub fn new() -> Self {
        let working =
            env::current_dir().ok().and_then(|path| path.into_os_string().into_string().ok());
        let mask = real::syscall(libc::SYS_umask, [0o022, 0, 0, 0, 0, 0]) as mode_t;
        real::syscall(libc::SYS_umask, [mask as usize, 0, 0, 0, 0, 0]);
        Self { working: working.unwrap_or_else(|| String::from("/")), mask }
    }

    /// The permissions of something that is made with `mode`.
    pub fn masked(&self, mode: mode_t) -> u32 {
        mode & !self.mask & 0o7777
    }
}

impl Default for Folders {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a path leads.
#[derive(Debug)]
pub enum Where {
    /// The caller is no member, or the place is the system's own; with its absolute path, if the caller is a member.
    System(Option<CString>),
    /// The simulated disk, with the absolute path.
    Disk(Box<str>),
}

/// Submits an operation and waits for its completion.
pub fn submit(op: Op) -> Result<Output> {
    let waiter = Waiter::Thread(ThreadId(me()));
    let touch = Touch::of(&op);
    let op = call(|world| {
        world.flush_window(touch)?;
        let host = world.host();
        Ok(world.universe.submit(&mut world.env, host, op, waiter))
    })?;
    let output = loop {
        match with(|world| world.universe.complete(&mut world.env, op, waiter)) {
            Some(result) => break result?,
            None => thread::wait(WaitsFor::Completion, None),
        }
    };
    with(|world| world.refresh_window(touch, &output))?;
    Ok(output)
}

/// As [`submit`], where there is nothing to know but that it is done.
pub fn done(op: Op) -> Result<c_int> {
    submit(op).map(|_| 0)
}

/// What a path on the disk names.
pub fn stat(path: Box<str>, follow: bool) -> Result<Metadata> {
    match submit(Op::Stat { path, follow })? {
        Output::Metadata(metadata) => Ok(metadata),
        other => unreachable!("stat answers metadata, not {other:?}"),
    }
}

/// A path without `.`, `..` and doubled slashes, as far as that can be said without looking.
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The devices that keep nothing, or are sealed elsewhere.
const DEVICES: &[&str] = &[
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/tty",
    "/dev/random",
    "/dev/urandom",
    "/dev/stdin",
    "/dev/stdout",
    "/dev/stderr",
];

/// What of `/proc/self` tells about the machine, and not about the process.
const OF_THE_MACHINE: &[&str] = &["cgroup", "mounts", "mountinfo", "mountstats", "net"];

/// Whether a place is the system's own, and whether a program may change what is there.
fn is_systems(path: &str) -> bool {
    let own = path.strip_prefix("/proc/self/").or_else(|| path.strip_prefix("/proc/thread-self/"));
    match own {
        Some(own) => !OF_THE_MACHINE.contains(&own.split('/').next().unwrap_or_default()),
        None => DEVICES.contains(&path) || path == "/dev/fd" || path.starts_with("/dev/fd/"),
    }
}

/// The directory that a relative path begins at; `None` if that is a directory of the system.
fn base(world: &mut World, folder: c_int) -> Result<Option<String>> {
    if folder == libc::AT_FDCWD {
        return Ok(Some(world.folders.working.clone()));
    }
    if folder < FIRST {
        return Ok(None);
    }
    let fd = sim_core::Fd::new((folder - FIRST) as u32);
    world.universe.directory_path(&mut world.env, fd).map(Some)
}

/// Where a path leads that is relative to `folder`.
pub fn place(folder: c_int, path: In<c_char>) -> Result<Where> {
    let Some(text) = path.text().filter(|_| is_member()) else { return Ok(Where::System(None)) };
    let Ok(path) = text.to_str() else {
        with(|world| world.refuse("a path that is not UTF-8"));
        return Err(Errno::EILSEQ);
    };
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let absolute = match path.starts_with('/') {
        true => path.to_owned(),
        false => match with(|world| base(world, folder))? {
            Some(base) => format!("{base}/{path}"),
            None => return Ok(Where::System(None)),
        },
    };
    let plain = plain(&absolute);
    if is_systems(&plain) {
        return Ok(Where::System(CString::new(plain).ok()));
    }
    if plain.starts_with("/proc/") || plain.starts_with("/sys/") {
        // A machine need not have control groups, and most programs ask for their limits and go on without.
        if !plain.contains("/cgroup") {
            with(|world| {
                world.env.trace.notice(format!("{plain} tells about the machine: it is not there"));
            });
        }
        return Err(Errno::ENOENT);
    }
    Ok(Where::Disk(absolute.into()))
}

/// A call on a path: ours on the disk, the system's elsewhere, which gets the path to use.
pub fn on_path(
    folder: c_int,
    path: In<c_char>,
    ours: impl FnOnce(Box<str>) -> Result<c_int>,
    theirs: impl FnOnce(In<c_char>) -> isize,
) -> c_int {
    match place(folder, path) {
        Ok(Where::Disk(path)) => answer_int(ours(path)),
        Ok(Where::System(None)) => theirs(path) as c_int,
        Ok(Where::System(Some(absolute))) => theirs(In(absolute.as_ptr())) as c_int,
        Err(errno) => answer_int(Err(errno)),
    }
}

/// As [`on_path`], for calls that change what they are about: nothing real is changed by a member.
pub fn on_path_changing(
    folder: c_int,
    path: In<c_char>,
    ours: impl FnOnce(Box<str>) -> Result<c_int>,
    theirs: impl FnOnce(In<c_char>) -> isize,
) -> c_int {
    on_path(folder, path, ours, |path| {
        if is_member() { denied("a change below /proc or /dev") } else { theirs(path) }
    })
}

/// The answer to a member that would change the real machine.
pub fn denied(what: &str) -> isize {
    with(|world| world.refuse(what));
    super::answer(Err(Errno::EPERM))
}

/// A system call that libc makes itself, with its answer.
pub fn system(number: libc::c_long, arguments: [usize; 6]) -> isize {
    real::as_libc(real::syscall(number, arguments))
}

/// A call on two paths, neither of which may be the system's.
pub fn on_both(
    from: (c_int, In<c_char>),
    to: (c_int, In<c_char>),
    ours: impl FnOnce(Box<str>, Box<str>) -> Result<c_int>,
    theirs: impl FnOnce() -> isize,
) -> c_int {
    if !is_member() {
        return theirs() as c_int;
    }
    let places = place(from.0, from.1).and_then(|source| Ok((source, place(to.0, to.1)?)));
    match places {
        Ok((Where::Disk(from), Where::Disk(to))) => answer_int(ours(from, to)),
        // A file of the system and one of the disk are on different file systems.
        Ok(_) => answer_int(Err(Errno::EXDEV)),
        Err(errno) => answer_int(Err(errno)),
    }
}
