//! Partitions one way and both, narrow links, crashes, and the patience of a connection with them.

use crate::wire::{Net, Sock, addr, host, ip};
use sim_core::Errno;
use sim_core::backend::{
    Domain, OptionName, Readiness, RecvFlags, Shutdown, SocketKind, SocketOption,
};
use sim_core::choice::{Choices, Ratio};
use sim_core::trace::Kind;
use sim_net::{LinkConfig, State};
use std::net::SocketAddr;
use std::time::Duration;

const QUIET: LinkConfig = LinkConfig {
    latency_min_ns: 100_000,
    latency_jitter_ns: 0,
    loss: Ratio::ZERO,
    duplicate: Ratio::ZERO,
    reorder: Ratio::ZERO,
    bandwidth_bytes_per_s: None,
    queue_bytes: None,
};

fn pair() -> (Net, Sock, Sock) {
    let mut net = Net::new(1, 2, QUIET);
    let (c, a) = net.pair(0, 1);
    (net, c, a)
}

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

#[test]
fn a_cut_of_one_way_stops_that_way_alone() {
    let (mut net, c, a) = pair();
    net.fabric.cut(host(0), host(1));
    net.send(c, b"there").unwrap();
    net.send(a, b"back").unwrap();
    net.run_ms(150);
    assert_eq!(net.recv(a, 9), Err(Errno::EAGAIN));
    assert_eq!(net.recv(c, 9).unwrap(), b"back");
    net.fabric.heal_cut(host(0), host(1));
    net.run_ms(1000);
    assert_eq!(net.recv(a, 9).unwrap(), b"there");
}

#[test]
fn data_whose_acknowledgements_are_lost_arrives_once() {
    let (mut net, c, a) = pair();
    net.fabric.cut(host(1), host(0));
    net.send(c, b"once").unwrap();
    net.run(secs(10));
    assert_eq!(net.recv(a, 9).unwrap(), b"once");
    assert_eq!(net.recv(a, 9), Err(Errno::EAGAIN));
    net.fabric.heal();
    net.run(secs(10));
    net.shutdown(c, Shutdown::Write).unwrap();
    net.run_ms(1);
    assert_eq!(net.recv(a, 9).unwrap(), b"");
}

#[test]
fn a_sender_gives_up_after_a_quarter_of_an_hour_and_a_reader_never() {
    let (mut net, c, a) = pair();
    net.fabric.isolate(host(0));
    net.send(c, b"x").unwrap();
    let took = net.run_until(secs(2000), |net| net.poll(c).contains(Readiness::ERR)).unwrap();
    assert!((924..=1046).contains(&took.as_secs()), "{took:?}");
    assert_eq!(net.error(c), Some(Errno::ETIMEDOUT));
    net.fabric.heal();
    net.run(secs(100_000));
    assert_eq!((net.state(a), net.poll(a)), (State::Established, Readiness::OUT));
}

#[test]
fn a_connect_into_the_void_sends_its_syns_on_schedule() {
    let mut net = Net::new(1, 2, QUIET);
    net.env.trace.keep_all();
    net.fabric.cut(host(0), host(1));
    let (c, begun) = (net.tcp(0), net.env.now);
    assert_eq!(net.connect(c, SocketAddr::new(ip(1), 80)), Err(Errno::EINPROGRESS));
    let took = net.run_until(secs(200), |net| net.poll(c) != Readiness::NONE).unwrap();
    assert_eq!((took, net.error(c)), (secs(131), Some(Errno::ETIMEDOUT)));
    let env = std::mem::replace(
        &mut net.env,
        sim_core::Env::new(Choices::replay(&sim_core::choice::Log::default())),
    );
    let recorded = env.trace.into_recorded(&env.choices).unwrap();
    let syns = recorded.events.iter().filter(|event| event.kind == Kind::Send);
    let at: Vec<u64> = syns.map(|event| (event.at - begun).as_secs()).collect();
    assert_eq!(at, [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67]);
}

