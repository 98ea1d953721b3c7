//! Submissions: files, directories and name look-ups.

mod common;

use bytes::Bytes;
use common::{ROOT, Scratch, World, waiter};
use sim_core::backend::{Backend, FileKind, Metadata, Op, OpenOptions, Output, SeekTo};
use sim_core::{Errno, Fd, Result};
use sim_os::{OsBackend, OsConfig};
use std::net::IpAddr;

const NONE: OpenOptions = OpenOptions {
    read: false,
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
const READ: OpenOptions = OpenOptions { read: true, ..NONE };
const CREATE: OpenOptions = OpenOptions { read: true, write: true, create: true, ..NONE };

fn write(w: &mut World, fd: Fd, offset: Option<u64>, data: &'static [u8]) -> Result<Output> {
    w.run(Op::Write { fd, offset, data: Bytes::from_static(data) })
}

fn read(w: &mut World, fd: Fd, offset: Option<u64>, len: usize) -> Result<Vec<u8>> {
    match w.run(Op::Read { fd, offset, len })? {
        Output::Data(data) => Ok(data.to_vec()),
        other => panic!("reading gives data, not {other:?}"),
    }
}

fn metadata(w: &mut World, op: Op) -> Result<Metadata> {
    match w.run(op)? {
        Output::Metadata(metadata) => Ok(metadata),
        other => panic!("stat gives metadata, not {other:?}"),
    }
}

fn names(w: &mut World, path: &str) -> Result<Vec<(String, FileKind)>> {
    match w.run(Op::ReadDir { path: path.into() })? {
        Output::Entries(entries) => {
            Ok(entries.into_iter().map(|entry| (entry.name.into(), entry.kind)).collect())
        }
        other => panic!("a directory has entries, not {other:?}"),
    }
}

#[test]
fn the_position_moves_and_an_offset_does_not_move_it() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    let fd = w.open("/f", CREATE).unwrap();
    assert_eq!(write(&mut w, fd, None, b"hello "), Ok(Output::Len(6)));
    assert_eq!(write(&mut w, fd, None, b"world"), Ok(Output::Len(5)));
    assert_eq!(read(&mut w, fd, None, 10), Ok(vec![]), "the position is at the end");
    assert_eq!(write(&mut w, fd, Some(0), b"J"), Ok(Output::Len(1)));
    assert_eq!(read(&mut w, fd, Some(0), 100).unwrap(), b"Jello world");
    assert_eq!(w.run(Op::Seek { fd, to: SeekTo::Start(6) }), Ok(Output::Len(6)));
    assert_eq!(read(&mut w, fd, None, 2).unwrap(), b"wo");
    assert_eq!(w.run(Op::Seek { fd, to: SeekTo::Current(-1) }), Ok(Output::Len(7)));
    assert_eq!(w.run(Op::Seek { fd, to: SeekTo::End(-2) }), Ok(Output::Len(9)));
    assert_eq!(read(&mut w, fd, None, 100).unwrap(), b"ld");
    assert_eq!(read(&mut w, fd, Some(0), 0), Ok(vec![]));
    for (to, error) in [
        (SeekTo::Current(-100), Errno::EINVAL),
        (SeekTo::Start(u64::MAX), Errno::EINVAL),
        (SeekTo::End(-12), Errno::EINVAL),
    ] {
        assert_eq!(w.run(Op::Seek { fd, to }), Err(error), "{to:?}");
    }
    assert_eq!(std::fs::read(scratch.path().join("f")).unwrap(), b"Jello world");
}

#[test]
fn a_second_number_shares_the_position() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    let first = w.open("f", CREATE).unwrap();
    let second = w.os.dup(&mut w.env, first).unwrap();
    write(&mut w, first, None, b"one").unwrap();
    write(&mut w, second, None, b"two").unwrap();
    w.os.close(&mut w.env, first).unwrap();
    assert_eq!(read(&mut w, second, Some(0), 10).unwrap(), b"onetwo");
    let apart = w.open("f", READ).unwrap();
    assert_eq!(read(&mut w, apart, None, 3).unwrap(), b"one", "opening again begins anew");
}

