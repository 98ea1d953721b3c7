//! Bugs that no run without sync points can have: a poll is atomic, and what is not contended never waits. With sync points they are found, and
//! their corrected versions never fail.

use futures_util::FutureExt;
use sim::sync::{Mutex, Notify, mpsc};
use sim::task::yield_now;
use sim::time::sleep;
use sim::{Builder, FailureKind, PolicyKind, Report};
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

const RUNS: u64 = 200;

fn run<F: Future<Output = ()> + 'static>(
    program: fn() -> F,
    policy: PolicyKind,
    seed: u64,
    sync_points: bool,
) -> Report {
    let builder = Builder::new().seed(seed).policy(policy).sync_points(sync_points);
    builder.record(true).run(program).report
}

/// How many runs of `program` failed, each as `kind`.
#[track_caller]
fn failures<F: Future<Output = ()> + 'static>(
    program: fn() -> F,
    sync_points: bool,
    kind: FailureKind,
) -> usize {
    let policies = [PolicyKind::Random, PolicyKind::Pos, PolicyKind::Pct { depth: 3 }];
    let failed = (0..RUNS).filter(|&seed| {
        let policy = policies[seed as usize % policies.len()];
        let report = run(program, policy, seed, sync_points);
        let failure = report.end.failure();
        if let Some(failure) = failure {
            assert_eq!(failure.kind, kind, "{failure}");
            let log = report.log.expect("it was recorded");
            let again = Builder::new().sync_points(true).replay(log).run(program).report;
            assert_eq!(again.fingerprint, report.fingerprint, "its log is the same run");
        }
        failure.is_some()
    });
    failed.count()
}

/// The bug is found with sync points, and there without them is none to be found.
#[track_caller]
fn is_found_with_sync_points_alone<F, G>(buggy: fn() -> F, fixed: fn() -> G, kind: FailureKind)
where
    F: Future<Output = ()> + 'static,
    G: Future<Output = ()> + 'static,
{
    assert_eq!(failures(buggy, false, kind), 0, "without sync points");
    let found = failures(buggy, true, kind);
    assert!(found >= RUNS as usize / 50, "with sync points it was found in {found} runs");
    assert_eq!(failures(fixed, true, kind), 0, "the corrected version");
}