#[test]
fn a_window_update_that_is_lost_is_asked_for() {
    let (mut net, c, a) = pair();
    let big = vec![1; 8 << 20];
    net.send(c, &big).unwrap();
    net.run(secs(2));
    assert_eq!(net.poll(c), Readiness::NONE, "the peer's window is shut");
    net.fabric.cut(host(1), host(0));
    while net.recv(a, 1 << 20).is_ok() {}
    net.run(secs(1));
    net.fabric.heal();
    let took = net.run_until(secs(60), |net| {
        while net.recv(a, 1 << 20).is_ok() {}
        net.poll(c).contains(Readiness::OUT)
    });
    assert!(took.is_some(), "a window probe opens it again");
}

#[test]
fn a_narrow_link_takes_the_time_it_must() {
    let mut net = Net::new(1, 2, QUIET);
    let (c, a) = net.pair(0, 1);
    let rate = 1_000_000;
    net.fabric.set_link(
        host(0),
        host(1),
        Some(LinkConfig { bandwidth_bytes_per_s: Some(rate), ..QUIET }),
    );
    let data = vec![5; 3_000_000];
    assert_eq!(net.send(c, &data), Ok(data.len()));
    let mut got = 0;
    let took = net.run_until(secs(30), |net| {
        got += net.recv(a, 1 << 20).map_or(0, |data| data.len());
        got == data.len()
    });
    let least = 3.0 * (1448.0 + 66.0) / 1448.0;
    let took = took.unwrap().as_secs_f64();
    assert!((least..least * 1.1).contains(&took), "{took} s for {least}");
}

#[test]
fn two_connections_share_a_narrow_link() {
    let mut net = Net::new(1, 2, QUIET);
    let pairs = [net.pair(0, 1), net.pair(0, 1)];
    net.fabric.set_default(LinkConfig { bandwidth_bytes_per_s: Some(1_000_000), ..QUIET });
    let mut got = [0_usize; 2];
    pairs.iter().for_each(|&(c, _)| assert!(net.send(c, &vec![5; 4_000_000]).is_ok()));
    net.run_until(secs(2), |net| {
        for (n, &(_, a)) in pairs.iter().enumerate() {
            got[n] += net.recv(a, 1 << 20).map_or(0, |data| data.len());
        }
        false
    });
    assert!(got.iter().all(|&n| (700_000..1_300_000).contains(&n)), "{got:?}");
}

#[test]
fn a_short_queue_loses_and_the_transfer_recovers() {
    let mut net = Net::new(1, 2, QUIET);
    let (c, a) = net.pair(0, 1);
    let narrow =
        LinkConfig { bandwidth_bytes_per_s: Some(10_000_000), queue_bytes: Some(80_000), ..QUIET };
    net.fabric.set_default(narrow);
    let data: Vec<u8> = (0..2_000_000_u32).map(|i| (i % 251) as u8).collect();
    let (mut sent, mut got) = (0, Vec::new());
    let took = net.run_until(secs(600), |net| {
        sent += net.send(c, &data[sent..]).unwrap_or(0);
        if let Ok(part) = net.recv(a, 1 << 20) {
            got.extend(part);
        }
        got.len() == data.len()
    });
    assert!(
        took.is_some() && net.lost > 0,
        "{} of {} arrived, {} lost",
        got.len(),
        data.len(),
        net.lost
    );
    assert!(got == data);
}

#[test]
fn a_crash_is_silent_and_the_rebooted_host_resets() {
    let (mut net, c, a) = pair();
    net.send(a, b"unread").unwrap();
    net.run_ms(100);
    net.reboot(1);
    assert_eq!(net.stacks.entries(host(1)), 0);
    net.run(secs(10));
    assert_eq!(net.poll(c), Readiness::IN | Readiness::OUT, "nobody was told");
    net.send(c, b"anybody?").unwrap();
    net.run_ms(10);
    assert_eq!(net.recv(c, 9).unwrap(), b"unread");
    assert_eq!(net.recv(c, 9), Err(Errno::ECONNRESET));
    assert_eq!(net.poll(a), Readiness::NONE, "its number means nothing any more");
}

