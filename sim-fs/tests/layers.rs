//! The layer below a disk, links across a power loss, and locks.

mod support;

use proptest::prelude::*;
use sim_core::Errno;
use sim_core::backend::{AttributeChange, FileKind, Lock, LockMode, LockOwner, SetTime};
use sim_fs::{Disk, Found, FoundNode, Lower};
use sim_time::WallTime;
use std::rc::Rc;
use support::{APPEND, BOTH, CREATE, NOW, READ, REWRITE, disk, put, with_mode};

/// A small tree: `/etc/hosts`, `/etc/link`, `/src/a`, `/src/deep/b`.
#[derive(Debug)]
struct Tree;

const HOSTS: &[u8] = b"127.0.0.1 localhost\n";

impl Lower for Tree {
    fn find(&self, directory: &str, name: &str) -> Option<Found> {
        let node = match (directory, name) {
            ("/", "etc" | "src") | ("/src", "deep") => FoundNode::Directory,
            ("/etc", "hosts") => FoundNode::File(HOSTS.len() as u64),
            ("/etc", "link") => FoundNode::Symlink("../src/a".into()),
            ("/src", "a") | ("/src/deep", "b") => FoundNode::File(10_000),
            _ => return None,
        };
        Some(Found { node, mode: 0o644, modified: WallTime::from_nanos(7) })
    }

    fn list(&self, directory: &str) -> Vec<Box<str>> {
        let names: &[&str] = match directory {
            "/" => &["src", "etc"],
            "/etc" => &["link", "hosts"],
            "/src" => &["deep", "a"],
            "/src/deep" => &["b"],
            _ => &[],
        };
        names.iter().map(|&name| name.into()).collect()
    }

    fn read(&self, file: &str, offset: u64, into: &mut [u8]) {
        for (at, place) in (offset..).zip(into) {
            *place = match file {
                "/etc/hosts" => HOSTS[at as usize],
                _ => (at % 251) as u8,
            };
        }
    }
}

fn above() -> Disk {
    let mut disk = disk();
    disk.put_above(Rc::new(Tree));
    disk
}

fn names(disk: &mut Disk, path: &str) -> Vec<String> {
    disk.read_dir(path).unwrap().into_iter().map(|entry| entry.name.into()).collect()
}

fn content(disk: &mut Disk, path: &str) -> Vec<u8> {
    let id = disk.open(NOW, path, READ).unwrap();
    let data = disk.read(NOW, id, Some(0), 1 << 20).unwrap();
    disk.close(id).unwrap();
    data.to_vec()
}

fn below(len: u64) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

#[test]
fn what_is_below_is_seen() {
    let mut disk = above();
    assert_eq!(names(&mut disk, "/"), ["etc", "src", "tmp"]);
    assert_eq!(content(&mut disk, "/etc/hosts"), HOSTS);
    assert_eq!(content(&mut disk, "/etc/link"), below(10_000), "links lead on");
    assert_eq!(disk.stat("/src/deep/b").unwrap().len, 10_000);
    assert_eq!(disk.stat("/src/deep/c"), Err(Errno::ENOENT));
    assert_eq!(disk.stat("/src").unwrap().links, 3, "one subdirectory is known of");
    assert_eq!(disk.stat("/src/a").unwrap().modified, WallTime::from_nanos(7));
    assert_eq!(disk.usage().pending_operations, 0, "nothing was done to the disk");
    let id = disk.open(NOW, "/src/a", READ).unwrap();
    assert_eq!(disk.below(id), Ok(Some("/src/a")));
    assert_eq!(&disk.read(NOW, id, Some(4_090), 20).unwrap()[..], &below(10_000)[4_090..4_110]);
    assert_eq!(&disk.read(NOW, id, Some(9_995), 20).unwrap()[..], &below(10_000)[9_995..]);
}

