//! A program that uses files as C does: streams, directories, mappings, locks of ranges, temporary names. What it prints is the same on
//! Linux and in a world.

#![expect(unsafe_code, clippy::multiple_unsafe_ops_per_block, reason = "a C program, written here")]

use libc::{c_char, c_int};
use std::ffi::{CStr, CString};
use std::io;
use std::ptr;

fn main() {
    let folder = format!("{}/sim-streams-{}", std::env::temp_dir().display(), std::process::id());
    let at = |name: &str| CString::new(format!("{folder}/{name}")).expect("it has no byte 0");
    // SAFETY: every pointer is of a text or a value that lives as long as the call, and every answer is checked before it is used.
    unsafe {
        assert_eq!(libc::mkdir(at("").as_ptr(), 0o755), 0);
        streams(&at("stream"));
        seals(&at("log"));
        listing(&at(""));
        mapping(&at("mapped"));
        ranges(&at("ranges"));
        temporary(&at("made-XXXXXX"), &at("folder-XXXXXX"));
        numbered(&at("numbered"));
        named_pipe(&at("pipe"));
        checked_and_synced(&at("log"));
        for name in ["stream", "log", "mapped", "ranges", "numbered", "pipe"] {
            println!("remove {}", libc::remove(at(name).as_ptr()));
        }
        println!("remove {}", libc::remove(at("").as_ptr()));
    }
}

fn code() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// fopen(3) and its company.
unsafe fn streams(path: &CStr) {
    // SAFETY: as the caller says.
    unsafe {
        println!("{} {}", libc::fopen(path.as_ptr(), c"r".as_ptr()).is_null(), code());
        let stream = libc::fopen(path.as_ptr(), c"w+".as_ptr());
        assert!(!stream.is_null());
        println!("{}", libc::fputs(c"one\ntwo\nthree\n".as_ptr(), stream) >= 0);
        println!("{} {}", libc::ftell(stream), libc::fseek(stream, 4, libc::SEEK_SET));
        let mut line = [0_u8; 32];
        let read = libc::fgets(line.as_mut_ptr().cast::<c_char>(), 32, stream);
        println!("{:?}", CStr::from_ptr(read));
        println!("{}", libc::fclose(stream));
        let stream = libc::fopen(path.as_ptr(), c"a".as_ptr());
        println!("{} {}", libc::fputs(c"four\n".as_ptr(), stream) >= 0, libc::fclose(stream));
        let stream = libc::fopen(path.as_ptr(), c"r".as_ptr());
        let mut all = [0_u8; 64];
        let len = libc::fread(all.as_mut_ptr().cast(), 1, 64, stream);
        println!("{:?} {}", String::from_utf8_lossy(&all[..len]), libc::feof(stream) != 0);
        println!("{}", libc::fclose(stream));
        let stream = libc::tmpfile();
        println!("{} {}", libc::fputs(c"gone".as_ptr(), stream) >= 0, libc::fclose(stream));
    }
}

/// A descriptor, a stream on it, and reading and writing at offsets.
unsafe fn seals(path: &CStr) {
    // SAFETY: as the caller says.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_EXCL, 0o640);
        println!(
            "{} {}",
            libc::pwrite(fd, b"abcdef".as_ptr().cast(), 6, 2),
            libc::lseek(fd, 0, libc::SEEK_CUR)
        );
        let mut found: libc::stat = std::mem::zeroed();
        println!("{} {} {:o}", libc::fstat(fd, &raw mut found), found.st_size, found.st_mode);
        println!("{} {}", libc::posix_fallocate(fd, 0, 100), libc::fallocate(fd, 0, 0, 50));
        println!("{} {}", libc::lseek(fd, 0, libc::SEEK_END), libc::lseek(fd, -1, libc::SEEK_SET));
        println!("{}", libc::fcntl(fd, libc::F_GETFL) & (libc::O_ACCMODE | libc::O_APPEND));
        println!(
            "{} {}",
            libc::access(path.as_ptr(), libc::R_OK),
            libc::access(path.as_ptr(), libc::X_OK)
        );
        println!("{} {}", libc::truncate(path.as_ptr(), 3), libc::close(fd));
        println!("{} {}", libc::stat(path.as_ptr(), &raw mut found), found.st_size);
        println!("{} {}", libc::close(fd), code());
    }
}

