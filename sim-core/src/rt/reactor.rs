//! How a handle waits for a kernel: try, and if it would block, subscribe and note what for.

use super::sync::{poll_sync, poll_sync_host};
use super::{Runtime, WaitsFor, WakerSlot, current, foreign, waker};
use crate::backend::{Backend, Op, Output, Readiness, Waiter};
use crate::env::Env;
use crate::errno::{Errno, Result};
use crate::id::{Fd, HostId, OpId};
use crate::object::Object;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};

/// Tries a call that needs `interest` of `fd`; if it would block, the poller waits for that.
///
/// The try comes first and the subscription second. On the real kernel the descriptor may become
/// ready between the two; subscribing looks at it once more, so no event is lost.
///
/// # Errors
/// What the call answers, other than `EAGAIN`.
///
/// # Panics
/// Outside a runtime.
#[inline]
pub fn poll_call<R>(
    context: &mut Context<'_>,
    slot: &mut WakerSlot,
    fd: Fd,
    interest: Readiness,
    f: impl FnOnce(&mut dyn Backend, &mut Env) -> Result<R>,
) -> Poll<Result<R>> {
    ready!(poll_sync_host(context));
    let own = waker::task_of(context.waker());
    let (answer, has_wakers) = current::with(|runtime| {
        let answer = match (runtime.enter_kernel(f), own) {
            (Err(Errno::EAGAIN), Some(task)) => {
                match runtime.backend.subscribe_blocked(
                    &mut runtime.env,
                    fd,
                    interest,
                    Waiter::Task(task),
                ) {
                    Ok(()) => {
                        runtime.release_woken();
                        runtime.note_wait(WaitsFor::Ready(fd, interest));
                        Poll::Pending
                    }
                    Err(errno) => Poll::Ready(Err(errno)),
                }
            }
            (Err(Errno::EAGAIN), None) => Poll::Pending,
            (answer, _) => Poll::Ready(answer),
        };
        (answer, !runtime.outbox.is_empty())
    });
    if has_wakers {
        call_wakers();
    }
    if answer.is_pending() && own.is_none() {
        let waiter = foreign::waiter(context, slot);
        let waits = current::with(|runtime| runtime.wait_for(fd, interest, waiter));
        return waits.map_or_else(|errno| Poll::Ready(Err(errno)), |()| Poll::Pending);
    }
    answer
}

/// Calls the wakers that are not ours. They are rare, and their calls belong outside the borrow.
#[cold]
fn call_wakers() {
    current::with(|runtime| core::mem::take(&mut runtime.outbox)).into_iter().for_each(Waker::wake);
}

impl Runtime {
    /// A call into the kernel: charged to virtual time, and whoever it released enters the enabled set.
    /// Wakers that are not ours are left in the outbox, for the caller to deal with after the borrow.
    #[inline]
    pub(super) fn enter_kernel<R>(&mut self, f: impl FnOnce(&mut dyn Backend, &mut Env) -> R) -> R {
        if self.time_is_virtual {
            self.env.now = self.env.now.saturating_add_nanos(self.config.call_cost_ns);
        }
        self.effect_step = self.steps;
        let result = f(&mut *self.backend, &mut self.env);
        self.release_woken();
        result
    }

    /// Subscribes `waiter`, and notes what the task waits for.
    #[inline]
    fn wait_for(&mut self, fd: Fd, interest: Readiness, waiter: Waiter) -> Result<()> {
        self.backend.subscribe(&mut self.env, fd, interest, waiter)?;
        self.release_woken();
        self.note_wait(WaitsFor::Ready(fd, interest));
        Ok(())
    }
}

/// A submitted operation. Dropping it gives up the output, not the effect.
#[derive(Debug)]
#[must_use = "an operation's output is lost unless it is awaited"]
pub struct Submission {
    host: HostId,
    /// What the operation touches: submitting it begins with a sync point there, if it is known.
    object: Object,
    op: Option<Op>,
    id: Option<OpId>,
    slot: WakerSlot,
}

/// Submits `op` to the kernel of the caller's host, at the first poll.
///
/// # Panics
/// Outside a runtime.
pub fn submit(op: Op) -> Submission {
    submit_at(op, Object::UNKNOWN)
}

/// As [`submit`], for an operation that touches `object`: its first poll begins with a sync point there.
///
/// # Panics
/// Outside a runtime.
pub fn submit_at(op: Op, object: Object) -> Submission {
    Submission {
        object,
        host: current::with(|runtime| runtime.host()),
        op: Some(op),
        id: None,
        slot: WakerSlot::new(),
    }
}

impl Future for Submission {
    type Output = Result<Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.op.is_some() && this.object.is_known() {
            ready!(poll_sync(context, this.object));
        }
        let waiter = foreign::waiter(context, &mut this.slot);
        let (host, op, id) = (this.host, this.op.take(), this.id);
        let answer = current::call(|backend, env| match (op, id) {
            (Some(op), _) => Err(backend.submit(env, host, op, waiter)),
            (None, Some(id)) => backend.complete(env, id, waiter).ok_or(id),
            (None, None) => panic!("an operation was polled after its completion"),
        });
        match answer {
            Ok(result) => {
                this.id = None;
                Poll::Ready(result)
            }
            Err(id) => {
                this.id = Some(id);
                current::with(|runtime| runtime.note_wait(WaitsFor::Completion(id)));
                Poll::Pending
            }
        }
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            current::try_call(|backend, env| backend.forget(env, id));
        }
    }
}