#[test]
fn a_page_is_copied_when_it_is_written_to() {
    let mut disk = above();
    let id = disk.open(NOW, "/src/a", BOTH).unwrap();
    let before = disk.usage().used_bytes;
    disk.write(NOW, id, Some(4_000), &vec![255; 200].into()).unwrap();
    let mut expected = below(10_000);
    expected[4_000..4_200].fill(255);
    assert_eq!(content(&mut disk, "/src/a"), expected);
    assert_eq!(disk.below(id), Ok(None));
    assert_eq!(disk.usage().used_bytes - before, 2 * 4096, "two pages");
    disk.truncate(NOW, id, 5_000).unwrap();
    disk.truncate(NOW, id, 12_000).unwrap();
    expected.truncate(5_000);
    expected.resize(12_000, 0);
    assert_eq!(content(&mut disk, "/src/a"), expected, "what was cut off does not come back");
    put(&mut disk, "/etc/hosts", APPEND, b"::1 here\n");
    assert_eq!(content(&mut disk, "/etc/hosts"), [HOSTS, b"::1 here\n"].concat());
}

#[test]
fn what_was_removed_or_renamed_is_not_asked_for_again() {
    let mut disk = above();
    disk.remove_file(NOW, "/src/a").unwrap();
    assert_eq!(disk.stat("/src/a"), Err(Errno::ENOENT));
    assert_eq!(disk.remove_dir(NOW, "/src"), Err(Errno::ENOTEMPTY));
    disk.rename(NOW, "/src", "/moved").unwrap();
    assert_eq!(names(&mut disk, "/moved"), ["deep"]);
    assert_eq!(disk.stat("/src"), Err(Errno::ENOENT));
    assert_eq!(
        content(&mut disk, "/moved/deep/b"),
        below(10_000),
        "a directory is found below by where it was"
    );
    put(&mut disk, "/moved/a", CREATE, b"new");
    assert_eq!(content(&mut disk, "/moved/a"), b"new");
    disk.remove_file(NOW, "/moved/deep/b").unwrap();
    disk.remove_dir(NOW, "/moved/deep").unwrap();
    assert_eq!(names(&mut disk, "/moved"), ["a"]);
}

#[test]
fn a_crash_brings_back_what_was_below() {
    let mut env = with_mode(1);
    let mut disk = Disk::new(&mut env, support::host());
    disk.put_above(Rc::new(Tree));
    put(&mut disk, "/src/a", REWRITE, b"rewritten");
    disk.remove_file(NOW, "/etc/hosts").unwrap();
    put(&mut disk, "/src/new", CREATE, b"new");
    disk.crash(&mut env);
    assert_eq!(content(&mut disk, "/src/a"), below(10_000));
    assert_eq!(content(&mut disk, "/etc/hosts"), HOSTS);
    assert_eq!(disk.stat("/src/new"), Err(Errno::ENOENT));
}

#[test]
fn names_of_one_file_are_durable_one_by_one() {
    let mut env = with_mode(1);
    let mut disk = Disk::new(&mut env, support::host());
    let id = put(&mut disk, "/a", CREATE, b"text");
    disk.link(NOW, "/a", "/b").unwrap();
    disk.sync(id, false).unwrap();
    disk.remove_file(NOW, "/a").unwrap();
    disk.link(NOW, "/b", "/c").unwrap();
    disk.crash(&mut env);
    assert_eq!(names(&mut disk, "/"), ["a", "b", "tmp"]);
    assert_eq!((disk.stat("/a").unwrap().links, content(&mut disk, "/b")), (2, b"text".to_vec()));
    // A directory's sync brings what became of the names in it, and the last name takes the file along.
    let root = disk.open(NOW, "/", READ).unwrap();
    disk.remove_file(NOW, "/a").unwrap();
    disk.sync(root, false).unwrap();
    disk.remove_file(NOW, "/b").unwrap();
    disk.sync(root, false).unwrap();
    disk.crash(&mut env);
    assert_eq!(names(&mut disk, "/"), ["tmp"]);
}

