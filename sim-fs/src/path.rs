//! Finding what a path names (path_resolution(7)).
//!
//! A relative path begins at the root directory. `.` and `..` are walked, not edited away: `file/..` is an error, and
//! `..` of the root is the root. Symbolic links are followed wherever more of the path comes after them.

use crate::change::Ino;
use crate::disk::Disk;
use crate::image::{Image, Node};
use sim_core::{Errno, Result};

/// Device or resource busy: the answer to naming `/`, `.` or `..` where a name is wanted.
pub(crate) const EBUSY: Errno = Errno::EBUSY;
/// The longest name of a directory entry, in bytes.
const NAME_MAX: usize = 255;
/// The longest path, in bytes and with the byte 0 that ends it for the kernel.
const PATH_MAX: usize = 4096;
/// How many symbolic links are followed for one path.
const MOST_LINKS: u32 = 40;

/// A path's last component, which the calls treat each in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// There is none: the path is `/`.
    Root,
    Dot,
    DotDot,
    Name(Box<str>),
}

/// What is done with a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is what the call is about, whatever follows it.
    Keep,
    /// It is what the call is about, unless a slash follows it.
    KeepBare,
    /// The call is about what it leads to, unless a slash follows it.
    FollowBare,
    /// The call is about what it leads to.
    Follow,
}

/// A path resolved up to its last component.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub(crate) dir: Ino,
    pub(crate) last: Last,
    /// Whether a slash follows the last component, which then must be a directory.
    pub(crate) slash: bool,
}

/// A walk along a path.
struct Walk {
    dir: Ino,
    /// The components that are still to come, the next one last.
    rest: Vec<Box<str>>,
    slash: bool,
    links: u32,
}

impl Walk {
    fn new(path: &str) -> Self {
        let mut walk =
            Self { dir: Ino::ROOT, rest: Vec::new(), slash: path.ends_with('/'), links: 0 };
        walk.prepend(path);
        walk
    }

    fn prepend(&mut self, path: &str) {
        let names = path.split('/').filter(|name| !name.is_empty());
        self.rest.extend(names.rev().map(Box::from));
    }

    /// Goes on with what a symbolic link leads to.
    fn follow(&mut self, target: &str) -> Result<()> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(Errno::ELOOP);
        }
        if target.starts_with('/') {
            self.dir = Ino::ROOT;
        }
        self.slash |= self.rest.is_empty() && target.ends_with('/');
        self.prepend(target);
        Ok(())
    }
}

impl Disk {
    /// Resolves all of `path` but its last component.
    pub(crate) fn walk(&mut self, path: &str, end: End) -> Result<Parent> {
        check(path)?;
        let mut walk = Walk::new(path);
        while let Some(name) = walk.rest.pop() {
            if !self.volatile.inode(walk.dir).is_dir() {
                return Err(Errno::ENOTDIR);
            }
            let last = match &*name {
                "." => Last::Dot,
                ".." => Last::DotDot,
                _ => Last::Name(name),
            };
            let is_last = walk.rest.is_empty();
            let keeps = match end {
                End::Keep => true,
                End::KeepBare => !walk.slash,
                End::FollowBare => walk.slash,
                End::Follow => false,
            };
            if is_last && keeps {
                return Ok(Parent { dir: walk.dir, last, slash: walk.slash });
            }
            match self.step(walk.dir, &last)? {
                Some(ino) => match &self.volatile.inode(ino).node {
                    Node::Symlink(target) => walk.follow(target)?,
                    _ if is_last => {
                        return Ok(Parent { dir: walk.dir, last, slash: walk.slash });
                    }
                    _ => walk.dir = ino,
                },
                None if is_last => return Ok(Parent { dir: walk.dir, last, slash: walk.slash }),
                None => return Err(Errno::ENOENT),
            }
        }
        Ok(Parent { dir: walk.dir, last: Last::Root, slash: false })
    }

    /// What the last component is in its directory, if it is there.
    pub(crate) fn step(&mut self, dir: Ino, last: &Last) -> Result<Option<Ino>> {
        match last {
            Last::Root => Ok(Some(Ino::ROOT)),
            Last::Dot => Ok(Some(dir)),
            Last::DotDot => Ok(Some(
                self.volatile
                    .inode(dir)
                    .parent()
                    .expect("a directory that a path leads to has a parent"),
            )),
            Last::Name(name) => self.lookup(dir, name),
        }
    }

    /// What `name` is in a directory, if it is there. `ENAMETOOLONG` if it could not be.
    pub(crate) fn lookup(&mut self, dir: Ino, name: &str) -> Result<Option<Ino>> {
        if name.len() <= NAME_MAX {
            self.ask_below(dir, name);
        }
        self.volatile.lookup(dir, name)
    }

    /// What a whole path names.
    pub(crate) fn resolve(&mut self, path: &str, follow: bool) -> Result<Ino> {
        let parent = self.walk(path, if follow { End::Follow } else { End::KeepBare })?;
        let ino = self.step(parent.dir, &parent.last)?.ok_or(Errno::ENOENT)?;
        if parent.slash && !self.volatile.inode(ino).is_dir() {
            return Err(Errno::ENOTDIR);
        }
        Ok(ino)
    }
}

impl Image {
    /// What `name` is in a directory, if it is there. `ENAMETOOLONG` if it could not be.
    fn lookup(&self, dir: Ino, name: &str) -> Result<Option<Ino>> {
        let Node::Directory(directory) = &self.inode(dir).node else { return Err(Errno::ENOTDIR) };
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        Ok(directory.entries.get(name).copied())
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
