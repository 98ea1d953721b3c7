//! The same calls on the simulated disk and on this machine's file system: every answer must be the same.
//!
//! Paths are anything that a kernel has to take apart: `.`, `..`, doubled and trailing slashes, names that are too
//! long. Only answers that every Linux file system gives alike are compared: no inode numbers, no lengths or links
//! of directories, no order of listings, no greatest length of a file.

#![cfg(target_os = "linux")]

mod support;

use bytes::Bytes;
use proptest::prelude::*;
use sim_core::Errno;
use sim_core::backend::{AttributeChange, FileKind, OpenOptions, SeekTo};
use sim_fs::{Disk, FileId};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use support::{NOW, disk};

#[derive(Clone, Debug)]
enum Step {
    Open(String, OpenOptions),
    Close(usize),
    Read(usize, Option<u64>, usize),
    Write(usize, Option<u64>, usize),
    Truncate(usize, u64),
    Seek(usize, SeekTo),
    StatFd(usize),
    Rename(String, String),
    RemoveFile(String),
    CreateDir(String),
    RemoveDir(String),
    ReadDir(String),
    Stat(String),
    StatLink(String),
    Link(String, String),
    Symlink(String, String),
    ReadLink(String),
    Permissions(String, u32),
}

/// Where the scripts run, so deep that no path of theirs climbs out of what both sides have alike.
const DEEP: &str = "/r/r/r/r/";

fn path() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        20 => Just(String::from("a")),
        20 => Just(String::from("b")),
        1 => Just(String::from(".")),
        2 => Just(String::from("..")),
        1 => Just("n".repeat(255)),
        1 => Just("n".repeat(256)),
    ];
    let end = prop_oneof![8 => Just(""), 1 => Just("/"), 1 => Just("//")];
    let slash = prop::sample::select(vec!["/", "/", "//"]);
    let names = prop_oneof![3 => prop::collection::vec(name.clone(), 1..3), 1 => prop::collection::vec(name, 3..5)];
    (names, slash, end).prop_map(|(names, slash, end)| format!("{DEEP}{}{end}", names.join(slash)))
}

/// What a symbolic link may lead to: what is there, what is not, itself, and more links.
fn target() -> impl Strategy<Value = String> {
    let targets =
        vec!["a", "b", "a/b", "b/a", ".", "..", "../a", "./b/", "a/", "../a/b", "../../a/../b"];
    prop::sample::select(targets).prop_map(String::from)
}

fn offset() -> impl Strategy<Value = u64> {
    // Past 2^63 a kernel sees a negative number.
    prop_oneof![12 => 0..9_000_u64, 1 => (1_u64 << 63) - 2..(1_u64 << 63) + 2]
}

fn step() -> impl Strategy<Value = Step> {
    let file = || 0..3_usize;
    let flags = || prop::bool::weighted(0.1);
    let options = (any::<[bool; 3]>(), 0..4_u8, 0..4_u8, 0..8_u8, flags(), flags());
    let options = options.prop_map(
        |([read, write, append], truncate, create, create_new, no_follow, directory)| OpenOptions {
            read,
            write,
            append: append && write,
            truncate: truncate == 0,
            create: create != 0,
            create_new: create_new == 0,
            no_follow,
            directory,
            ..OpenOptions::default()
        },
    );
    let seek = prop_oneof![
        (0..9_000_u64).prop_map(SeekTo::Start),
        (-5_000..5_000_i64).prop_map(SeekTo::Current),
        (-5_000..5_000_i64).prop_map(SeekTo::End),
        Just(SeekTo::Current(i64::MIN)),
    ];
    prop_oneof![
        9 => (path(), options).prop_map(|(path, options)| Step::Open(path, options)),
        1 => file().prop_map(Step::Close),
        3 => (file(), prop::option::of(offset()), 0..10_000_usize).prop_map(|(file, at, len)| Step::Read(file, at, len)),
        3 => (file(), prop::option::of(0..9_000_u64), 0..6_000_usize).prop_map(|(file, at, len)| Step::Write(file, at, len)),
        1 => (file(), 0..9_000_u64).prop_map(|(file, len)| Step::Truncate(file, len)),
        1 => (file(), seek).prop_map(|(file, to)| Step::Seek(file, to)),
        1 => file().prop_map(Step::StatFd),
        5 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => path().prop_map(Step::RemoveFile),
        4 => path().prop_map(Step::CreateDir),
        2 => path().prop_map(Step::RemoveDir),
        1 => path().prop_map(Step::ReadDir),
        2 => path().prop_map(Step::Stat),
        1 => path().prop_map(Step::StatLink),
        4 => (path(), path()).prop_map(|(from, to)| Step::Link(from, to)),
        5 => (target(), path()).prop_map(|(target, path)| Step::Symlink(target, path)),
        1 => path().prop_map(Step::ReadLink),
        1 => (path(), 0..0o1000_u32).prop_map(|(path, mode)| Step::Permissions(path, 0o700 | mode)),
    ]
}

