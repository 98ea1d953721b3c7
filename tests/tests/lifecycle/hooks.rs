//! Users' code at every place where the engine calls it.
//!
//! No user code runs while the runtime is borrowed. Each test here calls back from such a place; a
//! borrow that is still held would panic with "the runtime was entered while it was borrowed".

use futures_util::future::join_all;
use sim::time::{Instant, sleep};
use sim::{Builder, End, OsRuntime, Report, Run, Runtime};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

/// Runs a program that must end well.
#[track_caller]
fn run<F: Future + 'static>(program: impl FnOnce() -> F) -> F::Output {
    Builder::new().run(program).unwrap()
}

/// Calls a function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A task that holds `held` for ever.
async fn hold<T>(held: T) {
    let _held = held;
    pending::<()>().await;
}

/// A counter that tasks and the test share.
fn counter() -> (Rc<Cell<u32>>, impl Fn() + Clone) {
    let count = Rc::new(Cell::new(0));
    let add = Rc::clone(&count);
    (count, move || add.set(add.get() + 1))
}

/// The text of a caught panic.
fn text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .expect("a panic has a text")
}

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

#[test]
fn drop_spawns() {
    let (ran, count) = counter();
    run(|| async move {
        let on_drop = OnDrop(move || {
            let count = count.clone();
            sim::spawn(async move { count() }).detach();
        });
        let task = sim::spawn(hold(on_drop));
        sim::yield_now().await;
        task.abort();
        assert!(task.await.is_err());
        sleep(ms(1)).await;
    });
    assert_eq!(ran.get(), 1);
}

/// At the end of a run nothing is polled any more, and what a destructor spawns is dropped as well.
#[test]
fn drop_spawns_at_the_end() {
    let (dropped, count) = counter();
    run(|| async move {
        let on_drop = OnDrop(move || {
            let again = OnDrop(count.clone());
            sim::spawn(async move {
                let _again = again;
                panic!("nothing runs any more");
            })
            .detach();
        });
        sim::spawn(hold(on_drop)).detach();
        sleep(ms(1)).await;
    });
    assert_eq!(dropped.get(), 1);
}

/// A destructor that spawns itself for ever is given up on, not followed for ever.
#[test]
fn drop_spawns_without_end() {
    fn breed(count: Arc<AtomicU32>) {
        count.fetch_add(1, Ordering::Relaxed);
        sim::spawn(hold(OnDrop(move || breed(Arc::clone(&count))))).detach();
    }
    let count = Arc::new(AtomicU32::new(0));
    let bred = Arc::clone(&count);
    run(|| async move { breed(bred) });
    let count = count.load(Ordering::Relaxed);
    assert!((10..100_000).contains(&count), "{count} generations");
}

#[test]
fn drop_wakes() {
    run(|| async {
        let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
        let put = Rc::clone(&wakers);
        let woken = sim::spawn(async move {
            let mut polls = 0;
            poll_fn(|context| {
                polls += 1;
                put.borrow_mut().push(context.waker().clone());
                if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        });
        let holder =
            sim::spawn(hold(OnDrop(move || wakers.take().into_iter().for_each(Waker::wake))));
        sleep(ms(1)).await;
        holder.abort();
        woken.await.unwrap();
    });
}

#[test]
fn drop_aborts_another() {
    let (dropped, count) = counter();
    run(|| async move {
        let other = sim::spawn(hold(OnDrop(count)));
        let abort = other.abort_handle();
        let task = sim::spawn(hold(OnDrop(move || abort.abort())));
        sleep(ms(1)).await;
        task.abort();
        assert!(other.await.unwrap_err().is_cancelled());
    });
    assert_eq!(dropped.get(), 1);
}

#[test]
fn drop_aborts_itself_and_asks() {
    run(|| async {
        let slot: Rc<RefCell<Option<sim::task::AbortHandle>>> = Rc::default();
        let take = Rc::clone(&slot);
        let task = sim::spawn(hold(OnDrop(move || {
            let abort = take.take().expect("it was put there");
            abort.abort();
            assert!(abort.is_finished(), "a task that is being dropped has ended");
            assert!(sim::task::all().iter().any(|task| task.id == abort.id()));
            assert!(Instant::now() >= Instant::now());
        })));
        slot.replace(Some(task.abort_handle()));
        sleep(ms(1)).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

/// A destructor uses what the world has: it opens, sends, sleeps (and gives the sleep up), asks the time.
#[test]
fn drop_uses_the_world() {
    let (dropped, count) = counter();
    let program = || async move {
        let socket = sim::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let on_drop = OnDrop(move || {
            assert!(socket.local_addr().is_ok());
            let _unused = sleep(ms(5));
            let _ = sim::rand::random();
            let _ = sim::host("late").name();
            count();
        });
        sim::spawn(hold(on_drop)).detach();
        sleep(ms(1)).await;
    };
    run(program);
    assert_eq!(dropped.get(), 1, "at the end, too");
}

#[test]
fn an_output_whose_drop_spawns() {
    let (ran, count) = counter();
    run(|| async move {
        let spawn = move || {
            let count = count.clone();
            sim::spawn(async move { count() }).detach();
        };
        sim::spawn({
            let spawn = spawn.clone();
            async move { OnDrop(spawn) }
        })
        .detach();
        let kept = sim::spawn(async move { OnDrop(spawn) });
        sleep(ms(1)).await;
        drop(kept);
        sleep(ms(1)).await;
    });
    assert_eq!(ran.get(), 2);
}

/// Wakes `waker` on another thread, some time later.
fn wake_later(waker: Waker) -> thread::JoinHandle<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the thread stands outside the run and takes its time"
    )]
    thread::spawn(move || {
        thread::sleep(ms(20));
        waker.wake();
    })
}

/// Ready at the second poll; the first one lends its waker.
fn twice(mut lend: impl FnMut(Waker)) -> impl Future<Output = ()> {
    let mut polls = 0;
    poll_fn(move |context| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(());
        }
        lend(context.waker().clone());
        Poll::Pending
    })
}

