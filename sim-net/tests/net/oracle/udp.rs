//! Datagrams on loopback: the cases of `probe_net.py`, `udp`.

use super::{Answers, Case, count, ep, length, outcome, recv, send};
use crate::wire::{Net, Sock, addr};
use sim_core::backend::{OptionName, RecvFlags, Shutdown, SocketOption};
use std::net::SocketAddr;

pub(super) const CASES: &[(&str, Case)] = &[
    ("udp.fresh", fresh),
    ("udp.truncate", truncate),
    ("udp.MSG_TRUNC_flag_returns_full_len", whole_len),
    ("udp.zero_len", zero_len),
    ("udp.sizes", sizes),
    ("udp.recv_max", recv_max),
    ("udp.unconnected_to_closed_port", unconnected_closed),
    ("udp.connected_to_closed_port", connected_closed),
    ("udp.connected_filters_peer", connected_filters),
    ("udp.errors", errors),
    ("udp.rcvbuf_overflow_silent_drop", overflow),
    ("udp.shutdown_unconnected", shutdown_unconnected),
    ("udp.shutdown_connected", shutdown_connected),
    ("udp.shutdown_rdwr", shutdown_rdwr),
    ("udp.bind", bind),
];

/// A sender, and a receiver with its address.
fn two() -> (Net, Sock, Sock, SocketAddr) {
    let mut net = Net::loopback();
    let (s, r) = (net.udp(0), net.udp(0));
    net.bind(r, addr("127.0.0.1:0")).unwrap();
    let to = net.local(r);
    (net, s, r, to)
}

fn closed(net: &mut Net) -> SocketAddr {
    let d = net.udp(0);
    net.bind(d, addr("127.0.0.1:0")).unwrap();
    let to = net.local(d);
    net.close(d);
    to
}

fn fresh(a: &mut Answers) {
    let net = &mut Net::loopback();
    let s = net.udp(0);
    a.is("ep", ep(net, s));
    a.is("recv", recv(net, s, 1));
    a.is("send_noaddr", send(net, s, b"x"));
    a.is("listen", outcome(&net.listen(s, 1)));
    a.is("accept", outcome(&net.accept(s)));
}

fn truncate(a: &mut Answers) {
    let (mut net, s, r, to) = two();
    net.send_to(s, b"hello", to).unwrap();
    let mut into = [0; 3];
    let got = net
        .call(r, |stack, env, id| stack.recv_from(env, id, &mut into, RecvFlags::default()))
        .unwrap();
    assert_eq!(got.from, net.local(s).to_string().replace("0.0.0.0", "127.0.0.1").parse().unwrap());
    a.is("n", format!("b'{}'", String::from_utf8_lossy(&into[..got.len])));
    a.is("MSG_TRUNC", got.truncated);
    a.is("rest", recv(&mut net, r, 10));
}

fn whole_len(a: &mut Answers) {
    let (mut net, s, r, to) = two();
    net.send_to(s, b"hello", to).unwrap();
    let flags = RecvFlags { whole_len: true, peek: false };
    a.is("n", net.call(r, |stack, env, id| stack.recv(env, id, &mut [0; 3], flags)).unwrap());
}

fn zero_len(a: &mut Answers) {
    let (mut net, s, r, to) = two();
    net.send_to(s, b"", to).unwrap();
    a.is("ep", ep(&mut net, r));
    a.is("recv", recv(&mut net, r, 10));
    a.is("again", recv(&mut net, r, 10));
}

fn sizes(a: &mut Answers) {
    let (mut net, s, _, to) = two();
    a.is("s65507", count(&net.send_to(s, &vec![b'x'; 65_507], to)));
    a.is("s65508", count(&net.send_to(s, &vec![b'x'; 65_508], to)));
}

fn recv_max(a: &mut Answers) {
    let (mut net, s, r, to) = two();
    net.send_to(s, &vec![b'x'; 65_507], to).unwrap();
    a.is("n", length(&net.recv(r, 70_000)));
}

fn unconnected_closed(a: &mut Answers) {
    let net = &mut Net::loopback();
    let (to, u) = (closed(net), net.udp(0));
    a.is("s1", count(&net.send_to(u, b"x", to)));
    a.is("s2", count(&net.send_to(u, b"x", to)));
    a.is("ep", ep(net, u));
    a.is("recv", recv(net, u, 1));
}

