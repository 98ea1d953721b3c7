//! The report when nothing can happen: who waits for what, since when, spawned where.

use super::task::{Seen, WaitsFor};
use super::{Failure, FailureKind, Runtime, State};
use crate::id::TaskId;
use core::fmt::Write;

impl Runtime {
    /// Nobody is enabled and no deadline is left, but the root has not ended.
    pub(super) fn deadlock(&self) -> Failure {
        let waiting: Vec<(TaskId, Seen<'_>)> = self.waiting().collect();
        let message = match self.cycle() {
            Some(cycle) => {
                let names: Vec<String> = cycle.iter().map(|&id| self.name_of(id)).collect();
                format!("{} tasks wait for each other: {}", cycle.len(), names.join(" -> "))
            }
            None => match waiting.iter().find(|(_, task)| task.is_lost()) {
                Some((_, task)) => {
                    format!(
                        "lost wake-up: {} waits and nobody holds a waker of it",
                        task.display_name()
                    )
                }
                None => format!("nothing can happen any more, tasks waiting: {}", waiting.len()),
            },
        };
        Failure::new(FailureKind::Deadlock, message).with_details(self.waiting_tasks())
    }

    /// Tasks are polled again and again, and nothing comes of it.
    pub(super) fn livelock(&self) -> Failure {
        let polls = self.config.idle_polls_max;
        let busy: Vec<String> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.cell.state == State::Scheduled)
            .map(|(_, task)| (task.display_name(), task.record.spawned_at))
            .map(|(name, spawned_at)| format!("  {name} spawned at {spawned_at}\n"))
            .collect();
        Failure::new(FailureKind::Livelock, format!("{polls} polls in a row had no effect"))
            .with_details(format!("busy tasks:\n{}", busy.concat()))
    }

    /// One line for every waiting task.
    pub(super) fn waiting_tasks(&self) -> String {
        let mut text = String::new();
        for (id, task) in self.waiting() {
            let host = self.backend.host_name(task.cell.actor.host);
            let (name, since) = (task.display_name(), task.cell.since);
            let (what, spawned_at) = (self.what(task), task.record.spawned_at);
            writeln!(
                text,
                "  {id} {name} on {host} waits for {what} since {since}, spawned at {spawned_at}"
            )
            .expect("writing to a string does not fail");
        }
        text
    }

    fn waiting(&self) -> impl Iterator<Item = (TaskId, Seen<'_>)> {
        self.tasks.iter().filter(|(_, task)| task.cell.state == State::Waiting)
    }

    fn name_of(&self, id: TaskId) -> String {
        self.tasks.get(id).map_or_else(|| id.to_string(), |task| task.display_name())
    }

    /// What a waiting task waits for, as text.
    fn what(&self, task: Seen<'_>) -> String {
        match task.cell.waits() {
            WaitsFor::Unknown if task.is_lost() => {
                String::from("something that holds no waker of it (a lost wake-up)")
            }
            WaitsFor::Unknown => {
                format!("something that holds {} wakers of it", task.record.wakers)
            }
            WaitsFor::Object(object) if task.is_lost() => {
                format!("{} that holds no waker of it (a lost wake-up)", object.kind())
            }
            WaitsFor::Object(object) => object.kind().to_string(),
            WaitsFor::Timer(due) => format!("a timer due at {due}"),
            WaitsFor::Ready(fd, readiness) => {
                let open = self.backend.descriptions();
                let text =
                    open.iter().find(|open| open.fd == fd).map_or("closed", |open| &open.text);
                format!("{readiness} of {fd} ({text})")
            }
            WaitsFor::Completion(op) => format!("the completion of operation {}", op.0),
            WaitsFor::Join(id) => format!("the end of {id} {}", self.name_of(id)),
        }
    }

    /// Tasks that join each other in a ring.
    fn cycle(&self) -> Option<Vec<TaskId>> {
        let next = |id: TaskId| match self.tasks.get(id)?.cell.waits() {
            WaitsFor::Join(other) => Some(other),
            _ => None,
        };
        for (start, _) in self.waiting() {
            let mut path = vec![start];
            while let Some(id) = next(path[path.len() - 1]) {
                if id == start {
                    return Some(path);
                }
                if path.contains(&id) {
                    break;
                }
                path.push(id);
            }
        }
        None
    }
}
