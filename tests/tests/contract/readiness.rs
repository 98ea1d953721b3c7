//! Readiness below the handles: poll bits, waiters, epoll objects, descriptor numbers.
//!
//! The bits are those that Linux gave when the oracle was recorded; the real backend asks Linux again.

use crate::{on_both, settle};
use sim::Errno;
use sim_core::backend::{
    Address, Backend, Domain, EpollControl, EpollEvent, EpollInterest, Readiness, RecvFlags,
    Shutdown, SocketKind, SocketOption,
};
use sim_core::rt::{self, WakerSlot};
use sim_core::{Env, Fd, Result};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A call into the kernel.
fn call<R>(f: impl FnOnce(&mut dyn Backend, &mut Env) -> Result<R>) -> Result<R> {
    rt::call(f)
}

fn socket(kind: SocketKind) -> Result<Fd> {
    let host = rt::with(|runtime| runtime.host());
    call(|b, env| b.socket(env, host, Domain::Inet, kind))
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn inet(addr: Address) -> SocketAddr {
    addr.inet().expect("it is a socket of the network")
}

fn listener() -> Result<(Fd, SocketAddr)> {
    let fd = socket(SocketKind::Stream)?;
    call(|b, env| b.bind(env, fd, loopback().into()))?;
    call(|b, env| b.listen(env, fd, 16))?;
    Ok((fd, inet(call(|b, env| b.local_addr(env, fd))?)))
}

async fn pair() -> Result<(Fd, Fd)> {
    let (listener, addr) = listener()?;
    let client = socket(SocketKind::Stream)?;
    assert_eq!(call(|b, env| b.connect(env, client, addr.into())), Err(Errno::EINPROGRESS));
    settle().await;
    let (server, _) = call(|b, env| b.accept(env, listener))?;
    close(listener)?;
    Ok((client, server))
}

fn bits(fd: Fd) -> Result<String> {
    Ok(call(|b, env| b.readiness(env, fd))?.to_string())
}

fn send(fd: Fd, data: &[u8]) -> Result<usize> {
    call(|b, env| b.send(env, fd, data))
}

fn recv(fd: Fd, len: usize) -> Result<usize> {
    call(|b, env| b.recv(env, fd, &mut vec![0; len], RecvFlags::default()))
}

fn close(fd: Fd) -> Result<()> {
    call(|b, env| b.close(env, fd))
}

/// Closes with a reset.
fn reset(fd: Fd) -> Result<()> {
    call(|b, env| b.set_option(env, fd, SocketOption::Linger(Some(Duration::ZERO))))?;
    close(fd)
}

/// Waits until the kernel releases the task, if it is not ready at once.
async fn wait_for(fd: Fd, interest: Readiness) -> Result<()> {
    let mut slot = WakerSlot::new();
    poll_fn(|context| {
        rt::poll_call(context, &mut slot, fd, interest, |b, env| {
            let ready = b.readiness(env, fd)?;
            if ready.intersects(interest | Readiness::ERR | Readiness::HUP) {
                Ok(())
            } else {
                Err(Errno::EAGAIN)
            }
        })
    })
    .await
}

async fn bits_of_a_connection() -> io::Result<()> {
    let fresh = socket(SocketKind::Stream)?;
    assert_eq!(bits(fresh)?, "OUT|HUP");
    let (listening, addr) = listener()?;
    assert_eq!(bits(listening)?, "-");
    assert_eq!(call(|b, env| b.connect(env, fresh, addr.into())), Err(Errno::EINPROGRESS));
    settle().await;
    assert_eq!((bits(listening)?, bits(fresh)?), ("IN".into(), "OUT".into()));
    let (server, _) = call(|b, env| b.accept(env, listening))?;
    assert_eq!((bits(listening)?, bits(server)?), ("-".into(), "OUT".into()));
    send(server, b"data")?;
    settle().await;
    assert_eq!(bits(fresh)?, "IN|OUT");
    recv(fresh, 2)?;
    assert_eq!(bits(fresh)?, "IN|OUT");
    recv(fresh, 2)?;
    assert_eq!(bits(fresh)?, "OUT");
    call(|b, env| b.shutdown(env, server, Shutdown::Write))?;
    settle().await;
    assert_eq!((bits(fresh)?, bits(server)?), ("IN|OUT|RDHUP".into(), "OUT".into()));
    call(|b, env| b.shutdown(env, fresh, Shutdown::Write))?;
    settle().await;
    assert_eq!(
        (bits(fresh)?, bits(server)?),
        ("IN|OUT|HUP|RDHUP".into(), "IN|OUT|HUP|RDHUP".into())
    );
    [fresh, listening, server].into_iter().try_for_each(close)?;
    Ok(())
}

async fn bits_of_a_reset() -> io::Result<()> {
    let (client, server) = pair().await?;
    reset(server)?;
    settle().await;
    assert_eq!(bits(client)?, "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(recv(client, 8), Err(Errno::ECONNRESET));
    assert_eq!(bits(client)?, "IN|OUT|HUP|RDHUP", "the error is told once");
    assert_eq!(recv(client, 8), Ok(0));
    assert_eq!(send(client, b"x"), Err(Errno::EPIPE));
    close(client)?;
    Ok(())
}

async fn bits_of_a_refusal() -> io::Result<()> {
    let (listening, addr) = listener()?;
    close(listening)?;
    let client = socket(SocketKind::Stream)?;
    assert_eq!(call(|b, env| b.connect(env, client, addr.into())), Err(Errno::EINPROGRESS));
    settle().await;
    assert_eq!(bits(client)?, "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(call(|b, env| b.connect(env, client, addr.into())), Err(Errno::ECONNREFUSED));
    assert_eq!(bits(client)?, "OUT|HUP", "a refused socket is as if fresh");
    close(client)?;
    Ok(())
}

async fn bits_of_a_full_connection() -> io::Result<()> {
    let (client, server) = pair().await?;
    let chunk = vec![0; 65_536];
    let mut sent = 0;
    loop {
        match send(client, &chunk) {
            Ok(len) => sent += len,
            Err(Errno::EAGAIN) => {
                // The kernel may still be moving data on to the receiver.
                settle().await;
                match send(client, &chunk) {
                    Ok(len) => sent += len,
                    Err(errno) => {
                        assert_eq!(errno, Errno::EAGAIN);
                        break;
                    }
                }
            }
            Err(errno) => panic!("{errno}"),
        }
    }
    assert_eq!((bits(client)?, bits(server)?), ("-".into(), "IN|OUT".into()));
    let writable = sim::spawn(async move { wait_for(client, Readiness::OUT).await });
    let mut received = 0;
    while received < sent {
        wait_for(server, Readiness::IN).await?;
        received += recv(server, 1 << 20)?;
    }
    writable.await.unwrap()?;
    settle().await;
    assert_eq!((bits(client)?, bits(server)?), ("OUT".into(), "OUT".into()));
    [client, server].into_iter().try_for_each(close)?;
    Ok(())
}

async fn bits_of_datagrams() -> io::Result<()> {
    let (a, b) = (socket(SocketKind::Datagram)?, socket(SocketKind::Datagram)?);
    assert_eq!(bits(a)?, "OUT");
    call(|kernel, env| kernel.bind(env, b, loopback().into()))?;
    let to = inet(call(|kernel, env| kernel.local_addr(env, b))?);
    call(|kernel, env| kernel.send_to(env, a, b"", to))?;
    settle().await;
    assert_eq!(bits(b)?, "IN|OUT", "an empty datagram is something to read");
    assert_eq!(recv(b, 8), Ok(0));
    assert_eq!(bits(b)?, "OUT");
    close(b)?;
    call(|kernel, env| kernel.connect(env, a, to.into()))?;
    send(a, b"x")?;
    settle().await;
    assert_eq!(bits(a)?, "OUT|ERR");
    assert_eq!(recv(a, 8), Err(Errno::ECONNREFUSED));
    assert_eq!(bits(a)?, "OUT");
    close(a)?;
    Ok(())
}

async fn empty_reads_and_writes() -> io::Result<()> {
    let (client, server) = pair().await?;
    assert_eq!(send(client, b""), Ok(0));
    assert_eq!(recv(server, 0), Err(Errno::EAGAIN), "nothing is there to read nothing of");
    send(client, b"x")?;
    settle().await;
    assert_eq!(recv(server, 0), Ok(0));
    assert_eq!(call(|b, env| b.readable_bytes(env, server)), Ok(1));
    assert_eq!(recv(server, 8), Ok(1));
    close(client)?;
    settle().await;
    assert_eq!(recv(server, 0), Ok(0));
    close(server)?;
    Ok(())
}

async fn numbers_and_descriptions() -> io::Result<()> {
    let (client, server) = pair().await?;
    let second = call(|b, env| b.dup(env, client))?;
    assert_ne!(second, client);
    close(client)?;
    assert_eq!(send(client, b"x"), Err(Errno::EBADF));
    assert_eq!(close(client), Err(Errno::EBADF));
    assert_eq!(send(second, b"x"), Ok(1), "the description lives until its last number is closed");
    settle().await;
    assert_eq!(bits(server)?, "IN|OUT");
    close(second)?;
    settle().await;
    assert_eq!(bits(server)?, "IN|OUT|RDHUP");
    close(server)?;
    let missing = Fd::new(999_999);
    assert_eq!(bits(missing).err(), Some(Errno::EBADF));
    assert_eq!(call(|b, env| b.dup(env, missing)), Err(Errno::EBADF));
    Ok(())
}

/// Whoever waits is released when the descriptor under it is closed.
async fn closing_releases_who_waits() -> io::Result<()> {
    let (client, server) = pair().await?;
    let waiting = sim::spawn(async move {
        let mut slot = WakerSlot::new();
        poll_fn(|context| {
            rt::poll_call(context, &mut slot, client, Readiness::IN, |b, env| {
                b.recv(env, client, &mut [0; 8], RecvFlags::default())
            })
        })
        .await
    });
    settle().await;
    assert!(!waiting.is_finished());
    close(client)?;
    assert_eq!(waiting.await.unwrap(), Err(Errno::EBADF));
    close(server)?;
    Ok(())
}

fn watch(readiness: Readiness) -> EpollInterest {
    EpollInterest { readiness, edge: false, oneshot: false, data: 7 }
}

fn epoll() -> Result<Fd> {
    let host = rt::with(|runtime| runtime.host());
    call(|b, env| b.epoll_create(env, host))
}

fn control(epoll: Fd, fd: Fd, control: EpollControl) -> Result<()> {
    call(|b, env| b.epoll_control(env, epoll, fd, control))
}

/// What an epoll object reports now.
fn take(epoll: Fd) -> Result<Vec<String>> {
    let mut events: Vec<EpollEvent> = Vec::new();
    call(|b, env| b.epoll_take(env, epoll, 16, &mut events))?;
    Ok(events.iter().map(|event| event.readiness.to_string()).collect())
}

async fn epoll_by_level_and_edge() -> io::Result<()> {
    let (client, server) = pair().await?;
    let (level, edge, once) = (epoll()?, epoll()?, epoll()?);
    let input = watch(Readiness::IN | Readiness::RDHUP);
    control(level, client, EpollControl::Add(input))?;
    control(edge, client, EpollControl::Add(EpollInterest { edge: true, ..input }))?;
    control(once, client, EpollControl::Add(EpollInterest { oneshot: true, ..input }))?;
    let all = || -> Result<[Vec<String>; 3]> { Ok([take(level)?, take(edge)?, take(once)?]) };
    let nothing: Vec<String> = Vec::new();
    let input = vec!["IN".to_owned()];
    let end = vec!["IN|RDHUP".to_owned()];
    assert_eq!(all()?, [nothing.clone(), nothing.clone(), nothing.clone()]);
    send(server, b"abc")?;
    settle().await;
    assert_eq!(all()?, [input.clone(), input.clone(), input.clone()]);
    assert_eq!(all()?, [input.clone(), nothing.clone(), nothing.clone()]);
    recv(client, 1)?;
    assert_eq!(
        all()?,
        [input.clone(), nothing.clone(), nothing.clone()],
        "a partial read is no edge"
    );
    send(server, b"d")?;
    settle().await;
    assert_eq!(all()?, [input.clone(), input, nothing.clone()]);
    recv(client, 8)?;
    call(|b, env| b.shutdown(env, server, Shutdown::Write))?;
    settle().await;
    assert_eq!(all()?, [end.clone(), end.clone(), nothing.clone()]);
    let again = EpollInterest { oneshot: true, ..watch(Readiness::IN | Readiness::RDHUP) };
    control(once, client, EpollControl::Modify(again))?;
    assert_eq!(all()?, [end.clone(), nothing.clone(), end]);
    control(level, client, EpollControl::Delete)?;
    assert_eq!(take(level)?, nothing);
    [client, server, level, edge, once].into_iter().try_for_each(close)?;
    Ok(())
}

/// An epoll object is a descriptor: a task can wait for it, and another epoll object can watch it.
async fn epoll_objects_are_descriptors() -> io::Result<()> {
    let (client, server) = pair().await?;
    let (inner, outer) = (epoll()?, epoll()?);
    control(inner, client, EpollControl::Add(watch(Readiness::IN)))?;
    control(outer, inner, EpollControl::Add(watch(Readiness::IN)))?;
    assert_eq!((bits(inner)?, bits(outer)?), ("-".into(), "-".into()));
    let waiting = sim::spawn(async move { wait_for(outer, Readiness::IN).await });
    settle().await;
    assert!(!waiting.is_finished());
    send(server, b"x")?;
    waiting.await.unwrap()?;
    assert_eq!((bits(inner)?, bits(outer)?), ("IN".into(), "IN".into()));
    assert_eq!((take(outer)?, take(inner)?), (vec!["IN".into()], vec!["IN".to_owned()]));
    recv(client, 8)?;
    assert_eq!((bits(inner)?, bits(outer)?), ("-".into(), "-".into()));
    assert_eq!(take(outer)?, Vec::<String>::new());
    [client, server, inner, outer].into_iter().try_for_each(close)?;
    Ok(())
}

async fn epoll_refuses() -> io::Result<()> {
    let (client, server) = pair().await?;
    let object = epoll()?;
    let input = watch(Readiness::IN);
    control(object, client, EpollControl::Add(input))?;
    assert_eq!(control(object, client, EpollControl::Add(input)), Err(Errno::EEXIST));
    assert_eq!(control(object, server, EpollControl::Modify(input)), Err(Errno::ENOENT));
    assert_eq!(control(object, server, EpollControl::Delete), Err(Errno::ENOENT));
    assert_eq!(control(object, object, EpollControl::Add(input)), Err(Errno::EINVAL));
    assert_eq!(control(object, Fd::new(999_999), EpollControl::Add(input)), Err(Errno::EBADF));
    assert_eq!(
        control(client, server, EpollControl::Add(input)),
        Err(Errno::EINVAL),
        "not an epoll object"
    );
    assert_eq!(call(|b, env| b.epoll_take(env, client, 1, &mut Vec::new())), Err(Errno::EINVAL));
    [client, server, object].into_iter().try_for_each(close)?;
    Ok(())
}

/// Two objects that watch each other would never be done telling (epoll_ctl(2): `ELOOP`).
async fn epoll_refuses_a_ring() -> io::Result<()> {
    let (a, b) = (epoll()?, epoll()?);
    control(a, b, EpollControl::Add(watch(Readiness::IN)))?;
    assert_eq!(control(b, a, EpollControl::Add(watch(Readiness::IN))), Err(Errno::ELOOP));
    [a, b].into_iter().try_for_each(close)?;
    Ok(())
}

async fn calls_on_the_wrong_kind() -> io::Result<()> {
    let (listening, addr) = listener()?;
    let (client, server) = pair().await?;
    let datagram = socket(SocketKind::Datagram)?;
    assert_eq!(recv(listening, 8), Err(Errno::ENOTCONN));
    assert_eq!(send(listening, b"x"), Err(Errno::EPIPE));
    assert_eq!(call(|b, env| b.accept(env, client)), Err(Errno::EINVAL));
    assert_eq!(call(|b, env| b.accept(env, datagram)), Err(Errno::EOPNOTSUPP));
    assert_eq!(call(|b, env| b.listen(env, datagram, 1)), Err(Errno::EOPNOTSUPP));
    assert_eq!(call(|b, env| b.listen(env, client, 1)), Err(Errno::EINVAL));
    let again = || call(|b, env| b.connect(env, client, addr.into()));
    assert_eq!(
        (again(), again()),
        (Ok(()), Err(Errno::EISCONN)),
        "the end of a connect is told once, even so late"
    );
    assert_eq!(call(|b, env| b.bind(env, client, loopback().into())), Err(Errno::EINVAL));
    let fresh = socket(SocketKind::Stream)?;
    assert_eq!(recv(fresh, 8), Err(Errno::ENOTCONN));
    assert_eq!(send(fresh, b"x"), Err(Errno::EPIPE));
    assert_eq!(call(|b, env| b.shutdown(env, fresh, Shutdown::Write)), Err(Errno::ENOTCONN));
    let object = epoll()?;
    assert_eq!(send(object, b"x"), Err(Errno::ENOTSOCK));
    assert_eq!(call(|b, env| b.local_addr(env, object)), Err(Errno::ENOTSOCK));
    [listening, client, server, datagram, fresh, object].into_iter().try_for_each(close)?;
    Ok(())
}

on_both!(
    bits_of_a_connection,
    bits_of_a_reset,
    bits_of_a_refusal,
    bits_of_a_full_connection,
    bits_of_datagrams,
    empty_reads_and_writes,
    numbers_and_descriptions,
    closing_releases_who_waits,
    epoll_by_level_and_edge,
    epoll_objects_are_descriptors,
    epoll_refuses,
    epoll_refuses_a_ring,
    calls_on_the_wrong_kind,
);
