//! A tree of inodes: the volatile view and the durable one are each an [`Image`], changed by the same verbs.
//!
//! A directory has one name, any other inode may have several; each inode knows the directories that hold them. An
//! inode without a name exists only in the volatile view, while it is open.

use crate::change::{Attributes, DataChange, DataKind, Ino, NameChange, NameKind, New, Slot};
use crate::contents::{Contents, PAGE, pages_of};
use sim_core::backend::{FileKind, Metadata};
use sim_time::WallTime;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a symbolic link may be used for: everything, since nobody asks (inode(7)).
const SYMLINK_MODE: u32 = 0o777;
/// How old a time of access may be before reading moves it (mount(8), `relatime`).
const RELATIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The unit in which stat(2) counts room.
pub(crate) const SECTOR: u64 = 512;

#[derive(Clone, Debug)]
pub(crate) struct Image {
    inodes: BTreeMap<Ino, Inode>,
    /// Blocks taken by directories and contents.
    blocks: u64,
    /// How often a page of contents was written to, ever: the work done.
    pages_touched: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Inode {
    /// The directories that hold its names, each as often as it holds one. The root's is the root.
    pub(crate) parents: Vec<Ino>,
    pub(crate) attributes: Attributes,
    /// When anything of it last changed (`st_ctime`).
    pub(crate) changed: WallTime,
    pub(crate) node: Node,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    File(Contents),
    Directory(Directory),
    Symlink(Box<str>),
    /// The name of a Unix socket (unix(7)): it has no contents.
    Socket,
    /// The name of a pipe (fifo(7)): what is in it is not on the disk.
    Fifo,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    pub(crate) entries: BTreeMap<Box<str>, Ino>,
    /// How many of them are directories; each counts as a link to this one (its `..`).
    subdirs: u32,
}

impl Inode {
    fn new(new: &New, at: WallTime) -> Self {
        let (node, mode) = match new {
            New::File(mode) => (Node::File(Contents::default()), *mode),
            New::Directory(mode) => (Node::Directory(Directory::default()), *mode),
            New::Symlink(target) => (Node::Symlink(target.clone()), SYMLINK_MODE),
            New::Socket => (Node::Socket, 0o755),
            New::Fifo(mode) => (Node::Fifo, *mode),
        };
        Self::of(node, mode, at)
    }

    pub(crate) fn of(node: Node, mode: u32, at: WallTime) -> Self {
        let attributes = Attributes { mode, owner: 0, group: 0, accessed: at, modified: at };
        Self { parents: Vec::new(), attributes, changed: at, node }
    }

    /// The directory that holds a directory, if it still has its name.
    pub(crate) fn parent(&self) -> Option<Ino> {
        self.parents.first().copied()
    }

    pub(crate) fn has_name(&self) -> bool {
        !self.parents.is_empty()
    }

    pub(crate) fn kind(&self) -> FileKind {
        match self.node {
            Node::File(_) => FileKind::File,
            Node::Directory(_) => FileKind::Directory,
            Node::Symlink(_) => FileKind::Symlink,
            Node::Socket => FileKind::Socket,
            Node::Fifo => FileKind::Fifo,
        }
    }

    pub(crate) fn is_dir(&self) -> bool {
        matches!(self.node, Node::Directory(_))
    }

    /// What stat(2) says. A directory's length is one block, as on ext4.
    pub(crate) fn metadata(&self, ino: Ino) -> Metadata {
        let names = self.parents.len() as u32;
        let (len, links, blocks) = match &self.node {
            Node::File(contents) => (contents.len(), names, contents.sectors()),
            Node::Directory(_) if names == 0 => (PAGE, 0, PAGE / SECTOR),
            Node::Directory(directory) => (PAGE, 2 + directory.subdirs, PAGE / SECTOR),
            Node::Symlink(target) => (target.len() as u64, names, 0),
            Node::Socket | Node::Fifo => (0, names, 0),
        };
        let Attributes { mode, owner, group, accessed, modified } = self.attributes;
        Metadata {
            kind: self.kind(),
            len,
            inode: ino.0,
            links,
            mode,
            owner,
            group,
            blocks,
            modified,
            accessed,
            changed: self.changed,
        }
    }

    fn blocks(&self) -> u64 {
        match &self.node {
            Node::File(contents) => contents.blocks(),
            Node::Directory(_) => 1,
            // A short target lies in the inode itself, as on ext4.
            Node::Symlink(_) | Node::Socket | Node::Fifo => 0,
        }
    }
}

impl Image {
    /// A disk as it is at the first boot: the root directory and `/tmp`.
    pub(crate) fn new() -> Self {
        let mut root = Inode::new(&New::Directory(0o755), WallTime::UNIX_EPOCH);
        root.parents.push(Ino::ROOT);
        let mut image =
            Self { inodes: BTreeMap::from([(Ino::ROOT, root)]), blocks: 1, pages_touched: 0 };
        let slot = Slot { dir: Ino::ROOT, name: "tmp".into() };
        let kind = NameKind::Create(New::Directory(0o1777), slot);
        image.change_names(&NameChange { ino: Ino::TMP, kind, at: WallTime::UNIX_EPOCH });
        image
    }

