//! Two hosts: the cases of `probe_netns.py`. Its hole in the network is a one-way cut here.

use super::{
    Answers, Case, connect_blocking, count, drain, ep, fill, outcome, recv, send, so_error,
};
use crate::wire::{Net, Sock, addr, host, ip};
use serde_json::json;
use sim_core::Errno;
use sim_core::backend::{Domain, OptionName, Readiness, Shutdown, SocketKind, SocketOption};
use sim_core::choice::Ratio;
use sim_net::{LinkConfig, State};
use std::net::SocketAddr;
use std::time::Duration;

pub(super) const CASES: &[(&str, Case)] = &[
    ("net.no_route", no_route),
    ("net.arp_fail_blocking", arp_blocking),
    ("net.arp_fail_nonblocking", arp_nonblocking),
    ("net.arp_fail_udp_connected", arp_udp),
    ("net.remote_refused", remote_refused),
    ("net.connect_timeout_SYNCNT=1", |a| syn_count(a, 1)),
    ("net.connect_timeout_SYNCNT=2", |a| syn_count(a, 2)),
    ("net.connect_timeout_nonblock", syn_count_nonblocking),
    ("net.connect_TCP_USER_TIMEOUT_1500", connect_user_timeout),
    ("net.rto_timeline(t,retrans,rto_us)", rto_timeline),
    ("net.TCP_USER_TIMEOUT_2000", user_timeout),
    ("net.after_timeout_peer_learns", peer_learns),
    ("net.keepalive(1,1,2)_dead_peer", keepalive_dead),
    ("net.keepalive_peer_rebooted(RST)", keepalive_rebooted),
    ("net.half_open_reader_learns_nothing", half_open),
    ("net.ephemeral_exhaustion(range of 4)", exhaustion),
    ("net.ephemeral_after_close(client TIME_WAIT?)", exhaustion_after_close),
    ("net.mtu", mtu),
    ("net.udp_remote_refused", udp_refused),
    ("net.abort_on_overflow_backlog0", overflow),
    ("net.somaxconn_2_listen_1000", somaxconn),
    ("net.backlog_drain_single_pending", drain_single),
    ("net.zero_window", zero_window),
    ("net.close_does_not_lose_queued_data", close_keeps_data),
    ("net.simultaneous_open", simultaneous_open),
    ("net.simultaneous_close", simultaneous_close),
];

/// Two hosts over a link as quick as the recording's.
fn two() -> Net {
    Net::new(
        1,
        2,
        LinkConfig {
            latency_min_ns: 10_000,
            latency_jitter_ns: 0,
            loss: Ratio::ZERO,
            ..LinkConfig::default()
        },
    )
}

fn pair() -> (Net, Sock, Sock) {
    let mut net = two();
    let (c, a) = net.pair(0, 1);
    (net, c, a)
}

fn hole(net: &mut Net) {
    net.fabric.cut(host(0), host(1));
}

fn on(n: usize, port: u16) -> SocketAddr {
    SocketAddr::new(ip(n), port)
}

/// What epoll would report for IN, RDHUP and `OUT` if asked, ERR and HUP: at once or within `most`.
fn wait_event(net: &mut Net, s: Sock, most: u64, out: bool) -> (String, Duration) {
    let mut mask = Readiness::READ | Readiness::ERR | Readiness::HUP;
    if out {
        mask |= Readiness::OUT;
    }
    let took =
        net.run_until(Duration::from_secs(most), |net| (net.poll(s) & mask) != Readiness::NONE);
    ((net.poll(s) & mask).to_string(), took.unwrap_or(Duration::from_secs(most)))
}

fn no_route(a: &mut Answers) {
    let mut net = Net::loopback();
    net.stacks.of(host(0)).set_addresses(Vec::new());
    let (t, u) = (net.tcp(0), net.udp(0));
    a.is("tcp", outcome(&net.connect(t, addr("192.0.2.1:80"))));
    a.is("udp", count(&net.send_to(u, b"x", addr("192.0.2.1:80"))));
    let v6 = net.socket_of(0, Domain::Inet6, SocketKind::Stream);
    a.is("v6", outcome(&net.connect(v6, addr("[2001:db8::1]:80"))));
}

fn arp_blocking(a: &mut Answers) {
    let mut net = two();
    let s = net.tcp(0);
    let (r, took) = connect_blocking(&mut net, s, on(76, 80));
    a.is("r", r);
    a.near("secs", Some(took));
}

