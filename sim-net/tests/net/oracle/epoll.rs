//! epoll sequences that need no more than readiness and events: a test's own one-descriptor epoll.

use super::{Answers, Case, drain, fill, recv};
use crate::wire::{Net, Sock};
use sim_core::backend::{Readiness, Shutdown, SocketOption};
use std::time::Duration;

pub(super) const CASES: &[(&str, Case)] = &[
    (
        "epoll.ET_sequence(idle,idle,+data,idle,+data,partial_read,MOD,idle,drain+data,+FIN,idle,+peer_close)",
        et_sequence,
    ),
    ("epoll.ET_EPOLLOUT(after_fill,after_peer_reads_1000,after_peer_drains,idle)", et_out),
    ("epoll.ONESHOT(data,again,moredata,peerclose,rearm)", oneshot),
    ("epoll.mask0_still_reports_ERR_HUP(data,RST)", mask0),
    ("epoll.ET_after_RST(first,second,recv,after)", et_after_rst),
];

/// epoll(7) over one socket.
struct Epoll {
    s: Sock,
    interest: Readiness,
    edge: bool,
    oneshot: bool,
    pending: bool,
    seq: Vec<String>,
}

const EDGE_ALL: Readiness = Readiness::from_bits(0x1 | 0x4 | 0x2000);

impl Epoll {
    fn new(net: &mut Net, s: Sock, interest: Readiness, edge: bool, oneshot: bool) -> Self {
        net.ready.clear();
        let interest = interest | Readiness::ERR | Readiness::HUP;
        Self { s, interest, edge, oneshot, pending: true, seq: Vec::new() }
    }

    fn modify(&mut self) {
        self.pending = true;
    }

    /// One epoll_wait, remembered as text.
    fn wait(&mut self, net: &mut Net) {
        net.run_ms(50);
        let events = std::mem::take(&mut net.ready);
        self.pending |=
            events.iter().any(|&(s, bits)| s == self.s && bits.intersects(self.interest));
        let ready = net.poll(self.s) & self.interest;
        let report = self.pending && !ready.is_empty();
        if report && self.edge {
            self.pending = false;
        }
        if report && self.oneshot {
            (self.pending, self.interest) = (false, Readiness::NONE);
        }
        self.seq.push(if report { ready.to_string() } else { String::from("-") });
    }
}

fn pair() -> (Net, Sock, Sock) {
    let mut net = Net::loopback();
    let (c, a) = net.pair(0, 0);
    (net, c, a)
}

fn et_sequence(a: &mut Answers) {
    let (mut net, c, s) = pair();
    let net = &mut net;
    let mut e = Epoll::new(net, c, EDGE_ALL, true, false);
    e.wait(net);
    e.wait(net);
    net.send(s, b"a").unwrap();
    e.wait(net);
    e.wait(net);
    net.send(s, b"b").unwrap();
    e.wait(net);
    net.recv(c, 1).unwrap();
    e.wait(net);
    e.modify();
    e.wait(net);
    e.wait(net);
    net.recv(c, 10).unwrap();
    net.send(s, b"c").unwrap();
    e.wait(net);
    net.shutdown(s, Shutdown::Write).unwrap();
    e.wait(net);
    e.wait(net);
    net.close(s);
    e.wait(net);
    a.is("seq", e.seq);
}

fn et_out(a: &mut Answers) {
    let (mut net, c, s) = pair();
    let net = &mut net;
    let mut e = Epoll::new(net, c, Readiness::IN | Readiness::OUT, true, false);
    e.wait(net);
    e.seq.clear();
    fill(net, c);
    net.run_ms(200);
    fill(net, c);
    e.seq.push("filled".into());
    e.wait(net);
    let mut got = 0;
    while got < 1000 {
        got += net.recv(s, 1000 - got).unwrap().len();
    }
    e.wait(net);
    drain(net, s);
    net.run_ms(50);
    drain(net, s);
    e.wait(net);
    e.wait(net);
    a.is("seq", e.seq);
}

fn oneshot(a: &mut Answers) {
    let (mut net, c, s) = pair();
    let net = &mut net;
    let mut e = Epoll::new(net, c, Readiness::IN, false, true);
    net.send(s, b"x").unwrap();
    e.wait(net);
    e.wait(net);
    net.send(s, b"y").unwrap();
    e.wait(net);
    net.close(s);
    e.wait(net);
    e.interest = Readiness::IN;
    e.modify();
    e.wait(net);
    a.is("seq", e.seq);
}

fn mask0(a: &mut Answers) {
    let (mut net, c, s) = pair();
    let net = &mut net;
    net.send(s, b"x").unwrap();
    let mut e = Epoll::new(net, c, Readiness::NONE, false, false);
    e.wait(net);
    net.set(s, SocketOption::Linger(Some(Duration::ZERO)));
    net.close(s);
    e.wait(net);
    a.is("seq", e.seq);
}

fn et_after_rst(a: &mut Answers) {
    let (mut net, c, s) = pair();
    let net = &mut net;
    net.send(c, b"q").unwrap();
    net.run_ms(50);
    net.close(s);
    net.run_ms(50);
    let mut e = Epoll::new(net, c, EDGE_ALL, true, false);
    e.wait(net);
    e.wait(net);
    let read = recv(net, c, 1);
    e.seq.push(read);
    e.wait(net);
    a.is("seq", e.seq);
}
