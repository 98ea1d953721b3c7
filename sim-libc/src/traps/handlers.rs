//! The handlers of the signals by which traps arrive, and what the program believes to have installed for them (sigaction(2)).
//!
//! The program's own action for such a signal is kept here and never reaches the kernel. A signal that is no trap of ours is handed on to
//! it as the kernel would have: with its mask, on the stack on which it came, with the default if that is what the program wants.
//!
//! - These signals are never blocked by the program: a refused instruction in a thread that blocks its signal kills the process.
//! - While the program handles a fault of its own, `SIGSEGV` is blocked as it asks, so that a fault in there ends the process as ever; a
//!   read of the cycle counter does too.

#![expect(unsafe_code, reason = "handlers are installed and called by address")]

use crate::memory::{In, Out};
use crate::real::{self, next};
use crate::world::is_member;
use core::ffi::c_int;
use core::mem;
use core::sync::atomic::{AtomicBool, Ordering};
use libc::{siginfo_t, ucontext_t};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The signal of the watchdog: the last of the real-time signals, which programs take from the other end (signal(7)).
pub const WATCH: c_int = 64;

/// The signals that are ours.
#[cfg(target_arch = "x86_64")]
const OURS: &[c_int] = &[libc::SIGSEGV, libc::SIGSYS, WATCH];
/// The signals that are ours.
#[cfg(not(target_arch = "x86_64"))]
const OURS: &[c_int] = &[WATCH];
/// Their bits in a mask.
const OUR_BITS: u64 = {
    let (mut bits, mut n) = (0, 0);
    while n < OURS.len() {
        bits |= bit(OURS[n]);
        n += 1;
    }
    bits
};
/// The flag by which the kernel is told where to return from a handler; the C library adds it.
const SA_RESTORER: c_int = 0x0400_0000;

const fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}

/// What is to be done about a signal, as the C library has it (sigaction(2)).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Action {
    /// The handler's address, `SIG_DFL` or `SIG_IGN`.
    pub handler: usize,
    /// Signals that are blocked meanwhile.
    pub mask: Mask,
    /// `SA_…`.
    pub flags: c_int,
    /// Where the handler returns to.
    pub restorer: usize,
}

/// A set of signals as the C library has it; the kernel knows the first word.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Mask(pub [u64; 16]);

impl Mask {
    /// Without the signals that nobody may block.
    #[must_use]
    pub fn allowed(mut self) -> Self {
        self.0[0] &= !OUR_BITS;
        self
    }
}

/// The same as the kernel has it, for calls by number.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct RawAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// No signal.
const NONE: Mask = Mask([0; 16]);
/// Every signal but those of instructions.
#[cfg(target_arch = "x86_64")]
const EVERY: Mask = {
    let mut mask = Mask([u64::MAX; 16]);
    mask.0[0] = !(bit(libc::SIGSEGV) | bit(libc::SIGSYS));
    mask
};

const DEFAULT: Action = Action { handler: libc::SIG_DFL, mask: NONE, flags: 0, restorer: 0 };

/// What the program believes.
static BELIEVED: Mutex<[Action; OURS.len()]> = Mutex::new([DEFAULT; OURS.len()]);

static IS_INSTALLED: AtomicBool = AtomicBool::new(false);

fn believed() -> MutexGuard<'static, [Action; OURS.len()]> {
    BELIEVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a signal is answered here, and the program's action for it only kept.
pub fn place(signal: c_int) -> Option<usize> {
    let is_installed = IS_INSTALLED.load(Ordering::Relaxed);
    OURS.iter().position(|&ours| is_installed && ours == signal)
}

/// Keeps the program's action for a signal of ours. Answers the one before.
pub fn keep(place: usize, new: Option<Action>) -> Action {
    let mut actions = believed();
    let before = actions[place];
    if let Some(new) = new {
        actions[place] = new;
    }
    before
}

type Handler = extern "C" fn(c_int, Out<siginfo_t>, Out<ucontext_t>);

/// Looks up the C library's functions before the processes of runs are forked.
pub fn find_functions() {
    set_action(libc::SIGSEGV, In(core::ptr::null()), Out(core::ptr::null_mut()));
}

/// The C library's own sigaction(2).
pub fn set_action(signal: c_int, new: In<Action>, old: Out<Action>) -> c_int {
    next!(c"sigaction"(signal: c_int, new: In<Action>, old: Out<Action>) -> c_int)
}

/// Installs the handlers, and takes what was there for the program's.
pub fn install() {
    IS_INSTALLED.store(true, Ordering::Relaxed);
    #[cfg(target_arch = "x86_64")]
    {
        // A fault may be that the stack has overflowed. It keeps all other signals away, see [`super::scratch`].
        put(libc::SIGSEGV, on_fault, libc::SA_ONSTACK | libc::SA_NODEFER, EVERY);
        // A trapped call may wait for the turn, in which the thread takes other signals and other traps; a small stack does not do.
        put(libc::SIGSYS, super::dispatch::on_call, libc::SA_NODEFER, NONE);
    }
    put(WATCH, super::watchdog::on_tick, libc::SA_RESTART, NONE);
    let unblocked = [OUR_BITS];
    let mask = unblocked.as_ptr() as usize;
    real::syscall(libc::SYS_rt_sigprocmask, [libc::SIG_UNBLOCK as usize, mask, 0, 8, 0, 0]);
}

