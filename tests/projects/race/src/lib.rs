//! A shop whose stock is counted by several tasks, and three mistakes that are easy to make with it.
//!
//! Plain `cargo test` passes: on an idle machine each mistake needs a task to be interrupted where it hardly ever is.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use tokio::sync::{mpsc, Mutex};

/// Sells one piece if there is one. The lock is let go between the look and the sale.
pub async fn sell(stock: &Mutex<i32>) {
    let is_there = *stock.lock().await > 0;
    if is_there {
        *stock.lock().await -= 1;
    }
}

/// Two customers, one piece. Answers what is left.
pub async fn two_customers() -> i32 {
    let stock = Arc::new(Mutex::new(1));
    let customers: Vec<_> = (0..2)
        .map(|_| {
            let stock = Arc::clone(&stock);
            tokio::spawn(async move { sell(&stock).await })
        })
        .collect();
    for customer in customers {
        customer.await.unwrap();
    }
    let left = *stock.lock().await;
    left
}

/// Reads a price that another task, which was spawned before, is to have set.
pub async fn price_that_was_set() -> u32 {
    let price = Arc::new(AtomicU32::new(0));
    let set = tokio::spawn({
        let price = Arc::clone(&price);
        async move { price.store(7, Ordering::SeqCst) }
    });
    let read = tokio::spawn({
        let price = Arc::clone(&price);
        async move { price.load(Ordering::SeqCst) }
    });
    set.await.unwrap();
    read.await.unwrap()
}

/// Serves orders until it is told to stop, which may be seen before the last of them.
pub async fn served(orders: u32) -> u32 {
    let (order, mut ordered) = mpsc::unbounded_channel();
    let (stop, mut stopped) = mpsc::unbounded_channel();
    for number in 0..orders {
        order.send(number).unwrap();
    }
    stop.send(()).unwrap();
    let mut served = 0;
    loop {
        tokio::select! {
            _ = stopped.recv() => return served,
            Some(_) = ordered.recv() => served += 1,
        }
    }
}
