//! The file system of one simulated host: what running code sees, and what a power loss leaves of it.
//!
//! A [`Disk`] holds two views of the same tree. The *volatile view* is what every call answers from: inodes,
//! directories, contents. The *durable view* is what is on the medium. Between them lies the *pending log*: every
//! operation that changed the first and has not reached the second.
//!
//! - A sync moves operations from the log into the durable view, and what they need with them.
//! - A crash moves those that choices let survive, drops the rest, and what is then on the medium is what running
//!   code sees next. The dull answer is that everything survives.
//! - Never: a name without its inode, a directory under two names, a rename done by half, a directory that is its own
//!   ancestor, a byte that nobody wrote. No choice can lead there, because an operation waits for those it needs.
//!
//! The machine is pure: no future, no I/O, no time of its own. Whoever owns a disk schedules the completions and
//! calls the verb when one has come, with the host's wall clock as `now`.
//!
//! Both views hold the contents, so a disk takes twice the memory of what is on it; in exchange a sync costs what
//! was written since the last one, however long the file is.
//!
//! A tree of files elsewhere may lie below a disk ([`Lower`]): it is read and never changed.
//!
//! Not modelled, and no verb pretends otherwise: `O_DIRECT`, extended attributes, files that never had a name
//! (`O_TMPFILE`). Permissions are remembered and bind nobody: whoever asks is the superuser. An operation survives whole or not at all: no torn writes, and no size
//! without the data of the same write.
//!
//! ```
//! use bytes::Bytes;
//! use sim_core::Env;
//! use sim_core::backend::OpenOptions;
//! use sim_core::choice::{Choices, Log, Path};
//! use sim_fs::Disk;
//! use sim_time::WallTime;
//!
//! // A run in which the first crash of the host `db` loses all that was not synced.
//! let log = Log::parse(["fs.crash.mode db 0 1"].into_iter(), 1).unwrap();
//! let mut env = Env::new(Choices::replay(&log));
//! let mut disk = Disk::new(&mut env, Path::parse("db"));
//! let now = WallTime::UNIX_EPOCH;
//!
//! let create = OpenOptions { read: true, write: true, create: true, ..OpenOptions::default() };
//! let wal = disk.open(now, "/wal", create)?;
//! disk.write(now, wal, None, &Bytes::from("one,"))?;
//! disk.sync(wal, true)?;
//! disk.write(now, wal, None, &Bytes::from("two,"))?;
//! disk.crash(&mut env);
//!
//! let wal = disk.open(now, "/wal", OpenOptions { read: true, ..OpenOptions::default() })?;
//! assert_eq!(disk.read(now, wal, None, 100)?, "one,");
//! # Ok::<(), sim_core::Errno>(())
//! ```

#![forbid(unsafe_code)]

mod attributes;
mod change;
mod contents;
mod crash;
mod disk;
mod files;
mod image;
mod journal;
mod links;
mod locks;
mod lower;
mod mapped;
mod names;
mod path;
mod sync;
mod timing;

pub use crash::Crash;
pub use disk::{Disk, Usage};
pub use files::FileId;
pub use lower::{Found, FoundNode, Lower};
pub use timing::{Delay, Timing};
