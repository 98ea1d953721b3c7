//! Threads for calls that block: files, directories, name look-ups, lingering closes.
//!
//! They are few, start when there is work for them, and end with the pool, after all the work that
//! was given to it: what a program has submitted takes effect, as it would on Linux. A thread takes
//! the oldest task, so two tasks of one file may run at the same time and end in either order, as
//! two system calls of two threads would.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

type Task = Box<dyn FnOnce() + Send>;

/// A bounded number of threads and the tasks that wait for one.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    most: usize,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    /// Threads that wait for a task, among them those that were told of one and have not yet taken it.
    idle: usize,
    closed: bool,
}

impl Pool {
    /// A pool of at most `most` threads, none of which runs yet.
    pub(crate) fn new(most: usize) -> Self {
        Self { shared: Arc::default(), threads: Vec::new(), most: most.max(1) }
    }

    /// Gives the pool a task. Fails, and drops the task, if no thread runs and none can be started.
    pub(crate) fn give(&mut self, task: impl FnOnce() + Send + 'static) -> io::Result<()> {
        if self.shared.lock().wants_thread() && self.threads.len() < self.most {
            match self.start() {
                Err(error) if self.threads.is_empty() => return Err(error),
                // The threads that run already will come to it.
                Err(_) => {}
                Ok(thread) => self.threads.push(thread),
            }
        }
        self.shared.lock().tasks.push_back(Box::new(task));
        self.shared.changed.notify_one();
        Ok(())
    }

    fn start(&self) -> io::Result<JoinHandle<()>> {
        let shared = self.shared.clone();
        let name = format!("sim-os-blocking-{}", self.threads.len());
        thread::Builder::new().name(name).spawn(move || {
            while let Some(task) = shared.next() {
                task();
            }
        })
    }
}

impl Queue {
    /// Whether one more task would find nobody to take it at once.
    fn wants_thread(&self) -> bool {
        self.tasks.len() >= self.idle
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue
            .lock()
            .expect("no task runs while the queue is locked, so nothing can panic there")
    }

    /// The oldest task, waiting for one; `None` when the pool is closed and all is done.
    fn next(&self) -> Option<Task> {
        let mut queue = self.lock();
        loop {
            if let Some(task) = queue.tasks.pop_front() {
                return Some(task);
            }
            if queue.closed {
                return None;
            }
            queue.idle += 1;
            queue = self.changed.wait(queue).expect("no task runs while the queue is locked");
            queue.idle -= 1;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "a task of the pool must not panic");
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("threads", &self.threads.len())
            .field("most", &self.most)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::mpsc;

    #[test]
    fn all_that_was_given_is_done_before_the_end() {
        let (sender, receiver) = mpsc::channel();
        let mut pool = Pool::new(3);
        for n in 0..100 {
            let sender = sender.clone();
            pool.give(move || sender.send(n).unwrap()).unwrap();
        }
        assert!(pool.threads.len() <= 3);
        drop((pool, sender));
        let mut done: Vec<i32> = receiver.iter().collect();
        done.sort_unstable();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn tasks_that_wait_for_each_other_run_at_the_same_time() {
        let barrier = Arc::new(Barrier::new(4));
        let mut pool = Pool::new(4);
        for _ in 0..4 {
            let barrier = barrier.clone();
            pool.give(move || {
                barrier.wait();
            })
            .unwrap();
        }
        drop(pool);
    }

    #[test]
    fn no_thread_runs_without_work() {
        assert!(Pool::new(4).threads.is_empty());
    }
}
