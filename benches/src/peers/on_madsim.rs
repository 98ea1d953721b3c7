//! madsim: a simulator whose scheduler picks the next task at random.
//!
//! Set for every scenario with a network: a latency of 1 ms, as the range of one nanosecond from there, since its range may not be
//! empty (the default is 1 to 10 ms). What cannot be set: a socket call first sleeps for some microseconds, which its sleep rounds up
//! to a millisecond, in `bind`, `connect`, `accept` and every `send_to`. Each poll advances the clock by 50 to 99 ns.

use std::{
    future::ready,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use madsim::{
    Config,
    net::{TcpListener, TcpStream, UdpSocket},
    runtime::{NodeHandle, Runtime},
    task::{JoinHandle, spawn, yield_now},
    time::{sleep, timeout},
};

use crate::{
    frame::{Contestant, Measured, Table},
    heap::HeapMark,
    scenarios::{
        EMPTY_SIM, IDLE_HOSTS, MEMORY, SPAWN_JOIN, SWITCH, TCP_RTT_10, TCP_RTT_100, TCP_RTT_1000,
        TIMEOUT_ARMED, TIMEOUT_DROPPED, TIMERS, UDP_DATAGRAM,
    },
    workload::{
        self, DATAGRAM_BURST, DATAGRAMS, EMPTY_HOSTS, EMPTY_SIMS, HOUR, IDLE_SECONDS, LATENCY,
        MEMORY_TASKS, MESSAGE_BYTES, PORT, ROUND_TRIPS, SECOND, SPAWNS, SWITCH_TASKS,
        SWITCH_YIELDS, TIMEOUTS, TIMER_SLEEPS, TIMER_TASKS, echo, pauses, ping, timed,
    },
};

const NAME: &str = "madsim";

/// Enters every scenario but the bulk transfer: its streams have no receive buffer that could fill, so a gibibyte would lie in memory.
pub(super) fn enter(table: &mut Table) {
    table.enter(SWITCH, Contestant::new(NAME, switch));
    table.enter(SPAWN_JOIN, Contestant::new(NAME, spawn_join));
    table.enter(TIMERS, Contestant::new(NAME, timers));
    table.enter(TCP_RTT_10, Contestant::new(NAME, tcp_rtt::<10>));
    table.enter(TCP_RTT_100, Contestant::new(NAME, tcp_rtt::<100>));
    table.enter(TCP_RTT_1000, Contestant::new(NAME, tcp_rtt::<1_000>));
    table.enter(UDP_DATAGRAM, Contestant::new(NAME, udp_datagram));
    table.enter(IDLE_HOSTS, Contestant::new(NAME, idle_hosts));
    table.enter(EMPTY_SIM, Contestant::new(NAME, empty_sim));
    table.enter(TIMEOUT_DROPPED, Contestant::new(NAME, timeout_dropped));
    table.enter(TIMEOUT_ARMED, Contestant::new(NAME, timeout_armed));
    table.enter(MEMORY, Contestant::new(NAME, memory));
}

fn new_runtime() -> Runtime {
    let mut config = Config::default();
    config.net.send_latency = LATENCY..LATENCY + std::time::Duration::from_nanos(1);
    Runtime::with_seed_and_config(1, config)
}

/// The address of a host: 10.0.0.1 for the number 0.
fn address(host: u16) -> IpAddr {
    let [high, low] = (host + 1).to_be_bytes();
    Ipv4Addr::new(10, 0, high, low).into()
}

fn node(runtime: &Runtime, host: u16) -> NodeHandle {
    runtime.create_node().ip(address(host)).build()
}

/// Awaits tasks that end well.
async fn join_all<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut outputs = Vec::with_capacity(tasks.len());
    for task in tasks {
        outputs.push(task.await.expect("nobody aborts these tasks"));
    }
    outputs
}

fn switch() -> Measured {
    let runtime = new_runtime();
    timed(SWITCH_TASKS * SWITCH_YIELDS, || {
        runtime.block_on(async {
            let yielder = || async {
                for _ in 0..SWITCH_YIELDS {
                    yield_now().await;
                }
            };
            join_all((0..SWITCH_TASKS).map(|_| spawn(yielder())).collect()).await;
        });
    })
}

fn spawn_join() -> Measured {
    let runtime = new_runtime();
    timed(SPAWNS, || {
        runtime.block_on(async {
            for _ in 0..SPAWNS {
                spawn(ready(())).await.expect("nobody aborts this task");
            }
        });
    })
}

