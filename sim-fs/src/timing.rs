//! How long an operation takes.

use crate::disk::Disk;
use sim_core::Env;
use sim_core::backend::Op;

/// A duration of `base_ns` plus a chosen part of `jitter_ns`, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// The least it takes.
    pub base_ns: u64,
    /// How much longer it may take.
    pub jitter_ns: u64,
}

/// How long the operations of a disk take, by what they wait for.
///
/// The default is a solid-state disk behind a warm page cache: 2 to 20 µs for contents, 10 to 100 µs for names, 1 to
/// 10 ms to sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Reading, writing and whatever else concerns an open file: served by the page cache.
    pub contents: Delay,
    /// Whatever takes a path: served by the cached directories.
    pub names: Delay,
    /// Making durable: waits for the medium.
    pub sync: Delay,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            contents: Delay { base_ns: 2_000, jitter_ns: 18_000 },
            names: Delay { base_ns: 10_000, jitter_ns: 90_000 },
            sync: Delay { base_ns: 1_000_000, jitter_ns: 9_000_000 },
        }
    }
}

impl Timing {
    fn of(&self, op: &Op) -> Delay {
        match op {
            Op::Sync { .. } | Op::SyncAll => self.sync,
            Op::Open { .. }
            | Op::Rename { .. }
            | Op::RemoveFile { .. }
            | Op::CreateDir { .. }
            | Op::MakeFifo { .. }
            | Op::RemoveDir { .. }
            | Op::ReadDir { .. }
            | Op::ReadDirFd { .. }
            | Op::Link { .. }
            | Op::Symlink { .. }
            | Op::ReadLink { .. }
            | Op::SetAttributes { .. }
            | Op::Stat { .. } => self.names,
            _ => self.contents,
        }
    }
}

impl Disk {
    /// Sets how long operations take from now on.
    pub fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
    }

    /// How long `op` takes, in nanoseconds: its base and a part of its jitter by choice (site `fs.disk.delay`), the
    /// dull answer being none of it.
    pub fn latency(&mut self, env: &mut Env, op: &Op) -> u64 {
        let Delay { base_ns, jitter_ns } = self.timing.of(op);
        base_ns.saturating_add(env.choices.pick(&mut self.delay, jitter_ns.saturating_add(1)))
    }
}
