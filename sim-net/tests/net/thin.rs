//! The thin path, end to end.

use crate::wire::{Net, addr, host};
use sim_core::Errno;
use sim_core::backend::Readiness;
use sim_net::{LinkConfig, State};

#[test]
fn a_request_and_its_response() {
    let mut net = Net::new(1, 2, LinkConfig::default());
    let (c, a) = net.pair(0, 1);
    assert_eq!(net.send(c, b"hello"), Ok(5));
    assert_eq!(net.recv(a, 10), Err(Errno::EAGAIN));
    net.run_ms(1);
    assert_eq!(net.poll(a), Readiness::IN | Readiness::OUT);
    assert_eq!(net.recv(a, 10).unwrap(), b"hello");
    assert_eq!(net.send(a, b"world!"), Ok(6));
    net.run_ms(1);
    assert_eq!(net.recv(c, 10).unwrap(), b"world!");
    net.close(c);
    net.run_ms(1);
    assert_eq!(net.recv(a, 10).unwrap(), b"");
    net.close(a);
    net.run_ms(1000);
    let states =
        [0, 1].map(|n| net.stacks.connections(host(n)).iter().map(|c| c.state).collect::<Vec<_>>());
    assert_eq!(states, [vec![State::TimeWait], vec![]]);
    net.run_ms(61_000);
    assert_eq!((net.stacks.entries(host(0)), net.stacks.entries(host(1))), (0, 0));
}

#[test]
fn loopback_is_immediate() {
    let mut net = Net::loopback();
    let (c, a) = net.pair(0, 0);
    assert_eq!(net.send(c, b"hello"), Ok(5));
    assert_eq!(net.recv(a, 10).unwrap(), b"hello");
    let big = vec![7; 16 << 20];
    let n = net.send(c, &big).unwrap();
    assert!((4 << 20..5 << 20).contains(&n), "{n}");
    assert_eq!(net.send(c, &big), Err(Errno::EAGAIN));
    let mut got = 0;
    while let Ok(data) = net.recv(a, 1 << 20) {
        got += data.len();
    }
    assert_eq!(got, n);
    assert_eq!(
        {
            let u = net.udp(0);
            net.connect(u, addr("127.0.0.1:9"))
        },
        Ok(())
    );
}
