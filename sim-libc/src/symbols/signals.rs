//! Signals (sigaction(2), signal(2), sigprocmask(2)): those by which traps arrive are the program's in its belief only.

#![expect(unsafe_code, reason = "the symbols of the C library")]

use crate::memory::{In, Out};
use crate::real::next;
use crate::traps::handlers::{self, Action, Mask, address, allowed};
use crate::world::is_member;
use core::ffi::c_int;

#[unsafe(no_mangle)]
extern "C" fn sigaction(signal: c_int, new: In<Action>, old: Out<Action>) -> c_int {
    let own = handlers::place(signal).filter(|_| is_member());
    let Some(place) = own else {
        let new = new.get().map(|new| match is_member() {
            true => Action { mask: new.mask.allowed(), ..new },
            false => new,
        });
        return handlers::set_action(signal, address(new.as_ref()), old);
    };
    old.set(handlers::keep(place, new.get()));
    0
}

/// As BSD has it: the handler stays, and interrupted calls go on.
#[unsafe(no_mangle)]
extern "C" fn signal(signal: c_int, handler: usize) -> usize {
    let own = handlers::place(signal).filter(|_| is_member());
    let Some(place) = own else {
        return next!(c"signal"(signal: c_int, handler: usize) -> usize);
    };
    let mask = Mask([0; 16]);
    let action = Action { handler, mask, flags: libc::SA_RESTART, restorer: 0 };
    handlers::keep(place, Some(action)).handler
}

#[unsafe(no_mangle)]
extern "C" fn sigprocmask(how: c_int, new: In<Mask>, old: Out<Mask>) -> c_int {
    let (how, new) = (how, allowed(new));
    let new = address(new.as_ref());
    next!(c"sigprocmask"(how: c_int, new: In<Mask>, old: Out<Mask>) -> c_int)
}

#[unsafe(no_mangle)]
extern "C" fn pthread_sigmask(how: c_int, new: In<Mask>, old: Out<Mask>) -> c_int {
    let (how, new) = (how, allowed(new));
    let new = address(new.as_ref());
    next!(c"pthread_sigmask"(how: c_int, new: In<Mask>, old: Out<Mask>) -> c_int)
}
