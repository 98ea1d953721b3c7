//! What can befall hosts and links, seen by the programs that live through it.

use sim::net::{TcpListener, TcpStream, UdpSocket, faults};
use sim::time::{Duration, Instant, sleep, timeout};
use sim::{Builder, Host, host};
use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::rc::Rc;

const SECOND: Duration = Duration::from_secs(1);

/// Runs a scenario under a few seeds; a failure of any is the test's.
fn run<F: Future<Output = ()> + 'static>(scenario: fn() -> F) {
    for seed in 0..5 {
        let run = Builder::new()
            .seed(seed)
            .policy(sim::PolicyKind::Random)
            .time_limit(Duration::from_secs(3600));
        run.run(scenario).unwrap();
    }
}

/// A server that answers every byte with itself, for ever, on `server:80`.
fn echo_server() -> Host {
    let server = host("server");
    server.run(|| async {
        let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            sim::spawn(async move {
                let mut byte = [0];
                while let Ok(1) = stream.read(&mut byte).await {
                    if stream.write_all(&byte).await.is_err() {
                        return;
                    }
                }
            })
            .detach();
        }
    });
    server
}

/// Runs `client` on a host of its own once the server listens.
async fn as_client<F: Future<Output = T> + 'static, T: 'static>(client: F) -> T {
    let task = host("client").spawn(async move {
        sleep(SECOND).await;
        client.await
    });
    task.await.unwrap()
}

/// One round trip.
async fn ping(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"x").await?;
    stream.read_exact(&mut [0]).await
}

#[test]
fn a_partition_stops_connects_and_healing_lets_them_through() {
    run(|| async {
        let server = echo_server();
        as_client(async move {
            faults::partition(&[&[server], &[host("client")]]);
            let start = Instant::now();
            let stream = sim::spawn(TcpStream::connect("server:80"));
            sleep(SECOND * 9).await;
            assert!(!stream.is_finished());
            faults::heal();
            stream.await.unwrap().unwrap();
            // The SYN that gets through is the one sent 11 s after the first.
            assert!((SECOND * 10..SECOND * 12).contains(&start.elapsed()), "{:?}", start.elapsed());
        })
        .await;
    });
}

#[test]
fn a_connection_outlives_a_short_partition() {
    run(|| async {
        let server = echo_server();
        as_client(async move {
            let mut stream = TcpStream::connect("server:80").await.unwrap();
            ping(&mut stream).await.unwrap();
            faults::partition(&[&[server], &[host("client")]]);
            sim::spawn(async {
                sleep(SECOND * 5).await;
                faults::heal();
            })
            .detach();
            let start = Instant::now();
            ping(&mut stream).await.unwrap();
            // Retransmissions double from about 0.2 s, so the first one after five seconds comes soon after six.
            assert!((SECOND * 5..SECOND * 14).contains(&start.elapsed()), "{:?}", start.elapsed());
        })
        .await;
    });
}

#[test]
fn a_one_way_cut_lets_the_other_way_through() {
    run(|| async {
        let (there, here) = (host("there"), host("here"));
        let got = Rc::new(Cell::new((0, 0)));
        let counts = Rc::clone(&got);
        let listener = there.spawn(async move {
            let socket = UdpSocket::bind("there:9").await.unwrap();
            let mut counted = 0;
            while timeout(SECOND * 2, socket.recv_from(&mut [0; 8])).await.is_ok() {
                counted += 1;
            }
            counts.set((counted, counts.get().1));
            socket.send_to(b"back", "here:9").await.unwrap();
        });
        let talker = here.spawn(async move {
            let socket = UdpSocket::bind("here:9").await.unwrap();
            faults::cut(host("here"), host("there"));
            for _ in 0..10 {
                socket.send_to(b"lost", "there:9").await.unwrap();
            }
            timeout(SECOND * 10, socket.recv_from(&mut [0; 8])).await.unwrap().unwrap().0
        });
        listener.await.unwrap();
        assert_eq!((got.get().0, talker.await.unwrap()), (0, 4));
    });
}

#[test]
fn latency_is_what_was_set() {
    run(|| async {
        let server = echo_server();
        as_client(async move {
            faults::latency(
                server,
                host("client"),
                Duration::from_millis(30)..=Duration::from_millis(40),
            );
            let mut stream = TcpStream::connect("server:80").await.unwrap();
            for _ in 0..20 {
                let start = Instant::now();
                ping(&mut stream).await.unwrap();
                let took = start.elapsed();
                assert!(
                    (Duration::from_millis(60)..Duration::from_millis(81)).contains(&took),
                    "{took:?}"
                );
            }
        })
        .await;
    });
}

