//! Raw system calls: instructions outside the C library that enter the kernel (syscall user dispatch; seccomp(2) where there is none).
//!
//! The kernel lets the C library's code pass by its address. Everything else asks a byte of the calling thread, the *selector*: it says
//! "trap" while the program runs and "pass" during a call of this object's own. A trapped call is handed by its number to the function
//! that the program could have called instead ([`by_instruction`](crate::symbols::raw::by_instruction)), and its answer is put where the instruction would have left it.
//!
//! Calls of the loader trap as well, and are passed on.

#![expect(unsafe_code, reason = "the C library's variable of the last error is read")]

use core::cell::Cell;
use core::ffi::c_int;

thread_local! {
    /// Read by the kernel at every system call of this thread that is not the C library's.
    static SELECTOR: Cell<u8> = const { Cell::new(PASS) };
}

/// The selector's values, as the kernel has them.
const PASS: u8 = 0;
#[cfg(target_arch = "x86_64")]
const TRAP: u8 = 1;

/// Runs a system call of the object's own.
#[inline]
pub fn untrapped(call: impl FnOnce() -> isize) -> isize {
    let before = SELECTOR.replace(PASS);
    let answer = call();
    SELECTOR.set(before);
    answer
}

/// What traps raw system calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// The kernel asks the selector.
    Selector,
    /// A filter on the address of the instruction.
    Filter,
    /// Nothing does.
    None,
}

#[cfg(target_arch = "x86_64")]
pub use trapping::{on_call, trap_again, trap_first};

#[cfg(target_arch = "x86_64")]
mod trapping {
    use super::{Means, SELECTOR, TRAP};
    use crate::memory::Out;
    use crate::real;
    use crate::symbols::raw;
    use crate::traps::frame::Frame;
    use crate::traps::{filter, handlers, text};
    use crate::world::is_member;
    use core::cell::Cell;
    use core::ffi::c_int;
    use libc::{siginfo_t, ucontext_t};

    const PR_SET_SYSCALL_USER_DISPATCH: usize = 59;
    const PR_SYS_DISPATCH_ON: usize = 1;
    /// Why `SIGSYS` came: the selector, or a filter.
    const SYS_USER_DISPATCH: c_int = 2;
    const SYS_SECCOMP: c_int = 1;

    /// Makes raw system calls trap in the first thread of a world.
    pub fn trap_first() -> Means {
        if trap_again() {
            Means::Selector
        } else if filter::install() {
            Means::Filter
        } else {
            Means::None
        }
    }

    /// Makes raw system calls trap in a further thread: the kernel does not pass this setting on. False where the kernel has it not.
    pub fn trap_again() -> bool {
        let Some(library) = text::library() else { return false };
        let selector = SELECTOR.with(Cell::as_ptr) as usize;
        let arguments = [
            PR_SET_SYSCALL_USER_DISPATCH,
            PR_SYS_DISPATCH_ON,
            library.start,
            library.len(),
            selector,
            0,
        ];
        let is_set = real::syscall(libc::SYS_prctl, arguments) == 0;
        if is_set {
            SELECTOR.set(TRAP);
        }
        is_set
    }

    /// Whether the signal is a call that was trapped for us, and not by a filter that the program has set itself.
    fn is_trap(info: Out<siginfo_t>) -> bool {
        match handlers::code(info) {
            SYS_USER_DISPATCH => true,
            SYS_SECCOMP => info.get().is_some_and(|info| info.si_errno == filter::MARK),
            _ => false,
        }
    }

    /// The handler of `SIGSYS`.
    pub extern "C" fn on_call(signal: c_int, info: Out<siginfo_t>, context: Out<ucontext_t>) {
        if !is_trap(info) {
            return handlers::hand_on(signal, info, context);
        }
        let frame = Frame(context);
        let number = frame.register(libc::REG_RAX) as libc::c_long;
        if number == libc::SYS_rt_sigreturn {
            // It finds what to restore by the stack pointer, which is as the program has left it only after this handler.
            return frame.set_register(libc::REG_RIP, handlers::restorer());
        }
        let names = [
            libc::REG_RDI,
            libc::REG_RSI,
            libc::REG_RDX,
            libc::REG_R10,
            libc::REG_R8,
            libc::REG_R9,
        ];
        let arguments = names.map(|name| frame.register(name));
        let at = frame.register(libc::REG_RIP);
        let errno = super::errno();
        let answer = if is_member() && !text::is_of_c_library(at) {
            raw::by_instruction(number, arguments, at)
        } else {
            real::syscall(number, arguments)
        };
        real::set_errno(errno);
        frame.set_register(libc::REG_RAX, answer as usize);
    }
}

/// The calling thread's `errno`.
pub fn errno() -> c_int {
    // SAFETY: the function has no precondition.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: it answers the address of the thread's own variable.
    unsafe { *place }
}
