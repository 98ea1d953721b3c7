//! bach: a discrete-event simulator with an executor, timers and UDP of its own. It enters the scenarios of tasks and timers; spawning
//! and joining a hundred thousand tasks at one instant trips its guard against programs that keep time from moving, which its
//! simulations cannot lift.

use std::{cell::Cell, rc::Rc};

use bach::{
    environment::default::Runtime,
    task::{spawn, yield_now},
    time::sleep,
};

use crate::{
    frame::{Contestant, Measured, Table},
    heap::HeapMark,
    scenarios::{MEMORY, SWITCH, TIMERS},
    workload::{
        HOUR, MEMORY_TASKS, SECOND, SWITCH_TASKS, SWITCH_YIELDS, TIMER_SLEEPS, TIMER_TASKS, pauses,
        timed,
    },
};

const NAME: &str = "bach";

/// Enters the scenarios of tasks and timers.
pub(super) fn enter(table: &mut Table) {
    table.enter(SWITCH, Contestant::new(NAME, switch));
    table.enter(TIMERS, Contestant::new(NAME, timers));
    table.enter(MEMORY, Contestant::new(NAME, memory));
}

fn switch() -> Measured {
    let mut runtime = Runtime::new();
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
                task.await.expect("a task that only yields is not aborted");
            }
        });
    })
}

fn timers() -> Measured {
    let mut runtime = Runtime::new();
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
                task.await.expect("a task that only sleeps is not aborted");
            }
        });
    })
}

fn memory() -> Measured {
    let mut runtime = Runtime::new();
    let mark = HeapMark::now();
    let kept_bytes = Rc::new(Cell::new(0));
    let kept = Rc::clone(&kept_bytes);
    let measured = timed(MEMORY_TASKS, || {
        runtime.block_on(async move {
            for _ in 0..MEMORY_TASKS {
                spawn(async {
                    sleep(HOUR).await;
                });
            }
            // Time moves only when nothing is left to poll, so a second later all of them are asleep.
            sleep(SECOND).await;
            kept.set(mark.kept_since());
        });
    });
    measured.keeping(kept_bytes.get())
}
