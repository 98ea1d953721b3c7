//! Streams of time, of channels and of connections, merged.

use sensors::{add_up, sensor, sums};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::wrappers::{BroadcastStream, ReceiverStream, WatchStream};
use tokio_stream::{StreamExt, StreamMap};

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn merged_readings_keep_each_sensors_order() {
    let merged = sensor("hot", 2 * MS, 8).merge(sensor("cold", 3 * MS, 5));
    let all: Vec<_> = merged.collect().await;
    for (name, count) in [("hot", 8), ("cold", 5)] {
        let of_one: Vec<_> = all.iter().filter(|(whose, _)| *whose == name).map(|(_, number)| *number).collect();
        assert_eq!(of_one, (0..count).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn groups_are_full_or_late() {
    let (send, numbers) = mpsc::channel(4);
    let adder = tokio::spawn(sums(numbers, 3, 20 * MS).collect::<Vec<_>>());
    for number in 1..=7 {
        send.send(number).await.unwrap();
    }
    tokio::time::sleep(500 * MS).await;
    send.send(8).await.unwrap();
    drop(send);
    let sums = adder.await.unwrap();
    assert_eq!(sums.iter().sum::<u32>(), 36);
    assert!(sums.len() >= 4, "{sums:?}");
    assert_eq!(sums.last(), Some(&8));
}

#[tokio::test]
async fn who_reads_too_late_is_told_what_was_missed() {
    let (send, receive) = broadcast::channel(4);
    let mut quick = BroadcastStream::new(send.subscribe());
    let mut slow = BroadcastStream::new(receive);
    for number in 0..10 {
        send.send(number).unwrap();
        assert_eq!(quick.next().await, Some(Ok(number)));
    }
    drop(send);
    assert_eq!(slow.next().await, Some(Err(BroadcastStreamRecvError::Lagged(6))));
    assert_eq!(slow.collect::<Vec<_>>().await, (6..10).map(Ok).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_of_streams_loses_nobodys_words() {
    let mut map = StreamMap::new();
    for key in 0..4 {
        let (send, receive) = mpsc::channel(1);
        map.insert(key, ReceiverStream::new(receive));
        tokio::spawn(async move {
            for word in 0..5 {
                send.send(word).await.unwrap();
            }
        });
    }
    let mut next = [0; 4];
    while let Some((key, word)) = map.next().await {
        assert_eq!(word, next[key]);
        next[key] += 1;
    }
    assert_eq!(next, [5; 4]);
}

#[tokio::test]
async fn a_watch_shows_the_last_value_and_a_silence_is_noticed() {
    let (send, receive) = watch::channel(0);
    let mut values = Box::pin(WatchStream::new(receive).timeout(100 * MS));
    assert_eq!(values.next().await, Some(Ok(0)));
    for number in 1..=3 {
        send.send(number).unwrap();
    }
    assert_eq!(values.next().await, Some(Ok(3)));
    assert!(values.next().await.unwrap().is_err(), "nobody said anything for 100 ms");
    drop(send);
    assert_eq!(values.next().await, None);
}

#[tokio::test]
async fn lines_of_three_clients_are_added_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(add_up(listener, 3));
    for client in 1..=3_u64 {
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            for number in 0..20 {
                stream.write_all(format!("{}\nnot a number\n", client * number).as_bytes()).await.unwrap();
            }
        });
    }
    assert_eq!(server.await.unwrap().unwrap(), 6 * 190);
}
