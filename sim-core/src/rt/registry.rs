//! What one can ask about tasks, at any moment.

use super::task::{Seen, WaitsFor};
use super::{Runtime, State};
use crate::choice::Path;
use crate::id::{HostId, TaskId};
use core::panic::Location;
use sim_time::Instant;

/// A task, as it stands.
#[derive(Clone, Debug)]
pub struct TaskInfo {
    /// Its number.
    pub id: TaskId,
    /// Its structural name, hashed.
    pub path: Path,
    /// Its name: given, or the type of its future.
    pub name: String,
    /// The host it runs on.
    pub host: HostId,
    /// Who spawned it; itself for a root.
    pub parent: TaskId,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// Where it stands.
    pub state: State,
    /// What it waits for, if it waits.
    pub waits_for: WaitsFor,
    /// Since when it waits, in true time.
    pub waiting_since: Instant,
    /// How often it was polled.
    pub polls: u32,
    /// How often it was woken.
    pub wakes: u32,
    /// How many wakers of it somebody keeps, not counting timers, descriptors and joins.
    pub wakers: u32,
}

impl Runtime {
    /// Every task that has not been forgotten: those alive, and those ended whose handle is still held.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.tasks.iter().map(|(id, task)| self.info(id, task)).collect()
    }

    fn info(&self, id: TaskId, task: Seen<'_>) -> TaskInfo {
        let Seen { cell, record } = task;
        TaskInfo {
            id,
            path: cell.actor.path,
            name: task.display_name(),
            host: cell.actor.host,
            parent: self.tasks.parent(task),
            spawned_at: record.spawned_at,
            state: cell.state,
            waits_for: cell.waits(),
            waiting_since: cell.since,
            polls: cell.turns,
            wakes: cell.wakes,
            wakers: record.wakers,
        }
    }
}