/// opendir(3), readdir(3), rewinddir(3).
unsafe fn listing(path: &CStr) {
    // SAFETY: as the caller says.
    unsafe {
        let stream = libc::opendir(path.as_ptr());
        for _ in 0..2 {
            let mut names = Vec::new();
            loop {
                let entry = libc::readdir(stream);
                if entry.is_null() {
                    break;
                }
                names.push(CStr::from_ptr((*entry).d_name.as_ptr()).to_owned());
            }
            names.sort_unstable();
            println!("{names:?}");
            libc::rewinddir(stream);
        }
        println!("{} {}", libc::dirfd(stream) >= 0, libc::closedir(stream));
    }
}

/// mmap(2) of a file that the program has made, and of itself.
unsafe fn mapping(path: &CStr) {
    // SAFETY: as the caller says.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600);
        assert_eq!(libc::write(fd, b"in memory".as_ptr().cast(), 9), 9);
        for fd in [fd, libc::open(c"/proc/self/exe".as_ptr(), libc::O_RDONLY)] {
            let memory = libc::mmap(ptr::null_mut(), 9, libc::PROT_READ, libc::MAP_PRIVATE, fd, 0);
            assert_ne!(memory, libc::MAP_FAILED);
            let bytes = std::slice::from_raw_parts(memory.cast::<u8>(), 4).to_vec();
            println!("{bytes:?} {}", libc::munmap(memory, 9));
            println!("{}", libc::close(fd));
        }
    }
}

fn range(kind: c_int, start: i64, len: i64) -> libc::flock {
    libc::flock {
        l_type: kind as _,
        l_whence: libc::SEEK_SET as _,
        l_start: start,
        l_len: len,
        l_pid: 0,
    }
}

/// Locks of ranges, held by descriptions.
unsafe fn ranges(path: &CStr) {
    // SAFETY: as the caller says.
    unsafe {
        let one = libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600);
        let other = libc::open(path.as_ptr(), libc::O_RDWR);
        let (first, second) = (range(libc::F_WRLCK, 0, 10), range(libc::F_WRLCK, 5, 10));
        println!("{}", libc::fcntl(one, libc::F_OFD_SETLK, &raw const first));
        println!("{} {}", libc::fcntl(other, libc::F_OFD_SETLK, &raw const second), code());
        let mut asked = range(libc::F_RDLCK, 0, 0);
        println!("{}", libc::fcntl(other, libc::F_OFD_GETLK, &raw mut asked));
        println!("{} {} {} {}", asked.l_type, asked.l_start, asked.l_len, asked.l_pid);
        let third = range(libc::F_UNLCK, 5, 0);
        println!("{}", libc::fcntl(one, libc::F_OFD_SETLK, &raw const third));
        println!("{}", libc::fcntl(other, libc::F_OFD_SETLK, &raw const second));
        // Locks of the process do not exclude each other, and go with any descriptor of the file.
        let fourth = range(libc::F_WRLCK, 100, 1);
        println!(
            "{} {}",
            libc::fcntl(one, libc::F_SETLK, &raw const fourth),
            libc::fcntl(other, libc::F_SETLK, &raw const fourth)
        );
        println!("{} {}", libc::close(one), libc::close(other));
    }
}

