//! How tasks end, and how that reaches whoever waits for it or gave up on it.

use super::join::Joined;
use super::state::{Abort, State};
use super::task::{BoxedTask, Content, Joiner};
use super::{Goal, Runtime, WaitsFor};
use crate::id::TaskId;
use crate::trace::Kind;
use core::any::Any;
use core::mem;
use core::task::Waker;

/// What joining leaves over, to be dropped after the borrow: a waker, and the place of an output that was taken.
type Unused = (Option<Joiner>, Option<BoxedTask>);

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
        let joiner = mem::replace(&mut self.tasks.record(id).joiner, Joiner::NOBODY);
        self.env.event(Kind::End, path, how, 0, 0);
        match joiner {
            // An id that is nobody's is stale, and waking it does nothing.
            Joiner::Task(joiner) => self.wake(joiner),
            Joiner::Waker(waker) => self.hand_out(waker),
        }
        if self.goal == Goal::Root(id) || (self.alive == 0 && self.goal == Goal::Everybody) {
            self.over = true;
            self.call_for_a_look();
        }
        if detached {
            let content = self.bury(id);
            self.discard(content);
        }
    }

    /// Frees the place of a task that ended and that nobody joins.
    #[must_use = "what it held may be the program's and is dropped outside the borrow"]
    fn bury(&mut self, id: TaskId) -> Option<Content> {
        // A payload that somebody joined for is theirs to deal with.
        let is_unseen = self.tasks.record(id).payload().is_some();
        if is_unseen && self.config.panics_end_run && self.failure.is_none() {
            let failure = self.detached_panic(id);
            self.fail(failure);
        }
        let (content, joiner) = self.tasks.remove(id);
        if let Joiner::Waker(waker) = joiner {
            self.hand_out(waker);
        }
        content
    }

    /// A handle is awaited. What is given back beside the answer is dropped after the borrow.
    pub(super) fn join(
        &mut self,
        id: TaskId,
        output: &mut dyn Any,
        task: Option<TaskId>,
        kept: Option<Waker>,
    ) -> (Joined, Unused) {
        let current = self.current;
        let Some(cell) = self.tasks.get_mut(id) else {
            return (Joined::Cancelled, (kept.map(Joiner::Waker), None));
        };
        if !cell.state.has_ended() {
            let joiner = match (task, kept) {
                (Some(task), _) => Joiner::Task(task),
                (None, Some(waker)) => Joiner::Waker(waker),
                (None, None) => unreachable!("whoever joins has a waker"),
            };
            let before = mem::replace(&mut self.tasks.record(id).joiner, joiner);
            self.note_wait_of(current, WaitsFor::Join(id));
            return (Joined::Pending, (Some(before), None));
        }
        let kept = kept.map(Joiner::Waker);
        if cell.state == State::Completed
            && let Some(mut task) = cell.task.take()
        {
            task.as_mut().take_output(output);
            return (Joined::Output, (kept, Some(task)));
        }
        (self.join_failed(id), (kept, None))
    }

    /// A task that gave no output is joined.
    #[cold]
    fn join_failed(&mut self, id: TaskId) -> Joined {
        let cell = self.tasks.cell(id);
        let (state, task) = (cell.state, cell.task.take());
        let payload = self.tasks.record(id).take_payload();
        self.discard(task.map(Content::Task));
        match (state, payload) {
            (State::Panicked, Some(payload)) => Joined::Panicked(payload),
            // It crashed its own host in its last poll, and is cancelled whatever that gave.
            (_, payload) => {
                self.discard(payload.map(Content::Panic));
                Joined::Cancelled
            }
        }
    }

    /// A handle was dropped: what is to be dropped with it is given back.
    pub(super) fn detach(&mut self, id: TaskId) -> Option<Content> {
        let cell = self.tasks.get_mut(id)?;
        cell.detached = true;
        if !cell.state.has_ended() {
            return None;
        }
        // The runtime may not take another step, so the handle's own drop takes it along.
        self.bury(id)
    }

    pub(super) fn abort(&mut self, id: TaskId) {
        let Some(cell) = self.tasks.get_mut(id) else { return };
        match cell.state.abort() {
            Abort::Enqueue => self.enable(id),
            Abort::Nothing => {}
        }
    }

    pub(super) fn has_ended(&mut self, id: TaskId) -> bool {
        self.tasks.get_mut(id).is_none_or(|cell| cell.state.has_ended())
    }
}
