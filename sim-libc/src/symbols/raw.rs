//! System calls by number (syscall(2)): those that programs make so are handed to the functions of the same name.
//!
//! They come from two places: the C library's function `syscall`, and instructions of the program itself, which trap
//! ([`dispatch`](crate::traps::dispatch)). What becomes of which is a table, [`numbers`]. A number that it does not know
//! is passed on with a notice where a function was called, and is an escape where an instruction was carried out: whoever writes
//! instructions means to be seen by nobody.

#![expect(
    unsafe_code,
    reason = "the symbol of the C library, and functions that are found by name"
)]

use super::futex::{Arguments, futex};
use super::numbers::{self, Answer, Policy};
use super::{answer, entropy, naming, process};
use crate::descriptors::simulated;
use crate::finish;
use crate::memory::{In, Out};
use crate::real;
use crate::thread::Life;
use crate::traps::dispatch::errno;
use crate::traps::{handlers, text};
use crate::world::{is_member, me, with};
use core::ffi::{CStr, c_char, c_int, c_long, c_void};
use core::mem;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use sim_core::Errno;

/// The arguments of a call.
type Six = [usize; 6];

/// Where a call came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The C library's `syscall`.
    Function,
    /// An instruction before this address.
    Instruction(usize),
}

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
    carry_out(number, arguments, Origin::Function)
}

/// A call of the program by an instruction that ends at `place`. Answers as the kernel does: minus the error's number.
pub fn by_instruction(number: c_long, arguments: Six, place: usize) -> isize {
    match carry_out(number, arguments, Origin::Instruction(place)) {
        -1 => -(errno() as isize),
        answer => answer,
    }
}

/// Carries a call out, and answers as the C library does.
fn carry_out(number: c_long, arguments: Six, origin: Origin) -> isize {
    let [a, b, c, d, e, f] = arguments;
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
        libc::SYS_gettid | libc::SYS_set_tid_address => (process::PID + me() as i32) as isize,
        libc::SYS_getpid => process::PID as isize,
        libc::SYS_getcpu => answer(Ok(processor(arguments))),
        libc::SYS_sched_getaffinity => answer(affinity(b, c)),
        libc::SYS_rt_sigaction => real::as_libc(handlers::raw_action(arguments)),
        libc::SYS_rt_sigprocmask => real::as_libc(handlers::raw_mask(arguments)),
        libc::SYS_tkill => to_thread(a, b, number, origin),
        libc::SYS_tgkill if a == process::PID as usize => to_thread(b, c, number, origin),
        libc::SYS_exit if lives_alone() => process::leave(a as c_int),
        libc::SYS_exit_group => process::leave(a as c_int),
        libc::SYS_getcwd => working_directory(a, b),
        // The kernel's calls have no flags, the C library's functions of the same name have.
        libc::SYS_faccessat | libc::SYS_fchmodat => by_policy(number, [a, b, c, 0, 0, 0], origin),
        libc::SYS_io_uring_setup => answer(Err(Errno::ENOSYS)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_eventfd => carry_out(libc::SYS_eventfd2, [a, 0, 0, 0, 0, 0], origin),
        _ => by_policy(number, arguments, origin),
    }
}

fn by_policy(number: c_long, arguments: Six, origin: Origin) -> isize {
    let Some((place, (_, name, policy))) = numbers::row(number) else {
        return unknown(number, arguments, origin);
    };
    match policy {
        Policy::Function(kind) => match own(place, name) {
            Some(function) => call(function, arguments, kind),
            None => system(number, arguments),
        },
        // None of them begins with a descriptor.
        Policy::Harmless => real::as_libc(real::syscall(number, arguments)),
        Policy::Noticed => {
            let text =
                format!("the system call {} was answered by the system", numbers::name(number));
            with(|world| world.env.trace.notice(text));
            system(number, arguments)
        }
        Policy::Escape => escape(number, origin),
    }
}

