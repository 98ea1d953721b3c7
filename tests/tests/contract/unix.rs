//! Unix sockets (unix(7)): pairs, names, queues, ends, and what travels with a message.
//!
//! The bits and errors are those that Linux 6.18 gave when it was asked; the real backend asks again.

use crate::{on_both, settle};
use sim::Errno;
use sim_core::backend::{
    Address, Backend, Control, Credentials, Domain, Message, OptionName, Readiness,
    ReceivedMessage, RecvFlags, Shutdown, SocketKind, SocketOption, UnixName,
};
use sim_core::rt::{self, WakerSlot};
use sim_core::{Env, Fd, HostId, Result};
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

fn call<R>(f: impl FnOnce(&mut dyn Backend, &mut Env) -> R) -> R {
    rt::call(f)
}

fn host() -> HostId {
    rt::with(|runtime| runtime.host())
}

fn socket(kind: SocketKind) -> Result<Fd> {
    let host = host();
    call(|b, env| b.socket(env, host, Domain::Unix, kind))
}

fn pair(kind: SocketKind) -> Result<(Fd, Fd)> {
    let host = host();
    call(|b, env| b.socket_pair(env, host, kind))
}

fn bits(fd: Fd) -> Result<String> {
    Ok(call(|b, env| b.readiness(env, fd))?.to_string())
}

fn send(fd: Fd, data: &[u8]) -> Result<usize> {
    call(|b, env| b.send(env, fd, data))
}

fn recv(fd: Fd, len: usize) -> Result<Vec<u8>> {
    let mut into = vec![0; len];
    let len = call(|b, env| b.recv(env, fd, &mut into, RecvFlags::default()))?;
    into.truncate(len);
    Ok(into)
}

fn close(fd: Fd) -> Result<()> {
    call(|b, env| b.close(env, fd))
}

fn bind(fd: Fd, name: UnixName) -> Result<()> {
    call(|b, env| b.bind(env, fd, Address::Unix(name)))
}

fn listen(fd: Fd, backlog: u32) -> Result<()> {
    call(|b, env| b.listen(env, fd, backlog))
}

fn connect(fd: Fd, name: UnixName) -> Result<()> {
    call(|b, env| b.connect(env, fd, Address::Unix(name)))
}

fn accept(fd: Fd) -> Result<(Fd, Address)> {
    call(|b, env| b.accept(env, fd))
}

fn shutdown(fd: Fd, how: Shutdown) -> Result<()> {
    call(|b, env| b.shutdown(env, fd, how))
}

fn local(fd: Fd) -> Result<Address> {
    call(|b, env| b.local_addr(env, fd))
}

fn peer(fd: Fd) -> Result<Address> {
    call(|b, env| b.peer_addr(env, fd))
}

const UNNAMED: Address = Address::Unix(UnixName::UNNAMED);

/// A path in a directory for temporary files that nobody else has; its name is removed at the end.
struct Place(UnixName, String);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = format!("/tmp/sim-contract-{}-{number}.sock", std::process::id());
        Self(UnixName::path(path.as_bytes()).unwrap(), path)
    }

    async fn remove(self) -> io::Result<()> {
        sim::fs::remove_file(&self.1).await
    }
}

fn listener(backlog: u32) -> Result<(Fd, Place)> {
    let (fd, place) = (socket(SocketKind::Stream)?, Place::new());
    bind(fd, place.0)?;
    listen(fd, backlog)?;
    Ok((fd, place))
}

async fn bits_of_a_pair() -> io::Result<()> {
    let (a, b) = pair(SocketKind::Stream)?;
    assert_eq!((bits(a)?.as_str(), recv(a, 1)), ("OUT", Err(Errno::EAGAIN)));
    send(b, b"abc")?;
    assert_eq!(bits(a)?, "IN|OUT");
    assert_eq!(call(|k, env| k.readable_bytes(env, a)), Ok(3));
    close(b)?;
    assert_eq!(bits(a)?, "IN|OUT|HUP|RDHUP");
    assert_eq!((recv(a, 10), recv(a, 1)), (Ok(b"abc".to_vec()), Ok(vec![])));
    assert_eq!((send(a, b"x"), bits(a)?.as_str()), (Err(Errno::EPIPE), "IN|OUT|HUP|RDHUP"));
    assert_eq!((local(a)?, peer(a)?), (UNNAMED, UNNAMED));
    close(a)?;
    Ok(())
}

