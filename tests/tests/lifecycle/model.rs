//! The reference model: what tasks do when they are given turns in a certain order.
//!
//! It knows nothing of wakers, slabs or borrows. A task is a list of verbs and a position; a turn runs
//! verbs up to one that suspends. Everything the program can observe is appended to a log, in order.

use std::collections::VecDeque;

/// One thing a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Gives up the turn and stays runnable.
    Yield,
    /// Waits for anybody's wake.
    Park,
    /// Wakes a task, if it has ever run.
    Wake(usize),
    /// Aborts a task, if it was ever spawned.
    Abort(usize),
    /// Spawns a task that was not yet.
    Spawn(usize),
    /// Awaits a task's handle, if nobody has taken it.
    Join(usize),
    /// Drops a task's handle, if nobody has taken it.
    Drop(usize),
    /// Panics.
    Panic,
}

/// What is observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A task was polled.
    Polled(usize),
    /// A task's future was dropped, or had run to its end and let go of what it held.
    Released(usize),
    /// A task's output was dropped.
    OutputDropped(usize),
    /// The first task joined the second, which ended so.
    Joined(usize, usize, Ending),
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Completed,
    Cancelled,
    Panicked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Unborn,
    Ready,
    /// Ready in order to be dropped.
    Condemned,
    Waiting,
    Ended(Ending),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handle {
    /// It is where everybody can take it.
    Shared,
    /// A task awaits it.
    TakenBy(usize),
    /// It was dropped.
    Gone,
}

#[derive(Clone, Debug)]
struct Task {
    verbs: Vec<Verb>,
    at: usize,
    stage: Stage,
    handle: Handle,
    /// Its waker is known: it was polled.
    has_run: bool,
    /// It waits for the end of this task, whose handle it holds.
    joins: Option<usize>,
    /// During its own turn: somebody woke it, somebody aborted it.
    woken: bool,
    aborted: bool,
    holds_output: bool,
}

/// All tasks, and the line of those that can run.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    tasks: Vec<Task>,
    /// In the order in which they became runnable.
    pub(crate) line: VecDeque<usize>,
    running: Option<usize>,
    pub(crate) log: Vec<Event>,
}

impl Model {
    /// Tasks with these scripts; the first `roots` of them are spawned from outside.
    pub(crate) fn new(scripts: &[Vec<Verb>], roots: usize) -> Self {
        let task = |verbs: &Vec<Verb>| Task {
            verbs: verbs.clone(),
            at: 0,
            stage: Stage::Unborn,
            handle: Handle::Shared,
            has_run: false,
            joins: None,
            woken: false,
            aborted: false,
            holds_output: false,
        };
        let tasks = scripts.iter().map(task).collect();
        let mut model = Self { tasks, line: VecDeque::new(), running: None, log: Vec::new() };
        (0..roots).for_each(|task| model.spawn(task));
        model
    }

    /// Gives the turn to a task in the line.
    pub(crate) fn turn(&mut self, id: usize) {
        let place = self
            .line
            .iter()
            .position(|&other| other == id)
            .expect("only a runnable task gets a turn");
        self.line.remove(place);
        if self.tasks[id].stage == Stage::Condemned {
            self.tasks[id].stage = Stage::Ended(Ending::Cancelled);
            self.release(id);
            self.ended(id, Ending::Cancelled);
            return;
        }
        self.log.push(Event::Polled(id));
        let task = &mut self.tasks[id];
        (task.has_run, task.woken, task.aborted) = (true, false, false);
        self.running = Some(id);
        let left = self.run_verbs(id);
        self.running = None;
        match left {
            Left::Suspended => self.suspended(id),
            Left::Panicked => {
                self.release(id);
                self.ended(id, Ending::Panicked);
            }
            Left::Completed => {
                self.tasks[id].holds_output = true;
                self.release(id);
                self.ended(id, Ending::Completed);
            }
        }
    }

