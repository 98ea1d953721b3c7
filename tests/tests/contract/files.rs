//! Files: every verb, and the errors of each.

use crate::{errno, on_both};
use futures_util::future::join_all;
use sim::Errno;
use sim::fs::{self, AttributeChange, File, FileKind, OpenOptions, SeekTo, SetTime};
use sim_core::backend::{self, Op, Output};
use sim_core::rt;
use sim_time::WallTime;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// A fresh directory on whatever disk the runtime has.
struct Scratch(String);

impl Scratch {
    async fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let base = if sim::in_simulation() {
            String::new()
        } else {
            std::env::temp_dir()
                .to_str()
                .expect("the temporary directory's name is text")
                .to_owned()
        };
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let scratch = Self(format!("{base}/sim-contract-{process}-{count}"));
        fs::create_dir(&scratch.0).await?;
        Ok(scratch)
    }

    /// The path of `name` in it.
    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !sim::in_simulation() {
            std::fs::remove_dir_all(&self.0).unwrap_or_default();
        }
    }
}

async fn whole_files() -> io::Result<()> {
    let dir = Scratch::new().await?;
    let path = dir.at("note");
    fs::write(&path, b"first").await?;
    assert_eq!(fs::read(&path).await?, b"first");
    fs::write(&path, b"2nd").await?;
    assert_eq!(fs::read(&path).await?, b"2nd", "writing a whole file empties it first");
    fs::write(&path, b"").await?;
    assert_eq!(fs::read(&path).await?, b"");
    Ok(())
}

async fn the_position_moves() -> io::Result<()> {
    let dir = Scratch::new().await?;
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).open(&dir.at("f")).await?;
    assert_eq!(file.write(&b"0123456789"[..]).await?, 10);
    assert_eq!(&file.read(4).await?[..], b"", "the position is at the end");
    assert_eq!(file.seek(SeekTo::Start(3)).await?, 3);
    assert_eq!(&file.read(4).await?[..], b"3456");
    assert_eq!(file.seek(SeekTo::Current(-2)).await?, 5);
    file.write_all(b"xy").await?;
    assert_eq!(file.seek(SeekTo::End(-1)).await?, 9);
    assert_eq!(&file.read(4).await?[..], b"9");
    assert_eq!(file.seek(SeekTo::Start(0)).await?, 0);
    assert_eq!(file.read_to_end().await?, b"01234xy789");
    assert_eq!(errno(file.seek(SeekTo::Current(-11)).await), Errno::EINVAL);
    assert_eq!(file.seek(SeekTo::Current(0)).await?, 10, "a refused seek moves nothing");
    assert_eq!(file.seek(SeekTo::End(5)).await?, 15);
    file.write_all(b"!").await?;
    assert_eq!(fs::read(&dir.at("f")).await?, b"01234xy789\0\0\0\0\0!", "a hole reads as zeros");
    Ok(())
}

async fn reading_and_writing_at_an_offset() -> io::Result<()> {
    let dir = Scratch::new().await?;
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).open(&dir.at("f")).await?;
    assert_eq!(file.write_at(4, &b"4567"[..]).await?, 4);
    assert_eq!(file.write_at(0, &b"0123"[..]).await?, 4);
    assert_eq!(&file.read_at(2, 4).await?[..], b"2345");
    assert_eq!(&file.read_at(6, 100).await?[..], b"67");
    assert_eq!(&file.read_at(8, 100).await?[..], b"");
    assert_eq!(&file.read_at(1 << 40, 100).await?[..], b"");
    assert_eq!(file.seek(SeekTo::Current(0)).await?, 0, "an offset leaves the position alone");
    assert_eq!(file.write(&b""[..]).await?, 0);
    assert_eq!(&file.read(0).await?[..], b"");
    Ok(())
}

async fn appending() -> io::Result<()> {
    let dir = Scratch::new().await?;
    let path = dir.at("log");
    fs::write(&path, b"one").await?;
    let mut log = OpenOptions::new().append(true).open(&path).await?;
    let mut other = OpenOptions::new().append(true).open(&path).await?;
    log.write_all(b" two").await?;
    other.write_all(b" three").await?;
    log.seek(SeekTo::Start(0)).await?;
    log.write_all(b" four").await?;
    assert_eq!(fs::read(&path).await?, b"one two three four");
    Ok(())
}

