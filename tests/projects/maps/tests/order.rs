//! What holds whatever the order is.

use seats::{offers, Theatre};
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher;
use std::thread;
use std::time::Duration;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_shares_a_seat() {
    let theatre = Theatre::default();
    let mut guests = JoinSet::new();
    for guest in 0..12 {
        let theatre = theatre.clone();
        guests.spawn(async move {
            for seat in 0..20 {
                if theatre.take((seat + guest) % 20, &guest.to_string()) {
                    return true;
                }
                tokio::task::yield_now().await;
            }
            false
        });
    }
    assert!(guests.join_all().await.into_iter().all(|sits| sits));
    let names: HashSet<_> = theatre.seats.iter().map(|seat| seat.value().clone()).collect();
    assert_eq!((names.len(), theatre.seats.len()), (12, 12));
}

#[test]
fn threads_that_change_seats_lose_nobody() {
    let theatre = Theatre::default();
    for seat in 0..8 {
        assert!(theatre.take(seat, &format!("guest {seat}")));
    }
    thread::scope(|scope| {
        for seat in 0..8 {
            let theatre = &theatre;
            scope.spawn(move || assert!(theatre.change(seat, seat + 8)));
        }
    });
    let by_seat: BTreeMap<_, _> = theatre.seats.iter().map(|seat| (*seat.key(), seat.value().clone())).collect();
    let expected: BTreeMap<_, _> = (0..8).map(|seat| (seat + 8, format!("guest {seat}"))).collect();
    assert_eq!(by_seat, expected);
}

#[tokio::test]
async fn every_shop_is_heard_once() {
    let shops = HashMap::from([("east", 3), ("north", 1), ("south", 2), ("west", 4)]);
    let heard = offers(shops.clone()).await;
    assert_eq!(heard.len(), shops.len());
    assert_eq!(heard.into_iter().collect::<HashMap<_, _>>(), shops);
}

#[tokio::test]
async fn the_order_of_a_map_decides_only_when() {
    // Sleeps in the order of two maps: an order that is not the seed's would show in every event that follows.
    for map in [HashMap::from_iter((0..10).map(|key| (key, key * 3))), HashMap::<u64, u64>::new()] {
        for (key, value) in map {
            tokio::time::sleep(Duration::from_millis(key)).await;
            assert_eq!(value, key * 3);
        }
    }
    let (one, other) = (RandomState::new().hash_one(1), RandomState::new().hash_one(1));
    assert_ne!(one, other, "every map has keys of its own");
    tokio::time::sleep(Duration::from_micros(one % 1000)).await;
}