#[test]
fn appending_goes_to_the_end_whatever_the_offset() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    let append = OpenOptions { append: true, create: true, ..READ };
    let fd = w.open("f", append).unwrap();
    for offset in [None, Some(0), Some(1)] {
        assert_eq!(write(&mut w, fd, offset, b"ab"), Ok(Output::Len(2)));
    }
    assert_eq!(read(&mut w, fd, Some(0), 100).unwrap(), b"ababab");
}

#[test]
fn lengths_and_durability() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    let fd = w.open("f", CREATE).unwrap();
    write(&mut w, fd, None, b"0123456789").unwrap();
    for (len, expected) in [(4, &b"0123"[..]), (6, b"0123\0\0")] {
        assert_eq!(w.run(Op::Truncate { fd, len }), Ok(Output::Done));
        assert_eq!(read(&mut w, fd, Some(0), 100).unwrap(), expected);
    }
    for data_only in [true, false] {
        assert_eq!(w.run(Op::Sync { fd, data_only }), Ok(Output::Done));
    }
    let directory = w.open("/", READ).unwrap();
    assert_eq!(w.run(Op::Sync { fd: directory, data_only: false }), Ok(Output::Done));
    w.open("f", OpenOptions { truncate: true, ..CREATE }).unwrap();
    assert_eq!(read(&mut w, fd, Some(0), 100), Ok(vec![]));
    let socket = w.socket(sim_core::backend::SocketKind::Stream);
    assert_eq!(w.run(Op::Sync { fd: socket, data_only: false }), Err(Errno::EINVAL));
    assert_eq!(w.run(Op::Seek { fd: socket, to: SeekTo::Start(0) }), Err(Errno::ESPIPE));
}

#[test]
fn directories_are_listed_by_name() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    for path in ["d", "/d/z", "d/a"] {
        assert_eq!(w.run(Op::CreateDir { path: path.into(), mode: None }), Ok(Output::Done));
    }
    for path in ["d/m", "d/B", "d/\u{e9}", "d/.hidden"] {
        w.open(path, CREATE).unwrap();
    }
    std::os::unix::fs::symlink("m", scratch.path().join("d/link")).unwrap();
    let expected = [
        (".hidden", FileKind::File),
        ("B", FileKind::File),
        ("a", FileKind::Directory),
        ("link", FileKind::Symlink),
        ("m", FileKind::File),
        ("z", FileKind::Directory),
        ("\u{e9}", FileKind::File),
    ];
    let listed = names(&mut w, "d").unwrap();
    assert_eq!(listed, expected.map(|(name, kind)| (name.to_owned(), kind)));
}

#[test]
fn renaming_and_removing() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    let old = w.open("old", CREATE).unwrap();
    write(&mut w, old, None, b"new content").unwrap();
    let there = w.open("there", CREATE).unwrap();
    write(&mut w, there, None, b"kept while open").unwrap();
    assert_eq!(w.run(Op::Rename { from: "old".into(), to: "/there".into() }), Ok(Output::Done));
    let now = w.open("there", READ).unwrap();
    assert_eq!(read(&mut w, now, None, 100).unwrap(), b"new content");
    assert_eq!(read(&mut w, there, Some(0), 100).unwrap(), b"kept while open");
    assert_eq!(w.open("old", READ), Err(Errno::ENOENT));
    assert_eq!(w.run(Op::RemoveFile { path: "there".into() }), Ok(Output::Done));
    assert_eq!(metadata(&mut w, Op::StatFd { fd: now }).unwrap().links, 0);
    assert_eq!(names(&mut w, "/"), Ok(vec![]));
}

