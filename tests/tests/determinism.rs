//! A run is a value: seed and program decide it, in this process, in another one, and from its log.

use sim::net::{TcpListener, TcpStream, UdpSocket};
use sim::time::{Duration, sleep, timeout};
use sim::{Builder, Fingerprint, Log, Odometer, PolicyKind, Report, Runtime, first_divergence};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io;
use std::process::Command;
use std::rc::Rc;

const SEEDS: u64 = 1000;

/// Everything a program does that could go otherwise: hosts, streams, datagrams, timers, files, draws, tasks.
async fn program() -> io::Result<()> {
    let (server, client) = (sim::host("server"), sim::host("client"));
    server.spawn(serve()).detach();
    server.spawn(reflect()).detach();
    let streams = (0..3).map(|n| client.spawn(request(n)));
    let streams: Vec<_> = streams.collect();
    let pings = client.spawn(ping());
    let notes = sim::spawn(keep_notes());
    let raced = sim::spawn(race());
    for stream in streams {
        stream.await.expect("the client is up")?;
    }
    pings.await.expect("the client is up")?;
    notes.await.expect("nobody aborts it")?;
    raced.await.expect("nobody aborts it");
    sim::observe(sim::rand::random());
    Ok(())
}

async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        sim::spawn(answer(stream)).detach();
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 64];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            len => {
                sleep(Duration::from_micros(sim::rand::range(1..500))).await;
                stream.write_all(&buffer[..len]).await?;
            }
        }
    }
}

async fn request(number: u8) -> io::Result<()> {
    sleep(Duration::from_millis(1)).await;
    let mut stream = TcpStream::connect("server:80").await?;
    for _ in 0..3 {
        stream.write_all(&[number; 40]).await?;
        let mut back = [0; 40];
        stream.read_exact(&mut back).await?;
        assert_eq!(back, [number; 40]);
        sim::yield_now().await;
    }
    Ok(())
}

async fn reflect() -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:53").await?;
    let mut buffer = [0; 16];
    loop {
        let (len, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..len], from).await?;
    }
}

async fn ping() -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    sleep(Duration::from_millis(1)).await;
    for n in 0..4_u8 {
        socket.send_to(&[n], "server:53").await?;
    }
    let mut order = 0;
    for _ in 0..4 {
        let mut byte = [0];
        if timeout(Duration::from_millis(50), socket.recv(&mut byte)).await.is_ok() {
            order = order * 10 + u64::from(byte[0]);
        }
    }
    sim::observe(order);
    Ok(())
}

async fn keep_notes() -> io::Result<()> {
    let mut file = sim::fs::File::create("/notes").await?;
    for n in 0..3 {
        file.write_all(format!("{n} {}\n", sim::rand::range(0..100)).as_bytes()).await?;
        file.sync_data().await?;
    }
    sim::observe(sim::fs::read("/notes").await?.len() as u64);
    Ok(())
}