#[test]
fn loss_takes_its_share_of_datagrams_and_no_byte_of_a_stream() {
    run(|| async {
        let server = echo_server();
        as_client(async move {
            faults::loss(server, host("client"), 1, 4);
            let sink = server.spawn(async {
                let socket = UdpSocket::bind("server:9").await.unwrap();
                let mut counted = 0_u32;
                while timeout(SECOND, socket.recv_from(&mut [0; 8])).await.is_ok() {
                    counted += 1;
                }
                counted
            });
            let socket = UdpSocket::bind("client:9").await.unwrap();
            for _ in 0..1000 {
                socket.send_to(b"maybe", "server:9").await.unwrap();
                sleep(Duration::from_micros(10)).await;
            }
            let arrived = sink.await.unwrap();
            // 750 expected, standard deviation 14.
            assert!((650..850).contains(&arrived), "{arrived}");
            let mut stream = TcpStream::connect("server:80").await.unwrap();
            for _ in 0..20 {
                ping(&mut stream).await.unwrap();
            }
        })
        .await;
    });
}

#[test]
fn a_reset_is_told_to_both_ends() {
    run(|| async {
        let server = host("server");
        let held = server.spawn(async {
            let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read(&mut [0]).await.unwrap_err().kind()
        });
        as_client(async move {
            let mut stream = TcpStream::connect("server:80").await.unwrap();
            sleep(SECOND).await;
            assert_eq!(faults::reset(host("client"), server), 1);
            assert_eq!(stream.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert_eq!(held.await.unwrap(), ErrorKind::ConnectionReset);
        })
        .await;
    });
}

#[test]
fn a_crash_is_silent_and_a_kill_is_not() {
    run(|| async {
        let server = echo_server();
        as_client(async move {
            let mut stream = TcpStream::connect("server:80").await.unwrap();
            ping(&mut stream).await.unwrap();
            server.crash();
            assert!(
                timeout(SECOND * 60, stream.read(&mut [0])).await.is_err(),
                "nobody says goodbye"
            );
            server.restart();
            sleep(SECOND).await;
            // The new kernel knows nothing of the connection, and says so.
            stream.write_all(b"x").await.unwrap();
            assert_eq!(stream.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
            let mut stream = TcpStream::connect("server:80").await.unwrap();
            ping(&mut stream).await.unwrap();
            server.kill();
            assert_eq!(
                stream.read(&mut [0]).await.unwrap(),
                0,
                "the kernel closes what the process had open"
            );
        })
        .await;
    });
}

#[test]
fn a_paused_host_is_slow_and_not_dead() {
    run(|| async {
        let server = echo_server();
        as_client(async move {
            let mut stream = TcpStream::connect("server:80").await.unwrap();
            server.pause();
            sim::spawn(async move {
                sleep(SECOND * 30).await;
                server.resume();
            })
            .detach();
            let start = Instant::now();
            ping(&mut stream).await.unwrap();
            assert!((SECOND * 30..SECOND * 31).contains(&start.elapsed()), "{:?}", start.elapsed());
        })
        .await;
    });
}

#[test]
fn a_crash_takes_what_was_not_synced_and_nothing_else() {
    let mut lost = 0;
    for seed in 0..40 {
        let run = Builder::new().seed(seed).run(|| async {
            let db = host("db");
            let written = db.spawn(async {
                let mut log = sim::fs::File::create("/log").await.unwrap();
                log.write_all(b"synced ").await.unwrap();
                log.sync_all().await.unwrap();
                log.write_all(b"not").await.unwrap();
            });
            written.await.unwrap();
            db.crash();
            db.restart();
            let left = db.spawn(sim::fs::read("/log")).await.unwrap().unwrap();
            String::from_utf8(left).unwrap()
        });
        match run.unwrap().as_str() {
            "synced " => lost += 1,
            "synced not" => {}
            other => panic!("never written: '{other}'"),
        }
    }
    assert!(
        (1..40).contains(&lost),
        "both outcomes are possible, and one never came: {lost} of 40 lost"
    );
}

#[test]
fn clocks_step_and_drift_host_by_host() {
    run(|| async {
        let (fast, wrong) = (host("fast"), host("wrong"));
        fast.set_drift(100_000_000);
        let start = Instant::now();
        fast.spawn(async { sleep(SECOND * 11).await }).await.unwrap();
        let took = start.elapsed();
        assert!(
            (Duration::from_millis(9_999)..Duration::from_millis(10_001)).contains(&took),
            "{took:?}"
        );
        let read = |host: Host| host.spawn(async { sim::time::SystemTime::now() });
        let before = read(wrong).await.unwrap();
        wrong.step_clock(-3_600_000_000_000);
        let after = read(wrong).await.unwrap();
        let back = before.duration_since(after).unwrap();
        assert!((SECOND * 3599..SECOND * 3601).contains(&back), "{back:?}");
    });
}

#[test]
fn faults_of_a_simulated_world_are_refused_on_the_real_one() {
    use sim::Runtime;
    let mut runtime = sim::OsRuntime::new().unwrap();
    let refused = runtime.block_on(async {
        sim::spawn(async { host("db").crash() }).await.unwrap_err().into_panic()
    });
    let text = refused.downcast_ref::<String>().unwrap();
    assert!(text.contains("is for a simulated world: ask sim::in_simulation() first"), "{text}");
}
