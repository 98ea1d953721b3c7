//! Programs that show what the simulation is for.
//!
//! [`bank`]: an HTTP service on unmodified hyper, on three hosts, with a bug of a kind that real HTTP
//! clients have had: a request that failed on a reused connection is sent again, although the server
//! may have acted on it.

pub mod bank;
