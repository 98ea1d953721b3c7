//! Our own runtime, in the simulated world: the random policy, the fingerprint on, as a search runs it.
//!
//! Set for every scenario with links: a latency of exactly 1 ms, as for the peers.

use std::{cell::Cell, future::ready, rc::Rc, time::Duration};

use sim::{
    Builder, LinkConfig, PolicyKind, Runtime, SimRuntime, host,
    net::{TcpListener, TcpStream, UdpSocket},
    spawn,
    time::{sleep, timeout},
    yield_now,
};
use tokio::sync::Semaphore;

use crate::{
    frame::{Contestant, Measured, OURS, Table},
    heap::HeapMark,
    scenarios::{
        EMPTY_SIM, IDLE_HOSTS, MEMORY, SPAWN_JOIN, SWITCH, TCP_BULK, TCP_RTT_10, TCP_RTT_100,
        TCP_RTT_1000, TIMEOUT_ARMED, TIMEOUT_DROPPED, TIMERS, UDP_DATAGRAM,
    },
    workload::{
        BULK_BYTES, DATAGRAM_BURST, DATAGRAMS, EMPTY_HOSTS, EMPTY_SIMS, HOUR, IDLE_HOSTS as HOSTS,
        IDLE_SECONDS, LATENCY, MEMORY_TASKS, MESSAGE_BYTES, PORT, ROUND_TRIPS, SECOND, SPAWNS,
        SWITCH_TASKS, SWITCH_YIELDS, TIMEOUTS, TIMER_SLEEPS, TIMER_TASKS, echo, pauses, ping,
        receive_bulk, send_bulk, timed,
    },
};

/// Enters every scenario.
pub(crate) fn enter(table: &mut Table) {
    table.enter(SWITCH, Contestant::new(OURS, switch));
    table.enter(SPAWN_JOIN, Contestant::new(OURS, spawn_join));
    table.enter(TIMERS, Contestant::new(OURS, timers));
    table.enter(TCP_RTT_10, Contestant::new(OURS, tcp_rtt::<10>));
    table.enter(TCP_RTT_100, Contestant::new(OURS, tcp_rtt::<100>));
    table.enter(TCP_RTT_1000, Contestant::new(OURS, tcp_rtt::<1_000>));
    table.enter(UDP_DATAGRAM, Contestant::new(OURS, udp_datagram));
    table.enter(TCP_BULK, Contestant::new(OURS, tcp_bulk));
    table.enter(IDLE_HOSTS, Contestant::new(OURS, idle_hosts));
    table.enter(EMPTY_SIM, Contestant::new(OURS, empty_sim));
    table.enter(TIMEOUT_DROPPED, Contestant::new(OURS, timeout_dropped));
    table.enter(TIMEOUT_ARMED, Contestant::new(OURS, timeout_armed));
    table.enter(MEMORY, Contestant::new(OURS, memory));
}

fn builder() -> Builder {
    let latency_ns = LATENCY.as_nanos() as u64;
    let links =
        LinkConfig { latency_min_ns: latency_ns, latency_jitter_ns: 0, ..LinkConfig::default() };
    Builder::new().seed(1).policy(PolicyKind::Random).links(links)
}

fn runtime() -> SimRuntime {
    builder().build().expect("the default limits are above zero")
}