#[test]
fn another_thread_wakes_for_real() {
    let mut runtime = OsRuntime::new().unwrap();
    let thread: Rc<RefCell<Option<thread::JoinHandle<()>>>> = Rc::default();
    let put = Rc::clone(&thread);
    runtime.block_on(twice(move |waker| {
        put.replace(Some(wake_later(waker)));
    }));
    thread.take().unwrap().join().unwrap();
}

/// In simulation that is an escape; `outcomes` has the report.
#[test]
fn another_thread_wakes_in_simulation() {
    let run: Run<()> = Builder::new().run(|| {
        twice(|waker| {
            thread::spawn(move || waker.wake()).join().unwrap();
        })
    });
    assert_eq!(run.report.end.failure().unwrap().kind, sim::FailureKind::Escape);
}

#[test]
fn another_thread_drops_a_waker() {
    let program = || async {
        let task = sim::spawn(twice(|waker| {
            let kept = waker.clone();
            thread::spawn(move || drop((waker.clone(), waker))).join().unwrap();
            kept.wake();
        }));
        task.await.unwrap();
    };
    assert_eq!(Builder::new().run(program).report.end, End::Done);
    OsRuntime::new().unwrap().block_on(program());
}

#[test]
fn panic_in_drop_of_an_aborted_task() {
    let run = Builder::new().run(|| async {
        let task = sim::spawn(hold(OnDrop(|| panic!("in drop"))));
        sleep(ms(1)).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        sleep(ms(1)).await;
    });
    assert_eq!(run.report.end, End::Done);
    assert!(
        run.report.notices.iter().any(|notice| notice.text.contains("in drop")),
        "{:?}",
        run.report.notices
    );
}

#[test]
fn panic_in_drop_of_an_output() {
    let run = Builder::new().run(|| async {
        sim::spawn(async { OnDrop(|| panic!("output")) }).detach();
        sleep(ms(1)).await;
    });
    assert_eq!(run.report.end, End::Done);
    assert!(
        run.report.notices.iter().any(|notice| notice.text.contains("output")),
        "{:?}",
        run.report.notices
    );
}

/// Who drops a handle drops the output that nobody took, and its panic is his.
#[test]
fn panic_in_drop_of_an_output_with_its_handle() {
    let run = Builder::new().run(|| async {
        let kept = sim::spawn(async { OnDrop(|| panic!("output")) });
        sleep(ms(1)).await;
        let caught = catch_unwind(AssertUnwindSafe(|| drop(kept)));
        assert_eq!(text(&*caught.unwrap_err()), "output");
        sleep(ms(1)).await;
    });
    assert_eq!(run.report.end, End::Done);
}

#[test]
fn panic_in_drop_at_the_end() {
    let (dropped, count) = counter();
    let run = Builder::new().run(|| async move {
        sim::spawn(hold(OnDrop(|| panic!("late")))).detach();
        sim::spawn(hold(OnDrop(count))).detach();
        sleep(ms(1)).await;
    });
    assert_eq!(run.report.end, End::Done);
    assert_eq!(dropped.get(), 1, "the others are dropped all the same");
}

