//! Datagrams with ancillary data, as QUIC sends and receives them: several at once, a class, a source.

use crate::wire::{Net, Sock, addr};
use sim_core::backend::{Control, Domain, OptionName, RecvFlags, SocketKind, SocketOption};
use sim_core::{Errno, Result};
use sim_net::LinkConfig;
use std::net::{IpAddr, SocketAddr};

fn send(net: &mut Net, s: Sock, data: &[u8], to: SocketAddr, control: &[Control]) -> Result<usize> {
    net.call(s, |stack, env, id| stack.send_message(env, id, data, Some(to), control))
}

fn recv(net: &mut Net, s: Sock) -> Result<(Vec<u8>, SocketAddr, Vec<Control>)> {
    let mut into = vec![0; 70_000];
    let (received, is_datagram, told) =
        net.call(s, |stack, env, id| stack.recv_message(env, id, &mut into, RecvFlags::default()))?;
    assert!(is_datagram && !received.truncated);
    into.truncate(received.len);
    Ok((into, received.from, told))
}

/// Two hosts, a sender on the first and a bound receiver on the second.
fn two() -> (Net, Sock, Sock, SocketAddr) {
    let mut net = Net::new(1, 2, LinkConfig { latency_jitter_ns: 0, ..LinkConfig::default() });
    let (s, r) = (net.udp(0), net.udp(1));
    net.bind(r, addr("0.0.0.0:4433")).unwrap();
    (net, s, r, addr("10.9.0.2:4433"))
}

#[test]
fn one_message_is_several_datagrams() {
    let (mut net, s, r, to) = two();
    let data: Vec<u8> = (0..2500_u32).map(|n| n as u8).collect();
    assert_eq!(send(&mut net, s, &data, to, &[Control::SegmentSize(1000)]), Ok(2500));
    net.run_ms(50);
    let got: Vec<Vec<u8>> = (0..3).map(|_| recv(&mut net, r).unwrap().0).collect();
    assert_eq!(got.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000, 500]);
    assert_eq!(got.concat(), data);
    assert_eq!(recv(&mut net, r).unwrap_err(), Errno::EAGAIN);
    // The option does the same to what has no ancillary data.
    net.set(s, SocketOption::SegmentSize(1000));
    assert_eq!(net.send_to(s, &data, to), Ok(2500));
    assert_eq!(net.send_to(s, b"", to), Ok(0));
    net.run_ms(50);
    let lens: Vec<usize> = (0..4).map(|_| recv(&mut net, r).unwrap().0.len()).collect();
    assert_eq!(lens, [1000, 1000, 500, 0]);
    let many = vec![0; 129];
    assert_eq!(send(&mut net, s, &many, to, &[Control::SegmentSize(1)]), Err(Errno::EINVAL));
    assert_eq!(send(&mut net, s, &[0; 128], to, &[Control::SegmentSize(1)]), Ok(128));
}

#[test]
fn the_class_arrives_if_it_is_asked_for() {
    let (mut net, s, r, to) = two();
    net.set(s, SocketOption::Tos(0x28));
    send(&mut net, s, b"silent", to, &[]).unwrap();
    net.run_ms(50);
    assert_eq!(recv(&mut net, r).unwrap().2, []);
    net.set(r, SocketOption::ReceiveTos(true));
    net.set(r, SocketOption::PacketInfo(true));
    send(&mut net, s, b"option", to, &[]).unwrap();
    send(&mut net, s, b"message", to, &[Control::TrafficClass(0b10)]).unwrap();
    net.run_ms(50);
    let own = Control::PacketInfo(IpAddr::from([10, 9, 0, 2]));
    assert_eq!(recv(&mut net, r).unwrap().2, [own.clone(), Control::TrafficClass(0x28)]);
    assert_eq!(recv(&mut net, r).unwrap().2, [own, Control::TrafficClass(0b10)]);
}

