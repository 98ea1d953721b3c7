//! Random scripts, run by the engine and followed by the model.
//!
//! The program logs what it sees; the model is then given the turns in the order in which the log
//! shows them, and must produce the very same log. Under first in, first out it must also have named
//! the order itself. So a wake lost or invented, a poll after the end, a future dropped twice or at
//! another time, a handle that resolves otherwise: each is a difference.

use crate::model::{Ending, Event, Model, Verb};
use proptest::prelude::*;
use sim::task::{AbortHandle, JoinHandle};
use sim::{Builder, FailureKind, OsRuntime, PolicyKind, Runtime, RuntimeConfig};
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

/// What the tasks of one run share.
struct Shared {
    scripts: Vec<Vec<Verb>>,
    log: RefCell<Vec<Event>>,
    wakers: RefCell<Vec<Option<Waker>>>,
    handles: RefCell<Vec<Option<JoinHandle<Output>>>>,
    aborts: RefCell<Vec<Option<AbortHandle>>>,
}

impl Shared {
    fn new(scripts: &[Vec<Verb>]) -> Rc<Self> {
        let count = scripts.len();
        Rc::new(Self {
            scripts: scripts.to_vec(),
            log: RefCell::default(),
            wakers: RefCell::new(vec![None; count]),
            handles: RefCell::new((0..count).map(|_| None).collect()),
            aborts: RefCell::new(vec![None; count]),
        })
    }

    fn note(&self, event: Event) {
        self.log.borrow_mut().push(event);
    }

    fn keep(&self, id: usize, handle: JoinHandle<Output>) {
        self.aborts.borrow_mut()[id] = Some(handle.abort_handle());
        self.handles.borrow_mut()[id] = Some(handle);
    }

    fn is_born(&self, id: usize) -> bool {
        self.aborts.borrow()[id].is_some()
    }
}

/// What a task holds while it lives.
struct Guard(usize, Rc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.1.note(Event::Released(self.0));
    }
}

/// What a task gives.
struct Output(usize, Rc<Shared>);

impl Drop for Output {
    fn drop(&mut self) {
        self.1.note(Event::OutputDropped(self.0));
    }
}

/// A task that does what its script says.
fn task(id: usize, shared: Rc<Shared>) -> impl Future<Output = Output> + 'static {
    let guard = Guard(id, Rc::clone(&shared));
    let mut verbs = Box::pin(perform(id, Rc::clone(&shared), guard));
    poll_fn(move |context| {
        shared.note(Event::Polled(id));
        shared.wakers.borrow_mut()[id] = Some(context.waker().clone());
        verbs.as_mut().poll(context)
    })
}

