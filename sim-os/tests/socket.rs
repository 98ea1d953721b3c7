//! Sockets against the real kernel: what it answers reaches the caller unchanged.

mod common;

use common::{ROOT, TAKE, World, waiter};
use sim_core::backend::{
    Backend, Domain, OptionName, Readiness, Received, RecvFlags, Shutdown, SocketKind, SocketOption,
};
use sim_core::{Errno, Fd};
use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

#[test]
fn tcp_echo() {
    let mut w = World::new();
    let (client, server) = w.connection();
    assert_eq!(w.os.peer_addr(&mut w.env, client), w.os.local_addr(&mut w.env, server));
    for text in [&b"hello"[..], b"", b"world"] {
        assert_eq!(w.os.send(&mut w.env, client, text), Ok(text.len()));
        if text.is_empty() {
            continue;
        }
        let echo = w.recv(server).unwrap();
        assert_eq!(w.os.readable_bytes(&mut w.env, server), Ok(0));
        assert_eq!(w.os.send(&mut w.env, server, &echo), Ok(text.len()));
        assert_eq!(w.recv(client).unwrap(), text);
    }
    w.os.close(&mut w.env, client).unwrap();
    assert_eq!(w.recv(server), Ok(vec![]));
}

#[test]
fn a_megabyte_arrives_in_order_through_full_buffers() {
    let mut w = World::new();
    let (client, server) = w.connection();
    let data: Vec<u8> =
        (0..1 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (mut sent, mut got, mut full) = (0, Vec::<u8>::new(), 0);
    w.os.set_option(&mut w.env, client, SocketOption::SendBuffer(8192)).unwrap();
    let mut into = vec![0; 4096];
    while got.len() < data.len() {
        while sent < data.len() {
            match w.os.send(&mut w.env, client, &data[sent..]) {
                Ok(len) => sent += len,
                Err(error) => {
                    assert_eq!(error, Errno::EAGAIN);
                    full += 1;
                    break;
                }
            }
        }
        // The reader may have everything while the writer's buffer is not free yet, so either may have to be waited for.
        match w.os.recv(&mut w.env, server, &mut into, TAKE) {
            Ok(len) => got.extend(&into[..len]),
            Err(error) => {
                assert_eq!(error, Errno::EAGAIN);
                w.os.subscribe(&mut w.env, client, Readiness::OUT, waiter(1)).unwrap();
                w.os.subscribe(&mut w.env, server, Readiness::READ, waiter(1)).unwrap();
                w.until_released(waiter(1));
            }
        }
    }
    assert!(full > 10, "the writer's buffer was hardly ever full");
    assert!(got == data, "bytes were lost, doubled or reordered");
}

#[test]
fn a_refused_connect_is_told_once() {
    let mut w = World::new();
    let (listener, addr) = w.listener();
    w.os.close(&mut w.env, listener).unwrap();
    let fd = w.socket(SocketKind::Stream);
    assert_eq!(w.ready(fd), "OUT|HUP");
    assert_eq!(w.os.connect(&mut w.env, fd, addr.into()), Err(Errno::EINPROGRESS));
    w.os.subscribe(&mut w.env, fd, Readiness::OUT, waiter(1)).unwrap();
    w.until_released(waiter(1));
    assert_eq!(w.ready(fd), "IN|OUT|ERR|HUP|RDHUP");
    for expected in [Errno::ECONNREFUSED.raw(), 0] {
        assert_eq!(
            w.os.option(&mut w.env, fd, OptionName::Error),
            Ok(SocketOption::Error(expected))
        );
    }
    assert_eq!(w.os.connect(&mut w.env, fd, addr.into()), Err(Errno::ECONNABORTED));
}

#[test]
fn half_close() {
    let mut w = World::new();
    let (client, server) = w.connection();
    w.os.send(&mut w.env, client, b"request").unwrap();
    w.os.shutdown(&mut w.env, client, Shutdown::Write).unwrap();
    assert_eq!(w.os.send(&mut w.env, client, b"more"), Err(Errno::EPIPE));
    assert_eq!(w.recv(server).unwrap(), b"request");
    assert_eq!(w.recv(server).unwrap(), b"");
    assert_eq!(w.ready(server), "IN|OUT|RDHUP");
    w.os.send(&mut w.env, server, b"reply").unwrap();
    assert_eq!(w.recv(client).unwrap(), b"reply");
}

#[test]
fn closing_with_unread_data_resets() {
    let mut w = World::new();
    let (client, server) = w.connection();
    w.os.send(&mut w.env, client, b"unread").unwrap();
    w.os.subscribe(&mut w.env, server, Readiness::IN, waiter(1)).unwrap();
    w.until_released(waiter(1));
    w.os.close(&mut w.env, server).unwrap();
    assert_eq!(w.recv(client), Err(Errno::ECONNRESET));
    assert_eq!(w.recv(client), Ok(vec![]));
    assert_eq!(w.os.send(&mut w.env, client, b"x"), Err(Errno::EPIPE));
}

#[test]
fn the_rest_of_a_datagram_is_discarded() {
    let mut w = World::new();
    let (a, b) = (w.socket(SocketKind::Datagram), w.socket(SocketKind::Datagram));
    for fd in [a, b] {
        w.os.bind(&mut w.env, fd, common::inet("127.0.0.1:0")).unwrap();
    }
    let (from, to) = (w.local(a), w.local(b));
    for flags in [TAKE, RecvFlags { peek: true, ..TAKE }, RecvFlags { whole_len: true, ..TAKE }] {
        w.os.send_to(&mut w.env, a, b"0123456789", to).unwrap();
        let mut into = [0; 4];
        let got = w.retry(b, Readiness::IN, |os, env| os.recv_from(env, b, &mut into, flags));
        let len = if flags.whole_len { 10 } else { 4 };
        assert_eq!(got, Ok(Received { len, from, truncated: true }), "{flags:?}");
        assert_eq!(&into, b"0123");
        let mut rest = [0; 16];
        let second = w.os.recv(&mut w.env, b, &mut rest, TAKE);
        assert_eq!(second, if flags.peek { Ok(10) } else { Err(Errno::EAGAIN) }, "{flags:?}");
    }
    w.os.send_to(&mut w.env, a, b"", to).unwrap();
    let got = w.retry(b, Readiness::IN, |os, env| os.recv_from(env, b, &mut [0; 4], TAKE));
    assert_eq!(got, Ok(Received { len: 0, from, truncated: false }));
}

#[test]
fn a_stream_names_its_peer() {
    let mut w = World::new();
    let (client, server) = w.connection();
    let from = w.local(client);
    w.os.send(&mut w.env, client, b"0123456789").unwrap();
    for _ in 0..2 {
        let mut into = [0; 5];
        let got =
            w.retry(server, Readiness::IN, |os, env| os.recv_from(env, server, &mut into, TAKE));
        assert_eq!(
            got,
            Ok(Received { len: 5, from, truncated: false }),
            "a stream cuts nothing off"
        );
    }
}

#[test]
fn options_are_the_kernels() {
    let mut w = World::new();
    let fd = w.socket(SocketKind::Stream);
    let seconds = Duration::from_secs;
    for (option, name) in [
        (SocketOption::ReuseAddr(true), OptionName::ReuseAddr),
        (SocketOption::ReusePort(true), OptionName::ReusePort),
        (SocketOption::KeepAlive(true), OptionName::KeepAlive),
        (SocketOption::Broadcast(true), OptionName::Broadcast),
        (SocketOption::Linger(Some(Duration::ZERO)), OptionName::Linger),
        (SocketOption::Linger(Some(seconds(3))), OptionName::Linger),
        (SocketOption::Linger(None), OptionName::Linger),
        (SocketOption::NoDelay(true), OptionName::NoDelay),
        (SocketOption::UserTimeout(Duration::from_millis(1500)), OptionName::UserTimeout),
        (SocketOption::KeepIdle(seconds(7)), OptionName::KeepIdle),
        (SocketOption::KeepInterval(seconds(8)), OptionName::KeepInterval),
        (SocketOption::KeepCount(3), OptionName::KeepCount),
        (SocketOption::Ttl(17), OptionName::Ttl),
    ] {
        let before = w.os.option(&mut w.env, fd, name);
        assert_ne!(before, Ok(option), "the value must be a change, or nothing is shown");
        assert_eq!(w.os.set_option(&mut w.env, fd, option), Ok(()), "{option:?}");
        assert_eq!(w.os.option(&mut w.env, fd, name), Ok(option));
    }
    for (set, name, doubled) in [
        (SocketOption::SendBuffer(16384), OptionName::SendBuffer, SocketOption::SendBuffer(32768)),
        (
            SocketOption::ReceiveBuffer(1),
            OptionName::ReceiveBuffer,
            SocketOption::ReceiveBuffer(2304),
        ),
    ] {
        assert_eq!(w.os.set_option(&mut w.env, fd, set), Ok(()));
        assert_eq!(w.os.option(&mut w.env, fd, name), Ok(doubled));
    }
    assert!(w.env.trace.notices().is_empty());
}

#[test]
fn what_cannot_be_set_is_said() {
    let mut w = World::new();
    let fd = w.socket(SocketKind::Stream);
    assert_eq!(w.os.set_option(&mut w.env, fd, SocketOption::Error(5)), Err(Errno::ENOPROTOOPT));
    assert_eq!(
        w.os.set_option(&mut w.env, fd, SocketOption::KeepIdle(Duration::ZERO)),
        Err(Errno::EINVAL)
    );
    assert!(w.env.trace.notices().is_empty());
    assert_eq!(w.os.set_option(&mut w.env, fd, SocketOption::SynCount(2)), Err(Errno::EOPNOTSUPP));
    assert_eq!(w.os.option(&mut w.env, fd, OptionName::SynCount), Err(Errno::EOPNOTSUPP));
    assert_eq!(w.env.trace.notices().len(), 1, "the same notice is given once");
    assert!(w.env.trace.notices()[0].text.contains("TCP_SYNCNT"));
}

#[test]
fn ipv6_alone_or_both() {
    let mut w = World::new();
    let fd = w.os.socket(&mut w.env, ROOT, Domain::Inet6, SocketKind::Stream).unwrap();
    for on in [true, false] {
        w.os.set_option(&mut w.env, fd, SocketOption::V6Only(on)).unwrap();
        assert_eq!(w.os.option(&mut w.env, fd, OptionName::V6Only), Ok(SocketOption::V6Only(on)));
    }
}

#[test]
fn a_lingering_close_does_not_block() {
    let mut w = World::new();
    let (client, server) = w.connection();
    w.os.set_option(&mut w.env, client, SocketOption::Linger(Some(Duration::from_secs(5))))
        .unwrap();
    let mut unread = 0;
    while let Ok(len) = w.os.send(&mut w.env, client, &[7; 65536]) {
        unread += len;
    }
    let start = std::time::Instant::now();
    w.os.close(&mut w.env, client).unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "close(2) of a lingering socket waits for the reader"
    );
    while unread > 0 {
        unread -= w.recv(server).unwrap().len();
    }
    assert_eq!(w.recv(server), Ok(vec![]));
}

