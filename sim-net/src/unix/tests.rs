//! Unix sockets against the simplest model of them: a stream is a vector of bytes, a message a vector in a queue.

use super::{Passed, UnixId, UnixReceived, UnixSend, UnixSockets};
use proptest::prelude::*;
use sim_core::backend::{Credentials, Readiness, RecvFlags, Shutdown, SocketKind, UnixName};
use sim_core::{Errno, Result};
use std::collections::VecDeque;

const ME: Credentials = Credentials { pid: 7, uid: 0, gid: 0 };

fn pair(kind: SocketKind) -> (UnixSockets, UnixId, UnixId) {
    let mut unix = UnixSockets::default();
    let (a, b) = unix.pair(kind, ME);
    (unix, a, b)
}

fn send(unix: &mut UnixSockets, id: UnixId, data: &[u8]) -> Result<usize> {
    unix.send(id, data, UnixSend::default())
}

fn recv(unix: &mut UnixSockets, id: UnixId, len: usize) -> Result<Vec<u8>> {
    let mut into = vec![0; len];
    let received = unix.recv(id, &mut into, RecvFlags::default())?;
    into.truncate(received.len);
    Ok(into)
}

fn with_rights(unix: &mut UnixSockets, id: UnixId, data: &[u8], number: u64) {
    let with = UnixSend { passed: vec![Passed(number)], ..UnixSend::default() };
    assert_eq!(unix.send(id, data, with), Ok(data.len()));
}

fn recv_all(unix: &mut UnixSockets, id: UnixId, flags: RecvFlags) -> (Vec<u8>, Vec<Passed>) {
    let mut into = [0; 16];
    let UnixReceived { len, passed, .. } = unix.recv(id, &mut into, flags).unwrap();
    (into[..len].to_vec(), passed)
}

/// As Linux 6.18 answered when it was asked.
#[test]
fn a_read_ends_with_the_piece_that_has_descriptors() {
    let (mut unix, a, b) = pair(SocketKind::Stream);
    let take = RecvFlags::default();
    with_rights(&mut unix, a, b"12", 1);
    send(&mut unix, a, b"34").unwrap();
    with_rights(&mut unix, a, b"5", 2);
    send(&mut unix, a, b"6").unwrap();
    assert_eq!(recv_all(&mut unix, b, take), (b"12".to_vec(), vec![Passed(1)]));
    assert_eq!(recv_all(&mut unix, b, take), (b"345".to_vec(), vec![Passed(2)]));
    assert_eq!(recv_all(&mut unix, b, take), (b"6".to_vec(), vec![]));
    with_rights(&mut unix, a, b"78", 3);
    let peeked = recv_all(&mut unix, b, RecvFlags { peek: true, whole_len: false });
    assert_eq!(peeked, (b"78".to_vec(), vec![Passed(3)]));
    assert_eq!(recv(&mut unix, b, 1).unwrap(), b"7");
    assert_eq!(
        recv_all(&mut unix, b, take),
        (b"8".to_vec(), vec![]),
        "they came with the first byte"
    );
}

#[test]
fn descriptors_that_nobody_receives_are_given_up() {
    let (mut unix, a, b) = pair(SocketKind::Stream);
    with_rights(&mut unix, a, b"x", 1);
    with_rights(&mut unix, a, b"", 2);
    assert_eq!(unix.out().dropped, [Passed(2)], "a stream carries them with a byte only");
    unix.close(b);
    assert_eq!(unix.out().dropped, [Passed(2), Passed(1)]);
    assert_eq!(unix.readiness(a).to_string(), "IN|OUT|ERR|HUP|RDHUP");
}

#[test]
fn a_full_listener_tells_who_waits() {
    let mut unix = UnixSockets::default();
    let listener = unix.socket(SocketKind::Stream, ME);
    unix.bind_path(listener, UnixName::path(b"/l").unwrap(), 9).unwrap();
    unix.listen(listener, 0).unwrap();
    let clients: Vec<UnixId> = (0..2).map(|_| unix.socket(SocketKind::Stream, ME)).collect();
    let at = unix.at_inode(9).unwrap();
    assert_eq!(unix.connect(clients[0], at), Ok(()));
    assert_eq!(unix.connect(clients[1], at), Err(Errno::EAGAIN));
    unix.out().ready.clear();
    unix.accept(listener).unwrap();
    assert!(unix.out().ready.contains(&(clients[1], Readiness::OUT)));
    assert_eq!(unix.connect(clients[1], at), Ok(()));
    unix.close(listener);
    assert_eq!(recv(&mut unix, clients[1], 1), Err(Errno::ECONNRESET), "it was never accepted");
    assert_eq!(recv(&mut unix, clients[0], 1), Err(Errno::EAGAIN));
    assert_eq!(unix.at_inode(9), Err(Errno::ECONNREFUSED));
}