fn arp_nonblocking(a: &mut Answers) {
    let mut net = two();
    let s = net.tcp(0);
    a.is("r", outcome(&net.connect(s, on(77, 80))));
    let event = wait_event(&mut net, s, 10, true);
    a.event("ev", event);
    a.is("so", so_error(&mut net, s));
}

fn arp_udp(a: &mut Answers) {
    let mut net = two();
    let u = net.udp(0);
    net.connect(u, on(78, 80)).unwrap();
    a.is("send", send(&mut net, u, b"x"));
    let event = wait_event(&mut net, u, 5, false);
    a.event("ev", event);
    a.is("next", send(&mut net, u, b"x"));
}

fn remote_refused(a: &mut Answers) {
    let mut net = two();
    let s = net.tcp(0);
    a.is("tcp", connect_blocking(&mut net, s, on(1, 9)).0);
}

fn syn_count(a: &mut Answers, n: u32) {
    let mut net = two();
    hole(&mut net);
    let s = net.tcp(0);
    net.set(s, SocketOption::SynCount(n));
    let (r, took) = connect_blocking(&mut net, s, on(1, 80));
    a.is("r", r);
    a.near("secs", Some(took));
}

fn syn_count_nonblocking(a: &mut Answers) {
    let mut net = two();
    hole(&mut net);
    let s = net.tcp(0);
    net.set(s, SocketOption::SynCount(1));
    assert_eq!(net.connect(s, on(1, 80)), Err(Errno::EINPROGRESS));
    let event = wait_event(&mut net, s, 10, true);
    a.event("ev", event);
    a.is("so", so_error(&mut net, s));
}

fn connect_user_timeout(a: &mut Answers) {
    let mut net = two();
    hole(&mut net);
    let s = net.tcp(0);
    net.set(s, SocketOption::UserTimeout(Duration::from_millis(1500)));
    let (r, took) = connect_blocking(&mut net, s, on(1, 80));
    a.is("r", r);
    a.near("secs", Some(took));
}

fn rto_timeline(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.send(c, b"w").unwrap();
    net.run_ms(50);
    net.recv(s, 1).unwrap();
    hole(&mut net);
    let (begun, mut lost, mut times) = (net.env.now, net.lost, Vec::new());
    net.send(c, b"x").unwrap();
    net.run_until(Duration::from_secs(7), |net| {
        if net.lost > lost {
            lost = net.lost;
            times.push(net.env.now - begun);
        }
        false
    });
    // The first loss is the segment itself and the second the probe of the tail, which Linux does not count.
    let timeline = a.recorded("tl");
    for (n, entry) in timeline.as_array().unwrap().iter().enumerate() {
        a.compare_seconds("tl", &entry[0], times.get(n + 2).copied());
    }
    net.fabric.heal();
    let event = wait_event(&mut net, s, 8, false);
    a.event("after_heal_arrives", event);
}

/// A connection that gave up because of `TCP_USER_TIMEOUT`, and when.
fn timed_out() -> (Net, Sock, Sock, (String, Duration)) {
    let (mut net, c, s) = pair();
    net.set(c, SocketOption::UserTimeout(Duration::from_secs(2)));
    hole(&mut net);
    net.send(c, b"x").unwrap();
    let event = wait_event(&mut net, c, 10, false);
    (net, c, s, event)
}

fn user_timeout(a: &mut Answers) {
    let (mut net, c, s, event) = timed_out();
    a.event("ev", event);
    a.is("recv", recv(&mut net, c, 1));
    a.is("recv2", recv(&mut net, c, 1));
    a.is("peer_ep", ep(&mut net, s));
}

fn peer_learns(a: &mut Answers) {
    let (mut net, c, s, _) = timed_out();
    net.fabric.heal();
    net.close(c);
    net.run_ms(100);
    a.is("peer_ep", ep(&mut net, s));
    a.is("peer_send", send(&mut net, s, b"x"));
    let event = wait_event(&mut net, s, 1, false);
    a.event("wait", event);
    a.is("recv", recv(&mut net, s, 1));
}