#[test]
fn bad_numbers_and_wrong_kinds() {
    let mut w = World::new();
    let bad = Fd::new(77);
    assert_eq!(w.os.send(&mut w.env, bad, b"x"), Err(Errno::EBADF));
    assert_eq!(w.os.accept(&mut w.env, bad), Err(Errno::EBADF));
    assert_eq!(w.os.close(&mut w.env, bad), Err(Errno::EBADF));
    assert_eq!(w.os.dup(&mut w.env, bad), Err(Errno::EBADF));
    assert_eq!(w.os.subscribe(&mut w.env, bad, Readiness::IN, waiter(1)), Err(Errno::EBADF));
    assert_eq!(w.os.unsubscribe(&mut w.env, bad, waiter(1)), Err(Errno::EBADF));
    assert_eq!(w.os.readiness(&mut w.env, bad), Err(Errno::EBADF));
    let fd = w.socket(SocketKind::Stream);
    assert_eq!(w.os.accept(&mut w.env, fd), Err(Errno::EINVAL));
    assert_eq!(w.os.send(&mut w.env, fd, b"x"), Err(Errno::EPIPE));
    assert_eq!(w.os.recv(&mut w.env, fd, &mut [0], TAKE), Err(Errno::ENOTCONN));
    let epoll = w.os.epoll_create(&mut w.env, ROOT).unwrap();
    assert_eq!(w.os.accept(&mut w.env, epoll), Err(Errno::ENOTSOCK));
}