fn put(signal: c_int, handler: Handler, flags: c_int, mask: Mask) {
    let handler = handler as *const () as usize;
    let action = Action { handler, flags: flags | libc::SA_SIGINFO, mask, ..DEFAULT };
    let mut before = DEFAULT;
    set_action(signal, In(&raw const action), Out(&raw mut before));
    if let Some(place) = place(signal) {
        keep(place, Some(before));
    }
}

/// Where the C library lets handlers return to: the code that makes rt_sigreturn(2).
pub fn restorer() -> usize {
    let mut action = RawAction { handler: 0, flags: 0, restorer: 0, mask: 0 };
    let place = (&raw mut action) as usize;
    real::syscall(libc::SYS_rt_sigaction, [libc::SIGSYS as usize, 0, place, 8, 0, 0]);
    action.restorer
}

#[cfg(target_arch = "x86_64")]
extern "C" fn on_fault(signal: c_int, info: Out<siginfo_t>, context: Out<ucontext_t>) {
    // An instruction that is refused faults by the kernel's word; a bad address has another code.
    let is_refusal = code(info) == libc::SI_KERNEL;
    if !(is_refusal && super::tsc::answer(super::frame::Frame(context))) {
        hand_on(signal, info, context);
    }
}

/// Why a signal came (`si_code`).
pub fn code(info: Out<siginfo_t>) -> c_int {
    info.get().map_or(0, |info| info.si_code)
}

/// Does with a signal that is none of ours what the program wants done.
pub fn hand_on(signal: c_int, info: Out<siginfo_t>, context: Out<ucontext_t>) {
    let Some(place) = place(signal) else { return };
    let action = keep(place, None);
    let was_sent = code(info) <= 0;
    match action.handler {
        libc::SIG_IGN if was_sent => {}
        libc::SIG_DFL | libc::SIG_IGN => die(signal, was_sent || signal != libc::SIGSEGV),
        handler => {
            if action.flags & libc::SA_RESETHAND != 0 {
                keep(place, Some(DEFAULT));
            }
            set_mask(during(signal, action, context));
            // SAFETY: the program has installed it as a handler, which is a function of this type whether it looks at all arguments or not.
            let handler = unsafe { mem::transmute::<usize, Handler>(handler) };
            handler(signal, info, context);
        }
    }
}

/// The mask of a handler of the program; the kernel restores the interrupted one when it returns.
fn during(signal: c_int, action: Action, context: Out<ucontext_t>) -> u64 {
    let before = context.get().map_or(0, |context| {
        // SAFETY: a set of signals is words of bits.
        let mask = unsafe { mem::transmute::<libc::sigset_t, Mask>(context.uc_sigmask) };
        mask.0[0]
    });
    let own = if action.flags & libc::SA_NODEFER == 0 { bit(signal) } else { 0 };
    (before | action.mask.0[0]) & !OUR_BITS | own
}

fn set_mask(mask: u64) {
    let place = (&raw const mask) as usize;
    real::syscall(libc::SYS_rt_sigprocmask, [libc::SIG_SETMASK as usize, place, 0, 8, 0, 0]);
}

/// Lets the signal end the process: the faulting instruction is carried out again, or the signal is sent again.
fn die(signal: c_int, again: bool) {
    let default = RawAction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    let place = (&raw const default) as usize;
    real::syscall(libc::SYS_rt_sigaction, [signal as usize, place, 0, 8, 0, 0]);
    if again {
        let pid = real::syscall(libc::SYS_getpid, [0; 6]) as usize;
        let tid = real::tid() as usize;
        real::syscall(libc::SYS_tgkill, [pid, tid, signal as usize, 0, 0, 0]);
    }
}

/// rt_sigaction(2) by number.
pub fn raw_action(arguments: [usize; 6]) -> isize {
    let (signal, new) = (arguments[0] as c_int, In(arguments[1] as *const RawAction).get());
    let Some(place) = place(signal) else {
        let new = new.map(|new| RawAction { mask: new.mask & !OUR_BITS, ..new });
        let at = new.as_ref().map_or(0, |new| core::ptr::from_ref(new) as usize);
        let [signal, _, old, size, ..] = arguments;
        return real::syscall(libc::SYS_rt_sigaction, [signal, at, old, size, 0, 0]);
    };
    let mut mask = NONE;
    let before = keep(
        place,
        new.map(|new| {
            mask.0[0] = new.mask;
            Action { handler: new.handler, mask, flags: new.flags as c_int, restorer: new.restorer }
        }),
    );
    Out(arguments[2] as *mut RawAction).set(RawAction {
        handler: before.handler,
        flags: (before.flags | SA_RESTORER) as u32 as u64,
        restorer: before.restorer,
        mask: before.mask.0[0],
    });
    0
}

/// rt_sigprocmask(2) by number.
pub fn raw_mask(arguments: [usize; 6]) -> isize {
    let [how, new, old, size, ..] = arguments;
    let mask = In(new as *const u64).get().map(|mask| mask & !OUR_BITS);
    let at = mask.as_ref().map_or(0, |mask| core::ptr::from_ref(mask) as usize);
    real::syscall(libc::SYS_rt_sigprocmask, [how, at, old, size, 0, 0])
}

/// The mask that the system is given for the program's: null stays null.
pub fn allowed(mask: In<Mask>) -> Option<Mask> {
    let mask = mask.get()?;
    Some(if is_member() && IS_INSTALLED.load(Ordering::Relaxed) { mask.allowed() } else { mask })
}

/// The address of what may not be there.
pub fn address<T>(value: Option<&T>) -> In<T> {
    In(value.map_or(core::ptr::null(), core::ptr::from_ref))
}
