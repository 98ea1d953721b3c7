//! A program that knows nothing of simulation and uses files as std offers them. What it prints is the same on Linux and in a world,
//! but for `unlike`. Its first argument says what it does.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "what is unpredictable outside a world is its subject"
)]

use std::collections::HashMap;
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

fn main() -> io::Result<()> {
    match env::args().nth(1).as_deref() {
        Some("battery") => in_scratch(battery),
        Some("listing") => in_scratch(listing),
        Some("links") => in_scratch(links),
        Some("attributes") => in_scratch(attributes),
        Some("locks") => in_scratch(locks),
        Some("working") => in_scratch(working),
        Some("threads") => in_scratch(threads),
        Some("declared") => declared(),
        Some("project") => project(),
        Some("hidden") => hidden(),
        Some("unlike") => unlike(),
        Some("alone") => alone(),
        Some("stuck") => stuck(),
        other => panic!("no such program: {other:?}"),
    }
}

/// Runs in a directory of its own, which is removed afterwards.
fn in_scratch(run: fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let scratch = env::temp_dir().join(format!("sim-files-{}", process::id()));
    fs::create_dir(&scratch)?;
    let result = run(&scratch);
    env::set_current_dir("/")?;
    fs::remove_dir_all(&scratch)?;
    assert!(!scratch.exists());
    result
}

/// What went wrong, by kind and number.
fn failure<T>(result: io::Result<T>) -> String {
    result.map_or_else(
        |error| format!("{:?} {:?}", error.kind(), error.raw_os_error()),
        |_| String::from("ok"),
    )
}

fn battery(at: &Path) -> io::Result<()> {
    let (a, b) = (at.join("a"), at.join("b"));
    println!("{}", failure(File::open(&a)));
    fs::write(&a, b"0123456789")?;
    println!("{}", failure(OpenOptions::new().write(true).create_new(true).open(&a)));
    let mut file = OpenOptions::new().read(true).write(true).open(&a)?;
    let mut four = [0; 4];
    file.read_exact(&mut four)?;
    println!("{:?} {}", four, file.stream_position()?);
    file.seek(SeekFrom::End(-2))?;
    file.write_all(b"xyz")?;
    println!("{} {:?}", file.metadata()?.len(), failure(file.seek(SeekFrom::Current(-100))));
    println!("{} {:?}", file.read_at(&mut four, 1)?, four);
    file.write_all_at(b"!!", 4)?;
    file.set_len(20)?;
    file.sync_all()?;
    file.sync_data()?;
    println!("{:?}", fs::read(&a)?);
    file.set_len(3)?;
    println!("{:?} {}", fs::read_to_string(&a)?, failure(File::open(&a)?.set_len(1)));
    let mut log = OpenOptions::new().append(true).open(&a)?;
    log.write_all(b"one\n")?;
    log.write_all(b"two\n")?;
    drop(log);
    for line in BufReader::new(File::open(&a)?).lines() {
        println!("{}", line?);
    }
    println!("{}", fs::copy(&a, &b)?);
    println!("{:?} {:?}", fs::read_to_string(&b)?, fs::metadata(&b)?.permissions().mode());
    fs::rename(&a, at.join("c"))?;
    println!("{} {} {}", a.exists(), at.join("c").exists(), failure(fs::rename(&a, &b)));
    let mut vectored = File::create(at.join("v"))?;
    let parts = [io::IoSlice::new(b"one"), io::IoSlice::new(b"two")];
    println!("{}", vectored.write_vectored(&parts)?);
    drop(vectored);
    let (mut left, mut right) = ([0; 2], [0; 9]);
    let mut parts = [io::IoSliceMut::new(&mut left), io::IoSliceMut::new(&mut right)];
    println!("{}", File::open(at.join("v"))?.read_vectored(&mut parts)?);
    println!("{left:?} {right:?}");
    let kept = File::open(&b)?;
    fs::remove_file(&b)?;
    println!("{} {}", kept.metadata()?.nlink(), io::read_to_string(&kept)?.len());
    println!("{}", failure(fs::remove_file(&b)));
    println!("{}", failure(File::open(at)?.read(&mut four)));
    println!("{}", failure(File::create(at)));
    println!("{}", failure(fs::write(at.join("c/below"), b"")));
    println!("{}", failure(fs::write(at.join("n".repeat(256)), b"")));
    Ok(())
}

