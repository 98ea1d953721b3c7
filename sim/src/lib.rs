//! A deterministic simulation runtime.
//!
//! One async program runs in a simulated world, where a seed decides every interleaving, packet and
//! fault, or on the operating system, with the same executor, sockets, files and timers above both.
//!
//! ```
//! use std::time::Duration;
//!
//! let run = sim::Builder::new().seed(7).run(|| async {
//!     let server = sim::host("server");
//!     server.spawn(async {
//!         let listener = sim::net::TcpListener::bind("0.0.0.0:80").await?;
//!         let (mut stream, _) = listener.accept().await?;
//!         stream.write_all(b"hello").await
//!     });
//!     let client = sim::host("client").spawn(async {
//!         sim::time::sleep(Duration::from_secs(1)).await;
//!         let mut stream = sim::net::TcpStream::connect("server:80").await?;
//!         let mut text = String::new();
//!         stream.read_to_string(&mut text).await?;
//!         std::io::Result::Ok(text)
//!     });
//!     client.await.unwrap().unwrap()
//! });
//! println!("fingerprint {}", run.report.fingerprint);
//! assert_eq!(run.unwrap(), "hello");
//! ```
//!
//! - [`Builder`] makes a simulated run; [`runtime`] has the [`Runtime`] trait with both its implementations.
//! - [`spawn`], [`task`]: tasks. [`time`], [`net`], [`fs`], [`sync`], [`rand`], [`signal`]: what tokio and std have, in the world.
//! - [`mod@host`]: machines, and what can befall them. [`net::faults`]: what can befall links.
//! - [`assertions`]: what always holds, what sometimes happens, invariants, provoked faults.
//! - [`test`](macro@test) and [`main`](macro@main): the attributes.

pub mod assertions;
mod builder;
pub mod faults;
pub mod fs;
#[doc(hidden)]
pub mod harness;
pub mod host;
#[cfg(feature = "hyper")]
pub mod hyper;
mod log;
pub mod net;
pub mod rand;
pub mod runtime;
pub mod signal;
#[cfg(feature = "sync")]
pub mod sync;
pub mod task;
pub mod time;

pub use assertions::invariant;
pub use builder::Builder;
pub use host::{Host, host};
pub use runtime::{OsRuntime, Runtime, SimRuntime};
pub use sim_core::choice::{Log, Odometer, Ratio, Seed};
pub use sim_core::policy::{Lesson, PolicyKind};
pub use sim_core::rt::{ConfigError, End, Failure, FailureKind, Leaks, Report, Run, RuntimeConfig};
pub use sim_core::trace::{Fingerprint, Probe, first_divergence};
pub use sim_core::{Errno, simtrace};
#[cfg(feature = "macros")]
pub use sim_macros::{main, test};
pub use sim_world::LinkConfig;
pub use task::{spawn, yield_now};

/// Whether the caller runs in a simulated world.
#[must_use]
pub fn in_simulation() -> bool {
    sim_core::rt::try_with(|runtime| runtime.is_simulated()).unwrap_or(false)
}

/// Makes `value` part of the run's fingerprint: a cheap way to find out where two runs part.
///
/// # Panics
/// Outside a runtime.
pub fn observe(value: u64) {
    sim_core::rt::with(|runtime| {
        let path = runtime.actor_path();
        runtime.env().event(sim_core::trace::Kind::Observe, path, 0, 0, value);
    });
}

/// The README's code is compiled and run with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
