//! What symbols cannot see: instructions that reach past the C library, and threads that never ask for anything.
//!
//! ```text
//! rdtsc, rdtscp  ──SIGSEGV──▶ tsc: the counter of virtual time
//! syscall        ──SIGSYS───▶ dispatch: the function of the same name, or an escape
//! vdso(7)        ──rewritten to the system call that it stands for
//! a spin         ──WATCH────▶ watchdog: the run is given up
//! ```
//!
//! The processor or the kernel is asked to refuse what the program must not do by itself, and the signal by which it refuses is answered
//! as if the instruction had been carried out. A signal that is none of ours is the program's: what it believes to have installed for it
//! is kept in [`handlers`], and called.
//!
//! - Each setting is a thread's own: the first thread of a world makes them in [`enter`], every further one in [`begin_thread`].
//! - Outside a world nothing is trapped.
//! - A trap is a call of the program that has the turn. In the kernel's own code no trap is answered from the world: what runs there
//!   gets the system's answer.
//! - Never: a wait for the turn in the handler of `SIGSEGV`, which may run on a small stack of its own; and no trap of the object's own
//!   system calls (see [`dispatch::untrapped`]).
//!
//! What cannot be trapped: RDRAND and RDSEED, which no setting refuses; CPUID and RDPID, which describe the machine. See
//! `docs/DETERMINISM.md`.

pub mod dispatch;
pub mod handlers;
pub mod text;
pub mod watchdog;

#[cfg(target_arch = "x86_64")]
mod filter;
#[cfg(target_arch = "x86_64")]
mod frame;
#[cfg(target_arch = "x86_64")]
mod scratch;
#[cfg(target_arch = "x86_64")]
pub mod tsc;
#[cfg(target_arch = "x86_64")]
mod vdso;

use crate::world::with;

/// Looks at where the process's code lies, once for all runs that will be forked.
pub fn survey() {
    text::survey();
    handlers::find_functions();
    #[cfg(target_arch = "x86_64")]
    vdso::rewrite();
}

/// The calling thread is the first of a world.
#[cfg(target_arch = "x86_64")]
pub fn enter() {
    handlers::install();
    if !tsc::trap() {
        notice(
            "rdtsc cannot be trapped on this system: a program that reads it sees the machine's",
        );
    }
    if dispatch::trap_first() == dispatch::Means::None {
        notice(
            "raw system calls cannot be trapped on this system: those of a program are not seen",
        );
    }
    watchdog::watch();
}

/// The calling thread is a new one of the world.
#[cfg(target_arch = "x86_64")]
pub fn begin_thread() {
    // The setting of the counter was inherited (tests/tests/traps.rs), and so is a filter.
    dispatch::trap_again();
    watchdog::watch();
}

/// The calling thread is the first of a world.
#[cfg(not(target_arch = "x86_64"))]
pub fn enter() {
    notice("raw system calls and reads of the cycle counter are not seen on this architecture");
    handlers::install();
    watchdog::watch();
}

/// The calling thread is a new one of the world.
#[cfg(not(target_arch = "x86_64"))]
pub fn begin_thread() {
    watchdog::watch();
}

/// The calling thread is none of the world any more.
pub fn end_thread() {
    watchdog::unwatch();
}

fn notice(text: &str) {
    with(|world| world.env.trace.notice(text));
}
