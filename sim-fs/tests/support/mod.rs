//! What the tests of the disk share: options, worlds with prepared answers, pictures of a tree.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use bytes::Bytes;
use sim_core::Env;
use sim_core::backend::{FileKind, OpenOptions};
use sim_core::choice::{Choices, Log, Odometer, Path, Seed};
use sim_fs::{Disk, FileId};
use sim_time::WallTime;
use std::collections::{BTreeMap, BTreeSet};

/// `O_RDONLY`.
pub(crate) const READ: OpenOptions = OpenOptions {
    read: true,
    write: false,
    append: false,
    truncate: false,
    create: false,
    create_new: false,
    directory: false,
    no_follow: false,
    nonblocking: false,
    mode: None,
};
/// `O_RDWR`.
pub(crate) const BOTH: OpenOptions = OpenOptions { write: true, ..READ };
/// `O_WRONLY`.
pub(crate) const WRITE: OpenOptions = OpenOptions { read: false, ..BOTH };
/// `O_WRONLY | O_APPEND`.
pub(crate) const APPEND: OpenOptions = OpenOptions { append: true, ..WRITE };
/// `O_RDWR | O_CREAT`.
pub(crate) const CREATE: OpenOptions = OpenOptions { create: true, ..BOTH };
/// `O_RDWR | O_CREAT | O_TRUNC`.
pub(crate) const REWRITE: OpenOptions = OpenOptions { truncate: true, ..CREATE };

pub(crate) const NOW: WallTime = WallTime::from_nanos(1_767_225_600_000_000_000);

/// The host whose disk is tested.
pub(crate) fn host() -> Path {
    Path::parse("host")
}

/// A world whose choices come from a seed.
pub(crate) fn seeded(seed: u64) -> Env {
    Env::new(Choices::seeded(Seed::from_u64(seed)))
}

/// A world in which the first crash is of this mode: 0 keeps everything, 1 loses everything.
pub(crate) fn with_mode(mode: u64) -> Env {
    let line = format!("fs.crash.mode host 0 {mode}");
    Env::new(Choices::replay(&Log::parse([&*line].into_iter(), 1).unwrap()))
}

/// A new disk, for tests that ask no choices.
pub(crate) fn disk() -> Disk {
    Disk::new(&mut seeded(0), host())
}

/// A whole tree: path to contents, `None` for a directory.
pub(crate) type Picture = BTreeMap<String, Option<Vec<u8>>>;

/// What is on the disk, without `/tmp` as long as it is empty.
pub(crate) fn picture(disk: &mut Disk) -> Picture {
    let mut found = Picture::new();
    let mut stack = vec![String::new()];
    while let Some(dir) = stack.pop() {
        for entry in disk.read_dir(&format!("{dir}/")).unwrap() {
            let path = format!("{dir}/{}", entry.name);
            let content = match entry.kind {
                FileKind::Directory => {
                    stack.push(path.clone());
                    None
                }
                _ => Some(read(disk, &path)),
            };
            found.insert(path, content);
        }
    }
    if found.keys().filter(|path| path.starts_with("/tmp")).count() == 1 {
        found.remove("/tmp");
    }
    found
}

/// All of a file.
pub(crate) fn read(disk: &mut Disk, path: &str) -> Vec<u8> {
    let id = disk.open(NOW, path, READ).unwrap();
    let len = disk.stat_fd(id).unwrap().len;
    let data = disk.read(NOW, id, Some(0), usize::try_from(len).unwrap() + 1).unwrap();
    assert_eq!(data.len() as u64, len, "a file can be read to its end, and no further");
    disk.close(id).unwrap();
    data.into()
}

/// Opens, writes all of `data` at the position, and leaves it open.
pub(crate) fn put(disk: &mut Disk, path: &str, options: OpenOptions, data: &[u8]) -> FileId {
    let id = disk.open(NOW, path, options).unwrap();
    if !data.is_empty() {
        assert_eq!(disk.write(NOW, id, None, &Bytes::copy_from_slice(data)), Ok(data.len() as u64));
    }
    id
}

/// Syncs a file or directory by its path.
pub(crate) fn sync(disk: &mut Disk, path: &str) {
    let id = disk.open(NOW, path, READ).unwrap();
    disk.sync(id, false).unwrap();
    disk.close(id).unwrap();
}

/// Every tree that a crash after `program` can leave, and how many runs it took to see them.
pub(crate) fn crash_images(program: impl Fn(&mut Disk)) -> (BTreeSet<Picture>, usize) {
    let (mut odometer, mut images, mut runs) = (Odometer::new(), BTreeSet::new(), 0);
    loop {
        let mut env = Env::new(Choices::odometer(odometer));
        let mut disk = Disk::new(&mut env, host());
        program(&mut disk);
        disk.crash(&mut env);
        images.insert(picture(&mut disk));
        runs += 1;
        odometer = env.choices.into_odometer().unwrap();
        if !odometer.advance() {
            return (images, runs);
        }
    }
}