/// A payload is the program's, too.
#[test]
fn panic_with_a_payload_that_panics() {
    let run = Builder::new().run(|| async {
        let task = sim::spawn(async {
            std::panic::panic_any(OnDrop(|| panic!("payload")));
        });
        let error = task.await.unwrap_err();
        std::mem::forget(error.into_panic());
        sleep(ms(1)).await;
    });
    assert_eq!(run.report.end, End::Done);
}

#[test]
fn wake_after_the_end() {
    run(|| async {
        let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
        let put = Rc::clone(&wakers);
        let task = sim::spawn(twice(move |waker| {
            waker.wake_by_ref();
            put.borrow_mut().push(waker);
        }));
        task.await.unwrap();
        let others: Vec<_> = (0..3).map(|_| sim::spawn(pending::<()>())).collect();
        sleep(ms(1)).await;
        for waker in wakers.take() {
            waker.wake_by_ref();
            waker.wake();
        }
        sleep(ms(1)).await;
        for task in
            sim::task::all().iter().filter(|task| others.iter().any(|other| other.id() == task.id))
        {
            assert_eq!(
                task.polls, 1,
                "the place was used again, and the old waker means the old task"
            );
        }
    });
}

/// Aborts itself, and then does what it is told.
fn suicide(then: impl Future<Output = u32> + 'static) -> sim::task::JoinHandle<u32> {
    let slot: Rc<RefCell<Option<sim::task::AbortHandle>>> = Rc::default();
    let take = Rc::clone(&slot);
    let task = sim::spawn(async move {
        take.take().expect("it was put there").abort();
        then.await
    });
    slot.replace(Some(task.abort_handle()));
    task
}

#[test]
fn abort_of_self() {
    let (dropped, count) = counter();
    run(|| async move {
        let guard = OnDrop(count);
        let waits = suicide(async move {
            let _guard = guard;
            sim::yield_now().await;
            unreachable!("it is dropped at its first await")
        });
        assert!(waits.await.unwrap_err().is_cancelled());
        assert_eq!(
            suicide(async { 7 }).await.unwrap(),
            7,
            "a poll that ends the task wins over the abort"
        );
        assert!(suicide(async { panic!("on purpose") }).await.unwrap_err().is_panic());
    });
    assert_eq!(dropped.get(), 1);
}