fn timers() -> Measured {
    let runtime = new_runtime();
    timed(TIMER_TASKS * TIMER_SLEEPS, || {
        runtime.block_on(async {
            let sleeper = |number| async move {
                for pause in pauses(number) {
                    sleep(pause).await;
                }
            };
            join_all((0..TIMER_TASKS).map(|number| spawn(sleeper(number))).collect()).await;
        });
    })
}

fn tcp_rtt<const CLIENTS: u16>() -> Measured {
    let runtime = new_runtime();
    let server = SocketAddr::new(address(0), PORT);
    node(&runtime, 0).spawn(async move {
        let listener = TcpListener::bind(server).await.expect("the port is free");
        loop {
            let (stream, _) = listener.accept().await.expect("a listener of one's own stays open");
            spawn(echo(stream));
        }
    });
    let nodes: Vec<_> = (1..=CLIENTS).map(|client| node(&runtime, client)).collect();
    let streams = runtime.block_on(async {
        // By then the server, whose bind takes a few milliseconds, listens.
        sleep(SECOND).await;
        let connect =
            || async move { TcpStream::connect(server).await.expect("the server listens") };
        join_all(nodes.iter().map(|node| node.spawn(connect())).collect()).await
    });
    let each = ROUND_TRIPS / u64::from(CLIENTS);
    timed(each * u64::from(CLIENTS), || {
        runtime.block_on(async {
            let client = |mut stream| async move {
                ping(&mut stream, each).await.expect("the server answers");
            };
            let clients =
                nodes.iter().zip(streams).map(|(node, stream)| node.spawn(client(stream)));
            join_all(clients.collect()).await;
        });
    })
}

fn udp_datagram() -> Measured {
    let runtime = new_runtime();
    let receiver = node(&runtime, 0).spawn(async {
        let socket =
            UdpSocket::bind(SocketAddr::new(address(0), PORT)).await.expect("the port is free");
        let mut datagram = [0; MESSAGE_BYTES];
        for _ in 0..DATAGRAMS {
            socket.recv_from(&mut datagram).await.expect("a bound socket receives");
        }
    });
    node(&runtime, 1).spawn(async {
        let socket =
            UdpSocket::bind(SocketAddr::new(address(1), PORT)).await.expect("the port is free");
        // By then the receiver is bound.
        sleep(SECOND).await;
        for _ in 0..DATAGRAMS / DATAGRAM_BURST {
            for _ in 0..DATAGRAM_BURST {
                socket
                    .send_to(SocketAddr::new(address(0), PORT), &[7; MESSAGE_BYTES])
                    .await
                    .expect("a bound socket sends");
            }
            sleep(LATENCY).await;
        }
    });
    timed(DATAGRAMS, || runtime.block_on(receiver).expect("nobody aborts the receiver"))
}

fn idle_hosts() -> Measured {
    let runtime = new_runtime();
    let sleeper = || async {
        for _ in 0..IDLE_SECONDS {
            sleep(SECOND).await;
        }
    };
    let tasks: Vec<_> = (0..workload::IDLE_HOSTS as u16)
        .map(|host| node(&runtime, host).spawn(sleeper()))
        .collect();
    timed(workload::IDLE_HOSTS * IDLE_SECONDS, || {
        runtime.block_on(join_all(tasks));
    })
}

fn empty_sim() -> Measured {
    timed(EMPTY_SIMS, || {
        for _ in 0..EMPTY_SIMS {
            let runtime = new_runtime();
            for host in 0..EMPTY_HOSTS as u16 {
                node(&runtime, host);
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

fn timeouts<F: Future>(make: impl Fn() -> F) -> Measured {
    let runtime = new_runtime();
    let mut kept_bytes = 0;
    let measured = timed(TIMEOUTS, || {
        runtime.block_on(async {
            let mark = HeapMark::now();
            for _ in 0..TIMEOUTS {
                make().await;
            }
            kept_bytes = mark.kept_since();
        });
    });
    measured.keeping(kept_bytes)
}

fn memory() -> Measured {
    let runtime = new_runtime();
    let mark = HeapMark::now();
    let mut kept_bytes = 0;
    let measured = timed(MEMORY_TASKS, || {
        runtime.block_on(async {
            for _ in 0..MEMORY_TASKS {
                spawn(sleep(HOUR));
            }
            // Time moves only when nothing is left to poll, so a second later all of them are asleep.
            sleep(SECOND).await;
            kept_bytes = mark.kept_since();
        });
    });
    measured.keeping(kept_bytes)
}
