//! Random scripts over links that lose, repeat and reorder.
//!
//! The reference is a byte queue a direction: what one end accepted, the other end receives, in order
//! and once, up to the point where an end is told of an error.

use crate::wire::{Net, Sock, host};
use proptest::prelude::*;
use sim_core::Errno;
use sim_core::backend::{Shutdown, SocketOption};
use sim_core::choice::Ratio;
use sim_net::LinkConfig;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
enum Step {
    Send(usize, usize),
    Recv(usize, usize),
    Wait(u64),
    ShutWrite(usize),
    ShutRead(usize),
    Close(usize),
    Abort(usize),
    Reset(usize),
    Cut(u64),
}

/// One end of a connection, with what it is known to have accepted and received.
#[derive(Debug)]
struct End {
    sock: Sock,
    open: bool,
    may_send: bool,
    shut_read: bool,
    accepted: Vec<u8>,
    received: Vec<u8>,
    ended: bool,
    error: Option<Errno>,
}

impl End {
    fn new(sock: Sock) -> Self {
        let (accepted, received) = (Vec::new(), Vec::new());
        Self {
            sock,
            open: true,
            may_send: true,
            shut_read: false,
            accepted,
            received,
            ended: false,
            error: None,
        }
    }
}

struct Script {
    net: Net,
    ends: [End; 2],
}

impl Script {
    fn new(seed: u64, config: LinkConfig, on_one_host: bool) -> Self {
        let mut net = Net::new(seed, if on_one_host { 1 } else { 2 }, LinkConfig::default());
        let (c, a) = net.pair(0, usize::from(!on_one_host));
        net.fabric.set_default(config);
        Self { net, ends: [End::new(c), End::new(a)] }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send(side, n) => self.send(side, n),
            Step::Recv(side, n) => self.recv(side, n),
            Step::Wait(us) => self.net.run(Duration::from_micros(us)),
            Step::ShutWrite(side) if self.ends[side].open => {
                // A reset connection answers ENOTCONN; the direction is shut in any case.
                let _answer = self.net.shutdown(self.ends[side].sock, Shutdown::Write);
                self.ends[side].may_send = false;
            }
            Step::ShutRead(side) if self.ends[side].open => {
                let _answer = self.net.shutdown(self.ends[side].sock, Shutdown::Read);
                self.ends[side].shut_read = true;
            }
            Step::Close(side) if self.ends[side].open => self.close(side),
            Step::Abort(side) if self.ends[side].open => {
                self.net.set(self.ends[side].sock, SocketOption::Linger(Some(Duration::ZERO)));
                self.close(side);
            }
            Step::Reset(side) if self.ends[side].open => {
                self.net
                    .call(self.ends[side].sock, |stack, env, id| stack.reset_connection(env, id));
            }
            Step::Cut(ms) => {
                self.net.fabric.isolate(host(0));
                self.net.run_ms(ms);
                self.net.fabric.heal();
            }
            _ => {}
        }
    }

    fn send(&mut self, side: usize, n: usize) {
        let end = &mut self.ends[side];
        if !end.open {
            return;
        }
        let begin = end.accepted.len();
        let data: Vec<u8> = (begin..begin + n).map(|i| byte(side, i)).collect();
        match self.net.send(end.sock, &data) {
            Ok(taken) => {
                assert!(end.may_send, "a shut direction takes no data");
                end.accepted.extend(&data[..taken]);
            }
            Err(Errno::EAGAIN) => {}
            Err(Errno::EPIPE) if !end.may_send || end.error.is_some() => {}
            Err(error) => end.error = Some(error),
        }
    }

    fn recv(&mut self, side: usize, n: usize) {
        let end = &mut self.ends[side];
        if !end.open {
            return;
        }
        match self.net.recv(end.sock, n) {
            Ok(data) if data.is_empty() => end.ended |= !end.shut_read,
            Ok(data) => end.received.extend(data),
            Err(Errno::EAGAIN) => {}
            Err(error) => end.error = Some(error),
        }
        let (received, accepted) = (&self.ends[side].received, &self.ends[1 - side].accepted);
        assert!(
            accepted.starts_with(received),
            "bytes arrive in order, once, and as they were sent"
        );
    }

    fn close(&mut self, side: usize) {
        self.net.close(self.ends[side].sock);
        self.ends[side].open = false;
        self.ends[side].may_send = false;
    }

    /// Over good links, reads everything until nothing changes.
    fn settle(&mut self) {
        self.net.fabric.heal();
        self.net.fabric.set_default(LinkConfig::default());
        for _ in 0..400 {
            (0..2).for_each(|side| self.recv(side, 1 << 20));
            self.net.run_ms(500);
        }
    }

    /// Everything is closed; nothing may be left after the longest wait.
    fn nothing_is_left(&mut self) {
        for side in 0..2 {
            if self.ends[side].open {
                self.close(side);
            }
        }
        self.net.run(Duration::from_secs(1200));
        for host in [host(0), host(1)] {
            let stacks = &self.net.stacks;
            assert_eq!(stacks.entries(host), 0, "{:?}", stacks.connections(host));
        }
        let net = &self.net;
        assert_eq!(
            net.sent + net.duplicated,
            net.delivered + net.lost,
            "every packet arrived or was lost"
        );
    }
}

