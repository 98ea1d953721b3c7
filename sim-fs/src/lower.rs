//! The layer below a disk: a tree of files elsewhere that is only read, as the lower directory of overlayfs.
//!
//! A directory of the layer is *merged*: the first time that a name in it is asked for, and is there below, an inode is
//! adopted for it into both views, as if it had always been on the disk. From then on the disk alone decides: what was
//! changed, renamed or removed is never asked for again. So a removal needs no whiteout, and a crash brings back what was
//! below and not what was never there.
//!
//! Bytes are asked for when they are read. The layer answers the same bytes whenever it is asked, or a run is not a
//! function of its choices.

use crate::change::{Ino, Slot};
use crate::contents::{Contents, PAGE};
use crate::disk::Disk;
use crate::files::FileId;
use crate::image::{Directory, Inode, Node};
use sim_core::Result;
use sim_time::WallTime;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

/// A tree of files that lies below a disk. Paths are absolute, without `.`, `..` and double slashes.
pub trait Lower: fmt::Debug {
    /// What `name` is in a directory of the layer.
    fn find(&self, directory: &str, name: &str) -> Option<Found>;
    /// The names in a directory of the layer, in any order, without `.` and `..`.
    fn list(&self, directory: &str) -> Vec<Box<str>>;
    /// Reads a file from `offset` on. What cannot be read stays as it is.
    fn read(&self, file: &str, offset: u64, into: &mut [u8]);
}

/// What the layer below has under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its kind, and what belongs to that.
    pub node: FoundNode,
    /// Its permissions.
    pub mode: u32,
    /// When its content last changed.
    pub modified: WallTime,
}

/// Kinds of things in the layer below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundNode {
    /// A file of this length in bytes.
    File(u64),
    /// A directory, whose names are asked for in turn.
    Directory,
    /// A symbolic link to this.
    Symlink(Box<str>),
}

/// A file of the layer, as far as it has not been cut.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    layer: Rc<dyn Lower>,
    path: Rc<str>,
    /// How much of it still counts.
    pub(crate) len: u64,
    is_cut: bool,
}

impl Source {
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_cut
    }

    pub(crate) fn cut(&mut self, len: u64) {
        if len < self.len {
            (self.len, self.is_cut) = (len, true);
        }
    }

    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = left.min(into.len());
        if len > 0 {
            self.layer.read(&self.path, offset, &mut into[..len]);
        }
    }

    /// The page of this number, as long as the source reaches into it.
    pub(crate) fn page(&self, number: u64) -> Vec<u8> {
        let start = number * PAGE;
        let mut page = vec![0; self.len.saturating_sub(start).min(PAGE) as usize];
        self.read(start, &mut page);
        page
    }
}

/// A merged directory.
#[derive(Debug)]
pub(crate) struct Merged {
    path: Rc<str>,
    /// The names that were asked for.
    asked: BTreeSet<Box<str>>,
    is_complete: bool,
}

/// The layer below a disk, if it has one, and the directories of the disk that are merged with it.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    below: Option<Rc<dyn Lower>>,
    merged: BTreeMap<Ino, Merged>,
}

impl Disk {
    /// Puts a tree below this disk. The directories that the disk has by now are merged, and its files hide what is below.
    pub fn put_above(&mut self, below: Rc<dyn Lower>) {
        let (mut merged, mut stack) = (BTreeMap::new(), vec![(Ino::ROOT, String::new())]);
        while let Some((ino, path)) = stack.pop() {
            let Node::Directory(directory) = &self.volatile.inode(ino).node else { continue };
            let held = directory.entries.iter();
            stack.extend(held.map(|(name, &child)| (child, format!("{path}/{name}"))));
            let asked = directory.entries.keys().cloned().collect();
            let path: Rc<str> = if path.is_empty() { "/".into() } else { path.into() };
            merged.insert(ino, Merged { path, asked, is_complete: false });
        }
        self.layer = Layer { below: Some(below), merged };
    }

    /// The path in the layer below of an open file that nobody has changed.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn below(&self, id: FileId) -> Result<Option<&str>> {
        let inode = self.volatile.inode(self.files.get(id)?.ino);
        Ok(match &inode.node {
            Node::File(contents) => contents.untouched().map(|source| &*source.path),
            _ => None,
        })
    }

    /// Asks the layer below for a name, if that was not done before.
    pub(crate) fn ask_below(&mut self, dir: Ino, name: &str) {
        let Layer { below: Some(below), merged } = &mut self.layer else { return };
        let Some(directory) = merged.get_mut(&dir) else { return };
        if directory.is_complete || !directory.asked.insert(name.into()) {
            return;
        }
        let found = below.find(&directory.path, name);
        if let Some(found) = found {
            let path = if &*directory.path == "/" {
                format!("/{name}")
            } else {
                format!("{}/{name}", directory.path)
            };
            self.adopt(&Slot { dir, name: name.into() }, &path, found);
        }
    }

    /// Asks the layer below for every name of a directory.
    pub(crate) fn complete(&mut self, dir: Ino) {
        let Layer { below: Some(below), merged } = &mut self.layer else { return };
        let Some(directory) = merged.get_mut(&dir).filter(|directory| !directory.is_complete)
        else {
            return;
        };
        let mut names = below.list(&directory.path);
        names.sort_unstable();
        for name in names {
            self.ask_below(dir, &name);
        }
        if let Some(directory) = self.layer.merged.get_mut(&dir) {
            (directory.is_complete, directory.asked) = (true, BTreeSet::new());
        }
    }

    fn adopt(&mut self, slot: &Slot, path: &str, found: Found) {
        let ino = self.new_ino();
        let path: Rc<str> = path.into();
        let node = match found.node {
            FoundNode::File(len) => {
                let layer = self.layer.below.clone().expect("something was found below");
                Node::File(Contents::from_below(Source { layer, path, len, is_cut: false }))
            }
            FoundNode::Directory => {
                let merged = Merged { path, asked: BTreeSet::new(), is_complete: false };
                self.layer.merged.insert(ino, merged);
                Node::Directory(Directory::default())
            }
            FoundNode::Symlink(target) => Node::Symlink(target),
        };
        let inode = Inode::of(node, found.mode, found.modified);
        if self.durable.contains(slot.dir) {
            self.durable.adopt(slot, ino, inode.clone());
        }
        self.volatile.adopt(slot, ino, inode);
    }
}
