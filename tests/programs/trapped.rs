//! A program that reaches past the C library: the cycle counter, system calls by instruction, signals, spins. Its first argument says
//! what it does.

#![expect(
    unsafe_code,
    clippy::disallowed_methods,
    reason = "what no symbol of the C library sees is its subject"
)]

use std::env;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    let argument = env::args().nth(1);
    match argument.as_deref() {
        #[cfg(target_arch = "x86_64")]
        Some("counter") => traps::counter(),
        #[cfg(target_arch = "x86_64")]
        Some("calls") => traps::calls(),
        #[cfg(target_arch = "x86_64")]
        Some("threads") => traps::threads(),
        #[cfg(target_arch = "x86_64")]
        Some("fork") => traps::fork(),
        #[cfg(target_arch = "x86_64")]
        Some("unknown") => traps::unknown(),
        #[cfg(target_arch = "x86_64")]
        Some("cost") => traps::cost(),
        #[cfg(target_arch = "x86_64")]
        Some("refuse_dispatch") => traps::refuse_dispatch(false),
        #[cfg(target_arch = "x86_64")]
        Some("refuse_both") => traps::refuse_dispatch(true),
        Some("own_handler") => own_handler(),
        Some("bad_handler") => bad_handler(),
        Some("default_fault") => fault(),
        Some("overflow") => overflow(),
        Some("spin") => spin(),
        #[cfg(target_arch = "x86_64")]
        Some("spin_on_counter") => traps::spin_on_counter(),
        Some("spin_on_clock") => spin_on_clock(),
        Some("spin_for_seconds") => spin_for_seconds(),
        Some("nothing") => {}
        other => panic!("no such program: {other:?}"),
    }
}

#[cfg(target_arch = "x86_64")]
mod traps {
    use super::{AtomicBool, AtomicU32, Duration, Ordering, black_box, thread};
    use std::arch::asm;
    use std::arch::x86_64::{__rdtscp, _rdtsc};

    fn now() -> u64 {
        // SAFETY: every processor of the architecture has the instruction.
        unsafe { _rdtsc() }
    }

    pub(crate) fn counter() {
        let first = now();
        thread::sleep(Duration::from_secs(2));
        println!("slept {}", (now() - first) / 3_000_000);
        let readings: Vec<u64> = (0..1000).map(|_| now()).collect();
        let differences: Vec<u64> = readings.windows(2).map(|pair| pair[1] - pair[0]).collect();
        println!("{differences:?}");
        let mut processor = 7;
        // SAFETY: as above.
        let last = unsafe { __rdtscp(&mut processor) };
        println!("{last} on {processor}");
        let other = thread::spawn(now).join().expect("it does not panic");
        println!("{other} in a thread");
        assert!(readings.is_sorted() && last > readings[999] && other > last);
        // What the C library keeps in vector registers outlives a trap.
        let text: String = (0..50).map(|n| format!("{n:03} {} ", now() % 1000)).collect();
        println!("{text}");
    }

    /// A system call by an instruction of this program.
    fn call(number: i64, arguments: [usize; 6]) -> isize {
        let answer: isize;
        let [a, b, c, d, e, f] = arguments;
        // SAFETY: every pointer that this program hands over is to memory of its own.
        unsafe {
            asm!(
                "syscall", inlateout("rax") number as isize => answer,
                in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
                out("rcx") _, out("r11") _, options(nostack),
            );
        }
        answer
    }

    const WRITE: i64 = 1;
    const CLOSE: i64 = 3;
    const RT_SIGACTION: i64 = 13;
    const RT_SIGPROCMASK: i64 = 14;
    const NANOSLEEP: i64 = 35;
    const GETPID: i64 = 39;
    const SOCKET: i64 = 41;
    const FORK: i64 = 57;
    const KILL: i64 = 62;
    const PRCTL: i64 = 157;
    const ACCT: i64 = 163;
    const GETTID: i64 = 186;
    const FUTEX: i64 = 202;
    const CLOCK_GETTIME: i64 = 228;
    const CLOCK_NANOSLEEP: i64 = 230;
    const TGKILL: i64 = 234;
    const EVENTFD2: i64 = 290;
    const GETRANDOM: i64 = 318;

    fn seconds(clock: usize) -> (i64, i64) {
        let mut time = [0_i64; 2];
        assert_eq!(call(CLOCK_GETTIME, [clock, time.as_mut_ptr() as usize, 0, 0, 0, 0]), 0);
        (time[0], time[1])
    }

