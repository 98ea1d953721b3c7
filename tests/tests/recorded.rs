//! Recorded answers of Linux about Unix sockets, pipes and descriptor tables, replayed against a simulated world.
//!
//! The other cases of the recording are replayed where their model is: those of the network in `sim-net`, those of epoll
//! objects in `shape`. Each case here makes the steps of the probe that recorded it, and answers in its words.

use serde_json::{Map, Value, json};
use sim_core::backend::{
    Address, Backend, Control, Domain, Message, OptionName, Readiness, RecvFlags, Shutdown,
    SocketKind, SocketOption, UnixName,
};
use sim_core::choice::{Choices, Seed};
use sim_core::{Env, Errno, Fd, HostId, Result};
use sim_world::{Universe, WorldConfig};
use std::collections::BTreeMap;

const RECORDED: &str = include_str!("../oracle/linux_oracle_tcp_udp_unix_pipes_v6.json");

/// A process of one host.
struct Process {
    world: Universe,
    env: Env,
}

const ROOT: HostId = HostId::ROOT;

impl Process {
    fn new() -> Self {
        let mut env = Env::new(Choices::seeded(Seed::from_u64(1)));
        Self { world: Universe::new(&mut env, WorldConfig::default()), env }
    }

    fn call<R>(&mut self, f: impl FnOnce(&mut Universe, &mut Env) -> R) -> R {
        f(&mut self.world, &mut self.env)
    }

    fn socket(&mut self, kind: SocketKind) -> Fd {
        self.call(|w, env| w.socket(env, ROOT, Domain::Unix, kind)).unwrap()
    }

    fn pair(&mut self, kind: SocketKind) -> (Fd, Fd) {
        self.call(|w, env| w.socket_pair(env, ROOT, kind)).unwrap()
    }

    fn close(&mut self, fd: Fd) {
        self.call(|w, env| w.close(env, fd)).unwrap();
    }

    /// The poll bits in the recording's words.
    fn ep(&mut self, fd: Fd) -> String {
        self.call(|w, env| w.readiness(env, fd)).unwrap().to_string()
    }

    /// The poll bits if only `OUT` is asked for.
    fn ep_out(&mut self, fd: Fd) -> String {
        let asked = Readiness::OUT | Readiness::ERR | Readiness::HUP;
        (self.call(|w, env| w.readiness(env, fd)).unwrap() & asked).to_string()
    }

    fn send(&mut self, fd: Fd, data: &[u8]) -> String {
        counted(self.call(|w, env| w.send(env, fd, data)))
    }

    fn recv(&mut self, fd: Fd, len: usize) -> String {
        counted(self.call(|w, env| w.recv(env, fd, &mut vec![0; len], RecvFlags::default())))
    }

    fn write(&mut self, fd: Fd, data: &[u8]) -> String {
        counted(self.call(|w, env| w.write(env, fd, data)))
    }

    fn read(&mut self, fd: Fd, len: usize) -> String {
        counted(self.call(|w, env| w.read(env, fd, &mut vec![0; len])))
    }

    fn bind(&mut self, fd: Fd, name: &str) -> String {
        done(self.call(|w, env| w.bind(env, fd, path(name))))
    }

    fn connect(&mut self, fd: Fd, name: &str) -> String {
        done(self.call(|w, env| w.connect(env, fd, path(name))))
    }

    /// A new socket's connect(2).
    fn connect_new(&mut self, name: &str) -> String {
        let fd = self.socket(SocketKind::Stream);
        let answer = self.connect(fd, name);
        self.close(fd);
        answer
    }

    fn exists(&mut self, name: &str) -> bool {
        self.call(|w, env| w.disk(env, ROOT).stat(name).is_ok())
    }
}

fn path(name: &str) -> Address {
    Address::Unix(UnixName::path(name.as_bytes()).unwrap())
}

fn error(errno: Errno) -> String {
    match errno {
        Errno::EOPNOTSUPP => "ENOTSUP".into(),
        errno => errno.to_string(),
    }
}

fn done<T>(answer: Result<T>) -> String {
    answer.map_or_else(error, |_| "ok".into())
}

fn counted(answer: Result<usize>) -> String {
    answer.map_or_else(error, |len| format!("ok:{len}"))
}

