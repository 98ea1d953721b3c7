//! A tree of inodes: the volatile view and the durable one are each an [`Image`], changed by the same verbs.
//!
//! Every inode has at most one name, since there are no hard links; it knows the directory that holds it. An inode
//! without a name exists only in the volatile view, while it is open.

use crate::change::{DataChange, DataKind, Ino, NameChange, NameKind, Slot};
use crate::contents::{Contents, PAGE, pages_of};
use sim_core::backend::{FileKind, Metadata};
use sim_time::WallTime;
use std::collections::BTreeMap;

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
    /// The directory that holds its name. The root's is the root; `None` is an inode that has lost its name.
    pub(crate) parent: Option<Ino>,
    pub(crate) modified: WallTime,
    pub(crate) node: Node,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    File(Contents),
    Directory(Directory),
    /// The name of a Unix socket (unix(7)): it has no contents.
    Socket,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    pub(crate) entries: BTreeMap<Box<str>, Ino>,
    /// How many of them are directories; each counts as a link to this one (its `..`).
    subdirs: u32,
}

impl Inode {
    fn new(kind: FileKind, parent: Ino, modified: WallTime) -> Self {
        let node = match kind {
            FileKind::File => Node::File(Contents::default()),
            FileKind::Directory => Node::Directory(Directory::default()),
            FileKind::Socket => Node::Socket,
            FileKind::Symlink => unreachable!("no verb makes a symbolic link"),
        };
        Self { parent: Some(parent), modified, node }
    }

    pub(crate) fn kind(&self) -> FileKind {
        match self.node {
            Node::File(_) => FileKind::File,
            Node::Directory(_) => FileKind::Directory,
            Node::Socket => FileKind::Socket,
        }
    }

    pub(crate) fn is_dir(&self) -> bool {
        matches!(self.node, Node::Directory(_))
    }

    /// What stat(2) says. A directory's length is one block, as on ext4.
    pub(crate) fn metadata(&self, ino: Ino) -> Metadata {
        let (len, links) = match &self.node {
            Node::File(contents) => (contents.len(), 1),
            Node::Directory(directory) => (PAGE, 2 + directory.subdirs),
            Node::Socket => (0, 1),
        };
        let links = if self.parent.is_some() { links } else { 0 };
        Metadata { kind: self.kind(), len, inode: ino.0, links, modified: self.modified }
    }

    fn blocks(&self) -> u64 {
        match &self.node {
            Node::File(contents) => contents.blocks(),
            Node::Directory(_) => 1,
            Node::Socket => 0,
        }
    }
}

impl Image {
    /// A disk as it is at the first boot: the root directory and `/tmp`.
    pub(crate) fn new() -> Self {
        let root = Inode::new(FileKind::Directory, Ino::ROOT, WallTime::UNIX_EPOCH);
        let mut image =
            Self { inodes: BTreeMap::from([(Ino::ROOT, root)]), blocks: 1, pages_touched: 0 };
        let slot = Slot { dir: Ino::ROOT, name: "tmp".into() };
        let kind = NameKind::Create(FileKind::Directory, slot);
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
            self.inode(ino).parent.filter(|&parent| parent != ino)
        })
    }

    /// Does a change to the names. The inode that is left without one ([`NameChange::unnamed`]) is still there.
    pub(crate) fn change_names(&mut self, change: &NameChange) {
        match &change.kind {
            NameKind::Create(kind, slot) => {
                let inode = Inode::new(*kind, slot.dir, change.at);
                self.blocks += inode.blocks();
                self.inodes.insert(change.ino, inode);
                self.give(slot, change.ino, change.at);
            }
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
        inode.parent = Some(slot.dir);
        let is_dir = inode.is_dir();
        let directory = self.directory_mut(slot.dir, at);
        let before = directory.entries.insert(slot.name.clone(), ino);
        assert_eq!(before, None, "a name is free when it is given: {slot:?}");
        directory.subdirs += u32::from(is_dir);
    }

    fn take(&mut self, slot: &Slot, ino: Ino, at: WallTime) {
        let inode = self.inode_mut(ino);
        inode.parent = None;
        let is_dir = inode.is_dir();
        let directory = self.directory_mut(slot.dir, at);
        let before = directory.entries.remove(&*slot.name);
        assert_eq!(before, Some(ino), "a name is taken from the inode that has it: {slot:?}");
        directory.subdirs -= u32::from(is_dir);
    }

    fn directory_mut(&mut self, ino: Ino, modified: WallTime) -> &mut Directory {
        let inode = self.inode_mut(ino);
        inode.modified = modified;
        match &mut inode.node {
            Node::Directory(directory) => directory,
            _ => unreachable!("a name lies in a directory, and {ino:?} is a file"),
        }
    }

    /// Drops an inode that nobody holds any more.
    pub(crate) fn forget(&mut self, ino: Ino) {
        let inode = self.inodes.remove(&ino).expect("an inode is forgotten once");
        assert_eq!(inode.parent, None, "a named inode is not forgotten");
        self.blocks -= inode.blocks();
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
        self.edit(change.ino, change.at, |contents| match &change.kind {
            DataKind::Write { offset, data, grows } => {
                if *grows {
                    contents.set_len(offset + data.len() as u64);
                }
                contents.put(*offset, data, u64::MAX);
            }
            DataKind::SetLen(len) => contents.set_len(*len),
        });
        if let DataKind::Write { offset, data, .. } = &change.kind {
            self.note_pages(*offset, data.len() as u64);
        }
    }

    /// Drops what was written beyond the end of a file whose growth did not survive.
    pub(crate) fn trim(&mut self, ino: Ino) {
        let modified = self.inode(ino).modified;
        self.edit(ino, modified, Contents::trim);
    }

    fn edit<T>(
        &mut self,
        ino: Ino,
        modified: WallTime,
        edit: impl FnOnce(&mut Contents) -> T,
    ) -> T {
        let inode = self.inodes.get_mut(&ino).expect("the contents of an inode that exists");
        inode.modified = modified;
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

    /// Whether the tree is one: every inode is reached from the root, once, and knows who holds it.
    pub(crate) fn is_well_formed(&self) -> bool {
        let (mut seen, mut blocks, mut stack) = (0, 0, vec![Ino::ROOT]);
        while let Some(ino) = stack.pop() {
            seen += 1;
            blocks += self.inode(ino).blocks();
            if seen > self.inodes.len() {
                return false;
            }
            if let Node::Directory(directory) = &self.inode(ino).node {
                let held = directory.entries.values();
                if !held.clone().all(|child| {
                    self.inodes.get(child).is_some_and(|inode| inode.parent == Some(ino))
                }) {
                    return false;
                }
                stack.extend(held);
            }
        }
        seen == self.inodes.len() && blocks == self.blocks
    }
}
