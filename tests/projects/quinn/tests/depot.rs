//! Streams beside each other, several clients, datagrams, and the ends of connections.

use parcels::{client, connect, send, serve, server};
use quinn::{ConnectionError, VarInt};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

#[tokio::test]
async fn streams_do_not_wait_for_each_other() {
    let (endpoint, trusted) = server().unwrap();
    let to = endpoint.local_addr().unwrap();
    tokio::spawn(serve(endpoint));
    let client = client(trusted).unwrap();
    let connection = connect(&client, to).await.unwrap();
    let mut sending = JoinSet::new();
    for stream in 1..=6_u8 {
        let connection = connection.clone();
        sending.spawn(async move {
            let parcel: Vec<u8> = (0..u32::from(stream) * 3000).map(|n| (n % 249) as u8).collect();
            let back = send(&connection, &parcel).await.unwrap();
            assert!(back.iter().rev().eq(parcel.iter()));
        });
    }
    sending.join_all().await;
    connection.close(VarInt::from_u32(3), b"thank you");
    client.wait_idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_clients_and_their_postcards() {
    let (endpoint, trusted) = server().unwrap();
    let to = endpoint.local_addr().unwrap();
    tokio::spawn(serve(endpoint.clone()));
    let mut clients = JoinSet::new();
    for number in 1..=3_u8 {
        let trusted = trusted.clone();
        clients.spawn(async move {
            let client = client(trusted).unwrap();
            let connection = connect(&client, to).await.unwrap();
            assert_eq!(send(&connection, &[1, 2, number]).await.unwrap(), [number, 2, 1]);
            connection.send_datagram(vec![0; usize::from(number) * 10].into()).unwrap();
            assert_eq!(connection.read_datagram().await.unwrap()[..], [number * 10]);
            connection.close(VarInt::from_u32(0), b"");
            client.wait_idle().await;
        });
    }
    clients.join_all().await;
    endpoint.close(VarInt::from_u32(1), b"closed");
    endpoint.wait_idle().await;
}

#[tokio::test]
async fn who_is_strange_is_not_connected() {
    let (endpoint, _) = server().unwrap();
    let to = endpoint.local_addr().unwrap();
    tokio::spawn(serve(endpoint));
    let (_other, trusted) = server().unwrap();
    let client = client(trusted).unwrap();
    let failure = connect(&client, to).await.unwrap_err();
    let failure = failure.downcast_ref::<ConnectionError>().unwrap();
    assert!(matches!(failure, ConnectionError::TransportError(_)), "{failure}");
}

#[tokio::test]
async fn silence_ends_a_connection() {
    let (endpoint, trusted) = server().unwrap();
    let to = endpoint.local_addr().unwrap();
    let accepting = tokio::spawn(async move { endpoint.accept().await.unwrap().await.unwrap().closed().await });
    let client = client(trusted).unwrap();
    let connection = connect(&client, to).await.unwrap();
    let before = Instant::now();
    assert_eq!(connection.closed().await, ConnectionError::TimedOut);
    assert!((4_000..60_000).contains(&before.elapsed().as_millis()));
    assert_eq!(accepting.await.unwrap(), ConnectionError::TimedOut);
    assert!(connect(&client, to).await.is_err(), "the server's endpoint is gone");
    assert!(before.elapsed() < Duration::from_secs(120));
}
