//! The filter that traps raw system calls where the kernel has no user dispatch (seccomp(2)): by the address of the instruction.
//!
//! A filter compares words of 32 bits, and addresses have two: a piece of code that crosses a boundary of 4 GiB is compared as two pieces.

use super::text;
use crate::real;
use core::ops::Range;
use libc::{sock_filter, sock_fprog};

/// Tells a call that this filter has trapped from one that a filter of the program's has.
pub(super) const MARK: i32 = 0x51a;

const SECCOMP_SET_MODE_FILTER: usize = 1;
const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
/// Where the two words of the address lie in what the filter sees.
const LOW: u32 = 8;
const HIGH: u32 = 12;

/// Installs the filter, which every thread inherits and nobody can take back. False if the system refuses.
pub(super) fn install() -> bool {
    let mut program: Vec<sock_filter> = text::trusted().into_iter().flat_map(pass).collect();
    program.push(instruction(RETURN, libc::SECCOMP_RET_TRAP | MARK as u32, 0, 0));
    let handed = sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    real::syscall(libc::SYS_prctl, [libc::PR_SET_NO_NEW_PRIVS as usize, 1, 0, 0, 0, 0]);
    let place = (&raw const handed) as usize;
    real::syscall(libc::SYS_seccomp, [SECCOMP_SET_MODE_FILTER, 0, place, 0, 0, 0]) == 0
}

/// Lets calls of a piece of code pass. The address that the filter sees is the one behind the instruction.
fn pass(at: Range<usize>) -> Vec<sock_filter> {
    let (first, last) = (at.start, at.end - 1);
    let boundary = last >> 32 << 32;
    if first >> 32 == last >> 32 {
        pass_within(first, last)
    } else {
        [pass_within(first, boundary - 1), pass_within(boundary, last)].concat()
    }
}

fn pass_within(first: usize, last: usize) -> Vec<sock_filter> {
    vec![
        instruction(LOAD, HIGH, 0, 0),
        instruction(EQUAL, (first >> 32) as u32, 0, 4),
        instruction(LOAD, LOW, 0, 0),
        instruction(AT_LEAST, first as u32, 0, 2),
        // One past the last is not above it; the greatest word has none past it, but no code ends there.
        instruction(AT_LEAST, (last as u32).saturating_add(1), 1, 0),
        instruction(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0),
    ]
}

/// An instruction that goes on after `yes` or `no` others.
fn instruction(code: u16, k: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter { code, jt: yes, jf: no, k }
}
