//! Streams: data, ends, resets, addresses, options.

use crate::{errno, on_both, settle};
use futures_util::future::{Either, join_all, select};
use sim::Errno;
use sim::net::{TcpListener, TcpSocket, TcpStream};
use sim_core::backend::{OptionName, Shutdown, SocketOption};
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

/// A connection within one machine: the client's end and the server's.
async fn near_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, from) = listener.accept().await?;
    assert_eq!(from, client.local_addr()?);
    Ok((client, server))
}

/// A connection between two hosts.
async fn far_pair() -> io::Result<(TcpStream, TcpStream)> {
    let (left, right) = (sim::host("left"), sim::host("right"));
    let bind = right.spawn(async move { TcpListener::bind(SocketAddr::new(right.ip(), 0)).await });
    let listener = bind.await.unwrap()?;
    let addr = listener.local_addr()?;
    let client = left.spawn(async move { TcpStream::connect(addr).await }).await.unwrap()?;
    let (server, from) = listener.accept().await?;
    assert_eq!(from, client.local_addr()?);
    assert_eq!((from.ip(), addr.ip()), (left.ip(), right.ip()));
    Ok((client, server))
}

async fn pairs() -> io::Result<[(TcpStream, TcpStream); 2]> {
    Ok([near_pair().await?, far_pair().await?])
}

/// An address at which nobody listens, and nobody will during this case: it was just given up.
async fn dead_addr() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0").await?.local_addr()
}

/// Byte `at` of a stream that repeats itself at no power of two.
fn pattern(at: usize) -> u8 {
    (at % 251) as u8
}

async fn echo() -> io::Result<()> {
    for (mut client, mut server) in pairs().await? {
        let task = sim::spawn(async move {
            let mut buffer = [0; 7];
            loop {
                match server.read(&mut buffer).await? {
                    0 => return io::Result::Ok(()),
                    len => server.write_all(&buffer[..len]).await?,
                }
            }
        });
        for text in ["one", "a longer second message", "3"] {
            client.write_all(text.as_bytes()).await?;
            let mut back = vec![0; text.len()];
            client.read_exact(&mut back).await?;
            assert_eq!(back, text.as_bytes());
        }
        client.shutdown(Shutdown::Write)?;
        assert_eq!(client.read(&mut [0; 8]).await?, 0);
        task.await.unwrap()?;
    }
    Ok(())
}

