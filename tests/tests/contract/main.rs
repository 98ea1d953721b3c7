//! One contract, two kernels: every case here is one async program that runs in the simulated world,
//! under several schedules, and on Linux. Where the two differ, Linux is right.
//!
//! Each module lists its cases with `on_both!`, which makes `in_sim::case` and `on_os::case` of each;
//! a case that is not listed is dead code, and so an error of the build.

mod files;
mod names;
mod objects;
mod options;
mod readiness;
mod signals;
mod sync;
mod tasks;
mod tcp;
mod timers;
mod udp;
mod unix;

use sim::{Builder, End, OsRuntime, PolicyKind, Runtime};
use std::future::Future;
use std::io;
use std::time::Duration;

/// How many random schedules a case is run under, besides first in, first out.
const RANDOM_SCHEDULES: u64 = 8;
/// What a case may take by the clock of its runtime.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a case in simulated worlds.
fn run_in_simulation<F: Future<Output = io::Result<()>> + 'static>(case: fn() -> F) {
    let random = (1..=RANDOM_SCHEDULES).map(|seed| (PolicyKind::Random, seed));
    for (policy, seed) in [(PolicyKind::Fifo, 0)].into_iter().chain(random) {
        let run = Builder::new().seed(seed).policy(policy).time_limit(LIMIT).run(case);
        match (run.report.end, run.output) {
            (End::Done, Some(Ok(()))) => {}
            (End::Done, output) => {
                panic!("under {policy} with seed {seed} the case gave {output:?}")
            }
            (End::Failed(failure), _) => panic!("under {policy} with seed {seed}: {failure}"),
        }
    }
}

/// Runs a case on Linux.
fn run_on_linux<F: Future<Output = io::Result<()>> + 'static>(case: fn() -> F) {
    let mut runtime = OsRuntime::new().expect("Linux gives a process the descriptors of a runtime");
    let outcome = runtime.block_on(async move { sim::time::timeout(LIMIT, case()).await });
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => panic!("the case failed: {error}"),
        Err(elapsed) => panic!("the case hangs: {elapsed}"),
    }
}

/// Lists the cases of a module.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod in_sim {
            $(#[test] fn $case() { crate::run_in_simulation(super::$case); })*
        }
        mod on_os {
            $(#[test] fn $case() { crate::run_on_linux(super::$case); })*
        }
    };
}
pub(crate) use on_both;

/// Long enough for packets of one machine to arrive and timers of a few milliseconds to fire.
async fn settle() {
    sim::time::sleep(Duration::from_millis(20)).await;
}

/// The number of the error that a call gave.
#[track_caller]
fn errno<T>(result: io::Result<T>) -> sim::Errno {
    let error = result.err().expect("the call fails");
    let number = error.raw_os_error().unwrap_or_else(|| panic!("{error} has a number"));
    sim::Errno::from_raw(u16::try_from(number).expect("an error number is small"))
}
