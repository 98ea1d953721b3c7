//! Finding what a path names (path_resolution(7)).
//!
//! A relative path begins at the root directory, which is the working directory of every process here. `.` and `..`
//! are walked, not edited away: `file/..` is an error, and `..` of the root is the root.

use crate::change::Ino;
use crate::image::{Image, Node};
use sim_core::{Errno, Result};

/// Device or resource busy: the answer to naming `/`, `.` or `..` where a name is wanted.
pub(crate) const EBUSY: Errno = Errno::EBUSY;
/// The longest name of a directory entry, in bytes.
const NAME_MAX: usize = 255;
/// The longest path, in bytes and with the byte 0 that ends it for the kernel.
const PATH_MAX: usize = 4096;

/// A path's last component, which the calls treat each in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last<'p> {
    /// There is none: the path is `/`.
    Root,
    Dot,
    DotDot,
    Name(&'p str),
}

/// A path resolved up to its last component.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parent<'p> {
    pub(crate) dir: Ino,
    pub(crate) last: Last<'p>,
    /// Whether a slash follows the last component, which then must be a directory.
    pub(crate) slash: bool,
}

impl Image {
    /// Resolves all of `path` but its last component.
    pub(crate) fn parent_of<'p>(&self, path: &'p str) -> Result<Parent<'p>> {
        check(path)?;
        let mut components = path.split('/').filter(|name| !name.is_empty()).peekable();
        let mut dir = Ino::ROOT;
        while let Some(name) = components.next() {
            if !self.inode(dir).is_dir() {
                return Err(Errno::ENOTDIR);
            }
            let last = match name {
                "." => Last::Dot,
                ".." => Last::DotDot,
                name => Last::Name(name),
            };
            if components.peek().is_none() {
                return Ok(Parent { dir, last, slash: path.ends_with('/') });
            }
            dir = self.step(dir, last)?.ok_or(Errno::ENOENT)?;
        }
        Ok(Parent { dir, last: Last::Root, slash: false })
    }

    /// What the last component is in its directory, if it is there.
    pub(crate) fn step(&self, dir: Ino, last: Last<'_>) -> Result<Option<Ino>> {
        match last {
            Last::Root => Ok(Some(Ino::ROOT)),
            Last::Dot => Ok(Some(dir)),
            Last::DotDot => Ok(Some(
                self.inode(dir).parent.expect("a directory that a path leads to has a parent"),
            )),
            Last::Name(name) => self.lookup(dir, name),
        }
    }

    /// What `name` is in a directory, if it is there. `ENAMETOOLONG` if it could not be.
    pub(crate) fn lookup(&self, dir: Ino, name: &str) -> Result<Option<Ino>> {
        let Node::Directory(directory) = &self.inode(dir).node else { return Err(Errno::ENOTDIR) };
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        Ok(directory.entries.get(name).copied())
    }

    /// What a whole path names.
    pub(crate) fn resolve(&self, path: &str) -> Result<Ino> {
        let parent = self.parent_of(path)?;
        let ino = self.step(parent.dir, parent.last)?.ok_or(Errno::ENOENT)?;
        if parent.slash && !self.inode(ino).is_dir() {
            return Err(Errno::ENOTDIR);
        }
        Ok(ino)
    }
}

fn check(path: &str) -> Result<()> {
    if path.is_empty() {
        Err(Errno::ENOENT)
    } else if path.contains('\0') {
        // No such path can be given to a kernel; std refuses it with this error.
        Err(Errno::EINVAL)
    } else if path.len() >= PATH_MAX {
        Err(Errno::ENAMETOOLONG)
    } else {
        Ok(())
    }
}