async fn echo_over_ipv6() -> io::Result<()> {
    let listener = TcpListener::bind("[::1]:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let (mut server, from) = listener.accept().await?;
    assert!(from.is_ipv6());
    client.write_all(b"six").await?;
    let mut text = [0; 3];
    server.read_exact(&mut text).await?;
    assert_eq!(&text, b"six");
    Ok(())
}

/// A writer of several MiB is held up by a reader that does not read, and loses nothing by it.
async fn back_pressure() -> io::Result<()> {
    const TOTAL: usize = 12 << 20;
    const SLICE: usize = 1 << 20;
    let (mut client, mut server) = near_pair().await?;
    let (written, partial) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (count, cut) = (Rc::clone(&written), Rc::clone(&partial));
    let writer = sim::spawn(async move {
        let whole: Vec<u8> = (0..TOTAL).map(pattern).collect();
        while count.get() < TOTAL {
            let slice = &whole[count.get()..TOTAL.min(count.get() + SLICE)];
            let taken = client.write(slice).await?;
            assert!(
                taken > 0 && taken <= slice.len(),
                "{taken} of {} bytes were taken",
                slice.len()
            );
            cut.set(cut.get() + usize::from(taken < slice.len()));
            count.set(count.get() + taken);
        }
        io::Result::Ok(())
    });
    sim::time::sleep(Duration::from_millis(300)).await;
    let before = written.get();
    assert!(before > 0 && before < TOTAL, "nobody reads, and {before} of {TOTAL} bytes were taken");
    sim::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(written.get(), before, "a full connection takes nothing more");
    let (mut at, mut buffer) = (0, vec![0; 100_003]);
    loop {
        let len = server.read(&mut buffer).await?;
        if len == 0 {
            break;
        }
        assert!(
            buffer[..len].iter().enumerate().all(|(i, &byte)| byte == pattern(at + i)),
            "data is wrong after {at}"
        );
        at += len;
    }
    assert_eq!(at, TOTAL);
    assert!(partial.get() > 0, "a full connection takes part of a write");
    writer.await.unwrap()
}

async fn a_read_gives_what_is_there() -> io::Result<()> {
    for (mut client, mut server) in pairs().await? {
        client.write_all(b"hello").await?;
        settle().await;
        client.write_all(b" world").await?;
        settle().await;
        let mut buffer = [0; 64];
        assert_eq!(server.read(&mut buffer[..3]).await?, 3);
        assert_eq!(server.read(&mut buffer).await?, 8);
        assert_eq!(&buffer[..8], b"lo world");
    }
    Ok(())
}

async fn half_close_by_the_client() -> io::Result<()> {
    for (mut client, mut server) in pairs().await? {
        client.write_all(b"request").await?;
        client.shutdown(Shutdown::Write)?;
        assert_eq!(errno(client.write(b"more").await), Errno::EPIPE);
        let mut request = Vec::new();
        assert_eq!(server.read_to_end(&mut request).await?, 7);
        server.write_all(b"answer").await?;
        settle().await;
        server.write_all(b", late").await?;
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await?;
        assert_eq!(answer, "answer, late");
    }
    Ok(())
}

async fn half_close_by_the_server() -> io::Result<()> {
    for (mut client, mut server) in pairs().await? {
        server.shutdown(Shutdown::Write)?;
        assert_eq!(client.read(&mut [0; 8]).await?, 0);
        client.write_all(b"still open").await?;
        client.shutdown(Shutdown::Write)?;
        let mut text = String::new();
        server.read_to_string(&mut text).await?;
        assert_eq!(text, "still open");
        assert_eq!(server.read(&mut [0; 8]).await?, 0, "the end of a stream stays its end");
    }
    Ok(())
}

async fn a_shut_reading_side_reads_its_end() -> io::Result<()> {
    for (mut client, mut server) in pairs().await? {
        client.shutdown(Shutdown::Read)?;
        assert_eq!(client.read(&mut [0; 8]).await?, 0);
        // tcp(7): nothing is refused, and what still comes is read.
        server.write_all(b"late").await?;
        settle().await;
        let mut buffer = [0; 8];
        assert_eq!(client.read(&mut buffer).await?, 4);
        assert_eq!(client.read(&mut buffer).await?, 0);
        client.write_all(b"out").await?;
        assert_eq!(server.read(&mut buffer).await?, 3);
    }
    Ok(())
}

async fn closing_with_unread_data_resets() -> io::Result<()> {
    for (mut client, server) in pairs().await? {
        client.write_all(b"nobody reads this").await?;
        settle().await;
        drop(server);
        settle().await;
        assert_eq!(errno(client.read(&mut [0; 8]).await), Errno::ECONNRESET);
        assert_eq!(client.read(&mut [0; 8]).await?, 0, "an error is told once");
        assert_eq!(errno(client.write(b"x").await), Errno::EPIPE);
        assert_eq!(errno(client.peer_addr()), Errno::ENOTCONN);
    }
    Ok(())
}

/// What had arrived before a reset is still there to read; the reset is told after it.
async fn data_before_a_reset_is_kept() -> io::Result<()> {
    for (mut client, mut server) in pairs().await? {
        server.write_all(b"in time").await?;
        settle().await;
        server.set_linger(Some(Duration::ZERO))?;
        drop(server);
        settle().await;
        let mut buffer = [0; 64];
        assert_eq!(client.read(&mut buffer).await?, 7);
        assert_eq!(errno(client.read(&mut buffer).await), Errno::ECONNRESET);
        assert_eq!(client.read(&mut buffer).await?, 0);
    }
    Ok(())
}

async fn a_waiting_reader_learns_of_a_reset() -> io::Result<()> {
    for (mut client, server) in pairs().await? {
        let reader = sim::spawn(async move { client.read(&mut [0; 8]).await });
        settle().await;
        assert!(!reader.is_finished());
        server.set_linger(Some(Duration::ZERO))?;
        drop(server);
        assert_eq!(errno(reader.await.unwrap()), Errno::ECONNRESET);
    }
    Ok(())
}

async fn writing_to_a_closed_peer_fails_at_the_second_write() -> io::Result<()> {
    for (mut client, server) in pairs().await? {
        drop(server);
        settle().await;
        assert_eq!(client.write(b"first").await?, 5);
        settle().await;
        assert_eq!(errno(client.write(b"second").await), Errno::EPIPE);
    }
    Ok(())
}

async fn shutdown_needs_a_connection() -> io::Result<()> {
    let (client, server) = near_pair().await?;
    server.set_linger(Some(Duration::ZERO))?;
    drop(server);
    settle().await;
    assert_eq!(errno(client.shutdown(Shutdown::Write)), Errno::ENOTCONN);
    assert_eq!(
        client.take_error()?.and_then(|error| error.raw_os_error()),
        Some(i32::from(Errno::ECONNRESET.raw()))
    );
    assert!(client.take_error()?.is_none(), "reading SO_ERROR clears it");
    Ok(())
}

async fn nobody_listens() -> io::Result<()> {
    let addr = dead_addr().await?;
    assert_eq!(errno(TcpStream::connect(addr).await), Errno::ECONNREFUSED);
    let (left, right) = (sim::host("left"), sim::host("right"));
    let there = SocketAddr::new(right.ip(), addr.port());
    let refused = left.spawn(async move { TcpStream::connect(there).await }).await.unwrap();
    assert_eq!(errno(refused), Errno::ECONNREFUSED);
    Ok(())
}

async fn nobody_has_the_name() -> io::Result<()> {
    let error = TcpStream::connect("no-such-host.invalid:80").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
    Ok(())
}

async fn a_connection_waits_in_the_backlog() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    client.write_all(b"early").await?;
    drop(client);
    settle().await;
    let (mut server, _) = listener.accept().await?;
    let mut text = String::new();
    server.read_to_string(&mut text).await?;
    assert_eq!(text, "early");
    Ok(())
}

