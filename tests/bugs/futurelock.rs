//! A future that waits in a lock's queue is given the lock, and nobody polls it any more.
//!
//! The task borrows its future into a time-out instead of giving it away. When the time is up, the future is still in the queue; the task
//! waits for the same lock elsewhere, behind itself.

use crate::ms;
use sim::sync::Mutex;
use sim::time::{sleep, timeout};
use std::pin::pin;
use std::rc::Rc;

async fn use_it(lock: Rc<Mutex<u32>>) {
    *lock.lock().await += 1;
}

/// Somebody else holds the lock now and then, for as long as an answer of the network takes.
fn contend(lock: &Rc<Mutex<u32>>) {
    for _ in 0..2 {
        let lock = Rc::clone(lock);
        sim::spawn(async move {
            for _ in 0..5 {
                let held = lock.lock().await;
                sleep(ms(sim::rand::range(1..10))).await;
                drop(held);
                sleep(ms(sim::rand::range(1..10))).await;
            }
        })
        .detach();
    }
}

#[sim::test(runs = 100, should_fail = "deadlock")]
async fn a_future_that_is_borrowed_into_a_timeout_keeps_its_place_in_the_queue() {
    let lock = Rc::new(Mutex::new(0));
    contend(&lock);
    for _ in 0..3 {
        let mut first = pin!(use_it(Rc::clone(&lock)));
        if timeout(ms(5), &mut first).await.is_err() {
            // `first` is still there, and may own the lock.
            use_it(Rc::clone(&lock)).await;
        }
        sleep(ms(3)).await;
    }
}

#[sim::test]
async fn a_future_that_is_given_away_leaves_the_queue() {
    let lock = Rc::new(Mutex::new(0));
    contend(&lock);
    for _ in 0..3 {
        if timeout(ms(5), use_it(Rc::clone(&lock))).await.is_err() {
            use_it(Rc::clone(&lock)).await;
        }
        sleep(ms(3)).await;
    }
}
