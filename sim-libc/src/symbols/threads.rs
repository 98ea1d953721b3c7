//! Threads (pthread_create(3), pthread_join(3), sched_yield(2)).

#![expect(
    unsafe_code,
    reason = "the symbols of the C library, and a start routine that only C can name"
)]

use crate::memory::{In, Out};
use crate::real::next;
use crate::thread;
use crate::traps;
use crate::turn;
use crate::world::{inside, is_member, set_me, with};
use core::ffi::{c_int, c_uint, c_void};
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use libc::{pthread_attr_t, pthread_t, timespec};

type Routine = extern "C" fn(*mut c_void) -> *mut c_void;

/// What a new thread needs to begin.
struct Begin {
    routine: Routine,
    argument: *mut c_void,
    number: u32,
    word: &'static AtomicU32,
}

/// The key whose destructor tells the end of a thread: after those of thread-locals, which are the program's code.
static KEY: AtomicU32 = AtomicU32::new(u32::MAX);

/// The C library calls destructors of keys in rounds while there is one to call; ours waits for the last round, so that the others'
/// have been called.
const ROUNDS: usize = 3;

extern "C" fn begin(argument: *mut c_void) -> *mut c_void {
    // SAFETY: `pthread_create` below leaked it for this thread alone.
    let begin = unsafe { Box::from_raw(argument.cast::<Begin>()) };
    set_me(begin.number);
    turn::first(begin.word);
    traps::begin_thread();
    // SAFETY: the key was made before the thread; the value counts rounds and is no address.
    unsafe {
        libc::pthread_setspecific(KEY.load(Ordering::Relaxed), ptr::without_provenance(ROUNDS))
    };
    (begin.routine)(begin.argument)
}

unsafe extern "C" fn end(rounds: *mut c_void) {
    match rounds.addr() - 1 {
        0 => {
            traps::end_thread();
            thread::end();
        }
        // SAFETY: as in `begin`.
        left => unsafe {
            libc::pthread_setspecific(KEY.load(Ordering::Relaxed), ptr::without_provenance(left));
        },
    }
}

fn make_key() {
    if KEY.load(Ordering::Relaxed) == u32::MAX {
        let mut key = 0;
        // SAFETY: a place for the key, and a destructor that is never unloaded.
        unsafe { libc::pthread_key_create(&mut key, Some(end)) };
        KEY.store(key, Ordering::Relaxed);
    }
}

#[unsafe(no_mangle)]
extern "C" fn pthread_create(
    handle: Out<pthread_t>,
    attributes: In<pthread_attr_t>,
    routine: Routine,
    argument: *mut c_void,
) -> c_int {
    if !is_member() {
        return next!(c"pthread_create"(handle: Out<pthread_t>, attributes: In<pthread_attr_t>, routine: Routine, argument: *mut c_void) -> c_int);
    }
    make_key();
    let (number, word) = with(|world| {
        world.charge(world.config.call_cost_ns);
        let number = world.spawn_thread();
        (number, world.threads.get(number).word)
    });
    let argument =
        Box::into_raw(Box::new(Begin { routine, argument, number, word })).cast::<c_void>();
    let routine: Routine = begin;
    let status = inside(
        || next!(c"pthread_create"(handle: Out<pthread_t>, attributes: In<pthread_attr_t>, routine: Routine, argument: *mut c_void) -> c_int),
    );
    with(|world| {
        let thread = world.threads.get(number);
        if status == 0 {
            thread.handle = handle.get().unwrap_or_default() as usize;
        } else {
            thread.life = thread::Life::Ended;
        }
    });
    status
}

#[unsafe(no_mangle)]
extern "C" fn pthread_join(handle: pthread_t, value: Out<*mut c_void>) -> c_int {
    if is_member()
        && let Some(number) = with(|world| world.threads.by_handle(handle as usize))
    {
        thread::join(number);
    }
    inside(|| next!(c"pthread_join"(handle: pthread_t, value: Out<*mut c_void>) -> c_int))
}

#[unsafe(no_mangle)]
extern "C" fn pthread_timedjoin_np(
    handle: pthread_t,
    value: Out<*mut c_void>,
    until: In<timespec>,
) -> c_int {
    if is_member() {
        with(|world| world.refuse("pthread_timedjoin_np"));
        return libc::EOPNOTSUPP;
    }
    next!(c"pthread_timedjoin_np"(handle: pthread_t, value: Out<*mut c_void>, until: In<timespec>) -> c_int)
}

#[unsafe(no_mangle)]
extern "C" fn sched_yield() -> c_int {
    if is_member() {
        thread::yield_turn();
        return 0;
    }
    next!(c"sched_yield"() -> c_int)
}

#[unsafe(no_mangle)]
extern "C" fn sched_getcpu() -> c_int {
    if is_member() { 0 } else { next!(c"sched_getcpu"() -> c_int) }
}

#[unsafe(no_mangle)]
extern "C" fn alarm(seconds: c_uint) -> c_uint {
    if is_member() {
        with(|world| world.refuse("alarm"));
        return 0;
    }
    next!(c"alarm"(seconds: c_uint) -> c_uint)
}