#[test]
fn an_injected_reset_is_told_to_both() {
    let (mut net, c, a) = pair();
    net.call(c, |stack, env, id| stack.reset_connection(env, id));
    net.run_ms(10);
    assert_eq!((net.error(c), net.error(a)), (Some(Errno::ECONNRESET), Some(Errno::ECONNRESET)));
    assert!((0..2).all(|n| net.stacks.connections(host(n)).is_empty()));
}

#[test]
fn what_nobody_holds_goes_away() {
    // FIN_WAIT2 without the peer's FIN.
    let (mut net, c, a) = pair();
    net.close(c);
    net.run(secs(59));
    assert_eq!(net.stacks.connections(host(0))[0].state, State::FinWait2);
    net.run(secs(2));
    assert_eq!(net.stacks.entries(host(0)), 0);
    assert_eq!(net.state(a), State::CloseWait);
    // Data for a peer that never answers.
    let (mut net, c, _) = pair();
    net.fabric.isolate(host(0));
    net.send(c, b"x").unwrap();
    net.close(c);
    net.run(secs(100));
    assert_eq!(net.stacks.entries(host(0)), 1);
    net.run(secs(200));
    assert_eq!(net.stacks.entries(host(0)), 0);
    // A half-open connection whose client went away.
    let mut net = Net::new(1, 2, QUIET);
    let l = net.listener(1, "10.9.0.2", 5);
    net.fabric.cut(host(1), host(0));
    let (c, to) = (net.tcp(0), net.local(l));
    assert!(net.connect(c, to).is_err());
    net.run_ms(10);
    net.close(c);
    assert_eq!(net.stacks.connections(host(1)).len(), 2);
    net.run(secs(70));
    assert_eq!(net.stacks.connections(host(1)).len(), 1);
}

#[test]
fn a_peer_that_never_reads_does_not_keep_an_orphan_for_ever() {
    let (mut net, c, a) = pair();
    net.send(c, &vec![1; 1 << 20]).unwrap();
    net.close(c);
    net.run(secs(60));
    assert_eq!(net.stacks.connections(host(0))[0].state, State::FinWait1);
    net.run(secs(600));
    assert_eq!(net.stacks.entries(host(0)), 0);
    assert_eq!(net.state(a), State::Established);
    // A program that holds its end waits as long as it likes.
    let (mut net, c, _a) = pair();
    net.send(c, &vec![1; 1 << 20]).unwrap();
    net.run(secs(10_000));
    assert_eq!(net.state(c), State::Established);
}

#[test]
fn a_handshake_survives_the_loss_of_any_segment() {
    // Which of SYN, SYN-ACK and ACK is lost, and after how many seconds the connection stands nevertheless.
    for (cut, at_us, most_ms) in [((0, 1), 0, 1010), ((1, 0), 50, 1010), ((0, 1), 150, 1010)] {
        let mut net = Net::new(1, 2, QUIET);
        let l = net.listener(1, "10.9.0.2", 5);
        let (c, to) = (net.tcp(0), net.local(l));
        let begun = net.env.now;
        if at_us == 0 {
            net.fabric.cut(host(cut.0), host(cut.1));
        }
        assert_eq!(net.connect(c, to), Err(Errno::EINPROGRESS));
        net.run(Duration::from_micros(at_us));
        net.fabric.cut(host(cut.0), host(cut.1));
        net.run_ms(1);
        net.fabric.heal();
        let stands = net.run_until(secs(10), |net| net.accept(l).is_ok());
        assert!(stands.is_some());
        assert!(
            net.env.now - begun <= Duration::from_millis(most_ms),
            "{cut:?} {:?}",
            net.env.now - begun
        );
        assert_eq!(net.state(c), State::Established);
    }
}

