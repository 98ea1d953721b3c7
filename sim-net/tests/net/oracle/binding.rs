//! TCP on loopback, ports and TIME_WAIT: cases of `probe_net.py`.

use super::{Answers, Case, connect_blocking, outcome, pause, states};
use crate::wire::{Net, Sock, addr};
use serde_json::json;
use sim_core::Result;
use sim_core::backend::{Domain, SocketKind, SocketOption};
use std::net::SocketAddr;

pub(super) const CASES: &[(&str, Case)] = &[
    ("tcp.bind_conflict_listener", bind_conflict),
    ("tcp.bind_conflict_listener_reuseaddr", bind_conflict_reuse),
    ("tcp.two_bound_reuseaddr_not_listening", two_bound),
    ("tcp.reuseport", reuseport),
    ("tcp.bind_misc", bind_misc),
    ("tcp.time_wait_server_active_close", time_wait_server),
    ("tcp.time_wait_client_active_close", time_wait_client),
    ("tcp.rebind_with_established_child", rebind_child),
    ("tcp.rebind_with_established_child_reuse_both", rebind_child_reuse),
    ("tcp.same_4tuple_in_TIME_WAIT", same_pair_time_wait),
    ("tcp.same_4tuple_in_use", same_pair_in_use),
    ("tcp.ephemeral", ephemeral),
];

/// A socket that tries to bind, and perhaps to listen.
struct Bind {
    at: String,
    domain: Domain,
    options: &'static [SocketOption],
    listen: bool,
}

const RA: &[SocketOption] = &[SocketOption::ReuseAddr(true)];

const RP: &[SocketOption] = &[SocketOption::ReusePort(true)];

fn at(ip: &str, port: u16) -> Bind {
    Bind { at: format!("{ip}:{port}"), domain: Domain::Inet, options: &[], listen: false }
}

impl Bind {
    fn with(self, options: &'static [SocketOption]) -> Self {
        Self { options, ..self }
    }
    fn v6(self, options: &'static [SocketOption]) -> Self {
        Self { domain: Domain::Inet6, options, ..self }
    }
    fn listen(self) -> Self {
        Self { listen: true, ..self }
    }
    fn run(self, net: &mut Net) -> String {
        let s = net.socket_of(0, self.domain, SocketKind::Stream);
        self.options.iter().for_each(|&option| net.set(s, option));
        let bound = net.bind(s, addr(&self.at));
        let mut text = format!("bind={}", outcome(&bound));
        if self.listen && bound.is_ok() {
            let listening: Result<()> = net.listen(s, 5);
            text += &format!(" listen={}", outcome(&listening));
        }
        net.close(s);
        text
    }
}

fn bind_conflict(a: &mut Answers) {
    let net = &mut Net::loopback();
    let l = net.listener(0, "127.0.0.1", 16);
    let p = net.local(l).port();
    a.is("same", at("127.0.0.1", p).run(net));
    a.is("same_reuseaddr", at("127.0.0.1", p).with(RA).run(net));
    a.is("wild", at("0.0.0.0", p).run(net));
    a.is("wild_reuse", at("0.0.0.0", p).with(RA).run(net));
    a.is("other_ip", at("127.0.0.2", p).run(net));
    a.is("v6any", at("[::]", p).v6(&[]).run(net));
    a.is("v6only", at("[::]", p).v6(&[SocketOption::V6Only(true)]).run(net));
}

fn reuse_listener(net: &mut Net) -> (Sock, u16) {
    let l = net.tcp(0);
    net.set(l, SocketOption::ReuseAddr(true));
    net.bind(l, addr("127.0.0.1:0")).unwrap();
    net.listen(l, 16).unwrap();
    (l, net.local(l).port())
}

fn bind_conflict_reuse(a: &mut Answers) {
    let net = &mut Net::loopback();
    let (_, p) = reuse_listener(net);
    a.is("same", at("127.0.0.1", p).run(net));
    a.is("same_reuse", at("127.0.0.1", p).with(RA).run(net));
    a.is("wild_reuse", at("0.0.0.0", p).with(RA).run(net));
}

fn two_bound(a: &mut Answers) {
    let net = &mut Net::loopback();
    let (s, t) = (net.tcp(0), net.tcp(0));
    net.set(s, SocketOption::ReuseAddr(true));
    net.bind(s, addr("127.0.0.1:0")).unwrap();
    let to = net.local(s);
    net.set(t, SocketOption::ReuseAddr(true));
    a.is("bind2", outcome(&net.bind(t, to)));
    a.is("l1", outcome(&net.listen(s, 1)));
    a.is("l2", outcome(&net.listen(t, 1)));
}

fn reuseport(a: &mut Answers) {
    let net = &mut Net::loopback();
    let s = net.tcp(0);
    net.set(s, SocketOption::ReusePort(true));
    net.bind(s, addr("127.0.0.1:0")).unwrap();
    let p = net.local(s).port();
    net.listen(s, 5).unwrap();
    a.is("both", at("127.0.0.1", p).with(RP).listen().run(net));
    a.is("one", at("127.0.0.1", p).listen().run(net));
    a.is("ra_only", at("127.0.0.1", p).with(RA).listen().run(net));
}