async fn lengths() -> io::Result<()> {
    let dir = Scratch::new().await?;
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).open(&dir.at("f")).await?;
    file.write_all(b"0123456789").await?;
    file.set_len(4).await?;
    assert_eq!(file.metadata().await?.len, 4);
    file.set_len(6).await?;
    assert_eq!(&file.read_at(0, 100).await?[..], b"0123\0\0", "what a file grows by is zeros");
    let reader = File::open(&dir.at("f")).await?;
    assert_eq!(
        errno(reader.set_len(1).await),
        Errno::EINVAL,
        "ftruncate(2) of a file not open for writing"
    );
    Ok(())
}

async fn how_files_are_opened() -> io::Result<()> {
    let dir = Scratch::new().await?;
    let path = dir.at("f");
    assert_eq!(errno(File::open(&path).await), Errno::ENOENT);
    assert_eq!(errno(OpenOptions::new().write(true).open(&path).await), Errno::ENOENT);
    OpenOptions::new().write(true).create_new(true).open(&path).await?.write_all(b"kept").await?;
    assert_eq!(
        errno(OpenOptions::new().write(true).create_new(true).open(&path).await),
        Errno::EEXIST
    );
    drop(OpenOptions::new().write(true).create(true).open(&path).await?);
    assert_eq!(fs::read(&path).await?, b"kept", "without truncate nothing is lost");
    drop(OpenOptions::new().write(true).truncate(true).open(&path).await?);
    assert_eq!(fs::metadata(&path).await?.len, 0);
    assert_eq!(errno(File::open(&dir.at("f/below")).await), Errno::ENOTDIR);
    assert_eq!(errno(File::open(&dir.at("missing/f")).await), Errno::ENOENT);
    assert_eq!(errno(File::create(&dir.0).await), Errno::EISDIR);
    assert_eq!(errno(File::create(&dir.at(&"n".repeat(256))).await), Errno::ENAMETOOLONG);
    drop(File::create(&dir.at(&"n".repeat(255))).await?);
    Ok(())
}

async fn a_file_is_used_as_it_was_opened() -> io::Result<()> {
    let dir = Scratch::new().await?;
    fs::write(&dir.at("f"), b"text").await?;
    let mut reader = File::open(&dir.at("f")).await?;
    assert_eq!(errno(reader.write(&b"no"[..]).await), Errno::EBADF);
    assert_eq!(errno(reader.write_at(0, &b"no"[..]).await), Errno::EBADF);
    let mut writer = OpenOptions::new().write(true).open(&dir.at("f")).await?;
    assert_eq!(errno(writer.read(4).await), Errno::EBADF);
    let mut directory = File::open(&dir.0).await?;
    assert_eq!(errno(directory.read(4).await), Errno::EISDIR);
    assert_eq!(directory.metadata().await?.kind, FileKind::Directory);
    directory.sync_all().await
}

async fn what_a_file_is() -> io::Result<()> {
    let dir = Scratch::new().await?;
    fs::write(&dir.at("f"), b"12345").await?;
    let (by_path, open) = (fs::metadata(&dir.at("f")).await?, File::open(&dir.at("f")).await?);
    assert_eq!((by_path.kind, by_path.len, by_path.links), (FileKind::File, 5, 1));
    assert_eq!(by_path, open.metadata().await?);
    assert_eq!(fs::metadata(&dir.0).await?.kind, FileKind::Directory);
    fs::write(&dir.at("g"), b"").await?;
    assert_ne!(fs::metadata(&dir.at("g")).await?.inode, by_path.inode);
    assert_eq!(errno(fs::metadata(&dir.at("h")).await), Errno::ENOENT);
    let before = by_path.modified;
    sim::time::sleep(std::time::Duration::from_millis(30)).await;
    OpenOptions::new().append(true).open(&dir.at("f")).await?.write_all(b"6").await?;
    assert!(fs::metadata(&dir.at("f")).await?.modified > before);
    Ok(())
}

