//! Locks, channels and notifications: one list of cases for `sim::sync` and for tokio's own, on both backends. Where the two differ,
//! tokio is right.

mod ours {
    use sim::sync;
    include!("cases.rs");
}

mod tokios {
    use tokio::sync;
    include!("cases.rs");
}

use crate::on_both;
use sim::sync::{Barrier, watch};
use sim::time::sleep;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// Whoever waits for a value or at a barrier is woken in the order of waiting; tokio may draw.
async fn who_waits_is_woken_in_order() -> io::Result<()> {
    let (sender, receiver) = watch::channel(0);
    let barrier = Rc::new(Barrier::new(13));
    let (saw, met) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
    for n in 0..12 {
        let (mut receiver, barrier) = (receiver.clone(), Rc::clone(&barrier));
        let (saw, met) = (Rc::clone(&saw), Rc::clone(&met));
        sim::spawn(async move {
            receiver.changed().await.unwrap();
            saw.borrow_mut().push(n);
            barrier.wait().await;
            met.borrow_mut().push(n);
        })
        .detach();
        sleep(Duration::from_millis(1)).await;
    }
    sender.send(1).unwrap();
    sleep(Duration::from_millis(5)).await;
    assert!(barrier.wait().await.is_leader());
    sleep(Duration::from_millis(5)).await;
    let (mut saw, mut met) = (saw.take(), met.take());
    if sim::in_simulation() {
        // Who runs first of those who were woken is the scheduler's choice.
        saw.sort_unstable();
        met.sort_unstable();
    }
    assert_eq!(saw, (0..12).collect::<Vec<_>>());
    assert_eq!(met, saw);
    Ok(())
}

on_both!(who_waits_is_woken_in_order);
