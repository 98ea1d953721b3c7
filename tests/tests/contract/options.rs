//! Socket options that are set and asked for again, and those that a socket does not have (socket(7), ip(7), ipv6(7)).

use crate::on_both;
use sim::Errno;
use sim_core::backend::{Address, Backend, Domain, OptionName, SocketKind, SocketOption};
use sim_core::rt;
use sim_core::{Env, Fd, Result};
use std::io;

fn call<R>(f: impl FnOnce(&mut dyn Backend, &mut Env) -> Result<R>) -> Result<R> {
    rt::call(f)
}

fn socket(domain: Domain, kind: SocketKind) -> Result<Fd> {
    let host = rt::with(|runtime| runtime.host());
    call(|b, env| b.socket(env, host, domain, kind))
}

fn set(fd: Fd, option: SocketOption) -> Result<()> {
    call(|b, env| b.set_option(env, fd, option))
}

fn get(fd: Fd, name: OptionName) -> Result<SocketOption> {
    call(|b, env| b.option(env, fd, name))
}

fn close(fd: Fd) -> Result<()> {
    call(|b, env| b.close(env, fd))
}

async fn what_a_socket_is() -> io::Result<()> {
    for domain in [Domain::Inet, Domain::Inet6, Domain::Unix] {
        for kind in [SocketKind::Stream, SocketKind::Datagram] {
            let fd = socket(domain, kind)?;
            let protocol = match (domain, kind) {
                (Domain::Unix, _) => 0,
                (_, SocketKind::Stream) => 6,
                _ => 17,
            };
            for (name, is) in [
                (OptionName::Type, SocketOption::Type(kind)),
                (OptionName::Domain, SocketOption::Domain(domain)),
                (OptionName::Protocol, SocketOption::Protocol(protocol)),
                (OptionName::AcceptsConnections, SocketOption::AcceptsConnections(false)),
            ] {
                assert_eq!((get(fd, name), set(fd, is)), (Ok(is), Err(Errno::ENOPROTOOPT)));
            }
            close(fd)?;
        }
    }
    let fd = socket(Domain::Inet, SocketKind::Stream)?;
    call(|b, env| b.bind(env, fd, Address::Inet("127.0.0.1:0".parse().unwrap())))?;
    call(|b, env| b.listen(env, fd, 1))?;
    let listens = SocketOption::AcceptsConnections(true);
    assert_eq!(get(fd, OptionName::AcceptsConnections), Ok(listens));
    close(fd)?;
    Ok(())
}

/// Each is what it is at first, then what it was set to.
async fn values_are_kept() -> io::Result<()> {
    use OptionName as N;
    use SocketOption as O;
    let every = [
        (N::Tos, O::Tos(0), O::Tos(0x28)),
        (N::Ttl, O::Ttl(64), O::Ttl(9)),
        (N::MulticastLoop, O::MulticastLoop(true), O::MulticastLoop(false)),
    ];
    let v6 = [
        (N::TrafficClass, O::TrafficClass(0), O::TrafficClass(0x28)),
        (N::UnicastHops, O::UnicastHops(64), O::UnicastHops(9)),
        (N::MulticastLoopV6, O::MulticastLoopV6(true), O::MulticastLoopV6(false)),
        (N::V6Only, O::V6Only(false), O::V6Only(true)),
    ];
    let streams = [
        (N::NoDelay, O::NoDelay(false), O::NoDelay(true)),
        (N::QuickAck, O::QuickAck(true), O::QuickAck(false)),
        (N::QuickAck, O::QuickAck(false), O::QuickAck(true)),
    ];
    let datagrams = [(N::MulticastTtl, O::MulticastTtl(1), O::MulticastTtl(7))];
    for domain in [Domain::Inet, Domain::Inet6] {
        for kind in [SocketKind::Stream, SocketKind::Datagram] {
            let fd = socket(domain, kind)?;
            let v6 = v6.iter().filter(|_| domain == Domain::Inet6);
            let of_kind: &[_] = match kind {
                SocketKind::Stream => &streams,
                _ => &datagrams,
            };
            for &(name, first, then) in every.iter().chain(v6).chain(of_kind) {
                assert_eq!(get(fd, name), Ok(first), "{domain:?} {kind:?}");
                assert_eq!((set(fd, then), get(fd, name)), (Ok(()), Ok(then)));
            }
            close(fd)?;
        }
    }
    Ok(())
}

async fn what_a_socket_has_not() -> io::Result<()> {
    let v4 = socket(Domain::Inet, SocketKind::Datagram)?;
    for option in [SocketOption::TrafficClass(1), SocketOption::UnicastHops(1)] {
        assert_eq!(set(v4, option), Err(Errno::ENOPROTOOPT));
    }
    for name in [OptionName::TrafficClass, OptionName::MulticastHops, OptionName::NoDelay] {
        assert_eq!(get(v4, name), Err(Errno::EOPNOTSUPP));
    }
    close(v4)?;
    let v6 = socket(Domain::Inet6, SocketKind::Datagram)?;
    assert_eq!(get(v6, OptionName::NoDelay), Err(Errno::ENOPROTOOPT));
    close(v6)?;
    let stream = socket(Domain::Inet, SocketKind::Stream)?;
    assert_eq!(set(stream, SocketOption::MulticastTtl(1)), Err(Errno::EINVAL));
    // The two lowest bits are the protocol's own.
    set(stream, SocketOption::Tos(0xff))?;
    assert_eq!(get(stream, OptionName::Tos), Ok(SocketOption::Tos(0xfc)));
    close(stream)?;
    let unix = socket(Domain::Unix, SocketKind::Stream)?;
    for name in [OptionName::Tos, OptionName::NoDelay, OptionName::TrafficClass] {
        assert_eq!(get(unix, name), Err(Errno::EOPNOTSUPP));
    }
    close(unix)?;
    Ok(())
}

on_both!(what_a_socket_is, values_are_kept, what_a_socket_has_not);
