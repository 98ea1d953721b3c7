//! Each layer alone, and several of them below many callers.

use quotes::{Again, Replica};
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::balance::p2c::Balance;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, PendingRequests};
use tower::timeout::error::Elapsed;
use tower::util::BoxCloneService;
use tower::{Service, ServiceBuilder, ServiceExt};

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn who_is_too_slow_is_not_waited_for() {
    let layers = || ServiceBuilder::new().timeout(50 * MS);
    assert_eq!(layers().service(Replica::new(5 * MS, 0)).oneshot(4).await.unwrap(), 8);
    let before = Instant::now();
    let failure = layers().service(Replica::new(5000 * MS, 0)).oneshot(4).await.unwrap_err();
    assert!(failure.is::<Elapsed>(), "{failure}");
    assert!(before.elapsed() >= 50 * MS && before.elapsed() < 2000 * MS);
}

#[tokio::test]
async fn two_failures_are_waited_out_and_four_are_not() {
    let again = Again { left: 3, wait: 10 * MS };
    let replica = Replica::new(MS, 2);
    let before = Instant::now();
    let answer = ServiceBuilder::new().retry(again.clone()).service(replica.clone()).oneshot(21).await;
    assert_eq!(answer.unwrap(), 42);
    assert_eq!(replica.asked.load(Ordering::Relaxed), 3);
    assert!(before.elapsed() >= 33 * MS, "three calls, 10 ms and 20 ms between them");

    let broken = Replica::new(MS, 4);
    assert!(ServiceBuilder::new().retry(again).service(broken.clone()).oneshot(1).await.is_err());
    assert_eq!(broken.asked.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_buffer_lets_two_at_a_time_through() {
    let replica = Replica::new(5 * MS, 0);
    let service = ServiceBuilder::new().buffer(4).concurrency_limit(2).service(replica.clone());
    let mut callers = JoinSet::new();
    for number in 0..12 {
        let mut service = service.clone();
        callers.spawn(async move { service.ready().await.unwrap().call(number).await.unwrap() });
    }
    let mut answers = callers.join_all().await;
    answers.sort_unstable();
    assert_eq!(answers, (0..12).map(|number| number * 2).collect::<Vec<_>>());
    assert!((1..=2).contains(&replica.most.load(Ordering::Relaxed)));
    assert_eq!(replica.asked.load(Ordering::Relaxed), 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn load_is_shared_and_a_bad_answer_is_asked_for_elsewhere() {
    let replicas: Vec<_> = [0, 0, 10].map(|failures| Replica::new(3 * MS, failures)).into();
    let loads = replicas.iter().map(|one| PendingRequests::new(one.clone(), CompleteOnResponse::default()));
    let balance = Balance::new(ServiceList::new(loads.collect::<Vec<_>>()));
    let layers = ServiceBuilder::new().retry(Again { left: 20, wait: MS }).buffer(8);
    let service = BoxCloneService::new(layers.service(balance));
    let mut callers = JoinSet::new();
    for caller in 0..6 {
        let mut service = service.clone();
        callers.spawn(async move {
            for number in 0..10 {
                let answer = service.ready().await.unwrap().call(caller * 10 + number).await;
                assert_eq!(answer.unwrap(), 2 * (caller * 10 + number));
            }
        });
    }
    callers.join_all().await;
    let asked: Vec<_> = replicas.iter().map(|one| one.asked.load(Ordering::Relaxed)).collect();
    assert!(asked.iter().all(|&count| count > 0), "{asked:?}");
    assert!((60..=70).contains(&asked.iter().sum::<usize>()), "60 answers and at most ten failures: {asked:?}");
}

#[tokio::test]
async fn a_closed_buffer_says_so() -> Result<(), Infallible> {
    let service = tower::service_fn(|number: u32| async move { Ok::<_, Infallible>(number + 1) });
    let (mut buffer, worker) = tower::buffer::Buffer::pair(service, 2);
    let worker = tokio::spawn(worker);
    assert_eq!(buffer.ready().await.unwrap().call(1).await.unwrap(), 2);
    worker.abort();
    assert!(worker.await.unwrap_err().is_cancelled());
    assert!(buffer.ready().await.is_err());
    Ok(())
}