#[test]
fn a_full_datagram_socket_tells_who_waits() {
    let mut unix = UnixSockets::default();
    let (receiver, connected) =
        (unix.socket(SocketKind::Datagram, ME), unix.socket(SocketKind::Datagram, ME));
    let sender = unix.socket(SocketKind::Datagram, ME);
    unix.connect(connected, receiver).unwrap();
    let to = |to| UnixSend { to: Some(to), ..UnixSend::default() };
    let sent = (0..20).filter(|_| unix.send(sender, b"x", to(receiver)).is_ok()).count();
    assert_eq!(sent, 11);
    assert_eq!(unix.readiness(connected), Readiness::NONE);
    assert_eq!(unix.readiness(sender), Readiness::OUT, "it may send to others");
    assert_eq!(send(&mut unix, connected, b"x"), Err(Errno::EAGAIN));
    unix.out().ready.clear();
    recv(&mut unix, receiver, 1).unwrap();
    for told in [sender, connected] {
        assert!(unix.out().ready.contains(&(told, Readiness::OUT)));
    }
    assert_eq!(send(&mut unix, connected, b"x"), Ok(1));
}

#[test]
fn names_of_the_abstract_namespace() {
    let mut unix = UnixSockets::default();
    let (a, b) = (unix.socket(SocketKind::Stream, ME), unix.socket(SocketKind::Stream, ME));
    unix.bind_abstract(a, UnixName::UNNAMED).unwrap();
    let given = unix.local_name(a).unwrap();
    assert_eq!(given.as_abstract().map(<[u8]>::len), Some(5));
    assert_eq!(unix.bind_abstract(b, given), Err(Errno::EADDRINUSE));
    assert_eq!(unix.bind_abstract(a, UnixName::UNNAMED), Err(Errno::EINVAL));
    assert_eq!(unix.at_abstract(&given), Ok(a));
    unix.close(a);
    assert_eq!(unix.bind_abstract(b, given), Ok(()));
}

/// What a model of a pair remembers: what is under way, and what is shut.
#[derive(Default)]
struct Model {
    under_way: [VecDeque<Vec<u8>>; 2],
    shut: [bool; 2],
}

fn bytes(queue: &VecDeque<Vec<u8>>) -> Vec<u8> {
    queue.iter().flatten().copied().collect()
}

/// One step: which socket, what, how much.
type Step = (usize, u8, usize);

fn run(kind: SocketKind, steps: Vec<Step>) {
    let (mut unix, a, b) = pair(kind);
    let (ids, mut model, mut next) = ([a, b], Model::default(), 0_u8);
    for (who, what, size) in steps {
        match what {
            0 | 1 => {
                let data: Vec<u8> = (0..size).map(|n| (n as u8).wrapping_add(next)).collect();
                next = next.wrapping_add(17);
                match send(&mut unix, ids[who], &data) {
                    Ok(len) => {
                        assert!(!model.shut[who] && (len == size || kind == SocketKind::Stream));
                        if len > 0 || kind != SocketKind::Stream {
                            model.under_way[who].push_back(data[..len].to_vec());
                        }
                    }
                    Err(Errno::EPIPE) => assert!(model.shut[who]),
                    Err(Errno::EAGAIN) => assert!(!model.under_way[who].is_empty()),
                    Err(error) => panic!("{error}"),
                }
            }
            2 | 3 => {
                let queue = &mut model.under_way[1 - who];
                match recv(&mut unix, ids[who], size.max(1)) {
                    Ok(got) if queue.is_empty() => {
                        assert!(got.is_empty() && model.shut[1 - who]);
                    }
                    Ok(got) if kind == SocketKind::Stream => {
                        let all = bytes(queue);
                        assert_eq!(got[..], all[..got.len()]);
                        assert_eq!(got.len(), all.len().min(size.max(1)));
                        *queue = VecDeque::from([all[got.len()..].to_vec()]);
                        queue.retain(|rest| !rest.is_empty());
                    }
                    Ok(got) => {
                        let message = queue.pop_front().unwrap();
                        assert_eq!(got[..], message[..message.len().min(size.max(1))]);
                    }
                    Err(error) => {
                        assert_eq!(error, Errno::EAGAIN);
                        assert!(queue.is_empty() && !model.shut[1 - who]);
                    }
                }
            }
            _ => {
                unix.shutdown(ids[who], Shutdown::Write).unwrap();
                model.shut[who] = true;
            }
        }
        for (who, &id) in ids.iter().enumerate() {
            let ready = unix.readiness(id);
            let queue = &model.under_way[1 - who];
            let input = !queue.is_empty() || model.shut[1 - who];
            assert_eq!(ready.contains(Readiness::IN), input);
            assert_eq!(ready.contains(Readiness::RDHUP), model.shut[1 - who]);
            assert!(!model.under_way[who].is_empty() || ready.contains(Readiness::OUT));
            let readable: usize = queue.iter().map(Vec::len).sum();
            assert_eq!(unix.readable_bytes(id), Ok(readable));
        }
    }
    // Whatever is left is read to the end, and with it all room comes back.
    for (who, &id) in ids.iter().enumerate() {
        while recv(&mut unix, id, 1 << 20).is_ok_and(|got| !got.is_empty())
            || unix.get(id).unwrap().queue.front().is_some()
        {}
        assert_eq!(unix.unsent_bytes(ids[1 - who]), Ok(0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn a_stream_is_its_bytes(steps in prop::collection::vec((0..2_usize, 0..5_u8, prop_oneof![0..40_usize, 0..90_000_usize]), 1..60)) {
        run(SocketKind::Stream, steps);
    }

    #[test]
    fn messages_are_kept_apart(steps in prop::collection::vec((0..2_usize, 0..5_u8, prop_oneof![0..40_usize, 0..90_000_usize]), 1..60)) {
        run(SocketKind::SeqPacket, steps);
    }
}