async fn directories() -> io::Result<()> {
    let dir = Scratch::new().await?;
    fs::create_dir(&dir.at("d")).await?;
    assert_eq!(errno(fs::create_dir(&dir.at("d")).await), Errno::EEXIST);
    assert_eq!(errno(fs::create_dir(&dir.at("x/y")).await), Errno::ENOENT);
    fs::write(&dir.at("f"), b"").await?;
    assert_eq!(errno(fs::create_dir(&dir.at("f")).await), Errno::EEXIST);
    assert_eq!(errno(fs::create_dir(&dir.at("f/y")).await), Errno::ENOTDIR);
    for name in ["b", "c", "a"] {
        fs::write(&dir.at(&format!("d/{name}")), name.as_bytes()).await?;
    }
    fs::create_dir(&dir.at("d/z")).await?;
    let entries = fs::read_dir(&dir.at("d")).await?;
    let names: Vec<(&str, FileKind)> =
        entries.iter().map(|entry| (&*entry.name, entry.kind)).collect();
    let file = FileKind::File;
    assert_eq!(names, [("a", file), ("b", file), ("c", file), ("z", FileKind::Directory)]);
    assert_eq!(errno(fs::remove_dir(&dir.at("d")).await), Errno::ENOTEMPTY);
    assert_eq!(errno(fs::remove_dir(&dir.at("f")).await), Errno::ENOTDIR);
    assert_eq!(errno(fs::remove_dir(&dir.at("x")).await), Errno::ENOENT);
    assert_eq!(errno(fs::remove_file(&dir.at("d/z")).await), Errno::EISDIR);
    fs::remove_dir(&dir.at("d/z")).await?;
    for name in ["a", "b", "c"] {
        fs::remove_file(&dir.at(&format!("d/{name}"))).await?;
    }
    fs::remove_dir(&dir.at("d")).await?;
    assert_eq!(errno(fs::read_dir(&dir.at("d")).await), Errno::ENOENT);
    assert_eq!(errno(fs::read_dir(&dir.at("f")).await), Errno::ENOTDIR);
    assert_eq!(fs::read_dir(&dir.0).await?.len(), 1);
    Ok(())
}

async fn renaming() -> io::Result<()> {
    let dir = Scratch::new().await?;
    fs::write(&dir.at("a"), b"A").await?;
    fs::write(&dir.at("b"), b"B").await?;
    let inode = fs::metadata(&dir.at("a")).await?.inode;
    fs::rename(&dir.at("a"), &dir.at("b")).await?;
    assert_eq!(fs::read(&dir.at("b")).await?, b"A", "what had the new name is gone");
    assert_eq!(fs::metadata(&dir.at("b")).await?.inode, inode);
    assert_eq!(errno(fs::metadata(&dir.at("a")).await), Errno::ENOENT);
    assert_eq!(errno(fs::rename(&dir.at("a"), &dir.at("c")).await), Errno::ENOENT);
    assert_eq!(errno(fs::rename(&dir.at("b"), &dir.at("x/c")).await), Errno::ENOENT);
    fs::rename(&dir.at("b"), &dir.at("b")).await?;
    fs::create_dir(&dir.at("d")).await?;
    fs::create_dir(&dir.at("e")).await?;
    assert_eq!(errno(fs::rename(&dir.at("b"), &dir.at("d")).await), Errno::EISDIR);
    assert_eq!(errno(fs::rename(&dir.at("d"), &dir.at("b")).await), Errno::ENOTDIR);
    assert_eq!(errno(fs::rename(&dir.at("d"), &dir.at("d/below")).await), Errno::EINVAL);
    fs::rename(&dir.at("b"), &dir.at("e/b")).await?;
    assert_eq!(errno(fs::rename(&dir.at("d"), &dir.at("e")).await), Errno::ENOTEMPTY);
    fs::rename(&dir.at("e"), &dir.at("d")).await?;
    assert_eq!(
        fs::read(&dir.at("d/b")).await?,
        b"A",
        "an empty directory gives way, and the content moves along"
    );
    Ok(())
}

async fn removing() -> io::Result<()> {
    let dir = Scratch::new().await?;
    assert_eq!(errno(fs::remove_file(&dir.at("f")).await), Errno::ENOENT);
    fs::write(&dir.at("f"), b"alive").await?;
    let mut file = OpenOptions::new().read(true).write(true).open(&dir.at("f")).await?;
    fs::remove_file(&dir.at("f")).await?;
    assert_eq!(errno(fs::metadata(&dir.at("f")).await), Errno::ENOENT);
    assert_eq!(&file.read(10).await?[..], b"alive", "an open file outlives its name");
    file.write_all(b" still").await?;
    let metadata = file.metadata().await?;
    assert_eq!((metadata.len, metadata.links), (11, 0));
    fs::write(&dir.at("f"), b"another").await?;
    assert_eq!(&file.read_at(0, 20).await?[..], b"alive still");
    Ok(())
}

async fn hard_links() -> io::Result<()> {
    let dir = Scratch::new().await?;
    fs::write(&dir.at("a"), b"one").await?;
    fs::hard_link(&dir.at("a"), &dir.at("b")).await?;
    let (a, b) = (fs::metadata(&dir.at("a")).await?, fs::metadata(&dir.at("b")).await?);
    assert_eq!((a.inode, a.links, b.links), (b.inode, 2, 2));
    fs::rename(&dir.at("a"), &dir.at("b")).await?;
    assert_eq!(
        fs::read(&dir.at("a")).await?,
        b"one",
        "names of one file do not replace each other"
    );
    fs::remove_file(&dir.at("a")).await?;
    assert_eq!(fs::metadata(&dir.at("b")).await?.links, 1);
    assert_eq!(errno(fs::hard_link(&dir.at("b"), &dir.at("b")).await), Errno::EEXIST);
    assert_eq!(errno(fs::hard_link(&dir.at("x"), &dir.at("c")).await), Errno::ENOENT);
    assert_eq!(errno(fs::hard_link(&dir.0, &dir.at("c")).await), Errno::EPERM);
    Ok(())
}