fn keep_alive(net: &mut Net, s: Sock) {
    net.set(s, SocketOption::KeepAlive(true));
    net.set(s, SocketOption::KeepIdle(Duration::from_secs(1)));
    net.set(s, SocketOption::KeepInterval(Duration::from_secs(1)));
    net.set(s, SocketOption::KeepCount(2));
}

fn keepalive_dead(a: &mut Answers) {
    let (mut net, c, _) = pair();
    keep_alive(&mut net, c);
    hole(&mut net);
    let event = wait_event(&mut net, c, 10, false);
    a.event("ev", event);
    a.is("so", so_error(&mut net, c));
}

fn keepalive_rebooted(a: &mut Answers) {
    let (mut net, c, _) = pair();
    net.reboot(1);
    keep_alive(&mut net, c);
    let event = wait_event(&mut net, c, 10, false);
    a.event("ev", event);
    a.is("so", so_error(&mut net, c));
}

fn half_open(a: &mut Answers) {
    let (mut net, c, _) = pair();
    net.reboot(1);
    let event = wait_event(&mut net, c, 2, false);
    a.event("ev", event);
}

/// Six connections from a host with four ports, and the listeners.
fn exhausted() -> (Net, Sock, Sock, Vec<Sock>, Vec<String>) {
    let mut net = two();
    let on_second = ip(1).to_string();
    let (l, m) = (net.listener(1, &on_second, 50), net.listener(1, &on_second, 50));
    let to = net.local(l);
    net.stacks.of(host(0)).set_port_range(40_000..=40_003);
    let (mut clients, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        let c = net.tcp(0);
        answers.push(connect_blocking(&mut net, c, to).0);
        clients.push(c);
    }
    (net, l, m, clients, answers)
}

fn exhaustion(a: &mut Answers) {
    let (mut net, _, m, _, answers) = exhausted();
    a.is("connects", answers);
    let (c, elsewhere) = (net.tcp(0), net.local(m));
    a.is("other_dst", connect_blocking(&mut net, c, elsewhere).0);
    let (b, d) = (net.tcp(0), net.tcp(0));
    a.is("bind0", outcome(&net.bind(b, on(0, 0))));
    a.is("bind_other_ip", outcome(&net.bind(d, addr("127.0.0.1:0"))));
}

fn exhaustion_after_close(a: &mut Answers) {
    let (mut net, l, _, clients, _) = exhausted();
    clients.into_iter().for_each(|c| net.close(c));
    while let Ok((s, _)) = net.accept(l) {
        net.close(s);
    }
    net.run_ms(100);
    let (c, to) = (net.tcp(0), net.local(l));
    a.is("connect", connect_blocking(&mut net, c, to).0);
    net.run(Duration::from_secs(61));
    assert_eq!(connect_blocking(&mut net, c, to).0, "ok", "TIME_WAIT lasts a minute");
}

fn mtu(a: &mut Answers) {
    let mut net = two();
    let (r, u) = (net.udp(1), net.udp(0));
    net.bind(r, on(1, 0)).unwrap();
    let to = net.local(r);
    a.is("dflt_2000", count(&net.send_to(u, &[b'x'; 2000], to)));
    net.run_ms(50);
    a.is("recv", recv(&mut net, r, 3000));
    let how = net.call(u, |stack, env, id| stack.option(env, id, OptionName::MtuDiscover));
    let Ok(SocketOption::MtuDiscover(how)) = how else { panic!("{how:?}") };
    a.is("default_pmtudisc", how);
    net.set(u, SocketOption::MtuDiscover(2));
    a.is("DO_1472", count(&net.send_to(u, &[b'x'; 1472], to)));
    a.is("DO_1473", count(&net.send_to(u, &[b'x'; 1473], to)));
    let (c, _) = net.pair(0, 1);
    let segment = net.call(c, |stack, env, id| stack.option(env, id, OptionName::MaxSegment));
    let Ok(SocketOption::MaxSegment(segment)) = segment else { panic!("{segment:?}") };
    a.is("tcp_mss", segment);
}

fn udp_refused(a: &mut Answers) {
    let mut net = two();
    let u = net.udp(0);
    net.connect(u, on(1, 9)).unwrap();
    net.send(u, b"x").unwrap();
    net.run_ms(50);
    a.is("ep", ep(&mut net, u));
    a.is("recv", recv(&mut net, u, 1));
}

