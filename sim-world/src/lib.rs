//! The simulated world: hosts, each with its own kernel, clock and disk, and the fabric between them.
//!
//! [`Universe`] implements [`Backend`](sim_core::backend::Backend). It is the one place that sees both
//! the models (`sim-net`, `sim-fs`) and the contracts, and it adds what lies between them:
//! - `table`: descriptor numbers, open descriptions, epoll objects; `queue`: who waits at one;
//! - `agenda`: what will happen, by its instant; it puts deliveries and kernel timers into the enabled set;
//! - `host`: a machine and whether it is up;
//! - `unix`: Unix sockets;
//! - `pipes`: pipes;
//! - `files`: what a door asks of files beside the submissions;
//! - `objects`, `counter`, `timerfd`: what is neither socket nor file;
//! - `calls`: the system calls, each a look-up, a call of the model, and a flush of what it put out;
//! - `control`: what only a simulated world can do: crash, restart, partition, step a clock.
//!
//! Never: a task or a waker known here; an event acted on before it has the turn; time moved
//! anywhere but in `wait`.

#![forbid(unsafe_code)]

mod agenda;
mod calls;
mod control;
mod counter;
mod epoll;
mod files;
mod host;
mod line;
mod messages;
mod objects;
mod ops;
mod pipes;
mod queue;
mod table;
mod timerfd;
mod universe;
mod unix;

pub use files::Mapped;
pub use host::HostState;
pub use sim_fs::{Found, FoundNode, Lower};
pub use sim_net::LinkConfig;
pub use universe::{Universe, WorldConfig};
