//! The registers of a thread that a signal has interrupted.

#![expect(unsafe_code, reason = "the kernel hands the registers over by address")]

use crate::memory::Out;
use core::ffi::c_int;
use libc::ucontext_t;

/// What the kernel has saved of an interrupted thread, and restores when the handler returns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame(pub Out<ucontext_t>);

impl Frame {
    /// A register, named as in `<sys/ucontext.h>`: `libc::REG_RAX`.
    pub(super) fn register(self, name: c_int) -> usize {
        // SAFETY: the kernel hands a valid context to a handler that asks for one, as all of ours do, until that returns.
        let context = unsafe { &*self.0.0 };
        context.uc_mcontext.gregs[name as usize] as usize
    }

    /// Sets a register.
    pub(super) fn set_register(self, name: c_int, value: usize) {
        // SAFETY: as above; nobody else looks at it meanwhile.
        let context = unsafe { &mut *self.0.0 };
        context.uc_mcontext.gregs[name as usize] = value as i64;
    }

    /// The bytes of the instruction, as many of `wanted` as begin it.
    pub(super) fn begins_with(self, wanted: &[u8]) -> bool {
        let at = self.register(libc::REG_RIP) as *const u8;
        // One byte after the other: what follows a shorter instruction may not be mapped.
        // SAFETY: the processor has fetched the instruction, and a byte is only read if those before it are those of one that goes on.
        (0..wanted.len()).all(|n| unsafe { at.wrapping_add(n).read() } == wanted[n])
    }
}
