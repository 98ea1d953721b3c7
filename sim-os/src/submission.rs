//! Submissions: operations that are under way, and completions that nobody has taken yet.
//!
//! ```text
//! submit -> Pending(waiter) -> Finished(answer) -> taken
//!              `-> Forgotten -> dropped when done
//! ```
//!
//! A job runs on a thread of the pool and hands its answer over through a channel, then rings the
//! bell. Only the backend's own thread changes a state. An opened file whose completion nobody takes
//! is closed again.

use crate::file::{Done, Job};
use crate::poller::OsWaker;
use crate::pool::Pool;
use sim_core::backend::{Output, Waiter};
use sim_core::{Errno, HostId, OpId, Result};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};

type Completion = (OpId, Result<Done>);

#[derive(Debug)]
enum State {
    /// Whom the completion releases, and on which host the operation runs.
    Pending(Waiter, HostId),
    Forgotten,
    Finished(Result<Output>),
}

/// What became of an operation that its submitter gave up.
#[derive(Debug)]
#[must_use = "a finished operation may have opened a file, which is to be closed"]
pub(crate) enum Forgot {
    /// It is still running.
    Pending,
    /// It had finished with this.
    Finished(Result<Output>),
}

/// The operations under way.
#[derive(Debug)]
pub(crate) struct Submissions {
    next: u64,
    states: BTreeMap<OpId, State>,
    pool: Pool,
    sender: Sender<Completion>,
    receiver: Receiver<Completion>,
}

impl Submissions {
    /// Nothing submitted, and at most `threads` threads for what will be.
    pub(crate) fn new(threads: usize) -> Self {
        let (sender, receiver) = channel();
        Self { next: 0, states: BTreeMap::new(), pool: Pool::new(threads), sender, receiver }
    }

    /// Starts a job. If no thread can be had, the operation has failed by the time this returns, and the waiter is released.
    pub(crate) fn start(
        &mut self,
        (host, job): (HostId, Job),
        bell: OsWaker,
        waiter: Waiter,
        woken: &mut Vec<Waiter>,
    ) -> OpId {
        let op = self.enter(State::Pending(waiter, host));
        let sender = self.sender.clone();
        let started = self.pool.give(move || {
            // The backend may have gone; then the operation has taken effect and nobody wants to know.
            let _ = sender.send((op, job()));
            bell.wake();
        });
        if started.is_err() {
            self.states.insert(op, State::Finished(Err(Errno::EAGAIN)));
            woken.push(waiter);
        }
        op
    }

    /// An operation whose answer is known at once.
    pub(crate) fn finished(
        &mut self,
        answer: Result<Output>,
        waiter: Waiter,
        woken: &mut Vec<Waiter>,
    ) -> OpId {
        woken.push(waiter);
        self.enter(State::Finished(answer))
    }

    /// Work without an answer, such as a close that lingers. If no thread can be had, it is done here and now.
    pub(crate) fn aside<T: Send + 'static>(&mut self, value: T) {
        // When the pool refuses the task it drops it, and the value with it.
        let _ = self.pool.give(move || drop(value));
    }

    /// Takes in what the threads have completed: releases the waiters, and has `open` number the opened files.
    pub(crate) fn collect(
        &mut self,
        woken: &mut Vec<Waiter>,
        mut number: impl FnMut(HostId, Done) -> Output,
    ) {
        while let Ok((op, done)) = self.receiver.try_recv() {
            match self.states.remove(&op).expect("an operation under way has a state") {
                State::Pending(waiter, host) => {
                    self.states.insert(op, State::Finished(done.map(|done| number(host, done))));
                    woken.push(waiter);
                }
                State::Forgotten => drop(done),
                State::Finished(_) => unreachable!("an operation is completed once"),
            }
        }
    }

    /// Takes a completion, or has `waiter` released by it.
    pub(crate) fn take(&mut self, op: OpId, waiter: Waiter) -> Option<Result<Output>> {
        match self.states.get_mut(&op) {
            Some(State::Pending(present, _)) => {
                *present = waiter;
                None
            }
            Some(State::Finished(_)) => match self.states.remove(&op) {
                Some(State::Finished(answer)) => Some(answer),
                _ => unreachable!("it was finished a moment ago"),
            },
            Some(State::Forgotten) | None => {
                panic!("{op:?} was taken or forgotten before, or never submitted")
            }
        }
    }

    /// Nobody will take the completion.
    pub(crate) fn forget(&mut self, op: OpId) -> Forgot {
        match self.states.remove(&op) {
            Some(State::Pending(..)) => {
                self.states.insert(op, State::Forgotten);
                Forgot::Pending
            }
            Some(State::Finished(answer)) => Forgot::Finished(answer),
            Some(State::Forgotten) | None => {
                panic!("{op:?} was taken or forgotten before, or never submitted")
            }
        }
    }

    fn enter(&mut self, state: State) -> OpId {
        let op = OpId(self.next);
        self.next += 1;
        self.states.insert(op, state);
        op
    }
}