    fn run_verbs(&mut self, id: usize) -> Left {
        if let Some(joined) = self.tasks[id].joins
            && !self.try_join(id, joined)
        {
            return Left::Suspended;
        }
        loop {
            let task = &mut self.tasks[id];
            let Some(&verb) = task.verbs.get(task.at) else { return Left::Completed };
            task.at += 1;
            match verb {
                Verb::Yield => {
                    task.woken = true;
                    return Left::Suspended;
                }
                Verb::Park => return Left::Suspended,
                Verb::Panic => return Left::Panicked,
                Verb::Wake(other) => self.wake(other),
                Verb::Abort(other) => self.abort(other),
                Verb::Spawn(other) => self.spawn(other),
                Verb::Drop(other) => {
                    if self.is_shared(other) {
                        self.tasks[other].handle = Handle::Gone;
                        self.drop_output(other);
                    }
                }
                Verb::Join(other) => {
                    if self.is_shared(other) {
                        self.tasks[other].handle = Handle::TakenBy(id);
                        self.tasks[id].joins = Some(other);
                        if !self.try_join(id, other) {
                            return Left::Suspended;
                        }
                    }
                }
            }
        }
    }

    fn is_shared(&self, id: usize) -> bool {
        self.tasks[id].stage != Stage::Unborn && self.tasks[id].handle == Handle::Shared
    }

    /// Takes the end of `other`, if it has ended.
    fn try_join(&mut self, id: usize, other: usize) -> bool {
        let Stage::Ended(ending) = self.tasks[other].stage else { return false };
        self.tasks[id].joins = None;
        self.tasks[other].handle = Handle::Gone;
        self.log.push(Event::Joined(id, other, ending));
        self.drop_output(other);
        true
    }

    fn drop_output(&mut self, id: usize) {
        if std::mem::take(&mut self.tasks[id].holds_output) {
            self.log.push(Event::OutputDropped(id));
        }
    }

    /// A future lets go of what it holds: a handle first, since it was taken last.
    fn release(&mut self, id: usize) {
        if let Some(joined) = self.tasks[id].joins.take() {
            self.tasks[joined].handle = Handle::Gone;
            self.drop_output(joined);
        }
        self.log.push(Event::Released(id));
    }

    fn suspended(&mut self, id: usize) {
        let task = &mut self.tasks[id];
        if task.aborted {
            // Whoever joins hears of it before the future is dropped, and has a turn after it.
            self.ended_quietly(id, Ending::Cancelled);
            self.release(id);
        } else if task.woken {
            task.stage = Stage::Ready;
            self.line.push_back(id);
        } else {
            task.stage = Stage::Waiting;
        }
    }

    fn ended(&mut self, id: usize, ending: Ending) {
        self.ended_quietly(id, ending);
        if self.tasks[id].handle == Handle::Gone {
            self.drop_output(id);
        }
    }

    fn ended_quietly(&mut self, id: usize, ending: Ending) {
        self.tasks[id].stage = Stage::Ended(ending);
        if let Handle::TakenBy(joiner) = self.tasks[id].handle {
            self.wake(joiner);
        }
    }

    fn spawn(&mut self, id: usize) {
        if self.tasks[id].stage == Stage::Unborn {
            self.tasks[id].stage = Stage::Ready;
            self.line.push_back(id);
        }
    }

    fn wake(&mut self, id: usize) {
        if self.running == Some(id) {
            self.tasks[id].woken = true;
        } else if self.tasks[id].has_run && self.tasks[id].stage == Stage::Waiting {
            self.tasks[id].stage = Stage::Ready;
            self.line.push_back(id);
        }
    }

    fn abort(&mut self, id: usize) {
        if self.running == Some(id) {
            self.tasks[id].aborted = true;
            return;
        }
        match self.tasks[id].stage {
            Stage::Ready => self.tasks[id].stage = Stage::Condemned,
            Stage::Waiting => {
                self.tasks[id].stage = Stage::Condemned;
                self.line.push_back(id);
            }
            Stage::Unborn | Stage::Condemned | Stage::Ended(_) => {}
        }
    }

    /// Which tasks were spawned.
    pub(crate) fn born(&self) -> Vec<bool> {
        self.tasks.iter().map(|task| task.stage != Stage::Unborn).collect()
    }

    /// How each task ended; `None` for those that wait, or were never spawned.
    pub(crate) fn endings(&self) -> Vec<Option<Ending>> {
        let ending = |task: &Task| match task.stage {
            Stage::Ended(ending) => Some(ending),
            _ => None,
        };
        self.tasks.iter().map(ending).collect()
    }

    /// Whether somebody waits for what will never come.
    pub(crate) fn is_stuck(&self) -> bool {
        self.line.is_empty() && self.tasks.iter().any(|task| task.stage == Stage::Waiting)
    }
}

/// How a turn left a task.
enum Left {
    Suspended,
    Completed,
    Panicked,
}
