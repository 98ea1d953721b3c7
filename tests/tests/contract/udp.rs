//! Datagrams: their bounds, filters and errors.

use crate::{errno, on_both, settle};
use sim::Errno;
use sim::net::UdpSocket;
use sim_core::Fd;
use sim_core::backend::{Address, Domain, OptionName, RecvFlags, SocketKind, SocketOption};
use sim_core::rt;
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

async fn pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    a.connect(b.local_addr()?).await?;
    b.connect(a.local_addr()?).await?;
    Ok((a, b))
}

/// An address at which nobody receives: it was just given up.
async fn dead_addr() -> io::Result<SocketAddr> {
    UdpSocket::bind("127.0.0.1:0").await?.local_addr()
}

async fn datagrams_keep_their_bounds() -> io::Result<()> {
    let (sender, receiver) =
        (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    let sent: [&[u8]; 4] = [b"first", b"", b"a third one", b"4"];
    for data in sent {
        assert_eq!(sender.send_to(data, receiver.local_addr()?).await?, data.len());
        // One after another, so that none overtakes on the way.
        settle().await;
    }
    let mut buffer = [0; 64];
    for data in sent {
        let (len, from) = receiver.recv_from(&mut buffer).await?;
        assert_eq!(&buffer[..len], data);
        assert_eq!(from, sender.local_addr()?);
    }
    Ok(())
}

async fn between_hosts() -> io::Result<()> {
    let (left, right) = (sim::host("left"), sim::host("right"));
    let server = right.spawn(async move { UdpSocket::bind(SocketAddr::new(right.ip(), 0)).await });
    let server = server.await.unwrap()?;
    let to = server.local_addr()?;
    let client = left.spawn(async move {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.send_to(b"ping", to).await?;
        let mut buffer = [0; 8];
        let (len, from) = socket.recv_from(&mut buffer).await?;
        assert_eq!((&buffer[..len], from), (&b"pong"[..], to));
        io::Result::Ok(())
    });
    let mut buffer = [0; 8];
    let (len, from) = server.recv_from(&mut buffer).await?;
    assert_eq!(&buffer[..len], b"ping");
    assert_eq!(from.ip(), left.ip());
    server.send_to(b"pong", from).await?;
    client.await.unwrap()
}

async fn what_does_not_fit_is_discarded() -> io::Result<()> {
    let (a, b) = pair().await?;
    a.send(b"hello").await?;
    settle().await;
    a.send(b"next").await?;
    let mut buffer = [0; 3];
    assert_eq!(b.recv(&mut buffer).await?, 3);
    assert_eq!(&buffer, b"hel");
    assert_eq!(b.recv(&mut buffer).await?, 3);
    assert_eq!(&buffer, b"nex");
    Ok(())
}

/// The flags of recv(2), which the handles do not offer.
async fn the_length_of_what_did_not_fit() -> io::Result<()> {
    let raw = Raw::bind()?;
    let to = raw.local_addr()?;
    let sender = UdpSocket::bind("127.0.0.1:0").await?;
    sender.send_to(b"0123456789", to).await?;
    settle().await;
    let mut buffer = [0; 4];
    let (peek, whole_len) = (true, true);
    let received =
        rt::call(|b, env| b.recv_from(env, raw.0, &mut buffer, RecvFlags { peek, whole_len }))?;
    assert_eq!((received.len, received.truncated, received.from), (10, true, sender.local_addr()?));
    assert_eq!(rt::call(|b, env| b.readable_bytes(env, raw.0))?, 10);
    let received = rt::call(|b, env| b.recv_from(env, raw.0, &mut buffer, RecvFlags::default()))?;
    assert_eq!((received.len, received.truncated), (4, true));
    assert_eq!(&buffer, b"0123");
    let nothing = rt::call(|b, env| b.recv_from(env, raw.0, &mut buffer, RecvFlags::default()));
    assert_eq!(nothing, Err(Errno::EAGAIN));
    Ok(())
}

/// A bound socket as a number.
struct Raw(Fd);

impl Raw {
    fn bind() -> io::Result<Self> {
        let host = rt::with(|runtime| runtime.host());
        let raw = Self(rt::call(|b, env| b.socket(env, host, Domain::Inet, SocketKind::Datagram))?);
        rt::call(|b, env| b.bind(env, raw.0, Address::Inet("127.0.0.1:0".parse().unwrap())))?;
        Ok(raw)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(rt::call(|b, env| b.local_addr(env, self.0))?.inet().unwrap())
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        rt::try_call(|b, env| b.close(env, self.0)).unwrap_or(Ok(())).unwrap_or_default();
    }
}

async fn a_connected_socket_hears_its_peer_alone() -> io::Result<()> {
    let (a, b) = pair().await?;
    let stranger = UdpSocket::bind("127.0.0.1:0").await?;
    stranger.send_to(b"strange", b.local_addr()?).await?;
    settle().await;
    a.send(b"familiar").await?;
    let mut buffer = [0; 64];
    let (len, from) = b.recv_from(&mut buffer).await?;
    assert_eq!((&buffer[..len], from), (&b"familiar"[..], a.local_addr()?));
    let more = sim::time::timeout(Duration::from_millis(20), b.recv(&mut buffer)).await;
    assert!(more.is_err(), "the stranger's datagram was not kept");
    assert_eq!(b.peer_addr()?, a.local_addr()?);
    Ok(())
}

async fn what_came_before_connecting_is_kept() -> io::Result<()> {
    let (receiver, stranger) =
        (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    stranger.send_to(b"early", receiver.local_addr()?).await?;
    settle().await;
    receiver.connect(dead_addr().await?).await?;
    let mut buffer = [0; 64];
    assert_eq!(receiver.recv(&mut buffer).await?, 5);
    Ok(())
}

async fn a_connected_socket_is_refused() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(dead_addr().await?).await?;
    let mut buffer = [0; 8];
    socket.send(b"anybody?").await?;
    assert_eq!(errno(socket.recv(&mut buffer).await), Errno::ECONNREFUSED);
    socket.send(b"anybody?").await?;
    settle().await;
    assert_eq!(
        errno(socket.send(b"hello?").await),
        Errno::ECONNREFUSED,
        "the next call of whatever kind is told"
    );
    socket.send(b"anybody?").await?;
    settle().await;
    let error = socket.option(OptionName::Error)?;
    assert_eq!(error, SocketOption::Error(Errno::ECONNREFUSED.raw()));
    let silence = sim::time::timeout(Duration::from_millis(20), socket.recv(&mut buffer)).await;
    assert!(silence.is_err(), "an error is told once");
    Ok(())
}

async fn an_unconnected_socket_is_not_told() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let nobody = dead_addr().await?;
    for _ in 0..3 {
        socket.send_to(b"anybody?", nobody).await?;
        settle().await;
    }
    assert_eq!(socket.option(OptionName::Error)?, SocketOption::Error(0));
    Ok(())
}

