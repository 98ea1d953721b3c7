//! The same results in any order of rayon's threads.

use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use thumbnails::{brightness, shrink, words};
use tokio::task::spawn_blocking;

#[tokio::test]
async fn a_sum_inside_spawn_blocking() {
    let pictures = (1..=3_u32).map(|factor| tokio::spawn(brightness((0..500).map(|pixel| pixel * factor).collect())));
    for (index, sum) in pictures.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(sum.await.unwrap(), 124_750 * (index as u64 + 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_pictures_come_back_through_a_channel() {
    let small = shrink((0..60).collect(), 3).await;
    assert_eq!(small, (0..20).map(|group| group * 3 + 1).collect::<Vec<_>>());
    let (one, two) = tokio::join!(shrink(vec![8; 64], 8), shrink(vec![2, 4, 6, 8], 2));
    assert_eq!((one, two), (vec![8; 8], vec![3, 7]));
}

#[tokio::test]
async fn words_are_sorted_while_a_timer_goes_on() {
    let texts = (0..30).map(|number| format!("w{:02} and w{:02}", number, 29 - number)).collect();
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    ticks.tick().await;
    let sorted = tokio::select! {
        sorted = words(texts) => sorted,
        () = async { loop { ticks.tick().await; } } => unreachable!(),
    };
    assert_eq!(sorted.len(), 90);
    assert!(sorted.is_sorted());
}

#[tokio::test]
async fn a_pool_of_ones_own_and_joins_within_joins() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    fn fibonacci(n: u32) -> u32 {
        match n {
            0 | 1 => n,
            _ => {
                let (one, two) = rayon::join(|| fibonacci(n - 1), || fibonacci(n - 2));
                one + two
            }
        }
    }
    let answer = spawn_blocking(move || pool.install(|| (fibonacci(9), rayon::current_num_threads())));
    assert_eq!(answer.await.unwrap(), (34, 3));
}

#[test]
fn a_scope_ends_after_all_that_was_spawned_in_it() {
    let done = AtomicUsize::new(0);
    rayon::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|inner| {
                inner.spawn(|_| {
                    done.fetch_add(1, Ordering::Relaxed);
                });
            });
        }
    });
    assert_eq!(done.into_inner(), 10);
    let panicked = std::panic::catch_unwind(|| (0..8).into_par_iter().for_each(|n| assert!(n < 7, "a test")));
    assert!(panicked.is_err());
}
