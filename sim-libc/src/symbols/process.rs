//! The process and its machine (getpid(2), sched_getaffinity(2), sysconf(3), gethostname(2)), and what a world has none of: other processes.

#![expect(unsafe_code, reason = "the symbols of the C library")]

use crate::finish;
use crate::memory::{In, Out};
use crate::real::{self, next};
use crate::world::{is_member, with};
use core::ffi::{c_char, c_int, c_long, c_void};
use libc::{pid_t, utsname};
use sim_core::backend::Backend;

/// The number of the process in its world.
pub const PID: pid_t = 1000;
/// The number of its parent.
const PARENT: pid_t = 1;
/// How many processors a program sees. A machine's own number would make runs of two machines differ.
pub const PROCESSORS: usize = 4;

#[unsafe(no_mangle)]
extern "C" fn getpid() -> pid_t {
    if is_member() { PID } else { next!(c"getpid"() -> pid_t) }
}

#[unsafe(no_mangle)]
extern "C" fn getppid() -> pid_t {
    if is_member() { PARENT } else { next!(c"getppid"() -> pid_t) }
}

#[unsafe(no_mangle)]
extern "C" fn gettid() -> pid_t {
    if is_member() { PID + crate::world::me() as pid_t } else { next!(c"gettid"() -> pid_t) }
}

#[unsafe(no_mangle)]
extern "C" fn kill(pid: pid_t, signal: c_int) -> c_int {
    if !is_member() {
        return next!(c"kill"(pid: pid_t, signal: c_int) -> c_int);
    }
    if pid != PID && pid != 0 && signal != 0 {
        finish::escape(&format!("kill({pid}, {signal}): another process"));
    }
    // To itself: the handler runs at once, on this thread.
    real::signal_me(signal) as c_int
}

#[unsafe(no_mangle)]
extern "C" fn raise(signal: c_int) -> c_int {
    if is_member() { kill(PID, signal) } else { next!(c"raise"(signal: c_int) -> c_int) }
}

#[unsafe(no_mangle)]
extern "C" fn sched_getaffinity(pid: pid_t, len: usize, into: Out<u8>) -> c_int {
    if !is_member() {
        return next!(c"sched_getaffinity"(pid: pid_t, len: usize, into: Out<u8>) -> c_int);
    }
    let mask = into.slice(len);
    mask.fill(0);
    if let Some(first) = mask.first_mut() {
        *first = (1 << PROCESSORS) - 1;
    }
    0
}

#[unsafe(no_mangle)]
extern "C" fn sysconf(name: c_int) -> c_long {
    if is_member() && matches!(name, libc::_SC_NPROCESSORS_ONLN | libc::_SC_NPROCESSORS_CONF) {
        return PROCESSORS as c_long;
    }
    next!(c"sysconf"(name: c_int) -> c_long)
}

#[unsafe(no_mangle)]
extern "C" fn get_nprocs() -> c_int {
    if is_member() { PROCESSORS as c_int } else { next!(c"get_nprocs"() -> c_int) }
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn gethostname(into: Out<u8>, len: usize) -> c_int {
    if !is_member() {
        return next!(c"gethostname"(into: Out<u8>, len: usize) -> c_int);
    }
    let name = with(|world| world.universe.host_name(world.host()).to_owned());
    if name.len() >= len {
        real::set_errno(libc::ENAMETOOLONG);
        return -1;
    }
    let room = into.slice(name.len() + 1);
    room[..name.len()].copy_from_slice(name.as_bytes());
    room[name.len()] = 0;
    0
}

#[unsafe(no_mangle)]
extern "C" fn uname(into: Out<utsname>) -> c_int {
    let status = next!(c"uname"(into: Out<utsname>) -> c_int);
    if is_member()
        && let Some(mut value) = into.get()
    {
        let name = with(|world| world.universe.host_name(world.host()).to_owned());
        let fill = |field: &mut [c_char], text: &str| {
            field.fill(0);
            let last = field.len() - 1;
            field[..last]
                .iter_mut()
                .zip(text.bytes())
                .for_each(|(place, byte)| *place = byte as c_char);
        };
        fill(&mut value.nodename, &name);
        fill(&mut value.release, "6.18.0");
        fill(&mut value.version, "#1 SMP");
        into.set(value);
    }
    status
}

macro_rules! escapes {
    ($($name:ident($($arg:ident: $type:ty),*) -> $answer:ty = $real:literal;)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name($($arg: $type),*) -> $answer {
            if is_member() {
                finish::escape(concat!(stringify!($name), ": a process of the system"));
            }
            next!($real($($arg: $type),*) -> $answer)
        }
    )*};
}

type Vector = In<*const c_char>;

escapes! {
    fork() -> pid_t = c"fork";
    vfork() -> pid_t = c"fork"; // Outside a world it may be the other: through a function of ours a process cannot return twice.
    clone(routine: In<c_void>, stack: Out<c_void>, flags: c_int, argument: Out<c_void>, parent: Out<pid_t>, tls: Out<c_void>, child: Out<pid_t>) -> c_int = c"clone";
    execve(path: In<c_char>, arguments: Vector, environment: Vector) -> c_int = c"execve";
    execv(path: In<c_char>, arguments: Vector) -> c_int = c"execv";
    execvp(path: In<c_char>, arguments: Vector) -> c_int = c"execvp";
    execvpe(path: In<c_char>, arguments: Vector, environment: Vector) -> c_int = c"execvpe";
    posix_spawn(pid: Out<pid_t>, path: In<c_char>, actions: In<c_void>, attributes: In<c_void>, arguments: Vector, environment: Vector) -> c_int = c"posix_spawn";
    posix_spawnp(pid: Out<pid_t>, path: In<c_char>, actions: In<c_void>, attributes: In<c_void>, arguments: Vector, environment: Vector) -> c_int = c"posix_spawnp";
    system(command: In<c_char>) -> c_int = c"system";
    popen(command: In<c_char>, kind: In<c_char>) -> *mut c_void = c"popen";
}

/// `_exit` leaves without what was registered for the exit, so the report is written here.
#[unsafe(no_mangle)]
extern "C" fn _exit(status: c_int) -> ! {
    leave(status)
}

/// Ends the process without what was registered for its exit.
pub fn leave(status: c_int) -> ! {
    finish::at_exit(status, Out(core::ptr::null_mut()));
    real::exit(status)
}

#[unsafe(no_mangle)]
extern "C" fn _Exit(status: c_int) -> ! {
    _exit(status)
}