async fn a_closed_listener_resets_its_backlog() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    drop(listener);
    assert_eq!(errno(client.read(&mut [0; 8]).await), Errno::ECONNRESET);
    Ok(())
}

async fn several_tasks_accept() -> io::Result<()> {
    const ACCEPTORS: usize = 4;
    const CLIENTS: usize = 12;
    let listener = Rc::new(TcpListener::bind("127.0.0.1:0").await?);
    let addr = listener.local_addr()?;
    let peers = Rc::new(RefCell::new(Vec::new()));
    let acceptors: Vec<_> = (0..ACCEPTORS)
        .map(|_| {
            let (listener, peers) = (Rc::clone(&listener), Rc::clone(&peers));
            sim::spawn(async move {
                loop {
                    let (mut stream, peer) = listener.accept().await.unwrap();
                    peers.borrow_mut().push(peer);
                    stream.write_all(b"welcome").await.unwrap();
                }
            })
        })
        .collect();
    settle().await;
    let clients = (0..CLIENTS).map(|_| {
        sim::spawn(async move {
            let mut stream = TcpStream::connect(addr).await?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await?;
            assert_eq!(text, "welcome");
            stream.local_addr()
        })
    });
    let clients: Vec<_> = clients.collect();
    let mut expected = Vec::new();
    for client in clients {
        expected.push(client.await.unwrap()?);
    }
    let mut peers = peers.take();
    peers.sort_unstable();
    expected.sort_unstable();
    assert_eq!(peers, expected, "each connection was accepted by one of them");
    for acceptor in acceptors {
        acceptor.abort();
        assert!(acceptor.await.unwrap_err().is_cancelled());
    }
    Ok(())
}

