//! Calls on files that arrive by number: each is the function of the same name.

use super::{files, folders, io, locks, mapping, naming, space, stat};
use crate::memory::{In, Out};
use core::ffi::{c_char, c_long, c_void};

/// Hands the arguments to a function, each as the type that it has there.
macro_rules! hand {
    ($function:path, $arguments:expr, $($type:ty),*) => {{
        let mut rest = $arguments.into_iter();
        let mut next = || rest.next().unwrap_or_default();
        $function($(<$type as Argument>::of(next())),*) as isize
    }};
}

/// What an argument of a system call can be.
trait Argument {
    /// The argument from the word that carries it.
    fn of(word: usize) -> Self;
}

macro_rules! numbers {
    ($($type:ty)*) => {$(
        impl Argument for $type {
            fn of(word: usize) -> Self {
                word as Self
            }
        }
    )*};
}

numbers!(i32 u32 i64 usize);

impl<T> Argument for In<T> {
    fn of(word: usize) -> Self {
        Self(word as *const T)
    }
}

impl<T> Argument for Out<T> {
    fn of(word: usize) -> Self {
        Self(word as *mut T)
    }
}

impl Argument for *mut c_void {
    fn of(word: usize) -> Self {
        word as Self
    }
}

type Path = In<c_char>;
type Place = Out<u8>;

/// The answer to a call on files, as libc gives it; `None` if it is no such call.
pub fn call(number: c_long, arguments: [usize; 6]) -> Option<isize> {
    Some(match number {
        libc::SYS_openat => hand!(files::openat, arguments, i32, Path, i32, u32),
        libc::SYS_close => hand!(io::close, arguments, i32),
        libc::SYS_read => hand!(io::read, arguments, i32, Place, usize),
        libc::SYS_write => hand!(io::write, arguments, i32, In<u8>, usize),
        libc::SYS_pread64 => hand!(files::pread64, arguments, i32, Place, usize, i64),
        libc::SYS_pwrite64 => hand!(files::pwrite64, arguments, i32, In<u8>, usize, i64),
        libc::SYS_lseek => hand!(files::lseek, arguments, i32, i64, i32),
        libc::SYS_ftruncate => hand!(files::ftruncate, arguments, i32, i64),
        libc::SYS_truncate => hand!(files::truncate, arguments, Path, i64),
        libc::SYS_fsync => hand!(files::fsync, arguments, i32),
        libc::SYS_fdatasync => hand!(files::fdatasync, arguments, i32),
        libc::SYS_fallocate => hand!(space::fallocate, arguments, i32, i32, i64, i64),
        libc::SYS_copy_file_range => {
            hand!(space::copy_file_range, arguments, i32, Out<i64>, i32, Out<i64>, usize, u32)
        }
        libc::SYS_sendfile => hand!(space::sendfile, arguments, i32, i32, Out<i64>, usize),
        libc::SYS_mkdirat => hand!(naming::mkdirat, arguments, i32, Path, u32),
        libc::SYS_unlinkat => hand!(naming::unlinkat, arguments, i32, Path, i32),
        libc::SYS_renameat2 => hand!(naming::renameat2, arguments, i32, Path, i32, Path, u32),
        libc::SYS_linkat => hand!(naming::linkat, arguments, i32, Path, i32, Path, i32),
        libc::SYS_symlinkat => hand!(naming::symlinkat, arguments, Path, i32, Path),
        libc::SYS_readlinkat => hand!(naming::readlinkat, arguments, i32, Path, Place, usize),
        libc::SYS_chdir => hand!(naming::chdir, arguments, Path),
        libc::SYS_fchdir => hand!(naming::fchdir, arguments, i32),
        libc::SYS_umask => hand!(naming::umask, arguments, u32),
        // The kernel answers how long the path is, with the byte 0 at its end (getcwd(2)).
        libc::SYS_getcwd => {
            let given = naming::getcwd(Out(arguments[0] as *mut c_char), arguments[1]);
            In(given.cast_const()).text().map_or(-1, |path| path.to_bytes_with_nul().len() as isize)
        }
        libc::SYS_newfstatat => hand!(stat::fstatat, arguments, i32, Path, Out<libc::stat64>, i32),
        libc::SYS_fstat => hand!(stat::fstat, arguments, i32, Out<libc::stat64>),
        libc::SYS_statx => hand!(stat::statx, arguments, i32, Path, i32, u32, Out<libc::statx>),
        // The kernel's call has no flags; faccessat2(2) has.
        libc::SYS_faccessat => {
            let [folder, path, mode, ..] = arguments;
            hand!(stat::faccessat, [folder, path, mode, 0], i32, Path, i32, i32)
        }
        libc::SYS_faccessat2 => hand!(stat::faccessat, arguments, i32, Path, i32, i32),
        libc::SYS_fchmodat => {
            let [folder, path, mode, ..] = arguments;
            hand!(stat::fchmodat, [folder, path, mode, 0], i32, Path, u32, i32)
        }
        libc::SYS_fchmod => hand!(stat::fchmod, arguments, i32, u32),
        libc::SYS_fchownat => hand!(stat::fchownat, arguments, i32, Path, u32, u32, i32),
        libc::SYS_fchown => hand!(stat::fchown, arguments, i32, u32, u32),
        libc::SYS_utimensat => {
            hand!(stat::utimensat, arguments, i32, Path, In<libc::timespec>, i32)
        }
        libc::SYS_getdents64 => hand!(folders::getdents64, arguments, i32, Place, usize),
        libc::SYS_flock => hand!(locks::flock, arguments, i32, i32),
        libc::SYS_fcntl => hand!(io::fcntl, arguments, i32, i32, usize),
        libc::SYS_mmap => {
            hand!(mapping::mmap, arguments, *mut c_void, usize, i32, i32, i32, i64)
        }
        _ => return None,
    })
}