#[test]
fn a_dual_stack_receiver_is_told_in_its_own_words() {
    let mut net = Net::loopback();
    let (s, r) = (net.udp(0), net.socket_of(0, Domain::Inet6, SocketKind::Datagram));
    let s6 = net.socket_of(0, Domain::Inet6, SocketKind::Datagram);
    net.bind(r, addr("[::]:4433")).unwrap();
    net.set(r, SocketOption::PacketInfoV6(true));
    net.set(r, SocketOption::ReceiveTos(true));
    net.set(r, SocketOption::ReceiveTrafficClass(true));
    net.set(s6, SocketOption::TrafficClass(1));
    send(&mut net, s, b"4", addr("127.0.0.1:4433"), &[]).unwrap();
    send(&mut net, s6, b"6", addr("[::1]:4433"), &[]).unwrap();
    let mapped = "::ffff:127.0.0.1".parse().unwrap();
    assert_eq!(
        recv(&mut net, r).unwrap().2,
        [Control::PacketInfo(mapped), Control::TrafficClass(0)]
    );
    let own = "::1".parse().unwrap();
    assert_eq!(recv(&mut net, r).unwrap().2, [Control::PacketInfo(own), Control::TrafficClass(1)]);
}

#[test]
fn a_message_leaves_from_the_address_it_names() {
    let mut net = Net::loopback();
    let (s, r) = (net.udp(0), net.udp(0));
    net.bind(r, addr("127.0.0.1:4433")).unwrap();
    let from = |ip: [u8; 4]| [Control::PacketInfo(IpAddr::from(ip))];
    send(&mut net, s, b"x", addr("127.0.0.1:4433"), &from([127, 0, 0, 9])).unwrap();
    assert_eq!(recv(&mut net, r).unwrap().1.ip(), IpAddr::from([127, 0, 0, 9]));
    send(&mut net, s, b"x", addr("127.0.0.1:4433"), &from([0, 0, 0, 0])).unwrap();
    assert_eq!(recv(&mut net, r).unwrap().1.ip(), IpAddr::from([127, 0, 0, 1]));
    let not_ours = send(&mut net, s, b"x", addr("127.0.0.1:4433"), &from([10, 1, 1, 1]));
    assert_eq!(not_ours, Err(Errno::EINVAL));
}

/// As recorded (`net.mtu`): a frame has 1500 bytes, and on loopback there is no such bound.
#[test]
fn a_datagram_that_may_not_be_divided_fits_a_frame() {
    let (mut net, s, _, to) = two();
    assert_eq!(net.send_to(s, &[0; 2000], to), Ok(2000), "as it is, it is divided");
    for how in [2, 3] {
        net.set(s, SocketOption::MtuDiscover(how));
        assert_eq!(net.send_to(s, &[0; 1472], to), Ok(1472));
        assert_eq!(net.send_to(s, &[0; 1473], to), Err(Errno::EMSGSIZE));
        assert_eq!(net.send_to(s, &[0; 2000], addr("127.0.0.1:9")), Ok(2000));
    }
    net.set(s, SocketOption::MtuDiscover(0));
    assert_eq!(net.send_to(s, &[0; 2000], to), Ok(2000));
    let set = |stack: &mut sim_net::Stack<'_>, env: &mut _, id| {
        stack.set_option(env, id, SocketOption::MtuDiscover(6))
    };
    assert_eq!(net.call(s, set), Err(Errno::EINVAL));
}

#[test]
fn a_stream_refuses_what_is_of_datagrams() {
    let mut net = Net::loopback();
    let (c, _) = net.pair(0, 0);
    let sent = net.call(c, |stack, env, id| {
        stack.send_message(env, id, b"x", None, &[Control::TrafficClass(1)])
    });
    assert_eq!(sent, Err(Errno::EOPNOTSUPP));
    assert_eq!(net.env.trace.notices().len(), 1);
    let segment = net.call(c, |stack, env, id| stack.option(env, id, OptionName::SegmentSize));
    assert_eq!(segment, Err(Errno::EOPNOTSUPP));
    let told =
        net.call(c, |stack, env, id| stack.set_option(env, id, SocketOption::ReceiveTos(true)));
    assert_eq!(told, Err(Errno::EOPNOTSUPP));
}
