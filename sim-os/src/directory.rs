//! Directories: made, and listed in the order of their names, because the order on disk differs from machine to machine.

use crate::errno::Answer;
use crate::file::{Done, kind};
use crate::root::Root;
use rustix::fs::{AtFlags, Dir, DirEntry, FileType, Mode, OFlags, statat};
use sim_core::Result;
use sim_core::backend::{Entry, Output};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Makes a directory (mkdir(2)), with these permissions, less what the process's mask takes.
pub(crate) fn create(root: &Root, path: &str, mode: Option<u32>) -> Result<Done> {
    let place = root.place(path)?;
    rustix::fs::mkdirat(place.parent(), place.name, Mode::from_raw_mode(mode.unwrap_or(0o777)))
        .answer()?;
    Ok(Done::Output(Output::Done))
}

/// Lists a directory without `.` and `..`.
pub(crate) fn read(root: &Root, path: &str) -> Result<Done> {
    list(&root.open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?)
}

/// Lists an open directory, whatever was read of it before.
pub(crate) fn list(open: &OwnedFd) -> Result<Done> {
    let mut entries = Vec::new();
    for found in Dir::read_from(open).answer()? {
        let found = found.answer()?;
        if let b"." | b".." = found.file_name().to_bytes() {
            continue;
        }
        entries.extend(entry(&found, open.as_fd()));
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(Done::Output(Output::Entries(entries)))
}

/// A directory's entry, or `None` if it went away meanwhile. A name that is not UTF-8 is shown with replacement characters.
fn entry(found: &DirEntry, directory: BorrowedFd<'_>) -> Option<Entry> {
    let file_type = match found.file_type() {
        // Some file systems keep no type with the name.
        FileType::Unknown => {
            let stat = statat(directory, found.file_name(), AtFlags::SYMLINK_NOFOLLOW).ok()?;
            FileType::from_raw_mode(stat.st_mode)
        }
        known => known,
    };
    let name = found.file_name().to_string_lossy().into();
    Some(Entry { name, kind: kind(file_type), inode: found.ino() })
}
