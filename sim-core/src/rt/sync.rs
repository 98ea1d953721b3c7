//! Sync points: where a running task may be interrupted although it need not wait.
//!
//! A poll is atomic, so two tasks that each read and then write without waiting never interleave on one thread, although on two they could.
//! So whatever tasks share asks first whether somebody else runs before ([`poll_sync`]). It names the object, which is
//! what strategies reason about. The answer is a choice among actors like any other.
//!
//! - A task that is interrupted is woken at once, and its next turn is given for the object: the sync point that it then comes to again
//!   asks nobody.
//! - They stand before every operation of `sim::sync`, calls into the network, submitted file operations, joins, and timers whose time has come
//!   already. Code that cannot wait has none: spawning, a send that needs no room, the drop of a guard.
//! - Never: an interrupted future that nobody polls again. A poll whose waker is not the task's own, as of a future that
//!   is polled once by hand, goes on.

use super::task::object_of_host;
use super::{Runtime, WaitsFor, current};
use crate::choice::{Path, Scheduler};
use crate::id::TaskId;
use crate::object::{Object, ObjectKind};
use core::task::{Context, Poll};

/// Asks whether another actor runs before the running task touches `object`: then pending, and the task is woken.
///
/// Ready at once outside a task, outside a runtime, and where the run has no sync points
/// ([`RuntimeConfig::sync_points`](super::RuntimeConfig::sync_points)).
#[inline]
pub fn poll_sync(context: &Context<'_>, object: Object) -> Poll<()> {
    poll_sync_with(context, |_| object)
}

/// As [`poll_sync`], for a call into the network of the task's host.
#[inline]
pub(super) fn poll_sync_host(context: &Context<'_>) -> Poll<()> {
    poll_sync_with(context, |runtime| object_of_host(runtime.env.actor.host))
}

/// As [`poll_sync`], for an object that the runtime names; it is asked for only where somebody wants to know.
#[inline]
pub(super) fn poll_sync_with(
    context: &Context<'_>,
    object: impl FnOnce(&Runtime) -> Object,
) -> Poll<()> {
    let yields = |runtime: &mut Runtime| {
        runtime.config.sync_points && {
            let object = object(runtime);
            runtime.yields(object)
        }
    };
    match current::try_with(yields) {
        Some(true) => give_up(context),
        Some(false) | None => Poll::Ready(()),
    }
}

/// Notes that the running task waits for `object`, for reports and for whoever asks what its next turn touches.
#[inline]
pub fn wait_at(object: Object) {
    current::try_with(|runtime| runtime.note_wait(WaitsFor::Object(object)));
}

#[cold]
pub(super) fn give_up(context: &Context<'_>) -> Poll<()> {
    context.waker().wake_by_ref();
    if current::is_woken() {
        return Poll::Pending;
    }
    current::with(|runtime| runtime.enabled.stay());
    Poll::Ready(())
}

/// A name for something of this kind that the running task has just made: the how many-th it made.
///
/// Outside a runtime there is nothing to name it after, and it is unknown.
#[must_use]
pub fn object(kind: ObjectKind) -> Object {
    current::try_with(|runtime| runtime.next_object(kind)).unwrap_or_default()
}

impl Runtime {
    fn next_object(&mut self, kind: ObjectKind) -> Object {
        let task = self.current.filter(|&id| self.tasks.get(id).is_some());
        let (path, ordinal) = match task {
            Some(id) => (self.env.actor.path, self.tasks.record(id).next_object()),
            None => {
                self.objects += 1;
                (Path::WORLD, self.objects)
            }
        };
        Object::new(kind, path, u64::from(ordinal))
    }

    /// What a task is to those who wait for its end.
    pub(super) fn object_of_task(&self, id: TaskId) -> Object {
        let path = self.tasks.get(id).map(|task| task.cell.actor.path);
        path.map_or(Object::UNKNOWN, |path| Object::new(ObjectKind::Task, path, 0))
    }

    /// Whether the running task gives up its turn before it touches `object`.
    pub(super) fn yields(&mut self, object: Object) -> bool {
        let Some(id) = self.current else { return false };
        if object.is_known() && self.granted == object {
            self.granted = Object::UNKNOWN;
            return false;
        }
        let is_named =
            self.env.choices.is_recorded() || self.env.choices.scheduler() == Scheduler::Log;
        // Who is asked for by name is counted; a search need not know which sync point this is.
        let occurrence = if is_named { self.tasks.record(id).next_sync() } else { 0 };
        let path = self.env.actor.path;
        let yields = self.enabled.sync(&mut self.env, path, occurrence, object);
        self.note_wait(WaitsFor::Object(object));
        yields
    }
}
