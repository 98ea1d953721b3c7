//! What a crash may leave: random programs against a reference that knows what is allowed.

mod support;

use bytes::Bytes;
use proptest::prelude::*;
use sim_core::Result;
use sim_core::backend::FileKind;
use sim_fs::Disk;
use std::collections::{BTreeMap, BTreeSet};
use support::{APPEND, BOTH, CREATE, NOW, READ, WRITE, picture, read};

#[derive(Clone, Debug)]
enum Step {
    Create(String),
    Write(String, u64, usize),
    Append(String, usize),
    Truncate(String, u64),
    Rename(String, String),
    RemoveFile(String),
    CreateDir(String),
    RemoveDir(String),
    Sync(String, bool),
}

fn path() -> impl Strategy<Value = String> {
    let dir = prop::sample::select(vec!["", "", "/d", "/e", "/d/e", "/e/d"]);
    (dir, prop::sample::select(vec!["a", "b", "d", "e"]))
        .prop_map(|(dir, name)| format!("{dir}/{name}"))
}

fn change() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => path().prop_map(Step::Create),
        4 => (path(), 0..6_u64, 1..6_usize).prop_map(|(path, at, len)| Step::Write(path, at, len)),
        2 => (path(), 1..6_usize).prop_map(|(path, len)| Step::Append(path, len)),
        1 => (path(), 0..8_u64).prop_map(|(path, len)| Step::Truncate(path, len)),
        6 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => path().prop_map(Step::RemoveFile),
        4 => path().prop_map(Step::CreateDir),
        2 => path().prop_map(Step::RemoveDir),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let synced = prop_oneof![4 => path(), 1 => Just(String::from("/"))];
    prop_oneof![5 => change(), 2 => (synced, any::<bool>()).prop_map(|(path, data_only)| Step::Sync(path, data_only))]
}

/// Does a step on the disk. Not every step is possible; those that are not change nothing.
fn run(disk: &mut Disk, step: &Step, byte: u8) -> Result<()> {
    let open = |disk: &mut Disk, path: &str, options| disk.open(NOW, path, options);
    let filled = |len: usize| Bytes::from(vec![byte; len]);
    let id = match step {
        Step::Create(path) => open(disk, path, CREATE)?,
        Step::Write(path, at, len) => {
            let id = open(disk, path, WRITE)?;
            disk.write(NOW, id, Some(*at), &filled(*len))?;
            id
        }
        Step::Append(path, len) => {
            let id = open(disk, path, APPEND)?;
            disk.write(NOW, id, None, &filled(*len))?;
            id
        }
        Step::Truncate(path, len) => {
            let id = open(disk, path, BOTH)?;
            disk.truncate(NOW, id, *len)?;
            id
        }
        Step::Sync(path, data_only) => {
            let id = open(disk, path, READ)?;
            disk.sync(id, *data_only)?;
            id
        }
        Step::Rename(from, to) => return disk.rename(NOW, from, to),
        Step::RemoveFile(path) => return disk.remove_file(NOW, path),
        Step::CreateDir(path) => return disk.create_dir(NOW, path),
        Step::RemoveDir(path) => return disk.remove_dir(NOW, path),
    };
    disk.close(id)
}

const ROOT: u64 = 2;

/// What may be on the medium: for every place the inodes that it may hold, for every file the lengths and bytes.
///
/// Written after the promises, place by place and byte by byte; it knows no log, no order and no dependency.
#[derive(Debug, Default)]
struct Allowed {
    /// What is there now: directory and name to inode.
    now: BTreeMap<(u64, String), u64>,
    /// What may be found there after a crash.
    held: BTreeMap<(u64, String), BTreeSet<Option<u64>>>,
    files: BTreeMap<u64, File>,
    /// The inodes that were durable once and have not been removed since: they must be somewhere.
    must_be: BTreeSet<u64>,
}

#[derive(Debug)]
struct File {
    content: Vec<u8>,
    lens: BTreeSet<usize>,
    bytes: Vec<BTreeSet<u8>>,
}

impl File {
    fn durable(content: Vec<u8>) -> Self {
        let (lens, bytes) =
            (BTreeSet::from([content.len()]), content.iter().map(|&byte| [byte].into()).collect());
        Self { content, lens, bytes }
    }

