//! Links, permissions, owners, times and locks: what Linux is asked for besides names and contents.

use crate::errno::Answer;
use crate::file::Done;
use crate::root::Root;
use rustix::fs::{
    AtFlags, FlockOperation, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid,
};
use sim_core::backend::{AttributeChange, LockMode, Output, SetTime};
use sim_core::{Errno, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

const DONE: Done = Done::Output(Output::Done);

/// One more name (linkat(2), without `AT_SYMLINK_FOLLOW`).
pub(crate) fn link(root: &Root, from: &str, to: &str) -> Result<Done> {
    let (from, to) = (root.place(from)?, root.place(to)?);
    rustix::fs::linkat(from.parent(), from.name, to.parent(), to.name, AtFlags::empty())
        .answer()?;
    Ok(DONE)
}

/// A symbolic link (symlinkat(2)).
pub(crate) fn symlink(root: &Root, target: &str, path: &str) -> Result<Done> {
    let place = root.place(path)?;
    rustix::fs::symlinkat(target, place.parent(), place.name).answer()?;
    Ok(DONE)
}

/// What it leads to (readlinkat(2)). A target that is not UTF-8 is shown with replacement characters.
pub(crate) fn read_link(root: &Root, path: &str) -> Result<Done> {
    let place = root.place(path)?;
    let target = rustix::fs::readlinkat(place.parent(), place.name, Vec::new()).answer()?;
    Ok(Done::Output(Output::Target(target.to_string_lossy().into())))
}

/// Changes what a path names. Permissions of a symbolic link itself cannot be changed: `EOPNOTSUPP` (fchmodat(2)).
pub(crate) fn set(root: &Root, path: &str, follow: bool, change: AttributeChange) -> Result<Done> {
    let flags = if follow { OFlags::PATH } else { OFlags::PATH | OFlags::NOFOLLOW };
    let file = root.open(path, flags, Mode::empty())?;
    // A descriptor of O_PATH changes nothing itself, and its name in /proc stands for what it leads to.
    let (directory, name) = (rustix::fs::CWD, format!("/proc/self/fd/{}", number(&file)));
    if let Some(mode) = change.mode {
        if !follow && is_symlink(&file)? {
            return Err(Errno::EOPNOTSUPP);
        }
        rustix::fs::chmodat(directory, &*name, Mode::from_raw_mode(mode), AtFlags::empty())
            .answer()?;
    }
    if change.owner.is_some() || change.group.is_some() {
        rustix::fs::chownat(&file, "", owner(change), group(change), AtFlags::EMPTY_PATH)
            .answer()?;
    }
    set_times(file.as_fd(), change)
}

fn number(file: &OwnedFd) -> i32 {
    use std::os::fd::AsRawFd;
    file.as_raw_fd()
}

fn is_symlink(file: &OwnedFd) -> Result<bool> {
    let stat = rustix::fs::fstat(file).answer()?;
    Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Symlink)
}

/// Changes an open file.
pub(crate) fn set_open(file: &OwnedFd, change: AttributeChange) -> Result<Done> {
    if let Some(mode) = change.mode {
        rustix::fs::fchmod(file, Mode::from_raw_mode(mode)).answer()?;
    }
    if change.owner.is_some() || change.group.is_some() {
        rustix::fs::fchown(file, owner(change), group(change)).answer()?;
    }
    if change.accessed.is_some() || change.modified.is_some() {
        rustix::fs::futimens(file, &times(change)).answer()?;
    }
    Ok(DONE)
}

fn set_times(file: BorrowedFd<'_>, change: AttributeChange) -> Result<Done> {
    if change.accessed.is_some() || change.modified.is_some() {
        rustix::fs::utimensat(file, "", &times(change), AtFlags::EMPTY_PATH).answer()?;
    }
    Ok(DONE)
}

fn owner(change: AttributeChange) -> Option<Uid> {
    change.owner.map(Uid::from_raw)
}

fn group(change: AttributeChange) -> Option<Gid> {
    change.group.map(Gid::from_raw)
}

fn times(change: AttributeChange) -> Timestamps {
    let time = |time: Option<SetTime>| match time {
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        Some(SetTime::Now) => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        Some(SetTime::To(time)) => Timespec {
            tv_sec: (time.as_nanos() / 1_000_000_000) as i64,
            tv_nsec: (time.as_nanos() % 1_000_000_000) as i64,
        },
    };
    Timestamps { last_access: time(change.accessed), last_modification: time(change.modified) }
}

/// Takes, changes or gives back a lock of flock(2).
pub(crate) fn lock(file: &OwnedFd, mode: LockMode) -> Result<Done> {
    let operation = match mode {
        LockMode::Shared => FlockOperation::NonBlockingLockShared,
        LockMode::Exclusive => FlockOperation::NonBlockingLockExclusive,
        LockMode::Unlocked => FlockOperation::NonBlockingUnlock,
    };
    rustix::fs::flock(file, operation).answer()?;
    Ok(DONE)
}
