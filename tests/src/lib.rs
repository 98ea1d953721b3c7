//! What no crate can prove alone. There is no code here; the tests are in `tests/`:
//!
//! - `contract`: one suite of programs, on the simulated world and on Linux.
//! - `shape`: the seam without an engine, driven by threads that block; recorded answers of epoll.
//! - `recorded`: recorded answers about Unix sockets and pipes.
//! - `lifecycle`: tasks against a reference model, and users' code that calls back at every moment.
//! - `determinism`: equal seeds, equal runs, here, again, from the log, in another process.
//! - `outcomes`: planted programs, each reported as what it is.
//! - `oracle/`: what a real kernel answered, unchanged as recorded.