    pub(crate) fn calls() {
        println!("{:?} {:?}", seconds(0), seconds(1));
        let hour = [3600_i64, 0];
        let request = hour.as_ptr() as usize;
        let before = seconds(1).0;
        assert_eq!(call(NANOSLEEP, [request, 0, 0, 0, 0, 0]), 0);
        assert_eq!(call(CLOCK_NANOSLEEP, [1, 0, request, 0, 0, 0]), 0);
        assert_eq!(call(CLOCK_NANOSLEEP, [77, 0, request, 0, 0, 0]), -22, "no such clock");
        println!("slept {}", seconds(1).0 - before);
        let mut bytes = [0_u8; 16];
        assert_eq!(call(GETRANDOM, [bytes.as_mut_ptr() as usize, 16, 0, 0, 0, 0]), 16);
        println!("{bytes:?}");
        println!("{} {}", call(GETPID, [0; 6]), call(GETTID, [0; 6]));
        let word = AtomicU32::new(5);
        let at = &raw const word as usize;
        assert_eq!(call(FUTEX, [at, 128, 4, 0, 0, 0]), -11, "the word is another");
        let second = [1_i64, 0];
        assert_eq!(call(FUTEX, [at, 128, 5, second.as_ptr() as usize, 0, 0]), -110);
        let counter = call(EVENTFD2, [3, 0, 0, 0, 0, 0]);
        assert!(counter >= 1 << 20, "a descriptor of the world: {counter}");
        let mut value = [0_u64];
        let read = call(0, [counter as usize, value.as_mut_ptr() as usize, 8, 0, 0, 0]);
        assert_eq!((read, value[0]), (8, 3));
        let socket = call(SOCKET, [2, 1, 0, 0, 0, 0]);
        assert!(socket > counter, "{socket}");
        assert_eq!(call(CLOSE, [socket as usize, 0, 0, 0, 0, 0]), 0);
        assert_eq!(call(CLOSE, [socket as usize, 0, 0, 0, 0, 0]), -9);
        handler_without_the_c_library();
        clock_of_the_vdso();
        let text = b"written by an instruction\n";
        assert_eq!(call(WRITE, [1, text.as_ptr() as usize, text.len(), 0, 0, 0]), 26);
        // The first argument is no descriptor: PR_GET_AUXV, of which the number is above those that the world gives.
        let mut auxiliary = [0_u64; 64];
        let read = call(PRCTL, [0x4155_5856, auxiliary.as_mut_ptr() as usize, 512, 0, 0, 0]);
        assert!(read > 0 || read == -22, "an older kernel does not know it: {read}");
        // A thread that blocks all signals still has its calls carried out.
        let all = [u64::MAX];
        assert_eq!(call(RT_SIGPROCMASK, [2, all.as_ptr() as usize, 0, 8, 0, 0]), 0);
        println!("{:?} {}", seconds(1), now());
    }

    /// Reads the clock by the code that the kernel maps for it (vdso(7)).
    fn clock_of_the_vdso() {
        unsafe extern "C" {
            fn dlopen(name: *const std::ffi::c_char, mode: i32) -> *mut u8;
            fn dlsym(object: *mut u8, name: *const std::ffi::c_char) -> *mut u8;
        }
        type Read = extern "C" fn(i32, *mut i64) -> i32;
        const LAZY_AND_NO_LOAD: i32 = 1 | 4;
        // SAFETY: a C text; nothing is loaded.
        let object = unsafe { dlopen(c"linux-vdso.so.1".as_ptr(), LAZY_AND_NO_LOAD) };
        // SAFETY: a C text, and what dlopen gave.
        let function = unsafe { dlsym(object, c"__vdso_clock_gettime".as_ptr()) };
        assert!(!function.is_null());
        // SAFETY: this is how the function is declared.
        let read = unsafe { std::mem::transmute::<*mut u8, Read>(function) };
        let mut time = [0_i64; 2];
        assert_eq!(read(1, time.as_mut_ptr()), 0);
        assert!((time[0] - seconds(1).0).abs() <= 1, "the clock of the world");
        println!("{time:?}");
    }

    static SIGNALS: AtomicU32 = AtomicU32::new(0);

    extern "C" fn on_signal(_: i32) {
        SIGNALS.fetch_add(1, Ordering::SeqCst);
        // In a handler, calls are carried out as ever.
        assert_eq!(call(GETPID, [0; 6]), 1000);
    }

    std::arch::global_asm!(".local restore", "restore:", "mov eax, 15", "syscall");