fn names(path: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(path)?.map(|entry| {
        let entry = entry?;
        Ok(format!("{} {:?}", entry.file_name().display(), entry.file_type()?.is_dir()))
    });
    let mut names = entries.collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

fn listing(at: &Path) -> io::Result<()> {
    fs::create_dir_all(at.join("deep/er/still"))?;
    for n in 0..300 {
        fs::write(at.join(format!("deep/file-{n}")), b"")?;
    }
    println!("{:?}", names(&at.join("deep"))?);
    println!("{}", failure(fs::create_dir(at.join("deep"))));
    println!("{}", failure(fs::remove_dir(at.join("deep"))));
    println!("{}", failure(fs::read_dir(at.join("deep/file-1"))));
    println!("{}", failure(fs::create_dir(at.join("deep/file-1/below"))));
    fs::rename(at.join("deep/er"), at.join("er"))?;
    println!("{:?}", names(&at.join("er"))?);
    println!("{}", failure(fs::rename(at.join("er"), at.join("er/below"))));
    fs::remove_dir_all(at.join("deep"))?;
    println!("{:?} {}", names(at)?, fs::metadata(at)?.nlink());
    Ok(())
}

fn links(at: &Path) -> io::Result<()> {
    let (a, b, l) = (at.join("a"), at.join("b"), at.join("l"));
    fs::write(&a, b"text")?;
    fs::hard_link(&a, &b)?;
    let (first, second) = (fs::metadata(&a)?, fs::metadata(&b)?);
    println!("{} {}", first.nlink(), first.ino() == second.ino() && first.dev() == second.dev());
    symlink("a", &l)?;
    println!("{:?} {:?}", fs::read_link(&l)?, fs::symlink_metadata(&l)?.file_type());
    println!("{}", fs::read_to_string(&l)?);
    println!("{}", fs::canonicalize(&l)? == fs::canonicalize(at)?.join("a"));
    println!("{}", failure(fs::canonicalize(at.join("missing"))));
    println!("{}", failure(symlink("x", &l)));
    symlink("nowhere", at.join("dangling"))?;
    println!("{} {}", at.join("dangling").exists(), failure(File::open(at.join("dangling"))));
    symlink("round", at.join("round"))?;
    println!("{}", failure(File::open(at.join("round"))));
    println!("{} {}", failure(fs::hard_link(at, at.join("d"))), failure(fs::read_link(&a)));
    fs::create_dir(at.join("dir"))?;
    fs::write(at.join("dir/inner"), b"inner")?;
    symlink("dir", at.join("to-dir"))?;
    println!("{} {:?}", fs::read_to_string(at.join("to-dir/inner"))?, names(&at.join("to-dir"))?);
    fs::remove_file(at.join("to-dir"))?;
    println!("{}", at.join("dir/inner").exists());
    Ok(())
}

fn attributes(at: &Path) -> io::Result<()> {
    let path = at.join("f");
    fs::write(&path, b"text")?;
    let mode = |path: &Path| fs::metadata(path).map(|metadata| metadata.permissions().mode());
    println!("{:o}", mode(&path)?);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4751))?;
    println!("{:o}", mode(&path)?);
    let file = OpenOptions::new().write(true).open(&path)?;
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(true);
    file.set_permissions(permissions)?;
    println!("{:o} {}", mode(&path)?, fs::metadata(&path)?.permissions().readonly());
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_500_000_000, 123_456_789);
    file.set_times(fs::FileTimes::new().set_modified(time).set_accessed(time))?;
    let metadata = fs::metadata(&path)?;
    println!("{:?} {:?}", metadata.modified()? == time, metadata.accessed()? == time);
    println!("{} {}", metadata.mtime(), metadata.mtime_nsec());
    println!("{} {} {}", metadata.is_file(), metadata.len(), metadata.blksize());
    fs::write(at.join("g"), b"")?;
    let young = fs::metadata(at.join("g"))?.modified()?;
    println!("{}", young > time && young <= SystemTime::now() + Duration::from_secs(1));
    Ok(())
}

fn locks(at: &Path) -> io::Result<()> {
    let (one, other) = (File::create(at.join("lock"))?, File::open(at.join("lock"))?);
    one.lock()?;
    println!("{:?}", other.try_lock().is_err());
    let (sender, receiver) = mpsc::channel();
    let waiting = thread::spawn(move || {
        other.lock_shared().expect("it is given back");
        sender.send("taken").expect("somebody listens");
        other.unlock().expect("it is ours");
    });
    thread::sleep(Duration::from_millis(50));
    println!("{:?}", receiver.try_recv().is_err());
    one.unlock()?;
    println!("{:?}", receiver.recv());
    waiting.join().expect("it does not panic");
    let third = File::open(at.join("lock"))?;
    one.lock_shared()?;
    third.lock_shared()?;
    println!("{:?}", one.try_lock().is_err());
    drop(third);
    println!("{:?}", one.try_lock().is_ok());
    Ok(())
}

fn working(at: &Path) -> io::Result<()> {
    env::set_current_dir(at)?;
    println!("{}", env::current_dir()? == fs::canonicalize(at)?);
    fs::create_dir("below")?;
    fs::write("below/f", b"1")?;
    env::set_current_dir("below")?;
    println!("{} {}", Path::new("f").exists(), Path::new("../below/./f").exists());
    println!("{}", failure(env::set_current_dir("f")));
    println!("{}", failure(env::set_current_dir("missing")));
    println!(
        "{:?}",
        std::path::absolute("x")?.strip_prefix(fs::canonicalize(at)?).map(Path::to_owned)
    );
    relative_sockets(at)
}