    /// Becomes the tree that `other` is. The count of work goes on.
    pub(crate) fn become_like(&mut self, other: &Self) {
        self.inodes.clone_from(&other.inodes);
        self.blocks = other.blocks;
    }

    pub(crate) fn blocks(&self) -> u64 {
        self.blocks
    }

    pub(crate) fn pages_touched(&self) -> u64 {
        self.pages_touched
    }

    pub(crate) fn contains(&self, ino: Ino) -> bool {
        self.inodes.contains_key(&ino)
    }

    /// The inode, which somebody holds by a name or an open file.
    pub(crate) fn inode(&self, ino: Ino) -> &Inode {
        self.inodes.get(&ino).expect("an inode lives as long as a name or an open file holds it")
    }

    pub(crate) fn inode_mut(&mut self, ino: Ino) -> &mut Inode {
        self.inodes
            .get_mut(&ino)
            .expect("an inode lives as long as a name or an open file holds it")
    }

    /// The contents of a regular file.
    pub(crate) fn contents(&self, ino: Ino) -> &Contents {
        match &self.inode(ino).node {
            Node::File(contents) => contents,
            _ => unreachable!("the caller knows that {ino:?} is a file"),
        }
    }

    /// The directory and those that hold it, up to the root.
    pub(crate) fn ancestors(&self, dir: Ino) -> impl Iterator<Item = Ino> {
        std::iter::successors(Some(dir), |&ino| {
            self.inode(ino).parent().filter(|&parent| parent != ino)
        })
    }

    /// Does a change to the names. An inode that is left without one is still there.
    pub(crate) fn change_names(&mut self, change: &NameChange) {
        match &change.kind {
            NameKind::Create(new, slot) => {
                let inode = Inode::new(new, change.at);
                self.blocks += inode.blocks();
                self.inodes.insert(change.ino, inode);
                self.give(slot, change.ino, change.at);
            }
            NameKind::Link(slot) => self.give(slot, change.ino, change.at),
            NameKind::Remove(slot) => self.take(slot, change.ino, change.at),
            NameKind::Rename { from, to, replaced } => {
                self.take(from, change.ino, change.at);
                if let Some(replaced) = *replaced {
                    self.take(to, replaced, change.at);
                }
                self.give(to, change.ino, change.at);
            }
        }
    }

    fn give(&mut self, slot: &Slot, ino: Ino, at: WallTime) {
        let inode = self.inode_mut(ino);
        inode.parents.push(slot.dir);
        inode.changed = at;
        let is_dir = inode.is_dir();
        let directory = self.directory_mut(slot.dir, at);
        let before = directory.entries.insert(slot.name.clone(), ino);
        assert_eq!(before, None, "a name is free when it is given: {slot:?}");
        directory.subdirs += u32::from(is_dir);
    }

    /// Puts an inode that was always there under its name, which changes no time.
    pub(crate) fn adopt(&mut self, slot: &Slot, ino: Ino, mut inode: Inode) {
        let modified = self.inode(slot.dir).attributes.modified;
        inode.parents.push(slot.dir);
        self.blocks += inode.blocks();
        let is_dir = inode.is_dir();
        self.inodes.insert(ino, inode);
        let directory = self.directory_mut(slot.dir, modified);
        let before = directory.entries.insert(slot.name.clone(), ino);
        assert_eq!(before, None, "a name is asked of the layer below once: {slot:?}");
        directory.subdirs += u32::from(is_dir);
    }

    fn take(&mut self, slot: &Slot, ino: Ino, at: WallTime) {
        let inode = self.inode_mut(ino);
        let held = inode.parents.iter().position(|&dir| dir == slot.dir);
        inode.parents.remove(held.expect("an inode knows who holds its names"));
        inode.changed = at;
        let is_dir = inode.is_dir();
        let directory = self.directory_mut(slot.dir, at);
        let before = directory.entries.remove(&*slot.name);
        assert_eq!(before, Some(ino), "a name is taken from the inode that has it: {slot:?}");
        directory.subdirs -= u32::from(is_dir);
    }

    fn directory_mut(&mut self, ino: Ino, modified: WallTime) -> &mut Directory {
        let inode = self.inode_mut(ino);
        inode.attributes.modified = modified;
        inode.changed = inode.changed.max(modified);
        match &mut inode.node {
            Node::Directory(directory) => directory,
            _ => unreachable!("a name lies in a directory, and {ino:?} is none"),
        }
    }

