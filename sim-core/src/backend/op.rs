//! Submissions: work that a kernel does on its own time and reports when done.
//!
//! Sockets are readiness, files and name look-ups are completion, because that is what Linux gives:
//! a regular file is always ready and still blocks. A blocking libc call is a submission that its
//! thread waits for.

use crate::id::Fd;
use bytes::Bytes;
use sim_time::WallTime;
use std::net::IpAddr;

/// How to open a file (open(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OpenOptions {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Every write goes to the end (`O_APPEND`).
    pub append: bool,
    /// Cut to length 0 (`O_TRUNC`).
    pub truncate: bool,
    /// Make it if it is not there (`O_CREAT`).
    pub create: bool,
    /// Make it, and fail if it is there (`O_CREAT` with `O_EXCL`).
    pub create_new: bool,
}

/// Work for the kernel's own time. Paths are absolute or relative to the host's root directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// Opens a file: [`Output::Fd`].
    Open {
        /// Where.
        path: Box<str>,
        /// How.
        options: OpenOptions,
    },
    /// Reads up to `len` bytes at `offset`: [`Output::Data`], shorter at the end of the file.
    Read {
        /// From which file.
        fd: Fd,
        /// Where in it; `None` is the description's own position, which moves on.
        offset: Option<u64>,
        /// At most this many bytes.
        len: usize,
    },
    /// Writes at `offset`, or at the end of a file opened to append: [`Output::Len`].
    Write {
        /// To which file.
        fd: Fd,
        /// Where in it; `None` is the description's own position, which moves on.
        offset: Option<u64>,
        /// What.
        data: Bytes,
    },
    /// Sets a file's length: [`Output::Done`].
    Truncate {
        /// Which file.
        fd: Fd,
        /// The length in bytes.
        len: u64,
    },
    /// Makes a file, or a directory's entries, durable (fsync(2), fdatasync(2)): [`Output::Done`].
    Sync {
        /// Which file or directory.
        fd: Fd,
        /// Only what is needed to read the data back.
        data_only: bool,
    },
    /// Moves the description's own position (lseek(2)): [`Output::Len`], the new one.
    Seek {
        /// Which file.
        fd: Fd,
        /// To where.
        to: SeekTo,
    },
    /// Names a file or directory anew (rename(2)): [`Output::Done`].
    Rename {
        /// The name it has.
        from: Box<str>,
        /// The name it gets; what had that name is gone.
        to: Box<str>,
    },
    /// Removes a file's name (unlink(2)): [`Output::Done`].
    RemoveFile {
        /// Which.
        path: Box<str>,
    },
    /// Makes a directory (mkdir(2)): [`Output::Done`].
    CreateDir {
        /// Which.
        path: Box<str>,
    },
    /// Removes an empty directory (rmdir(2)): [`Output::Done`].
    RemoveDir {
        /// Which.
        path: Box<str>,
    },
    /// Lists a directory without `.` and `..`: [`Output::Entries`].
    ReadDir {
        /// Which.
        path: Box<str>,
    },
    /// Describes what a path names (stat(2)): [`Output::Metadata`].
    Stat {
        /// Which.
        path: Box<str>,
    },
    /// Describes an open file (fstat(2)): [`Output::Metadata`].
    StatFd {
        /// Which.
        fd: Fd,
    },
    /// Finds the addresses of a host name (getaddrinfo(3)): [`Output::Addresses`].
    Resolve {
        /// The name.
        name: Box<str>,
    },
}

/// Where lseek(2) moves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekTo {
    /// This offset.
    Start(u64),
    /// So far from the present position.
    Current(i64),
    /// So far from the end of the file.
    End(i64),
}

/// What a submission gave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// It is done.
    Done,
    /// A new descriptor.
    Fd(Fd),
    /// What was read.
    Data(Bytes),
    /// How much was written, or the new position.
    Len(u64),
    /// What a file is.
    Metadata(Metadata),
    /// What a directory holds, ordered by name.
    Entries(Vec<Entry>),
    /// The addresses of a name.
    Addresses(Vec<IpAddr>),
}

/// Kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// The name of a Unix socket.
    Socket,
}

/// What a file is (stat(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its kind.
    pub kind: FileKind,
    /// Its length in bytes.
    pub len: u64,
    /// Its number on its file system.
    pub inode: u64,
    /// How many names it has.
    pub links: u32,
    /// When its content last changed, by its host's clock.
    pub modified: WallTime,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: Box<str>,
    /// What it names.
    pub kind: FileKind,
}
