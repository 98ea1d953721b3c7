//! Identifiers: packed integers, never pointers.
//!
//! An address differs from run to run and must not decide anything, so everything that lives in a
//! world is named by an index, with a generation where the place is used again.

use core::fmt;

/// A machine of the world, with its own kernel, clock and disk; numbered in the order of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HostId(u32);

impl HostId {
    /// The host that exists before any other: where the root task of a run lives.
    pub const ROOT: Self = Self(0);

    /// The `index`-th host.
    #[must_use]
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// Its place in the table of hosts.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host{}", self.0)
    }
}

/// A descriptor number. There is one number space per world: the description behind it remembers its host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fd(u32);

impl Fd {
    /// The descriptor with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Its place in the descriptor table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for Fd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fd{}", self.0)
    }
}

impl fmt::Display for Fd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A task: its place in the slab, the generation of that place, and the runtime it belongs to.
///
/// The three fit one machine word, so a waker is such an integer and nothing more. The generation
/// has 16 bits and wraps: a waker kept through 65,536 reuses of one place costs a spurious poll.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(u64);

impl TaskId {
    /// Packs place, generation and runtime.
    #[must_use]
    pub const fn new(index: u32, generation: u16, runtime: u16) -> Self {
        Self((runtime as u64) << 48 | (generation as u64) << 32 | index as u64)
    }

    /// The packed form.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// From the packed form.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its place in the slab of tasks.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as u32 as usize
    }

    /// The generation of that place.
    #[must_use]
    pub const fn generation(self) -> u16 {
        (self.0 >> 32) as u16
    }

    /// The runtime that made it.
    #[must_use]
    pub const fn runtime(self) -> u16 {
        (self.0 >> 48) as u16
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task{}.{}", self.index(), self.generation())
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// An event on a backend's agenda that has come due: a delivery, a kernel timer, a disk completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u64);

/// A submitted file operation whose completion is still to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// An operating-system thread of the world. The libc door makes them; tests make them up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(pub u32);

/// Who waits. A kernel knows nobody but by such a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Waiter {
    /// A task of the native runtime.
    Task(TaskId),
    /// A waker that is not a task's own, kept by the engine under this number (a future inside a combinator).
    Waker(u32),
    /// A thread in a blocking call.
    Thread(ThreadId),
}
