//! The code that the kernel maps into every process so that clocks are read without entering it (vdso(7)).
//!
//! Some programs call it past the C library, and so does the C library by itself. Its functions are rewritten, in this process alone, to
//! the system calls that they stand for, which trap where a program of a world makes them.

#![expect(unsafe_code, reason = "functions are found by name")]

use core::ffi::{CStr, c_void};
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The functions, and the system calls with the same arguments. The last one has two more, which the call does not look at.
const FUNCTIONS: [(&CStr, libc::c_long); 6] = [
    (c"__vdso_clock_gettime", libc::SYS_clock_gettime),
    (c"__vdso_clock_getres", libc::SYS_clock_getres),
    (c"__vdso_gettimeofday", libc::SYS_gettimeofday),
    (c"__vdso_time", libc::SYS_time),
    (c"__vdso_getcpu", libc::SYS_getcpu),
    (c"__vdso_getrandom", libc::SYS_getrandom),
];

/// Rewrites the functions. Where that fails they stay as they are, and their reads of the cycle counter are noticed
/// ([`super::tsc`]).
pub(super) fn rewrite() {
    let mode = libc::RTLD_LAZY | libc::RTLD_NOLOAD;
    // SAFETY: a C text; nothing is loaded, and no code runs.
    let object = unsafe { libc::dlopen(c"linux-vdso.so.1".as_ptr(), mode) };
    // Unlike this process's own view of them, the pages may be written through this file: each process has its own from then on.
    let Ok(memory) = File::options().write(true).open("/proc/self/mem") else { return };
    for (name, number) in FUNCTIONS.into_iter().filter(|_| !object.is_null()) {
        // SAFETY: the handle is one that dlopen gave, and the name a C text.
        let function = unsafe { libc::dlsym(object, name.as_ptr()) };
        if !function.is_null() {
            write(&memory, function, number);
        }
    }
}

/// `mov eax, number; syscall; ret`: eight bytes, and functions begin at multiples of sixteen.
fn write(memory: &File, function: *mut c_void, number: libc::c_long) {
    let [a, b, c, d] = (number as u32).to_le_bytes();
    // If it is refused, nothing was written: the eight bytes lie in one page.
    let _ = memory.write_all_at(&[0xb8, a, b, c, d, 0x0f, 0x05, 0xc3], function as u64);
}
