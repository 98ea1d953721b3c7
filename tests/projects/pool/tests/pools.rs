//! Limits, patience and broken connections, in both pools.

use deadpool::managed::{Pool, PoolError};
use deadpool::Runtime;
use offices::{office, Counts, Dial};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const MS: Duration = Duration::from_millis(1);

async fn open() -> (SocketAddr, Arc<Counts>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counts = Arc::<Counts>::default();
    tokio::spawn(office(listener, Arc::clone(&counts)));
    (address, counts)
}

fn deadpool(address: SocketAddr, size: usize) -> Pool<Dial> {
    Pool::builder(Dial(address)).max_size(size).runtime(Runtime::Tokio1).build().unwrap()
}

#[tokio::test]
async fn ten_users_share_three_connections() {
    let (address, counts) = open().await;
    let pool = deadpool(address, 3);
    let mut users = JoinSet::new();
    for user in 0..10 {
        let pool = pool.clone();
        users.spawn(async move { pool.get().await.unwrap().next(user * 10).await.unwrap() });
    }
    let mut answers = users.join_all().await;
    answers.sort_unstable();
    assert_eq!(answers, (0..10).map(|user| user * 10 + 1).collect::<Vec<_>>());
    assert!((1..=3).contains(&counts.connections.load(Ordering::Relaxed)));
    let status = pool.status();
    assert!(status.size <= 3 && status.available == status.size, "{status:?}");
}

#[tokio::test]
async fn who_waits_too_long_for_a_connection_is_told() {
    let (address, _) = open().await;
    let pool = deadpool(address, 1);
    let mut timeouts = pool.timeouts();
    timeouts.wait = Some(30 * MS);
    let held = pool.get().await.unwrap();
    let failure = pool.timeout_get(&timeouts).await.err().unwrap();
    assert!(matches!(failure, PoolError::Timeout(_)), "{failure}");
    drop(held);
    assert_eq!(pool.timeout_get(&timeouts).await.unwrap().next(4).await.unwrap(), 5);
    pool.close();
    assert!(matches!(pool.get().await.err().unwrap(), PoolError::Closed));
}

#[tokio::test]
async fn a_connection_that_hung_up_is_replaced() {
    let (address, counts) = open().await;
    let pool = deadpool(address, 1);
    pool.get().await.unwrap().bye().await.unwrap();
    assert_eq!(pool.get().await.unwrap().next(1).await.unwrap(), 2);
    // A question that nobody waited for leaves its answer on the line, which nobody may use again.
    {
        let mut line = pool.get().await.unwrap();
        assert!(tokio::time::timeout(MS, line.next(7)).await.is_err());
    }
    assert_eq!(pool.get().await.unwrap().next(2).await.unwrap(), 3);
    assert_eq!(counts.connections.load(Ordering::Relaxed), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bb8_keeps_its_limit_and_checks_what_it_lends() {
    let (address, counts) = open().await;
    let pool = bb8::Pool::builder().max_size(2).min_idle(Some(1)).build(Dial(address)).await.unwrap();
    let mut users = JoinSet::new();
    for user in 0..6 {
        let pool = pool.clone();
        users.spawn(async move {
            let mut line = pool.get().await.unwrap();
            assert_eq!(line.next(user).await.unwrap(), user + 1);
            if user == 3 {
                line.bye().await.unwrap();
            }
        });
    }
    users.join_all().await;
    assert!(pool.state().connections <= 2);
    assert!((2..=4).contains(&counts.connections.load(Ordering::Relaxed)));
}

#[tokio::test]
async fn bb8_gives_up_where_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let builder = bb8::Pool::builder().connection_timeout(200 * MS);
    let pool = builder.build_unchecked(Dial(address));
    assert!(matches!(pool.get().await.err().unwrap(), bb8::RunError::TimedOut));
}
