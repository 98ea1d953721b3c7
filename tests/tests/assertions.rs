//! What a program says of itself: each assertion in a run and outside one, and what the report says of it.

use sim::time::sleep;
use sim::{
    Builder, Failure, FailureKind, OsRuntime, PolicyKind, Report, Runtime, always, buggify,
    eventually, reachable, sometimes,
};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

fn report<F: Future + 'static>(program: impl FnOnce() -> F) -> Report {
    Builder::new().run(program).report
}

/// The failed assertion that a run must end with, without what changes when this file does.
#[track_caller]
fn assertion(report: &Report) -> String {
    let failure = report.end.failure().expect("the run fails");
    assert_eq!(failure.kind, FailureKind::Assertion, "{failure}");
    let file = failure.location.as_deref().and_then(|place| place.split(':').next());
    assert_eq!(file, Some(file!()), "the place is the caller's");
    Failure { location: None, ..failure.clone() }.to_string()
}

/// What a panic says outside any run.
#[track_caller]
fn panic_text(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
    sim_core::rt::panic_message(payload.as_ref()).to_owned()
}

fn overdraw() {
    let (balance, account) = (-3, "alice");
    always!(balance >= 0, "no account is overdrawn", balance, account);
}

#[test]
fn what_always_holds() {
    assert_eq!(report(|| async { always!(1 + 1 == 2, "sums are right") }).end, sim::End::Done);
    let failed = report(|| async { overdraw() });
    insta::assert_snapshot!(assertion(&failed), @r#"
    assertion: no account is overdrawn
    condition: balance >= 0
    balance = -3
    account = "alice"
    "#);
    insta::assert_snapshot!(panic_text(overdraw), @r#"
    no account is overdrawn
      condition: balance >= 0
      balance = -3
      account = "alice"
    "#);
}

#[test]
fn what_is_never_reached() {
    fn answers() {
        let state = "closed";
        sim::unreachable!("a closed connection answers", state);
    }
    insta::assert_snapshot!(assertion(&report(|| async { answers() })), @r#"
    assertion: a closed connection answers
    reached, and must not be
    state = "closed"
    "#);
    insta::assert_snapshot!(panic_text(answers), @r#"
    a closed connection answers
      reached, and must not be
      state = "closed"
    "#);
}

/// Neither a task that is joined nor a program that catches panics keeps a failed assertion to itself.
#[test]
fn an_assertion_cannot_be_swallowed() {
    let joined = report(|| async {
        assert!(sim::spawn(async { overdraw() }).await.unwrap_err().is_panic());
    });
    assert!(assertion(&joined).contains("no account is overdrawn"));
    let caught = report(|| async { drop(catch_unwind(overdraw)) });
    assert!(assertion(&caught).contains("no account is overdrawn"));
}

#[test]
fn on_the_operating_system_an_assertion_is_a_panic() {
    let mut runtime = OsRuntime::new().unwrap();
    let failure = runtime.block_on(async { sim::spawn(async { overdraw() }).await.unwrap_err() });
    assert!(failure.to_string().contains("no account is overdrawn"), "{failure}");
    let (evaluated, fired) = runtime.block_on(async {
        let evaluated = Cell::new(false);
        sometimes!(evaluated.replace(true), "never looked at");
        sim::invariant("never asked", || unreachable!("there is no simulation"));
        (evaluated.get(), buggify!(1 / 1))
    });
    assert!(!evaluated && !fired);
}

#[test]
fn probes_are_counted() {
    let program = || async {
        sim::assertions::expect_reached("nobody comes by");
        for n in 0..5 {
            sometimes!(n % 2 == 0, "even");
            sometimes!(n > 10, "large");
        }
        reachable!("the end");
    };
    let run = report(program);
    let probes: Vec<_> = run.probes.iter().map(|probe| (&*probe.message, probe.hits)).collect();
    assert_eq!(probes, [("even", 3), ("large", 0), ("nobody comes by", 0), ("the end", 1)]);
    assert!(run.probes.iter().all(|probe| probe.place.starts_with(file!())), "{:?}", run.probes);
    let without = report(|| async {});
    assert_eq!(run.fingerprint, without.fingerprint, "a probe is no part of a run");
}

#[test]
fn an_invariant_is_broken_by_the_step_that_breaks_it() {
    let steps = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&steps);
    let run = report(|| async move {
        let total = Rc::new(Cell::new(100));
        let looks = Rc::clone(&total);
        sim::invariant("money is neither made nor lost", move || {
            seen.borrow_mut().push(looks.get());
            looks.get() == 100
        });
        sim::yield_now().await;
        total.set(70);
        total.set(100);
        sim::yield_now().await;
        total.set(70);
        sim::yield_now().await;
        total.set(100);
    });
    let told = assertion(&run);
    assert_eq!(
        told.lines().next(),
        Some("assertion: invariant broken: money is neither made nor lost")
    );
    assert!(
        told.lines()
            .nth(1)
            .is_some_and(|line| line.starts_with("after ") && line.contains(" poll #3")),
        "{told}"
    );
    assert_eq!(
        steps.take(),
        [100, 100, 70],
        "between steps nobody sees what a step does meanwhile"
    );
}

#[test]
fn an_invariant_that_panics_is_broken() {
    let run = report(|| async {
        sim::invariant("books balance", || {
            assert_eq!(1, 2, "sides differ");
            true
        });
    });
    let told = assertion(&run);
    assert!(told.starts_with("assertion: invariant broken: books balance: "), "{told}");
    assert!(told.contains("sides differ"), "{told}");
}

/// The last step is looked at too, an invariant may register another, and what they hold is dropped with the run.
#[test]
fn invariants_live_as_long_as_the_run() {
    let kept = Rc::new(());
    let held = Rc::clone(&kept);
    let run = report(|| async move {
        let done = Rc::new(Cell::new(false));
        let looks = Rc::clone(&done);
        let mut first = true;
        sim::invariant("outer", move || {
            let _held = &held;
            if std::mem::take(&mut first) {
                let looks = Rc::clone(&looks);
                sim::invariant("not done", move || !looks.get());
            }
            true
        });
        sim::yield_now().await;
        done.set(true);
    });
    assert!(assertion(&run).starts_with("assertion: invariant broken: not done"));
    assert_eq!(Rc::strong_count(&kept), 1);
}

/// An event of the world is a step as well, and whether anybody looks changes nothing.
#[test]
fn invariants_change_no_run() {
    let program = |looks: bool| {
        let run = Builder::new().seed(3).policy(PolicyKind::Random).sync_points(true);
        let count = Rc::new(Cell::new(0_u64));
        let counts = Rc::clone(&count);
        let run = run.run(|| async move {
            if looks {
                sim::invariant("counted", move || {
                    counts.set(counts.get() + 1);
                    true
                });
            }
            let tasks = [1, 2, 3].map(|n| {
                sim::spawn(async move {
                    sleep(Duration::from_millis(n)).await;
                    sim::fs::write("/f", &[n as u8]).await
                })
            });
            for task in tasks {
                task.await.unwrap().unwrap();
            }
        });
        assert_eq!(run.report.end, sim::End::Done);
        (run.report.fingerprint, run.report.steps, count.get())
    };
    let (quiet, looked) = (program(false), program(true));
    assert_eq!((quiet.0, quiet.1), (looked.0, looked.1));
    assert_eq!(looked.2, looked.1, "once after every step");
}

#[test]
fn what_happens_in_the_end() {
    let elects = |after: u64| {
        report(move || async move {
            let leader = Rc::new(Cell::new(false));
            let sets = Rc::clone(&leader);
            sim::spawn(async move {
                sleep(Duration::from_secs(after)).await;
                sets.set(true);
            })
            .detach();
            eventually!(leader.get(), Duration::from_secs(10), "there is a leader").await;
        })
    };
    assert_eq!(elects(9).end, sim::End::Done);
    insta::assert_snapshot!(assertion(&elects(11)), @r"
    assertion: there is a leader
    not within 10s, condition: leader.get()
    ");
    let outside = eventually!(false, Duration::from_secs(1), "nobody waits outside a runtime");
    assert_eq!(futures_util::FutureExt::now_or_never(outside), Some(()));
}

/// A policy that starves an actor is no excuse, and no accusation either.
#[test]
fn the_end_is_judged_fairly() {
    for seed in 0..60 {
        let policy =
            [PolicyKind::Pct { depth: 1 }, PolicyKind::Surw, PolicyKind::Pos][seed as usize % 3];
        let run = Builder::new().seed(seed).policy(policy).sync_points(true).run(|| async {
            let done = Rc::new(Cell::new(false));
            let sets = Rc::clone(&done);
            sim::spawn(async move {
                for _ in 0..20 {
                    sim::yield_now().await;
                }
                sets.set(true);
            })
            .detach();
            // It never waits, and whoever always prefers it runs nobody else.
            sim::spawn(async {
                loop {
                    sim::yield_now().await;
                }
            })
            .detach();
            // No longer than an unfair policy stays unfair by itself.
            eventually!(done.get(), Duration::from_micros(500), "the other is done").await;
        });
        assert_eq!(run.report.end, sim::End::Done, "{policy} with seed {seed}");
    }
}

/// The driver heals what it has done and begins nothing more: the host that it has paused works again.
#[test]
fn the_end_is_judged_when_faults_are_over() {
    use sim::faults::{FaultKind, Faults};
    let mut faults = Faults::default().with(FaultKind::Pause, 1);
    (faults.longest, faults.until) = (Duration::from_secs(60), Duration::from_secs(600));
    let mut waited = 0;
    for seed in 0..20 {
        let run = Builder::new().seed(seed).faults(faults).run(|| async {
            let work = Rc::new(Cell::new(0));
            let works = Rc::clone(&work);
            sim::host("db").spawn(async move {
                loop {
                    sleep(Duration::from_millis(10)).await;
                    works.set(works.get() + 1);
                }
            });
            sleep(Duration::from_secs(20)).await;
            let before = work.get();
            sleep(Duration::from_millis(100)).await;
            let was_paused = work.get() == before;
            eventually!(work.get() > before, Duration::from_secs(1), "the host works").await;
            let before = work.get();
            sleep(Duration::from_secs(100)).await;
            assert!(work.get() > before + 9000, "nothing has befallen it since");
            was_paused
        });
        waited += u32::from(run.unwrap());
    }
    assert!(waited > 10, "it was paused in {waited} runs");
}

/// How often each of two places fired in a run, and the run.
fn provoked(builder: Builder) -> (u32, u32, Report) {
    let run = builder.record(true).run(|| async {
        let (mut here, mut there) = (0, 0);
        for _ in 0..100 {
            here += u32::from(buggify!());
            there += u32::from(buggify!("there", 1 / 10));
        }
        (here, there)
    });
    let (here, there) = run.output.expect("it ends");
    (here, there, run.report)
}

#[test]
fn faults_are_provoked_in_a_quarter_of_the_runs() {
    let runs = 2000;
    let on = |seed: u64| provoked(Builder::new().seed(seed).buggify(true));
    let (mut active, mut both, mut fired) = ((0, 0), 0, (0, 0));
    for seed in 0..runs {
        let (here, there, report) = on(seed);
        active = (active.0 + u32::from(here > 0), active.1 + u32::from(there > 0));
        both += u32::from(here > 0 && there > 0);
        fired = (fired.0 + here, fired.1 + there);
        if seed < 20 {
            let log = report.log.expect("it was recorded");
            let again = provoked(Builder::new().replay(log).buggify(true));
            assert_eq!((again.0, again.1, again.2.fingerprint), (here, there, report.fingerprint));
        }
    }
    // Five standard deviations; the seeds are fixed.
    let near = |n: u32, of: u64, p: f64| {
        let (mean, n) = (of as f64 * p, f64::from(n));
        (n - mean).abs() < 5.0 * (mean * (1.0 - p)).sqrt()
    };
    assert!(near(active.0, runs, 0.25) && near(active.1, runs, 0.25), "{active:?}");
    assert!(near(both, runs, 1.0 / 16.0), "the places are independent: {both}");
    assert!(near(fired.0, u64::from(active.0) * 100, 0.25), "{fired:?} in {active:?}");
    assert!(near(fired.1, u64::from(active.1) * 100, 0.1), "{fired:?} in {active:?}");
}

#[test]
fn where_faults_are_off_none_is_provoked() {
    assert!((0..50).all(|seed| {
        let (here, there, _) = provoked(Builder::new().seed(seed));
        (here, there) == (0, 0)
    }));
    let (_, _, report) = provoked(Builder::new());
    let replayed = provoked(Builder::new().buggify(true).replay(report.log.unwrap()));
    assert_eq!(
        replayed.2.fingerprint, report.fingerprint,
        "a log means the same run where they are on"
    );
    assert!(!buggify!(1 / 1), "outside a simulation");
}

/// A log names the place by its function or its own name, and never by a line.
#[test]
fn a_provoked_fault_has_a_name_in_the_log() {
    let logs = (0..40)
        .map(|seed| provoked(Builder::new().seed(seed).buggify(true)).2.log.unwrap().to_string());
    let log = logs.max_by_key(String::len).unwrap();
    let sites: std::collections::BTreeSet<_> = log
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap().0.rsplit_once(' ').unwrap().0)
        .collect();
    insta::assert_snapshot!(sites.into_iter().collect::<Vec<_>>().join("\n"), @r"
    app.buggify.active assertions::provoked::{{closure}}::{{closure}}
    app.buggify.active assertions::there
    app.buggify.fire main/assertions::provoked::{{closure}}::{{closure}}
    app.buggify.fire main/assertions::there
    ");
}
