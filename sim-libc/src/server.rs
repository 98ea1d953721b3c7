//! Before `main`: the orders are read, and a process is forked for each run.
//!
//! ```text
//! loaded ──no orders──▶ main, outside any world
//!    └──orders──▶ executed once more, at fixed addresses ──▶ worker ──fork──▶ run: enters its world, then main
//!                                                            │ ◀── ends ──┘
//!                                                            └──▶ the next run, or the end
//! ```
//!
//! - The worker is the process as it is before `main`: no thread, no statics set, all code mapped. A fork of it costs less than a process
//!   that is loaded anew, and every run begins alike.
//! - A run writes its own line of the report. One that died without a word makes the worker die the same death, so that whoever
//!   started it learns it as of any worker.
//! - Never: a fork of a process that has threads.

#![expect(unsafe_code, reason = "fork, shared memory and the process's start have no safe form")]

use crate::finish;
use crate::lesson;
use crate::memfile::MemoryFile;
use crate::memory::Out;
use crate::overlay;
use crate::real;
use crate::traps;
use crate::world;
use core::ffi::{c_char, c_int};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use sim_core::rt::Report;
use sim_worker::{Broken, Ended, Lines, Perform, Plan, RunPlan, report, work};
use std::env;
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Memory that the worker and its run share.
#[derive(Debug, Default)]
#[repr(C)]
struct Shared {
    has_ended: AtomicBool,
    failed: AtomicBool,
}

static SHARED: AtomicPtr<Shared> = AtomicPtr::new(ptr::null_mut());

/// What the run of this process reports, and where.
static REPORTED: Mutex<Option<Reported>> = Mutex::new(None);

struct Reported {
    /// The number of the run; `None` for one that another process reports.
    run: Option<u64>,
    lines: PathBuf,
    trace: Option<PathBuf>,
}

#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn(c_int, Out<Out<c_char>>, Out<Out<c_char>>) = start;

/// The variable that names the descriptor of the orders, in four digits, so that a program's stack begins at one place whatever
/// the orders are.
const ORDERS: &str = "SIM_ORDERS";

/// The C library calls this before `main`.
extern "C" fn start(_: c_int, arguments: Out<Out<c_char>>, _: Out<Out<c_char>>) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the worker stands outside the runs that it starts"
    )]
    let variable = |name: &str| env::var(name).ok();
    if let Some(descriptor) = variable(ORDERS).and_then(|digits| digits.parse().ok()) {
        // What the program starts is outside the world, and its environment is as it was declared.
        for name in [ORDERS, "LD_PRELOAD"] {
            // SAFETY: before `main` there is one thread.
            unsafe { env::remove_var(name) };
        }
        let file = MemoryFile::open(descriptor);
        let orders = String::from_utf8(file.read()).unwrap_or_default();
        file.close();
        let (lines, plan) = orders.split_once('\n').unwrap_or_default();
        serve(Path::new(lines), plan);
    } else if let (Some(lines), Some(plan)) = (variable("SIM_WORKER"), variable("SIM_PLAN")) {
        start_again(arguments, &format!("{lines}\n{plan}"));
    }
}

/// Executes the program once more: with addresses that do not depend on chance, where the system lets us (personality(2)), and with an
/// environment in which the orders take the same room whatever they are.
fn start_again(arguments: Out<Out<c_char>>, orders: &str) {
    const ASK: usize = 0xffff_ffff;
    let now = real::syscall(libc::SYS_personality, [ASK, 0, 0, 0, 0, 0]);
    if now >= 0 {
        let fixed = now | libc::ADDR_NO_RANDOMIZE as isize;
        real::syscall(libc::SYS_personality, [fixed as usize, 0, 0, 0, 0, 0]);
    }
    let file = MemoryFile::create(c"sim-orders");
    file.write(orders.as_bytes());
    let descriptor = file.descriptor();
    let ours = ["SIM_WORKER=", "SIM_PLAN="];
    let mut variables: Vec<CString> = env::vars_os()
        .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
        .filter(|variable| !ours.iter().any(|name| variable.starts_with(name.as_bytes())))
        .filter_map(|variable| CString::new(variable).ok())
        .collect();
    variables.extend(CString::new(format!("{ORDERS}={descriptor:04}")));
    let mut vector: Vec<usize> =
        variables.iter().map(|variable| variable.as_ptr() as usize).collect();
    vector.push(0);
    let program = c"/proc/self/exe".as_ptr() as usize;
    let vector = vector.as_ptr() as usize;
    real::syscall(libc::SYS_execve, [program, arguments.address(), vector, 0, 0, 0]);
    real::complain("sim: the program cannot be executed once more for its world\n");
    real::exit(70);
}

/// Carries out the orders. Returns in the process of a run; the worker itself ends here.
fn serve(path: &Path, orders: &str) {
    traps::survey();
    let plan = Plan::parse(orders);
    overlay::prepare();
    lesson::prepare();
    let test = plan.as_ref().ok().and_then(|plan| plan.test.clone()).unwrap_or_default();
    let outcome = Lines::open(path).and_then(|mut lines| {
        lines.write(report::hello(&test, None))?;
        let trace = plan.as_ref().ok().and_then(|plan| plan.trace.clone());
        let is_told = plan.as_ref().is_ok_and(|plan| plan.candidates);
        let mut server = Server { lines: path.to_owned(), trace, is_told };
        work::carry_out(plan, &test, None, &mut lines, &mut server)
    });
    if world::me() != world::NOBODY {
        return;
    }
    if let Err(text) = outcome {
        real::complain(&format!("{text}\n"));
        real::exit(70);
    }
    real::exit(0)
}

