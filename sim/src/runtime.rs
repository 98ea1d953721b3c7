//! The two runtimes behind one trait: simulated, and on the operating system.
//!
//! ```
//! use sim::{Builder, OsRuntime, Runtime};
//! use std::time::Duration;
//!
//! async fn app() -> u32 {
//!     let doubled = sim::spawn(async {
//!         sim::time::sleep(Duration::from_millis(1)).await;
//!         21 * 2
//!     });
//!     doubled.await.unwrap()
//! }
//!
//! fn in_any(mut runtime: impl Runtime) -> u32 {
//!     runtime.block_on(app())
//! }
//!
//! assert_eq!(in_any(Builder::new().build()?), 42);
//! assert_eq!(in_any(OsRuntime::new()?), 42);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::faults::{self, Faults};
use crate::log::Lines;
use sim_core::backend::Backend;
use sim_core::choice::{Choices, Odometer, Seed};
use sim_core::policy::{Lesson, PolicyKind};
use sim_core::rt::{ConfigError, Engine, Failure, JoinHandle, Report, Run, RuntimeConfig};
use sim_core::{Env, HostId};
use sim_os::{OsBackend, OsConfig};
use std::io;
use std::sync::Arc;

/// Runs tasks. What differs between the implementations is the kernel below, and nothing else.
pub trait Runtime {
    /// Spawns a task, which runs whenever the runtime does.
    #[track_caller]
    fn spawn<F: Future + 'static>(&mut self, future: F) -> JoinHandle<F::Output>;

    /// Runs until `future` has ended.
    ///
    /// # Panics
    /// If the run fails before: a deadlock, a limit, a panic of the program.
    #[track_caller]
    fn block_on<F: Future + 'static>(&mut self, future: F) -> F::Output;

    /// Runs until every task has ended.
    ///
    /// # Errors
    /// Why the run ended before they did.
    fn run(&mut self) -> Result<(), Failure>;

    /// Drops all tasks and tells what there is to say about the run.
    fn shutdown(self) -> Report;
}

/// The simulated runtime. Made by [`Builder::build`](crate::Builder::build).
#[derive(Debug)]
pub struct SimRuntime {
    engine: Engine,
    lines: Lines,
    faults: Faults,
}

impl SimRuntime {
    pub(crate) fn new(engine: Engine, lines: Lines, faults: Faults) -> Self {
        Self { engine, lines, faults }
    }

    /// Runs until `future` has ended.
    ///
    /// # Errors
    /// Why the run failed before.
    #[track_caller]
    pub fn try_block_on<F: Future + 'static>(&mut self, future: F) -> Result<F::Output, Failure> {
        let _lines = self.lines.put_in_place();
        self.engine.block_on(future)
    }

    /// Runs one future to its end, and ends the run.
    #[track_caller]
    pub(crate) fn run_to_end<F: Future + 'static>(
        mut self,
        root: impl FnOnce() -> F,
    ) -> Run<F::Output> {
        let _lines = self.lines.put_in_place();
        let future = self.engine.enter(root);
        if self.faults.is_none() {
            return self.engine.run(future);
        }
        let faults = self.faults;
        self.engine.run(async move {
            let driver = crate::task::Builder::new().name("faults").spawn(faults::drive(faults));
            let output = future.await;
            driver.abort();
            // It has nothing to say but that it was aborted, or was done before.
            let _ = driver.await;
            output
        })
    }

    /// Ends the run and gives the odometer back, to be advanced for the next one.
    #[must_use]
    pub fn into_odometer(self) -> Option<Odometer> {
        self.engine.close_for_odometer()
    }
}

impl Runtime for SimRuntime {
    fn spawn<F: Future + 'static>(&mut self, future: F) -> JoinHandle<F::Output> {
        self.engine.spawn(future)
    }

    fn block_on<F: Future + 'static>(&mut self, future: F) -> F::Output {
        match self.try_block_on(future) {
            Ok(output) => output,
            Err(failure) => panic!("{failure}"),
        }
    }

    fn run(&mut self) -> Result<(), Failure> {
        let _lines = self.lines.put_in_place();
        self.engine.run_all()
    }

    fn shutdown(self) -> Report {
        self.engine.close(None)
    }
}

/// The runtime on the operating system (Linux).
#[derive(Debug)]
pub struct OsRuntime {
    engine: Engine,
}

impl OsRuntime {
    /// A runtime with the default limits, first in first out, and a seed of the system's.
    ///
    /// # Errors
    /// If the kernel refuses the descriptors that the reactor needs.
    pub fn new() -> io::Result<Self> {
        Self::with_config(RuntimeConfig {
            panics_end_run: false,
            steps_max: u64::MAX,
            ..RuntimeConfig::default()
        })
        .map_err(|error| io::Error::new(error.kind(), format!("the runtime cannot start: {error}")))
    }

    /// A runtime with limits of its own.
    ///
    /// # Errors
    /// A limit of zero, or a kernel that refuses the descriptors that the reactor needs.
    pub fn with_config(config: RuntimeConfig) -> io::Result<Self> {
        let mut backend = OsBackend::new(OsConfig::default())?;
        let waker = backend.waker();
        let config = RuntimeConfig { idle_polls_max: u64::MAX, ..config };
        let mut seed = [0; 8];
        backend.entropy(&mut Env::new(Choices::seeded(Seed::default())), HostId::ROOT, &mut seed);
        let choices = Choices::seeded(Seed::from_u64(u64::from_le_bytes(seed)));
        let policy = PolicyKind::Fifo.build(&choices, &Lesson::default());
        let engine = Engine::new(
            config,
            Env::new(choices),
            policy,
            Box::new(backend),
            Some(Arc::new(move || waker.wake())),
        );
        let engine = engine
            .map_err(|error: ConfigError| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(Self { engine })
    }
}

impl Runtime for OsRuntime {
    fn spawn<F: Future + 'static>(&mut self, future: F) -> JoinHandle<F::Output> {
        self.engine.spawn(future)
    }

    fn block_on<F: Future + 'static>(&mut self, future: F) -> F::Output {
        match self.engine.block_on(future) {
            Ok(output) => output,
            Err(failure) => panic!("{failure}"),
        }
    }

    fn run(&mut self) -> Result<(), Failure> {
        self.engine.run_all()
    }

    fn shutdown(self) -> Report {
        self.engine.close(None)
    }
}