/// A socket's relative name begins at the working directory that there is when it is used, and stays as it was given.
fn relative_sockets(at: &Path) -> io::Result<()> {
    let listener = UnixListener::bind("socket")?;
    println!("{:?} {}", listener.local_addr()?.as_pathname(), at.join("below/socket").exists());
    println!("{:?}", UnixStream::connect("../below/socket")?.peer_addr()?.as_pathname());
    drop(UnixStream::connect(at.join("below/socket"))?);
    println!("{}", failure(UnixListener::bind("./socket")));
    env::set_current_dir("..")?;
    println!("{}", failure(UnixStream::connect("socket")));
    drop(UnixStream::connect("below/socket")?);
    Ok(())
}

/// Threads that append to one file: every line is whole, and none is lost.
fn threads(at: &Path) -> io::Result<()> {
    let path = at.join("log");
    File::create(&path)?;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let path = path.clone();
            thread::spawn(move || {
                let mut log = OpenOptions::new().append(true).open(path).expect("it is there");
                for line in 0..10 {
                    let line = format!("{writer} {line}\n");
                    log.write_all(line.as_bytes()).expect("it is writable");
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().expect("it does not panic"));
    let text = fs::read_to_string(&path)?;
    let mut counts: HashMap<&str, u32> = HashMap::new();
    text.lines()
        .for_each(|line| *counts.entry(line.split(' ').next().unwrap_or("")).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable();
    println!("{counts:?}");
    Ok(())
}

/// What is declared can be read: the program itself, its project, the system's files.
fn declared() -> io::Result<()> {
    let manifest = fs::read_to_string("Cargo.toml")?;
    println!("{}", manifest.lines().count() > 5);
    println!("{}", fs::read(env::current_exe()?)?.starts_with(b"\x7fELF"));
    println!(
        "{}",
        fs::read_to_string("/proc/self/maps")?.contains("libsim_libc")
            || env::var_os("OUTSIDE").is_some()
    );
    println!("{}", fs::metadata("/usr")?.is_dir());
    println!("{:?}", fs::read("/dev/null")?);
    fs::write("/dev/null", b"gone")?;
    println!("{}", names(Path::new("programs"))?.contains(&String::from("files.rs false")));
    println!("{}", failure(File::open("programs/missing.rs")));
    println!("{}", std::backtrace::Backtrace::force_capture().to_string().contains("declared"));
    Ok(())
}

/// Writes all over the project. Outside a world that would be seen; so it is run in one only.
fn project() -> io::Result<()> {
    let (manifest, made) = (Path::new("Cargo.toml"), Path::new("programs/made"));
    let before = fs::read_to_string(manifest)?;
    OpenOptions::new().append(true).open(manifest)?.write_all(b"# more\n")?;
    assert_eq!(fs::read_to_string(manifest)?, format!("{before}# more\n"));
    fs::write(made, b"made")?;
    assert!(names(Path::new("programs"))?.contains(&String::from("made false")));
    fs::remove_file("programs/program.rs")?;
    assert!(!Path::new("programs/program.rs").exists());
    assert!(!names(Path::new("programs"))?.contains(&String::from("program.rs false")));
    fs::rename("programs", "renamed")?;
    assert_eq!(fs::read(Path::new("renamed/made"))?, b"made");
    assert!(fs::read_to_string("renamed/files.rs")?.contains("fn project()"));
    fs::set_permissions("renamed/files.rs", fs::Permissions::from_mode(0o600))?;
    fs::remove_dir_all("oracle")?;
    File::options().write(true).truncate(true).open("tests/process_world.rs")?;
    println!("{}", names(Path::new("."))?.join(","));
    Ok(())
}

/// What is not declared is not there, however real it is.
fn hidden() -> io::Result<()> {
    for path in [
        "/etc/shadow",
        "/proc/meminfo",
        "/sys/class",
        "/proc/self/cgroup",
        "/root/.bash_history",
        "/var/lib/dpkg",
    ] {
        println!("{path} {}", failure(File::open(path)));
    }
    // Not /tmp, where this very project may lie, which is declared.
    println!("{:?}", names(Path::new("/dev/shm"))?);
    println!("{}", failure(fs::write("/proc/self/comm", b"other")));
    Ok(())
}

/// What differs from run to run on Linux: numbers of inodes, times, names of temporary files.
fn unlike() -> io::Result<()> {
    let path: PathBuf = env::temp_dir().join("unlike");
    fs::write(&path, b"x")?;
    thread::sleep(Duration::from_millis(3));
    fs::write(&path, b"y")?;
    println!("{:?}", fs::metadata(&path)?);
    println!("{:?}", fs::metadata("Cargo.toml")?);
    let mut random = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    println!("{random:?}");
    Ok(())
}

/// Waits for a lock that the same thread holds.
fn stuck() -> io::Result<()> {
    let path = env::temp_dir().join("stuck");
    let (one, other) = (File::create(&path)?, File::open(&path)?);
    one.lock()?;
    other.lock()
}

/// Fails if another run has left something behind.
fn alone() -> io::Result<()> {
    let path = env::temp_dir().join("alone");
    OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(b"mine")?;
    let mut names = names(&env::temp_dir())?;
    // The project itself may lie here, and is declared.
    names.retain(|name| name.starts_with("alone"));
    assert_eq!(names, ["alone false"]);
    Ok(())
}