struct Server {
    lines: PathBuf,
    trace: Option<PathBuf>,
    /// Whether the worker is told its runs on standard input, which is then none of a run's business.
    is_told: bool,
}

impl Perform for Server {
    fn perform(&mut self, plan: &RunPlan) -> Result<Ended, Broken> {
        self.fork(None, plan)
    }

    fn report(&mut self, run: u64, plan: &RunPlan) -> Result<Ended, Broken> {
        self.fork(Some(run), plan)
    }
}

impl Server {
    fn fork(&self, run: Option<u64>, plan: &RunPlan) -> Result<Ended, Broken> {
        let shared = shared();
        shared.has_ended.store(false, Ordering::Relaxed);
        // SAFETY: the process has one thread, so that nothing is held at the fork.
        match unsafe { libc::fork() } {
            -1 => {
                Err(Broken::Defect(String::from("the system refuses to fork a process for a run")))
            }
            0 => {
                self.become_run(run, plan);
                Err(Broken::Forked)
            }
            child => {
                let status = wait_for(child);
                if !shared.has_ended.load(Ordering::Acquire) {
                    die_like(status);
                }
                let failed = shared.failed.load(Ordering::Relaxed);
                let lesson = plan.census.then(lesson::take).flatten();
                Ok(Ended { failed, lesson })
            }
        }
    }

    /// This process is a run from here on.
    fn become_run(&self, run: Option<u64>, plan: &RunPlan) {
        // A run does not outlive its worker, which is killed when it takes too long.
        real::syscall(
            libc::SYS_prctl,
            [libc::PR_SET_PDEATHSIG as usize, libc::SIGKILL as usize, 0, 0, 0, 0],
        );
        if self.is_told {
            let nothing = c"/dev/null".as_ptr() as usize;
            real::syscall(libc::SYS_close, [0; 6]);
            let (folder, flags) = (libc::AT_FDCWD as usize, libc::O_RDONLY as usize);
            real::syscall(libc::SYS_openat, [folder, nothing, flags, 0, 0, 0]);
        }
        let reported = Reported { run, lines: self.lines.clone(), trace: self.trace.clone() };
        *REPORTED.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(reported);
        // One arena of memory for all threads: which of several a thread gets depends on the machine.
        // SAFETY: the process has one thread.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
        // SAFETY: the function is of the type that on_exit(3) asks for, and needs no argument.
        unsafe { on_exit(finish::at_exit, ptr::null_mut()) };
        world::enter(plan);
        traps::enter();
    }
}

unsafe extern "C" {
    fn on_exit(
        function: extern "C" fn(c_int, Out<core::ffi::c_void>),
        argument: *mut core::ffi::c_void,
    ) -> c_int;
}

/// The shared memory, mapped at the first use.
fn shared() -> &'static Shared {
    let known = SHARED.load(Ordering::Relaxed);
    if known.is_null() {
        let (read, write) = (libc::PROT_READ, libc::PROT_WRITE);
        let flags = (libc::MAP_SHARED | libc::MAP_ANONYMOUS) as usize;
        let arguments = [0, size_of::<Shared>(), (read | write) as usize, flags, usize::MAX, 0];
        let mapped = real::syscall(libc::SYS_mmap, arguments);
        if mapped < 0 {
            real::complain("sim: the system refuses a page of shared memory\n");
            real::exit(70);
        }
        SHARED.store(mapped as *mut Shared, Ordering::Relaxed);
    }
    // SAFETY: it was mapped above, is never unmapped, and holds atomics, for which zero is a value.
    unsafe { &*SHARED.load(Ordering::Relaxed) }
}

fn wait_for(child: c_int) -> c_int {
    let mut status: c_int = 0;
    let place = (&raw mut status) as usize;
    while real::syscall(libc::SYS_wait4, [child as usize, place, 0, 0, 0, 0])
        == -(libc::EINTR as isize)
    {}
    status
}

/// Ends the worker as its run ended.
fn die_like(status: c_int) -> ! {
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status) as usize;
        let pid = real::syscall(libc::SYS_getpid, [0; 6]) as usize;
        real::syscall(libc::SYS_kill, [pid, signal, 0, 0, 0, 0]);
    }
    real::exit(libc::WEXITSTATUS(status))
}

/// Writes the line of the run that this process was, and its trace where one was asked for.
pub fn write_report(report: &Report) {
    let reported = REPORTED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    let Some(reported) = reported else { return };
    let written = (|| {
        let Some(run) = reported.run else { return Ok(()) };
        if let (Some(path), Some(recorded)) = (&reported.trace, &report.recorded) {
            fs::write(path, recorded.to_bytes()).map_err(|error| {
                format!("{}: the trace cannot be written: {error}", path.display())
            })?;
        }
        Lines::open(&reported.lines)?.write(report::ended(run, report))
    })();
    if let Err(text) = written {
        real::complain(&format!("{text}\n"));
        return;
    }
    if let Some(lesson) = &report.lesson {
        lesson::put(lesson);
    }
    let shared = shared();
    shared.failed.store(report.end.failure().is_some(), Ordering::Relaxed);
    shared.has_ended.store(true, Ordering::Release);
}
