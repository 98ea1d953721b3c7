//! What befalls a host, as far as tasks are concerned: held, released, killed, booted.

use super::{Boot, Runtime};
use crate::enabled::{Member, Runnable};
use crate::id::{HostId, TaskId};
use core::mem;

impl Runtime {
    /// No task of `host` gets a turn until it is released.
    pub fn hold_host(&mut self, host: HostId) {
        if self.held.len() <= host.index() {
            self.held.resize(host.index() + 1, false);
        }
        self.held[host.index()] = true;
        let parked = self.take_members_of(host);
        self.parked.extend(parked);
    }

    /// Takes the tasks of a host out of the enabled set.
    fn take_members_of(&mut self, host: HostId) -> Vec<TaskId> {
        let tasks = &self.tasks;
        let of_host = |id: TaskId| tasks.get(id).is_some_and(|cell| cell.actor.host == host);
        let members = self
            .enabled
            .remove_all(|member| matches!(member.runnable, Runnable::Task(id) if of_host(id)));
        members.iter().filter_map(Member::task).collect()
    }

    /// The tasks of `host` go on.
    pub fn release_host(&mut self, host: HostId) {
        if let Some(held) = self.held.get_mut(host.index()) {
            *held = false;
        }
        for id in mem::take(&mut self.parked) {
            let here = self
                .tasks
                .get_mut(id)
                .filter(|cell| cell.state.is_enabled())
                .map(|cell| cell.actor.host);
            match here {
                Some(here) if here == host => self.enqueue(id),
                Some(_) => self.parked.push(id),
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
                let content = self.tasks.cell(id).content.take();
                self.graveyard.push(content);
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
        self.tasks.iter().filter(|(_, cell)| cell.actor.host == host).map(|(id, _)| id).collect()
    }
}
