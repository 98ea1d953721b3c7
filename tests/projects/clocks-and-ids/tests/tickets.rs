//! Clocks that agree, numbers that do not repeat.

use rand::seq::SliceRandom;
use rand::{Rng, RngCore, SeedableRng};
use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};
use tickets::{clocks, sell};
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;

#[tokio::test]
async fn no_two_tickets_are_alike() {
    let mut sales = JoinSet::new();
    for _ in 0..20 {
        sales.spawn(sell());
    }
    let tickets = sales.join_all().await;
    let ids: HashSet<_> = tickets.iter().flat_map(|ticket| [ticket.id, ticket.secret]).collect();
    assert_eq!(ids.len(), 40);
    assert!(tickets.iter().all(|ticket| ticket.id.get_version_num() == 7 && ticket.secret.get_version_num() == 4));
    assert!(tickets.iter().all(|ticket| (1..=30).contains(&ticket.row) && (1..=40).contains(&ticket.seat)));
}

#[tokio::test]
async fn later_tickets_have_greater_numbers() {
    let mut last = sell().await;
    for _ in 0..10 {
        let next = sell().await;
        assert!(next.id > last.id && next.sold >= last.sold, "{last:?} {next:?}");
        last = next;
    }
}

#[tokio::test]
async fn the_clocks_of_all_libraries_agree_before_and_after_a_sleep() {
    let agree = |clocks: [(&str, i64); 5]| {
        let times = clocks.map(|(_, time)| time);
        let spread = times.iter().max().unwrap() - times.iter().min().unwrap();
        assert!(spread < 1000, "{clocks:?}");
        times[0]
    };
    let (before, quanta, std) = (agree(clocks()), quanta::Instant::now(), Instant::now());
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let passed = [Duration::from_millis((agree(clocks()) - before) as u64), quanta.elapsed(), std.elapsed()];
    assert!(passed.iter().all(|time| (1195..60_000).contains(&time.as_millis())), "{passed:?}");
}

#[tokio::test]
async fn times_are_written_alike() {
    let now = jiff::Timestamp::now().round(jiff::Unit::Second).unwrap();
    let second = now.as_second();
    let chrono = chrono::DateTime::from_timestamp(second, 0).unwrap();
    let time = time::OffsetDateTime::from_unix_timestamp(second).unwrap();
    assert_eq!(now.to_string(), time.format(&Rfc3339).unwrap());
    assert_eq!(now.to_string(), chrono.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    let east = chrono::FixedOffset::east_opt(2 * 3600).unwrap();
    assert_eq!(chrono.with_timezone(&east).timestamp(), second);
    let zoned = now.in_tz("Europe/Paris").unwrap();
    assert_eq!(zoned.timestamp(), now);
    assert!([3600, 7200].contains(&zoned.offset().seconds()));
    // When the next event comes depends on the text, so that a run shows it.
    tokio::time::sleep(Duration::from_micros(now.to_string().bytes().map(u64::from).sum())).await;
}

#[tokio::test]
async fn generators_with_and_without_a_seed() {
    let mut seeded = rand::rngs::StdRng::seed_from_u64(7);
    let mut again = rand::rngs::StdRng::seed_from_u64(7);
    assert_eq!(seeded.next_u64(), again.next_u64());
    let (one, other) = (rand::rngs::StdRng::from_os_rng().next_u64(), rand::rngs::StdRng::from_os_rng().next_u64());
    assert_ne!(one, other);
    let mut cards: Vec<u64> = (0..52).collect();
    cards.shuffle(&mut rand::rng());
    fastrand::shuffle(&mut cards);
    for card in &cards[..5] {
        tokio::time::sleep(Duration::from_millis(*card)).await;
    }
    cards.sort_unstable();
    assert_eq!(cards, (0..52).collect::<Vec<_>>());
}

#[test]
fn every_thread_draws_its_own_numbers() {
    let draw = || (rand::rng().random::<u64>(), fastrand::u64(..), quanta::Instant::now());
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(draw)).collect();
    let drawn: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let rand: HashSet<_> = drawn.iter().map(|(number, _, _)| number).collect();
    let fast: HashSet<_> = drawn.iter().map(|(_, number, _)| number).collect();
    assert_eq!((rand.len(), fast.len()), (4, 4));
    let now = quanta::Instant::now();
    assert!(drawn.iter().all(|(_, _, then)| *then <= now));
}
