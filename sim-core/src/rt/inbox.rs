//! What reaches a runtime from outside: wakes from other threads, and what becomes of handles while the
//! runtime is not entered.
//!
//! A runtime is looked up by the number in the task id. On the real backend a foreign wake is normal:
//! it goes into the inbox and the backend's wait is interrupted. In simulation no other thread may
//! take part, so it is an escape, and the run that it reaches ends as one.

use crate::id::TaskId;
use core::fmt;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// Interrupts a blocked wait of the real backend.
pub type Interrupt = Arc<dyn Fn() + Send + Sync>;

/// What other threads have left for a runtime.
pub(super) struct Inbox {
    requests: Mutex<Vec<Request>>,
    /// The name of the first thread that woke a task of a simulated run.
    escaped: Mutex<Option<String>>,
    interrupt: Option<Interrupt>,
    /// Whether there is anything in here. The engine looks at this whenever time passes, and takes no lock for it.
    filled: AtomicBool,
    /// The thread that made the runtime. Between two runs of it, its wakes are no escape.
    home: ThreadId,
}

/// What is asked of a runtime from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Somebody called the task's waker.
    Wake(TaskId),
    /// Somebody aborts the task.
    Abort(TaskId),
    /// The task's handle was dropped.
    Detach(TaskId),
}

impl Request {
    fn task(self) -> TaskId {
        match self {
            Self::Wake(task) | Self::Abort(task) | Self::Detach(task) => task,
        }
    }
}

/// What was left from outside.
pub(super) struct Mail {
    /// In the order in which it was asked.
    pub(super) requests: Vec<Request>,
    /// The name of the first one that took part in a simulated run.
    pub(super) escaped: Option<String>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("requests", &self.requests)
            .field("real", &self.interrupt.is_some())
            .finish()
    }
}

/// The number given last. It decides nothing but which runtime an id belongs to.
static LAST_NUMBER: AtomicU16 = AtomicU16::new(u16::MAX);
/// Every open inbox, in order of numbers. There are few at a time, and they come and go by the thousand.
static INBOXES: Mutex<Vec<(u16, Arc<Inbox>)>> = Mutex::new(Vec::new());

/// Where the inbox of this number is, or would be.
fn place_of(inboxes: &[(u16, Arc<Inbox>)], number: u16) -> Result<usize, usize> {
    inboxes.binary_search_by_key(&number, |(known, _)| *known)
}

/// A panic while a lock was held leaves the plain data behind it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inbox {
    /// Opens an inbox under a number that no living runtime of the process has, nor one of the last 65,535: handles and
    /// wakers that outlive their runtime must not mean another's tasks.
    pub(super) fn open(interrupt: Option<Interrupt>) -> (u16, Arc<Self>) {
        let inbox = Arc::new(Self {
            requests: Mutex::default(),
            escaped: Mutex::default(),
            interrupt,
            filled: AtomicBool::new(false),
            home: thread::current().id(),
        });
        let mut inboxes = lock(&INBOXES);
        let mut numbers =
            (0..=u16::MAX).map(|_| LAST_NUMBER.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
        let free = numbers.find_map(|number| Some((number, place_of(&inboxes, number).err()?)));
        let (number, at) = free.expect("a process has fewer than 65,536 runtimes at once");
        inboxes.insert(at, (number, Arc::clone(&inbox)));
        (number, inbox)
    }

    /// Closes the inbox of runtime `number`: later wakes do nothing.
    pub(super) fn close(number: u16) {
        let mut inboxes = lock(&INBOXES);
        if let Ok(at) = place_of(&inboxes, number) {
            inboxes.remove(at);
        }
    }

    /// Takes what other threads have left, if anything.
    pub(super) fn take(&self) -> Option<Mail> {
        // Nearly always nothing is there, and a load costs a twentieth of a swap.
        if !self.filled.load(Ordering::Relaxed) || !self.filled.swap(false, Ordering::Acquire) {
            return None;
        }
        Some(Mail { requests: core::mem::take(&mut lock(&self.requests)), escaped: self.escaped() })
    }

    /// The thread that woke a task of a simulated run, if one did.
    pub(super) fn escaped(&self) -> Option<String> {
        lock(&self.escaped).clone()
    }

    fn leave(&self, request: Request) {
        lock(&self.requests).push(request);
        self.filled.store(true, Ordering::Release);
    }
}

/// Whether the runtime of this number is there, entered or not.
pub(super) fn is_open(number: u16) -> bool {
    place_of(&lock(&INBOXES), number).is_ok()
}

/// Leaves a request for a task's runtime, which is not the one that this thread runs now.
#[cold]
pub(super) fn leave(request: Request) {
    let found = {
        let inboxes = lock(&INBOXES);
        let at = place_of(&inboxes, request.task().runtime());
        at.ok().map(|at| Arc::clone(&inboxes[at].1))
    };
    let Some(inbox) = found else { return };
    let thread = thread::current();
    match &inbox.interrupt {
        Some(interrupt) => {
            inbox.leave(request);
            interrupt();
        }
        None if thread.id() == inbox.home => inbox.leave(request),
        // A handle may be dropped anywhere: that decides nothing. A wake or an abort does.
        None if matches!(request, Request::Detach(_)) => inbox.leave(request),
        None => {
            let name = thread.name().map_or_else(
                || String::from("an unnamed thread"),
                |name| format!("thread '{name}'"),
            );
            lock(&inbox.escaped).get_or_insert(name);
            inbox.filled.store(true, Ordering::Release);
        }
    }
}
