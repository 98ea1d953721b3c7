//! How long a request and its response take through two stacks and the fabric. Measurements, not
//! assertions about time: run with `--ignored --nocapture` in release.

use crate::common::{Net, host};
use sim_core::HostId;
use sim_core::backend::RecvFlags;
use sim_net::{LinkConfig, Out, Packet, Transit};
use sim_time::Instant;

/// Carries the packets of `from` over the fabric at once; answers how many and the earliest timer.
fn carry(net: &mut Net, from: usize, spare: &mut Out, timer: &mut [Instant; 2]) -> u32 {
    std::mem::swap(net.stacks[from].out(), spare);
    let mut carried = 0;
    for (id, packet) in spare.packets.drain(..) {
        carried += 1;
        let flow = net.stacks[from].flow(id);
        let transit = net.fabric.transit(&mut net.env, host(from), flow, &packet);
        arrive(net, transit, packet);
    }
    for (_, at) in spare.timers.drain(..) {
        timer[from] = timer[from].min(at);
    }
    spare.ready.clear();
    carried
}

fn arrive(net: &mut Net, transit: Transit, mut packet: Box<Packet>) {
    let Transit::Arrive { host, at, .. } = transit else { panic!("the link is good") };
    let to: HostId = host;
    net.env.now = at;
    net.stacks[to.index()].receive(&mut net.env, &mut packet);
}

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "it measures the machine, not the model")]
fn request_and_response() {
    let mut net = Net::new(1, 2, LinkConfig::default());
    let (c, a) = net.pair(0, 1);
    let (mut spare, mut timer) = (Out::default(), [Instant::MAX; 2]);
    let mut buffer = [0_u8; 64];
    let rounds = 1_000_000;
    let (begun, mut packets, mut fired) = (std::time::Instant::now(), 0, 0);
    for _ in 0..rounds {
        for (from, to) in [(c, a), (a, c)] {
            net.stacks[from.host].send(&mut net.env, from.id, &[7; 64]).unwrap();
            packets += carry(&mut net, from.host, &mut spare, &mut timer);
            net.stacks[to.host]
                .recv(&mut net.env, to.id, &mut buffer, RecvFlags::default())
                .unwrap();
            for sock in [c, a] {
                if net.env.now >= timer[sock.host] {
                    fired += 1;
                    timer[sock.host] = Instant::MAX;
                    net.stacks[sock.host].timer(&mut net.env, sock.id);
                    packets += carry(&mut net, sock.host, &mut spare, &mut timer);
                }
            }
        }
    }
    let ns = begun.elapsed().as_nanos() as f64 / f64::from(rounds);
    println!(
        "request and response: {ns:.0} ns, {:.3} packets, {fired} timers",
        f64::from(packets) / f64::from(rounds)
    );
}

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "it measures the machine, not the model")]
fn connections() {
    let mut net = Net::new(1, 2, LinkConfig::default());
    let l = net.listener(1, "10.9.0.2", 4000);
    let rounds = 20_000;
    let begun = std::time::Instant::now();
    for _ in 0..rounds {
        let (c, a) = net.pair_with(0, l);
        net.close(c);
        net.run_ms(1);
        net.close(a);
        net.run_ms(5);
    }
    println!(
        "connect, accept, close: {:.0} ns",
        begun.elapsed().as_nanos() as f64 / f64::from(rounds)
    );
    let begun = std::time::Instant::now();
    let (c, a) = net.pair_with(0, l);
    let (data, mut total) = (vec![1; 1 << 20], 0_usize);
    while total < 1 << 30 {
        while let Ok(n) = net.send(c, &data) {
            total += n;
        }
        net.run_ms(2);
        while net.recv(a, 1 << 20).is_ok() {}
    }
    println!("bulk: {:.2} GB/s", total as f64 / begun.elapsed().as_nanos() as f64);
}