#[test]
fn stat_tells_what_a_file_is() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    let fd = w.open("f", CREATE).unwrap();
    write(&mut w, fd, None, b"12345").unwrap();
    let by_path = metadata(&mut w, Op::Stat { path: "f".into(), follow: true }).unwrap();
    assert_eq!(Ok(by_path), metadata(&mut w, Op::StatFd { fd }));
    assert_eq!((by_path.kind, by_path.len, by_path.links), (FileKind::File, 5, 1));
    let now = w.os.clock_ns(&mut w.env, ROOT, sim_core::backend::ClockId::Realtime);
    let age = now.abs_diff((by_path.modified - sim_time::WallTime::UNIX_EPOCH).as_nanos() as u64);
    assert!(age < 60_000_000_000, "modified {age} ns ago");
    std::os::unix::fs::symlink("f", scratch.path().join("link")).unwrap();
    assert_eq!(
        metadata(&mut w, Op::Stat { path: "link".into(), follow: true }).unwrap().inode,
        by_path.inode
    );
    assert_eq!(
        metadata(&mut w, Op::Stat { path: "/".into(), follow: true }).unwrap().kind,
        FileKind::Directory
    );
}

#[test]
fn errors_are_the_kernels() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    let file = w.open("f", CREATE).unwrap();
    w.run(Op::CreateDir { path: "d".into(), mode: None }).unwrap();
    w.open("d/inside", CREATE).unwrap();
    let directory = w.open("d", READ).unwrap();
    let only_read = w.open("f", READ).unwrap();
    let new = OpenOptions { create_new: true, ..CREATE };
    let path = |text: &str| Box::<str>::from(text);
    let long = "x".repeat(300);
    let data = Bytes::from_static(b"x");
    for (op, error) in [
        (Op::Open { path: path("none"), options: READ }, Errno::ENOENT),
        (Op::Open { path: path(""), options: READ }, Errno::ENOENT),
        (Op::Open { path: path("none/f"), options: CREATE }, Errno::ENOENT),
        (Op::Open { path: path("f/below"), options: READ }, Errno::ENOTDIR),
        (Op::Open { path: path("d"), options: CREATE }, Errno::EISDIR),
        (Op::Open { path: path("f"), options: new }, Errno::EEXIST),
        (Op::Open { path: path("f"), options: NONE }, Errno::EINVAL),
        (Op::Open { path: path(&long), options: READ }, Errno::ENAMETOOLONG),
        (Op::Open { path: path("a\0b"), options: READ }, Errno::EINVAL),
        (Op::Read { fd: directory, offset: None, len: 1 }, Errno::EISDIR),
        (Op::Read { fd: Fd::new(99), offset: None, len: 1 }, Errno::EBADF),
        (Op::Read { fd: file, offset: Some(u64::MAX), len: 1 }, Errno::EINVAL),
        (Op::Write { fd: only_read, offset: None, data }, Errno::EBADF),
        (Op::Truncate { fd: only_read, len: 0 }, Errno::EINVAL),
        (Op::Truncate { fd: file, len: u64::MAX }, Errno::EINVAL),
        (Op::CreateDir { path: path("d"), mode: None }, Errno::EEXIST),
        (Op::CreateDir { path: path("none/d"), mode: None }, Errno::ENOENT),
        (Op::CreateDir { path: path(""), mode: None }, Errno::ENOENT),
        (Op::RemoveDir { path: path("d") }, Errno::ENOTEMPTY),
        (Op::RemoveDir { path: path("f") }, Errno::ENOTDIR),
        (Op::RemoveFile { path: path("d") }, Errno::EISDIR),
        (Op::RemoveFile { path: path("none") }, Errno::ENOENT),
        (Op::RemoveFile { path: path("f/") }, Errno::ENOTDIR),
        (Op::ReadDir { path: path("f") }, Errno::ENOTDIR),
        (Op::ReadDir { path: path("none") }, Errno::ENOENT),
        (Op::Stat { path: path("none"), follow: true }, Errno::ENOENT),
        (Op::Rename { from: path("none"), to: path("x") }, Errno::ENOENT),
        (Op::Rename { from: path("f"), to: path("d") }, Errno::EISDIR),
        (Op::Rename { from: path("d"), to: path("f") }, Errno::ENOTDIR),
        (Op::Rename { from: path("d"), to: path("d/inside/x") }, Errno::ENOTDIR),
        (Op::Rename { from: path("d"), to: path("d/x") }, Errno::EINVAL),
    ] {
        let asked = format!("{op:?}");
        assert_eq!(w.run(op), Err(error), "{asked}");
    }
    assert_eq!(w.run(Op::RemoveFile { path: path("d/inside") }), Ok(Output::Done));
    assert_eq!(w.run(Op::RemoveDir { path: path("d") }), Ok(Output::Done));
}

