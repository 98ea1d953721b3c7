//! What the subjects share: variables, locks, conditions, and a crew of tasks that work on them.
//!
//! Each operation begins with one sync point on its object, and takes effect at once behind it. So a subject's events are those of
//! the threaded original at the granularity of its shared accesses: a strategy may run another task before any of them.
//!
//! - Whoever finds a lock held waits. A release wakes who has waited longest; another may be faster, and then it waits again. Any order in
//!   which tasks can get a lock is still there, since it is the scheduler's choice in which order they ask for it.
//! - Nothing here guards against misuse: a lock that is never released stays held, which is what some subjects are about.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Poll, Waker, ready};
use sim_core::object::{Object, ObjectKind};
use sim_core::rt;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

/// What a task of a subject does.
pub type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Asks whether another task runs before this one touches `object`.
async fn touch(object: Object) {
    poll_fn(|context| rt::poll_sync(context, object)).await;
}

/// A variable that tasks share. Its clones are the same variable.
pub struct Shared<T>(Rc<Variable<T>>);

struct Variable<T> {
    object: Object,
    value: RefCell<T>,
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({:?})", self.0.value.borrow())
    }
}

impl<T> Shared<T> {
    /// A variable of this value, made by the running task.
    #[must_use]
    pub fn new(value: T) -> Self {
        let object = rt::object(ObjectKind::Lock);
        Self(Rc::new(Variable { object, value: RefCell::new(value) }))
    }

    /// Reads it.
    pub async fn read(&self) -> T
    where
        T: Copy,
    {
        touch(self.0.object).await;
        *self.0.value.borrow()
    }

    /// Writes it.
    pub async fn write(&self, value: T) {
        touch(self.0.object).await;
        *self.0.value.borrow_mut() = value;
    }

    /// Reads and writes it as one event, as an atomic instruction does, or touches a part of it.
    pub async fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        touch(self.0.object).await;
        change(&mut self.0.value.borrow_mut())
    }

    /// Looks at it without a sync point: before the tasks begin, or when all have ended.
    pub fn settled<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.0.value.borrow())
    }
}

impl Shared<i32> {
    /// Adds to it as a plain `+=` does: a read and then a write, between which others may run.
    pub async fn add(&self, amount: i32) {
        let value = self.read().await;
        self.write(value + amount).await;
    }
}

/// A lock without an owner: whoever calls [`Lock::release`] releases it. Its clones are the same lock.
#[derive(Clone, Debug)]
pub struct Lock(Rc<LockState>);

#[derive(Debug)]
struct LockState {
    object: Object,
    is_held: Cell<bool>,
    waiting: RefCell<VecDeque<Waker>>,
}

impl Default for Lock {
    fn default() -> Self {
        Self::new()
    }
}

impl Lock {
    /// A free lock, made by the running task.
    #[must_use]
    pub fn new() -> Self {
        let object = rt::object(ObjectKind::Lock);
        Self(Rc::new(LockState { object, is_held: Cell::new(false), waiting: RefCell::default() }))
    }

