//! Tasks: spawned, joined, aborted, detached, asked about.

use crate::{on_both, settle};
use futures_task::Spawn;
use futures_util::task::{LocalSpawnExt, SpawnExt};
use sim::task::{self, JoinError, Spawner, State, WaitsFor, yield_now};
use sim::time::sleep;
use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::io;
use std::panic::panic_any;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

async fn spawn_and_join() -> io::Result<()> {
    assert_eq!(sim::spawn(async { 6 * 7 }).await.unwrap(), 42);
    let handles: Vec<_> = (0..100_u32)
        .map(|n| {
            sim::spawn(async move {
                for _ in 0..n % 7 {
                    yield_now().await;
                }
                n
            })
        })
        .collect();
    let mut sum = 0;
    for handle in handles {
        sum += handle.await.unwrap();
    }
    assert_eq!(sum, 4950);
    let text = String::from("not Send, not Copy");
    let shared = Rc::new(text);
    let kept = Rc::clone(&shared);
    let back = sim::spawn(async move { kept }).await.unwrap();
    assert!(Rc::ptr_eq(&back, &shared));
    Ok(())
}

async fn spawning_runs_nothing_yet() -> io::Result<()> {
    let ran = Rc::new(Cell::new(false));
    let set = Rc::clone(&ran);
    let handle = sim::spawn(async move { set.set(true) });
    assert!(!ran.get() && !handle.is_finished());
    handle.await.unwrap();
    assert!(ran.get());
    Ok(())
}

