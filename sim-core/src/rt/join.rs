//! Handles: how a task's end is awaited, asked for, or given up.

use super::inbox::{self, Request};
use super::sync::poll_sync_with;
use super::task::Payload;
use super::{current, panics, waker};
use crate::id::TaskId;
use core::fmt;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::{Mutex, PoisonError};

/// Why a task gave no output.
pub struct JoinError {
    id: TaskId,
    /// What it panicked with; `None` if it was cancelled.
    panic: Option<Panic>,
}

/// A panic's text, and its payload in a mutex, because errors are shared and payloads are not.
struct Panic {
    message: String,
    payload: Mutex<Payload>,
}

impl JoinError {
    fn cancelled(id: TaskId) -> Self {
        Self { id, panic: None }
    }

    fn panicked(id: TaskId, payload: Payload) -> Self {
        let message = panics::message(payload.as_ref()).to_owned();
        Self { id, panic: Some(Panic { message, payload: Mutex::new(payload) }) }
    }

    /// The task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Whether it was aborted, or its host crashed.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.panic.is_none()
    }

    /// Whether it panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.panic.is_some()
    }

    /// What it panicked with.
    ///
    /// # Errors
    /// The error itself, if it was cancelled.
    pub fn try_into_panic(self) -> Result<Payload, Self> {
        match self.panic {
            Some(panic) => Ok(panic.payload.into_inner().unwrap_or_else(PoisonError::into_inner)),
            None => Err(self),
        }
    }

    /// What it panicked with.
    ///
    /// # Panics
    /// If it was cancelled.
    #[must_use]
    pub fn into_panic(self) -> Payload {
        self.try_into_panic().expect("the task was cancelled, it did not panic")
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.panic {
            None => write!(f, "{} was cancelled", self.id),
            Some(panic) => write!(f, "{} panicked: {}", self.id, panic.message),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl core::error::Error for JoinError {}

/// What a look at a task's end found.
pub(super) enum Joined {
    /// It has not ended.
    Pending,
    /// Its output was moved to where it was asked for.
    Output,
    /// It was cancelled.
    Cancelled,
    /// It panicked.
    Panicked(Payload),
}

/// The right to a task's output. Dropping it detaches the task.
///
/// A handle is a number: it may be sent anywhere, and is of use in its own runtime only.
pub struct JoinHandle<T> {
    id: TaskId,
    /// Whether the sync point of joining is passed.
    joins: bool,
    output: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinHandle({})", self.id)
    }
}

impl<T> JoinHandle<T> {
    pub(super) fn new(id: TaskId) -> Self {
        Self { id, joins: false, output: PhantomData }
    }

    /// The task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Has the task dropped on its next turn. One that is about to end still ends.
    pub fn abort(&self) {
        abort(self.id);
    }

    /// A handle that can abort, and nothing else.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle { id: self.id }
    }

    /// Whether the task has ended. While its runtime is not
    /// entered nobody can tell, and the answer is no; once that is gone, yes.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        has_ended(self.id)
    }

    /// Lets the task go on by itself: its output will be dropped.
    pub fn detach(self) {}
}

impl<T: 'static> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let id = self.id;
        if !self.joins {
            ready!(poll_sync_with(cx, |runtime| runtime.object_of_task(id)));
            self.joins = true;
        }
        let mut output: Option<T> = None;
        // A task's own waker is a number, kept without a clone; another one is cloned, unborrowed.
        let task = waker::task_of(cx.waker());
        let kept = match task {
            None => Some(cx.waker().clone()),
            Some(_) => None,
        };
        let (joined, unused) = current::with(|runtime| runtime.join(id, &mut output, task, kept));
        drop(unused);
        match joined {
            Joined::Pending => Poll::Pending,
            Joined::Output => Poll::Ready(Ok(
                output.expect("an output is taken once: a handle was polled after its end")
            )),
            Joined::Cancelled => Poll::Ready(Err(JoinError::cancelled(id))),
            Joined::Panicked(payload) => Poll::Ready(Err(JoinError::panicked(id, payload))),
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let Some(held) = current::with_runtime_of(self.id, |runtime| runtime.detach(self.id))
        else {
            return inbox::leave(Request::Detach(self.id));
        };
        // What the task held is dropped here, after the borrow.
        drop(held);
    }
}

fn abort(task: TaskId) {
    if current::with_runtime_of(task, |runtime| runtime.abort(task)).is_none() {
        inbox::leave(Request::Abort(task));
    }
}

fn has_ended(task: TaskId) -> bool {
    let ended = current::with_runtime_of(task, |runtime| runtime.has_ended(task));
    ended.unwrap_or_else(|| !inbox::is_open(task.runtime()))
}

/// The right to abort a task.
#[derive(Clone, Copy, Debug)]
pub struct AbortHandle {
    id: TaskId,
}

impl AbortHandle {
    /// The task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Has the task dropped on its next turn, as [`JoinHandle::abort`].
    pub fn abort(&self) {
        abort(self.id);
    }

    /// Whether the task has ended. While its runtime is not
    /// entered nobody can tell, and the answer is no; once that is gone, yes.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        has_ended(self.id)
    }
}