type Case = (&'static str, fn() -> Value);

const CASES: &[Case] = &[
    ("unix.pair_idle", || {
        let p = &mut Process::new();
        let (a, _) = p.pair(SocketKind::Stream);
        json!({"ep": p.ep(a)})
    }),
    ("unix.peer_close_with_data", || {
        let p = &mut Process::new();
        let (a, b) = p.pair(SocketKind::Stream);
        p.send(b, b"abc");
        p.close(b);
        json!({"ep": p.ep(a), "recv": p.recv(a, 10), "recv2": p.recv(a, 1), "ep2": p.ep(a), "send": p.send(a, b"x")})
    }),
    ("unix.peer_close_unread", || {
        let p = &mut Process::new();
        let (a, b) = p.pair(SocketKind::Stream);
        p.send(a, b"unread");
        p.close(b);
        json!({"ep": p.ep(a), "recv": p.recv(a, 1), "recv2": p.recv(a, 1), "send": p.send(a, b"x"), "ep2": p.ep(a)})
    }),
    ("unix.SHUT_WR", || {
        let p = &mut Process::new();
        let (a, b) = p.pair(SocketKind::Stream);
        p.call(|w, env| w.shutdown(env, a, Shutdown::Write)).unwrap();
        json!({"peer_ep": p.ep(b), "peer_recv": p.recv(b, 1), "own_ep": p.ep(a), "peer_send": p.send(b, b"x"), "own_recv": p.recv(a, 9)})
    }),
    ("unix.stream_fill", || {
        let p = &mut Process::new();
        let (a, _) = p.pair(SocketKind::Stream);
        let (mut n, mut err) = (0, String::new());
        while err.is_empty() {
            match p.call(|w, env| w.send(env, a, &[b'x'; 1000])) {
                Ok(len) => n += len,
                Err(errno) => err = error(errno),
            }
        }
        let buffer = p.call(|w, env| w.option(env, a, OptionName::SendBuffer)).unwrap();
        let SocketOption::SendBuffer(buffer) = buffer else { panic!("{buffer:?}") };
        json!({"n": n, "err": err, "sndbuf": buffer, "ep": p.ep_out(a)})
    }),
    ("unix.connect_errors", || {
        let p = &mut Process::new();
        let (now, options) = (
            sim_time::WallTime::UNIX_EPOCH,
            sim_core::backend::OpenOptions { write: true, create: true, ..Default::default() },
        );
        p.call(|w, env| w.disk(env, ROOT).open(now, "/hostname", options)).unwrap();
        json!({"noent": p.connect_new("/tmp/nonexist.sock"), "regular": p.connect_new("/hostname")})
    }),
    ("unix.listen_backlog1", || backlog().0),
    ("unix.listener_closed_pending", || backlog().1),
    ("unix.stale_path_connect", || backlog().2),
    ("unix.dgram_queue", || {
        let p = &mut Process::new();
        let (a, _) = p.pair(SocketKind::Datagram);
        let mut n = 0;
        while p.send(a, b"x") == "ok:1" {
            n += 1;
        }
        json!({"n": n, "err": p.send(a, b"x"), "ep": p.ep_out(a), "big": p.send(a, &vec![b'x'; 400_000])})
    }),
    ("unix.dgram_peer_closed", || {
        let p = &mut Process::new();
        let (a, b) = p.pair(SocketKind::Datagram);
        while p.send(a, b"x") == "ok:1" {}
        p.close(b);
        json!({"send": p.send(a, b"x"), "ep": p.ep(a), "recv": p.recv(a, 1)})
    }),
    ("unix.seqpacket", || packets().0),
    ("unix.seqpacket_eof", || packets().1),
    ("unix.autobind", || {
        let p = &mut Process::new();
        let s = p.socket(SocketKind::Stream);
        p.call(|w, env| w.bind(env, s, UnixName::UNNAMED.into())).unwrap();
        let name = p.call(|w, env| w.local_addr(env, s)).unwrap();
        // The digits are any; the recording's stand in for them.
        let digits = name.unix().unwrap().as_abstract().unwrap();
        assert!(digits.len() == 5 && digits.iter().all(u8::is_ascii_hexdigit));
        json!({"name": "b'\\x007ad54'"})
    }),
    ("unix.SCM_RIGHTS", || {
        let p = &mut Process::new();
        let (a, b) = p.pair(SocketKind::Stream);
        let (r, _) = p.call(|w, env| w.pipe(env, ROOT)).unwrap();
        let control = [Control::Rights(vec![r])];
        let message = Message { data: b"f", to: None, control: &control };
        p.call(|w, env| w.send_message(env, a, message)).unwrap();
        let mut into = [0; 10];
        let got = p.call(|w, env| w.recv_message(env, b, &mut into, RecvFlags::default())).unwrap();
        let [Control::Rights(numbers)] = got.control.as_slice() else { panic!("{got:?}") };
        json!({"msg": format!("b'{}'", into[..got.len].escape_ascii()), "nfds": numbers.len()})
    }),
    ("pipe.basic", || pipes().0),
    ("pipe.writer_closed_with_data", || pipes().1),
    ("pipe.writer_closed_empty", || pipes().2),
    ("pipe.reader_closed", || {
        let p = &mut Process::new();
        let (r, w) = p.call(|w, env| w.pipe(env, ROOT)).unwrap();
        p.close(r);
        json!({"ep": p.ep(w), "write": p.write(w, b"x")})
    }),
];

fn backlog() -> (Value, Value, Value) {
    let p = &mut Process::new();
    let name = "/tmp/zz.sock";
    let (l, other) = (p.socket(SocketKind::Stream), p.socket(SocketKind::Stream));
    assert_eq!(p.bind(l, name), "ok");
    let (again, early) = (p.bind(other, name), p.connect_new(name));
    p.call(|w, env| w.listen(env, l, 1)).unwrap();
    let cs: Vec<Fd> = (0..4).map(|_| p.socket(SocketKind::Stream)).collect();
    let connects: Vec<String> = cs.iter().map(|&c| p.connect(c, name)).collect();
    let first = json!({
        "bind_again": again, "connect_not_listening": early, "connects": connects,
        "ep_client0": p.ep(cs[0]), "ep_client3": p.ep(cs[3]),
    });
    p.send(cs[0], b"early");
    p.close(l);
    let second = json!({"ep": p.ep(cs[0]), "recv": p.recv(cs[0], 1), "send": p.send(cs[0], b"x")});
    (first, second, json!({"r": p.connect_new(name), "exists": p.exists(name)}))
}

fn packets() -> (Value, Value) {
    let p = &mut Process::new();
    let (a, b) = p.pair(SocketKind::SeqPacket);
    p.send(a, b"hello");
    let got = p.call(|w, env| w.recv_message(env, b, &mut [0; 3], RecvFlags::default())).unwrap();
    let first = json!({"trunc": got.truncated, "rest": p.recv(b, 9)});
    p.close(a);
    (first, json!({"ep": p.ep(b), "recv": p.recv(b, 9)}))
}

fn pipes() -> (Value, Value, Value) {
    let p = &mut Process::new();
    let (r, w) = p.call(|w, env| w.pipe(env, ROOT)).unwrap();
    let mut first = Map::new();
    first.insert("r_idle".into(), p.ep(r).into());
    first.insert("w_idle".into(), p.ep(w).into());
    first.insert("read".into(), p.read(r, 1).into());
    let mut cap = 0;
    while p.write(w, &[b'x'; 4096]) == "ok:4096" {
        cap += 4096;
    }
    first.insert("cap".into(), cap.into());
    first.insert("w_full".into(), p.ep(w).into());
    p.read(r, 1);
    first.insert("w_after_1B".into(), p.ep(w).into());
    p.read(r, 4095);
    first.insert("w_after_4096".into(), p.ep(w).into());
    p.close(w);
    let second = json!({"ep": p.ep(r)});
    while p.read(r, 65_536) != "ok:0" {}
    (first.into(), second, json!({"ep": p.ep(r), "read": p.read(r, 1)}))
}

#[test]
fn every_recorded_answer_about_unix_sockets_and_pipes_is_given() {
    let cases: Vec<Map<String, Value>> = serde_json::from_str(RECORDED).expect("a list of cases");
    let mut recorded: BTreeMap<String, Value> = BTreeMap::new();
    for mut case in cases {
        let name = case.remove("case").expect("cases have names");
        let name = name.as_str().expect("names are text").to_owned();
        if name.starts_with("unix.") || name.starts_with("pipe.") {
            recorded.insert(name, case.into());
        }
    }
    assert_eq!(recorded.len(), 19, "so many were recorded");
    let (mut passed, mut failed) = (0, Vec::new());
    for (name, case) in CASES {
        let want = recorded.remove(*name).unwrap_or_else(|| panic!("{name} was not recorded"));
        match case() {
            got if got == want => passed += 1,
            got => failed.push(format!("{name}: Linux {want}, here {got}")),
        }
    }
    println!("{} of 19 recorded cases apply, {passed} pass", CASES.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(recorded.is_empty(), "{:?} are not replayed", recorded.keys());
}

/// What dies with its processes and what with its host: the peers are on the same host, so nobody is left to ask; a
/// path stays, and the host can begin again.
#[test]
fn killed_and_crashed_hosts_begin_again() {
    let p = &mut Process::new();
    let host = p.call(|w, env| w.add_host(env, "db"));
    for crash in [false, true] {
        let listener =
            p.call(|w, env| w.socket(env, host, Domain::Unix, SocketKind::Stream)).unwrap();
        let name = if crash { "/crashed" } else { "/killed" };
        assert_eq!(p.bind(listener, name), "ok");
        p.call(|w, env| w.listen(env, listener, 4)).unwrap();
        let (a, b) = p.call(|w, env| w.socket_pair(env, host, SocketKind::Stream)).unwrap();
        let (r, w) = p.call(|w, env| w.pipe(env, host)).unwrap();
        let counter = p.call(|w, env| w.eventfd(env, host, 1, false)).unwrap();
        let control = [Control::Rights(vec![r, w, a, counter, listener])];
        let message = Message { data: b"x", to: None, control: &control };
        p.call(|w, env| w.send_message(env, b, message)).unwrap();
        p.call(|w, env| if crash { w.crash(env, host) } else { w.kill(env, host) });
        assert!(p.call(|w, _| w.descriptions().is_empty()));
        p.call(|w, env| w.restart(env, host));
        let client =
            p.call(|w, env| w.socket(env, host, Domain::Unix, SocketKind::Stream)).unwrap();
        let answer = p.connect(client, name);
        // A power loss may take a name that was not synced.
        let lost = crash && answer == "ENOENT";
        assert!(
            lost || answer == "ECONNREFUSED",
            "the listener is gone, the name is left: {answer}"
        );
        p.close(client);
    }
}
