//! How tasks end, and how that reaches whoever waits for it or gave up on it.

use super::join::Joined;
use super::state::{Abort, State};
use super::task::{Content, Joiner};
use super::{Goal, Runtime, WaitsFor};
use crate::id::TaskId;
use crate::trace::Kind;
use core::any::Any;
use core::mem;
use core::task::Waker;

impl Runtime {
    /// A task has ended: tells whoever joins, and frees the place if nobody ever will.
    pub(super) fn ended(&mut self, id: TaskId) {
        self.effect_step = self.steps;
        self.alive -= 1;
        let cell = self.tasks.cell(id);
        let how = match cell.state {
            State::Completed => 0,
            State::Cancelled => 1,
            State::Panicked => 2,
            state => unreachable!("a task that ended is not {state:?}"),
        };
        let (path, detached) = (cell.actor.path, cell.detached);
        let joiner = mem::replace(&mut cell.joiner, Joiner::NOBODY);
        self.env.event(Kind::End, path, how, 0, 0);
        match joiner {
            // An id that is nobody's is stale, and waking it does nothing.
            Joiner::Task(joiner) => self.wake(joiner),
            Joiner::Waker(waker) => self.outbox.push(waker),
        }
        if self.goal == Goal::Root(id) || (self.alive == 0 && self.goal == Goal::Everybody) {
            self.over = true;
        }
        if detached {
            self.bury(id);
        }
    }

    /// Frees the place of a task that ended and that nobody joins.
    pub(super) fn bury(&mut self, id: TaskId) {
        // A payload that somebody joined for is theirs to deal with.
        let is_unseen = matches!(self.tasks.cell(id).content, Content::Panic(_));
        if is_unseen && self.config.panics_end_run && self.failure.is_none() {
            let failure = self.detached_panic(id);
            self.fail(failure);
        }
        let (content, joiner) = self.tasks.remove(id);
        self.discarded.push(content);
        if let Joiner::Waker(waker) = joiner {
            self.outbox.push(waker);
        }
    }

    /// A handle is awaited. The waker that is given back is dropped after the borrow.
    pub(super) fn join(
        &mut self,
        id: TaskId,
        output: &mut dyn Any,
        task: Option<TaskId>,
        kept: Option<Waker>,
    ) -> (Joined, Option<Joiner>) {
        let current = self.current;
        let Some(cell) = self.tasks.get_mut(id) else {
            return (Joined::Cancelled, kept.map(Joiner::Waker));
        };
        if !cell.state.has_ended() {
            let joiner = match (task, kept) {
                (Some(task), _) => Joiner::Task(task),
                (None, Some(waker)) => Joiner::Waker(waker),
                (None, None) => unreachable!("whoever joins has a waker"),
            };
            let before = mem::replace(&mut cell.joiner, joiner);
            self.note_wait_of(current, WaitsFor::Join(id));
            return (Joined::Pending, Some(before));
        }
        let joined = match (cell.state, cell.content.take()) {
            (State::Completed, Content::Task(mut task)) => {
                task.as_mut().take_output(output);
                self.discarded.push(Content::Task(task));
                Joined::Output
            }
            (State::Panicked, Content::Panic(payload)) => Joined::Panicked(payload),
            (_, content) => {
                self.discarded.push(content);
                Joined::Cancelled
            }
        };
        (joined, kept.map(Joiner::Waker))
    }

    /// A handle was dropped: what is to be dropped with it is given back.
    pub(super) fn detach(&mut self, id: TaskId) -> Option<Content> {
        let cell = self.tasks.get_mut(id)?;
        cell.detached = true;
        if cell.state.has_ended() {
            self.bury(id);
            // The runtime may not take another step, so the handle's own drop takes it along.
            return self.discarded.pop();
        }
        None
    }

    pub(super) fn abort(&mut self, id: TaskId) {
        let Some(cell) = self.tasks.get_mut(id) else { return };
        match cell.state.abort() {
            Abort::Enqueue => self.enqueue(id),
            Abort::Nothing => {}
        }
    }

    pub(super) fn has_ended(&mut self, id: TaskId) -> bool {
        self.tasks.get_mut(id).is_none_or(|cell| cell.state.has_ended())
    }
}
