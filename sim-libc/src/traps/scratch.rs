//! A stack for what is answered in the handler of `SIGSEGV`.
//!
//! That signal is taken on the stack that the thread has for signals (sigaltstack(2)), because the fault may be that its own is used up.
//! Programs make it as small as the system allows, which leaves little room beside the saved registers. So the world is asked on this
//! stack. There is one for all threads: only the one that has the turn asks.
//!
//! Never: a signal that is taken while this stack is used. The kernel would not see that the other one is in use, and begin it anew. The
//! handler's mask keeps signals away (see [`super::handlers`]).

#![expect(unsafe_code, reason = "the stack pointer is changed for the time of a call")]

use core::arch::asm;
use core::cell::UnsafeCell;

const LEN: usize = 256 << 10;

#[repr(align(64))]
struct Stack(UnsafeCell<[u8; LEN]>);

// SAFETY: whoever has the turn uses it and nobody else, see the module.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new([0; LEN]));

/// Calls `function` on the stack. The caller has the turn, and takes no signals meanwhile.
pub(super) fn run(function: extern "C" fn(usize) -> u64, argument: usize) -> u64 {
    let top = STACK.0.get().cast::<u8>().wrapping_add(LEN);
    let answer: u64;
    // SAFETY: the top is aligned as a call needs it, and the stack has room for what is called here. The register that keeps the
    // caller's stack pointer is one that a function preserves; the others that it need not preserve are named.
    unsafe {
        asm!(
            "xchg rsp, r12",
            "call {function}",
            "mov rsp, r12",
            function = in(reg) function,
            inout("r12") top => _,
            in("rdi") argument,
            lateout("rax") answer,
            clobber_abi("C"),
        );
    }
    answer
}