/// A number and bytes, or the number of an error.
type Answer = Result<(u64, Vec<u8>), u16>;

fn ours<T>(result: sim_core::Result<T>, answer: impl FnOnce(T) -> (u64, Vec<u8>)) -> Answer {
    result.map(answer).map_err(Errno::raw)
}

fn linux<T>(result: io::Result<T>, answer: impl FnOnce(T) -> (u64, Vec<u8>)) -> Answer {
    result.map(answer).map_err(|error| {
        let number = error.raw_os_error().map_or(Errno::EINVAL.raw(), |number| number as u16);
        assert!(number != Errno::EINTR.raw(), "nothing here can be interrupted");
        number
    })
}

fn nothing<T>(_: T) -> (u64, Vec<u8>) {
    (0, vec![])
}

fn names(mut names: Vec<String>) -> (u64, Vec<u8>) {
    names.sort_unstable();
    (names.len() as u64, names.join("/").into())
}

fn on_disk(disk: &mut Disk, files: &mut Vec<FileId>, step: &Step, byte: u8) -> Answer {
    let id = |file: &usize| files.get(*file).copied();
    let stat = |stat: sim_core::backend::Metadata| match stat.kind {
        FileKind::File | FileKind::Socket | FileKind::Fifo => (stat.len, vec![stat.links as u8]),
        FileKind::Symlink => (stat.len, vec![stat.links as u8, b'@']),
        FileKind::Directory => (0, b"directory".to_vec()),
    };
    let fd_step = match step {
        Step::Open(path, options) => {
            return ours(disk.open(NOW, path, *options).map(|id| files.push(id)), nothing);
        }
        Step::Rename(from, to) => return ours(disk.rename(NOW, from, to), nothing),
        Step::RemoveFile(path) => return ours(disk.remove_file(NOW, path), nothing),
        Step::CreateDir(path) => return ours(disk.create_dir(NOW, path), nothing),
        Step::RemoveDir(path) => return ours(disk.remove_dir(NOW, path), nothing),
        Step::ReadDir(path) => {
            let listed = disk.read_dir(path);
            return ours(listed, |entries| {
                names(entries.into_iter().map(|entry| entry.name.into()).collect())
            });
        }
        Step::Stat(path) => return ours(disk.stat(path), stat),
        Step::StatLink(path) => return ours(disk.stat_link(path), stat),
        Step::Link(from, to) => return ours(disk.link(NOW, from, to), nothing),
        Step::Symlink(target, path) => return ours(disk.symlink(NOW, target, path), nothing),
        Step::ReadLink(path) => {
            return ours(disk.read_link(path), |target| (0, target.as_bytes().to_vec()));
        }
        Step::Permissions(path, mode) => {
            let change = AttributeChange { mode: Some(*mode), ..AttributeChange::default() };
            let changed = disk.set_attributes(NOW, path, true, change);
            return ours(changed.and_then(|()| disk.stat(path)), |stat| {
                (u64::from(stat.mode), vec![])
            });
        }
        Step::Close(file)
        | Step::Read(file, ..)
        | Step::Write(file, ..)
        | Step::Truncate(file, _)
        | Step::Seek(file, _)
        | Step::StatFd(file) => id(file),
    };
    let Some(id) = fd_step else { return Err(Errno::EBADF.raw()) };
    match step {
        Step::Close(file) => {
            files.remove(*file);
            ours(disk.close(id), nothing)
        }
        Step::Read(_, at, len) => ours(disk.read(NOW, id, *at, *len), |data| (0, data.into())),
        Step::Write(_, at, len) => {
            ours(disk.write(NOW, id, *at, &vec![byte; *len].into()), |taken| (taken, vec![]))
        }
        Step::Truncate(_, len) => ours(disk.truncate(NOW, id, *len), nothing),
        Step::Seek(_, to) => ours(disk.seek(id, *to), |position| (position, vec![])),
        _ => ours(disk.stat_fd(id), stat),
    }
}

