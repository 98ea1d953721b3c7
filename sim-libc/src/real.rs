//! The system below: raw system calls, and libc's own functions behind ours.

#![expect(unsafe_code, reason = "system calls and symbols of the C library have no safe form")]

#[cfg(target_arch = "x86_64")]
use crate::traps::dispatch::untrapped;
use core::arch::asm;
use core::ffi::{CStr, c_int, c_long, c_void};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Calls the C library's own function of this name: `next!(c"close"(fd: c_int) -> c_int)`.
macro_rules! next {
    ($name:literal($($arg:ident: $type:ty),* $(,)?) -> $answer:ty) => {{
        static PLACE: $crate::real::Next = $crate::real::Next::new();
        let found = PLACE.find($name);
        // SAFETY: the C library defines this function with this type, as its manual page says.
        let function: unsafe extern "C" fn($($type),*) -> $answer = unsafe { core::mem::transmute(found) };
        // SAFETY: the arguments are what the program gave to the function of the same name.
        unsafe { function($($arg),*) }
    }};
}
pub(crate) use next;

/// A system call with up to six arguments; a failure is minus its error number (syscall(2)).
#[cfg(target_arch = "x86_64")]
pub fn syscall(number: c_long, args: [usize; 6]) -> isize {
    untrapped(|| {
        let answer: isize;
        // SAFETY: the instruction clobbers what is named here and nothing else. What the call does to memory is as the caller of
        // the C function asked: its pointers are valid by that function's contract, or our own.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") number as isize => answer,
                in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
                in("r10") args[3], in("r8") args[4], in("r9") args[5],
                out("rcx") _, out("r11") _, options(nostack),
            );
        }
        answer
    })
}

/// A system call with up to six arguments; a failure is minus its error number (syscall(2)).
#[cfg(target_arch = "aarch64")]
pub fn syscall(number: c_long, args: [usize; 6]) -> isize {
    let answer: isize;
    // SAFETY: as above; the kernel preserves every other register.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] as isize => answer,
            in("x1") args[1], in("x2") args[2],
            in("x3") args[3], in("x4") args[4], in("x5") args[5],
            options(nostack),
        );
    }
    answer
}

/// Sends a signal to the calling thread, as libc's functions answer. Its handler runs before this returns and is the program's code, so the
/// C library makes the call: during one of ours the program's own would not trap.
pub fn signal_me(signal: c_int) -> isize {
    let (pid, tid) = (syscall(libc::SYS_getpid, [0; 6]), tid());
    let number = libc::SYS_tgkill;
    next!(c"syscall"(number: c_long, pid: isize, tid: i32, signal: c_int) -> isize)
}

/// Sets the calling thread's `errno`.
pub fn set_errno(number: c_int) {
    // SAFETY: the function has no precondition.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: it answers the address of the thread's own variable.
    unsafe { *place = number };
}

/// A raw answer as libc gives it: -1 and `errno`, or the value.
pub fn as_libc(answer: isize) -> isize {
    if (-4095..0).contains(&answer) {
        set_errno(-answer as c_int);
        return -1;
    }
    answer
}

/// Writes a text to standard error, whatever the world thinks.
pub fn complain(text: &str) {
    syscall(libc::SYS_write, [2, text.as_ptr() as usize, text.len(), 0, 0, 0]);
}

/// Ends the process at once.
pub fn exit(status: c_int) -> ! {
    loop {
        syscall(libc::SYS_exit_group, [status as usize, 0, 0, 0, 0, 0]);
    }
}

/// Waits until `word` is no longer 0, and makes it 0.
pub fn take_word(word: &AtomicU32) {
    const WAIT: usize = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as usize;
    while word.swap(0, Ordering::Acquire) == 0 {
        syscall(libc::SYS_futex, [ptr::from_ref(word) as usize, WAIT, 0, 0, 0, 0]);
    }
}

/// Makes `word` 1 and wakes whoever waits for it.
pub fn give_word(word: &AtomicU32) {
    const WAKE: usize = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as usize;
    word.store(1, Ordering::Release);
    syscall(libc::SYS_futex, [ptr::from_ref(word) as usize, WAKE, 1, 0, 0, 0]);
}

/// Waits until a thread of this process is gone from the system.
pub fn await_gone(tid: i32) {
    let pid = syscall(libc::SYS_getpid, [0; 6]) as usize;
    let is_there = || syscall(libc::SYS_tgkill, [pid, tid as usize, 0, 0, 0, 0]) == 0;
    while is_there() {
        syscall(libc::SYS_sched_yield, [0; 6]);
    }
}

/// The system's number of the calling thread.
pub fn tid() -> i32 {
    syscall(libc::SYS_gettid, [0; 6]) as i32
}

/// The place of a symbol that is looked up once.
#[derive(Debug)]
pub struct Next(AtomicPtr<c_void>);

impl Next {
    /// Not looked up yet.
    pub const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// The next definition of `name` after ours (dlsym(3)).
    pub fn find(&self, name: &CStr) -> *mut c_void {
        let known = self.0.load(Ordering::Relaxed);
        if !known.is_null() {
            return known;
        }
        // SAFETY: a handle that dlsym knows, and a C text.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
        if found.is_null() {
            complain(
                "sim: the C library lacks a function that sim hands on to: this is no glibc\n",
            );
            exit(70);
        }
        self.0.store(found, Ordering::Relaxed);
        found
    }
}

impl Default for Next {
    fn default() -> Self {
        Self::new()
    }
}