#[test]
fn handshakes_and_endings_over_a_bad_link() {
    let percent = |p| Ratio::new(p, 100);
    let bad = LinkConfig {
        loss: percent(10),
        duplicate: percent(20),
        reorder: percent(50),
        ..LinkConfig::default()
    };
    let mut net = Net::new(3, 2, bad);
    let l = net.listener(1, "10.9.0.2", 5);
    for n in 0..200_u8 {
        let (c, a) = net.pair_with(0, l);
        net.send(c, &[n; 10]).unwrap();
        net.close(c);
        let took = net.run_until(secs(300), |net| net.poll(a).contains(Readiness::IN));
        assert!(took.is_some());
        assert_eq!(net.recv(a, 99).unwrap(), [n; 10]);
        net.close(a);
    }
    net.run(secs(600));
    assert_eq!(
        (net.stacks.entries(host(0)), net.stacks.entries(host(1))),
        (0, 1),
        "the listener alone is left"
    );
}

#[test]
fn time_wait_gives_way_to_a_new_connection_of_the_same_client() {
    let mut net = Net::new(1, 2, QUIET);
    let l = net.listener(1, "10.9.0.2", 5);
    let to = net.local(l);
    let connect = |net: &mut Net| {
        let c = net.tcp(0);
        net.set(c, SocketOption::ReuseAddr(true));
        net.bind(c, addr("10.9.0.1:7000")).unwrap();
        assert_eq!(net.connect(c, to), Err(Errno::EINPROGRESS));
        net.run_ms(10);
        (c, net.accept(l).unwrap().0)
    };
    let (c, a) = connect(&mut net);
    net.close(a);
    net.run_ms(1);
    net.close(c);
    net.run_ms(100);
    let waits: Vec<State> = net.stacks.connections(host(1)).iter().map(|c| c.state).collect();
    assert_eq!(waits, [State::Listen, State::TimeWait]);
    let (c, a) = connect(&mut net);
    net.send(c, b"again").unwrap();
    net.run_ms(10);
    assert_eq!(net.recv(a, 9).unwrap(), b"again");
}

#[test]
fn listeners_that_share_a_port_share_its_connections() {
    let mut net = Net::new(1, 2, QUIET);
    let listeners: Vec<Sock> = (0..3)
        .map(|_| {
            let l = net.tcp(1);
            net.set(l, SocketOption::ReusePort(true));
            net.bind(l, addr("10.9.0.2:80")).unwrap();
            net.listen(l, 100).unwrap();
            l
        })
        .collect();
    for _ in 0..60 {
        let c = net.tcp(0);
        assert!(net.connect(c, addr("10.9.0.2:80")).is_err());
    }
    net.run_ms(10);
    let counts: Vec<usize> =
        listeners.iter().map(|&l| (0..60).filter(|_| net.accept(l).is_ok()).count()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 60);
    assert!(counts.iter().all(|&n| n > 5), "{counts:?}");
}

#[test]
fn what_is_not_modelled_says_so() {
    let (mut net, c, _) = pair();
    let u = net.udp(0);
    net.set(u, SocketOption::Broadcast(true));
    assert_eq!(net.send_to(u, b"x", addr("255.255.255.255:9")), Err(Errno::EOPNOTSUPP));
    assert_eq!(net.send_to(u, b"x", addr("239.1.2.3:9")), Err(Errno::EOPNOTSUPP));
    net.set(c, SocketOption::Linger(Some(secs(1))));
    net.send(c, b"x").unwrap();
    net.close(c);
    let texts: Vec<&str> =
        net.env.trace.notices().iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("multicast") && texts[1].contains("SO_LINGER"));
}

#[test]
fn options_have_ranges_and_belong_to_kinds() {
    let mut net = Net::loopback();
    let (t, u) = (net.tcp(0), net.udp(0));
    let mut set = |s: Sock, option| net.call(s, |stack, env, id| stack.set_option(env, id, option));
    for (s, option, expect) in [
        (t, SocketOption::SynCount(0), Err(Errno::EINVAL)),
        (t, SocketOption::SynCount(127), Ok(())),
        (t, SocketOption::KeepIdle(Duration::ZERO), Err(Errno::EINVAL)),
        (t, SocketOption::KeepCount(128), Err(Errno::EINVAL)),
        (t, SocketOption::Ttl(0), Err(Errno::EINVAL)),
        (t, SocketOption::V6Only(true), Err(Errno::ENOPROTOOPT)),
        (t, SocketOption::Error(1), Err(Errno::ENOPROTOOPT)),
        (u, SocketOption::NoDelay(true), Err(Errno::ENOPROTOOPT)),
        (u, SocketOption::Ttl(255), Ok(())),
    ] {
        assert_eq!(set(s, option), expect, "{option:?}");
    }
    let ttl = net.call(u, |stack, env, id| stack.option(env, id, OptionName::Ttl));
    assert_eq!(ttl, Ok(SocketOption::Ttl(255)));
}

