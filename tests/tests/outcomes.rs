//! Planted programs: each ends in the way it was made to end, and the report says so.

use sim::time::sleep;
use sim::{Builder, End, Failure, FailureKind, Leaks, OsRuntime, Run, Runtime, RuntimeConfig};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

fn run<F: Future + 'static>(program: impl FnOnce() -> F) -> Run<F::Output> {
    Builder::new().run(program)
}

/// The failure that a run must end with.
#[track_caller]
fn failure<T: fmt::Debug>(run: Run<T>, kind: FailureKind) -> Failure {
    match run.report.end {
        End::Failed(failure) if failure.kind == kind => failure,
        other => panic!("the run ends as {kind}, not as {other:?} with {:?}", run.output),
    }
}

/// A text without what changes when this file does: directories, lines and columns.
fn redacted(text: &str) -> String {
    let word = |word: &str| match word.split_once(".rs:") {
        Some((path, _)) => format!("{}.rs:…", path.rsplit('/').next().unwrap_or(path)),
        None => word.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn named(name: &'static str) -> sim::task::Builder {
    sim::task::Builder::new().name(name)
}

#[test]
fn a_lost_wake_up() {
    let run = run(|| async {
        sleep(Duration::from_secs(2)).await;
        named("loser").spawn(poll_fn(|_| Poll::<()>::Pending)).await.unwrap();
    });
    let failure = failure(run, FailureKind::Deadlock);
    assert!(
        failure.message.contains("lost wake-up") && failure.message.contains("loser"),
        "{failure}"
    );
    insta::assert_snapshot!(redacted(&failure.to_string()), @r"
    deadlock: lost wake-up: loser waits and nobody holds a waker of it
      task0.0 main on main waits for the end of task1.0 loser since 2.000000100s, spawned at outcomes.rs:…
      task1.0 loser on main waits for something that holds no waker of it (a lost wake-up) since 2.000000200s, spawned at outcomes.rs:…
    ");
}

/// Somebody still holds a waker: it may be a deadlock, but no wake-up was lost.
#[test]
fn a_kept_waker_is_no_lost_wake_up() {
    let kept: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let put = Rc::clone(&kept);
    let run = run(|| async move {
        let waits = poll_fn(move |context| {
            put.borrow_mut().push(context.waker().clone());
            Poll::<()>::Pending
        });
        named("patient").spawn(waits).await.unwrap();
    });
    let failure = failure(run, FailureKind::Deadlock);
    assert!(!failure.to_string().contains("lost"), "{failure}");
    insta::assert_snapshot!(redacted(&failure.to_string()), @r"
    deadlock: nothing can happen any more, tasks waiting: 2
      task0.0 main on main waits for the end of task1.0 patient since 0.000000100s, spawned at outcomes.rs:…
      task1.0 patient on main waits for something that holds 1 wakers of it since 0.000000200s, spawned at outcomes.rs:…
    ");
    assert_eq!(kept.take().len(), 1);
}

#[test]
fn two_tasks_that_join_each_other() {
    let run = run(|| async {
        let slot = Rc::new(RefCell::new(None));
        let take = Rc::clone(&slot);
        let ping = named("ping").spawn(async move {
            sleep(Duration::from_secs(1)).await;
            let pong: sim::task::JoinHandle<()> = take.take().expect("the other one has begun");
            pong.await.unwrap();
        });
        let pong = named("pong").spawn(async move {
            sleep(Duration::from_secs(3)).await;
            ping.await.unwrap();
        });
        slot.replace(Some(pong));
        pending::<()>().await;
    });
    let failure = failure(run, FailureKind::Deadlock);
    assert!(failure.message.contains("ping") && failure.message.contains("pong"), "{failure}");
    insta::assert_snapshot!(redacted(&failure.to_string()), @r"
    deadlock: 2 tasks wait for each other: ping -> pong
      task0.0 main on main waits for something that holds no waker of it (a lost wake-up) since 0.000000100s, spawned at outcomes.rs:…
      task1.0 ping on main waits for the end of task2.0 pong since 1.000000200s, spawned at outcomes.rs:…
      task2.0 pong on main waits for the end of task1.0 ping since 3.000000300s, spawned at outcomes.rs:…
    ");
}

#[test]
fn a_task_that_joins_itself() {
    let run = run(|| async {
        let slot = Rc::new(RefCell::new(None));
        let take = Rc::clone(&slot);
        let own = named("narcissus").spawn(async move {
            let own: sim::task::JoinHandle<()> = take.take().expect("it was put there");
            own.await.unwrap();
        });
        slot.replace(Some(own));
        pending::<()>().await;
    });
    let failure = failure(run, FailureKind::Deadlock);
    assert!(failure.message.contains("narcissus"), "{failure}");
}

#[test]
fn a_deadlock_says_what_each_waits_for() {
    let run = run(|| async {
        let listener = sim::net::TcpListener::bind("0.0.0.0:80").await.unwrap();
        let client = named("client").spawn(async {
            let mut stream = sim::net::TcpStream::connect("127.0.0.1:80").await.unwrap();
            stream.read(&mut [0; 8]).await.unwrap()
        });
        let (server, _) = listener.accept().await.unwrap();
        named("acceptor").spawn(async move { listener.accept().await.map(drop) }).detach();
        client.await.unwrap();
        drop(server);
    });
    let failure = failure(run, FailureKind::Deadlock);
    insta::assert_snapshot!(redacted(&failure.to_string()), @r"
    deadlock: nothing can happen any more, tasks waiting: 3
      task0.0 main on main waits for the end of task1.0 client since 0.000001400s, spawned at outcomes.rs:…
      task1.0 client on main waits for IN|RDHUP of fd4 (tcp 127.0.0.1:33192 -> 127.0.0.1:80 ESTABLISHED) since 0.000001200s, spawned at outcomes.rs:…
      task2.0 acceptor on main waits for IN of fd3 (tcp 0.0.0.0:80 LISTEN) since 0.000001600s, spawned at outcomes.rs:…
    ");
}

#[test]
fn a_leaked_task() {
    let program = || async {
        named("stray").spawn(pending::<()>()).detach();
        sim::yield_now().await;
    };
    let noted = run(program);
    assert_eq!(noted.report.end, End::Done);
    let notices: Vec<&str> = noted.report.notices.iter().map(|notice| &*notice.text).collect();
    insta::assert_snapshot!(redacted(&notices.join("\n")), @r"
    tasks that nothing could wake: 1:
      task1.0 stray waiting, spawned at outcomes.rs:…
    ");
    let failed = failure(Builder::new().leaks(Leaks::Fail).run(program), FailureKind::Leak);
    assert!(failed.details.contains("stray"), "{failed}");
    let ignored = Builder::new().leaks(Leaks::Ignore).run(program);
    assert_eq!((ignored.report.end, ignored.report.notices.len()), (End::Done, 0));
}

fn small_idle() -> RuntimeConfig {
    RuntimeConfig { idle_polls_max: 1000, ..RuntimeConfig::default() }
}

#[test]
fn a_livelock() {
    let run = Builder::new().config(small_idle()).run(|| async {
        named("spinner")
            .spawn(async {
                loop {
                    sim::yield_now().await;
                }
            })
            .await
            .unwrap_or(());
    });
    assert!(run.report.steps < 2000);
    let failure = failure(run, FailureKind::Livelock);
    insta::assert_snapshot!(redacted(&failure.to_string()), @r"
    livelock: 1000 polls in a row had no effect
    busy tasks:
      spinner spawned at outcomes.rs:…
    ");
}

/// Two tasks that only wake each other get nowhere either.
#[test]
fn a_livelock_of_two() {
    let run = Builder::new().config(small_idle()).run(|| async {
        let wakers: Rc<RefCell<BTreeMap<u8, Waker>>> = Rc::default();
        let tasks = [0_u8, 1].map(|number| {
            let wakers = Rc::clone(&wakers);
            sim::spawn(poll_fn(move |context| {
                let other = wakers.borrow().get(&(1 - number)).cloned();
                wakers.borrow_mut().insert(number, context.waker().clone());
                other.unwrap_or_else(|| context.waker().clone()).wake();
                Poll::<()>::Pending
            }))
        });
        for task in tasks {
            task.await.unwrap();
        }
    });
    let _ = failure(run, FailureKind::Livelock);
}

#[test]
fn work_is_no_livelock() {
    let run = Builder::new().config(small_idle()).run(|| async {
        for _ in 0..5000 {
            sleep(Duration::from_nanos(1)).await;
        }
        for _ in 0..5 {
            for _ in 0..900 {
                sim::yield_now().await;
            }
            sim::spawn(async {}).await.unwrap();
        }
    });
    assert_eq!(run.report.end, End::Done);
}

#[test]
fn a_step_limit() {
    let run = Builder::new().steps_max(1000).run(|| async {
        loop {
            sleep(Duration::from_millis(1)).await;
        }
    });
    assert_eq!(run.report.steps, 1000);
    let run: Run<()> = run;
    assert_eq!(failure(run, FailureKind::Limit).to_string(), "limit: 1000 steps were taken");
}

#[test]
fn too_many_tasks() {
    let config = RuntimeConfig { tasks_max: 10, ..RuntimeConfig::default() };
    let run = Builder::new().config(config).run(|| async {
        loop {
            sim::spawn(pending::<()>()).detach();
            sim::yield_now().await;
        }
    });
    let run: Run<()> = run;
    assert_eq!(failure(run, FailureKind::Limit).to_string(), "limit: more than 10 tasks are alive");
    let config = RuntimeConfig { enabled_max: 10, ..RuntimeConfig::default() };
    let run = Builder::new().config(config).run(|| async {
        for _ in 0..20 {
            sim::spawn(async {}).detach();
        }
        pending::<()>().await;
    });
    assert_eq!(
        failure(run, FailureKind::Limit).to_string(),
        "limit: more than 10 actors are enabled at once"
    );
}

#[test]
fn a_time_limit() {
    let limited = || Builder::new().time_limit(Duration::from_secs(60));
    let text = "the limit of 60s virtual time was reached";
    let asleep = limited().run(|| sleep(Duration::from_secs(3600)));
    assert!(asleep.report.elapsed.as_nanos() >= 60_000_000_000);
    assert_eq!(failure(asleep, FailureKind::Timeout).message, text);
    let ticking = limited().run(|| async {
        loop {
            sleep(Duration::from_secs(1)).await;
        }
    });
    let ticking: Run<()> = ticking;
    assert!(ticking.report.elapsed.as_nanos() < 62_000_000_000);
    assert_eq!(failure(ticking, FailureKind::Timeout).message, text);
    let in_time = limited().run(|| sleep(Duration::from_secs(59)));
    assert_eq!(in_time.report.end, End::Done);
}

/// Time also passes while somebody always has something to do.
#[test]
fn a_time_limit_of_the_busy() {
    let limited = Builder::new().time_limit(Duration::from_millis(1)).steps_max(1_000_000);
    let run = limited.run(|| async {
        loop {
            sim::spawn(async {}).await.unwrap();
        }
    });
    let run: Run<()> = run;
    let _ = failure(run, FailureKind::Timeout);
}

#[test]
fn a_panic_of_the_root() {
    let failure = failure(run(|| async { panic!("on purpose") }), FailureKind::Panic);
    assert_eq!(failure.message, "on purpose");
    let place = failure.location.expect("a panic has a place");
    assert!(place.contains("outcomes.rs:"), "{place}");
}

#[test]
fn a_panic_of_a_detached_task() {
    let program = || async {
        named("bomb").spawn(async { panic!("on {}", "purpose") }).detach();
        sleep(Duration::from_secs(1)).await;
    };
    let failed = failure(run(program), FailureKind::Panic);
    assert!(
        failed.location.as_deref().is_some_and(|place| place.contains("outcomes.rs:")),
        "{failed}"
    );
    insta::assert_snapshot!(redacted(&failed.to_string()), @r"
    panic: on purpose, at outcomes.rs:…
    in task bomb spawned at outcomes.rs:…
    ");
    let config = RuntimeConfig { panics_end_run: false, ..RuntimeConfig::default() };
    assert_eq!(Builder::new().config(config).run(program).report.end, End::Done);
}

/// A handle that nobody awaited was the last to know.
#[test]
fn a_panic_whose_handle_is_dropped() {
    let run = run(|| async {
        let bomb = named("bomb").spawn(async { panic!("on purpose") });
        sleep(Duration::from_secs(1)).await;
        assert!(bomb.is_finished());
        drop(bomb);
        sleep(Duration::from_secs(1)).await;
    });
    assert_eq!(failure(run, FailureKind::Panic).message, "on purpose");
}

#[test]
fn a_panic_of_a_task_spawned_from_outside() {
    let mut runtime = Builder::new().build().unwrap();
    runtime.spawn(async { panic!("on purpose") }).detach();
    runtime.spawn(async { sleep(Duration::from_secs(1)).await }).detach();
    let failure = runtime.run().unwrap_err();
    assert_eq!((failure.kind, &*failure.message), (FailureKind::Panic, "on purpose"));
}

#[test]
fn a_panic_that_somebody_sees() {
    let run = run(|| async {
        let error = sim::spawn(async { panic!("on purpose") }).await.unwrap_err();
        assert!(error.is_panic());
    });
    assert_eq!(run.report.end, End::Done);
}

#[test]
fn the_first_failure_counts() {
    let run = run(|| async {
        sim::spawn(async { panic!("first") }).detach();
        sim::spawn(async { panic!("second") }).detach();
        pending::<()>().await;
    });
    assert_eq!(failure(run, FailureKind::Panic).message, "first");
}

/// What the root task gives is its own affair; as a test, an error is a failure.
#[test]
fn an_error_is_an_output() {
    let run = run(|| async { io::Result::<()>::Err(io::Error::other("no")) });
    assert_eq!(run.report.end, End::Done);
    assert!(run.output.is_some_and(|output| output.is_err()));
}

#[sim::test(should_fail = "the disk is full")]
async fn an_error_of_a_test() -> io::Result<()> {
    Err(io::Error::other("the disk is full"))
}

#[sim::test(should_fail = "nothing can ever happen, said nobody")]
async fn a_panic_of_a_test() {
    panic!("nothing can ever happen, said nobody");
}

#[test]
fn limits_of_zero() {
    let default = RuntimeConfig::default();
    let configs = [
        ("steps_max", RuntimeConfig { steps_max: 0, ..default }),
        ("idle_polls_max", RuntimeConfig { idle_polls_max: 0, ..default }),
        ("time_max", RuntimeConfig { time_max: Duration::ZERO, ..default }),
        ("tasks_max", RuntimeConfig { tasks_max: 0, ..default }),
        ("enabled_max", RuntimeConfig { enabled_max: 0, ..default }),
        ("poll_interval", RuntimeConfig { poll_interval: 0, ..default }),
    ];
    for (name, config) in configs {
        let text =
            format!("{name} is zero, so that nothing could run: leave it out for the default");
        assert_eq!(Builder::new().config(config).build().unwrap_err().to_string(), text);
        if name != "idle_polls_max" {
            let error = OsRuntime::with_config(config).unwrap_err();
            assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::InvalidInput, text));
        }
    }
    let config = RuntimeConfig { poll_cost_ns: 0, ..default };
    let text = "poll_cost_ns is zero, so that a busy loop would stop the clock: give at least 1";
    assert_eq!(Builder::new().config(config).build().unwrap_err().to_string(), text);
    assert!(Builder::new().steps_max(0).build().is_err());
    assert!(Builder::new().time_limit(Duration::ZERO).build().is_err());
    let run = std::panic::catch_unwind(|| Builder::new().steps_max(0).run(|| async {}));
    let payload = run.unwrap_err();
    assert!(
        payload.downcast_ref::<String>().is_some_and(|text| text.starts_with("steps_max is zero"))
    );
}

/// Wakes `waker` on a thread of this name, and waits for the thread.
fn wake_elsewhere(name: &str, waker: Waker) {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || waker.wake()).unwrap();
    thread.join().unwrap();
}

#[test]
fn an_escape_to_a_thread() {
    let run = run(|| async {
        let mut first = true;
        poll_fn(move |context| {
            if std::mem::take(&mut first) {
                wake_elsewhere("outsider", context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    });
    let failure = failure(run, FailureKind::Escape);
    insta::assert_snapshot!(redacted(&failure.to_string()), @"escape: thread 'outsider' woke a task of the simulated world: its timing is not part of the run");
}

/// Also when the wake changed nothing this time: another time it might.
#[test]
fn an_escape_without_effect() {
    let run = run(|| async {
        poll_fn(|context| {
            wake_elsewhere("outsider", context.waker().clone());
            Poll::Ready(())
        })
        .await;
    });
    let _ = failure(run, FailureKind::Escape);
}

#[test]
fn a_failed_runtime_runs_nothing_more() {
    let mut runtime = Builder::new().build().unwrap();
    let first = runtime.try_block_on(async { panic!("on purpose") }).map(|(): ()| ()).unwrap_err();
    let second = runtime.try_block_on(async { 1 }).unwrap_err();
    assert_eq!(first, second);
    assert_eq!(runtime.run().unwrap_err(), first);
    assert_eq!(runtime.shutdown().end, End::Failed(first));
}

#[test]
fn kinds_have_names() {
    for (kind, name) in FailureKind::ALL {
        assert_eq!((kind.name(), kind.to_string()), (name, name.to_owned()));
    }
}
