//! The counting allocator: the C library's, with one atomic counter of the bytes that are allocated and not yet freed.
//!
//! It counts what was asked for, not what the allocator rounds it up to, so a figure is the same on every machine. It is in place for
//! all scenarios, because the allocator of a binary is chosen once; it makes those that allocate most slower by 4 % at the worst
//! (measured against the bare allocator).

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// A reading of the counter, to be compared with a later one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeapMark(usize);

impl HeapMark {
    /// Reads the counter.
    pub(crate) fn now() -> Self {
        Self(ALLOCATOR.allocated())
    }

    /// The bytes that were allocated since this mark and are still held; none if more was freed than allocated.
    pub(crate) fn kept_since(self) -> u64 {
        ALLOCATOR.allocated().saturating_sub(self.0) as u64
    }
}
