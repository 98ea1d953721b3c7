//! TCP on loopback, data, half close and reset: cases of `probe_net.py`.

use super::{Answers, Case, drain, ep, length, outcome, pause, recv, send, so_error, states};
use crate::wire::{Net, Sock, addr};
use sim_core::backend::{RecvFlags, Shutdown, SocketOption};
use std::time::Duration;

pub(super) const CASES: &[(&str, Case)] = &[
    ("tcp.established_idle", established_idle),
    ("tcp.data_ready", data_ready),
    ("tcp.peer_SHUT_WR", peer_shut_wr),
    ("tcp.both_SHUT_WR", both_shut_wr),
    ("tcp.data_then_FIN", data_then_fin),
    ("tcp.peer_close_clean_then_send", peer_close_then_send),
    ("tcp.peer_close_send_RST_then_recv", peer_close_send_recv),
    ("tcp.peer_close_with_unread_data=RST", peer_close_unread),
    ("tcp.data_buffered_then_RST", buffered_then_rst),
    ("tcp.RST_send_first", rst_send_first),
    ("tcp.linger0_close=RST", linger0_close),
    ("tcp.linger0_shutdown_is_FIN", linger0_shutdown),
    ("tcp.linger0_close_after_FIN", linger0_close_after_fin),
    ("tcp.local_SHUT_RD", local_shut_rd),
    ("tcp.local_SHUT_WR", local_shut_wr),
    ("tcp.local_SHUT_RDWR", local_shut_rdwr),
    ("tcp.shutdown_after_peer_close", shutdown_after_peer_close),
    ("tcp.near_simultaneous_close", near_simultaneous_close),
    ("tcp.connect_AF_UNSPEC", connect_unspec),
    ("tcp.peer_vanished_silently_then_send (RST on data)", peer_vanished),
];

pub(super) const LINGER0: SocketOption = SocketOption::Linger(Some(Duration::ZERO));

pub(super) fn pair() -> (Net, Sock, Sock) {
    let mut net = Net::loopback();
    let (c, a) = net.pair(0, 0);
    (net, c, a)
}

fn established_idle(a: &mut Answers) {
    let (mut net, c, _) = pair();
    a.is("ep", ep(&mut net, c));
    a.is("recv", recv(&mut net, c, 1));
    a.is("connect", outcome(&net.connect(c, addr("127.0.0.1:1"))));
}

fn data_ready(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.send(s, b"hi").unwrap();
    a.is("ep", ep(&mut net, c));
    a.is("peek", length(&net.recv_flags(c, 10, RecvFlags { peek: true, ..RecvFlags::default() })));
    a.is("FIONREAD", net.stacks.readable_bytes(c.id).unwrap());
    a.is("recv1", recv(&mut net, c, 1));
    a.is("recv", recv(&mut net, c, 10));
    a.is("after", ep(&mut net, c));
}

fn peer_shut_wr(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.shutdown(s, Shutdown::Write).unwrap();
    pause(&mut net);
    a.is("ep", ep(&mut net, c));
    a.is("recv", recv(&mut net, c, 1));
    a.is("send", send(&mut net, c, b"x"));
    a.is("state", net.state(c).name());
    a.is("peer_ep", ep(&mut net, s));
    a.is("peer_send", send(&mut net, s, b"x"));
    a.is("peer_state", net.state(s).name());
}

fn both_shut_wr(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.shutdown(s, Shutdown::Write).unwrap();
    pause(&mut net);
    net.shutdown(c, Shutdown::Write).unwrap();
    pause(&mut net);
    a.is("ep_c", ep(&mut net, c));
    a.is("ep_a", ep(&mut net, s));
    a.is("sc", net.state(c).name());
    a.is("sa", net.state(s).name());
    a.is("recv", recv(&mut net, c, 1));
    a.is("send", send(&mut net, c, b"x"));
    a.is("so_error", so_error(&mut net, c));
}

fn data_then_fin(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.send(s, b"abc").unwrap();
    net.shutdown(s, Shutdown::Write).unwrap();
    pause(&mut net);
    a.is("ep", ep(&mut net, c));
    a.is("recv", recv(&mut net, c, 10));
    a.is("ep2", ep(&mut net, c));
    a.is("recv2", recv(&mut net, c, 10));
    a.is("recv3", recv(&mut net, c, 10));
}

fn peer_close_then_send(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.close(s);
    pause(&mut net);
    a.is("ep", ep(&mut net, c));
    a.is("recv", recv(&mut net, c, 1));
    a.is("send1", send(&mut net, c, b"x"));
    pause(&mut net);
    a.is("ep2", ep(&mut net, c));
    a.is("send2", send(&mut net, c, b"x"));
    a.is("so_error", so_error(&mut net, c));
    a.is("send3", send(&mut net, c, b"x"));
    a.is("recv2", recv(&mut net, c, 1));
    a.is("ep3", ep(&mut net, c));
}

fn peer_close_send_recv(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.close(s);
    pause(&mut net);
    net.send(c, b"x").unwrap();
    pause(&mut net);
    a.is("ep", ep(&mut net, c));
    a.is("recv", recv(&mut net, c, 1));
    a.is("recv2", recv(&mut net, c, 1));
    a.is("so", so_error(&mut net, c));
}

fn peer_close_unread(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.send(c, b"unread").unwrap();
    pause(&mut net);
    net.close(s);
    a.is("ep", ep(&mut net, c));
    a.is("so_error_skipped", "");
    a.is("recv", recv(&mut net, c, 1));
    a.is("ep2", ep(&mut net, c));
    a.is("recv2", recv(&mut net, c, 1));
    a.is("send", send(&mut net, c, b"x"));
    a.is("getpeer", outcome(&net.peer(c)));
}

