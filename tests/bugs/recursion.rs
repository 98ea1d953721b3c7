//! A reader reads once more while a writer waits: the lock is fair, so the second read waits for the writer, and the writer for the
//! first read.

use sim::sync::RwLock;
use sim::task::yield_now;
use std::rc::Rc;

/// The rooms of a chat and how many are in each.
type Rooms = RwLock<Vec<u32>>;

/// Counts one room; takes the lock itself, as its other callers need.
async fn count(rooms: &Rooms, room: usize) -> u32 {
    rooms.read().await[room]
}

async fn write(rooms: Rc<Rooms>) {
    for room in 0..3 {
        rooms.write().await[room] += 1;
        yield_now().await;
    }
}

#[sim::test(runs = 100, should_fail = "deadlock")]
async fn a_function_that_reads_is_called_while_reading() {
    let rooms = Rc::new(RwLock::new(vec![0; 3]));
    let writer = sim::spawn(write(Rc::clone(&rooms)));
    let all = rooms.read().await;
    let mut sum = 0;
    for room in 0..all.len() {
        sum += count(&rooms, room).await;
    }
    drop(all);
    writer.await.unwrap();
    assert!(sum <= 3);
}

#[sim::test]
async fn what_was_read_is_passed_on() {
    let rooms = Rc::new(RwLock::new(vec![0; 3]));
    let writer = sim::spawn(write(Rc::clone(&rooms)));
    let all = rooms.read().await;
    let sum: u32 = all.iter().sum();
    drop(all);
    writer.await.unwrap();
    assert!(sum <= 3);
    assert_eq!(count(&rooms, 2).await, 1);
}
