//! System calls by number (syscall(2)): those that programs make so are handed to the functions of the same name.

#![expect(unsafe_code, reason = "the symbol of the C library")]

use super::futex::{Arguments, futex};
use super::{answer, entropy};
use crate::descriptors::simulated;
use crate::finish;
use crate::memory::{In, Out};
use crate::real;
use crate::world::{is_member, with};
use core::ffi::{c_int, c_long};
use sim_core::Errno;

/// Calls that concern nothing but the process's own memory, signals and limits: the system's answer is the world's.
const HARMLESS: &[c_long] = &[
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_membarrier,
    libc::SYS_memfd_create,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_sigaltstack,
    libc::SYS_prctl,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_statx,
    libc::SYS_renameat2,
    libc::SYS_copy_file_range,
    libc::SYS_getrlimit,
    libc::SYS_prlimit64,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_mbind,
    libc::SYS_get_mempolicy,
];

/// The arguments are those of the call; a variable argument is passed as any other on the architectures of this object.
#[unsafe(no_mangle)]
extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> isize {
    let arguments = [a, b, c, d, e, f];
    if !is_member() {
        return real::as_libc(real::syscall(number, arguments));
    }
    match number {
        libc::SYS_futex => answer(futex(Arguments {
            word: In(a as *const u32),
            operation: b as c_int,
            value: c as u32,
            time: d,
            other: e,
            value3: f as u32,
        })),
        libc::SYS_getrandom => {
            entropy::fill(Out(a as *mut u8).slice(b));
            b as isize
        }
        libc::SYS_gettid => (super::process::PID + crate::world::me() as i32) as isize,
        libc::SYS_getpid => super::process::PID as isize,
        libc::SYS_exit_group => super::process::leave(a as c_int),
        libc::SYS_io_uring_setup => answer(Err(Errno::ENOSYS)),
        libc::SYS_clone | libc::SYS_clone3 | libc::SYS_execve | libc::SYS_execveat => {
            finish::escape(&format!("system call {number}: a process of the system"))
        }
        _ => by_number(number, arguments),
    }
}

fn by_number(number: c_long, arguments: [usize; 6]) -> isize {
    let is_ours = simulated(arguments[0] as c_int).is_some();
    if is_ours || !HARMLESS.contains(&number) {
        with(|world| world.refuse(&format!("system call {number} by number")));
    }
    if is_ours {
        return answer(Err(Errno::EBADF));
    }
    real::as_libc(real::syscall(number, arguments))
}