async fn unread_data_resets() -> io::Result<()> {
    let (a, b) = pair(SocketKind::Stream)?;
    send(a, b"unread")?;
    close(b)?;
    assert_eq!(bits(a)?, "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!((recv(a, 1), recv(a, 1)), (Err(Errno::ECONNRESET), Ok(vec![])));
    assert_eq!((send(a, b"x"), bits(a)?.as_str()), (Err(Errno::EPIPE), "IN|OUT|HUP|RDHUP"));
    close(a)?;
    Ok(())
}

async fn halves_are_shut() -> io::Result<()> {
    let (a, b) = pair(SocketKind::Stream)?;
    shutdown(a, Shutdown::Write)?;
    assert_eq!((bits(b)?.as_str(), recv(b, 1)), ("IN|OUT|RDHUP", Ok(vec![])));
    assert_eq!((bits(a)?.as_str(), send(b, b"x"), recv(a, 9)), ("OUT", Ok(1), Ok(b"x".to_vec())));
    assert_eq!(send(a, b"x"), Err(Errno::EPIPE));
    shutdown(b, Shutdown::Write)?;
    assert_eq!((bits(a)?.as_str(), bits(b)?.as_str()), ("IN|OUT|HUP|RDHUP", "IN|OUT|HUP|RDHUP"));
    [a, b].into_iter().try_for_each(close)?;
    let (a, b) = pair(SocketKind::Stream)?;
    send(b, b"abc")?;
    shutdown(a, Shutdown::Read)?;
    assert_eq!((bits(a)?.as_str(), bits(b)?.as_str()), ("IN|OUT|RDHUP", "OUT"));
    assert_eq!((recv(a, 9), recv(a, 9)), (Ok(b"abc".to_vec()), Ok(vec![])));
    assert_eq!(send(b, b"x"), Err(Errno::EPIPE));
    [a, b].into_iter().try_for_each(close)?;
    Ok(())
}

/// A stream takes what its sender's buffer has room for, and the sender is woken when most of it is read.
async fn back_pressure() -> io::Result<()> {
    let (a, b) = pair(SocketKind::Stream)?;
    let sent = send(a, &vec![7; 1 << 20])?;
    assert!((150_000..400_000).contains(&sent), "{sent}");
    assert_eq!((send(a, b"x"), bits(a)?.as_str()), (Err(Errno::EAGAIN), "-"));
    let writable = sim::spawn(async move {
        let mut slot = WakerSlot::new();
        poll_fn(|context| {
            rt::poll_call(context, &mut slot, a, Readiness::OUT, |k, env| k.send(env, a, b"last"))
        })
        .await
    });
    settle().await;
    assert!(!writable.is_finished());
    let half = recv(b, sent / 2)?.len();
    assert_eq!(bits(a)?, "-", "half is not enough");
    let rest = recv(b, sent)?.len();
    assert_eq!(half + rest, sent);
    assert_eq!(writable.await.unwrap(), Ok(4));
    assert_eq!(recv(b, 9)?, b"last");
    [a, b].into_iter().try_for_each(close)?;
    Ok(())
}

async fn named_streams() -> io::Result<()> {
    let (listening, place) = listener(4)?;
    assert_eq!((bits(listening)?.as_str(), accept(listening)), ("-", Err(Errno::EAGAIN)));
    let client = socket(SocketKind::Stream)?;
    assert_eq!((bits(client)?.as_str(), peer(client)), ("OUT|HUP", Err(Errno::ENOTCONN)));
    connect(client, place.0)?;
    assert_eq!((bits(client)?.as_str(), bits(listening)?.as_str()), ("OUT", "IN"));
    assert_eq!(send(client, b"early"), Ok(5));
    assert_eq!(connect(client, place.0), Err(Errno::EISCONN));
    let (server, from) = accept(listening)?;
    assert_eq!(from, UNNAMED);
    let named = Address::Unix(place.0);
    assert_eq!((local(server)?, peer(server)?), (named, UNNAMED));
    assert_eq!((local(client)?, peer(client)?), (UNNAMED, named));
    assert_eq!(recv(server, 9)?, b"early");
    close(server)?;
    assert_eq!(peer(client)?, named, "it is remembered");
    [client, listening].into_iter().try_for_each(close)?;
    place.remove().await
}

async fn names_are_refused() -> io::Result<()> {
    let (listening, place) = listener(4)?;
    let fd = socket(SocketKind::Stream)?;
    assert_eq!(bind(fd, place.0), Err(Errno::EADDRINUSE));
    let missing = UnixName::path(b"/tmp/sim-contract-missing.sock").unwrap();
    assert_eq!(connect(fd, missing), Err(Errno::ENOENT));
    let nowhere = UnixName::path(b"/tmp/sim-contract-missing/x.sock").unwrap();
    assert_eq!(bind(fd, nowhere), Err(Errno::ENOENT));
    assert_eq!(listen(fd, 1), Err(Errno::EINVAL), "it has no name");
    let bound = Place::new();
    bind(fd, bound.0)?;
    assert_eq!(bind(fd, missing), Err(Errno::EINVAL));
    let other = socket(SocketKind::Stream)?;
    assert_eq!(connect(other, bound.0), Err(Errno::ECONNREFUSED), "nobody listens");
    let datagram = socket(SocketKind::Datagram)?;
    assert_eq!(connect(datagram, place.0), Err(Errno::EPROTOTYPE));
    assert_eq!(listen(datagram, 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(accept(other), Err(Errno::EINVAL));
    assert_eq!((recv(other, 1), send(other, b"x")), (Err(Errno::EINVAL), Err(Errno::ENOTCONN)));
    assert_eq!(connect(listening, place.0), Err(Errno::EINVAL));
    close(listening)?;
    assert_eq!(connect(other, place.0), Err(Errno::ECONNREFUSED), "the name outlives its socket");
    assert_eq!(bind(other, place.0), Err(Errno::EADDRINUSE));
    assert!(sim::fs::metadata(&place.1).await.is_ok());
    assert!(sim::fs::File::open(&place.1).await.is_err());
    let (moved, name) = (format!("{}-moved", place.1), place.0);
    place.remove().await?;
    bind(other, name)?;
    listen(other, 1)?;
    sim::fs::rename(std::str::from_utf8(name.as_path().unwrap()).unwrap(), &moved).await?;
    let client = socket(SocketKind::Stream)?;
    connect(client, UnixName::path(moved.as_bytes()).unwrap())?;
    sim::fs::remove_file(&moved).await?;
    [fd, other, datagram, client].into_iter().try_for_each(close)?;
    bound.remove().await
}

async fn abstract_names() -> io::Result<()> {
    let fd = socket(SocketKind::Stream)?;
    bind(fd, UnixName::UNNAMED)?;
    let given = *local(fd)?.unix().unwrap();
    assert_eq!(given.as_abstract().unwrap().len(), 5);
    let other = socket(SocketKind::Stream)?;
    assert_eq!(bind(other, given), Err(Errno::EADDRINUSE));
    assert_eq!(connect(other, given), Err(Errno::ECONNREFUSED));
    listen(fd, 1)?;
    connect(other, given)?;
    close(fd)?;
    let again = socket(SocketKind::Stream)?;
    assert_eq!(connect(again, given), Err(Errno::ECONNREFUSED));
    assert_eq!(recv(other, 1), Err(Errno::ECONNRESET), "it was never accepted");
    [other, again].into_iter().try_for_each(close)?;
    Ok(())
}

async fn a_full_backlog() -> io::Result<()> {
    let (listening, place) = listener(1)?;
    let clients: Vec<Fd> = (0..4).map(|_| socket(SocketKind::Stream)).collect::<Result<_>>()?;
    let answers: Vec<_> = clients.iter().map(|&client| connect(client, place.0)).collect();
    assert_eq!(answers, [Ok(()), Ok(()), Err(Errno::EAGAIN), Err(Errno::EAGAIN)]);
    assert_eq!((bits(clients[0])?.as_str(), bits(clients[3])?.as_str()), ("OUT", "OUT|HUP"));
    let (server, _) = accept(listening)?;
    assert_eq!(connect(clients[2], place.0), Ok(()));
    close(listening)?;
    assert_eq!(bits(clients[1])?, "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(
        (recv(clients[1], 1), send(clients[1], b"x")),
        (Err(Errno::ECONNRESET), Err(Errno::EPIPE))
    );
    assert_eq!(bits(clients[0])?, "OUT", "the one that was accepted lives");
    clients.into_iter().chain([server]).try_for_each(close)?;
    place.remove().await
}

async fn who_waits_is_woken() -> io::Result<()> {
    let (listening, place) = listener(1)?;
    let name = place.0;
    let server = sim::spawn(async move {
        let mut slot = WakerSlot::new();
        let (fd, _) = poll_fn(|context| {
            rt::poll_call(context, &mut slot, listening, Readiness::IN, |k, env| {
                k.accept(env, listening)
            })
        })
        .await?;
        let mut into = [0; 8];
        let mut slot = WakerSlot::new();
        let len = poll_fn(|context| {
            rt::poll_call(context, &mut slot, fd, Readiness::READ, |k, env| {
                k.read(env, fd, &mut into)
            })
        })
        .await?;
        close(fd)?;
        Result::Ok(into[..len].to_vec())
    });
    settle().await;
    let client = socket(SocketKind::Stream)?;
    connect(client, name)?;
    settle().await;
    assert_eq!(call(|k, env| k.write(env, client, b"hello")), Ok(5));
    assert_eq!(server.await.unwrap(), Ok(b"hello".to_vec()));
    [client, listening].into_iter().try_for_each(close)?;
    place.remove().await
}

async fn datagrams_of_a_pair() -> io::Result<()> {
    let (a, b) = pair(SocketKind::Datagram)?;
    assert_eq!(send(a, &vec![0; 400_000]), Err(Errno::EMSGSIZE));
    let mut sent = 0;
    while send(a, b"x").is_ok() {
        sent += 1;
    }
    assert!((100..600).contains(&sent), "{sent}");
    assert_eq!((send(a, b"x"), bits(a)?.as_str()), (Err(Errno::EAGAIN), "-"));
    assert_eq!(recv(b, 9)?, b"x");
    close(b)?;
    assert_eq!((bits(a)?.as_str(), recv(a, 1)), ("OUT", Err(Errno::EAGAIN)));
    assert_eq!((send(a, b"x"), send(a, b"x")), (Err(Errno::ECONNREFUSED), Err(Errno::ENOTCONN)));
    close(a)?;
    Ok(())
}

fn send_to(fd: Fd, data: &[u8], name: UnixName) -> Result<usize> {
    let message = Message { data, to: Some(Address::Unix(name)), control: &[] };
    call(|k, env| k.send_message(env, fd, message))
}

fn receive(fd: Fd, len: usize) -> Result<(Vec<u8>, ReceivedMessage)> {
    let mut into = vec![0; len];
    let received = call(|k, env| k.recv_message(env, fd, &mut into, RecvFlags::default()))?;
    into.truncate(received.len);
    Ok((into, received))
}

async fn named_datagrams() -> io::Result<()> {
    let (at, from) = (Place::new(), Place::new());
    let (receiver, sender) = (socket(SocketKind::Datagram)?, socket(SocketKind::Datagram)?);
    bind(receiver, at.0)?;
    bind(sender, from.0)?;
    assert_eq!(send_to(sender, b"hello", at.0), Ok(5));
    let (data, received) = receive(receiver, 3)?;
    assert_eq!((data.as_slice(), received.truncated), (&b"hel"[..], true));
    assert_eq!(received.from, Some(Address::Unix(from.0)));
    assert_eq!(send(sender, b"x"), Err(Errno::ENOTCONN));
    connect(sender, at.0)?;
    assert_eq!(send(sender, b""), Ok(0));
    assert_eq!((receive(receiver, 3)?.0.len(), bits(receiver)?.as_str()), (0, "OUT"));
    // A queue of messages of a sender that it is not connected to is short.
    let mut sent = 0;
    while send(sender, b"x").is_ok() {
        sent += 1;
    }
    assert_eq!((send(sender, b"x"), bits(sender)?.as_str()), (Err(Errno::EAGAIN), "-"));
    let waiting = sim::spawn(async move {
        let mut slot = WakerSlot::new();
        poll_fn(|context| {
            rt::poll_call(context, &mut slot, sender, Readiness::OUT, |k, env| {
                k.send(env, sender, b"y")
            })
        })
        .await
    });
    settle().await;
    assert!(!waiting.is_finished());
    for _ in 0..sent {
        recv(receiver, 1)?;
    }
    assert_eq!(waiting.await.unwrap(), Ok(1));
    // Who is connected to one hears no other.
    connect(receiver, from.0)?;
    let third = socket(SocketKind::Datagram)?;
    assert_eq!(send_to(third, b"x", at.0), Err(Errno::EPERM));
    assert_eq!(connect(third, at.0), Err(Errno::EPERM));
    call(|k, env| k.disconnect(env, receiver))?;
    assert_eq!(send_to(third, b"x", at.0), Ok(1));
    [receiver, sender, third].into_iter().try_for_each(close)?;
    at.remove().await?;
    from.remove().await
}

async fn packets_of_a_connection() -> io::Result<()> {
    let (a, b) = pair(SocketKind::SeqPacket)?;
    send(a, b"hello")?;
    send(a, b"next")?;
    let (data, received) = receive(b, 3)?;
    assert_eq!((data.as_slice(), received.truncated), (&b"hel"[..], true));
    assert_eq!(recv(b, 9)?, b"next");
    send(b, b"unread")?;
    send(a, b"mm")?;
    close(a)?;
    assert_eq!(bits(b)?, "IN|OUT|ERR|HUP|RDHUP");
    let answers = (recv(b, 4), recv(b, 4), recv(b, 4), send(b, b"x"));
    let reset = Err(Errno::ECONNRESET);
    assert_eq!(answers, (reset, Ok(b"mm".to_vec()), Ok(vec![]), Err(Errno::EPIPE)));
    close(b)?;
    let fresh = socket(SocketKind::SeqPacket)?;
    assert_eq!((recv(fresh, 1), send(fresh, b"x")), (Err(Errno::ENOTCONN), Err(Errno::ENOTCONN)));
    close(fresh)?;
    let host = host();
    let inet = call(|k, env| k.socket(env, host, Domain::Inet, SocketKind::SeqPacket));
    assert_eq!(inet, Err(Errno::ESOCKTNOSUPPORT));
    Ok(())
}

fn send_with(fd: Fd, data: &[u8], control: &[Control]) -> Result<usize> {
    call(|k, env| k.send_message(env, fd, Message { data, to: None, control }))
}

async fn descriptors_travel() -> io::Result<()> {
    let (a, b) = pair(SocketKind::Stream)?;
    let (c, d) = pair(SocketKind::Stream)?;
    send_with(a, b"12", &[Control::Rights(vec![c])])?;
    // The sender closes its number; the description is under way.
    close(c)?;
    send(a, b"34")?;
    assert_eq!(bits(d)?, "OUT");
    let (data, received) = receive(b, 16)?;
    assert_eq!(data, b"12", "a read ends where descriptors were");
    let [Control::Rights(numbers)] = received.control.as_slice() else { panic!("{received:?}") };
    let [arrived] = numbers.as_slice() else { panic!("{numbers:?}") };
    send(*arrived, b"through")?;
    assert_eq!(recv(d, 16)?, b"through");
    assert_eq!(receive(b, 16)?.1.control, []);
    close(*arrived)?;
    assert_eq!(bits(d)?, "IN|OUT|HUP|RDHUP");
    // What nobody receives is closed: by a read without room for it, and with the queue.
    for read in [true, false] {
        let (e, f) = pair(SocketKind::Stream)?;
        send_with(a, b"x", &[Control::Rights(vec![e])])?;
        close(e)?;
        assert_eq!(bits(f)?, "OUT");
        if read {
            recv(b, 1)?;
        } else {
            close(b)?;
        }
        settle().await;
        assert_eq!(bits(f)?, "IN|OUT|HUP|RDHUP");
        close(f)?;
    }
    let bad = Control::Rights(vec![Fd::new(999_999)]);
    assert_eq!(send_with(a, b"x", &[bad]), Err(Errno::EBADF));
    [a, d].into_iter().try_for_each(close)?;
    Ok(())
}

async fn peers_know_each_other() -> io::Result<()> {
    let host = host();
    let own = call(|k, _| k.credentials(host));
    let asked = |fd| call(|k, env| k.option(env, fd, OptionName::PeerCredentials));
    let (a, b) = pair(SocketKind::Stream)?;
    assert_eq!(asked(a), Ok(SocketOption::PeerCredentials(own)));
    let fresh = socket(SocketKind::Stream)?;
    assert_eq!(asked(fresh), Ok(SocketOption::PeerCredentials(Credentials::NOBODY)));
    let (listening, place) = listener(1)?;
    connect(fresh, place.0)?;
    let (server, _) = accept(listening)?;
    assert_eq!((asked(fresh), asked(server)), (asked(a), asked(a)));
    assert_eq!(receive_control(a, b)?, []);
    call(|k, env| k.set_option(env, b, SocketOption::PassCredentials(true)))?;
    assert_eq!(receive_control(a, b)?, [Control::Credentials(own)]);
    send_with(a, b"x", &[Control::Credentials(own)])?;
    assert_eq!(receive(b, 9)?.1.control, [Control::Credentials(own)]);
    [a, b, fresh, listening, server].into_iter().try_for_each(close)?;
    place.remove().await
}

fn receive_control(from: Fd, to: Fd) -> Result<Vec<Control>> {
    send(from, b"x")?;
    Ok(receive(to, 9)?.1.control)
}

async fn options_of_unix_sockets() -> io::Result<()> {
    let (a, b) = pair(SocketKind::Stream)?;
    let get = |name| call(|k, env| k.option(env, a, name));
    let set = |option| call(|k, env| k.set_option(env, a, option));
    assert_eq!(get(OptionName::SendBuffer), Ok(SocketOption::SendBuffer(212_992)));
    set(SocketOption::SendBuffer(1000))?;
    assert_eq!(get(OptionName::SendBuffer), Ok(SocketOption::SendBuffer(4608)));
    set(SocketOption::ReceiveBuffer(10_000))?;
    assert_eq!(get(OptionName::ReceiveBuffer), Ok(SocketOption::ReceiveBuffer(20_000)));
    assert_eq!(get(OptionName::Error), Ok(SocketOption::Error(0)));
    assert_eq!(set(SocketOption::ReuseAddr(true)), Ok(()));
    assert_eq!(get(OptionName::ReuseAddr), Ok(SocketOption::ReuseAddr(true)));
    for refused in [SocketOption::ReusePort(true), SocketOption::NoDelay(true)] {
        assert_eq!(set(refused), Err(Errno::EOPNOTSUPP));
    }
    [a, b].into_iter().try_for_each(close)?;
    Ok(())
}

on_both!(
    bits_of_a_pair,
    unread_data_resets,
    halves_are_shut,
    back_pressure,
    named_streams,
    names_are_refused,
    abstract_names,
    a_full_backlog,
    who_waits_is_woken,
    datagrams_of_a_pair,
    named_datagrams,
    packets_of_a_connection,
    descriptors_travel,
    peers_know_each_other,
    options_of_unix_sockets,
);
