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
    /// Fail if it is no directory (`O_DIRECTORY`).
    pub directory: bool,
    /// Fail if the path's last component is a symbolic link (`O_NOFOLLOW`).
    pub no_follow: bool,
    /// Do not wait for the other end of a named pipe (`O_NONBLOCK`, fifo(7)).
    pub nonblocking: bool,
    /// The permissions of a file that is made; 0o666 unless said. The real backend takes the process's mask off (umask(2)).
    pub mode: Option<u32>,
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
    /// Makes all that was written to the disk durable (sync(2)): [`Output::Done`].
    SyncAll,
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
        /// Its permissions; 0o777 unless said. The real backend takes the process's mask off (umask(2)).
        mode: Option<u32>,
    },
    /// Makes a named pipe (mkfifo(3)): [`Output::Done`].
    MakeFifo {
        /// Which.
        path: Box<str>,
        /// Its permissions; 0o666 unless said. The real backend takes the process's mask off (umask(2)).
        mode: Option<u32>,
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
    /// Lists an open directory without `.` and `..`: [`Output::Entries`].
    ReadDirFd {
        /// Which.
        fd: Fd,
    },
    /// Gives a file that is no directory one more name (link(2)): [`Output::Done`].
    Link {
        /// A name it has. A symbolic link is linked itself, and not what it leads to.
        from: Box<str>,
        /// The name it gets as well.
        to: Box<str>,
    },
    /// Makes a symbolic link (symlink(2)): [`Output::Done`].
    Symlink {
        /// What it leads to, which need not be there.
        target: Box<str>,
        /// Its name.
        path: Box<str>,
    },
    /// Reads a symbolic link (readlink(2)): [`Output::Target`].
    ReadLink {
        /// Which.
        path: Box<str>,
    },
    /// Changes permissions, owners and times (chmod(2), chown(2), utimensat(2)): [`Output::Done`].
    SetAttributes {
        /// Of what.
        of: Place,
        /// To what.
        change: AttributeChange,
    },
    /// Takes, changes or gives back a lock without waiting (flock(2), fcntl(2)): [`Output::Done`], or `EAGAIN` if another
    /// holds one that excludes it.
    Lock {
        /// Of which file.
        fd: Fd,
        /// Which lock.
        lock: Lock,
    },
    /// Finds a lock that would exclude this one (`F_GETLK`): [`Output::Lock`].
    TestLock {
        /// Of which file.
        fd: Fd,
        /// Which lock.
        lock: Lock,
    },
    /// Describes what a path names (stat(2), lstat(2)): [`Output::Metadata`].
    Stat {
        /// Which.
        path: Box<str>,
        /// Whether a symbolic link at the end of the path is followed.
        follow: bool,
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

/// What a call is about: by name or open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// What a path names.
    Path {
        /// The path.
        path: Box<str>,
        /// Whether a symbolic link at its end is followed.
        follow: bool,
    },
    /// An open file.
    Fd(Fd),
}

/// A change of what a file is besides its content; `None` leaves a thing as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AttributeChange {
    /// The permissions, the lower 12 bits of a mode (inode(7)).
    pub mode: Option<u32>,
    /// The owner.
    pub owner: Option<u32>,
    /// The group.
    pub group: Option<u32>,
    /// The time of the last access.
    pub accessed: Option<SetTime>,
    /// The time of the last change of content.
    pub modified: Option<SetTime>,
}

/// A time that is given to a file (utimensat(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// What the host's clock shows.
    Now,
    /// This one.
    To(WallTime),
}

/// A lock, or the wish for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Who holds it.
    pub owner: LockOwner,
    /// What it allows to others.
    pub mode: LockMode,
    /// Its first byte; 0 for a lock of flock(2).
    pub start: u64,
    /// The byte behind its last one; [`u64::MAX`] is as far as the file will ever reach.
    pub end: u64,
}

/// Who holds a lock. flock(2) knows nothing of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOwner {
    /// The open description, of the whole file (flock(2)).
    Flock,
    /// The open description, of a range (`F_OFD_SETLK`).
    Description,
    /// A process by its number, of a range (`F_SETLK`): gone when it closes any descriptor of the file.
    Process(u32),
}

/// What a lock allows to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Others may share it.
    Shared,
    /// Nobody else may hold any.
    Exclusive,
    /// It is given back.
    Unlocked,
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
    /// What a symbolic link leads to.
    Target(Box<str>),
    /// A lock that excludes the one asked about, if there is one.
    Lock(Option<Lock>),
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
    /// A pipe, with a name or without (fifo(7)).
    Fifo,
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
    /// Its permissions: the lower 12 bits of its mode (inode(7)).
    pub mode: u32,
    /// Who owns it.
    pub owner: u32,
    /// The group that owns it.
    pub group: u32,
    /// How much room its content takes, in units of 512 bytes.
    pub blocks: u64,
    /// When its content last changed, by its host's clock.
    pub modified: WallTime,
    /// When its content was last read, as far as `relatime` keeps count (mount(8)).
    pub accessed: WallTime,
    /// When any of this last changed.
    pub changed: WallTime,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: Box<str>,
    /// What it names.
    pub kind: FileKind,
    /// The number of what it names.
    pub inode: u64,
}