#[test]
fn no_path_leads_out_of_the_root_directory() {
    let scratch = Scratch::new();
    let mut w = World::with(OsConfig {
        root: Some(scratch.path().join("deep/root")),
        ..OsConfig::default()
    });
    std::fs::write(scratch.path().join("outside"), b"secret").unwrap();
    w.run(Op::CreateDir { path: "/d".into(), mode: None }).unwrap();
    let root = scratch.path().join("deep/root");
    std::os::unix::fs::symlink("/", root.join("absolute")).unwrap();
    std::os::unix::fs::symlink("../../../..", root.join("d/up")).unwrap();
    for path in [
        "../../outside",
        "/../../outside",
        "d/../../../outside",
        "absolute/outside",
        "d/up/outside",
    ] {
        assert_eq!(w.open(path, READ), Err(Errno::ENOENT), "{path}");
        assert_eq!(w.run(Op::RemoveFile { path: path.into() }), Err(Errno::ENOENT), "{path}");
        assert_eq!(
            w.run(Op::Rename { from: path.into(), to: "stolen".into() }),
            Err(Errno::ENOENT),
            "{path}"
        );
        assert_eq!(
            w.run(Op::Stat { path: path.into(), follow: true }),
            Err(Errno::ENOENT),
            "{path}"
        );
    }
    w.open("d/up/made", CREATE).unwrap();
    assert!(root.join("made").exists(), "the way up ends at the root directory");
    assert_eq!(names(&mut w, "absolute/d"), Ok(vec![("up".to_owned(), FileKind::Symlink)]));
}

#[test]
fn each_host_has_files_of_its_own() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    let hosts = ["a", "b"].map(|name| w.os.add_host(name));
    for (host, data) in hosts.into_iter().zip([&b"of a"[..], b"of b"]) {
        let Ok(Output::Fd(fd)) = w.run_on(host, Op::Open { path: "/f".into(), options: CREATE })
        else {
            panic!()
        };
        write(&mut w, fd, None, data).unwrap();
        let open = w.os.descriptions();
        assert!(
            open.iter().any(|open| open.fd == fd && open.host == host && open.text == "file /f")
        );
    }
    assert_eq!(std::fs::read(scratch.path().join("a/f")).unwrap(), b"of a");
    assert_eq!(std::fs::read(scratch.path().join("b/f")).unwrap(), b"of b");
}

#[test]
fn without_a_root_directory_paths_are_the_process_s() {
    let scratch = Scratch::new();
    let mut w = World::new();
    let path = scratch.path().join("f").to_str().unwrap().to_owned();
    let fd = w.open(&path, CREATE).unwrap();
    write(&mut w, fd, None, b"x").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"x");
    let to = format!("{path}2");
    assert_eq!(
        w.run(Op::Rename { from: path.as_str().into(), to: to.as_str().into() }),
        Ok(Output::Done)
    );
    assert_eq!(w.run(Op::Rename { from: "".into(), to: to.as_str().into() }), Err(Errno::ENOENT));
    assert_eq!(w.run(Op::RemoveFile { path: to.as_str().into() }), Ok(Output::Done));
    assert_eq!(names(&mut w, scratch.path().to_str().unwrap()), Ok(vec![]));
}

#[test]
fn the_latest_waiter_is_released() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    let op =
        w.os.submit(&mut w.env, ROOT, Op::CreateDir { path: "d".into(), mode: None }, waiter(1));
    // Completions come in only while the backend waits or admits, so this one cannot have been taken in yet.
    assert_eq!(w.os.complete(&mut w.env, op, waiter(2)), None);
    w.until_released(waiter(2));
    assert_eq!(w.os.complete(&mut w.env, op, waiter(3)), Some(Ok(Output::Done)));
}

