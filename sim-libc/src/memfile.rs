//! Files in memory (memfd_create(2)), by raw system calls: they belong to the worker, not to the program.

use crate::real;
use core::ffi::CStr;

/// A file in memory, open across fork and execution.
#[derive(Debug)]
pub struct MemoryFile(usize);

impl MemoryFile {
    /// An empty file. A system that refuses it ends the process: nothing could be run.
    pub fn create(name: &CStr) -> Self {
        let name = name.as_ptr() as usize;
        let descriptor = real::syscall(libc::SYS_memfd_create, [name, 0, 0, 0, 0, 0]);
        Self(usize::try_from(descriptor).unwrap_or_else(|_| refuse()))
    }

    /// The file that is open as `descriptor`.
    pub const fn open(descriptor: usize) -> Self {
        Self(descriptor)
    }

    /// Its descriptor.
    pub const fn descriptor(&self) -> usize {
        self.0
    }

    /// Writes `bytes` to its beginning.
    pub fn write(&self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let arguments = [self.0, bytes[at..].as_ptr() as usize, bytes.len() - at, at, 0, 0];
            match real::syscall(libc::SYS_pwrite64, arguments) {
                written @ 1.. => at += written as usize,
                _ => refuse(),
            }
        }
    }

    /// All that it holds.
    pub fn read(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut part = [0_u8; 4096];
        loop {
            let place = part.as_mut_ptr() as usize;
            let arguments = [self.0, place, part.len(), bytes.len(), 0, 0];
            match usize::try_from(real::syscall(libc::SYS_pread64, arguments)) {
                Ok(0) | Err(_) => return bytes,
                Ok(read) => bytes.extend_from_slice(&part[..read]),
            }
        }
    }

    /// Empties it.
    pub fn clear(&self) {
        real::syscall(libc::SYS_ftruncate, [self.0, 0, 0, 0, 0, 0]);
    }

    /// Closes it for this process.
    pub fn close(self) {
        real::syscall(libc::SYS_close, [self.0, 0, 0, 0, 0, 0]);
    }
}

fn refuse() -> ! {
    real::complain("sim: the system refuses a file in memory\n");
    real::exit(70)
}