    /// Installs a handler and returns from it by instructions alone.
    fn handler_without_the_c_library() {
        const SIGUSR1: usize = 10;
        const SA_RESTORER: u64 = 0x0400_0000;
        unsafe extern "C" {
            fn restore();
        }
        let (handler, restorer) = (on_signal as *const () as u64, restore as *const () as u64);
        let action = [handler, SA_RESTORER, restorer, u64::MAX];
        assert_eq!(call(RT_SIGACTION, [SIGUSR1, action.as_ptr() as usize, 0, 8, 0, 0]), 0);
        assert_eq!(call(KILL, [1000, SIGUSR1, 0, 0, 0, 0]), 0);
        assert_eq!(call(TGKILL, [1000, 1000, SIGUSR1, 0, 0, 0]), 0);
        assert_eq!(SIGNALS.load(Ordering::SeqCst), 2);
    }

    /// Threads that wait for each other by raw system calls: a trapped call may give up the turn.
    pub(crate) fn threads() {
        static WORD: AtomicU32 = AtomicU32::new(0);
        static IS_DONE: AtomicBool = AtomicBool::new(false);
        let at = &raw const WORD as usize;
        let waiting = thread::spawn(move || {
            while WORD.load(Ordering::SeqCst) == 0 {
                call(FUTEX, [at, 128, 0, 0, 0, 0]);
            }
            IS_DONE.store(true, Ordering::SeqCst);
            call(GETTID, [0; 6])
        });
        let pause = [0_i64, 1_000_000];
        call(NANOSLEEP, [pause.as_ptr() as usize, 0, 0, 0, 0, 0]);
        WORD.store(1, Ordering::SeqCst);
        call(FUTEX, [at, 129, 1, 0, 0, 0]);
        println!("{}", waiting.join().expect("it does not panic"));
        assert!(IS_DONE.load(Ordering::SeqCst));
    }

    pub(crate) fn spin_on_counter() {
        let is_done = super::set_later();
        while !is_done.load(Ordering::SeqCst) {
            black_box(now());
        }
    }

    pub(crate) fn fork() {
        call(FORK, [0; 6]);
    }

    /// A call that the world knows nothing of.
    pub(crate) fn unknown() {
        call(ACCT, [0; 6]);
    }

    /// Becomes another program that loads `PRELOAD`, on a kernel that refuses user dispatch, and filters too where `also_filters`: by a
    /// filter of its own (seccomp(2)).
    pub(crate) fn refuse_dispatch(also_filters: bool) {
        use std::os::unix::process::CommandExt;
        const PRCTL: u32 = 157;
        const SECCOMP: u32 = 317;
        const NO_NEW_PRIVS: usize = 38;
        const SET_FILTER: [usize; 2] = [22, 2];
        const USER_DISPATCH: u32 = 59;
        const REFUSE: u32 = 0x0005_0000 | 22;
        const ALLOW: u32 = 0x7fff_0000;
        // An instruction each: code, how many to skip if so, if not, and a value.
        let filter: [(u16, u8, u8, u32); 7] = [
            (0x20, 0, 0, 0),
            (0x15, 4, 0, if also_filters { SECCOMP } else { u32::MAX }),
            (0x15, 0, 2, PRCTL),
            (0x20, 0, 0, 16),
            (0x15, 1, 0, USER_DISPATCH),
            (0x06, 0, 0, ALLOW),
            (0x06, 0, 0, REFUSE),
        ];
        let words: Vec<u64> = filter
            .iter()
            .map(|&(code, yes, no, value)| {
                u64::from(code)
                    | u64::from(yes) << 16
                    | u64::from(no) << 24
                    | u64::from(value) << 32
            })
            .collect();
        let handed = [words.len(), words.as_ptr() as usize];
        assert_eq!(call(i64::from(PRCTL), [NO_NEW_PRIVS, 1, 0, 0, 0, 0]), 0);
        let [set, mode] = SET_FILTER;
        assert_eq!(call(i64::from(PRCTL), [set, mode, handed.as_ptr() as usize, 0, 0, 0]), 0);
        let mut command = std::process::Command::new("/proc/self/exe");
        let object = std::env::var_os("PRELOAD").expect("what to load is said");
        panic!("{}", command.args(std::env::args_os().skip(2)).env("LD_PRELOAD", object).exec());
    }

    /// Does one thing many times, so that it can be told from outside what it costs.
    pub(crate) fn cost() {
        let mut arguments = std::env::args().skip(2);
        let what = arguments.next();
        let count = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0_u32);
        for _ in 0..count {
            match what.as_deref() {
                Some("counter") => _ = black_box(now()),
                Some("call") => _ = black_box(call(GETPID, [0; 6])),
                _ => _ = black_box(std::process::id()),
            }
        }
    }
}

/// As the C library has it (sigaction(2)).
#[repr(C)]
struct Action {
    handler: usize,
    mask: [u64; 16],
    flags: i32,
    restorer: usize,
}

