//! What befalls a host, as far as tasks are concerned: held, released, killed, booted.

use super::task::{Cell, Content};
use super::{Boot, Runtime};
use crate::enabled::{EnabledSet, Runnable};
use crate::id::{HostId, TaskId};
use core::mem;

/// Hosts whose tasks get no turn, and the tasks that would have one.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// By host; those behind the last are not held.
    hosts: Vec<bool>,
    parked: Vec<TaskId>,
}

impl Held {
    /// Enters a task into the enabled set, unless its host is held.
    #[inline(always)]
    pub(super) fn admit(&mut self, enabled: &mut EnabledSet, id: TaskId, cell: &Cell) {
        if self.hosts.get(cell.actor.host.index()) == Some(&true) {
            self.parked.push(id);
        } else {
            enabled.insert_task(id, || cell.member(id));
        }
    }
}

impl Runtime {
    /// No task of `host` gets a turn until it is released.
    pub fn hold_host(&mut self, host: HostId) {
        let hosts = &mut self.held.hosts;
        if hosts.len() <= host.index() {
            hosts.resize(host.index() + 1, false);
        }
        hosts[host.index()] = true;
        let parked = self.take_members_of(host);
        self.held.parked.extend(parked);
    }

    /// Takes the tasks of a host out of the enabled set.
    fn take_members_of(&mut self, host: HostId) -> Vec<TaskId> {
        let tasks = &self.tasks;
        let of_host = |id: TaskId| tasks.get(id).is_some_and(|task| task.cell.actor.host == host);
        let left = self
            .enabled
            .remove_all(|runnable| matches!(runnable, Runnable::Task(id) if of_host(id)));
        left.into_iter().filter_map(Runnable::task).collect()
    }

    /// The tasks of `host` go on.
    pub fn release_host(&mut self, host: HostId) {
        if let Some(held) = self.held.hosts.get_mut(host.index()) {
            *held = false;
        }
        for id in mem::take(&mut self.held.parked) {
            let here = self
                .tasks
                .get_mut(id)
                .filter(|cell| cell.state.is_enabled())
                .map(|cell| cell.actor.host);
            match here {
                Some(here) if here == host => self.enable(id),
                Some(_) => self.held.parked.push(id),
                None => {}
            }
        }
    }

    /// The host crashed: its tasks never have a turn again, and their destructors run when the world is inert.
    pub fn kill_host(&mut self, host: HostId) {
        drop(self.take_members_of(host));
        for id in self.tasks_of(host) {
            let cell = self.tasks.cell(id);
            if cell.state.has_ended() {
                continue;
            }
            cell.state.kill();
            cell.killed = true;
            // The one that crashed its own host still runs; `park` buries it.
            if self.current != Some(id) {
                let task = self.tasks.cell(id).task.take();
                self.graveyard.extend(task.map(Content::Task));
                self.ended(id);
            }
        }
    }

    /// What `host` runs from its start on: `boot` is called at every restart.
    pub fn set_boot(&mut self, host: HostId, boot: Boot) -> Option<Boot> {
        if self.boots.len() <= host.index() {
            self.boots.resize(host.index() + 1, None);
        }
        self.boots[host.index()].replace(boot)
    }

    /// What `host` runs from its start on.
    #[must_use]
    pub fn boot(&self, host: HostId) -> Option<Boot> {
        self.boots.get(host.index()).cloned().flatten()
    }

    fn tasks_of(&self, host: HostId) -> Vec<TaskId> {
        self.tasks
            .iter()
            .filter(|(_, task)| task.cell.actor.host == host)
            .map(|(id, _)| id)
            .collect()
    }
}
