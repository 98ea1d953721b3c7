//! The contracts of the simulation and the engine that runs on them.
//!
//! In reading order:
//! - [`choice`]: all that could go otherwise, asked of one `Choices`.
//! - [`trace`]: what happened; the fingerprint.
//! - [`env`](mod@env): the time, choices and trace lent to a machine for one call.
//! - [`backend`]: the seam, a kernel at the height of system calls.
//! - [`enabled`]: the actors that could run now; [`policy`]: which of them does; [`object`]: what they share.
//! - [`rt`]: the engine, the same over every backend.
//! - [`simtrace`]: the file of a failure.
//!
//! This crate names no model: it knows neither TCP nor inodes. The models know no task and no waker.

pub mod backend;
pub mod choice;
pub mod enabled;
pub mod env;
mod errno;
mod id;
mod members;
pub mod object;
pub mod place;
pub mod policy;
mod prefetch;
pub mod rt;
pub mod simtrace;
pub mod trace;

pub use env::Env;
pub use errno::{Errno, Result};
pub use id::{EventId, Fd, HostId, OpId, TaskId, ThreadId};
pub use prefetch::prefetch;
