//! The simulated kernel behind libc's symbols.
//!
//! This object is loaded before an unmodified program (`LD_PRELOAD`). It defines the functions through which a program
//! reaches the kernel, and answers them from one [`Universe`](sim_world::Universe): clocks, entropy, sockets, epoll, threads. A process
//! is one world and one run; the worker in [`server`] forks a process for each.
//!
//! - [`server`]: before `main`, the orders are read and a process is forked for each run, which enters its world.
//! - [`world`]: what there is of a world in a process, and who may touch it. [`mod@turn`]: who runs next, and how the turn is passed.
//! - [`thread`]: threads of the world, one of which runs at a time. [`gate`]: tasks of a runtime that let us order them.
//! - [`overlay`]: which of the machine's files lie below the simulated disk. Nothing real is ever changed.
//! - [`places`]: where in its source the program stands, for a replay that asks.
//! - [`windows`]: files of the disk in memory that is shared.
//! - [`finish`]: the end of a run and its report. [`lesson`], [`memfile`]: what it teaches the next runs, and how that travels.
//! - [`objects`]: what tasks share, by name.
//! - `heap`: the object's own memory, apart from the program's.
//! - [`traps`]: what symbols cannot see: the cycle counter, raw system calls, threads that spin.
//! - [`symbols`]: the functions, file by file as in the manual. [`memory`]: the caller's memory. [`real`]: the system below.
//!
//! What may never happen:
//! - Two threads of a world at once outside a wait for the turn: whoever has the turn has the world, so it needs no lock.
//! - The program's code while the world is borrowed. What the kernel's own code calls of libc goes to the system.
//! - Silence about what is not modelled: it answers an error and leaves a notice, or ends the run as an escape.

pub mod descriptors;
pub mod finish;
pub mod gate;
mod heap;
pub mod lesson;
pub mod memfile;
pub mod memory;
pub mod objects;
pub mod overlay;
pub mod places;
pub mod real;
pub mod server;
pub mod symbols;
pub mod thread;
pub mod traps;
pub mod turn;
pub mod windows;
pub mod world;
