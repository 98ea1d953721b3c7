//! TCP on loopback, connecting, listening and IPv6: cases of `probe_net.py`.

use super::stream::LINGER0;
use super::{Answers, Case, connect_blocking, ep, outcome, pause, recv, send, so_error, states};
use crate::wire::{Net, Sock, addr};
use serde_json::{Value, json};
use sim_core::Errno;
use sim_core::backend::{Domain, Readiness, Shutdown, SocketKind, SocketOption};
use sim_net::State;
use std::net::SocketAddr;
use std::time::Duration;

pub(super) const CASES: &[(&str, Case)] = &[
    ("tcp.fresh_unconnected", fresh_unconnected),
    ("tcp.bound_only", bound_only),
    ("tcp.connect_refused_blocking", refused_blocking),
    ("tcp.connect_refused_nonblocking", refused_nonblocking),
    ("tcp.refused_then_op_without_SO_ERROR", refused_then_op),
    ("tcp.connect_ok_nonblocking", connect_ok),
    ("tcp.backlog0_four_connects", backlog0),
    ("tcp.backlog_drain_then_connect_completes", backlog_drain),
    ("tcp.backlog_1_established_without_accept", |a| backlog_n(a, 1)),
    ("tcp.backlog_2_established_without_accept", |a| backlog_n(a, 2)),
    ("tcp.backlog_5_established_without_accept", |a| backlog_n(a, 5)),
    ("tcp.client_RST_before_accept", rst_before_accept),
    ("tcp.client_sends_closes_before_accept", closes_before_accept),
    ("tcp.listener", listener),
    ("tcp.listener_close_with_pending", listener_close_pending),
    ("tcp.listener_SHUT_RD", listener_shut_rd),
    ("tcp.self_connect", self_connect),
    ("tcp.connect_special", connect_special),
    ("v6.loopback", v6_loopback),
    ("v6.dual_stack_mapped", v6_dual),
    ("v6.errors", v6_errors),
];

fn dead_port(net: &mut Net) -> SocketAddr {
    let l = net.listener(0, "127.0.0.1", 16);
    let to = net.local(l);
    net.close(l);
    to
}

fn fresh_unconnected(a: &mut Answers) {
    let net = &mut Net::loopback();
    let s = net.tcp(0);
    a.is("ep", ep(net, s));
    a.is("recv", recv(net, s, 1));
    a.is("send", send(net, s, b"x"));
    a.is("getpeername", outcome(&net.peer(s)));
    a.is("shutdown", outcome(&net.shutdown(s, Shutdown::Write)));
    a.is("accept", outcome(&net.accept(s)));
}

fn bound_only(a: &mut Answers) {
    let net = &mut Net::loopback();
    let s = net.tcp(0);
    net.bind(s, addr("127.0.0.1:0")).unwrap();
    a.is("ep", ep(net, s));
    a.is("bind_again", outcome(&net.bind(s, addr("127.0.0.1:0"))));
}

fn refused_blocking(a: &mut Answers) {
    let net = &mut Net::loopback();
    let (to, s) = (dead_port(net), net.tcp(0));
    a.is("connect", connect_blocking(net, s, to).0);
}

fn refused_nonblocking(a: &mut Answers) {
    let net = &mut Net::loopback();
    let (to, s) = (dead_port(net), net.tcp(0));
    a.is("connect", outcome(&net.connect(s, to)));
    a.is("ep1", ep(net, s));
    a.is("so_error", so_error(net, s));
    a.is("so_error2", so_error(net, s));
    a.is("ep2", ep(net, s));
    a.is("connect_again", outcome(&net.connect(s, to)));
    a.is("send", send(net, s, b"x"));
}

fn refused_then_op(a: &mut Answers) {
    let net = &mut Net::loopback();
    let (to, s) = (dead_port(net), net.tcp(0));
    assert!(net.connect(s, to).is_err());
    a.is("send", send(net, s, b"x"));
    a.is("send2", send(net, s, b"x"));
    a.is("recv", recv(net, s, 1));
    a.is("so", so_error(net, s));
}

fn connect_ok(a: &mut Answers) {
    let net = &mut Net::loopback();
    let l = net.listener(0, "127.0.0.1", 16);
    let (to, s) = (net.local(l), net.tcp(0));
    a.is("connect", outcome(&net.connect(s, to)));
    a.is("ep", ep(net, s));
    a.is("so_error", so_error(net, s));
    a.is("connect2", outcome(&net.connect(s, to)));
    a.is("connect3", outcome(&net.connect(s, to)));
    a.is("getpeer", outcome(&net.peer(s)));
}

