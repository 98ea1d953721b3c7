//! Shared mappings of files of the disk (mmap(2), `MAP_SHARED`): one piece of memory for each file, kept equal to the file.
//!
//! ```text
//! mmap ──▶ window (memory of the system, as long as the file, mapped by whoever maps the file)
//!            │ flush: what was stored in memory goes into the file ── before a call looks at the file or changes it
//!            └ refresh: what was written to the file goes into memory ── after a call has changed it
//! ```
//!
//! - What memory and file last agreed on is remembered, byte by byte, so that a store and a write to one page are both kept.
//! - A file that was once mapped keeps its window until the end of the run: nobody need watch what is unmapped when. What was stored is in
//!   the file for whoever looks at it by a call, and a file without a name or descriptor is looked at by nobody.
//! - The memory is as long as the file, so that what lies beyond its end is a SIGBUS, as it is on Linux.
//! - msync(2) is the system's and takes no virtual time. Nothing tells it from one that waits for a disk but a crash, of which an
//!   unmodified program has none.
//! - A declared file that nobody has changed and that is only read is mapped for real. If it is changed later, a notice says that the
//!   mapping does not show it.

use crate::memory::{In, Out};
use crate::real;
use crate::world::World;
use core::ffi::c_int;
use sim_core::backend::{Op, Output};
use sim_core::{Errno, Fd, Result};
use sim_world::Mapped;
use std::collections::BTreeMap;

/// The longest file that is mapped shared: each is copied twice.
const MAX_LEN: u64 = 256 << 20;

/// What is left as a remark where a mapping is not what it should be.
const NOT_SHOWN: &str =
    "a real file that is mapped to be read is changed by the program: the mapping does not show it";

/// The files of a process that are mapped shared, by their numbers on the disk.
#[derive(Debug, Default)]
pub struct Windows(BTreeMap<u64, Window>);

#[derive(Debug)]
enum Window {
    /// Mapped from the real file.
    Real,
    /// Mapped from memory of ours.
    Memory(Memory),
}

#[derive(Debug)]
struct Memory {
    file: Mapped,
    /// The system's number of the memory, which no program knows.
    fd: c_int,
    /// What memory and file last agreed on.
    agreed: Vec<u8>,
}

/// What a call does to a file that may be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Nothing that a mapping could show or hide.
    None,
    /// It looks at what is in the file.
    Looks(Fd),
    /// It changes that.
    Changes(Fd),
    /// It cuts the file that it opens.
    Cuts,
}

impl Touch {
    /// What `op` does.
    pub fn of(op: &Op) -> Self {
        match op {
            Op::Read { fd, .. } | Op::Sync { fd, .. } => Self::Looks(*fd),
            Op::Write { fd, .. } | Op::Truncate { fd, .. } => Self::Changes(*fd),
            Op::Open { options, .. } if options.truncate => Self::Cuts,
            _ => Self::None,
        }
    }
}

/// A raw answer of the system.
pub fn of_kernel(answer: isize) -> Result<usize> {
    if (-4095..0).contains(&answer) {
        Err(Errno::from_raw(-answer as u16))
    } else {
        Ok(answer as usize)
    }
}

impl Memory {
    /// Empty memory for a file.
    fn new(file: Mapped) -> Result<Self> {
        let (name, flags) = (c"file", libc::MFD_CLOEXEC as usize);
        let fd = real::syscall(libc::SYS_memfd_create, [name.as_ptr() as usize, flags, 0, 0, 0, 0]);
        Ok(Self { file, fd: of_kernel(fd)? as c_int, agreed: Vec::new() })
    }

    fn set_len(&mut self, len: usize) -> Result<()> {
        const PAGE: usize = 4096;
        let before = self.agreed.len();
        of_kernel(real::syscall(libc::SYS_ftruncate, [self.fd as usize, len, 0, 0, 0, 0]))?;
        self.agreed.resize(len, 0);
        // Behind the end of the file the last page may hold what was stored there, which is in no file (mmap(2), "NOTES").
        let tail = before..before.next_multiple_of(PAGE).min(len);
        if tail.is_empty() { Ok(()) } else { self.put(before, &vec![0; tail.len()]) }
    }

    /// What is stored.
    fn stored(&self) -> Result<Vec<u8>> {
        let mut all = vec![0; self.agreed.len()];
        let mut done = 0;
        while done < all.len() {
            let rest = &mut all[done..];
            let arguments =
                [self.fd as usize, Out(rest.as_mut_ptr()).address(), rest.len(), done, 0, 0];
            match of_kernel(real::syscall(libc::SYS_pread64, arguments))? {
                0 => break,
                read => done += read,
            }
        }
        Ok(all)
    }

    /// Stores `data` from `offset` on.
    fn put(&self, offset: usize, data: &[u8]) -> Result<()> {
        let mut done = 0;
        while done < data.len() {
            let rest = &data[done..];
            let arguments =
                [self.fd as usize, In(rest.as_ptr()).address(), rest.len(), offset + done, 0, 0];
            done += of_kernel(real::syscall(libc::SYS_pwrite64, arguments))?;
        }
        Ok(())
    }

    /// Brings into the file what was stored in memory.
    fn flush(&mut self, world: &mut Files<'_>) -> Result<()> {
        let stored = self.stored()?;
        for (from, to) in differences(&self.agreed, &stored) {
            world.store(self.file, from as u64, &stored[from..to])?;
        }
        self.agreed = stored;
        Ok(())
    }

