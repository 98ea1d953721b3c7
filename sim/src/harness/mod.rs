//! What a `#[sim::test]` function does when it is called.
//!
//! - Alone, under `cargo test` or nextest: it replays the failures stored for it, then runs a few
//!   seeds from a constant base, so that the verdict is the same on every machine and day. See `local`.
//! - As a worker, when `cargo sim` has set `SIM_WORKER` and `SIM_PLAN`: it performs the runs it is
//!   told to and writes a line of JSON for each. See `worker`.
//! - Run `i` of a test depends on (base seed, test name, `i`) and on the head of its batch of 32,
//!   which is FIFO and teaches the others how many choices to expect; see [`sim_worker::batch`]. Nothing
//!   else is carried from run to run.
//! - Each run has an operating-system thread to itself, since std keeps hash keys per thread.
//! - A mistake in a `SIM_*` variable fails the test with one line; it is never ignored.

mod local;
mod settings;
mod story;
mod subject;
#[cfg(test)]
mod tests;
mod worker;

use crate::Builder;
use core::any::Any;
use core::fmt;
use core::time::Duration;
use std::panic;

/// What the attribute knows about its function.
#[derive(Clone, Copy, Debug)]
pub struct TestSpec {
    /// `CARGO_PKG_NAME` of the package.
    pub package: &'static str,
    /// `CARGO_MANIFEST_DIR` of the package.
    pub manifest_dir: &'static str,
    /// `module_path!()` around the function; begins with the crate's name.
    pub module: &'static str,
    /// The function.
    pub name: &'static str,
    /// `file!()` of the function.
    pub file: &'static str,
    /// `line!()` of the function.
    pub line: u32,
    /// `runs = …`: how many seeds, where nothing else says so.
    pub runs: Option<u64>,
    /// `seed = "…"`: the base seed under plain `cargo test`.
    pub seed: Option<&'static str>,
    /// `time_limit = …`: virtual time after which a run fails.
    pub time_limit: Option<Duration>,
    /// `steps_max = …`: turns after which a run fails.
    pub steps_max: Option<u64>,
    /// `should_fail = "…"`: the test demonstrates a bug, whose message contains this. Under `cargo test` it passes if one
    /// of its runs fails so; under `cargo sim` the failure is reported like any other.
    pub should_fail: Option<&'static str>,
}

impl TestSpec {
    /// The test's full name: package, then crate unless it is the package's library, then modules and function.
    ///
    /// Seeds are derived from it, so it is the same under `cargo test` and `cargo sim`.
    #[must_use]
    pub fn full_name(&self) -> String {
        let package = self.package.replace('-', "_");
        let crate_name = self.module.split("::").next().unwrap_or_default();
        let prefix = if crate_name == package { String::new() } else { format!("{package}::") };
        format!("{prefix}{}::{}", self.module, self.name)
    }

    /// The name that the test harness knows it by: without the crate.
    #[must_use]
    pub fn path_in_binary(&self) -> String {
        match self.module.split_once("::") {
            Some((_, modules)) => format!("{modules}::{}", self.name),
            None => self.name.to_owned(),
        }
    }
}

/// What a test may return.
pub trait Verdict {
    /// `Err` with a text if the test failed.
    ///
    /// # Errors
    /// If the value says that the test failed.
    fn verdict(self) -> Result<(), String>;
}

impl Verdict for () {
    fn verdict(self) -> Result<(), String> {
        Ok(())
    }
}

impl<T: Verdict, E: fmt::Debug> Verdict for Result<T, E> {
    fn verdict(self) -> Result<(), String> {
        match self {
            Ok(value) => value.verdict(),
            Err(error) => Err(format!("{error:?}")),
        }
    }
}

/// Runs a test as the environment says: alone, or as a worker of `cargo sim`.
///
/// # Panics
/// If the test failed, or a `SIM_*` variable has a bad value: quietly, after the text has been printed.
pub fn run<F, Fut, T>(spec: TestSpec, configure: fn(Builder) -> Builder, body: F)
where
    F: Fn() -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = T> + 'static,
    T: Verdict + 'static,
{
    let subject = subject::Subject::new(spec, configure, body);
    let result = match settings::read() {
        Ok(settings::Mode::Worker { report, plan }) => worker::run(&subject, &report, &plan),
        Ok(settings::Mode::Local(settings)) => local::run(&subject, &settings),
        Err(mistake) => Err(mistake),
    };
    if let Err(text) = result {
        fail(text);
    }
}

/// Fails the test with a text. The panic hook would add a place in this file and a backtrace, neither of which helps anybody.
fn fail(text: String) -> ! {
    eprintln!("{text}");
    let payload: Box<dyn Any + Send> = Box::new(text);
    panic::resume_unwind(payload)
}