/// `O_CREAT`, `O_EXCL` and `O_TRUNC` as flags, since std refuses combinations that the kernel takes.
fn open(path: &Path, options: OpenOptions) -> io::Result<File> {
    let flag = |set: bool, flag: i32| if set { flag } else { 0 };
    let create = flag(options.create || options.create_new, 0o100);
    let only = flag(options.no_follow, 0o400_000) | flag(options.directory, 0o200_000);
    let flags = create | only | flag(options.create_new, 0o200) | flag(options.truncate, 0o1000);
    fs::OpenOptions::new()
        .read(options.read)
        .write(options.write)
        .append(options.append)
        .custom_flags(flags)
        .open(path)
}

fn on_linux(root: &Path, files: &mut Vec<File>, step: &Step, byte: u8) -> Answer {
    let at = |path: &str| PathBuf::from(format!("{}{path}", root.display()));
    let stat = |stat: fs::Metadata| {
        if stat.is_dir() {
            (0, b"directory".to_vec())
        } else if stat.is_symlink() {
            (stat.len(), vec![stat.nlink() as u8, b'@'])
        } else {
            (stat.len(), vec![stat.nlink() as u8])
        }
    };
    match step {
        Step::Open(path, options) => {
            linux(open(&at(path), *options).map(|file| files.push(file)), nothing)
        }
        Step::Rename(from, to) => linux(fs::rename(at(from), at(to)), nothing),
        Step::RemoveFile(path) => linux(fs::remove_file(at(path)), nothing),
        Step::CreateDir(path) => linux(fs::create_dir(at(path)), nothing),
        Step::RemoveDir(path) => linux(fs::remove_dir(at(path)), nothing),
        Step::ReadDir(path) => {
            let listed = fs::read_dir(at(path)).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            linux(listed, |entries| {
                names(
                    entries.iter().map(|entry| entry.file_name().into_string().unwrap()).collect(),
                )
            })
        }
        Step::Stat(path) => linux(fs::metadata(at(path)), stat),
        Step::StatLink(path) => linux(fs::symlink_metadata(at(path)), stat),
        Step::Link(from, to) => linux(fs::hard_link(at(from), at(to)), nothing),
        Step::Symlink(target, path) => linux(symlink(target, at(path)), nothing),
        Step::ReadLink(path) => linux(fs::read_link(at(path)), |target| {
            (0, target.into_os_string().into_encoded_bytes())
        }),
        Step::Permissions(path, mode) => {
            let changed = fs::set_permissions(at(path), fs::Permissions::from_mode(*mode));
            linux(changed.and_then(|()| fs::metadata(at(path))), |stat| {
                (u64::from(stat.mode() & 0o7777), vec![])
            })
        }
        Step::Close(file)
        | Step::Read(file, ..)
        | Step::Write(file, ..)
        | Step::Truncate(file, _)
        | Step::Seek(file, _)
        | Step::StatFd(file) => match files.get_mut(*file) {
            None => Err(Errno::EBADF.raw()),
            Some(_) if matches!(step, Step::Close(_)) => linux(Ok(files.remove(*file)), nothing),
            Some(file) => on_file(file, step, byte, stat),
        },
    }
}

fn on_file(
    file: &mut File,
    step: &Step,
    byte: u8,
    stat: impl Fn(fs::Metadata) -> (u64, Vec<u8>),
) -> Answer {
    match step {
        Step::Read(_, at, len) => {
            let mut data = vec![0; *len];
            let taken = match at {
                Some(at) => file.read_at(&mut data, *at),
                None => file.read(&mut data),
            };
            linux(taken, |taken| {
                data.truncate(taken);
                (0, data)
            })
        }
        Step::Write(_, at, len) => {
            let data = Bytes::from(vec![byte; *len]);
            let taken = match at {
                Some(at) => file.write_at(&data, *at),
                None => file.write(&data),
            };
            linux(taken, |taken| (taken as u64, vec![]))
        }
        Step::Truncate(_, len) => linux(file.set_len(*len), nothing),
        Step::Seek(_, to) => {
            let to = match *to {
                SeekTo::Start(offset) => SeekFrom::Start(offset),
                SeekTo::Current(delta) => SeekFrom::Current(delta),
                SeekTo::End(delta) => SeekFrom::End(delta),
            };
            linux(file.seek(to), |position| (position, vec![]))
        }
        _ => linux(file.metadata(), stat),
    }
}

