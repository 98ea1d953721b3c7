//! How code that is compiled into a program reaches the simulated world of its process.
//!
//! The world lives in one shared object (`sim-libc`), which is loaded before the program. What else wants to speak to it,
//! such as the tokio door's gate, is built with the program by the user's own compiler. Between the two there is no Rust
//! type and no crate in common, only this table of C functions, so that either side may be of another compiler version,
//! and so that a process can never hold two worlds.
//!
//! A task of another runtime takes part in the world's schedule as a *gated* task:
//!
//! ```text
//! task_open ──▶ waiting ──task_wake──▶ ready ──(world: `grant` is called)──▶ granted ──task_begin = true──▶ running
//!                  ▲                     ▲                                                                    │
//!                  │                     └───────────── if it was woken while it ran ─────────────────────────┤
//!                  └───────────────────────────────────────────────────────────────────────────── task_end ──┘
//! ```
//!
//! - A new task waits. Its gate wakes it at once where the runtime is sure to poll it, else when the runtime first
//!   does: a task of a `LocalSet` that nobody drives yet must not be granted a turn that nobody would use.
//! - The gate polls its future only after `task_begin` has answered true, which it does once a grant. A poll without a
//!   grant is refused: it answers pending, and costs neither time nor a choice.
//! - `task_end` gives up the turn. The world picks who is next; if that is a gated task, its `grant` is called before
//!   `task_end` returns, on this thread, with nothing of the world borrowed. `grant` wakes the runtime's own waker.
//! - `task_wake` may come at any time and from any thread of the world; while the task runs it is remembered; while
//!   it is ready or granted it says nothing new.
//! - `task_close` comes once, when the gated future is dropped; no call for the task may follow.
//! - Never: a call into the world from inside `task_open`'s arguments, or a `grant` that polls.

#![forbid(unsafe_code)]

use core::ffi::c_void;

/// The version of the table: another one is another world.
pub const VERSION: u32 = 1;

/// The symbol of the function without arguments that returns the table, `*const Abi`; null where there is no world.
pub const SYMBOL: &core::ffi::CStr = c"sim_abi";

/// A text that is lent for a call.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Text {
    /// Its first byte; UTF-8.
    pub start: *const u8,
    /// How many bytes.
    pub len: usize,
}

impl Text {
    /// Lends a text.
    #[must_use]
    pub const fn of(text: &str) -> Self {
        Self { start: text.as_ptr(), len: text.len() }
    }
}

/// What the world offers.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Abi {
    /// [`VERSION`] of the object.
    pub version: u32,
    /// Whether the calling thread belongs to a simulated world.
    pub in_world: extern "C" fn() -> bool,
    /// A new gated task, which waits for its first `task_wake`. `name` is the type of its future or a name that was given; `spawned_at` is
    /// `file:line:column`. `gate` is handed back to `grant`, and both stay valid until `task_close`.
    pub task_open: extern "C" fn(
        name: Text,
        spawned_at: Text,
        gate: *const c_void,
        grant: extern "C" fn(*const c_void),
    ) -> u64,
    /// The task's future was woken.
    pub task_wake: extern "C" fn(task: u64),
    /// Its runtime polls it: whether it may run now.
    pub task_begin: extern "C" fn(task: u64) -> bool,
    /// The poll that `task_begin` allowed has ended; whether the future is done.
    pub task_end: extern "C" fn(task: u64, done: bool),
    /// Its future was dropped.
    pub task_close: extern "C" fn(task: u64),
    /// A place where the running task may give up its turn although it need not: `kind` names the primitive, `object` tells
    /// one from another (an address, or a descriptor number; it is never hashed, only its first use is counted). True: answer pending
    /// once, after waking yourself.
    pub sync_point: extern "C" fn(kind: Text, object: usize) -> bool,
    /// One of `n` alternatives of the running actor, 0 the dull one. `site` is a name such as `tokio.select.start`.
    pub pick: extern "C" fn(site: Text, n: u64) -> u64,
    /// The running task is about to block its thread (`block_in_place`): it gives up its turn, and others may run.
    pub blocking_begin: extern "C" fn(),
    /// It no longer does.
    pub blocking_end: extern "C" fn(),
}