/// mkstemp(3) and mkdtemp(3).
unsafe fn temporary(file: &CStr, folder: &CStr) {
    // SAFETY: as the caller says; the templates are copied into memory that may be changed.
    unsafe {
        let mut name = file.to_bytes_with_nul().to_vec();
        let fd = libc::mkstemp(name.as_mut_ptr().cast());
        println!("{} {}", fd >= 0, name.ends_with(b"XXXXXX\0"));
        println!("{} {}", libc::unlink(name.as_ptr().cast()), libc::close(fd));
        let mut name = folder.to_bytes_with_nul().to_vec();
        println!("{}", libc::mkdtemp(name.as_mut_ptr().cast()).is_null());
        println!("{}", libc::rmdir(name.as_ptr().cast()));
    }
}

/// Calls by number (syscall(2)).
unsafe fn numbered(path: &CStr) {
    // SAFETY: as the caller says.
    unsafe {
        let flags = libc::O_RDWR | libc::O_CREAT;
        let fd =
            libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o600) as c_int;
        println!("{}", libc::syscall(libc::SYS_write, fd, b"five!".as_ptr(), 5));
        let mut found: libc::statx = std::mem::zeroed();
        let place = &raw mut found;
        let empty = libc::AT_EMPTY_PATH;
        println!(
            "{}",
            libc::syscall(libc::SYS_statx, fd, c"".as_ptr(), empty, libc::STATX_SIZE, place)
        );
        println!("{} {:o}", found.stx_size, found.stx_mode);
        println!("{}", libc::syscall(libc::SYS_close, fd));
        let folder = libc::open(c"..".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY);
        let mut records = [0_u8; 4096];
        println!("{}", libc::syscall(libc::SYS_getdents64, folder, records.as_mut_ptr(), 4096) > 0);
        println!("{}", libc::close(folder));
    }
}

/// Opens, and says what came of it.
unsafe fn try_open(path: &CStr, flags: c_int) -> c_int {
    // SAFETY: as in `main`.
    unsafe {
        let fd = libc::open(path.as_ptr(), flags);
        let error = if fd < 0 { io::Error::last_os_error().raw_os_error() } else { None };
        println!("open {flags:#o}: {error:?}");
        fd
    }
}

/// What a descriptor is ready for at once.
unsafe fn ready(fd: c_int) -> libc::c_short {
    // SAFETY: as in `main`.
    unsafe {
        let mut entry = libc::pollfd { fd, events: libc::POLLIN | libc::POLLOUT, revents: 0 };
        libc::poll(&raw mut entry, 1, 0);
        entry.revents
    }
}

/// A pipe with a name (fifo(7)): who is held back, who is refused, who hangs up.
unsafe fn named_pipe(path: &CStr) {
    // SAFETY: as in `main`.
    unsafe {
        println!(
            "mkfifo {} {}",
            libc::mkfifo(path.as_ptr(), 0o600),
            libc::mkfifo(path.as_ptr(), 0)
        );
        let mut status: libc::stat = std::mem::zeroed();
        libc::stat(path.as_ptr(), &raw mut status);
        println!("{:o} {}", status.st_mode, libc::truncate(path.as_ptr(), 0));
        let (read, write, both) = (libc::O_RDONLY, libc::O_WRONLY, libc::O_RDWR);
        try_open(path, write | libc::O_NONBLOCK);
        let mut byte = [0_u8; 4];
        let reader = try_open(path, read | libc::O_NONBLOCK);
        println!("{} {}", ready(reader), libc::read(reader, byte.as_mut_ptr().cast(), 4));
        let writer = try_open(path, write | libc::O_NONBLOCK);
        println!("{} {}", ready(reader), libc::read(reader, byte.as_mut_ptr().cast(), 4));
        println!("{} {}", ready(writer), libc::write(writer, b"two".as_ptr().cast(), 3));
        println!("{} {:#o}", ready(reader), libc::fcntl(writer, libc::F_GETFL));
        libc::close(writer);
        println!("{} {}", ready(reader), libc::read(reader, byte.as_mut_ptr().cast(), 4));
        println!("{} {}", ready(reader), libc::read(reader, byte.as_mut_ptr().cast(), 4));
        let own = try_open(path, both);
        println!("{} {}", ready(own), libc::write(own, b"me".as_ptr().cast(), 2));
        println!("{} {}", ready(own), libc::read(own, byte.as_mut_ptr().cast(), 4));
        println!("{}", libc::lseek(own, 0, libc::SEEK_SET));
        libc::close(own);
        libc::close(reader);
        held_back(path);
    }
}