unsafe extern "C" {
    fn sigaction(signal: i32, new: *const Action, old: *mut Action) -> i32;
    fn mprotect(at: *mut u8, len: usize, protection: i32) -> i32;
    fn aligned_alloc(alignment: usize, size: usize) -> *mut u8;
}

const SIGSEGV: i32 = 11;
const SA_SIGINFO: i32 = 4;
const PAGE: usize = 4096;

static FORBIDDEN: AtomicUsize = AtomicUsize::new(0);
static FAULTS: AtomicU32 = AtomicU32::new(0);

/// A handler that allows what was forbidden, so that the fault does not come again.
extern "C" fn allow(_: i32, info: *const usize, _: *const usize) {
    // SAFETY: the kernel hands the address of the fault in the third word (sigaction(2)).
    let address = unsafe { info.wrapping_add(2).read() };
    let page = FORBIDDEN.load(Ordering::SeqCst);
    assert_eq!(address & !(PAGE - 1), page);
    FAULTS.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the page is this program's.
    unsafe { mprotect(page as *mut u8, PAGE, 3) };
}

extern "C" fn fault_again(_: i32, _: *const usize, _: *const usize) {
    FAULTS.fetch_add(1, Ordering::SeqCst);
    assert!(FAULTS.load(Ordering::SeqCst) == 1, "a fault in its own handler is no other's");
    fault();
}

fn install(handler: extern "C" fn(i32, *const usize, *const usize)) {
    let handler = handler as *const () as usize;
    let action = Action { handler, mask: [u64::MAX; 16], flags: SA_SIGINFO, restorer: 0 };
    let mut before = Action { handler: 0, mask: [0; 16], flags: 0, restorer: 0 };
    // SAFETY: both actions are as the C library has them.
    assert_eq!(unsafe { sigaction(SIGSEGV, &raw const action, &raw mut before) }, 0);
    assert!(before.handler > 1, "that of std was there: {:#x}", before.handler);
    // SAFETY: as above.
    unsafe { sigaction(SIGSEGV, std::ptr::null(), &raw mut before) };
    assert_eq!(before.handler, handler);
    assert_eq!(before.flags & SA_SIGINFO, SA_SIGINFO);
}

fn own_handler() {
    install(allow);
    // SAFETY: a page of memory, which nobody frees.
    let page = unsafe { aligned_alloc(PAGE, PAGE) };
    for turn in 1..=3 {
        FORBIDDEN.store(page as usize, Ordering::SeqCst);
        // SAFETY: the page is this program's.
        unsafe { mprotect(page, PAGE, 0) };
        // SAFETY: the handler makes it writable.
        unsafe { page.write_volatile(turn) };
        assert_eq!(FAULTS.load(Ordering::SeqCst), u32::from(turn));
    }
    println!("{} faults", FAULTS.load(Ordering::SeqCst));
}

fn bad_handler() {
    install(fault_again);
    fault();
}

fn fault() {
    // SAFETY: none: the fault is the point.
    unsafe { black_box(8 as *mut u8).write_volatile(1) };
}

fn overflow() {
    #[expect(unconditional_recursion, reason = "the overflow is the point")]
    fn deeper(depth: u64) -> u64 {
        let room = black_box([depth; 64]);
        deeper(depth + 1) + room[63]
    }
    let thread = thread::spawn(|| deeper(0));
    drop(thread.join());
}

/// What another thread will set after a millisecond.
fn set_later() -> Arc<AtomicBool> {
    let is_done = Arc::new(AtomicBool::new(false));
    let other = Arc::clone(&is_done);
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(1));
        other.store(true, Ordering::SeqCst);
    });
    is_done
}

/// Waits for another thread without asking for anything.
fn spin() {
    wait_for(&set_later());
}

/// Waits for another thread by looking at a clock, which a wait with a deadline does.
fn spin_on_clock() {
    let (is_done, began) = (set_later(), Instant::now());
    while !is_done.load(Ordering::SeqCst) {
        assert!(began.elapsed() < Duration::from_secs(1), "it is set after a millisecond");
    }
    println!("{:?}", began.elapsed());
}

/// Spins until a moment of its own, and until another thread's, while a third sleeps far longer.
fn spin_for_seconds() {
    drop(thread::spawn(|| thread::sleep(Duration::from_secs(3600))));
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(300) {}
    println!("{:?}", began.elapsed());
    let other = thread::spawn(|| thread::sleep(Duration::from_secs(2)));
    while !other.is_finished() {
        assert!(began.elapsed() < Duration::from_secs(3), "it sleeps for two seconds");
    }
    println!("{:?}", began.elapsed());
}

#[inline(never)]
fn wait_for(is_done: &AtomicBool) {
    while !is_done.load(Ordering::SeqCst) {
        std::hint::spin_loop();
    }
}