/// A number of which nothing is known.
fn unknown(number: c_long, arguments: Six, origin: Origin) -> isize {
    if origin != Origin::Function {
        escape(number, origin);
    }
    let text = format!("the system call {} was answered by the system", numbers::name(number));
    with(|world| world.env.trace.notice(text));
    system(number, arguments)
}

fn escape(number: c_long, origin: Origin) -> ! {
    let name = numbers::name(number);
    finish::escape(&match origin {
        Origin::Function => format!("the system call {name}"),
        Origin::Instruction(place) => format!(
            "the system call {name}, made by an instruction of {} and not by the C library,",
            text::name(place)
        ),
    })
}

/// Asks the system, which knows none of the world's descriptors.
fn system(number: c_long, arguments: Six) -> isize {
    // An argument that is wider than a descriptor is an address.
    let first = c_int::try_from(arguments[0]).ok();
    if first.and_then(simulated).is_some() {
        with(|world| world.refuse(&format!("the system call {}", numbers::name(number))));
        return answer(Err(Errno::EBADF));
    }
    real::as_libc(real::syscall(number, arguments))
}

/// Where the functions of the table lie: not looked up yet, not this object's, or there.
static FOUND: [AtomicPtr<c_void>; numbers::COUNT] =
    [const { AtomicPtr::new(ptr::null_mut()) }; numbers::COUNT];
static ELSEWHERE: u8 = 0;

/// The function of this name, if this object defines it.
fn own(place: usize, name: &CStr) -> Option<*const c_void> {
    let elsewhere = (&raw const ELSEWHERE).cast::<c_void>().cast_mut();
    let mut found = FOUND[place].load(Ordering::Relaxed);
    if found.is_null() {
        // SAFETY: a handle that dlsym knows, and a C text.
        found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        if !text::is_own(found as usize) {
            found = elsewhere;
        }
        FOUND[place].store(found, Ordering::Relaxed);
    }
    (found != elsewhere).then_some(found.cast_const())
}

fn call(function: *const c_void, arguments: Six, kind: Answer) -> isize {
    type Function = extern "C" fn(usize, usize, usize, usize, usize, usize) -> usize;
    // SAFETY: a function of this object whose arguments are those of the system call of the same name: up to six, none wider than a
    // register. In the C calling convention they come in the registers of six words, of which it looks at those that it has.
    let function = unsafe { mem::transmute::<*const c_void, Function>(function) };
    let [a, b, c, d, e, f] = arguments;
    let value = function(a, b, c, d, e, f);
    match kind {
        Answer::Long => value as isize,
        Answer::Int => value as c_int as isize,
        Answer::Error if value as c_int != 0 => {
            real::set_errno(value as c_int);
            -1
        }
        Answer::Error => 0,
    }
}

/// getcpu(2): the first processor of the first node, as sched_getcpu(3) answers.
fn processor(arguments: Six) -> usize {
    Out(arguments[0] as *mut u32).set(0);
    Out(arguments[1] as *mut u32).set(0);
    0
}

/// getcwd(2), which by number answers how long the path is, with the byte 0 at its end.
fn working_directory(into: usize, len: usize) -> isize {
    let given = naming::getcwd(Out(into as *mut c_char), len);
    In(given.cast_const()).text().map_or(-1, |path| path.to_bytes_with_nul().len() as isize)
}

/// sched_getaffinity(2), which by number answers how many bytes the kernel has written.
fn affinity(len: usize, into: usize) -> sim_core::Result<usize> {
    const WORD: usize = size_of::<u64>();
    if len < WORD {
        return Err(Errno::EINVAL);
    }
    Out(into as *mut u64).set((1 << process::PROCESSORS) - 1);
    Ok(WORD)
}

/// A signal to a thread: to itself at once, to another of the system's not at all.
fn to_thread(thread: usize, signal: usize, number: c_long, origin: Origin) -> isize {
    if thread != process::PID as usize + me() as usize {
        escape(number, origin);
    }
    real::signal_me(signal as c_int)
}

/// Whether the calling thread is the last of the world.
fn lives_alone() -> bool {
    with(|world| world.threads.iter().filter(|(_, thread)| thread.life != Life::Ended).count() == 1)
}