async fn perform(id: usize, shared: Rc<Shared>, guard: Guard) -> Output {
    let _guard = guard;
    for &verb in &shared.scripts[id] {
        match verb {
            Verb::Yield => sim::yield_now().await,
            Verb::Park => park().await,
            Verb::Panic => panic!("on purpose"),
            Verb::Wake(other) => {
                let waker = shared.wakers.borrow()[other].clone();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            Verb::Abort(other) => {
                let abort = shared.aborts.borrow()[other];
                if let Some(abort) = abort {
                    abort.abort();
                }
            }
            Verb::Spawn(other) => {
                if !shared.is_born(other) {
                    let handle = sim::spawn(task(other, Rc::clone(&shared)));
                    shared.keep(other, handle);
                }
            }
            Verb::Drop(other) => {
                let handle = shared.handles.borrow_mut()[other].take();
                drop(handle);
            }
            Verb::Join(other) => {
                let handle = shared.handles.borrow_mut()[other].take();
                if let Some(handle) = handle {
                    join(id, other, handle, &shared).await;
                }
            }
        }
    }
    Output(id, Rc::clone(&shared))
}

async fn join(id: usize, other: usize, handle: JoinHandle<Output>, shared: &Shared) {
    let result = handle.await;
    let ending = match &result {
        Ok(_) => Ending::Completed,
        Err(error) if error.is_panic() => Ending::Panicked,
        Err(_) => Ending::Cancelled,
    };
    shared.note(Event::Joined(id, other, ending));
}

/// Suspends once, and goes on at whatever poll comes next.
async fn park() {
    let mut parked = false;
    poll_fn(|_| {
        if parked {
            return Poll::Ready(());
        }
        parked = true;
        Poll::Pending
    })
    .await;
}

/// What the engine made of the scripts: the log of the run, whether it was stuck, and the log of the whole life.
struct Observed {
    log: Vec<Event>,
    is_stuck: bool,
    whole: Vec<Event>,
}

fn run_in(mut runtime: impl Runtime, scripts: &[Vec<Verb>], roots: usize) -> Observed {
    let shared = Shared::new(scripts);
    for id in 0..roots {
        let handle = runtime.spawn(task(id, Rc::clone(&shared)));
        shared.keep(id, handle);
    }
    let is_stuck = match runtime.run() {
        Ok(()) => false,
        Err(failure) if failure.kind == FailureKind::Deadlock => true,
        Err(failure) => panic!("{failure}"),
    };
    let log = shared.log.borrow().clone();
    let _ = runtime.shutdown();
    let whole = shared.log.borrow().clone();
    // Handles and wakers that outlive their runtime do nothing.
    shared.wakers.take().into_iter().flatten().for_each(Waker::wake);
    shared.aborts.take().into_iter().flatten().for_each(|abort| abort.abort());
    drop(shared.handles.take());
    assert_eq!(*shared.log.borrow(), whole, "nothing happens after the end");
    Observed { log, is_stuck, whole }
}

fn simulated(policy: PolicyKind, seed: u64, scripts: &[Vec<Verb>], roots: usize) -> Observed {
    let config = RuntimeConfig { panics_end_run: false, ..RuntimeConfig::default() };
    let builder = Builder::new().config(config).policy(policy).seed(seed);
    run_in(builder.build().expect("the limits are the default ones"), scripts, roots)
}

/// The model, given turns in the order that the log shows.
fn followed(log: &[Event], scripts: &[Vec<Verb>], roots: usize) -> Result<Model, TestCaseError> {
    let mut model = Model::new(scripts, roots);
    while let Some(&next) = log.get(model.log.len()) {
        // A turn begins with a poll, or with the release of a condemned task, or of the handle it holds.
        let before = model.log.len();
        let candidates: Vec<usize> = model.line.iter().copied().collect();
        let agrees = candidates.into_iter().find_map(|id| {
            let mut tried = model.clone();
            tried.turn(id);
            log[before..].starts_with(&tried.log[before..]).then_some(tried)
        });
        match agrees {
            Some(agrees) => model = agrees,
            None => {
                let line = model.line.iter().collect::<Vec<_>>();
                let rest = &log[before..];
                return Err(TestCaseError::fail(format!(
                    "with {line:?} runnable nothing gives {next:?}\nso far {:?}\nthen {rest:?}",
                    &log[..before]
                )));
            }
        }
    }
    Ok(model)
}

/// Exactly one release for every future, and exactly one drop for every output.
fn check_destructors(whole: &[Event], model: &Model) -> Result<(), TestCaseError> {
    for (id, (is_born, ending)) in model.born().into_iter().zip(model.endings()).enumerate() {
        let count = |event: Event| whole.iter().filter(|other| **other == event).count();
        prop_assert_eq!(count(Event::Released(id)), usize::from(is_born), "futures of task {}", id);
        let outputs = usize::from(ending == Some(Ending::Completed));
        prop_assert_eq!(count(Event::OutputDropped(id)), outputs, "outputs of task {}", id);
    }
    Ok(())
}

const TASKS: usize = 6;

fn verb() -> impl Strategy<Value = Verb> {
    let task = 0..TASKS;
    prop_oneof![
        4 => Just(Verb::Yield),
        3 => Just(Verb::Park),
        4 => task.clone().prop_map(Verb::Wake),
        3 => task.clone().prop_map(Verb::Abort),
        4 => task.clone().prop_map(Verb::Spawn),
        4 => task.clone().prop_map(Verb::Join),
        2 => task.prop_map(Verb::Drop),
        1 => Just(Verb::Panic),
    ]
}

fn scripts() -> impl Strategy<Value = Vec<Vec<Verb>>> {
    proptest::collection::vec(proptest::collection::vec(verb(), 0..8), TASKS)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_model_names_the_fifo_order(scripts in scripts(), roots in 1..4_usize) {
        let observed = simulated(PolicyKind::Fifo, 0, &scripts, roots);
        let mut model = Model::new(&scripts, roots);
        while let Some(&first) = model.line.front() {
            model.turn(first);
        }
        prop_assert_eq!(&observed.log, &model.log);
        prop_assert_eq!(observed.is_stuck, model.is_stuck());
        check_destructors(&observed.whole, &model)?;
    }

    #[test]
    fn the_model_follows_any_order(scripts in scripts(), roots in 1..4_usize, seed in any::<u64>()) {
        for (policy, seed) in [(PolicyKind::Random, seed), (PolicyKind::Random, !seed), (PolicyKind::Pct { depth: 3 }, seed)] {
            let observed = simulated(policy, seed, &scripts, roots);
            let model = followed(&observed.log, &scripts, roots)?;
            prop_assert!(model.line.is_empty(), "{:?} could still run", model.line);
            prop_assert_eq!(observed.is_stuck, model.is_stuck());
            check_destructors(&observed.whole, &model)?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_global_rejects: 1 << 20, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is verified in simulation is what runs for real: the same scripts, the same log, on the operating system.
    #[test]
    fn the_real_runtime_does_the_same(scripts in scripts(), roots in 1..4_usize) {
        let mut model = Model::new(&scripts, roots);
        while let Some(&first) = model.line.front() {
            model.turn(first);
        }
        // A real runtime waits for ever where a simulated one sees that nothing can happen.
        prop_assume!(!model.is_stuck());
        let observed = run_in(OsRuntime::new().expect("Linux gives it descriptors"), &scripts, roots);
        prop_assert_eq!(&observed.log, &model.log);
        check_destructors(&observed.whole, &model)?;
    }
}
