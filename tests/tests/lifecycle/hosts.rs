//! What befalls hosts: crash, kill, restart, pause.

use sim::net::{TcpListener, TcpStream};
use sim::time::{Instant, sleep};
use sim::{Builder, End, FailureKind, Runtime};
use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::rc::Rc;
use std::time::Duration;

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

#[track_caller]
fn run<F: Future + 'static>(program: impl FnOnce() -> F) -> F::Output {
    Builder::new().run(program).unwrap()
}

/// Counts its drops.
struct Counted(Rc<Cell<u32>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_task_of_a_crashed_host_is_cancelled() {
    run(|| async {
        let host = sim::host("db");
        let asleep = host.spawn(sleep(Duration::from_secs(10)));
        let ready = host.spawn(async {
            loop {
                sim::yield_now().await;
            }
        });
        let done = host.spawn(async { 5 });
        sleep(ms(1)).await;
        host.crash();
        assert!(asleep.await.unwrap_err().is_cancelled());
        let error: sim::task::JoinError = match ready.await {
            Err(error) => error,
            Ok(never) => never,
        };
        assert!(error.is_cancelled());
        assert_eq!(done.await.unwrap(), 5, "what had ended before has its output");
        let late = sim::time::timeout(ms(10), host.spawn(async { 1 })).await;
        assert!(late.is_err() || late.unwrap().is_err(), "a host that is down runs nothing");
    });
}

/// A task waits for one on a host that crashes while it waits.
#[test]
fn a_crash_while_somebody_joins() {
    run(|| async {
        let host = sim::host("db");
        let task = host.spawn(pending::<()>());
        let joiner = sim::spawn(async move { task.await.unwrap_err().is_cancelled() });
        sleep(ms(1)).await;
        host.crash();
        assert!(joiner.await.unwrap());
    });
}

/// No destructor of a crashed host reaches the world: they run when it is over.
#[test]
fn destructors_of_a_crashed_host_wait_for_the_end() {
    let drops = Rc::new(Cell::new(0));
    let mut runtime = Builder::new().build().unwrap();
    let guard = Counted(Rc::clone(&drops));
    runtime.block_on(async move {
        let host = sim::host("db");
        let task = host.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        sleep(ms(1)).await;
        host.crash();
        assert!(task.await.is_err());
        sleep(ms(1)).await;
    });
    assert_eq!(drops.get(), 0);
    let report = runtime.shutdown();
    assert_eq!((drops.get(), report.end), (1, End::Done));
}

/// A socket in the future of a dead task is not closed by its destructor: the peer hears nothing.
#[test]
fn a_crash_says_nothing_and_a_kill_closes() {
    let silence = |kill: bool| {
        run(move || async move {
            let server = sim::host("server");
            let task = server.spawn(async {
                let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
                let _connection = listener.accept().await.unwrap();
                pending::<()>().await;
            });
            sleep(ms(1)).await;
            let mut client = TcpStream::connect("server:80").await.unwrap();
            sleep(ms(10)).await;
            if kill {
                server.kill();
            } else {
                server.crash();
            }
            assert!(task.await.is_err());
            sim::time::timeout(Duration::from_secs(5), client.read(&mut [0; 8])).await.is_err()
        })
    };
    assert!(silence(false));
    assert!(!silence(true));
}

#[test]
fn a_host_crashes_itself() {
    let steps = Rc::new(RefCell::new(Vec::new()));
    let drops = Rc::new(Cell::new(0));
    let (seen, guard) = (Rc::clone(&steps), Counted(Rc::clone(&drops)));
    let mut runtime = Builder::new().build().unwrap();
    runtime.block_on(async move {
        let host = sim::host("db");
        let task = host.spawn(async move {
            let _guard = guard;
            host.crash();
            seen.borrow_mut().push("on to the next await");
            sim::yield_now().await;
            seen.borrow_mut().push("never");
        });
        assert!(task.await.unwrap_err().is_cancelled());
        sleep(ms(1)).await;
    });
    assert_eq!(*steps.borrow(), ["on to the next await"]);
    assert_eq!(drops.get(), 0);
    let _ = runtime.shutdown();
    assert_eq!(drops.get(), 1);
}

/// A task that crashed its own host is cancelled, whatever its last poll gave.
#[test]
fn a_last_poll_after_the_crash() {
    run(|| async {
        let host = sim::host("a");
        let completes = host.spawn(async move {
            host.crash();
            5
        });
        assert!(completes.await.unwrap_err().is_cancelled());
        let host = sim::host("b");
        let panics = host.spawn(async move {
            host.crash();
            panic!("on purpose");
        });
        let error: sim::task::JoinError = match panics.await {
            Err(error) => error,
            Ok(never) => never,
        };
        assert!(error.is_cancelled(), "{error}");
    });
}

#[test]
fn the_root_crashes_its_own_host() {
    let run = Builder::new().run(|| async {
        sim::host::current().crash();
        sleep(ms(1)).await;
    });
    let failure = run.report.end.failure().expect("the root did not end").clone();
    assert_eq!(failure.kind, FailureKind::Panic);
    assert!(failure.message.contains("its host crashed"), "{failure}");
}

#[test]
fn a_restart_boots_again() {
    run(|| async {
        let boots = Rc::new(Cell::new(0));
        let beats = Rc::new(Cell::new(0));
        let (boot, beat) = (Rc::clone(&boots), Rc::clone(&beats));
        let host = sim::host("db");
        host.run(move || {
            boot.set(boot.get() + 1);
            let beat = Rc::clone(&beat);
            async move {
                loop {
                    sleep(ms(10)).await;
                    beat.set(beat.get() + 1);
                }
            }
        });
        sleep(ms(35)).await;
        assert_eq!((boots.get(), beats.get()), (1, 3));
        host.crash();
        sleep(ms(100)).await;
        assert_eq!((boots.get(), beats.get()), (1, 3), "nothing beats on a dead host");
        host.restart();
        sleep(ms(35)).await;
        assert_eq!((boots.get(), beats.get()), (2, 6));
        host.restart();
        sleep(ms(35)).await;
        assert_eq!((boots.get(), beats.get()), (3, 9), "a host that is up is crashed first");
        host.kill();
        sleep(ms(35)).await;
        host.restart();
        sleep(ms(5)).await;
        assert_eq!((boots.get(), beats.get()), (4, 9));
    });
}

/// A service is found again after a restart, at the same address.
#[test]
fn a_restarted_server_serves() {
    run(|| async {
        let server = sim::host("server");
        server.run(|| async {
            let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(b"hello").await.unwrap();
            }
        });
        for _ in 0..3 {
            sleep(ms(10)).await;
            let mut stream = TcpStream::connect("server:80").await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "hello");
            server.crash();
            let refused = sim::time::timeout(ms(100), TcpStream::connect("server:80")).await;
            assert!(refused.is_err(), "nobody answers for a dead host");
            server.restart();
        }
    });
}

