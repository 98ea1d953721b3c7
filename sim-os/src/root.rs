//! Where a host's paths begin.
//!
//! With a directory configured, a path is resolved as chroot(2) would: `/`, `..` and absolute
//! symbolic links all stay inside. Linux does that itself for openat2(2) with `RESOLVE_IN_ROOT`, and
//! for that call alone, so every other call opens the parent directory that way and names the last
//! component in it. Joining the two texts instead is refused: a symbolic link would lead out.
//!
//! Without a directory a path means what it means to the process.

use crate::errno::Answer;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use sim_core::{Errno, Result};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// openat2(2) gives up with `EAGAIN` when somebody renames directories under a path with `..`; man page: "try again".
const TRIES: usize = 100;

/// A host's root directory; shared with the threads that carry out its file operations.
#[derive(Clone, Debug)]
pub(crate) struct Root(Option<Arc<Directory>>);

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// Opened by the first operation, so that its error is an answer to somebody.
    open: OnceLock<OwnedFd>,
}

/// A name in an open directory, for the calls whose names end in `at`.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    parent: Option<OwnedFd>,
    /// The last component, or the whole path if there is no root directory.
    pub(crate) name: &'a str,
}

impl Place<'_> {
    /// The directory that holds the name.
    pub(crate) fn parent(&self) -> BorrowedFd<'_> {
        self.parent.as_ref().map_or(CWD, |parent| parent.as_fd())
    }
}

impl Root {
    /// The root directory at `path`, which is made when it is first used.
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self(path.map(|path| Arc::new(Directory { path, open: OnceLock::new() })))
    }

    /// Opens what `path` names (open(2)), close-on-exec.
    pub(crate) fn open(&self, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        let Some(directory) = &self.0 else {
            return rustix::io::retry_on_intr(|| rustix::fs::openat(CWD, path, flags, mode))
                .answer();
        };
        // openat2(2) refuses a mode that it would not use.
        let mode = if flags.contains(OFlags::CREATE) { mode } else { Mode::empty() };
        let root = directory.open()?;
        let open = || rustix::fs::openat2(root, path, flags, mode, ResolveFlags::IN_ROOT).answer();
        let again = |answer: &Result<OwnedFd>| matches!(answer, Err(Errno::EAGAIN | Errno::EINTR));
        (1..TRIES).map(|_| open()).find(|answer| !again(answer)).unwrap_or_else(open)
    }

    /// What `path` is called by the kernel, for the one call that takes no directory: the real path of the directory
    /// that holds the name, and the name. So a symbolic link on the way cannot lead out.
    pub(crate) fn real_path(&self, path: &str) -> Result<Vec<u8>> {
        let place = self.place(path)?;
        let Some(parent) = &place.parent else { return Ok(path.into()) };
        let mut real = directory_path(parent)?;
        real.push(b'/');
        real.extend_from_slice(place.name.as_bytes());
        Ok(real)
    }

    /// What the kernel calls `path` as this host knows it.
    pub(crate) fn shown_path(&self, path: &[u8]) -> Vec<u8> {
        let root =
            self.0.as_ref().and_then(|directory| directory_path(directory.open().ok()?).ok());
        let below = root.and_then(|root| path.strip_prefix(root.as_slice()));
        below.unwrap_or(path).to_vec()
    }

    /// The place of `path` for a call that takes a directory and a name.
    pub(crate) fn place<'a>(&self, path: &'a str) -> Result<Place<'a>> {
        if self.0.is_none() {
            return Ok(Place { parent: None, name: path });
        }
        let (parent, name) = split(path);
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let parent = self.open(parent, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        Ok(Place { parent: Some(parent), name })
    }
}

impl Directory {
    fn open(&self) -> Result<&OwnedFd> {
        if let Some(open) = self.open.get() {
            return Ok(open);
        }
        std::fs::create_dir_all(&self.path).answer()?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = rustix::fs::open(&self.path, flags, Mode::empty()).answer()?;
        // Two threads may both be the first; they have opened the same directory, and one of the two is kept.
        Ok(self.open.get_or_init(|| open))
    }
}

/// The real path of an open directory (proc_pid_fd(5)).
fn directory_path(directory: &OwnedFd) -> Result<Vec<u8>> {
    let link = format!("/proc/self/fd/{}", directory.as_raw_fd());
    Ok(rustix::fs::readlink(link, Vec::new()).answer()?.into_bytes())
}

/// Parent and last component. Slashes at the end stay with the name, because they ask for a directory.
fn split(path: &str) -> (&str, &str) {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rfind('/') {
        _ if trimmed.is_empty() => ("/", "."),
        Some(slash) => (&path[..=slash], &path[slash + 1..]),
        None => (".", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_splits_before_its_last_component() {
        for (path, parent, name) in [
            ("a", ".", "a"),
            ("/a", "/", "a"),
            ("/a/b", "/a/", "b"),
            ("a//b/", "a//", "b/"),
            ("/", "/", "."),
            ("//", "/", "."),
        ] {
            assert_eq!(split(path), (parent, name), "{path}");
        }
    }
}