/// Somebody who is called from within the poll aborts the task that is polled.
#[test]
fn abort_during_the_poll_of_another_future() {
    run(|| async {
        let slot: Rc<RefCell<Option<sim::task::AbortHandle>>> = Rc::default();
        let take = Rc::clone(&slot);
        let task = sim::spawn(async move {
            let mut inner = Box::pin(async move {
                take.take().expect("it was put there").abort();
                pending::<()>().await;
            });
            poll_fn(|context| inner.as_mut().poll(context)).await;
        });
        slot.replace(Some(task.abort_handle()));
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_handle_dropped_by_its_own_task() {
    let (ended, count) = counter();
    let (dropped, drops) = counter();
    run(|| async move {
        let slot: Rc<RefCell<Option<sim::task::JoinHandle<_>>>> = Rc::default();
        for wait in [false, true] {
            let (take, count, drops) = (Rc::clone(&slot), count.clone(), drops.clone());
            let task = sim::spawn(async move {
                let output = OnDrop(drops);
                let own = take.take().expect("it was put there");
                if wait {
                    sim::yield_now().await;
                }
                drop(own);
                count();
                output
            });
            slot.replace(Some(task));
            sleep(ms(1)).await;
        }
    });
    assert_eq!((ended.get(), dropped.get()), (2, 2));
}

/// The handle is in the future itself, and goes when the future does.
#[test]
fn a_handle_held_by_its_own_task() {
    let (dropped, count) = counter();
    run(|| async move {
        let slot: Rc<RefCell<Option<sim::task::JoinHandle<()>>>> = Rc::default();
        let held = Rc::clone(&slot);
        let task = sim::spawn(async move {
            let _guard = OnDrop(count);
            let _held = held;
            sim::yield_now().await;
        });
        slot.replace(Some(task));
        drop(slot);
        sleep(ms(1)).await;
    });
    assert_eq!(dropped.get(), 1);
}

/// The waker, handle and abort handle of a task whose runtime is gone.
#[derive(Default)]
struct Relics {
    waker: Option<Waker>,
    handle: Option<sim::task::JoinHandle<()>>,
    abort: Option<sim::task::AbortHandle>,
}

/// Leaves relics of a task behind: the second of its runtime, whose numbers a later runtime gives again.
fn relics() -> Relics {
    let relics: Rc<RefCell<Relics>> = Rc::default();
    let put = Rc::clone(&relics);
    run(|| async move {
        let keep = Rc::clone(&put);
        let task = sim::spawn(poll_fn(move |context| {
            keep.borrow_mut().waker = Some(context.waker().clone());
            Poll::<()>::Pending
        }));
        put.borrow_mut().abort = Some(task.abort_handle());
        put.borrow_mut().handle = Some(task);
        sleep(ms(1)).await;
    });
    relics.take()
}

#[test]
fn relics_without_a_runtime() {
    let relics = relics();
    let waker = relics.waker.unwrap();
    let second = waker.clone();
    waker.wake_by_ref();
    second.wake();
    relics.abort.unwrap().abort();
    assert!(relics.abort.unwrap().is_finished());
    drop((waker, relics.handle));
}

/// A relic must not touch a task of another runtime that has the same place.
#[test]
fn relics_in_another_runtime() {
    let relics = relics();
    let (ran, count) = counter();
    let run = Builder::new().run(|| async move {
        let task = sim::spawn(async move {
            sleep(ms(2)).await;
            count();
            "output"
        });
        sleep(ms(1)).await;
        let polls = |id| sim::task::all().into_iter().find(|task| task.id == id).unwrap().polls;
        let before = polls(task.id());
        relics.waker.unwrap().wake();
        relics.abort.unwrap().abort();
        let mut old = relics.handle.unwrap();
        let joined = poll_fn(|context| Poll::Ready(Pin::new(&mut old).poll(context))).await;
        assert!(
            matches!(joined, Poll::Ready(Err(error)) if error.is_cancelled()),
            "its own task is gone"
        );
        drop(old);
        sim::yield_now().await;
        assert_eq!(
            polls(task.id()),
            before,
            "the waker of another runtime's task wakes nobody here"
        );
        assert_eq!(task.await.unwrap(), "output");
    });
    assert_eq!(run.report.end, End::Done);
    assert_eq!(ran.get(), 1);
}

#[test]
fn a_waker_outlives_a_real_runtime() {
    let kept: Arc<Mutex<Option<Waker>>> = Arc::default();
    let put = Arc::clone(&kept);
    let mut runtime = OsRuntime::new().unwrap();
    runtime.block_on(twice(move |waker| {
        waker.wake_by_ref();
        *put.lock().unwrap() = Some(waker);
    }));
    drop(runtime);
    let waker = kept.lock().unwrap().take().unwrap();
    waker.wake_by_ref();
    wake_later(waker).join().unwrap();
}

#[test]
fn a_runtime_within_a_runtime() {
    let failure = |run: Run<()>| run.report.end.failure().expect("it panics").message.clone();
    let text = "a runtime cannot be started from within a runtime: spawn a task instead";
    let nested = Builder::new().run(|| async {
        Builder::new().run(|| async {}).unwrap();
    });
    assert_eq!(failure(nested), text);
    let nested = Builder::new().run(|| async {
        let mut inner = Builder::new().build().unwrap();
        inner.block_on(async {});
    });
    assert_eq!(failure(nested), text);
    let nested = Builder::new().run(|| async {
        let mut inner = OsRuntime::new().unwrap();
        inner.block_on(async {});
    });
    assert_eq!(failure(nested), text);
}

#[test]
fn calls_outside_a_runtime() {
    let outside = "this must be called from within a runtime: inside sim::Builder::run, Runtime::block_on, #[sim::test] or #[sim::main]";
    let calls: [(&str, fn()); 8] = [
        ("spawn", || sim::spawn(async {}).detach()),
        ("sleep", || _ = sleep(ms(1))),
        ("now", || _ = Instant::now()),
        ("host", || _ = sim::host("h")),
        ("random", || _ = sim::rand::random()),
        ("range", || _ = sim::rand::range(0..2)),
        ("all", || _ = sim::task::all()),
        ("socket", || _ = sim::net::TcpSocket::new_v4()),
    ];
    for (name, call) in calls {
        let caught = catch_unwind(call).expect_err(name);
        assert_eq!(text(&*caught), outside, "{name}");
    }
    assert_eq!(sim::task::try_id(), None);
    assert!(!sim::in_simulation());
    use futures_task::{LocalSpawn, Spawn};
    assert!(sim::task::Spawner.status().unwrap_err().is_shutdown());
    assert!(sim::task::Spawner.status_local().unwrap_err().is_shutdown());
}

/// A value whose text asks the runtime.
struct Asks;

impl fmt::Debug for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sim::spawn(async {}).detach();
        write!(f, "{:?} {}", Instant::now(), sim::host::current().name())
    }
}

#[test]
fn debug_asks_the_time() {
    let run = Builder::new().keep_trace(true).run(|| async {
        sleep(ms(5)).await;
        let span = tracing::info_span!("span", asks = ?Asks);
        span.in_scope(|| tracing::info!(asks = ?Asks, "message"));
        assert!(format!("{Asks:?}").contains("main"));
    });
    assert_eq!(run.report.end, End::Done);
    let lines = run.report.recorded.expect("the trace was kept").lines;
    assert!(
        lines[0].text.contains("span") && lines[0].text.contains("message"),
        "{:?}",
        lines[0].text
    );
}

/// Wakes itself when it is dropped.
struct WakesItself(Option<Waker>);

impl Future for WakesItself {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0 = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for WakesItself {
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

#[test]
fn a_future_wakes_itself_in_drop() {
    run(|| async {
        let aborted = sim::spawn(WakesItself(None));
        sim::spawn(WakesItself(None)).detach();
        sleep(ms(1)).await;
        aborted.abort();
        assert!(aborted.await.is_err());
        let mut within = WakesItself(None);
        poll_fn(|context| {
            assert!(Pin::new(&mut within).poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
    });
    let mut runtime = OsRuntime::new().unwrap();
    runtime.spawn(WakesItself(None)).detach();
    runtime.block_on(async { sleep(ms(1)).await });
    let report: Report = runtime.shutdown();
    assert_eq!(report.end, End::Done);
}

/// A waker of somebody else's making, which calls back when it wakes and when it is dropped.
struct Callback {
    woken: AtomicU32,
}

impl Wake for Callback {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::Relaxed);
        sim::spawn(async {}).detach();
        let _ = Instant::now();
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        sim::spawn(async {}).detach();
    }
}

#[test]
fn foreign_wakers_call_back() {
    run(|| async {
        let callback = Arc::new(Callback { woken: AtomicU32::new(0) });
        let waker = Waker::from(Arc::clone(&callback));
        let mut context = Context::from_waker(&waker);
        let mut timer = sleep(ms(1));
        assert!(Pin::new(&mut timer).poll(&mut context).is_pending());
        let mut joined = sim::spawn(sleep(ms(2)));
        assert!(Pin::new(&mut joined).poll(&mut context).is_pending());
        let socket = sim::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut buffer = [0; 8];
        let mut receive = Box::pin(socket.recv(&mut buffer));
        assert!(receive.as_mut().poll(&mut context).is_pending());
        let mut write = pin!(sim::fs::write("/f", b"data"));
        assert!(write.as_mut().poll(&mut context).is_pending());
        let to = socket.local_addr().unwrap();
        sim::net::UdpSocket::bind("127.0.0.1:0").await.unwrap().send_to(b"x", to).await.unwrap();
        sleep(ms(100)).await;
        assert_eq!(callback.woken.load(Ordering::Relaxed), 4);
        drop((timer, joined, receive, waker, callback));
    });
}

/// Leaves that are dropped with the waker of a combinator in their slots.
#[test]
fn slots_are_given_back() {
    run(|| async {
        for _ in 0..50 {
            let mut all = Box::pin(join_all((0..20).map(|_| sleep(Duration::from_secs(100)))));
            assert!(futures_util::poll!(&mut all).is_pending());
        }
        let polls = || {
            sim::task::all().iter().find(|task| Some(task.id) == sim::task::try_id()).unwrap().polls
        };
        let before = polls();
        sleep(Duration::from_secs(200)).await;
        assert_eq!(polls() - before, 1, "no timer of a dropped sleep is left");
    });
}

/// Outputs and futures are dropped also if the runtime is dropped without a word.
#[test]
fn a_runtime_that_is_dropped() {
    let (dropped, count) = counter();
    let mut runtime = Builder::new().build().unwrap();
    for run in [false, true] {
        runtime.spawn(hold(OnDrop(count.clone()))).detach();
        let guard = OnDrop(count.clone());
        let done = runtime.spawn(async move { guard });
        if run {
            runtime.block_on(async { sleep(ms(1)).await });
        }
        std::mem::forget(done);
    }
    drop(runtime);
    assert_eq!(dropped.get(), 4);
}