fn connected_closed(a: &mut Answers) {
    let net = &mut Net::loopback();
    let (to, u) = (closed(net), net.udp(0));
    net.connect(u, to).unwrap();
    a.is("s1", send(net, u, b"x"));
    a.is("ep", ep(net, u));
    a.is("s2", send(net, u, b"x"));
    a.is("s3", send(net, u, b"x"));
    a.is("recv", recv(net, u, 1));
    a.is("recv2", recv(net, u, 1));
    a.is("ep3", ep(net, u));
}

fn connected_filters(a: &mut Answers) {
    let (mut net, _, r, to) = two();
    let (u, v) = (net.udp(0), net.udp(0));
    net.connect(u, to).unwrap();
    let own = net.local(u);
    net.send_to(v, b"evil", own).unwrap();
    net.send_to(r, b"good", own).unwrap();
    a.is("recv", format!("b'{}'", String::from_utf8_lossy(&net.recv(u, 10).unwrap())));
    a.is("again", recv(&mut net, u, 10));
}

fn errors(a: &mut Answers) {
    let (mut net, s, _, to) = two();
    a.is("bcast_no_opt", count(&net.send_to(s, b"x", addr("255.255.255.255:9"))));
    a.is("port0", count(&net.send_to(s, b"x", addr("127.0.0.1:0"))));
    let (u, other) = (net.udp(0), net.udp(0));
    net.bind(other, addr("127.0.0.1:0")).unwrap();
    let elsewhere = net.local(other);
    net.connect(u, to).unwrap();
    a.is("connected_sendto_other", count(&net.send_to(u, b"x", elsewhere)));
    assert_eq!(net.recv(other, 9).unwrap(), b"x");
}

fn overflow(a: &mut Answers) {
    let (mut net, s, _, _) = two();
    let r = net.udp(0);
    net.set(r, SocketOption::ReceiveBuffer(4096));
    net.bind(r, addr("127.0.0.1:0")).unwrap();
    let to = net.local(r);
    a.is("sent_ok", (0..100).filter(|_| net.send_to(s, &[b'z'; 100], to) == Ok(100)).count());
    a.is("received", (0..100).filter(|_| net.recv(r, 200).is_ok()).count());
    let size = net.call(r, |stack, env, id| stack.option(env, id, OptionName::ReceiveBuffer));
    a.is("rcvbuf", if size == Ok(SocketOption::ReceiveBuffer(8192)) { 8192 } else { 0 });
}

fn shutdown_unconnected(a: &mut Answers) {
    let net = &mut Net::loopback();
    let u = net.udp(0);
    a.is("r", outcome(&net.shutdown(u, Shutdown::Read)));
    a.is("ep", ep(net, u));
}

fn shutdown_connected(a: &mut Answers) {
    let (mut net, u, _, to) = two();
    net.connect(u, to).unwrap();
    a.is("rd", outcome(&net.shutdown(u, Shutdown::Read)));
    a.is("ep", ep(&mut net, u));
    a.is("recv", recv(&mut net, u, 1));
}

fn shutdown_rdwr(a: &mut Answers) {
    let (mut net, u, _, to) = two();
    net.connect(u, to).unwrap();
    net.shutdown(u, Shutdown::Both).unwrap();
    a.is("ep", ep(&mut net, u));
    a.is("send", send(&mut net, u, b"x"));
}

fn bind(a: &mut Answers) {
    let (mut net, s, _, to) = two();
    let b = net.udp(0);
    a.is("same", outcome(&net.bind(b, to)));
    let (first, last) = (net.udp(0), net.udp(0));
    net.set(first, SocketOption::ReuseAddr(true));
    net.bind(first, addr("127.0.0.1:0")).unwrap();
    let shared = net.local(first);
    net.set(last, SocketOption::ReuseAddr(true));
    a.is("reuseaddr_both", outcome(&net.bind(last, shared)));
    net.send_to(s, b"x", shared).unwrap();
    a.is("who_gets", if net.recv(last, 1).is_ok() { "last" } else { "first" });
}
