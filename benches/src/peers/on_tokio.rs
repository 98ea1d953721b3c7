//! tokio's `current_thread` runtime: not a simulator, but the scheduler and the timer wheel that every async user knows, and the ones
//! that turmoil runs on. Nothing here is simulated except, where timers are measured, the clock.

use std::future::ready;

use tokio::{
    runtime::{Builder, Runtime},
    task::{spawn, yield_now},
    time::sleep,
};

use crate::{
    frame::{Contestant, Measured, Table},
    heap::HeapMark,
    scenarios::{MEMORY, SPAWN_JOIN, SWITCH, TIMERS},
    workload::{
        HOUR, MEMORY_TASKS, SECOND, SPAWNS, SWITCH_TASKS, SWITCH_YIELDS, TIMER_SLEEPS, TIMER_TASKS,
        pauses, timed,
    },
};

const NAME: &str = "tokio";

/// Enters the scenarios that need neither hosts nor a network.
pub(super) fn enter(table: &mut Table) {
    table.enter(SWITCH, Contestant::new(NAME, switch));
    table.enter(SPAWN_JOIN, Contestant::new(NAME, spawn_join));
    table.enter(TIMERS, Contestant::new(NAME, timers));
    table.enter(MEMORY, Contestant::new(NAME, memory));
}

/// A runtime without drivers: the least that tokio can be.
fn bare_runtime() -> Runtime {
    Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers has nothing that can fail")
}

/// A runtime whose clock jumps to the next timer when nothing else is left to do.
fn paused_runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a paused clock needs nothing of the system")
}

fn switch() -> Measured {
    let runtime = bare_runtime();
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
    let runtime = bare_runtime();
    timed(SPAWNS, || {
        runtime.block_on(async {
            for _ in 0..SPAWNS {
                spawn(ready(())).await.expect("an empty task does not panic");
            }
        });
    })
}

fn timers() -> Measured {
    let runtime = paused_runtime();
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

fn memory() -> Measured {
    let runtime = paused_runtime();
    let mark = HeapMark::now();
    let mut kept_bytes = 0;
    let measured = timed(MEMORY_TASKS, || {
        runtime.block_on(async {
            for _ in 0..MEMORY_TASKS {
                spawn(sleep(HOUR));
            }
            // The paused clock moves only when nothing is left to poll, so a second later all of them are asleep.
            sleep(SECOND).await;
            kept_bytes = mark.kept_since();
        });
    });
    measured.keeping(kept_bytes)
}