#[test]
fn ipv6_between_hosts_and_mapped_datagrams() {
    let mut net = Net::new(1, 2, QUIET);
    let v6 = [addr("[fd00::1]:0").ip(), addr("[fd00::2]:0").ip()];
    for (n, &six) in v6.iter().enumerate() {
        net.stacks.of(host(n)).set_addresses(vec![ip(n), six]);
        net.fabric.attach(host(n), &[six]);
    }
    let l = net.socket_of(1, Domain::Inet6, SocketKind::Stream);
    net.bind(l, addr("[::]:80")).unwrap();
    net.listen(l, 5).unwrap();
    let (six, four) = (net.socket_of(0, Domain::Inet6, SocketKind::Stream), net.tcp(0));
    assert_eq!(net.connect(six, addr("[fd00::2]:80")), Err(Errno::EINPROGRESS));
    net.run_ms(10);
    assert_eq!(net.accept(l).unwrap().1.ip(), v6[0]);
    assert_eq!(net.connect(four, addr("10.9.0.2:80")), Err(Errno::EINPROGRESS));
    net.run_ms(10);
    assert_eq!(net.accept(l).unwrap().1.ip().to_string(), "::ffff:10.9.0.1");
    // A dual-stack datagram socket hears both families and answers each in its own.
    let (r, u) = (net.socket_of(1, Domain::Inet6, SocketKind::Datagram), net.udp(0));
    net.bind(r, addr("[::]:53")).unwrap();
    net.send_to(u, b"ask", addr("10.9.0.2:53")).unwrap();
    net.run_ms(10);
    let mut into = [0; 9];
    let got = net
        .call(r, |stack, env, id| stack.recv_from(env, id, &mut into, RecvFlags::default()))
        .unwrap();
    assert_eq!((got.len, got.from.ip().to_string()), (3, String::from("::ffff:10.9.0.1")));
    assert_eq!(net.send_to(r, b"answer", got.from), Ok(6));
    net.run_ms(10);
    assert_eq!(net.recv(u, 9).unwrap(), b"answer");
}

#[test]
fn every_packet_is_one_event_a_side() {
    let mut net = Net::new(1, 2, LinkConfig { loss: Ratio::new(1, 10), ..QUIET });
    net.env.trace.keep_all();
    let (c, _a) = net.pair(0, 1);
    let data = vec![1; 300_000];
    net.send(c, &data[..]).unwrap();
    net.run(secs(20));
    let (sent, delivered, lost) = (net.sent, net.delivered, net.lost);
    let recorded = net.env.trace.into_recorded(&net.env.choices).unwrap();
    let count = |kind| recorded.events.iter().filter(|event| event.kind == kind).count() as u64;
    assert!(lost > 0);
    assert_eq!(
        (count(Kind::Send), count(Kind::Deliver), count(Kind::Drop)),
        (sent, delivered, lost)
    );
}

#[test]
fn equal_seeds_give_equal_runs() {
    let run = |seed| {
        let config = LinkConfig { loss: Ratio::new(1, 10), ..LinkConfig::default() };
        let mut net = Net::new(seed, 2, QUIET);
        let (c, a) = net.pair(0, 1);
        net.fabric.set_default(config);
        for _ in 0..50 {
            net.send(c, &[1; 1000]).unwrap();
            net.run_ms(3);
        }
        net.run(secs(60));
        assert_eq!(net.recv(a, 1 << 20).unwrap().len(), 50_000);
        net.env.trace.fingerprint()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
