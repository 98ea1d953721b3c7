//! The holder of a lease checks it and writes. Between the two its machine stands still for longer than the lease lasts, and
//! another holder has written meanwhile.

use crate::ms;
use sim::host;
use sim::time::{Instant, sleep};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// How long a lease lasts.
const LEASE: Duration = Duration::from_millis(120);

/// The service that gives leases, each with a number greater than all before.
#[derive(Debug, Default)]
struct Leases {
    number: u32,
    until: Option<Instant>,
}

impl Leases {
    fn take(&mut self) -> Option<(u32, Instant)> {
        let now = Instant::now();
        if self.until.is_some_and(|until| until > now) {
            return None;
        }
        self.number += 1;
        self.until = Some(now + LEASE);
        Some((self.number, now + LEASE))
    }
}

/// What is written, and by whom: the numbers of the leases.
#[derive(Debug, Default)]
struct Storage {
    by: Vec<u32>,
    /// Whether a number that is lower than one before is refused.
    fenced: bool,
}

impl Storage {
    fn write(&mut self, number: u32) -> bool {
        let refused = self.fenced && self.by.last().is_some_and(|&last| last > number);
        if !refused {
            self.by.push(number);
        }
        !refused
    }
}

async fn work(leases: Rc<RefCell<Leases>>, storage: Rc<RefCell<Storage>>) {
    for _ in 0..30 {
        let lease = leases.borrow_mut().take();
        let Some((number, until)) = lease else {
            sleep(ms(10)).await;
            continue;
        };
        while Instant::now() + ms(10) < until {
            // The write goes over the network.
            sleep(ms(sim::rand::range(1..8))).await;
            if !storage.borrow_mut().write(number) {
                break;
            }
        }
        sleep(ms(sim::rand::range(1..20))).await;
    }
}

async fn cluster(fenced: bool) {
    let leases = Rc::new(RefCell::new(Leases::default()));
    let storage = Rc::new(RefCell::new(Storage { fenced, ..Storage::default() }));
    let workers = ["left", "right"]
        .map(|name| host(name).spawn(work(Rc::clone(&leases), Rc::clone(&storage))));
    for worker in workers {
        // A worker whose machine crashed is gone; nobody starts it again.
        let _ = worker.await;
    }
    let by = &storage.borrow().by;
    let out_of_order = by.windows(2).find(|pair| pair[0] > pair[1]);
    assert_eq!(out_of_order, None, "a write came after its lease");
}

#[sim::test(runs = 500, should_fail = "a write came after its lease")]
async fn a_lease_is_checked_before_the_write() {
    cluster(false).await;
}

#[sim::test]
async fn the_storage_knows_the_latest_lease() {
    cluster(true).await;
}
