//! turmoil: hosts with a tokio runtime each, stepped together by a fixed tick.
//!
//! Set for every scenario: a link latency of exactly 1 ms (least and greatest made equal; the default is up to 100 ms, exponential), a
//! fixed seed, and a simulated duration that is never reached (the default ends a run after 10 s). The tick keeps its default of
//! 1 ms: a longer one would make the latency longer, a shorter one would only add work.
//!
//! A step's cost grows with the cube of the number of hosts, so the ping-pong makes fewer round trips the more clients it has. The
//! figure is per round trip all the same.

use std::{cell::Cell, future::ready, net::Ipv4Addr, rc::Rc, time::Duration};

use tokio::{sync::Semaphore, task::yield_now, time::timeout};
use turmoil::{
    Builder, Sim,
    net::{TcpListener, TcpStream, UdpSocket},
};

use crate::{
    frame::{Contestant, Measured, Table},
    heap::HeapMark,
    scenarios::{
        EMPTY_SIM, TCP_BULK, TCP_RTT_10, TCP_RTT_100, TCP_RTT_1000, TIMEOUT_ARMED, TIMEOUT_DROPPED,
        UDP_DATAGRAM,
    },
    workload::{
        BULK_BYTES, DATAGRAM_BURST, DATAGRAMS, EMPTY_HOSTS, EMPTY_SIMS, HOUR, LATENCY,
        MESSAGE_BYTES, PORT, TIMEOUTS, echo, ping, receive_bulk, send_bulk, timed,
    },
};

const NAME: &str = "turmoil";

/// Enters the scenarios with hosts, and the timeouts; its tasks and timers as such are tokio's.
pub(super) fn enter(table: &mut Table) {
    table.enter(TCP_RTT_10, Contestant::new(NAME, tcp_rtt::<10, 5_000>));
    table.enter(TCP_RTT_100, Contestant::new(NAME, tcp_rtt::<100, 100>));
    table.enter(TCP_RTT_1000, Contestant::heavy(NAME, tcp_rtt::<1_000, 1>));
    table.enter(UDP_DATAGRAM, Contestant::new(NAME, udp_datagram));
    table.enter(TCP_BULK, Contestant::new(NAME, tcp_bulk));
    table.enter(EMPTY_SIM, Contestant::new(NAME, empty_sim));
    table.enter(TIMEOUT_DROPPED, Contestant::new(NAME, timeout_dropped));
    table.enter(TIMEOUT_ARMED, Contestant::new(NAME, timeout_armed));
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .rng_seed(1)
        .min_message_latency(LATENCY)
        .max_message_latency(LATENCY)
        .simulation_duration(Duration::from_secs(1 << 30));
    builder
}

/// How the clients wait for each other, so that the round trips are timed without the connecting.
struct Gate {
    connected: Cell<usize>,
    open: Semaphore,
}

fn tcp_rtt<const CLIENTS: usize, const ROUND_TRIPS_EACH: u64>() -> Measured {
    // All clients connect within one tick, and a full backlog (64 by default) is a panic here.
    let mut sim = builder().tcp_capacity(CLIENTS.max(64)).build();
    sim.host("server", echo_server);
    let gate = Rc::new(Gate { connected: Cell::new(0), open: Semaphore::new(0) });
    for client in 0..CLIENTS {
        let gate = Rc::clone(&gate);
        sim.client(format!("client-{client}"), async move {
            let mut stream = TcpStream::connect(("server", PORT)).await?;
            gate.connected.set(gate.connected.get() + 1);
            gate.open.acquire().await?.forget();
            ping(&mut stream, ROUND_TRIPS_EACH).await?;
            Ok(())
        });
    }
    while gate.connected.get() < CLIENTS {
        sim.step().expect("clients only connect until the gate opens");
    }
    gate.open.add_permits(CLIENTS);
    // A round trip takes two steps. The step in which the first requests leave is not timed, or few round trips would look dearer
    // than many.
    sim.step().expect("clients only write their first request");
    timed(CLIENTS as u64 * ROUND_TRIPS_EACH, || run(&mut sim))
}

async fn echo_server() -> turmoil::Result {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo(stream));
    }
}

fn run(sim: &mut Sim<'_>) {
    sim.run().expect("no client fails and the simulated duration is not reached");
}

fn udp_datagram() -> Measured {
    let mut sim = builder().build();
    sim.client("receiver", async {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
        let mut datagram = [0; MESSAGE_BYTES];
        for _ in 0..DATAGRAMS {
            socket.recv_from(&mut datagram).await?;
        }
        Ok(())
    });
    sim.client("sender", async {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
        let receiver = (turmoil::lookup("receiver"), PORT);
        for _ in 0..DATAGRAMS / DATAGRAM_BURST {
            for _ in 0..DATAGRAM_BURST {
                socket.send_to(&[7; MESSAGE_BYTES], receiver).await?;
            }
            tokio::time::sleep(LATENCY).await;
        }
        Ok(())
    });
    timed(DATAGRAMS, || run(&mut sim))
}

/// The receive buffer keeps its default of 64 segments, each of one write: 4 MiB here.
fn tcp_bulk() -> Measured {
    let mut sim = builder().build();
    sim.client("receiver", async {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
        let (mut stream, _) = listener.accept().await?;
        receive_bulk(&mut stream).await?;
        Ok(())
    });
    sim.client("sender", async {
        let mut stream = TcpStream::connect(("receiver", PORT)).await?;
        send_bulk(&mut stream).await?;
        Ok(())
    });
    timed(BULK_BYTES, || run(&mut sim))
}

fn empty_sim() -> Measured {
    timed(EMPTY_SIMS, || {
        for _ in 0..EMPTY_SIMS {
            let mut sim = builder().build();
            for host in 0..EMPTY_HOSTS {
                sim.host(format!("host-{host}"), || ready(Ok(())));
            }
        }
    })
}

fn timeout_dropped() -> Measured {
    timeouts(|| timeout(HOUR, ready(())))
}

fn timeout_armed() -> Measured {
    timeouts(|| timeout(HOUR, yield_now()))
}

fn timeouts<F: Future + 'static>(make: impl Fn() -> F + 'static) -> Measured {
    let kept_bytes = Rc::new(Cell::new(0));
    let kept = Rc::clone(&kept_bytes);
    let mut sim = builder().build();
    sim.client("host", async move {
        let mark = HeapMark::now();
        for _ in 0..TIMEOUTS {
            make().await;
        }
        kept.set(mark.kept_since());
        Ok(())
    });
    let measured = timed(TIMEOUTS, || run(&mut sim));
    measured.keeping(kept_bytes.get())
}