fn four_connects(net: &mut Net) -> (Sock, Vec<Sock>, Vec<Value>) {
    let l = net.listener(0, "127.0.0.1", 0);
    let to = net.local(l);
    let (mut clients, mut out) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let c = net.tcp(0);
        let r = outcome(&net.connect(c, to));
        net.run_ms(20);
        out.push(json!([r, net.poll(c).to_string(), net.state(c).name()]));
        clients.push(c);
    }
    (l, clients, out)
}

fn backlog0(a: &mut Answers) {
    let net = &mut Net::loopback();
    let (l, c, out) = four_connects(net);
    let to = net.local(l);
    a.is("res", out);
    a.is("connect_again_pending", outcome(&net.connect(c[3], to)));
    a.is("listener_ep", ep(net, l));
    a.is("send_pending", send(net, c[3], b"x"));
    a.is("recv_pending", recv(net, c[3], 1));
    let recorded = a.recorded("states");
    let names = |value: &Value| {
        value.as_str().and_then(|text| text.split(':').nth(1)).unwrap_or("?").to_string()
    };
    let mut want: Vec<String> = recorded.as_array().unwrap().iter().map(names).collect();
    let mut got = states(net, to.port());
    want.sort();
    got.sort_unstable();
    if want != got {
        a.differs(format!("states: Linux {want:?}, here {got:?}"));
    }
}

fn backlog_drain(a: &mut Answers) {
    let net = &mut Net::loopback();
    let (l, c, _) = four_connects(net);
    net.accept(l).unwrap();
    let took = net.run_until(Duration::from_secs(8), |net| net.poll(c[3]) != Readiness::NONE);
    a.is("bits", if took.is_some() { "OUT" } else { "-" });
    a.near("secs", Some(took.unwrap_or(Duration::from_secs(8))));
}

fn backlog_n(a: &mut Answers, backlog: u32) {
    let net = &mut Net::loopback();
    let l = net.listener(0, "127.0.0.1", backlog);
    let to = net.local(l);
    let clients: Vec<Sock> = (0..backlog + 4).map(|_| net.tcp(0)).collect();
    for &c in &clients {
        assert!(net.connect(c, to).is_err());
        net.run_ms(10);
    }
    a.is("n", clients.iter().filter(|&&c| net.state(c) == State::Established).count());
    let mut names = states(net, to.port());
    names.sort_unstable();
    names.dedup();
    a.is("states", names);
}

fn rst_before_accept(a: &mut Answers) {
    let net = &mut Net::loopback();
    let l = net.listener(0, "127.0.0.1", 16);
    let (c, to) = (net.tcp(0), net.local(l));
    assert_eq!(connect_blocking(net, c, to).0, "ok");
    net.set(c, LINGER0);
    net.close(c);
    pause(net);
    a.is("listener_ep", ep(net, l));
    let accepted = net.accept(l);
    a.is("accept", outcome(&accepted));
    let s = accepted.unwrap().0;
    a.is("ep", ep(net, s));
    a.is("recv", recv(net, s, 1));
    a.is("send", send(net, s, b"x"));
    a.is("getpeer", outcome(&net.peer(s)));
}

fn closes_before_accept(a: &mut Answers) {
    let net = &mut Net::loopback();
    let l = net.listener(0, "127.0.0.1", 16);
    let (c, to) = (net.tcp(0), net.local(l));
    assert_eq!(connect_blocking(net, c, to).0, "ok");
    net.send(c, b"hey").unwrap();
    net.close(c);
    pause(net);
    let s = net.accept(l).unwrap().0;
    a.is("ep", ep(net, s));
    a.is("recv", recv(net, s, 10));
    a.is("recv2", recv(net, s, 10));
}

fn listener(a: &mut Answers) {
    let net = &mut Net::loopback();
    let l = net.listener(0, "127.0.0.1", 16);
    a.is("ep_empty", ep(net, l));
    a.is("accept", outcome(&net.accept(l)));
    a.is("recv", recv(net, l, 1));
    a.is("send", send(net, l, b"x"));
    a.is("connect", outcome(&net.connect(l, addr("127.0.0.1:1"))));
}