async fn ephemeral_ports() -> io::Result<()> {
    let listeners = join_all((0..8).map(|_| TcpListener::bind("127.0.0.1:0"))).await;
    let listeners: Vec<_> = listeners.into_iter().collect::<io::Result<_>>()?;
    let mut ports = Vec::new();
    for listener in &listeners {
        ports.push(listener.local_addr()?.port());
    }
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 8, "each has a port of its own");
    assert!(ports[0] > 1023);
    let client = TcpStream::connect(listeners[0].local_addr()?).await?;
    assert!(client.local_addr()?.port() > 1023);
    Ok(())
}

async fn addresses_in_use() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    assert_eq!(
        errno(TcpListener::bind(addr).await),
        Errno::EADDRINUSE,
        "SO_REUSEADDR gives no second listener"
    );
    assert_eq!(errno(TcpSocket::new_v4()?.bind(addr)), Errno::EADDRINUSE);
    assert_eq!(
        errno(TcpSocket::new_v4()?.bind(SocketAddr::new([0, 0, 0, 0].into(), addr.port()))),
        Errno::EADDRINUSE
    );
    let nowhere = TcpSocket::new_v4()?.bind("203.0.113.7:0".parse().unwrap());
    assert_eq!(errno(nowhere), Errno::EADDRNOTAVAIL);
    drop(listener);
    TcpSocket::new_v4()?.bind(addr)
}

/// The side that closes first keeps the address for a while; `SO_REUSEADDR` is what a restarted server needs.
async fn a_closed_connection_keeps_its_address() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let mut client = TcpStream::connect(addr).await?;
    let (server, _) = listener.accept().await?;
    drop((server, listener));
    assert_eq!(client.read(&mut [0; 8]).await?, 0);
    drop(client);
    settle().await;
    assert_eq!(errno(TcpSocket::new_v4()?.bind(addr)), Errno::EADDRINUSE);
    let again = TcpListener::bind(addr).await?;
    assert_eq!(again.local_addr()?, addr);
    Ok(())
}

async fn reuseport_shares_an_address() -> io::Result<()> {
    let first = TcpSocket::new_v4()?;
    first.set(SocketOption::ReusePort(true))?;
    first.bind("127.0.0.1:0".parse().unwrap())?;
    let first = first.listen(8)?;
    let second = TcpSocket::new_v4()?;
    assert_eq!(errno(second.bind(first.local_addr()?)), Errno::EADDRINUSE);
    let second = TcpSocket::new_v4()?;
    second.set(SocketOption::ReusePort(true))?;
    second.bind(first.local_addr()?)?;
    let second = second.listen(8)?;
    assert_eq!(first.local_addr()?, second.local_addr()?);
    Ok(())
}

async fn addresses() -> io::Result<()> {
    for (client, server) in pairs().await? {
        assert_eq!(client.local_addr()?, server.peer_addr()?);
        assert_eq!(client.peer_addr()?, server.local_addr()?);
        assert_ne!(client.local_addr()?, client.peer_addr()?);
    }
    let any = TcpListener::bind("0.0.0.0:0").await?;
    let port = any.local_addr()?.port();
    let client = TcpStream::connect(("127.0.0.1", port)).await?;
    let (server, _) = any.accept().await?;
    assert_eq!(
        server.local_addr()?,
        client.peer_addr()?,
        "a connection has an address where its listener has none"
    );
    Ok(())
}

async fn a_client_may_choose_its_address() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let socket = TcpSocket::new_v4()?;
    let mine = dead_addr().await?;
    socket.bind(mine)?;
    let client = socket.connect(listener.local_addr()?).await?;
    assert_eq!(client.local_addr()?, mine);
    assert_eq!(listener.accept().await?.1, mine);
    Ok(())
}