    fn set_len(&mut self, len: usize) {
        // What is cut off reads as zeros should the file grow again.
        self.bytes.iter_mut().skip(len).for_each(|byte| _ = byte.insert(0));
        self.bytes.resize(self.bytes.len().max(len), [0].into());
        self.content.resize(len, 0);
        self.lens.insert(len);
    }

    fn write(&mut self, at: usize, byte: u8, len: usize) {
        if at + len > self.content.len() {
            self.set_len(at + len);
        }
        self.content[at..at + len].fill(byte);
        self.bytes[at..at + len].iter_mut().for_each(|bytes| _ = bytes.insert(byte));
    }

    fn check(&self, found: &[u8]) {
        assert!(
            self.lens.contains(&found.len()),
            "a length it never had: {found:?}, allowed {self:?}"
        );
        for (at, byte) in found.iter().enumerate() {
            assert!(
                self.bytes[at].contains(byte),
                "byte {at} of {found:?} was never that: {self:?}"
            );
        }
    }
}

impl Allowed {
    /// All that is there is durable.
    fn from_disk(disk: &mut Disk) -> Self {
        let mut allowed = Self::default();
        let found = walk(disk);
        for (place, ino) in found.names {
            allowed.held.insert(place.clone(), [Some(ino)].into());
            allowed.now.insert(place, ino);
            allowed.must_be.insert(ino);
        }
        allowed.files =
            found.files.into_iter().map(|(ino, content)| (ino, File::durable(content))).collect();
        allowed
    }

    /// The place that a path leads to.
    fn place(&self, path: &str) -> (u64, String) {
        let (dir, name) = path.rsplit_once('/').unwrap();
        (self.inode(dir), name.to_owned())
    }

    fn inode(&self, path: &str) -> u64 {
        if path.is_empty() || path == "/" { ROOT } else { self.now[&self.place(path)] }
    }

    fn set(&mut self, place: (u64, String), ino: Option<u64>) {
        self.held.entry(place.clone()).or_insert_with(|| [None].into()).insert(ino);
        let before = match ino {
            Some(ino) => self.now.insert(place, ino),
            None => self.now.remove(&place),
        };
        if let Some(before) = before {
            self.must_be.remove(&before);
        }
    }

    /// Notes a step that the disk has done.
    fn note(&mut self, disk: &mut Disk, step: &Step, byte: u8) {
        match step {
            Step::Create(path) | Step::CreateDir(path) => {
                let (place, stat) = (self.place(path), disk.stat(path).unwrap());
                if !self.now.contains_key(&place) {
                    self.set(place, Some(stat.inode));
                    if stat.kind == FileKind::File {
                        self.files.insert(stat.inode, File::durable(vec![]));
                    }
                }
            }
            Step::Write(path, at, len) => self.file(path).write(*at as usize, byte, *len),
            Step::Append(path, len) => {
                let file = self.file(path);
                file.write(file.content.len(), byte, *len);
            }
            Step::Truncate(path, len) => self.file(path).set_len(*len as usize),
            Step::Rename(from, to) if from == to => {}
            Step::Rename(from, to) => {
                let (from, to) = (self.place(from), self.place(to));
                let ino = self.now[&from];
                let must_be = self.must_be.contains(&ino);
                self.set(from, None);
                self.set(to, Some(ino));
                self.must_be.extend(must_be.then_some(ino));
            }
            Step::RemoveFile(path) | Step::RemoveDir(path) => self.set(self.place(path), None),
            Step::Sync(path, _) => self.sync(path),
        }
    }

    fn file(&mut self, path: &str) -> &mut File {
        let ino = self.inode(path);
        self.files.get_mut(&ino).unwrap()
    }

    /// The thing itself, its name and those above are durable; of a directory also what it holds, but not their
    /// contents.
    fn sync(&mut self, path: &str) {
        let ino = self.inode(path);
        let above = path.match_indices('/').skip(1).map(|(at, _)| &path[..at]);
        let mut places: Vec<_> =
            above.chain([path]).filter(|path| *path != "/").map(|path| self.place(path)).collect();
        match self.files.get_mut(&ino) {
            Some(file) => *file = File::durable(file.content.clone()),
            None => places.extend(self.held.keys().filter(|(dir, _)| *dir == ino).cloned()),
        }
        for place in places {
            let ino = self.now.get(&place).copied();
            self.must_be.extend(ino);
            self.held.insert(place, [ino].into());
        }
    }