fn reply_then_rst() -> (Net, Sock) {
    let (mut net, c, s) = pair();
    net.send(s, b"reply").unwrap();
    net.send(c, b"unread").unwrap();
    pause(&mut net);
    net.close(s);
    pause(&mut net);
    (net, c)
}

fn buffered_then_rst(a: &mut Answers) {
    let (mut net, c) = reply_then_rst();
    a.is("ep", ep(&mut net, c));
    a.is("recv", recv(&mut net, c, 10));
    a.is("recv2", recv(&mut net, c, 10));
    a.is("recv3", recv(&mut net, c, 10));
}

fn rst_send_first(a: &mut Answers) {
    let (mut net, c) = reply_then_rst();
    a.is("send", send(&mut net, c, b"x"));
    a.is("send2", send(&mut net, c, b"x"));
    a.is("recv", recv(&mut net, c, 10));
    a.is("recv2", recv(&mut net, c, 10));
}

fn linger0_close(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.set(s, LINGER0);
    net.close(s);
    a.is("ep", ep(&mut net, c));
    a.is("so_error", so_error(&mut net, c));
    a.is("ep2", ep(&mut net, c));
    a.is("recv", recv(&mut net, c, 1));
    a.is("send", send(&mut net, c, b"x"));
}

fn linger0_shutdown(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.set(s, LINGER0);
    net.shutdown(s, Shutdown::Write).unwrap();
    pause(&mut net);
    a.is("ep", ep(&mut net, c));
    a.is("recv", recv(&mut net, c, 1));
}

fn linger0_close_after_fin(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.set(s, LINGER0);
    net.shutdown(s, Shutdown::Write).unwrap();
    pause(&mut net);
    net.close(s);
    pause(&mut net);
    a.is("ep", ep(&mut net, c));
    a.is("recv", recv(&mut net, c, 1));
    a.is("so", so_error(&mut net, c));
}

fn local_shut_rd(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.shutdown(c, Shutdown::Read).unwrap();
    a.is("ep", ep(&mut net, c));
    a.is("recv", recv(&mut net, c, 1));
    a.is("peer_send", send(&mut net, s, b"zz"));
    pause(&mut net);
    a.is("ep2", ep(&mut net, c));
    a.is("recv2", recv(&mut net, c, 10));
    a.is("recv3", recv(&mut net, c, 10));
    a.is("peer_ep", ep(&mut net, s));
}

fn local_shut_wr(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.shutdown(c, Shutdown::Write).unwrap();
    pause(&mut net);
    a.is("ep", ep(&mut net, c));
    a.is("send", send(&mut net, c, b"x"));
    a.is("shut2", outcome(&net.shutdown(c, Shutdown::Write)));
    a.is("state", net.state(c).name());
    a.is("peer", net.state(s).name());
}

fn local_shut_rdwr(a: &mut Answers) {
    let (mut net, c, _s) = pair();
    net.shutdown(c, Shutdown::Both).unwrap();
    pause(&mut net);
    a.is("ep", ep(&mut net, c));
    a.is("recv", recv(&mut net, c, 1));
    a.is("send", send(&mut net, c, b"x"));
    a.is("shut2", outcome(&net.shutdown(c, Shutdown::Both)));
}

fn shutdown_after_peer_close(a: &mut Answers) {
    let (mut net, c, s) = pair();
    net.close(s);
    pause(&mut net);
    net.shutdown(c, Shutdown::Both).unwrap();
    pause(&mut net);
    a.is("ep", ep(&mut net, c));
    a.is("shut", outcome(&net.shutdown(c, Shutdown::Both)));
}

fn near_simultaneous_close(a: &mut Answers) {
    let (mut net, c, s) = pair();
    let p = net.local(c).port();
    net.shutdown(c, Shutdown::Write).unwrap();
    net.shutdown(s, Shutdown::Write).unwrap();
    pause(&mut net);
    a.skip("before_close", "the port numbers are the recording's");
    assert_eq!(states(&net, p), ["TIME_WAIT"]);
    net.close(c);
    net.close(s);
    pause(&mut net);
    a.skip("after", "the port numbers are the recording's");
    assert_eq!(states(&net, p), ["TIME_WAIT"]);
}

fn connect_unspec(a: &mut Answers) {
    let (mut net, c, s) = pair();
    let answer = net.call(c, |stack, env, id| stack.disconnect(env, id));
    a.is("ret", if answer.is_ok() { 0 } else { -1 });
    a.is("ep", ep(&mut net, c));
    a.is("peer_ep", ep(&mut net, s));
    a.is("peer_recv", recv(&mut net, s, 1));
}

fn peer_vanished(a: &mut Answers) {
    let mut net = Net::new(1, 2, sim_net::LinkConfig::default());
    let (c, _s) = net.pair(0, 1);
    net.reboot(1);
    a.is("ep", ep(&mut net, c));
    a.is("send1", send(&mut net, c, b"x"));
    pause(&mut net);
    a.is("ep2", ep(&mut net, c));
    a.is("recv", recv(&mut net, c, 1));
}

#[test]
fn draining_reports_the_end() {
    let (mut net, c, s) = pair();
    net.send(c, b"abc").unwrap();
    net.close(c);
    assert_eq!(drain(&mut net, s), (3, "eof".into()));
}