async fn race() {
    let order = Rc::new(RefCell::new(0_u64));
    let tasks: Vec<_> = (1..4)
        .map(|n| {
            let order = Rc::clone(&order);
            sim::spawn(async move {
                if sim::rand::chance(1, 2) {
                    sim::yield_now().await;
                }
                let before = *order.borrow();
                order.replace(before * 10 + n);
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("nobody aborts it");
    }
    sim::observe(order.take());
}

fn run(builder: Builder) -> Report {
    let run = builder.time_limit(Duration::from_secs(60)).run(program);
    assert!(matches!(run.output, Some(Ok(()))), "{:?} {:?}", run.output, run.report.end);
    run.report
}

fn seeded(seed: u64) -> Builder {
    Builder::new().seed(seed).policy(PolicyKind::Random)
}

/// The first run of each seed, with its log. Made once for all tests that compare with it.
fn first_runs() -> &'static BTreeMap<u64, (Fingerprint, Fingerprint, Log)> {
    static RUNS: std::sync::OnceLock<BTreeMap<u64, (Fingerprint, Fingerprint, Log)>> =
        std::sync::OnceLock::new();
    RUNS.get_or_init(|| {
        let first = |seed| {
            let report = run(seeded(seed).record(true));
            (seed, (report.fingerprint, report.schedule, report.log.expect("it was recorded")))
        };
        (0..SEEDS).map(first).collect()
    })
}

/// Says at which event two runs of a seed part.
fn explain(left: Builder, right: Builder) -> String {
    let (left, right) = (run(left.keep_trace(true)), run(right.keep_trace(true)));
    let (left, right) = (left.recorded.expect("it was kept"), right.recorded.expect("it was kept"));
    format!("{:?}", first_divergence(&left, &right))
}

#[test]
fn a_second_run_is_the_same() {
    for (&seed, (fingerprint, schedule, _)) in first_runs() {
        let report = run(seeded(seed));
        let same = (report.fingerprint, report.schedule) == (*fingerprint, *schedule);
        assert!(same, "seed {seed}: {}", explain(seeded(seed), seeded(seed)));
    }
}

/// The log alone: neither the seed nor the policy of the run that made it.
#[test]
fn a_replay_is_the_same() {
    for (&seed, (fingerprint, schedule, log)) in first_runs() {
        let replay = || Builder::new().replay(log.clone());
        let report = run(replay());
        let same = (report.fingerprint, report.schedule) == (*fingerprint, *schedule);
        assert!(same, "seed {seed}: {}", explain(seeded(seed), replay()));
        assert_eq!(report.drift, 0, "every entry of the log is asked for");
    }
}

/// The text of a log, read back.
fn written_down(log: &Log) -> Log {
    let text = log.to_string();
    Log::parse(text.lines(), 1).unwrap_or_else(|error| panic!("{error:?}"))
}

/// A log that was written down and read back is as good, and a recorded replay gives it again.
#[test]
fn a_replay_gives_the_log_again() {
    for (&seed, (fingerprint, _, log)) in first_runs().iter().take(100) {
        let read = written_down(log);
        assert_eq!(read, *log, "seed {seed}");
        let again = run(Builder::new().replay(read).record(true));
        assert_eq!(again.fingerprint, *fingerprint, "seed {seed}");
        assert_eq!(again.log.as_ref(), Some(log), "seed {seed}");
    }
}

/// Names are the program's: types with spaces in them, and whatever a task is called.
#[test]
fn a_log_keeps_any_name() {
    type Boxed = std::pin::Pin<Box<dyn Future<Output = ()>>>;
    let program = || async {
        let steps = || -> Boxed {
            Box::pin(async {
                for _ in 0..4 {
                    sim::yield_now().await;
                    let _ = sim::rand::range(0..100);
                }
            })
        };
        let odd = ["two words", "a/b", "tab\there", "#1", "@!7", "", "名"];
        let named = odd.map(|name| sim::task::Builder::new().name(name).spawn(steps()));
        let unnamed = [(); 2].map(|()| sim::spawn(timeout(Duration::from_secs(1), steps())));
        for task in named {
            task.await.expect("nobody aborts it");
        }
        for task in unnamed {
            task.await.expect("nobody aborts it").expect("it is quick");
        }
    };
    for seed in 0..50 {
        let first = seeded(seed).record(true).run(program).report;
        let log = first.log.expect("it was recorded");
        let read = written_down(&log);
        assert_eq!(read, log, "seed {seed}");
        let again = Builder::new().replay(read).run(program).report;
        assert_eq!((again.fingerprint, again.drift), (first.fingerprint, 0), "seed {seed}");
    }
}

/// Looking does not change: a run whose trace is kept has the fingerprint of one whose trace is not.
#[test]
fn a_kept_trace_changes_nothing() {
    for (&seed, (fingerprint, ..)) in first_runs().iter().take(100) {
        assert_eq!(run(seeded(seed).keep_trace(true)).fingerprint, *fingerprint, "seed {seed}");
    }
}

/// Runs before and beside it on other threads are no part of a run.
#[test]
fn threads_do_not_meet() {
    let threads: Vec<_> = (0..4_u64)
        .map(|n| {
            let seeds: Vec<u64> = (0..50).map(|i| (i * 7 + n * 13) % SEEDS).collect();
            std::thread::spawn(move || {
                seeds
                    .into_iter()
                    .map(|seed| (seed, run(seeded(seed)).fingerprint))
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    for (seed, fingerprint) in threads.into_iter().flat_map(|thread| thread.join().unwrap()) {
        assert_eq!(fingerprint, first_runs()[&seed].0, "seed {seed}");
    }
}

/// Asks a fresh process of this binary to print its fingerprints.
const IN_CHILD: &str = "SIM_TESTS_PRINT_FINGERPRINTS";

fn table(runs: &BTreeMap<u64, (Fingerprint, Fingerprint, Log)>) -> String {
    runs.iter().fold(String::new(), |mut text, (seed, (fingerprint, schedule, _))| {
        writeln!(text, "run {seed} {fingerprint} {schedule}")
            .expect("writing to a string does not fail");
        text
    })
}

/// The child's side: a test that does nothing unless it is asked.
#[test]
fn print_fingerprints() {
    if std::env::var_os(IN_CHILD).is_some() {
        println!("{}", table(first_runs()));
    }
}

#[test]
fn another_process_is_the_same() {
    let binary = std::env::current_exe().expect("a process knows its binary");
    let child = Command::new(binary)
        .args(["--exact", "print_fingerprints", "--nocapture", "--test-threads=1"])
        .env(IN_CHILD, "1")
        .env("A_VARIABLE_MORE", "and another environment")
        .output()
        .expect("the binary runs again");
    assert!(child.status.success());
    let printed = String::from_utf8(child.stdout).expect("it prints text");
    // The harness begins the line of the first one with the test's name.
    let printed = printed.lines().filter_map(|line| Some(&line[line.find("run ")?..]));
    let printed: Vec<&str> = printed.filter(|line| line.split(' ').count() == 4).collect();
    let expected = table(first_runs());
    let expected: Vec<&str> = expected.lines().collect();
    assert_eq!(printed.len(), SEEDS as usize);
    assert_eq!(printed, expected);
}

#[test]
fn seeds_differ() {
    let fingerprints: BTreeSet<Fingerprint> = first_runs().values().map(|run| run.0).collect();
    assert!(fingerprints.len() > 990, "{} of {SEEDS}", fingerprints.len());
}

#[test]
fn seeds_give_different_schedules() {
    let schedules: BTreeSet<Fingerprint> = (0..SEEDS)
        .map(|seed| {
            let run = Builder::new().seed(seed).policy(PolicyKind::Random).run(|| async {
                let task = || async {
                    for _ in 0..8 {
                        sim::yield_now().await;
                    }
                };
                for task in [0; 4].map(|_| sim::spawn(task())) {
                    task.await.expect("nobody aborts it");
                }
            });
            run.report.schedule
        })
        .collect();
    assert!(schedules.len() > 990, "{} of {SEEDS}", schedules.len());
}

/// Draws of the task "b", while "a" draws so often, and so many others draw as well.
fn draws_of_b(seed: u64, policy: PolicyKind, draws_of_a: usize, others: usize) -> Vec<u64> {
    let run = Builder::new().seed(seed).policy(policy).run(move || async move {
        let named = |name: &'static str| sim::task::Builder::new().name(name);
        let draw = |count: usize| async move {
            let mut draws = Vec::new();
            for _ in 0..count {
                draws.push(sim::rand::range(0..1_000_000));
                sim::yield_now().await;
            }
            draws
        };
        let a = named("a").spawn(draw(draws_of_a));
        for _ in 0..others {
            named("other").spawn(draw(3)).detach();
        }
        let b = named("b").spawn(draw(10));
        a.await.expect("nobody aborts it");
        b.await.expect("nobody aborts it")
    });
    run.unwrap()
}

#[test]
fn a_draw_more_elsewhere_changes_no_other() {
    for seed in 0..100 {
        for policy in [PolicyKind::Fifo, PolicyKind::Random] {
            let draws = draws_of_b(seed, policy, 5, 0);
            assert_eq!(draws, draws_of_b(seed, policy, 6, 0), "seed {seed}");
            assert_eq!(draws, draws_of_b(seed, policy, 0, 3), "seed {seed}");
        }
    }
    assert_ne!(draws_of_b(1, PolicyKind::Fifo, 0, 0), draws_of_b(2, PolicyKind::Fifo, 0, 0));
}

/// A draw of the program does not re-deal the delays of a link.
#[test]
fn a_draw_changes_no_delay() {
    let arrival = |seed, draws| {
        let run = Builder::new().seed(seed).run(move || async move {
            let server = sim::host("server");
            let receiver = server.spawn(async {
                let socket = UdpSocket::bind("0.0.0.0:53").await.unwrap();
                let mut delays = Vec::new();
                for _ in 0..5 {
                    socket.recv(&mut [0; 8]).await.unwrap();
                    delays.push(sim::time::Instant::now());
                }
                delays
            });
            sleep(Duration::from_millis(1)).await;
            let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
            for _ in 0..5 {
                for _ in 0..draws {
                    let _ = sim::rand::range(0..10);
                }
                socket.send_to(b"x", std::net::SocketAddr::new(server.ip(), 53)).await.unwrap();
                sleep(Duration::from_millis(10)).await;
            }
            receiver.await.expect("the server is up")
        });
        run.unwrap()
    };
    for seed in 0..50 {
        assert_eq!(arrival(seed, 0), arrival(seed, 3), "seed {seed}");
    }
}

/// Two tasks that yield `yields` times each: every interleaving of their steps, and how often the odometer ran.
fn interleavings(yields: u32) -> (BTreeSet<String>, u64) {
    let (mut seen, mut runs) = (BTreeSet::new(), 0);
    let mut odometer = Odometer::new();
    loop {
        let order = Rc::new(RefCell::new(String::new()));
        let mut runtime =
            Builder::new().odometer(odometer).build().expect("the limits are the default ones");
        for name in ['a', 'b'] {
            let order = Rc::clone(&order);
            let task = async move {
                order.borrow_mut().push(name);
                for _ in 0..yields {
                    sim::yield_now().await;
                    order.borrow_mut().push(name);
                }
            };
            runtime.spawn(task).detach();
        }
        runtime.run().expect("both tasks end");
        seen.insert(order.take());
        runs += 1;
        odometer = runtime.into_odometer().expect("it answered");
        if !odometer.advance() {
            return (seen, runs);
        }
    }
}

#[test]
fn the_odometer_counts_every_interleaving_once() {
    // Each task takes yields + 1 steps: C(2 (yields + 1), yields + 1).
    for (yields, count) in [(0, 2), (1, 6), (2, 20), (3, 70), (4, 252), (5, 924)] {
        let (seen, runs) = interleavings(yields);
        assert_eq!((seen.len() as u64, runs), (count, count), "{yields} yields each");
    }
}