async fn options() -> io::Result<()> {
    let (client, _server) = near_pair().await?;
    assert!(!client.nodelay()?);
    client.set_nodelay(true)?;
    assert!(client.nodelay()?);
    assert_eq!(client.option(OptionName::Linger)?, SocketOption::Linger(None));
    client.set_linger(Some(Duration::from_secs(3)))?;
    assert_eq!(
        client.option(OptionName::Linger)?,
        SocketOption::Linger(Some(Duration::from_secs(3)))
    );
    client.set_linger(None)?;
    let defaults = [
        (OptionName::KeepAlive, SocketOption::KeepAlive(false)),
        (OptionName::KeepIdle, SocketOption::KeepIdle(Duration::from_secs(7200))),
        (OptionName::KeepInterval, SocketOption::KeepInterval(Duration::from_secs(75))),
        (OptionName::KeepCount, SocketOption::KeepCount(9)),
        (OptionName::UserTimeout, SocketOption::UserTimeout(Duration::ZERO)),
        (OptionName::ReuseAddr, SocketOption::ReuseAddr(false)),
        (OptionName::ReusePort, SocketOption::ReusePort(false)),
        (OptionName::Ttl, SocketOption::Ttl(64)),
        (OptionName::Error, SocketOption::Error(0)),
    ];
    for (name, value) in defaults {
        assert_eq!(client.option(name)?, value);
    }
    let changed = [
        (OptionName::KeepAlive, SocketOption::KeepAlive(true)),
        (OptionName::KeepIdle, SocketOption::KeepIdle(Duration::from_secs(10))),
        (OptionName::KeepInterval, SocketOption::KeepInterval(Duration::from_secs(2))),
        (OptionName::KeepCount, SocketOption::KeepCount(3)),
        (OptionName::UserTimeout, SocketOption::UserTimeout(Duration::from_millis(1500))),
        (OptionName::Ttl, SocketOption::Ttl(9)),
    ];
    for (name, value) in changed {
        client.set(value)?;
        assert_eq!(client.option(name)?, value);
    }
    client.set(SocketOption::SendBuffer(20_000))?;
    assert_eq!(
        client.option(OptionName::SendBuffer)?,
        SocketOption::SendBuffer(40_000),
        "the kernel doubles it"
    );
    client.set(SocketOption::ReceiveBuffer(30_000))?;
    assert_eq!(client.option(OptionName::ReceiveBuffer)?, SocketOption::ReceiveBuffer(60_000));
    Ok(())
}

async fn options_out_of_range() -> io::Result<()> {
    let (client, _server) = near_pair().await?;
    assert_eq!(errno(client.set(SocketOption::Ttl(256))), Errno::EINVAL);
    assert_eq!(errno(client.set(SocketOption::Ttl(0))), Errno::EINVAL);
    assert_eq!(errno(client.set(SocketOption::KeepCount(128))), Errno::EINVAL);
    assert_eq!(errno(client.set(SocketOption::KeepIdle(Duration::ZERO))), Errno::EINVAL);
    assert_eq!(errno(client.set(SocketOption::V6Only(true))), Errno::ENOPROTOOPT);
    Ok(())
}

async fn peek_takes_nothing() -> io::Result<()> {
    for (mut client, mut server) in pairs().await? {
        client.write_all(b"look").await?;
        let mut buffer = [0; 8];
        assert_eq!(server.peek(&mut buffer[..2]).await?, 2);
        assert_eq!(server.peek(&mut buffer).await?, 4);
        assert_eq!(server.read(&mut buffer).await?, 4);
        assert_eq!(&buffer[..4], b"look");
        drop(client);
        assert_eq!(server.peek(&mut buffer).await?, 0);
        assert_eq!(server.read(&mut buffer).await?, 0);
    }
    Ok(())
}

/// Each half is used by a task of its own, both at once, in both directions.
async fn halves_in_two_tasks() -> io::Result<()> {
    const TOTAL: usize = 300_000;
    for (client, server) in pairs().await? {
        let mut tasks = Vec::new();
        for stream in [client, server] {
            let (mut read, mut write) = stream.into_split();
            tasks.push(sim::spawn(async move {
                let data: Vec<u8> = (0..TOTAL).map(pattern).collect();
                write.write_all(&data).await?;
                io::Result::Ok(TOTAL)
            }));
            tasks.push(sim::spawn(async move {
                let (mut at, mut buffer) = (0, [0; 4096]);
                loop {
                    let len = read.read(&mut buffer).await?;
                    if len == 0 {
                        return Ok(at);
                    }
                    assert!(
                        buffer[..len].iter().enumerate().all(|(i, &byte)| byte == pattern(at + i))
                    );
                    at += len;
                }
            }));
        }
        for task in tasks {
            assert_eq!(
                task.await.unwrap()?,
                TOTAL,
                "the end of the stream comes from dropping the writing half"
            );
        }
    }
    Ok(())
}