/// Whether a position in an open directory would be asked for: that is a cookie of the file system's own.
fn seeks_in_directory(files: &[File], step: &Step) -> bool {
    matches!(step, Step::Seek(file, _) if files.get(*file).is_some_and(|file| file.metadata().unwrap().is_dir()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_this_machine_s(steps in prop::collection::vec(step(), 1..60)) {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("every_answer");
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(format!("{}{DEEP}", root.display())).unwrap();
        let mut disk = disk();
        disk.remove_dir(NOW, "/tmp").unwrap();
        (1..=4).for_each(|depth| disk.create_dir(NOW, &DEEP[..2 * depth]).unwrap());
        let (mut ids, mut files) = (Vec::new(), Vec::new());
        for (index, step) in steps.iter().enumerate() {
            if seeks_in_directory(&files, step) {
                continue;
            }
            let byte = index as u8 + 1;
            let (here, there) = (on_disk(&mut disk, &mut ids, step, byte), on_linux(&root, &mut files, step, byte));
            prop_assert_eq!(here, there, "step {}: {:?}", index, step);
        }
        fs::remove_dir_all(&root).unwrap();
    }
}

/// The name of a Unix socket: what the calls on files answer to it.
#[test]
fn a_sockets_name_is_this_machine_s() {
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::UnixListener;
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("a_sockets_name");
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(root.join("d")).unwrap();
    let (real, mut disk) = (|name: &str| root.join(name), disk());
    disk.create_dir(NOW, "/d").unwrap();
    let _bound = UnixListener::bind(real("s")).unwrap();
    let inode = disk.create_socket(NOW, "/s").unwrap();
    let raw = |error: io::Error| Errno::from_raw(error.raw_os_error().unwrap() as u16);
    let taken = UnixListener::bind(real("s")).map(drop).map_err(raw);
    assert_eq!(
        (taken, disk.create_socket(NOW, "/s")),
        (Err(Errno::EADDRINUSE), Err(Errno::EEXIST))
    );
    for path in ["missing/s", "s/below", "new/"] {
        let answer = UnixListener::bind(real(path)).map(drop).map_err(raw);
        assert_eq!(disk.create_socket(NOW, &format!("/{path}")).map(drop), answer, "{path}");
    }
    for (write, create, create_new) in
        [(false, false, false), (true, true, false), (true, true, true)]
    {
        let options =
            OpenOptions { read: true, write, create, create_new, ..OpenOptions::default() };
        let mut std = File::options();
        let answer =
            std.read(true).write(write).create(create).create_new(create_new).open(real("s"));
        assert_eq!(
            disk.open(NOW, "/s", options).map(drop),
            answer.map(drop).map_err(raw),
            "{options:?}"
        );
    }
    assert_eq!(disk.remove_dir(NOW, "/s"), fs::remove_dir(real("s")).map_err(raw));
    let (here, there) = (disk.stat("/s").unwrap(), fs::metadata(real("s")).unwrap());
    assert!(here.kind == FileKind::Socket && there.file_type().is_socket());
    assert_eq!((here.len, u64::from(here.links)), (there.len(), there.nlink()));
    fs::rename(real("s"), real("d/t")).unwrap();
    disk.rename(NOW, "/s", "/d/t").unwrap();
    assert_eq!(
        disk.stat("/d/t").unwrap().inode,
        inode,
        "a socket is found by its inode, whatever the name"
    );
    assert_eq!(disk.remove_file(NOW, "/d/t"), fs::remove_file(real("d/t")).map_err(raw));
    assert_eq!(disk.remove_dir(NOW, "/d"), fs::remove_dir(real("d")).map_err(raw));
    fs::remove_dir_all(&root).unwrap();
}