fn listener_close_pending(a: &mut Answers) {
    let net = &mut Net::loopback();
    let l = net.listener(0, "127.0.0.1", 16);
    let (c, to) = (net.tcp(0), net.local(l));
    assert!(net.connect(c, to).is_err());
    pause(net);
    net.close(l);
    a.is("client_ep", ep(net, c));
    a.is("recv", recv(net, c, 1));
}

fn listener_shut_rd(a: &mut Answers) {
    let net = &mut Net::loopback();
    let l = net.listener(0, "127.0.0.1", 16);
    let to = net.local(l);
    a.is("shut", outcome(&net.shutdown(l, Shutdown::Read)));
    a.is("ep", ep(net, l));
    a.is("accept", outcome(&net.accept(l)));
    let c = net.tcp(0);
    a.is("connect", connect_blocking(net, c, to).0);
    let again = net.call(l, |stack, env, id| stack.listen(env, id, 5));
    a.is("listen_again", outcome(&again));
}

fn self_connect(a: &mut Answers) {
    let net = &mut Net::loopback();
    let s = net.tcp(0);
    net.bind(s, addr("127.0.0.1:0")).unwrap();
    let own = net.local(s);
    a.is("connect", connect_blocking(net, s, own).0);
    net.send(s, b"me").unwrap();
    a.is("recv", recv(net, s, 10));
    a.is("state", net.state(s).name());
}

fn connect_special(a: &mut Answers) {
    let net = &mut Net::loopback();
    let l = net.listener(0, "0.0.0.0", 16);
    let p = net.local(l).port();
    for (key, to) in [
        ("to_0000", format!("0.0.0.0:{p}")),
        ("bcast", format!("255.255.255.255:{p}")),
        ("mcast", format!("224.0.0.1:{p}")),
        ("port0", String::from("127.0.0.1:0")),
        ("any127", format!("127.9.9.9:{p}")),
    ] {
        let s = net.tcp(0);
        a.is(key, connect_blocking(net, s, addr(&to)).0);
    }
}

fn v6_loopback(a: &mut Answers) {
    let net = &mut Net::loopback();
    let l = net.socket_of(0, Domain::Inet6, SocketKind::Stream);
    net.bind(l, addr("[::1]:0")).unwrap();
    net.listen(l, 16).unwrap();
    let (c, to) = (net.socket_of(0, Domain::Inet6, SocketKind::Stream), net.local(l));
    assert_eq!(connect_blocking(net, c, to).0, "ok");
    let recorded = a.recorded("name");
    let own = net.local(c);
    if recorded[0] != json!(own.ip().to_string()) {
        a.differs(format!("name: Linux {recorded}, here {own}"));
    }
}

fn v6_dual(a: &mut Answers) {
    let net = &mut Net::loopback();
    let l = net.socket_of(0, Domain::Inet6, SocketKind::Stream);
    net.set(l, SocketOption::V6Only(false));
    net.bind(l, addr("[::]:0")).unwrap();
    net.listen(l, 5).unwrap();
    let p = net.local(l).port();
    let c = net.tcp(0);
    assert_eq!(connect_blocking(net, c, addr(&format!("127.0.0.1:{p}"))).0, "ok");
    let (s, peer) = net.accept(l).unwrap();
    assert_eq!(net.peer(s), Ok(peer));
    a.is("peer", peer.ip().to_string());
    let other = net.tcp(0);
    a.is("bind_v4_same_port", outcome(&net.bind(other, addr(&format!("0.0.0.0:{p}")))));
}

fn v6_errors(a: &mut Answers) {
    let net = &mut Net::loopback();
    let socket = |net: &mut Net| net.socket_of(0, Domain::Inet6, SocketKind::Stream);
    let s = socket(net);
    a.is("linklocal_noscope", outcome(&net.connect(s, addr("[fe80::1]:80"))));
    let s = socket(net);
    a.skip(
        "global_noroute",
        "EHOSTUNREACH on the recording host alone; the other recording has ENETUNREACH",
    );
    assert_eq!(net.connect(s, addr("[2001:db8::1]:80")), Err(Errno::ENETUNREACH));
    let s = socket(net);
    a.is("bind_nonlocal", outcome(&net.bind(s, addr("[2001:db8::1]:0"))));
    let s = socket(net);
    net.set(s, SocketOption::V6Only(true));
    a.is("v4_socket_v6only", outcome(&net.connect(s, addr("[::ffff:127.0.0.1]:80"))));
}