fn byte(side: usize, i: usize) -> u8 {
    (i.wrapping_mul(31) ^ (i >> 8) ^ side.wrapping_mul(97)) as u8
}

fn config() -> impl Strategy<Value = LinkConfig> {
    let percent = |most: u32| prop_oneof![Just(0), 1..=most].prop_map(|p| Ratio::new(p, 100));
    let rate = prop_oneof![Just(None), (100_000..50_000_000_u64).prop_map(Some)];
    let queue = prop_oneof![Just(None), (200_000..400_000_u64).prop_map(Some)];
    (percent(25), percent(25), percent(50), rate, queue).prop_map(
        |(loss, duplicate, reorder, rate, queue)| LinkConfig {
            loss,
            duplicate,
            reorder,
            bandwidth_bytes_per_s: rate,
            queue_bytes: queue,
            ..LinkConfig::default()
        },
    )
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1..200_usize, 2 => 1000..70_000_usize, 1 => 100_000..3_000_000_usize]
}

fn polite_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..2_usize, size()).prop_map(|(side, n)| Step::Send(side, n)),
        5 => (0..2_usize, size()).prop_map(|(side, n)| Step::Recv(side, n)),
        4 => (0..3000_u64).prop_map(Step::Wait),
        1 => (0..2_000_000_u64).prop_map(Step::Wait),
        1 => (1..5_000_u64).prop_map(Step::Cut),
    ]
}

fn rude_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => polite_step(),
        1 => (0..2_usize).prop_map(Step::ShutWrite),
        1 => (0..2_usize).prop_map(Step::ShutRead),
        1 => (0..2_usize).prop_map(Step::Close),
        1 => (0..2_usize).prop_map(Step::Abort),
        1 => (0..2_usize).prop_map(Step::Reset),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nobody closes early: every byte accepted arrives, then the end.
    #[test]
    fn polite_ends_lose_nothing(
        seed in any::<u64>(), config in config(), local in prop::bool::weighted(0.2),
        steps in prop::collection::vec(polite_step(), 1..60),
    ) {
        let mut script = Script::new(seed, config, local);
        steps.into_iter().for_each(|step| script.step(step));
        (0..2).for_each(|side| script.step(Step::ShutWrite(side)));
        script.settle();
        for side in 0..2 {
            let (end, peer) = (&script.ends[side], &script.ends[1 - side]);
            prop_assert_eq!(end.error, None);
            prop_assert_eq!(end.received.len(), peer.accepted.len());
            prop_assert!(end.ended, "the end of the stream arrives");
        }
        script.nothing_is_left();
    }

    /// Ends close, reset and shut as they like: what arrives is a beginning of what was sent, and an
    /// end of the stream without an error means that all of it arrived.
    #[test]
    fn rude_ends_are_told(
        seed in any::<u64>(), config in config(), local in prop::bool::weighted(0.2),
        steps in prop::collection::vec(rude_step(), 1..80),
    ) {
        let mut script = Script::new(seed, config, local);
        steps.into_iter().for_each(|step| script.step(step));
        script.settle();
        for side in 0..2 {
            let (end, peer) = (&script.ends[side], &script.ends[1 - side]);
            if end.ended && end.error.is_none() {
                prop_assert_eq!(end.received.len(), peer.accepted.len(), "an end without an error means all");
                prop_assert!(!peer.may_send, "and that the peer sends no more");
            }
        }
        script.nothing_is_left();
    }
}
