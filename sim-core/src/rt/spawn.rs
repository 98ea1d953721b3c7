//! How tasks begin.

use super::join::JoinHandle;
use super::task::{BoxedTask, NewTask, Stage};
use super::{Failure, FailureKind, Runtime, current};
use crate::choice::name_hash;
use crate::env::Actor;
use crate::id::{HostId, TaskId};
use crate::trace::Kind;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_task::{FutureObj, LocalFutureObj, LocalSpawn, Spawn, SpawnError};

/// Spawns a task on the host of the caller.
///
/// The task's name is the type of its future; give it one of its own with [`TaskBuilder`], so that
/// logs of choices survive when the code moves.
///
/// # Panics
/// Outside a runtime.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    TaskBuilder::new().spawn(future)
}

/// Decides more about a task before it is spawned.
#[derive(Clone, Debug, Default)]
pub struct TaskBuilder {
    name: Option<Box<str>>,
    host: Option<HostId>,
    level: u8,
}

impl TaskBuilder {
    /// As [`spawn`] does it.
    #[must_use]
    pub const fn new() -> Self {
        Self { name: None, host: None, level: 0 }
    }

    /// A name, unique among its siblings at best.
    #[must_use]
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Another host than the spawner's. Its parent in the tree of names is then the host itself.
    #[must_use]
    pub const fn host(mut self, host: HostId) -> Self {
        self.host = Some(host);
        self
    }

    /// Scheduling level, 0 the most urgent; only the priority policy looks at it.
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.level = level;
        self
    }

    /// Spawns the task.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        self.spawn_at(future, Location::caller())
    }

    /// As [`TaskBuilder::spawn`], on behalf of a caller at `spawned_at`.
    pub(super) fn spawn_at<F>(
        self,
        future: F,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        let task: BoxedTask = Box::pin(Stage::new(future));
        JoinHandle::new(current::with(|runtime| runtime.spawn(self, task, spawned_at)))
    }
}

/// Hashes of type names by address, because a type's name is long and hashed at every spawn.
///
/// The address only finds the place; a hit is checked, and the hash is the same either way. Made with the first task: many a
/// world of a search is made, looked at and dropped.
#[derive(Debug, Default)]
pub(super) struct NameCache(Option<Box<[(usize, usize, u64); 16]>>);

impl NameCache {
    fn hash(&mut self, name: &'static str) -> u64 {
        let (address, len) = (name.as_ptr().addr(), name.len());
        let entry = &mut self.0.get_or_insert_default()[(address >> 3) % 16];
        if (entry.0, entry.1) != (address, len) {
            *entry = (address, len, name_hash(name));
        }
        entry.2
    }
}

impl Runtime {
    /// Gives a future a cell, a name and a place in line.
    pub(super) fn spawn(
        &mut self,
        options: TaskBuilder,
        task: BoxedTask,
        spawned_at: &'static Location<'static>,
    ) -> TaskId {
        let TaskBuilder { name, host, level } = options;
        let name_hash = match &name {
            Some(name) => name_hash(name),
            None => self.spawner_cache.hash(task.type_name()),
        };
        let spawner = self.env.actor;
        let elsewhere = host.filter(|&host| self.current.is_none() || host != spawner.host);
        let (parent, parent_path, host) = match elsewhere {
            Some(host) => (None, self.backend.host_path(host), host),
            None => (self.current, spawner.path, spawner.host),
        };
        let ordinal = self.tasks.next_ordinal(parent, parent_path, name_hash);
        let path = parent_path.child_hashed(name_hash, ordinal);
        if self.env.choices.names.are_kept() {
            let text = name.as_deref().unwrap_or(task.type_name());
            self.env.choices.names.note(path, parent_path, text, ordinal);
        }
        let actor = Actor { path, host, opened: 0 };
        self.effect_step = self.steps;
        self.alive += 1;
        let id = self.tasks.insert(NewTask { task, name, actor, level, spawned_at }, parent);
        self.env.event(Kind::Spawn, path, u64::from(ordinal), 0, 0);
        self.enabled.born(path, spawner.path);
        self.env.trace.spawned(path, || spawned_at.to_string());
        self.tasks.cell(id).state.schedule();
        if self.inert {
            // Nothing runs any more; the task is dropped with the others.
            return id;
        }
        self.enable(id);
        self.check_population();
        id
    }

    fn check_population(&mut self) {
        let (tasks, enabled) = (self.tasks.len(), self.enabled.members().len());
        if tasks > self.config.tasks_max {
            self.fail(Failure::new(
                FailureKind::Limit,
                format!("more than {} tasks are alive", self.config.tasks_max),
            ));
        }
        if enabled > self.config.enabled_max {
            let text = format!("more than {} actors are enabled at once", self.config.enabled_max);
            self.fail(Failure::new(FailureKind::Limit, text));
        }
    }
}

/// Spawns for libraries that are written against the `futures` traits. Their tasks are detached.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spawner;

impl Spawn for Spawner {
    fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.status()?;
        spawn(future).detach();
        Ok(())
    }

    fn status(&self) -> Result<(), SpawnError> {
        if current::is_inside() { Ok(()) } else { Err(SpawnError::shutdown()) }
    }
}

impl LocalSpawn for Spawner {
    fn spawn_local_obj(&self, future: LocalFutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.status_local()?;
        spawn(future).detach();
        Ok(())
    }

    fn status_local(&self) -> Result<(), SpawnError> {
        if current::is_inside() { Ok(()) } else { Err(SpawnError::shutdown()) }
    }
}

/// Gives up the turn once.
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// See [`yield_now`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