fn bind_misc(a: &mut Answers) {
    let net = &mut Net::loopback();
    a.is("nonlocal_", at("10.255.255.1", 0).run(net));
    a.is("priv_root", at("127.0.0.1", 81).run(net));
    a.is("bcast", at("255.255.255.255", 0).run(net));
    a.is("v4_on_v6", "");
}

fn time_wait_server(a: &mut Answers) {
    let net = &mut Net::loopback();
    let l = net.listener(0, "127.0.0.1", 16);
    let p = net.local(l).port();
    let (c, s) = net.pair_with(0, l);
    net.close(s);
    pause(net);
    net.close(c);
    pause(net);
    net.close(l);
    a.skip("states", "the port numbers are the recording's");
    assert_eq!(states(net, p), ["TIME_WAIT"]);
    a.is("rebind_no_reuse", at("127.0.0.1", p).listen().run(net));
    a.is("rebind_reuse", at("127.0.0.1", p).with(RA).listen().run(net));
}

fn time_wait_client(a: &mut Answers) {
    let net = &mut Net::loopback();
    let l = net.listener(0, "127.0.0.1", 16);
    let p = net.local(l).port();
    let (c, s) = net.pair_with(0, l);
    net.close(c);
    pause(net);
    net.close(s);
    pause(net);
    net.close(l);
    a.is("states", states(net, p));
    a.is("server_rebind_no_reuse", at("127.0.0.1", p).listen().run(net));
}

fn rebind_child(a: &mut Answers) {
    let net = &mut Net::loopback();
    let l = net.listener(0, "127.0.0.1", 16);
    let p = net.local(l).port();
    let _pair = net.pair_with(0, l);
    net.close(l);
    a.is("no_reuse", at("127.0.0.1", p).listen().run(net));
    a.is("reuse_new_only", at("127.0.0.1", p).with(RA).listen().run(net));
}

fn rebind_child_reuse(a: &mut Answers) {
    let net = &mut Net::loopback();
    let (l, p) = reuse_listener(net);
    let _pair = net.pair_with(0, l);
    net.close(l);
    a.is("no_reuse", at("127.0.0.1", p).listen().run(net));
    a.is("reuse", at("127.0.0.1", p).with(RA).listen().run(net));
}

/// A pair in TIME_WAIT on the client's side, and a second socket bound to the same address.
fn same_pair() -> (Net, SocketAddr, SocketAddr) {
    let mut net = Net::loopback();
    let l = net.listener(0, "127.0.0.1", 16);
    let (to, c) = (net.local(l), net.tcp(0));
    net.set(c, SocketOption::ReuseAddr(true));
    net.bind(c, addr("127.0.0.1:0")).unwrap();
    let from = net.local(c);
    assert_eq!(connect_blocking(&mut net, c, to).0, "ok");
    let s = net.accept(l).unwrap().0;
    net.close(c);
    pause(&mut net);
    net.close(s);
    pause(&mut net);
    assert!(states(&net, from.port()).contains(&"TIME_WAIT"));
    (net, from, to)
}

fn connect_from(net: &mut Net, from: SocketAddr, to: SocketAddr) -> (String, String) {
    let c = net.tcp(0);
    net.set(c, SocketOption::ReuseAddr(true));
    let bound = outcome(&net.bind(c, from));
    (bound, connect_blocking(net, c, to).0)
}

fn same_pair_time_wait(a: &mut Answers) {
    let (mut net, from, to) = same_pair();
    let (bind, connect) = connect_from(&mut net, from, to);
    a.is("bind", bind);
    a.is("connect", connect);
}

fn same_pair_in_use(a: &mut Answers) {
    let (mut net, from, to) = same_pair();
    connect_from(&mut net, from, to);
    let (bind, connect) = connect_from(&mut net, from, to);
    a.is("bind", bind);
    a.is("connect", connect);
}

fn ephemeral(a: &mut Answers) {
    let net = &mut Net::loopback();
    let mut bound = Vec::new();
    for _ in 0..200 {
        let s = net.tcp(0);
        net.bind(s, addr("127.0.0.1:0")).unwrap();
        bound.push(net.local(s).port());
        net.close(s);
    }
    let l = net.listener(0, "127.0.0.1", 256);
    let mut connected = Vec::new();
    for _ in 0..200 {
        let (c, s) = net.pair_with(0, l);
        connected.push(net.local(c).port());
        net.close(c);
        net.close(s);
    }
    a.is("bind0_odd", bound.iter().filter(|&port| port % 2 == 1).count());
    a.is("connect_odd", connected.iter().filter(|&port| port % 2 == 1).count());
    let mut distinct = bound.clone();
    distinct.sort_unstable();
    distinct.dedup();
    a.within("bind0_distinct", distinct.len() as f64, 0.9, 1.1);
    assert!(bound.iter().chain(&connected).all(|port| (32_768..=60_999).contains(port)));
    a.skip("connect_first", "random");
    a.skip("bind_first", "random");
    a.is("range", json!(["32768", "60999"]));
}