fn switch() -> Measured {
    let mut runtime = runtime();
    timed(SWITCH_TASKS * SWITCH_YIELDS, || {
        runtime.block_on(async {
            let tasks: Vec<_> = (0..SWITCH_TASKS)
                .map(|_| {
                    spawn(async {
                        for _ in 0..SWITCH_YIELDS {
                            yield_now().await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("a task that only yields does not panic");
            }
        });
    })
}

fn spawn_join() -> Measured {
    let mut runtime = runtime();
    timed(SPAWNS, || {
        runtime.block_on(async {
            for _ in 0..SPAWNS {
                spawn(ready(())).await.expect("an empty task does not panic");
            }
        });
    })
}

fn timers() -> Measured {
    let mut runtime = runtime();
    timed(TIMER_TASKS * TIMER_SLEEPS, || {
        runtime.block_on(async {
            let tasks: Vec<_> = (0..TIMER_TASKS)
                .map(|number| {
                    spawn(async move {
                        for pause in pauses(number) {
                            sleep(pause).await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("a task that only sleeps does not panic");
            }
        });
    })
}

fn tcp_rtt<const CLIENTS: usize>() -> Measured {
    let mut runtime = runtime();
    let gate = Rc::new((Cell::new(0), Semaphore::new(0)));
    let clients = Rc::clone(&gate);
    let tasks = runtime.block_on(async move {
        host("server").spawn(async {
            let listener = TcpListener::bind(("server", PORT)).await.expect("the port is free");
            loop {
                let (stream, _) = listener.accept().await.expect("the listener stays open");
                spawn(echo(stream)).detach();
            }
        });
        sleep(SECOND).await;
        let tasks: Vec<_> = (0..CLIENTS)
            .map(|client| host(&format!("client-{client}")).spawn(client_of(clients.clone())))
            .collect();
        while clients.0.get() < CLIENTS {
            sleep(SECOND).await;
        }
        tasks
    });
    timed(ROUND_TRIPS / CLIENTS as u64 * CLIENTS as u64, || {
        gate.1.add_permits(CLIENTS);
        runtime.block_on(async {
            for task in tasks {
                task.await.expect("a client does not panic");
            }
        });
    })
}

async fn client_of(gate: Rc<(Cell<usize>, Semaphore)>) {
    let mut stream = TcpStream::connect(("server", PORT)).await.expect("the server listens");
    gate.0.set(gate.0.get() + 1);
    gate.1.acquire().await.expect("the gate stays").forget();
    let clients = gate.0.get() as u64;
    ping(&mut stream, ROUND_TRIPS / clients).await.expect("the server answers");
}

fn udp_datagram() -> Measured {
    let mut runtime = runtime();
    timed(DATAGRAMS, || {
        runtime.block_on(async {
            let receiver = host("receiver").spawn(async {
                let socket = UdpSocket::bind(("receiver", PORT)).await.expect("the port is free");
                let mut datagram = [0; MESSAGE_BYTES];
                for _ in 0..DATAGRAMS {
                    socket.recv_from(&mut datagram).await.expect("datagrams arrive");
                }
            });
            host("sender").spawn(async {
                sleep(SECOND).await;
                let socket = UdpSocket::bind(("sender", PORT)).await.expect("the port is free");
                let to = (host("receiver").ip(), PORT).into();
                for _ in 0..DATAGRAMS / DATAGRAM_BURST {
                    for _ in 0..DATAGRAM_BURST {
                        socket
                            .send_to_addr(&[7; MESSAGE_BYTES], to)
                            .await
                            .expect("datagrams leave");
                    }
                    sleep(LATENCY).await;
                }
            });
            receiver.await.expect("the receiver counts all");
        });
    })
}

fn tcp_bulk() -> Measured {
    let mut runtime = runtime();
    timed(BULK_BYTES, || {
        runtime.block_on(async {
            let receiver = host("receiver").spawn(async {
                let listener =
                    TcpListener::bind(("receiver", PORT)).await.expect("the port is free");
                let (mut stream, _) = listener.accept().await.expect("the sender connects");
                receive_bulk(&mut stream).await.expect("all bytes arrive");
            });
            host("sender").spawn(async {
                sleep(SECOND).await;
                let mut stream =
                    TcpStream::connect(("receiver", PORT)).await.expect("the receiver listens");
                send_bulk(&mut stream).await.expect("all bytes leave");
                std::future::pending::<()>().await;
            });
            receiver.await.expect("the receiver counts all");
        });
    })
}

fn idle_hosts() -> Measured {
    let mut runtime = runtime();
    timed(HOSTS * IDLE_SECONDS, || {
        runtime.block_on(async {
            for number in 0..HOSTS {
                host(&format!("host-{number}")).spawn(async {
                    loop {
                        sleep(SECOND).await;
                    }
                });
            }
            sleep(Duration::from_secs(IDLE_SECONDS)).await;
        });
    })
}

fn empty_sim() -> Measured {
    timed(EMPTY_SIMS, || {
        for _ in 0..EMPTY_SIMS {
            let hosts = (0..EMPTY_HOSTS).map(|number| format!("host-{number}"));
            drop(hosts.fold(builder(), Builder::host).build());
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
    let mut runtime = runtime();
    let mut kept_bytes = 0;
    let measured = timed(TIMEOUTS, || {
        kept_bytes = runtime.block_on(async move {
            let mark = HeapMark::now();
            for _ in 0..TIMEOUTS {
                make().await;
            }
            mark.kept_since()
        });
    });
    measured.keeping(kept_bytes)
}

fn memory() -> Measured {
    let mut runtime = runtime();
    let mark = HeapMark::now();
    let mut kept_bytes = 0;
    let measured = timed(MEMORY_TASKS, || {
        runtime.block_on(async {
            for _ in 0..MEMORY_TASKS {
                spawn(sleep(HOUR)).detach();
            }
            sleep(SECOND).await;
        });
        kept_bytes = mark.kept_since();
    });
    measured.keeping(kept_bytes)
}