#[test]
fn attributes_and_symbolic_links_wait_for_a_sync() {
    let mut env = with_mode(1);
    let mut disk = Disk::new(&mut env, support::host());
    let id = put(&mut disk, "/a", CREATE, b"");
    disk.symlink(NOW, "a", "/kept").unwrap();
    let root = disk.open(NOW, "/", READ).unwrap();
    let mode = |mode| AttributeChange { mode: Some(mode), ..AttributeChange::default() };
    disk.set_attributes_fd(NOW, id, mode(0o600)).unwrap();
    disk.sync(id, false).unwrap();
    disk.sync(root, false).unwrap();
    let time = SetTime::To(WallTime::from_nanos(5));
    let change = AttributeChange { modified: Some(time), owner: Some(7), ..mode(0o644) };
    disk.set_attributes(NOW, "/kept", true, change).unwrap();
    disk.symlink(NOW, "a", "/lost").unwrap();
    assert_eq!(disk.stat("/a").unwrap().modified, WallTime::from_nanos(5));
    disk.crash(&mut env);
    let stat = disk.stat("/kept").unwrap();
    assert_eq!((stat.mode, stat.owner, stat.modified), (0o600, 0, NOW));
    assert_eq!(disk.stat_link("/lost"), Err(Errno::ENOENT));
}

fn lock(owner: LockOwner, mode: LockMode, start: u64, end: u64) -> Lock {
    Lock { owner, mode, start, end }
}

/// As recorded in `oracle/linux_oracle_fsapi.json`: `posix_lock`, `OFD_lock`, `flock`.
#[test]
fn locks_exclude_others_of_their_family() {
    use LockMode::{Exclusive, Shared, Unlocked};
    use LockOwner::{Description, Flock, Process};
    let mut disk = disk();
    let one = put(&mut disk, "/f", CREATE, b"");
    let other = disk.open(NOW, "/f", BOTH).unwrap();
    let all = |owner, mode| lock(owner, mode, 0, u64::MAX);
    assert_eq!(disk.lock(one, all(Flock, Exclusive)), Ok(()));
    assert_eq!(disk.lock(other, all(Flock, Shared)), Err(Errno::EAGAIN));
    assert_eq!(disk.lock(other, all(Process(1), Exclusive)), Ok(()), "flock vs_posix");
    assert_eq!(disk.lock(one, all(Process(1), Exclusive)), Ok(()), "same_proc_other_fd");
    assert_eq!(disk.lock(one, all(Process(2), Shared)), Err(Errno::EAGAIN), "other_proc");
    assert_eq!(disk.test_lock(one, all(Process(2), Shared)), Ok(Some(all(Process(1), Exclusive))));
    assert_eq!(disk.forget_process_locks(other, 1), Ok(()), "after_close_of_ANY_fd");
    assert_eq!(disk.lock(one, all(Process(2), Shared)), Ok(()));
    assert_eq!(disk.lock(one, all(Process(2), Unlocked)), Ok(()));
    assert_eq!(disk.lock(one, lock(Description, Exclusive, 0, 10)), Ok(()));
    assert_eq!(disk.lock(other, lock(Description, Shared, 9, 20)), Err(Errno::EAGAIN));
    assert_eq!(disk.lock(other, lock(Description, Shared, 10, 20)), Ok(()));
    // In the middle of one's own range: what is left lies on both sides.
    assert_eq!(disk.lock(one, lock(Description, Unlocked, 3, 6)), Ok(()));
    assert_eq!(disk.lock(other, lock(Description, Exclusive, 3, 6)), Ok(()));
    assert_eq!(disk.lock(other, lock(Description, Exclusive, 2, 3)), Err(Errno::EAGAIN));
    assert_eq!(disk.lock(other, lock(Description, Exclusive, 6, 7)), Err(Errno::EAGAIN));
    disk.close(one).unwrap();
    assert_eq!(disk.lock(other, lock(Description, Exclusive, 0, 10)), Ok(()));
    assert_eq!(disk.lock(other, all(Flock, Exclusive)), Ok(()), "the last close gives it back");
    let reader = disk.open(NOW, "/f", READ).unwrap();
    assert_eq!(disk.lock(reader, lock(Process(1), Exclusive, 0, 1)), Err(Errno::EBADF));
    assert_eq!(disk.lock(reader, lock(Process(1), Shared, 5, 5)), Err(Errno::EINVAL));
}

