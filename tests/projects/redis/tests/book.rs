//! Many guests over one connection and over several, transactions, errors, and a connection that breaks.

use guestbook::{guests, server, sign};
use redis::{AsyncCommands, Client, ErrorKind, RedisResult};
use std::collections::HashSet;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

async fn open() -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener));
    Client::open(format!("redis://{address}/")).unwrap()
}

#[tokio::test]
async fn one_connection_carries_many_guests() {
    let client = open().await;
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut signing = JoinSet::new();
    for guest in 0..8 {
        let mut connection = connection.clone();
        signing.spawn(async move { sign(&mut connection, &format!("g{guest}")).await.unwrap() });
    }
    let numbers: HashSet<_> = signing.join_all().await.into_iter().collect();
    assert_eq!(numbers, (1..=8).collect());
    let names: HashSet<_> = guests(&mut connection.clone()).await.unwrap().into_iter().collect();
    assert_eq!(names, (0..8).map(|guest| format!("g{guest}")).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_connections_count_together() {
    let client = open().await;
    let mut signing = JoinSet::new();
    for guest in 0..3 {
        let client = client.clone();
        signing.spawn(async move {
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            for time in 0..4 {
                sign(&mut connection, &format!("g{guest} {time}")).await.unwrap();
            }
        });
    }
    signing.join_all().await;
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    assert_eq!(guests(&mut connection).await.unwrap().len(), 12);
}

#[tokio::test]
async fn transactions_are_never_torn() {
    let client = open().await;
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut movers = JoinSet::new();
    for _ in 0..4 {
        // A transaction needs a connection of its own.
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        movers.spawn(async move {
            let mut pipeline = redis::pipe();
            pipeline.atomic().incr("left", -1).ignore().incr("right", 1);
            let (right,): (i64,) = pipeline.query_async(&mut connection).await.unwrap();
            right
        });
    }
    for _ in 0..5 {
        let mut look = redis::pipe();
        look.atomic().get("left").get("right");
        let (left, right): (Option<i64>, Option<i64>) = look.query_async(&mut connection).await.unwrap();
        assert_eq!(left.unwrap_or(0) + right.unwrap_or(0), 0);
    }
    let mut rights = movers.join_all().await;
    rights.sort_unstable();
    assert_eq!(rights, [1, 2, 3, 4]);
}

#[tokio::test]
async fn an_error_of_the_server_is_one_of_the_client() {
    let client = open().await;
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    assert_eq!(connection.get::<_, Option<String>>("nobody").await, Ok(None));
    let _: () = connection.set("name", "ada").await.unwrap();
    let failure: RedisResult<i64> = connection.incr("name", 1).await;
    assert_eq!(failure.unwrap_err().kind(), ErrorKind::ResponseError);
    let unknown: RedisResult<()> = redis::cmd("DANCE").query_async(&mut connection).await;
    assert!(unknown.unwrap_err().to_string().contains("DANCE"));
    assert_eq!(connection.del::<_, u32>(&["name", "nobody"]).await, Ok(1));
}

#[tokio::test]
async fn a_manager_connects_again() {
    let client = open().await;
    let mut manager = client.get_connection_manager().await.unwrap();
    assert_eq!(sign(&mut manager, "ada").await.unwrap(), 1);
    let hung_up: RedisResult<()> = redis::cmd("QUIT").query_async(&mut manager).await;
    assert!(hung_up.is_err());
    let mut number = sign(&mut manager, "bob").await;
    for _ in 0..10 {
        if number.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        number = sign(&mut manager, "bob").await;
    }
    assert!((2..=12).contains(&number.unwrap()));
}