/// Sets a flag when it is dropped.
struct Flag(Rc<Cell<u32>>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

fn flag() -> (Rc<Cell<u32>>, Flag) {
    let count = Rc::new(Cell::new(0));
    (Rc::clone(&count), Flag(count))
}

async fn abort_drops_the_task() -> io::Result<()> {
    let (count, flag) = flag();
    let handle = sim::spawn(async move {
        let _flag = flag;
        pending::<()>().await;
    });
    settle().await;
    handle.abort();
    assert_eq!(count.get(), 0, "the caller of abort drops nothing itself");
    let error = handle.await.unwrap_err();
    assert!(error.is_cancelled() && !error.is_panic());
    assert_eq!(count.get(), 1);
    assert!(error.to_string().ends_with("was cancelled"), "{error}");
    assert!(error.try_into_panic().is_err());
    Ok(())
}

async fn abort_before_the_first_poll() -> io::Result<()> {
    let (count, flag) = flag();
    let handle = sim::spawn(async move {
        let _flag = flag;
        panic!("it is never polled");
    });
    handle.abort();
    assert!(handle.await.unwrap_err().is_cancelled());
    assert_eq!(count.get(), 1);
    Ok(())
}

async fn abort_after_the_end_changes_nothing() -> io::Result<()> {
    let handle = sim::spawn(async { 1 });
    settle().await;
    assert!(handle.is_finished());
    handle.abort();
    assert_eq!(handle.await.unwrap(), 1);
    Ok(())
}

async fn an_abort_handle_outlives_the_task() -> io::Result<()> {
    let handle = sim::spawn(pending::<()>());
    let abort = handle.abort_handle();
    assert_eq!(abort.id(), handle.id());
    settle().await;
    abort.abort();
    assert!(handle.await.unwrap_err().is_cancelled());
    assert!(abort.is_finished());
    let another = sim::spawn(async {
        yield_now().await;
        2
    });
    abort.abort();
    assert_eq!(another.await.unwrap(), 2, "a stale handle aborts nobody else");
    Ok(())
}

async fn detached_tasks_go_on() -> io::Result<()> {
    let done = Rc::new(Cell::new(0));
    let (a, b) = (Rc::clone(&done), Rc::clone(&done));
    sim::spawn(async move {
        sleep(Duration::from_millis(2)).await;
        a.set(a.get() + 1);
    })
    .detach();
    drop(sim::spawn(async move {
        sleep(Duration::from_millis(2)).await;
        b.set(b.get() + 1);
    }));
    settle().await;
    assert_eq!(done.get(), 2);
    Ok(())
}

async fn a_detached_output_is_dropped() -> io::Result<()> {
    let (count, flag) = flag();
    sim::spawn(async move { flag }).detach();
    settle().await;
    assert_eq!(count.get(), 1);
    let (count, flag) = self::flag();
    let handle = sim::spawn(async move { flag });
    settle().await;
    assert_eq!(count.get(), 0, "a handle keeps the output");
    drop(handle);
    assert_eq!(count.get(), 1);
    Ok(())
}

async fn a_panic_goes_to_who_joins() -> io::Result<()> {
    async fn panic_with(text: &'static str) {
        yield_now().await;
        panic!("{text}");
    }
    let error: JoinError = sim::spawn(panic_with("on purpose")).await.unwrap_err();
    assert!(error.is_panic() && !error.is_cancelled());
    assert!(error.to_string().ends_with("panicked: on purpose"), "{error}");
    let payload = error.into_panic();
    assert_eq!(*payload.downcast::<String>().unwrap(), "on purpose");
    let error = sim::spawn(async { panic_any(17_u8) }).await.unwrap_err();
    assert_eq!(*error.into_panic().downcast::<u8>().unwrap(), 17);
    Ok(())
}

async fn a_panic_drops_what_the_task_held() -> io::Result<()> {
    let (count, flag) = flag();
    let handle = sim::spawn(async move {
        let _flag = flag;
        yield_now().await;
        panic!("on purpose");
    });
    assert!(handle.await.unwrap_err().is_panic());
    assert_eq!(count.get(), 1);
    Ok(())
}

async fn the_registry_tells() -> io::Result<()> {
    let me = task::try_id().expect("the case runs in a task");
    let waiter = task::Builder::new().name("waiter").spawn(sleep(Duration::from_secs(3600)));
    let joiner_of = task::Builder::new().name("busy").spawn(async {
        loop {
            yield_now().await;
        }
    });
    let find =
        |name: &str| task::all().into_iter().find(|task| task.name == name).expect("it is there");
    let fresh = find("waiter");
    assert_eq!(
        (fresh.id, fresh.parent, fresh.state, fresh.polls),
        (waiter.id(), me, State::Scheduled, 0)
    );
    assert!(fresh.spawned_at.file().ends_with("tasks.rs"));
    settle().await;
    let waiting = find("waiter");
    assert_eq!((waiting.state, waiting.polls), (State::Waiting, 1));
    assert!(matches!(waiting.waits_for, WaitsFor::Timer(_)), "{:?}", waiting.waits_for);
    assert!(find("busy").polls > 1);
    let own = task::all().into_iter().find(|task| task.id == me).unwrap();
    assert_eq!(own.state, State::Running);
    assert_eq!(own.name, "main");
    let host = sim::host::current().id();
    assert_eq!(waiting.host, host);
    let joined = waiter.id();
    let joins =
        task::Builder::new().name("joins").spawn(async move { waiter.await.map_err(|_| ()) });
    settle().await;
    assert_eq!(find("joins").waits_for, WaitsFor::Join(joined));
    joiner_of.abort();
    joins.abort();
    assert!(joins.await.is_err());
    Ok(())
}

async fn an_unnamed_task_is_named_by_its_type() -> io::Result<()> {
    async fn distinguished() {
        pending::<()>().await;
    }
    let handle = sim::spawn(distinguished());
    let info = task::all().into_iter().find(|task| task.id == handle.id()).unwrap();
    assert!(info.name.contains("distinguished"), "{}", info.name);
    handle.abort();
    Ok(())
}

sim::task_local! {
    static NUMBER: u32;
    static TEXT: String;
}

async fn task_locals() -> io::Result<()> {
    async fn sum() -> u32 {
        let before = NUMBER.get();
        yield_now().await;
        sleep(Duration::from_millis(1)).await;
        assert_eq!(NUMBER.get(), before);
        NUMBER.get()
    }
    let (one, two) = (sim::spawn(NUMBER.scope(1, sum())), sim::spawn(NUMBER.scope(2, sum())));
    assert_eq!((one.await.unwrap(), two.await.unwrap()), (1, 2));
    let nested = NUMBER.scope(1, async {
        let inner = NUMBER.scope(2, sum()).await;
        (inner, NUMBER.get())
    });
    assert_eq!(nested.await, (2, 1));
    let text = TEXT.scope("kept".into(), async {
        yield_now().await;
        let seen_by_child =
            sim::spawn(async { std::panic::catch_unwind(|| TEXT.with(String::clone)).is_ok() });
        assert!(!seen_by_child.await.unwrap(), "a child does not inherit it");
        TEXT.with(String::clone)
    });
    assert_eq!(text.await, "kept");
    let panics = sim::spawn(NUMBER.scope(9, async { panic!("on purpose") }));
    assert!(panics.await.is_err());
    let outside = sim::spawn(async { NUMBER.get() }).await.unwrap_err();
    assert!(outside.to_string().contains("inside a scope of its key"), "{outside}");
    Ok(())
}

/// Two tasks that yield take turns: each gets one before the other gets a second, under first in first out.
async fn yielding_gives_others_a_turn() -> io::Result<()> {
    let turns = Rc::new(RefCell::new(Vec::new()));
    let tasks = ["a", "b"].map(|name| {
        let turns = Rc::clone(&turns);
        sim::spawn(async move {
            for _ in 0..5 {
                turns.borrow_mut().push(name);
                yield_now().await;
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    let turns = turns.take();
    assert_eq!(turns.iter().filter(|name| **name == "a").count(), 5);
    assert_eq!(turns.len(), 10);
    Ok(())
}

async fn the_spawner_of_the_futures_traits() -> io::Result<()> {
    let done = Rc::new(Cell::new(0));
    let local = Rc::clone(&done);
    Spawner.spawn_local(async move { local.set(local.get() + 1) }).unwrap();
    assert_eq!(Spawner.spawn_with_handle(async { 5 }).unwrap().await, 5);
    assert_eq!(Spawner.spawn_local_with_handle(async { 6 }).unwrap().await, 6);
    let (sender, receiver) = futures_util::future::abortable(pending::<()>());
    receiver.abort();
    Spawner.spawn(async move { assert!(sender.await.is_err()) }).unwrap();
    settle().await;
    assert_eq!(done.get(), 1);
    assert!(Spawner.status().is_ok());
    Ok(())
}

async fn wakers_compare_and_last() -> io::Result<()> {
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let put = Rc::clone(&kept);
    let ready = Rc::new(Cell::new(false));
    let is_ready = Rc::clone(&ready);
    let handle = sim::spawn(poll_fn(move |context| {
        let waker = context.waker();
        assert!(waker.will_wake(&waker.clone()));
        put.borrow_mut().get_or_insert_with(|| waker.clone());
        if is_ready.get() { Poll::Ready(()) } else { Poll::Pending }
    }));
    settle().await;
    let waker = kept.take().expect("it was polled");
    waker.wake_by_ref();
    settle().await;
    assert!(!handle.is_finished(), "a wake without cause costs a poll");
    ready.set(true);
    waker.wake_by_ref();
    handle.await.unwrap();
    waker.wake_by_ref();
    let second = waker.clone();
    second.wake();
    let other = sim::spawn(pending::<()>());
    waker.wake();
    settle().await;
    let polls = task::all().into_iter().find(|task| task.id == other.id()).unwrap().polls;
    assert_eq!(polls, 1, "a stale waker wakes nobody else");
    other.abort();
    Ok(())
}

async fn a_woken_task_is_polled_once() -> io::Result<()> {
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let polls = Rc::new(Cell::new(0));
    let (put, count) = (Rc::clone(&kept), Rc::clone(&polls));
    let handle = sim::spawn(poll_fn(move |context| {
        *put.borrow_mut() = Some(context.waker().clone());
        count.set(count.get() + 1);
        Poll::<()>::Pending
    }));
    settle().await;
    let waker = kept.take().unwrap();
    for _ in 0..10 {
        waker.wake_by_ref();
    }
    settle().await;
    assert_eq!(polls.get(), 2, "ten wakes before a poll are one");
    handle.abort();
    Ok(())
}

async fn a_joined_handle_in_a_combinator() -> io::Result<()> {
    let handles = (0..10_u64).map(|n| {
        sim::spawn(async move {
            sleep(Duration::from_millis(10 - n)).await;
            n
        })
    });
    let outputs = futures_util::future::join_all(handles).await;
    let outputs: Vec<u64> = outputs.into_iter().map(|output| output.unwrap()).collect();
    assert_eq!(outputs, (0..10).collect::<Vec<_>>());
    Ok(())
}

/// A handle can be given up by one task and awaited by another.
async fn a_handle_moves() -> io::Result<()> {
    let mut handle = sim::spawn(async {
        sleep(Duration::from_millis(5)).await;
        "output"
    });
    let early =
        poll_fn(|context| Poll::Ready(Pin::new(&mut handle).poll(context).is_ready())).await;
    assert!(!early);
    let other = sim::spawn(async move { handle.await.unwrap() });
    assert_eq!(other.await.unwrap(), "output");
    Ok(())
}

on_both!(
    spawn_and_join,
    spawning_runs_nothing_yet,
    abort_drops_the_task,
    abort_before_the_first_poll,
    abort_after_the_end_changes_nothing,
    an_abort_handle_outlives_the_task,
    detached_tasks_go_on,
    a_detached_output_is_dropped,
    a_panic_goes_to_who_joins,
    a_panic_drops_what_the_task_held,
    the_registry_tells,
    an_unnamed_task_is_named_by_its_type,
    task_locals,
    yielding_gives_others_a_turn,
    the_spawner_of_the_futures_traits,
    wakers_compare_and_last,
    a_woken_task_is_polled_once,
    a_joined_handle_in_a_combinator,
    a_handle_moves,
);
