//! A loop offers a message to a channel and to a timer at once. When the timer wins, the message was in the future that is dropped.

use futures_util::future::{Either, select};
use sim::sync::mpsc;
use sim::time::sleep;
use std::pin::pin;
use std::time::Duration;

const MESSAGES: u32 = 10;
const TICK: Duration = Duration::from_millis(10);

/// Takes messages at its own pace; at the end says what it got.
async fn consume(mut messages: mpsc::Receiver<u32>) -> Vec<u32> {
    let mut got = Vec::new();
    while let Some(message) = messages.recv().await {
        got.push(message);
        sleep(Duration::from_millis(sim::rand::range(0..16))).await;
    }
    got
}

#[sim::test(runs = 100, should_fail = "messages were lost")]
async fn a_message_that_waits_in_a_select_is_lost_with_it() {
    let (sender, receiver) = mpsc::channel(1);
    let consumer = sim::spawn(consume(receiver));
    let mut next = 0;
    while next < MESSAGES {
        let message = next;
        next += 1;
        // Every ten milliseconds there is something else to do.
        let _ = select(pin!(sender.send(message)), pin!(sleep(TICK))).await;
    }
    drop(sender);
    let got = consumer.await.unwrap();
    assert_eq!(got.len(), MESSAGES as usize, "messages were lost: {got:?} arrived");
}

#[sim::test]
async fn room_is_reserved_first_and_then_the_message_is_taken() {
    let (sender, receiver) = mpsc::channel(1);
    let consumer = sim::spawn(consume(receiver));
    let mut next = 0;
    while next < MESSAGES {
        if let Either::Left((permit, _)) = select(pin!(sender.reserve()), pin!(sleep(TICK))).await {
            permit.unwrap().send(next);
            next += 1;
        }
    }
    drop(sender);
    let got = consumer.await.unwrap();
    assert_eq!(got, (0..MESSAGES).collect::<Vec<_>>());
}