async fn a_read_that_is_given_up_loses_nothing() -> io::Result<()> {
    for (mut client, mut server) in pairs().await? {
        let mut buffer = [0; 8];
        let early = sim::time::timeout(Duration::from_millis(5), server.read(&mut buffer)).await;
        assert!(early.is_err());
        client.write_all(b"late").await?;
        assert_eq!(server.read(&mut buffer).await?, 4);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let nobody = sim::time::timeout(Duration::from_millis(5), listener.accept()).await;
    assert!(nobody.is_err());
    let _client = TcpStream::connect(listener.local_addr()?).await?;
    listener.accept().await?;
    Ok(())
}

/// Futures inside a combinator wait with wakers that are not a task's own.
async fn many_connections_in_one_task() -> io::Result<()> {
    const CONNECTIONS: u8 = 40;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let serve = async {
        let mut served = Vec::new();
        for _ in 0..CONNECTIONS {
            let (mut stream, _) = listener.accept().await?;
            served.push(async move {
                let mut byte = [0];
                stream.read_exact(&mut byte).await?;
                stream.write_all(&[byte[0] ^ 0xff]).await
            });
        }
        join_all(served).await.into_iter().collect::<io::Result<()>>()
    };
    let clients = join_all((0..CONNECTIONS).map(|n| async move {
        let mut stream = TcpStream::connect(addr).await?;
        stream.write_all(&[n]).await?;
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        assert_eq!(byte[0], n ^ 0xff);
        io::Result::Ok(())
    }));
    let (served, clients) = futures_util::join!(serve, clients);
    served?;
    clients.into_iter().collect()
}

async fn the_first_of_two_streams() -> io::Result<()> {
    let ((mut quiet, mut one), (mut loud, mut other)) = (near_pair().await?, near_pair().await?);
    let (mut a, mut b) = ([0; 4], [0; 4]);
    loud.write_all(b"loud").await?;
    match select(pin!(one.read(&mut a)), pin!(other.read(&mut b))).await {
        Either::Left(_) => panic!("nothing was written to the quiet stream"),
        Either::Right((len, _)) => assert_eq!(len?, 4),
    }
    quiet.write_all(b"now").await?;
    assert_eq!(one.read(&mut a).await?, 3);
    Ok(())
}

async fn connecting_nowhere_special() -> io::Result<()> {
    let any = TcpListener::bind("0.0.0.0:0").await?;
    let port = any.local_addr()?.port();
    // Linux takes the unspecified address for this machine.
    TcpStream::connect(SocketAddr::new([0, 0, 0, 0].into(), port)).await?;
    TcpStream::connect(SocketAddr::new([127, 9, 9, 9].into(), port)).await?;
    assert_eq!(errno(TcpStream::connect("127.0.0.1:0").await), Errno::ECONNREFUSED);
    Ok(())
}

on_both!(
    echo,
    echo_over_ipv6,
    back_pressure,
    a_read_gives_what_is_there,
    half_close_by_the_client,
    half_close_by_the_server,
    a_shut_reading_side_reads_its_end,
    closing_with_unread_data_resets,
    data_before_a_reset_is_kept,
    a_waiting_reader_learns_of_a_reset,
    writing_to_a_closed_peer_fails_at_the_second_write,
    shutdown_needs_a_connection,
    nobody_listens,
    nobody_has_the_name,
    a_connection_waits_in_the_backlog,
    a_closed_listener_resets_its_backlog,
    several_tasks_accept,
    ephemeral_ports,
    addresses_in_use,
    a_closed_connection_keeps_its_address,
    reuseport_shares_an_address,
    addresses,
    a_client_may_choose_its_address,
    options,
    options_out_of_range,
    peek_takes_nothing,
    halves_in_two_tasks,
    a_read_that_is_given_up_loses_nothing,
    many_connections_in_one_task,
    the_first_of_two_streams,
    connecting_nowhere_special,
);