#[test]
fn what_nobody_takes_takes_effect_and_stays_open_nowhere() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    let early = w.os.submit(
        &mut w.env,
        ROOT,
        Op::Open { path: "early".into(), options: CREATE },
        waiter(1),
    );
    w.os.forget(&mut w.env, early);
    let late =
        w.os.submit(&mut w.env, ROOT, Op::Open { path: "late".into(), options: CREATE }, waiter(2));
    w.until_released(waiter(2));
    assert_eq!(w.os.descriptions().len(), 1);
    w.os.forget(&mut w.env, late);
    while names(&mut w, "/").unwrap().len() < 2 {}
    assert_eq!(w.os.descriptions(), []);
}

#[test]
fn a_file_can_be_closed_under_an_operation() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    let fd = w.open("f", CREATE).unwrap();
    let data = Bytes::from(vec![7; 1 << 20]);
    let op = w.os.submit(&mut w.env, ROOT, Op::Write { fd, offset: None, data }, waiter(1));
    w.os.close(&mut w.env, fd).unwrap();
    w.until_released(waiter(1));
    assert_eq!(w.os.complete(&mut w.env, op, waiter(1)), Some(Ok(Output::Len(1 << 20))));
    assert_eq!(metadata(&mut w, Op::Stat { path: "f".into(), follow: true }).unwrap().len, 1 << 20);
}

#[test]
fn many_operations_at_once() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    let open = |n| Op::Open { path: format!("{n:03}").into(), options: CREATE };
    let ops: Vec<_> = (0..200).map(|n| w.os.submit(&mut w.env, ROOT, open(n), waiter(n))).collect();
    for (n, op) in (0..).zip(ops) {
        let fd = loop {
            match w.os.complete(&mut w.env, op, waiter(n)) {
                Some(answer) => break answer,
                None => w.until_released(waiter(n)),
            }
        };
        assert!(matches!(fd, Ok(Output::Fd(_))), "{fd:?}");
    }
    let mut numbers: Vec<Fd> = w.os.descriptions().into_iter().map(|open| open.fd).collect();
    numbers.dedup();
    assert_eq!(numbers, (0..200).map(Fd::new).collect::<Vec<_>>());
}

#[test]
fn submitted_work_is_done_before_the_backend_goes() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    for n in 0..50 {
        let _ = w.os.submit(
            &mut w.env,
            ROOT,
            Op::CreateDir { path: format!("{n}").into(), mode: None },
            waiter(n),
        );
    }
    drop(w);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 50);
}

#[test]
#[should_panic(expected = "was taken or forgotten before")]
fn a_completion_is_taken_once() {
    let mut w = World::new();
    let op = w.os.submit(&mut w.env, ROOT, Op::StatFd { fd: Fd::new(9) }, waiter(1));
    assert_eq!(w.env.woken, [waiter(1)]);
    assert_eq!(w.os.complete(&mut w.env, op, waiter(1)), Some(Err(Errno::EBADF)));
    let _ = w.os.complete(&mut w.env, op, waiter(1));
}

#[test]
fn names_of_hosts_come_first() {
    let mut w = World::new();
    let host = w.os.add_host("server");
    let addr = w.os.host_addr(host);
    let mut resolve = |name: &str| w.run(Op::Resolve { name: name.into() });
    assert_eq!(resolve("server"), Ok(Output::Addresses(vec![addr])));
    assert_eq!(resolve("127.0.0.9"), Ok(Output::Addresses(vec![IpAddr::from([127, 0, 0, 9])])));
    match resolve("localhost") {
        Ok(Output::Addresses(addresses)) => {
            assert!(addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
        }
        other => panic!("localhost has addresses, not {other:?}"),
    }
    assert_eq!(resolve("not a name"), Err(Errno::ENOENT));
    assert_eq!(resolve("a\0b"), Err(Errno::EINVAL));
}

#[test]
fn a_backend_can_be_shown() {
    let text = format!("{:?}", OsBackend::new(OsConfig::default()).unwrap());
    assert!(text.contains("root"), "{text}");
}