#[test]
fn a_lost_update_over_an_uncontended_lock() {
    async fn deposits(atomic: bool) {
        let account = Rc::new(Mutex::new(0));
        let tasks = [(); 2].map(|()| {
            let account = Rc::clone(&account);
            sim::spawn(async move {
                if atomic {
                    *account.lock().await += 1;
                } else {
                    let seen = *account.lock().await;
                    *account.lock().await = seen + 1;
                }
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*account.lock().await, 2);
    }
    is_found_with_sync_points_alone(|| deposits(false), || deposits(true), FailureKind::Panic);
}

/// Looks whether it must wait, does something else, and waits then: what was notified meanwhile is missed.
#[test]
fn a_missed_notification() {
    async fn waits(early: bool) {
        let (ready, log) = (Rc::new(Mutex::new(false)), Mutex::new(Vec::new()));
        let notify = Rc::new(Notify::new());
        let (sets, notifies) = (Rc::clone(&ready), Rc::clone(&notify));
        let setter = sim::spawn(async move {
            *sets.lock().await = true;
            notifies.notify_waiters();
        });
        let notified = notify.notified();
        if !*ready.lock().await {
            log.lock().await.push("not ready: waits");
            if early { notified.await } else { notify.notified().await }
        }
        setter.await.unwrap();
    }
    is_found_with_sync_points_alone(|| waits(false), || waits(true), FailureKind::Deadlock);
    let deadlock = (0..RUNS).find_map(|seed| {
        let report = run(|| waits(false), PolicyKind::Random, seed, true);
        report.end.failure().map(ToString::to_string)
    });
    let told = deadlock.expect("it is found");
    assert!(told.contains(" waits for a notification since "), "{told}");
}

/// A message is taken out of the queue, and the send that is to pass it on loses against a tick.
#[test]
fn a_message_lost_in_a_select_loop() {
    async fn passes_on(reserves: bool) {
        let (sender, mut receiver) = mpsc::channel(16);
        let ticks = Rc::new(Cell::new(0));
        let counts = Rc::clone(&ticks);
        let passer = sim::spawn(async move {
            let mut queue = (0..4).collect::<Vec<u32>>().into_iter();
            let mut ticker = sim::time::interval(Duration::from_micros(1));
            while !queue.as_slice().is_empty() {
                let send = async {
                    if reserves {
                        let permit = sender.reserve().await.unwrap();
                        permit.send(queue.next().unwrap());
                    } else {
                        let message = queue.next().unwrap();
                        sender.send(message).await.unwrap();
                    }
                };
                futures_util::select_biased! {
                    () = send.fuse() => {}
                    _ = ticker.tick().fuse() => counts.set(counts.get() + 1),
                }
            }
        });
        let mut got = Vec::new();
        while let Some(message) = receiver.recv().await {
            got.push(message);
        }
        passer.await.unwrap();
        assert_eq!(got, [0, 1, 2, 3], "after {} ticks", ticks.get());
    }
    is_found_with_sync_points_alone(|| passes_on(false), || passes_on(true), FailureKind::Panic);
}

/// Two tasks read a file and write it back.
#[test]
fn a_lost_update_in_a_file() {
    async fn appends() -> io::Result<()> {
        let number = sim::fs::read("/count").await?[0];
        sim::fs::write("/count", &[number + 1]).await
    }
    async fn both() {
        sim::fs::write("/count", &[0]).await.unwrap();
        let tasks = [(); 2].map(|()| sim::spawn(appends()));
        for task in tasks {
            // One may read the file that the other has just emptied.
            if task.await.is_err() {
                return;
            }
        }
        assert_eq!(sim::fs::read("/count").await.unwrap(), [2]);
    }
    assert!(failures(both, true, FailureKind::Panic) > 0);
}

/// A task that joins one that has ended, and a timer whose time has come, need not wait; others may run before all the same.
#[test]
fn joins_and_timers_that_are_ready_let_others_run() {
    async fn order(joins: bool) {
        let first = sim::spawn(async {});
        while !first.is_finished() {
            sleep(Duration::from_micros(1)).await;
        }
        let ran = Rc::new(Cell::new(false));
        let runs = Rc::clone(&ran);
        sim::spawn(async move { runs.set(true) }).detach();
        if joins {
            first.await.unwrap();
        } else {
            sleep(Duration::ZERO).await;
        }
        assert!(!ran.get(), "the other ran before");
    }
    assert_eq!(failures(|| order(true), false, FailureKind::Panic), 0);
    assert!(failures(|| order(true), true, FailureKind::Panic) > 0);
    assert_eq!(failures(|| order(false), false, FailureKind::Panic), 0);
    assert!(failures(|| order(false), true, FailureKind::Panic) > 0);
}

/// What a task waits for is said also where a run has no sync points.
#[test]
fn a_deadlock_over_locks_says_so() {
    let run = Builder::new().run(|| async {
        let (a, b) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
        let ordered = |first: &Rc<Mutex<()>>, second: &Rc<Mutex<()>>| {
            let (first, second) = (Rc::clone(first), Rc::clone(second));
            sim::spawn(async move {
                let _first = first.lock().await;
                yield_now().await;
                let _second = second.lock().await;
            })
        };
        let tasks = [ordered(&a, &b), ordered(&b, &a)];
        let (_sender, mut receiver) = mpsc::channel::<u32>(1);
        sim::task::Builder::new()
            .name("reader")
            .spawn(async move { receiver.recv().await })
            .detach();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let told = run.report.end.failure().expect("it is a deadlock").to_string();
    assert_eq!(told.matches(" waits for a lock since ").count(), 2, "{told}");
    assert_eq!(told.matches("reader on main waits for a channel since ").count(), 1, "{told}");
}

/// Primitives may be made and used where there is no runtime at all.
#[test]
fn outside_a_runtime_nothing_is_asked() {
    let lock = Mutex::new(1);
    assert_eq!(*lock.lock().now_or_never().expect("nobody has it"), 1);
    let (sender, mut receiver) = mpsc::channel(1);
    assert_eq!(sender.send(2).now_or_never(), Some(Ok(())));
    assert_eq!(receiver.recv().now_or_never(), Some(Some(2)));
}
