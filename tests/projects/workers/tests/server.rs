//! Many clients, several workers, runtimes that are built by hand.

use counter::{best, serve, total, Counts};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;

async fn count(address: std::net::SocketAddr, name: &str, times: usize) -> u64 {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let mut last = 0;
    for _ in 0..times {
        stream.write_all(format!("{name}\n").as_bytes()).await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let now = line.trim_end().parse().unwrap();
        assert!(now > last, "a count never falls");
        last = now;
    }
    last
}

async fn sixteen_clients() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (counts, (end, ended)) = (Counts::default(), watch::channel(false));
    let server = tokio::spawn(serve(listener, 5, counts.clone(), ended));
    let mut clients = JoinSet::new();
    for client in 0..16 {
        clients.spawn(async move { count(address, ["ada", "bob", "cy"][client % 3], 4).await });
    }
    let last = clients.join_all().await.into_iter().max();
    assert_eq!(last, Some(24));
    end.send(true).unwrap();
    assert_eq!(server.await.unwrap().unwrap(), 16);
    assert_eq!(best(counts).await, [("ada".into(), 24), ("bob".into(), 20), ("cy".into(), 20)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_word_counts() {
    sixteen_clients().await;
}

#[test]
fn a_runtime_of_ones_own() {
    let started = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&started);
    let runtime = Builder::new_multi_thread()
        .worker_threads(3)
        .thread_name("clerk")
        .on_thread_start(move || {
            count.fetch_add(1, Ordering::Relaxed);
        })
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(sixteen_clients());
    assert!(started.load(Ordering::Relaxed) > 0);
    runtime.shutdown_timeout(Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_worker_keeps_nobody_waiting() {
    let counts = Counts::default();
    let adders: Vec<_> = (0..4_u64)
        .map(|task| {
            let counts = counts.clone();
            tokio::spawn(async move {
                for _ in 0..=task {
                    *counts.lock().unwrap().entry(task.to_string()).or_default() += 1;
                    tokio::task::yield_now().await;
                }
                total(&counts)
            })
        })
        .collect();
    for adder in adders {
        assert!((1..=10).contains(&adder.await.unwrap()));
    }
    assert_eq!(total(&counts), 10);
}

#[test]
fn a_handle_works_from_threads_outside() {
    let runtime = Runtime::new().unwrap();
    let threads: Vec<_> = (0..3_u64)
        .map(|number| {
            let handle = runtime.handle().clone();
            std::thread::spawn(move || {
                handle.block_on(async move {
                    tokio::time::sleep(Duration::from_millis(number)).await;
                    tokio::spawn(async move { number * 2 }).await.unwrap()
                })
            })
        })
        .collect();
    let sum: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, 6);
}