#[test]
fn a_paused_host_stands_still() {
    run(|| async {
        let beats = Rc::new(Cell::new(0));
        let beat = Rc::clone(&beats);
        let host = sim::host("db");
        let task = host.spawn(async move {
            for _ in 0..6 {
                sleep(ms(10)).await;
                beat.set(beat.get() + 1);
            }
            Instant::now()
        });
        sleep(ms(25)).await;
        assert_eq!(beats.get(), 2);
        host.pause();
        sleep(ms(100)).await;
        assert_eq!(beats.get(), 2);
        assert!(!task.is_finished());
        host.resume();
        sleep(ms(5)).await;
        assert_eq!(beats.get(), 3, "a timer that came due meanwhile is late, not lost");
        task.await.unwrap();
    });
}

#[test]
fn a_paused_host_keeps_what_is_ready() {
    run(|| async {
        let host = sim::host("db");
        let count = Rc::new(Cell::new(0));
        let counts = Rc::clone(&count);
        let spinner = host.spawn(async move {
            loop {
                counts.set(counts.get() + 1);
                sim::yield_now().await;
            }
        });
        sim::yield_now().await;
        host.pause();
        let before = count.get();
        sleep(ms(5)).await;
        assert_eq!(count.get(), before);
        let aborted = host.spawn(pending::<()>());
        aborted.abort();
        sleep(ms(5)).await;
        assert!(!aborted.is_finished(), "it is dropped on its turn, and it has none");
        host.resume();
        assert!(aborted.await.unwrap_err().is_cancelled());
        spinner.abort();
        let _: sim::task::JoinError = match spinner.await {
            Err(error) => error,
            Ok(never) => never,
        };
        assert!(count.get() > before);
    });
}

/// A paused host that crashes, and comes up again, is not paused.
#[test]
fn a_crash_ends_a_pause() {
    run(|| async {
        let host = sim::host("db");
        let task = host.spawn(pending::<()>());
        host.pause();
        host.crash();
        assert!(task.await.unwrap_err().is_cancelled());
        host.restart();
        assert_eq!(host.spawn(async { 3 }).await.unwrap(), 3);
    });
}

/// The kernel of a paused host goes on answering.
#[test]
fn a_paused_host_accepts_connections() {
    run(|| async {
        let server = sim::host("server");
        let task = server.spawn(async {
            let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"late").await.unwrap();
        });
        sleep(ms(1)).await;
        server.pause();
        let mut stream = TcpStream::connect("server:80").await.unwrap();
        let early = sim::time::timeout(ms(50), stream.read(&mut [0; 8])).await;
        assert!(early.is_err());
        server.resume();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "late");
        task.await.unwrap();
    });
}