    /// Brings into memory what was written to the file.
    fn refresh(&mut self, world: &mut Files<'_>) -> Result<()> {
        let written = world.load(self.file)?;
        self.set_len(written.len())?;
        for (from, to) in differences(&self.agreed, &written) {
            self.put(from, &written[from..to])?;
        }
        self.agreed.copy_from_slice(&written);
        Ok(())
    }
}

/// The stretches in which two texts of one length differ.
fn differences(one: &[u8], other: &[u8]) -> Vec<(usize, usize)> {
    const PAGE: usize = 4096;
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (page, (one, other)) in one.chunks(PAGE).zip(other.chunks(PAGE)).enumerate() {
        // Nearly all pages are equal, which is found out faster of a whole one.
        if one == other {
            continue;
        }
        for (at, _) in one.iter().zip(other).enumerate().filter(|(_, (one, other))| one != other) {
            let at = page * PAGE + at;
            match found.last_mut() {
                Some((_, end)) if *end == at => *end += 1,
                _ => found.push((at, at + 1)),
            }
        }
    }
    found
}

/// The part of the world that has files.
struct Files<'w> {
    universe: &'w mut sim_world::Universe,
    env: &'w mut sim_core::Env,
}

impl Files<'_> {
    fn store(&mut self, file: Mapped, offset: u64, data: &[u8]) -> Result<()> {
        self.universe.store(self.env, file, offset, data)
    }

    fn load(&mut self, file: Mapped) -> Result<Vec<u8>> {
        let len = self.universe.mapped_len(self.env, file)?;
        Ok(self.universe.load(self.env, file, 0, len as usize)?.to_vec())
    }
}

impl World {
    /// Before a call on a file: the file is as the program's memory says.
    pub fn flush_window(&mut self, touch: Touch) -> Result<()> {
        let (Touch::Looks(fd) | Touch::Changes(fd)) = touch else { return Ok(()) };
        self.window(fd, |window, files| match window {
            Window::Memory(memory) => memory.flush(files),
            Window::Real => {
                if touch == Touch::Changes(fd) {
                    files.env.trace.notice(String::from(NOT_SHOWN));
                }
                Ok(())
            }
        })
    }

    /// After a call on a file: the program's memory is as the file says.
    pub fn refresh_window(&mut self, touch: Touch, output: &Output) -> Result<()> {
        let fd = match (touch, output) {
            (Touch::Changes(fd), _) => fd,
            (Touch::Cuts, Output::Fd(fd)) => *fd,
            _ => return Ok(()),
        };
        self.window(fd, |window, files| match window {
            Window::Memory(memory) => memory.refresh(files),
            Window::Real => Ok(()),
        })
    }

    fn window(
        &mut self,
        fd: Fd,
        verb: impl FnOnce(&mut Window, &mut Files<'_>) -> Result<()>,
    ) -> Result<()> {
        if self.windows.0.is_empty() {
            return Ok(());
        }
        let Self { windows, universe, env, .. } = self;
        // What is no file has no window, and the call itself says what is wrong with it.
        let Ok(inode) = universe.inode(env, fd) else { return Ok(()) };
        match windows.0.get_mut(&inode) {
            Some(window) => verb(window, &mut Files { universe, env }),
            None => Ok(()),
        }
    }

    /// The system's descriptor of the memory behind a file that is mapped shared; `None` if it is not.
    pub fn memory_of(&mut self, fd: Fd) -> Result<Option<c_int>> {
        let inode = self.universe.inode(&mut self.env, fd)?;
        Ok(match self.windows.0.get(&inode) {
            Some(Window::Memory(memory)) => Some(memory.fd),
            Some(Window::Real) | None => None,
        })
    }

    /// A file is mapped for real.
    pub fn note_real_mapping(&mut self, fd: Fd) -> Result<()> {
        let inode = self.universe.inode(&mut self.env, fd)?;
        self.windows.0.entry(inode).or_insert(Window::Real);
        Ok(())
    }

    /// Makes a window for an open file, unless it has one, and answers the system's descriptor of its memory.
    ///
    /// # Errors
    /// As [`Universe::map`](sim_world::Universe::map); `ENOMEM` for a file that is too long.
    pub fn open_window(&mut self, fd: Fd, writes: bool) -> Result<c_int> {
        let Self { windows, universe, env, .. } = self;
        let file = universe.map(env, fd, writes)?;
        let inode = universe.inode(env, fd)?;
        if let Some(Window::Memory(memory)) = windows.0.get(&inode) {
            return Ok(memory.fd);
        }
        if universe.mapped_len(env, file)? > MAX_LEN {
            self.refuse("a shared mapping of a file of more than 256 MiB");
            return Err(Errno::ENOMEM);
        }
        let mut memory = Memory::new(file)?;
        memory.refresh(&mut Files { universe, env })?;
        let number = memory.fd;
        if windows.0.insert(inode, Window::Memory(memory)).is_some() {
            env.trace.notice(String::from(NOT_SHOWN));
        }
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::differences;

    #[test]
    fn stretches_that_differ() {
        let (one, mut other) = (vec![0_u8; 10_000], vec![0_u8; 10_000]);
        assert_eq!(differences(&one, &other), []);
        for at in [0, 5, 6, 4095, 4096, 9999] {
            other[at] = 1;
        }
        assert_eq!(differences(&one, &other), [(0, 1), (5, 7), (4095, 4097), (9999, 10_000)]);
    }
}