    /// Waits until it is free, and takes it.
    pub async fn acquire(&self) {
        let lock = &self.0;
        poll_fn(|context| {
            ready!(rt::poll_sync(context, lock.object));
            if !lock.is_held.replace(true) {
                return Poll::Ready(());
            }
            rt::wait_at(lock.object);
            lock.waiting.borrow_mut().push_back(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Releases it, and wakes who has waited longest.
    pub async fn release(&self) {
        touch(self.0.object).await;
        self.free();
    }

    fn free(&self) {
        self.0.is_held.set(false);
        let first = self.0.waiting.borrow_mut().pop_front();
        if let Some(first) = first {
            first.wake();
        }
    }
}

/// A condition that tasks wait for. A signal that nobody waits for is lost. Its clones are the same condition.
#[derive(Clone, Debug)]
pub struct Condition(Rc<ConditionState>);

#[derive(Debug)]
struct ConditionState {
    object: Object,
    /// Those who wait, in order; a signal is put into the cell of the first.
    waiting: RefCell<VecDeque<Rc<Waiting>>>,
}

#[derive(Debug, Default)]
struct Waiting {
    is_signalled: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Default for Condition {
    fn default() -> Self {
        Self::new()
    }
}

impl Condition {
    /// A condition that nobody waits for, made by the running task.
    #[must_use]
    pub fn new() -> Self {
        let object = rt::object(ObjectKind::Channel);
        Self(Rc::new(ConditionState { object, waiting: RefCell::default() }))
    }

    /// Releases `lock` and waits for a signal, both as one event; then takes the lock again.
    pub async fn wait(&self, lock: &Lock) {
        touch(self.0.object).await;
        let waiting = Rc::new(Waiting::default());
        self.0.waiting.borrow_mut().push_back(Rc::clone(&waiting));
        lock.free();
        poll_fn(|context| {
            if waiting.is_signalled.get() {
                return Poll::Ready(());
            }
            rt::wait_at(self.0.object);
            *waiting.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
        lock.acquire().await;
    }

    /// Wakes who has waited longest, if anybody waits.
    pub async fn signal(&self) {
        touch(self.0.object).await;
        let first = self.0.waiting.borrow_mut().pop_front();
        let Some(first) = first else { return };
        first.is_signalled.set(true);
        if let Some(waker) = first.waker.take() {
            waker.wake();
        }
    }
}

/// Runs each of `works` as a task, spawned in order, and waits for the end of the last.
///
/// A panic of any of them ends the run. Only the last to end wakes the caller: its turns are no part of what is explored.
pub async fn crew(works: impl IntoIterator<Item = Work>) {
    let works: Vec<Work> = works.into_iter().collect();
    let crew = Rc::new(Crew { at_work: Cell::new(works.len()), waiting: RefCell::default() });
    for work in works {
        let crew = Rc::clone(&crew);
        drop(rt::spawn(async move {
            work.await;
            crew.leave();
        }));
    }
    poll_fn(|context| {
        if crew.at_work.get() == 0 {
            return Poll::Ready(());
        }
        *crew.waiting.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    })
    .await;
}

struct Crew {
    at_work: Cell<usize>,
    waiting: RefCell<Option<Waker>>,
}

impl Crew {
    fn leave(&self) {
        self.at_work.set(self.at_work.get() - 1);
        if self.at_work.get() == 0
            && let Some(waker) = self.waiting.take()
        {
            waker.wake();
        }
    }
}

/// So many tasks that do the same.
pub fn times(count: usize, work: impl FnMut(usize) -> Work) -> impl Iterator<Item = Work> {
    (0..count).map(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::{Builder, FailureKind, PolicyKind};

    #[test]
    fn a_lock_is_held_by_one() {
        for seed in 0..200 {
            let run = Builder::new().sync_points(true).policy(PolicyKind::Random).seed(seed);
            run.run(|| async {
                let (lock, inside) = (Lock::new(), Shared::new(0));
                let work = |_| -> Work {
                    let (lock, inside) = (lock.clone(), inside.clone());
                    Box::pin(async move {
                        lock.acquire().await;
                        assert_eq!(
                            inside
                                .update(|n| {
                                    *n += 1;
                                    *n
                                })
                                .await,
                            1
                        );
                        inside.update(|n| *n -= 1).await;
                        lock.release().await;
                    })
                };
                crew(times(4, work)).await;
            })
            .unwrap();
        }
    }

    #[test]
    fn a_plain_addition_can_be_lost() {
        let sum = |seed| {
            let run = Builder::new().sync_points(true).policy(PolicyKind::Random).seed(seed);
            run.run(|| async {
                let sum = Shared::new(0);
                let work = |_| -> Work {
                    let sum = sum.clone();
                    Box::pin(async move { sum.add(1).await })
                };
                crew(times(2, work)).await;
                sum.settled(|sum| *sum)
            })
            .unwrap()
        };
        let sums: Vec<i32> = (0..100).map(sum).collect();
        assert!(sums.contains(&1) && sums.contains(&2), "{sums:?}");
    }

    #[test]
    fn who_waits_again_still_says_for_what() {
        // Whoever wakes up and finds the lock taken again waits for the same object.
        let run = Builder::new().sync_points(true).run(|| async {
            let lock = Lock::new();
            let work = |_| -> Work {
                let lock = lock.clone();
                Box::pin(async move { lock.acquire().await })
            };
            lock.acquire().await;
            let release: Work = {
                let lock = lock.clone();
                Box::pin(async move { lock.release().await })
            };
            // It is waited for, released, taken by one who comes by, and waited for again.
            let mut works: Vec<Work> = times(2, work).collect();
            works.insert(1, release);
            crew(works).await;
        });
        let failure = run.report.end.failure().unwrap();
        assert_eq!(failure.kind, FailureKind::Deadlock);
        let of_crew = failure.details.lines().filter(|line| line.contains("crew"));
        let waits: Vec<bool> = of_crew.map(|line| line.contains("waits for a lock")).collect();
        assert_eq!(waits, [true], "{}", failure.details);
    }

    #[test]
    fn a_signal_without_a_waiter_is_lost() {
        let run = Builder::new().sync_points(true).run(|| async {
            let (lock, condition) = (Lock::new(), Condition::new());
            condition.signal().await;
            lock.acquire().await;
            condition.wait(&lock).await;
        });
        assert_eq!(run.report.end.failure().unwrap().kind, FailureKind::Deadlock);
    }
}