async fn names_of_pipes() -> io::Result<()> {
    let dir = Scratch::new().await?;
    let path: Box<str> = dir.at("p").into();
    let make = || rt::submit(Op::MakeFifo { path: path.clone(), mode: Some(0o640) });
    assert_eq!((make().await, make().await), (Ok(Output::Done), Err(Errno::EEXIST)));
    let is = fs::metadata(&path).await?;
    assert_eq!((is.kind, is.len, is.mode), (FileKind::Fifo, 0, 0o640));
    let open = |write: bool, directory| {
        let read = !write;
        let any = backend::OpenOptions::default();
        let options = backend::OpenOptions { read, write, directory, nonblocking: true, ..any };
        rt::submit(Op::Open { path: path.clone(), options })
    };
    assert_eq!(open(true, false).await, Err(Errno::ENXIO), "nobody reads");
    assert_eq!(open(false, true).await, Err(Errno::ENOTDIR));
    let reader = open(false, false).await;
    let writer = open(true, false).await;
    fs::remove_file(&path).await?;
    for end in [reader, writer] {
        let Ok(Output::Fd(fd)) = end else { panic!("{end:?}") };
        let Ok(Output::Metadata(is)) = rt::submit(Op::StatFd { fd }).await else { panic!() };
        assert_eq!((is.kind, is.links), (FileKind::Fifo, 0));
        rt::call(|backend, env| backend.close(env, fd))?;
    }
    Ok(())
}

async fn symbolic_links() -> io::Result<()> {
    let dir = Scratch::new().await?;
    fs::create_dir(&dir.at("d")).await?;
    fs::symlink("d", &dir.at("l")).await?;
    fs::write(&dir.at("l/f"), b"deep").await?;
    assert_eq!(fs::read(&dir.at("d/f")).await?, b"deep");
    assert_eq!(&*fs::read_link(&dir.at("l")).await?, "d");
    assert_eq!(fs::symlink_metadata(&dir.at("l")).await?.kind, FileKind::Symlink);
    assert_eq!(fs::symlink_metadata(&dir.at("l")).await?.len, 1);
    assert_eq!(fs::metadata(&dir.at("l")).await?.kind, FileKind::Directory);
    assert_eq!(errno(fs::read_link(&dir.at("d")).await), Errno::EINVAL);
    fs::symlink("missing", &dir.at("n")).await?;
    assert_eq!(errno(fs::read(&dir.at("n")).await), Errno::ENOENT);
    fs::write(&dir.at("n"), b"made").await?;
    assert_eq!(fs::read(&dir.at("missing")).await?, b"made", "it is made where the link leads");
    fs::symlink("turn", &dir.at("round")).await?;
    fs::symlink("round", &dir.at("turn")).await?;
    assert_eq!(errno(fs::read(&dir.at("turn")).await), Errno::ELOOP);
    fs::remove_file(&dir.at("l")).await?;
    assert_eq!(fs::read(&dir.at("d/f")).await?, b"deep", "a link goes alone");
    assert_eq!(errno(fs::symlink("", &dir.at("e")).await), Errno::ENOENT);
    assert_eq!(errno(fs::symlink("d", &dir.at("d")).await), Errno::EEXIST);
    Ok(())
}

async fn attributes() -> io::Result<()> {
    let dir = Scratch::new().await?;
    let path = dir.at("f");
    fs::write(&path, b"text").await?;
    let time = SetTime::To(WallTime::from_nanos(1_000_000_000_000_000_123));
    let change = AttributeChange {
        mode: Some(0o640),
        modified: Some(time),
        accessed: Some(SetTime::Now),
        ..AttributeChange::default()
    };
    fs::set_attributes(&path, change).await?;
    let after = fs::metadata(&path).await?;
    assert_eq!((after.mode, SetTime::To(after.modified)), (0o640, time));
    let file = File::open(&path).await?;
    let change = AttributeChange { mode: Some(0o600), ..AttributeChange::default() };
    file.set_attributes(change).await?;
    let after = file.metadata().await?;
    assert_eq!((after.mode, SetTime::To(after.modified)), (0o600, time), "the rest stays");
    fs::set_attributes(&dir.0, AttributeChange { mode: Some(0o700), ..change }).await?;
    assert_eq!(fs::metadata(&dir.0).await?.mode, 0o700);
    assert_eq!(errno(fs::set_attributes(&dir.at("x"), change).await), Errno::ENOENT);
    Ok(())
}