    fn check(&self, found: &Found) {
        let inodes: Vec<u64> = found.names.values().copied().collect();
        let once: BTreeSet<u64> = inodes.iter().copied().collect();
        assert_eq!(once.len(), inodes.len(), "an inode has two names: {found:?}");
        assert!(
            self.must_be.is_subset(&once),
            "something is under no name at all: {:?}, {found:?}",
            self.must_be
        );
        for (place, ino) in &found.names {
            let held = self.held.get(place).unwrap_or_else(|| panic!("{place:?} never had a name"));
            assert!(held.contains(&Some(*ino)), "{place:?} is {ino}, allowed {held:?}");
        }
        for (place, held) in &self.held {
            let dir_is_there = place.0 == ROOT || once.contains(&place.0);
            let absent = dir_is_there && !found.names.contains_key(place);
            assert!(!absent || held.contains(&None), "{place:?} is gone, allowed {held:?}");
        }
        found.files.iter().for_each(|(ino, content)| self.files[ino].check(content));
    }
}

/// What is on a disk, by inode.
#[derive(Debug, Default)]
struct Found {
    names: BTreeMap<(u64, String), u64>,
    files: BTreeMap<u64, Vec<u8>>,
}

fn walk(disk: &mut Disk) -> Found {
    let (mut found, mut stack) = (Found::default(), vec![(ROOT, String::new())]);
    while let Some((dir, path)) = stack.pop() {
        for entry in disk.read_dir(&format!("{path}/")).unwrap() {
            let child = format!("{path}/{}", entry.name);
            let ino = disk.stat(&child).unwrap().inode;
            found.names.insert((dir, entry.name.into()), ino);
            if entry.kind == FileKind::File {
                found.files.insert(ino, read(disk, &child));
            } else {
                stack.push((ino, child));
            }
        }
    }
    found
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// Run, crash, run on what is left, crash again.
    #[test]
    fn a_crash_leaves_only_what_is_allowed(
        first in prop::collection::vec(step(), 1..40),
        second in prop::collection::vec(step(), 1..20),
        seed in any::<u64>(),
        dirty_limit in prop_oneof![3 => Just(u64::MAX), 1 => 0..2_000_u64],
    ) {
        let mut env = support::seeded(seed);
        let mut disk = Disk::new(&mut env, support::host());
        disk.set_dirty_limit(dirty_limit);
        for steps in [first, second] {
            let mut allowed = Allowed::from_disk(&mut disk);
            for (byte, step) in (1..).zip(&steps) {
                if run(&mut disk, step, byte).is_ok() {
                    allowed.note(&mut disk, step, byte);
                }
            }
            let pending = disk.usage().pending_operations;
            let crash = disk.crash(&mut env);
            prop_assert_eq!(crash.kept + crash.lost, pending);
            prop_assert_eq!((disk.usage().pending_operations, disk.usage().open_files), (0, 0));
            let found = walk(&mut disk);
            allowed.check(&found);
        }
    }

    /// Keeping all is as if nothing had happened; losing all goes back to the last moment when all was synced.
    #[test]
    fn the_two_plain_modes(
        before in prop::collection::vec(step(), 0..30),
        after in prop::collection::vec(change(), 0..30),
        mode in 0..2_u64,
    ) {
        let mut env = support::with_mode(mode);
        let mut disk = Disk::new(&mut env, support::host());
        for (byte, step) in (1..).zip(&before) {
            let _ = run(&mut disk, step, byte);
        }
        disk.sync_all();
        prop_assert_eq!(disk.usage().pending_operations, 0);
        let synced = picture(&mut disk);
        for (byte, step) in (101..).zip(&after) {
            let _ = run(&mut disk, step, byte);
        }
        let latest = picture(&mut disk);
        disk.crash(&mut env);
        prop_assert_eq!(picture(&mut disk), if mode == 0 { latest } else { synced });
    }
}