#[test]
fn hosts_have_addresses_of_their_own() {
    let mut w = World::new();
    let (a, b) = (w.os.add_host("a"), w.os.add_host("b"));
    let [at_a, at_b] = [a, b].map(|host| w.os.host_addr(host));
    assert_eq!(w.os.host_addr(ROOT), IpAddr::from([127, 0, 0, 1]));
    assert_ne!(at_a, at_b);
    assert_eq!((w.os.host_name(a), w.os.host_name(b)), ("a", "b"));
    assert_ne!(w.os.host_path(a), w.os.host_path(b));

    // "Any address, port P" is another place on every host.
    let listeners =
        [a, b].map(|host| w.os.socket(&mut w.env, host, Domain::Inet, SocketKind::Stream).unwrap());
    w.os.bind(&mut w.env, listeners[0], common::inet("0.0.0.0:0")).unwrap();
    let port = w.local(listeners[0]).port();
    w.os.bind(&mut w.env, listeners[1], SocketAddr::from(([0, 0, 0, 0], port)).into()).unwrap();
    w.os.listen(&mut w.env, listeners[1], 1).unwrap();

    // Who connects is seen under its own address.
    let client = w.os.socket(&mut w.env, a, Domain::Inet, SocketKind::Stream).unwrap();
    assert_eq!(
        w.os.connect(&mut w.env, client, SocketAddr::from((at_b, port)).into()),
        Err(Errno::EINPROGRESS)
    );
    let (server, from) =
        w.retry(listeners[1], Readiness::IN, |os, env| os.accept(env, listeners[1])).unwrap();
    assert_eq!(from.inet().unwrap().ip(), at_a);
    let open = w.os.descriptions();
    let text =
        |fd| open.iter().find(|open| open.fd == fd).map(|open| (open.host, open.text.clone()));
    assert_eq!(text(server), Some((b, format!("tcp {at_b}:{port} -> {from}"))));

    // A datagram too.
    let (from_a, at) = [a, b]
        .map(|host| w.os.socket(&mut w.env, host, Domain::Inet, SocketKind::Datagram).unwrap())
        .into();
    w.os.bind(&mut w.env, at, common::inet("0.0.0.0:0")).unwrap();
    let to = w.local(at);
    assert_eq!(to.ip(), at_b);
    w.os.send_to(&mut w.env, from_a, b"x", to).unwrap();
    let got =
        w.retry(at, Readiness::IN, |os, env| os.recv_from(env, at, &mut [0; 4], TAKE)).unwrap();
    assert_eq!(got.from.ip(), at_a);
}
