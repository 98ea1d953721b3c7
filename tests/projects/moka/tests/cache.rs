//! One look-up for many, an end of life, a limit, and failures that are not kept.

use moka::notification::RemovalCause;
use moka::sync::Cache;
use prices::Prices;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tokio::task::JoinSet;

#[tokio::test]
async fn ten_who_ask_at_once_share_one_look_up() {
    let prices = Prices::new(100, Duration::from_secs(60));
    let mut askers = JoinSet::new();
    for _ in 0..10 {
        let prices = prices.clone();
        askers.spawn(async move { prices.of(7).await });
    }
    assert!(askers.join_all().await.into_iter().all(|price| price == Ok(700)));
    assert_eq!(prices.source.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_price_grows_old() {
    let prices = Prices::new(100, Duration::from_millis(200));
    assert_eq!(prices.of(3).await, Ok(300));
    assert_eq!(prices.of(3).await, Ok(300));
    assert_eq!(prices.source.asked.load(Ordering::Relaxed), 1);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(prices.cache.get(&3).await, None);
    assert_eq!(prices.of(3).await, Ok(300));
    assert_eq!(prices.source.asked.load(Ordering::Relaxed), 2);
    prices.cache.run_pending_tasks().await;
    assert_eq!(*prices.removed.lock().unwrap(), [(3, RemovalCause::Expired)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_so_many_are_kept() {
    let prices = Prices::new(5, Duration::from_secs(60));
    let mut askers = JoinSet::new();
    for article in 1..=20 {
        let prices = prices.clone();
        askers.spawn(async move { assert_eq!(prices.of(article).await, Ok(article * 100)) });
    }
    askers.join_all().await;
    prices.cache.run_pending_tasks().await;
    assert_eq!(prices.cache.entry_count(), 5);
    let removed = prices.removed.lock().unwrap();
    assert_eq!(removed.len(), 15);
    assert!(removed.iter().all(|(_, cause)| *cause == RemovalCause::Size), "{removed:?}");
}

#[tokio::test]
async fn a_failure_is_not_kept() {
    let prices = Prices::new(5, Duration::from_secs(60));
    for times in 1..=2 {
        assert_eq!(prices.of(0).await.unwrap_err().as_str(), "no such article");
        assert_eq!(prices.source.asked.load(Ordering::Relaxed), times);
    }
}

#[test]
fn threads_share_a_cache() {
    let cache = Cache::new(100);
    let loads = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for key in 0..10_u32 {
                    let load = || loads.fetch_add(1, Ordering::Relaxed);
                    let first = cache.get_with(key, load);
                    assert_eq!(cache.get(&key), Some(first));
                }
            });
        }
    });
    assert_eq!(loads.into_inner(), 10);
}
