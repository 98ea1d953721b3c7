//! One executor in one thread, in several, and blocking work beside it.

use ferry::{ferry, serve};
use smol::channel;
use smol::future::FutureExt;
use smol::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use smol::net::{TcpListener, TcpStream, UdpSocket};
use smol::stream::StreamExt;
use smol::{Executor, Timer};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn every_car_arrives() {
    let executor = Arc::new(Executor::new());
    smol::block_on(executor.run(async {
        let (send, cars) = channel::bounded(2);
        let (arrived, arrivals) = channel::unbounded();
        executor.spawn(ferry(Arc::clone(&executor), cars, 3, arrived)).detach();
        for car in 0..12 {
            send.send(car).await.unwrap();
        }
        drop(send);
        let mut all: Vec<_> = arrivals.collect().await;
        all.sort_unstable();
        assert_eq!(all, (0..12).collect::<Vec<_>>());
    }));
}

#[test]
fn clients_of_a_server_are_counted() {
    let executor = Arc::new(Executor::new());
    smol::block_on(executor.run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = executor.spawn(serve(Arc::clone(&executor), listener));
        let clients: Vec<_> = (0..4)
            .map(|client| {
                executor.spawn(async move {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    stream.write_all(format!("c{client}\n").as_bytes()).await.unwrap();
                    let mut line = String::new();
                    BufReader::new(stream).read_line(&mut line).await.unwrap();
                    let number = line.trim_end().strip_prefix(&format!("c{client} is number ")).unwrap().to_owned();
                    number.parse::<u32>().unwrap()
                })
            })
            .collect();
        let mut numbers = Vec::new();
        for client in clients {
            numbers.push(client.await);
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4]);
        assert!(server.cancel().await.is_none());
    }));
}

#[test]
fn an_executor_in_three_threads() {
    let executor = Arc::new(Executor::new());
    let (end, ended) = channel::bounded::<()>(1);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (executor, ended) = (Arc::clone(&executor), ended.clone());
            std::thread::spawn(move || smol::block_on(executor.run(ended.recv())))
        })
        .collect();
    let tasks: Vec<_> = (0..10_u64)
        .map(|number| {
            executor.spawn(async move {
                Timer::after(Duration::from_millis(number % 3)).await;
                smol::future::yield_now().await;
                number
            })
        })
        .collect();
    let sum = smol::block_on(async {
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        sum
    });
    assert_eq!(sum, 45);
    drop(end);
    threads.into_iter().for_each(|thread| assert!(thread.join().unwrap().is_err()));
}

#[test]
fn who_is_first_wins_and_a_datagram_comes_back() {
    smol::block_on(async {
        let before = Instant::now();
        let slow = async {
            Timer::after(Duration::from_secs(60)).await;
            "slow"
        };
        let quick = async {
            Timer::after(Duration::from_millis(30)).await;
            "quick"
        };
        assert_eq!(slow.or(quick).await, "quick");
        assert!((30..10_000).contains(&before.elapsed().as_millis()));
        let (one, other) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
        one.send_to(b"ahoy", other.local_addr().unwrap()).await.unwrap();
        let mut bytes = [0; 16];
        let (len, from) = other.recv_from(&mut bytes).await.unwrap();
        assert_eq!((&bytes[..len], from), (&b"ahoy"[..], one.local_addr().unwrap()));
    });
}

#[test]
fn files_and_blocking_work_have_threads_of_their_own() {
    let path = std::env::temp_dir().join(format!("ferry-{}", std::process::id()));
    smol::block_on(async {
        smol::fs::write(&path, "first\nsecond\n").await.unwrap();
        let file = smol::fs::File::open(&path).await.unwrap();
        let lines: Vec<_> = BufReader::new(file).lines().map(Result::unwrap).collect().await;
        assert_eq!(lines, ["first", "second"]);
        let mut text = String::new();
        smol::fs::File::open(&path).await.unwrap().read_to_string(&mut text).await.unwrap();
        assert_eq!(smol::unblock(move || text.len()).await, 13);
        smol::fs::remove_file(&path).await.unwrap();
        assert!(smol::fs::metadata(&path).await.is_err());
    });
}