/// A step of a random script, on names of which some lie in the layer below.
#[derive(Clone, Debug)]
enum Step {
    Write(&'static str, u64),
    Link(&'static str, &'static str),
    Symlink(&'static str, &'static str),
    Rename(&'static str, &'static str),
    RemoveFile(&'static str),
    RemoveDir(&'static str),
    CreateDir(&'static str),
    Mode(&'static str, u32),
    Sync(&'static str),
}

fn path() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "/a",
        "/b",
        "/src",
        "/src/a",
        "/src/deep",
        "/src/deep/b",
        "/etc/link",
        "/etc/hosts",
        "/d",
        "/d/x",
    ])
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (path(), 0..9_000_u64).prop_map(|(path, at)| Step::Write(path, at)),
        3 => (path(), path()).prop_map(|(from, to)| Step::Link(from, to)),
        1 => (path(), path()).prop_map(|(target, path)| Step::Symlink(target, path)),
        3 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        3 => path().prop_map(Step::RemoveFile),
        1 => path().prop_map(Step::RemoveDir),
        2 => path().prop_map(Step::CreateDir),
        1 => (path(), 0..0o1000_u32).prop_map(|(path, mode)| Step::Mode(path, mode)),
        2 => path().prop_map(Step::Sync),
    ]
}

/// Does a step, whatever it answers.
fn perform(disk: &mut Disk, step: &Step) -> sim_core::Result<()> {
    match *step {
        Step::Write(path, at) => {
            let id = disk.open(NOW, path, CREATE)?;
            let written = disk.write(NOW, id, Some(at), &b"written"[..].into());
            disk.close(id)?;
            written.map(drop)
        }
        Step::Link(from, to) => disk.link(NOW, from, to),
        Step::Symlink(target, path) => disk.symlink(NOW, target, path),
        Step::Rename(from, to) => disk.rename(NOW, from, to),
        Step::RemoveFile(path) => disk.remove_file(NOW, path),
        Step::RemoveDir(path) => disk.remove_dir(NOW, path),
        Step::CreateDir(path) => disk.create_dir(NOW, path),
        Step::Mode(path, mode) => {
            let change = AttributeChange { mode: Some(mode), ..AttributeChange::default() };
            disk.set_attributes(NOW, path, true, change)
        }
        Step::Sync(path) => {
            let id = disk.open(NOW, path, READ)?;
            let synced = disk.sync(id, false);
            disk.close(id)?;
            synced
        }
    }
}

/// Every name on the disk, with the number and links of what it names.
fn all_names(disk: &mut Disk) -> Vec<(String, FileKind, u64, u32)> {
    let (mut found, mut stack) = (Vec::new(), vec![String::new()]);
    while let Some(folder) = stack.pop() {
        for entry in disk.read_dir(&format!("{folder}/")).unwrap() {
            let path = format!("{folder}/{}", entry.name);
            let stat = disk.stat_link(&path).unwrap();
            if entry.kind == FileKind::Directory {
                stack.push(path.clone());
            }
            found.push((path, entry.kind, stat.inode, stat.links));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a crash leaves, a file has as many links as names, and all that was synced last is there.
    #[test]
    fn links_and_names_agree_after_every_crash(
        steps in prop::collection::vec(step(), 1..40), seed in any::<u64>(), limit in 0..2_000_u64,
    ) {
        let mut env = support::seeded(seed);
        let mut disk = Disk::new(&mut env, support::host());
        disk.put_above(Rc::new(Tree));
        disk.set_dirty_limit(limit.max(500));
        for part in steps.chunks(10) {
            for step in part {
                let _ = perform(&mut disk, step);
            }
            let kept = disk.open(NOW, "/kept", REWRITE).unwrap();
            disk.write(NOW, kept, None, &b"kept"[..].into()).unwrap();
            disk.sync(kept, false).unwrap();
            disk.crash(&mut env);
            prop_assert_eq!(content(&mut disk, "/kept"), b"kept");
            let names = all_names(&mut disk);
            for (path, kind, inode, links) in &names {
                let same = names.iter().filter(|(_, _, other, _)| other == inode).count();
                let expected = if *kind == FileKind::Directory { 1 } else { *links as usize };
                prop_assert_eq!(same, expected, "{}", path);
            }
        }
    }
}