fn overflow(a: &mut Answers) {
    let mut net = Net::loopback();
    let l = net.listener(0, "127.0.0.1", 0);
    let (to, mut out) = (net.local(l), Vec::new());
    for _ in 0..3 {
        let c = net.tcp(0);
        let r = outcome(&net.connect(c, to));
        net.run_ms(50);
        out.push(json!([r, ep(&mut net, c), so_error(&mut net, c), recv(&mut net, c, 1)]));
    }
    a.is("r", out);
}

fn somaxconn(a: &mut Answers) {
    let mut net = Net::loopback();
    net.stacks.of(host(0)).set_max_backlog(2);
    let l = net.listener(0, "127.0.0.1", 1000);
    let to = net.local(l);
    let clients: Vec<Sock> = (0..8).map(|_| net.tcp(0)).collect();
    for &c in &clients {
        assert!(net.connect(c, to).is_err());
    }
    a.is("established", clients.iter().filter(|&&c| net.state(c) == State::Established).count());
}

fn drain_single(a: &mut Answers) {
    let mut net = Net::loopback();
    let l = net.listener(0, "127.0.0.1", 0);
    let (first, second, to) = (net.tcp(0), net.tcp(0), net.local(l));
    assert!(net.connect(first, to).is_err());
    net.run_ms(50);
    assert!(net.connect(second, to).is_err());
    net.run_ms(200);
    net.accept(l).unwrap();
    let took = net.run_until(Duration::from_secs(5), |net| net.poll(second) != Readiness::NONE);
    a.event("ev", (net.poll(second).to_string(), took.unwrap()));
}

fn zero_window(a: &mut Answers) {
    let (mut net, c, s) = pair();
    fill(&mut net, c);
    net.run_ms(300);
    fill(&mut net, c);
    net.run(Duration::from_secs(3));
    let mut got = 0;
    // The window opens as the reader drains; what was queued comes round trip by round trip.
    let took = net.run_until(Duration::from_secs(5), |net| {
        got += drain(net, s).0;
        net.poll(c).contains(Readiness::OUT)
    });
    a.event("resume", ((net.poll(c) & Readiness::OUT).to_string(), took.unwrap()));
    for key in ["filled", "probes_after_3s", "backoff"] {
        a.skip(key, "the recording's congestion window and its own counters");
    }
}

fn close_keeps_data(a: &mut Answers) {
    let (mut net, c, s) = pair();
    let queued = fill(&mut net, c);
    net.close(c);
    let (mut total, mut end) = (0, String::new());
    net.run_until(Duration::from_secs(5), |net| {
        let (n, how) = drain(net, s);
        (total, end) = (total + n, how);
        end == "eof"
    });
    a.is("end", end);
    a.skip("queued", "the recording's congestion window");
    a.skip("received", "as many as were queued");
    assert_eq!(total, queued);
}

fn simultaneous_open(a: &mut Answers) {
    let mut net = two();
    let (c, s) = (net.tcp(0), net.tcp(1));
    net.bind(s, on(1, 5555)).unwrap();
    net.bind(c, on(0, 5555)).unwrap();
    hole(&mut net);
    a.is("r1", outcome(&net.connect(c, on(1, 5555))));
    // Without the first SYN the second end must not be told that nobody is there.
    net.fabric.cut(host(1), host(0));
    a.is("r2", outcome(&net.connect(s, on(0, 5555))));
    net.run_ms(100);
    net.fabric.heal();
    net.run_ms(2500);
    a.is("c", net.state(c).name());
    a.is("a", net.state(s).name());
    a.is("so", json!([so_error(&mut net, c), so_error(&mut net, s)]));
}

fn simultaneous_close(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.fabric.isolate(host(0));
    net.shutdown(c, Shutdown::Write).unwrap();
    net.shutdown(s, Shutdown::Write).unwrap();
    let pair_of = |net: &Net| json!([net.state(c).name(), net.state(s).name()]);
    a.is("during", pair_of(&net));
    net.fabric.heal();
    let mut seq = vec![pair_of(&net)];
    net.run_until(Duration::from_millis(1500), |net| {
        let now = pair_of(net);
        // The recorder looks every two milliseconds and never sees the states between.
        if matches!((net.state(c), net.state(s)), (State::Closed, State::Closed))
            && seq.last() != Some(&now)
        {
            seq.push(now);
        }
        false
    });
    a.is("seq", seq);
    a.is("ep", ep(&mut net, c));
}
