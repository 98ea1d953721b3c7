//! Names of hosts.

use crate::{errno, on_both, settle};
use sim::Builder;
use sim::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use std::io;
use std::net::{IpAddr, SocketAddr};

async fn resolve(name: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(lookup_host(name).await?.collect())
}

async fn hosts_have_names() -> io::Result<()> {
    let (left, right) = (sim::host("left"), sim::host("right"));
    assert_eq!((left.name(), right.name()), ("left".to_owned(), "right".to_owned()));
    assert_eq!(left, sim::host("left"), "the second mention means the same host");
    assert_ne!(left.ip(), right.ip());
    // A simulated host has an IPv6 address as well, which comes after.
    assert_eq!(resolve("left:80").await?[0], SocketAddr::new(left.ip(), 80));
    let named = lookup_host(("right", 443)).await?.next();
    assert_eq!(named, Some(SocketAddr::new(right.ip(), 443)));
    let seen = left.spawn(async { resolve("right:1").await }).await.unwrap()?;
    assert_eq!(seen[0], SocketAddr::new(right.ip(), 1), "every host knows the name");
    let me = left.spawn(async { sim::host::current() }).await.unwrap();
    assert_eq!(me, left);
    Ok(())
}

async fn a_name_to_connect_to() -> io::Result<()> {
    let server = sim::host("server");
    let listener = server.spawn(async { TcpListener::bind("0.0.0.0:0").await }).await.unwrap()?;
    let port = listener.local_addr()?.port();
    let client =
        sim::host("client").spawn(async move { TcpStream::connect(("server", port)).await });
    let client = client.await.unwrap()?;
    let (accepted, peer) = listener.accept().await?;
    assert_eq!(client.peer_addr()?, SocketAddr::new(server.ip(), port));
    assert_eq!(peer.ip(), sim::host("client").ip());
    assert_eq!(accepted.local_addr()?.ip(), server.ip());
    Ok(())
}

async fn addresses_are_names() -> io::Result<()> {
    assert_eq!(resolve("127.0.0.1:7").await?, ["127.0.0.1:7".parse::<SocketAddr>().unwrap()]);
    assert_eq!(resolve("[::1]:7").await?, ["[::1]:7".parse::<SocketAddr>().unwrap()]);
    let pair = lookup_host(("127.0.0.3", 9)).await?.collect::<Vec<_>>();
    assert_eq!(pair, ["127.0.0.3:9".parse::<SocketAddr>().unwrap()]);
    Ok(())
}

async fn localhost() -> io::Result<()> {
    let addrs = resolve("localhost:80").await?;
    assert!(addrs.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 80), "{addrs:?}");
    assert!(addrs.iter().any(|addr| addr.ip() == IpAddr::from([127, 0, 0, 1])), "{addrs:?}");
    Ok(())
}

async fn what_is_no_name() -> io::Result<()> {
    for text in ["", "host", "host:", "host:port", "host:65536", "127.0.0.1", ":"] {
        let error = resolve(text).await.expect_err(text);
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{text:?}: {error}");
    }
    for text in ["nobody.invalid:1"] {
        assert_eq!(
            resolve(text).await.expect_err(text).kind(),
            io::ErrorKind::NotFound,
            "{text:?}"
        );
    }
    let nothing: [SocketAddr; 0] = [];
    assert_eq!(
        TcpStream::connect(&nothing[..]).await.unwrap_err().kind(),
        io::ErrorKind::InvalidInput
    );
    assert_eq!(
        UdpSocket::bind(&nothing[..]).await.unwrap_err().kind(),
        io::ErrorKind::InvalidInput
    );
    Ok(())
}

async fn the_first_address_that_answers() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let dead = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let addrs = [dead, listener.local_addr()?];
    let stream = TcpStream::connect(&addrs[..]).await?;
    assert_eq!(stream.peer_addr()?, addrs[1]);
    Ok(())
}

on_both!(
    hosts_have_names,
    a_name_to_connect_to,
    addresses_are_names,
    localhost,
    what_is_no_name,
    the_first_address_that_answers,
);

/// Hosts of a simulated world have an IPv6 address each; on one machine they share the loopback address.
#[test]
fn hosts_speak_ipv6() {
    let run = Builder::new().run(|| async {
        let (server, client) = (sim::host("server"), sim::host("client"));
        let accepted = server.spawn(async {
            let listener = TcpListener::bind("[::]:80").await?;
            let mut peers = Vec::new();
            for _ in 0..2 {
                let (mut stream, peer) = listener.accept().await?;
                let mut byte = [0];
                stream.read_exact(&mut byte).await?;
                stream.write_all(&byte).await?;
                peers.push(peer.ip());
            }
            io::Result::Ok(peers)
        });
        settle().await;
        let asked = client.spawn(async {
            let addrs = resolve("server:80").await?;
            assert_eq!(addrs[1].ip(), "fd00::2".parse::<IpAddr>().unwrap());
            for addr in addrs {
                let mut stream = TcpStream::connect(addr).await?;
                stream.write_all(b"x").await?;
                stream.read_exact(&mut [0]).await?;
                assert_eq!(stream.local_addr()?.is_ipv6(), addr.is_ipv6());
            }
            let (v6, v4) = (UdpSocket::bind("[::]:0").await?, UdpSocket::bind("[::1]:0").await?);
            let refused = errno(v4.send_to(b"x", "[fd00::2]:9").await);
            assert_eq!(refused, sim::Errno::EINVAL, "what is bound to loopback does not leave");
            assert_eq!(errno(TcpStream::connect("[fd00::9]:80").await), sim::Errno::EHOSTUNREACH);
            v6.send_to(b"x", "[fd00::2]:9").await
        });
        asked.await.unwrap()?;
        let peers = accepted.await.unwrap()?;
        let mapped = "::ffff:10.0.0.3".parse::<IpAddr>().unwrap();
        assert_eq!(peers, [mapped, "fd00::3".parse::<IpAddr>().unwrap()]);
        io::Result::Ok(())
    });
    assert!(matches!(run.output, Some(Ok(()))), "{:?} {:?}", run.output, run.report.end);
}