    /// Drops an inode that nobody holds any more.
    pub(crate) fn forget(&mut self, ino: Ino) {
        let inode = self.inodes.remove(&ino).expect("an inode is forgotten once");
        assert!(!inode.has_name(), "a named inode is not forgotten");
        self.blocks -= inode.blocks();
    }

    /// A file was read: its time of access moves if it is not newer than the last change, or a day old (mount(8), `relatime`).
    pub(crate) fn note_access(&mut self, ino: Ino, now: WallTime) {
        let inode = self.inode_mut(ino);
        let accessed = inode.attributes.accessed;
        let is_older = accessed <= inode.attributes.modified || accessed <= inode.changed;
        if is_older || now.duration_since(accessed) >= RELATIME {
            inode.attributes.accessed = now;
        }
    }

    /// Writes what finds room in `free` new blocks, and answers how much that was.
    pub(crate) fn write(
        &mut self,
        ino: Ino,
        offset: u64,
        data: &[u8],
        free: u64,
        at: WallTime,
    ) -> usize {
        let done = self.edit(ino, at, |contents| {
            let done = contents.put(offset, data, free);
            let end = offset + done as u64;
            if done > 0 && end > contents.len() {
                contents.set_len(end);
            }
            done
        });
        self.note_pages(offset, done as u64);
        done
    }

    /// Does a change to a file's contents that was done to another view before.
    pub(crate) fn change_data(&mut self, change: &DataChange) {
        if let DataKind::Attributes(attributes) = &change.kind {
            let inode = self.inode_mut(change.ino);
            (inode.attributes, inode.changed) = (*attributes, change.at);
            return;
        }
        self.edit(change.ino, change.at, |contents| match &change.kind {
            DataKind::Write { offset, data, grows } => {
                if *grows {
                    contents.set_len(offset + data.len() as u64);
                }
                contents.put(*offset, data, u64::MAX);
            }
            DataKind::SetLen(len) => contents.set_len(*len),
            DataKind::Attributes(_) => unreachable!("attributes are not contents"),
        });
        if let DataKind::Write { offset, data, .. } = &change.kind {
            self.note_pages(*offset, data.len() as u64);
        }
    }

    /// Drops what was written beyond the end of a file whose growth did not survive.
    pub(crate) fn trim(&mut self, ino: Ino) {
        let (modified, changed) = (self.inode(ino).attributes.modified, self.inode(ino).changed);
        if let Node::File(_) = self.inode(ino).node {
            self.edit(ino, modified, Contents::trim);
            self.inode_mut(ino).changed = changed;
        }
    }

    fn edit<T>(
        &mut self,
        ino: Ino,
        modified: WallTime,
        edit: impl FnOnce(&mut Contents) -> T,
    ) -> T {
        let inode = self.inodes.get_mut(&ino).expect("the contents of an inode that exists");
        inode.attributes.modified = modified;
        inode.changed = modified;
        let Node::File(contents) = &mut inode.node else {
            unreachable!("{ino:?} has no contents to edit")
        };
        let before = contents.blocks();
        let answer = edit(contents);
        self.blocks = self.blocks + contents.blocks() - before;
        answer
    }

    fn note_pages(&mut self, offset: u64, len: u64) {
        if len > 0 {
            let pages = pages_of(offset, len);
            self.pages_touched += pages.end() - pages.start() + 1;
        }
    }

    /// Whether the tree is one: every inode is reached from the root by as many names as it knows of, a directory by one.
    pub(crate) fn is_well_formed(&self) -> bool {
        let mut names: BTreeMap<Ino, Vec<Ino>> = BTreeMap::from([(Ino::ROOT, vec![Ino::ROOT])]);
        let mut stack = vec![Ino::ROOT];
        while let Some(dir) = stack.pop() {
            let Node::Directory(directory) = &self.inode(dir).node else { continue };
            for &child in directory.entries.values() {
                if !self.contains(child) || names.len() > self.inodes.len() {
                    return false;
                }
                let known = names.entry(child).or_default();
                known.push(dir);
                if self.inode(child).is_dir() {
                    if known.len() > 1 {
                        return false;
                    }
                    stack.push(child);
                }
            }
        }
        let blocks: u64 = self.inodes.values().map(Inode::blocks).sum();
        blocks == self.blocks
            && self.inodes.iter().all(|(ino, inode)| {
                let mut known = inode.parents.clone();
                known.sort_unstable();
                names.get_mut(ino).is_some_and(|found| {
                    found.sort_unstable();
                    *found == known
                })
            })
    }
}