/// Either end waits for the other to be opened.
unsafe fn held_back(path: &CStr) {
    let name = path.to_owned();
    let other = std::thread::spawn(move || {
        // SAFETY: as in `main`.
        unsafe {
            let reader = libc::open(name.as_ptr(), libc::O_RDONLY);
            let mut byte = [0_u8; 4];
            let got = libc::read(reader, byte.as_mut_ptr().cast(), 4);
            let end = libc::read(reader, byte.as_mut_ptr().cast(), 4);
            libc::close(reader);
            let writer = libc::open(name.as_ptr(), libc::O_WRONLY);
            libc::write(writer, b"back".as_ptr().cast(), 4);
            libc::close(writer);
            (got, end)
        }
    });
    // SAFETY: as in `main`.
    unsafe {
        let writer = libc::open(path.as_ptr(), libc::O_WRONLY);
        libc::write(writer, b"to".as_ptr().cast(), 2);
        libc::close(writer);
        let reader = libc::open(path.as_ptr(), libc::O_RDONLY);
        let mut byte = [0_u8; 4];
        let got = libc::read(reader, byte.as_mut_ptr().cast(), 4);
        libc::close(reader);
        println!("held back: {:?} {got} {byte:?}", other.join().expect("it does not panic"));
    }
}

unsafe extern "C" {
    fn __read_chk(fd: c_int, into: *mut libc::c_void, len: usize, room: usize) -> isize;
    fn __pread_chk(fd: c_int, into: *mut u8, len: usize, offset: i64, room: usize) -> isize;
    fn __recv_chk(fd: c_int, into: *mut u8, len: usize, room: usize, flags: c_int) -> isize;
    fn __poll_chk(of: *mut libc::pollfd, count: u64, timeout_ms: c_int, room: usize) -> c_int;
    fn __readlink_chk(path: *const c_char, into: *mut u8, len: usize, room: usize) -> isize;
}

/// What a C library calls that was compiled to check its buffers, all of a disk made durable, attributes that nobody has set.
unsafe fn checked_and_synced(path: &CStr) {
    // SAFETY: as in `main`.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_RDONLY);
        let mut into = [0_u8; 8];
        println!("{} {into:?}", __read_chk(fd, into.as_mut_ptr().cast(), 4, 8));
        println!("{} {into:?}", __pread_chk(fd, into.as_mut_ptr(), 4, 2, 8));
        println!("{}", __readlink_chk(path.as_ptr(), into.as_mut_ptr(), 8, 8));
        println!("{}", libc::syncfs(fd));
        libc::sync();
        let name = c"user.nobody".as_ptr();
        println!("{}", libc::getxattr(path.as_ptr(), name, ptr::null_mut(), 0));
        println!("{}", libc::fgetxattr(fd, name, ptr::null_mut(), 0));
        libc::close(fd);
        let mut pair = [0; 2];
        libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr());
        libc::write(pair[0], b"to".as_ptr().cast(), 2);
        let mut entry = libc::pollfd { fd: pair[1], events: libc::POLLIN, revents: 0 };
        println!(
            "{} {}",
            __poll_chk(&raw mut entry, 1, -1, size_of::<libc::pollfd>()),
            entry.revents
        );
        println!("{} {into:?}", __recv_chk(pair[1], into.as_mut_ptr(), 8, 8, 0));
        libc::close(pair[0]);
        libc::close(pair[1]);
    }
}
