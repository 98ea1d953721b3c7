//! Blocking sockets between threads.

use mailbox::{ask, insist, serve};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{mpsc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

fn start(clients: usize) -> (SocketAddr, mpsc::Receiver<SocketAddr>, thread::JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (send, seen) = mpsc::channel();
    (address, seen, thread::spawn(move || serve(listener, clients, send)))
}

#[test]
fn letters_reach_whom_they_are_for() {
    let (address, seen, server) = start(4);
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for me in 0..4_usize {
            let barrier = &barrier;
            scope.spawn(move || {
                let stream = TcpStream::connect(address).unwrap();
                barrier.wait();
                let next = (me + 1) % 4;
                assert_eq!(ask(&stream, &format!("PUT n{next} from n{me}")).unwrap(), "kept");
                let letter = ask(&stream, &format!("TAKE n{me}")).unwrap();
                assert_eq!(letter, format!("letter from n{}", (me + 3) % 4));
            });
        }
    });
    server.join().unwrap().unwrap();
    let mut ports: Vec<_> = seen.iter().map(|address| address.port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 4);
}

#[test]
fn patience_ends() {
    let (address, _seen, server) = start(1);
    let stream = TcpStream::connect(address).unwrap();
    let before = Instant::now();
    assert_eq!(ask(&stream, "TAKE nobody").unwrap(), "nothing");
    assert!(before.elapsed() >= Duration::from_secs(2));
    assert_eq!(ask(&stream, "BURN").unwrap(), "what?");
    drop(stream);
    server.join().unwrap().unwrap();
}

#[test]
fn a_silent_peer_is_not_read_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let before = Instant::now();
    let kind = stream.read(&mut [0; 8]).unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut));
    assert!(before.elapsed() >= Duration::from_millis(290));

    peer.write_all(b"bye").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    assert_eq!(all, "bye");
    drop((peer, listener));
    let address = stream.peer_addr().unwrap();
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_large_body_passes_a_small_window() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let body: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    thread::scope(|scope| {
        scope.spawn(|| TcpStream::connect(address).unwrap().write_all(&body).unwrap());
        let (mut stream, _) = listener.accept().unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        assert!(got == body);
    });
}

#[test]
fn who_insists_is_answered() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let asker = thread::spawn(move || insist(address, b"ping").unwrap());
    let mut question = [0; 16];
    for times in 1..=3 {
        let (len, from) = server.recv_from(&mut question).unwrap();
        assert_eq!(&question[..len], b"ping");
        if times == 3 {
            server.send_to(b"pong", from).unwrap();
        }
    }
    let (times, answer) = asker.join().unwrap();
    assert!(times >= 3);
    assert_eq!(answer, b"pong");
}
