//! A program that knows nothing of simulation: threads, sockets, clocks and hash maps of std. Its first argument says what it does.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "what is unpredictable outside a world is its subject"
)]

use std::collections::HashMap;
use std::env;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Outlives a run that is not a process of its own.
static COUNT: AtomicU32 = AtomicU32::new(0);

fn main() {
    match env::args().nth(1).as_deref() {
        Some("everything") => everything(),
        Some("lost_update") => lost_update(),
        Some("deadlock") => deadlock(),
        Some("sleep") => sleep(),
        Some("order") => order(),
        Some("echo") => echo(),
        Some("timeouts") => timeouts(),
        Some("names") => names(),
        Some("condvar") => condvar(),
        Some("process") => drop(process::Command::new("true").status()),
        Some("panic") => panic!("the third shelf is empty"),
        Some("status") => process::exit(7),
        Some("abort") => process::abort(),
        other => panic!("no such program: {other:?}"),
    }
}

/// What differs from run to run outside a world: clocks, hash order, entropy, addresses, numbers of threads and processes.
fn everything() {
    let boxed = Box::new(5);
    println!("{:p} {}", &raw const *boxed, process::id());
    println!("{:?} {:?}", SystemTime::now(), Instant::now());
    let map: HashMap<u32, u32> = (0..20).map(|n| (n, n)).collect();
    println!("{:?}", map.keys().collect::<Vec<_>>());
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let sender = sender.clone();
            thread::spawn(move || {
                for turn in 0..5 {
                    sender.send((n, turn)).expect("the receiver lives");
                    thread::yield_now();
                }
                println!("{:?} {:p}", thread::current().id(), &raw const *Box::new(n));
            })
        })
        .collect();
    drop(sender);
    println!("{:?}", receiver.iter().collect::<Vec<_>>());
    let done = Arc::new(AtomicBool::new(false));
    let other = Arc::clone(&done);
    let polled = thread::spawn(move || {
        thread::sleep(Duration::from_micros(20));
        other.store(true, Ordering::SeqCst);
    });
    let mut polls = 0;
    while !done.load(Ordering::SeqCst) {
        polls += 1;
        thread::yield_now();
    }
    COUNT.fetch_add(polls, Ordering::SeqCst);
    println!("{polls} {}", COUNT.load(Ordering::SeqCst));
    polled.join().expect("it does not panic");
    threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
}

/// Two threads read, ask the kernel for something, and write: one update is lost where another thread runs at that call.
fn lost_update() {
    let total = Arc::new(Mutex::new(0));
    let add = |total: Arc<Mutex<i32>>| {
        move || {
            let seen = *total.lock().expect("nobody panics");
            UdpSocket::bind("127.0.0.1:0").expect("a port is free");
            *total.lock().expect("nobody panics") = seen + 1;
        }
    };
    let threads = [thread::spawn(add(Arc::clone(&total))), thread::spawn(add(Arc::clone(&total)))];
    threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    assert_eq!(*total.lock().expect("nobody panics"), 2, "an update was lost");
}

fn deadlock() {
    let locks = Arc::new((Mutex::new(()), Mutex::new(())));
    let other = Arc::clone(&locks);
    let thread = thread::spawn(move || {
        let _second = other.1.lock();
        thread::sleep(Duration::from_millis(1));
        let _first = other.0.lock();
    });
    let _first = locks.0.lock();
    thread::sleep(Duration::from_millis(1));
    let _second = locks.1.lock();
    drop(thread.join());
}

fn sleep() {
    let (began, date) = (Instant::now(), SystemTime::now());
    thread::sleep(Duration::from_secs(3600));
    let (slept, by_date) = (began.elapsed(), date.elapsed().expect("the clock is not stepped"));
    assert!(slept >= Duration::from_secs(3600) && slept < Duration::from_secs(3601), "{slept:?}");
    assert!(by_date.abs_diff(slept) < Duration::from_millis(1), "{by_date:?}");
    assert_eq!(thread::available_parallelism().expect("it is known").get(), 4);
}

/// The order in which four threads come to a lock.
fn order() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let order = Arc::clone(&order);
            thread::spawn(move || {
                thread::yield_now();
                order.lock().expect("nobody panics").push(n);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
}

fn echo() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let server = thread::spawn(move || {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().expect("a client comes");
            let mut text = String::new();
            stream.read_to_string(&mut text).expect("it is text");
            stream.write_all(text.to_uppercase().as_bytes()).expect("the client reads");
        }
    });
    for n in 0..3 {
        let mut stream = TcpStream::connect(address).expect("the server listens");
        write!(stream, "hello {n}").expect("the server reads");
        stream.shutdown(std::net::Shutdown::Write).expect("it is connected");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it is text");
        assert_eq!(answer, format!("HELLO {n}"));
    }
    server.join().expect("it does not panic");
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

fn timeouts() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("it is an option");
    assert_eq!(socket.read_timeout().expect("it is an option"), Some(Duration::from_secs(5)));
    let began = Instant::now();
    let error = socket.recv(&mut [0; 8]).expect_err("nobody sends");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(5) && waited < Duration::from_secs(6), "{waited:?}");
    socket.set_nonblocking(true).expect("it can be");
    assert!(socket.recv(&mut [0; 8]).is_err());
    let other = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    other.send_to(b"12345678", socket.local_addr().expect("it is bound")).expect("it is sent");
    assert_eq!(socket.recv(&mut [0; 8]).expect("it has come"), 8);
}

fn names() {
    let listener = TcpListener::bind(("localhost", 0)).expect("localhost is known");
    let port = listener.local_addr().expect("it is bound").port();
    TcpStream::connect(("localhost", port)).expect("localhost is known");
    assert!(TcpStream::connect("nowhere.invalid:80").is_err(), "such a name is not known");
}

fn condvar() {
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let other = Arc::clone(&pair);
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_secs(2));
        *other.0.lock().expect("nobody panics") = true;
        other.1.notify_one();
    });
    let began = Instant::now();
    let mut is_set = pair.0.lock().expect("nobody panics");
    let mut waits = 0;
    while !*is_set {
        let (guard, timeout) =
            pair.1.wait_timeout(is_set, Duration::from_millis(500)).expect("nobody panics");
        waits += u32::from(timeout.timed_out());
        is_set = guard;
    }
    drop(is_set);
    assert!(
        waits >= 3 && began.elapsed() >= Duration::from_secs(2),
        "{waits} {:?}",
        began.elapsed()
    );
    thread.join().expect("it does not panic");
}
