//! A program that maps a file shared: stores and writes, two mappings, lengths, and who may do what.

#![expect(unsafe_code, reason = "memory that is shared with a file has no safe form")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::thread;

const PAGE: usize = 4096;

/// A mapping of a file from its start.
struct Mapping {
    start: *mut u8,
    len: usize,
}

impl Mapping {
    fn new(file: &File, len: usize, protection: i32, flags: i32) -> io::Result<Self> {
        // SAFETY: the kernel chooses a place where nothing is.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start: start.cast(), len })
    }

    fn shared(file: &File, len: usize) -> io::Result<Self> {
        Self::new(file, len, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED)
    }

    fn store(&self, at: usize, data: &[u8]) {
        assert!(at + data.len() <= self.len);
        // SAFETY: inside the mapping, and nobody holds a reference into it.
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), self.start.wrapping_add(at), data.len()) }
    }

    fn load(&self, at: usize, len: usize) -> String {
        assert!(at + len <= self.len);
        let mut bytes = vec![0; len];
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(self.start.wrapping_add(at), bytes.as_mut_ptr(), len) }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, once.
        unsafe { libc::munmap(self.start.cast(), self.len) };
    }
}

fn read(file: &File, at: u64, len: usize) -> String {
    let mut bytes = vec![0; len];
    let read = file.read_at(&mut bytes, at).unwrap();
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

fn open(path: &Path, read: bool, write: bool) -> File {
    OpenOptions::new().read(read).write(write).open(path).unwrap()
}

fn stores_and_writes(path: &Path) {
    let file = open(path, true, true);
    let (one, other) =
        (Mapping::shared(&file, 2 * PAGE).unwrap(), Mapping::shared(&file, 2 * PAGE).unwrap());
    println!("mapped {:?}", one.load(0, 5));
    one.store(0, b"STORE");
    println!("other mapping {:?}, read {:?}", other.load(0, 6), read(&file, 0, 6));
    file.write_at(b"WRITE", 10).unwrap();
    println!("mapping {:?} {:?}", one.load(0, 16), other.load(10, 5));
    // Both to one page, before anybody has looked.
    other.store(20, b"y");
    file.write_at(b"z", 22).unwrap();
    println!("page {:?} {:?}", one.load(18, 6), read(&file, 18, 6));
    let private =
        Mapping::new(&file, PAGE, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE).unwrap();
    println!("private {:?}", private.load(0, 5));
    private.store(0, b"MINE!");
    println!(
        "private {:?}, shared {:?}, read {:?}",
        private.load(0, 5),
        one.load(0, 5),
        read(&file, 0, 5)
    );
    // SAFETY: the range of a mapping.
    println!("msync {}", unsafe { libc::msync(one.start.cast(), PAGE, libc::MS_SYNC) });
    file.sync_all().unwrap();
    drop((one, file));
    other.store(PAGE, b"after the descriptor");
    drop(other);
    let text = fs::read(path).unwrap();
    println!("{} bytes, {:?}", text.len(), String::from_utf8_lossy(&text[PAGE..PAGE + 20]));
}

fn lengths(path: &Path) {
    let file = open(path, true, true);
    let mapping = Mapping::shared(&file, 4 * PAGE).unwrap();
    file.set_len(3 * PAGE as u64).unwrap();
    mapping.store(3 * PAGE - 3, b"end");
    println!("longer {:?}", read(&file, 3 * PAGE as u64 - 4, 9));
    file.set_len(PAGE as u64 + 3).unwrap();
    // What is stored beyond the end is in no file.
    mapping.store(PAGE + 3, b"lost");
    println!("shorter {} {:?}", file.metadata().unwrap().len(), read(&file, PAGE as u64, 9));
    drop(File::create(path).unwrap());
    println!("cut {}", file.metadata().unwrap().len());
    let mut appending = OpenOptions::new().append(true).open(path).unwrap();
    appending.write_all(b"appended").unwrap();
    println!("appended {:?}", mapping.load(0, 9));
}

fn rights(path: &Path) {
    let kind = |result: io::Result<Mapping>| {
        result.map(|_| "mapped").map_err(|error| error.raw_os_error())
    };
    let (reader, writer, both) =
        (open(path, true, false), open(path, false, true), open(path, true, true));
    let (look, change) = (libc::PROT_READ, libc::PROT_READ | libc::PROT_WRITE);
    for (name, file) in [("reader", &reader), ("writer", &writer), ("both", &both)] {
        for (protection, flags) in [
            (look, libc::MAP_SHARED),
            (change, libc::MAP_SHARED),
            (look, libc::MAP_PRIVATE),
            (change, libc::MAP_PRIVATE),
        ] {
            println!(
                "{name} {protection} {flags} {:?}",
                kind(Mapping::new(file, PAGE, protection, flags))
            );
        }
    }
    let looking = Mapping::new(&reader, PAGE, look, libc::MAP_SHARED).unwrap();
    // SAFETY: the range of a mapping.
    let raised = unsafe { libc::mprotect(looking.start.cast(), PAGE, change) };
    println!("mprotect {raised} {:?}", io::Error::last_os_error().raw_os_error());
    both.write_at(b"seen", 0).unwrap();
    println!("{:?}", looking.load(0, 4));
    println!(
        "folder {:?}",
        kind(Mapping::new(&File::open("/tmp").unwrap(), PAGE, look, libc::MAP_SHARED))
    );
}

fn threads(path: &Path) {
    let file = open(path, true, true);
    thread::scope(|scope| {
        for number in 0..4_u8 {
            let file = &file;
            scope.spawn(move || {
                let mapping = Mapping::shared(file, PAGE).unwrap();
                let at = usize::from(number) * 100;
                mapping.store(at, &[b'a' + number]);
                file.write_at(&[b'A' + number], at as u64 + 1).unwrap();
                assert_eq!(read(file, at as u64, 2).as_bytes(), [b'a' + number, b'A' + number]);
            });
        }
    });
    let all: String = (0..4).map(|number| read(&file, number * 100, 2)).collect();
    println!("threads {all}");
}

fn fresh(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, b"first".iter().chain(&[b'.'; 2 * PAGE - 5]).copied().collect::<Vec<u8>>())
        .unwrap();
    path
}

fn main() {
    let folder = std::env::temp_dir().join(format!("mapped-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    stores_and_writes(&fresh(&folder, "one"));
    lengths(&fresh(&folder, "two"));
    rights(&fresh(&folder, "three"));
    threads(&fresh(&folder, "four"));
    fs::remove_dir_all(&folder).unwrap();
}