async fn sizes() -> io::Result<()> {
    let (a, b) = pair().await?;
    let largest = vec![7; 65_507];
    assert_eq!(a.send(&largest).await?, 65_507);
    let mut buffer = vec![0; 70_000];
    assert_eq!(b.recv(&mut buffer).await?, 65_507);
    assert_eq!(errno(a.send(&vec![7; 65_508]).await), Errno::EMSGSIZE);
    Ok(())
}

async fn sending_needs_an_address() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    assert_eq!(errno(socket.send(b"whom?").await), Errno::EDESTADDRREQ);
    assert_eq!(errno(socket.peer_addr()), Errno::ENOTCONN);
    assert_eq!(errno(socket.send_to(b"no port", "127.0.0.1:0").await), Errno::EINVAL);
    Ok(())
}

async fn addresses_in_use() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let addr = socket.local_addr()?;
    assert_eq!(errno(UdpSocket::bind(addr).await), Errno::EADDRINUSE);
    assert_eq!(errno(UdpSocket::bind("203.0.113.7:0").await), Errno::EADDRNOTAVAIL);
    drop(socket);
    assert_eq!(UdpSocket::bind(addr).await?.local_addr()?, addr);
    Ok(())
}

async fn connecting_gives_an_address() -> io::Result<()> {
    let (socket, peer) =
        (UdpSocket::bind("0.0.0.0:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    let port = socket.local_addr()?.port();
    socket.connect(peer.local_addr()?).await?;
    assert_eq!(socket.local_addr()?, SocketAddr::new([127, 0, 0, 1].into(), port));
    Ok(())
}

async fn several_tasks_receive() -> io::Result<()> {
    let socket = Rc::new(UdpSocket::bind("127.0.0.1:0").await?);
    let received = Rc::new(RefCell::new(Vec::new()));
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let (socket, received) = (Rc::clone(&socket), Rc::clone(&received));
            sim::spawn(async move {
                let mut byte = [0];
                let len = socket.recv(&mut byte).await.unwrap();
                assert_eq!(len, 1);
                received.borrow_mut().push(byte[0]);
            })
        })
        .collect();
    settle().await;
    let sender = UdpSocket::bind("127.0.0.1:0").await?;
    for byte in 0..3 {
        sender.send_to(&[byte], socket.local_addr()?).await?;
    }
    for task in tasks {
        task.await.unwrap();
    }
    let mut received = received.take();
    received.sort_unstable();
    assert_eq!(received, [0, 1, 2]);
    Ok(())
}

async fn over_ipv6() -> io::Result<()> {
    let (a, b) = (UdpSocket::bind("[::1]:0").await?, UdpSocket::bind("[::1]:0").await?);
    a.send_to(b"six", b.local_addr()?).await?;
    let mut buffer = [0; 8];
    assert_eq!(b.recv_from(&mut buffer).await?, (3, a.local_addr()?));
    Ok(())
}

on_both!(
    datagrams_keep_their_bounds,
    between_hosts,
    what_does_not_fit_is_discarded,
    the_length_of_what_did_not_fit,
    a_connected_socket_hears_its_peer_alone,
    what_came_before_connecting_is_kept,
    a_connected_socket_is_refused,
    an_unconnected_socket_is_not_told,
    sizes,
    sending_needs_an_address,
    addresses_in_use,
    connecting_gives_an_address,
    several_tasks_receive,
    over_ipv6,
);
