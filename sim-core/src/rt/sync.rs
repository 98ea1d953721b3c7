//! Sync points: where a running task may be interrupted although it need not wait.
//!
//! A poll is atomic, so two tasks that each read and then write without waiting never interleave on one thread, although on two they could.
//! So whatever tasks share asks first whether somebody else runs before ([`poll_sync`]). It names the object, which is
//! what strategies reason about. The answer is a choice among actors like any other.
//!
//! - A task that is interrupted is woken at once, and its next turn is given for the object: the sync point that it then comes to again
//!   asks nobody.
//! - Never: an interrupted future that nobody polls again. A poll whose waker is not the task's own, as of a future that
//!   is polled once by hand, goes on.

use super::task::object_of_host;
use super::{Runtime, WaitsFor, current};
use crate::choice::{Path, Scheduler};
use crate::object::{Object, ObjectKind};
use core::task::{Context, Poll};

/// Asks whether another actor runs before the running task touches `object`: then pending, and the task is woken.
///
/// Ready at once outside a task, and where the run has no sync points ([`RuntimeConfig::sync_points`](super::RuntimeConfig::sync_points)).
///
/// # Panics
/// Outside a runtime.
#[inline]
pub fn poll_sync(context: &mut Context<'_>, object: Object) -> Poll<()> {
    match current::with(|runtime| runtime.config.sync_points && runtime.yields(object)) {
        true => give_up(context),
        false => Poll::Ready(()),
    }
}

/// As [`poll_sync`], for a call into the network of the task's host.
#[inline]
pub(super) fn poll_sync_host(context: &Context<'_>) -> Poll<()> {
    let yields = |runtime: &mut Runtime| {
        runtime.config.sync_points && runtime.yields(object_of_host(runtime.env.actor.host))
    };
    match current::with(yields) {
        true => give_up(context),
        false => Poll::Ready(()),
    }
}

#[cold]
fn give_up(context: &Context<'_>) -> Poll<()> {
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

    /// Whether the running task gives up its turn before it touches `object`.
    fn yields(&mut self, object: Object) -> bool {
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