/// As recorded in `oracle/linux_oracle_fsapi.json`, `flock`: another description of the same process is another holder.
async fn whole_file_locks() -> io::Result<()> {
    let dir = Scratch::new().await?;
    let (one, other) = (File::create(&dir.at("f")).await?, File::open(&dir.at("f")).await?);
    one.try_lock_shared().await?;
    other.try_lock_shared().await?;
    assert_eq!(errno(one.try_lock().await), Errno::EAGAIN);
    other.unlock().await?;
    one.try_lock().await?;
    assert_eq!(errno(other.try_lock_shared().await), Errno::EAGAIN);
    drop(one);
    sim::time::sleep(std::time::Duration::from_millis(10)).await;
    other.try_lock().await
}

async fn syncing() -> io::Result<()> {
    let dir = Scratch::new().await?;
    let mut file = File::create(&dir.at("f")).await?;
    file.write_all(b"durable").await?;
    file.sync_data().await?;
    file.sync_all().await?;
    File::open(&dir.at("f")).await?.sync_all().await
}

async fn paths() -> io::Result<()> {
    let dir = Scratch::new().await?;
    fs::create_dir(&dir.at("d")).await?;
    fs::write(&dir.at("d/./f"), b"1").await?;
    assert_eq!(fs::read(&dir.at("d/../d//f")).await?, b"1");
    assert_eq!(errno(fs::read(&dir.at("d/f/")).await), Errno::ENOTDIR);
    assert_eq!(fs::metadata(&dir.at("d/")).await?.kind, FileKind::Directory);
    assert_eq!(errno(fs::read("").await), Errno::ENOENT);
    assert_eq!(
        errno(fs::read(&dir.at("x/../d/f")).await),
        Errno::ENOENT,
        "each component must be there"
    );
    Ok(())
}

async fn a_file_of_some_megabytes() -> io::Result<()> {
    const CHUNKS: u64 = 24;
    const CHUNK: usize = 128 << 10;
    let dir = Scratch::new().await?;
    let file = OpenOptions::new().read(true).write(true).create(true).open(&dir.at("f")).await?;
    let written =
        join_all((0..CHUNKS).rev().map(|n| file.write_at(n * CHUNK as u64, vec![n as u8; CHUNK])))
            .await;
    for len in written {
        assert_eq!(len?, CHUNK as u64);
    }
    let whole = fs::read(&dir.at("f")).await?;
    assert_eq!(whole.len(), CHUNK * CHUNKS as usize);
    assert!(whole.chunks(CHUNK).zip(0_u8..).all(|(chunk, n)| chunk.iter().all(|&byte| byte == n)));
    Ok(())
}

async fn two_handles_on_one_file() -> io::Result<()> {
    let dir = Scratch::new().await?;
    let mut writer = File::create(&dir.at("f")).await?;
    let mut reader = File::open(&dir.at("f")).await?;
    for word in ["one", "two", "three"] {
        writer.write_all(word.as_bytes()).await?;
        assert_eq!(
            &reader.read(100).await?[..],
            word.as_bytes(),
            "each handle has a position of its own"
        );
    }
    Ok(())
}

async fn an_operation_that_is_given_up() -> io::Result<()> {
    let dir = Scratch::new().await?;
    for n in 0..20 {
        let path = dir.at(&format!("f{n}"));
        let mut create = Box::pin(fs::write(&path, b"maybe"));
        assert!(futures_util::poll!(&mut create).is_pending());
        drop(create);
    }
    sim::time::sleep(std::time::Duration::from_millis(200)).await;
    // What was submitted takes effect; what was to follow it does not.
    for n in 0..20 {
        assert_eq!(fs::read(&dir.at(&format!("f{n}"))).await?, b"");
    }
    Ok(())
}

on_both!(
    whole_files,
    the_position_moves,
    reading_and_writing_at_an_offset,
    appending,
    lengths,
    how_files_are_opened,
    a_file_is_used_as_it_was_opened,
    what_a_file_is,
    directories,
    renaming,
    removing,
    hard_links,
    names_of_pipes,
    symbolic_links,
    attributes,
    whole_file_locks,
    syncing,
    paths,
    a_file_of_some_megabytes,
    two_handles_on_one_file,
    an_operation_that_is_given_up,
);
