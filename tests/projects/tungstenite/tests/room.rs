//! What guests of a room hear.

use chat::room;
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{client_async, connect_async, MaybeTlsStream, WebSocketStream};

async fn open() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(room(listener));
    address
}

async fn enter(address: SocketAddr) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let (mut socket, _) = connect_async(format!("ws://{address}/room")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("welcome"));
    socket
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_hears_all_in_the_same_order() {
    let address = open().await;
    let all_in = std::sync::Arc::new(Barrier::new(4));
    let mut guests = JoinSet::new();
    for guest in 0..4 {
        let all_in = all_in.clone();
        guests.spawn(async move {
            let mut socket = enter(address).await;
            all_in.wait().await;
            for number in 0..3 {
                socket.send(Message::text(format!("{guest}:{number}"))).await.unwrap();
            }
            let mut heard = Vec::new();
            while heard.len() < 12 {
                heard.push(socket.next().await.unwrap().unwrap().into_text().unwrap().to_string());
            }
            socket.close(None).await.unwrap();
            heard
        });
    }
    let heard = guests.join_all().await;
    assert!(heard.iter().all(|one| *one == heard[0]), "{heard:?}");
    for guest in 0..4 {
        let prefix = format!("{guest}:");
        let of_one: Vec<_> = heard[0].iter().filter_map(|text| text.strip_prefix(&prefix)).collect();
        assert_eq!(of_one, ["0", "1", "2"]);
    }
}

#[tokio::test]
async fn bytes_come_back_reversed_and_a_ping_is_answered() {
    let mut socket = enter(open().await).await;
    let bytes: Vec<u8> = (0..70_000_u32).map(|n| (n % 253) as u8).collect();
    socket.send(Message::binary(bytes.clone())).await.unwrap();
    let back = socket.next().await.unwrap().unwrap().into_data();
    assert!(back.iter().rev().eq(bytes.iter()));
    socket.send(Message::Ping("are you there".into())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::Pong("are you there".into()));
}

#[tokio::test]
async fn a_farewell_is_returned() {
    let mut socket = enter(open().await).await;
    let frame = CloseFrame { code: CloseCode::Away, reason: "home".into() };
    socket.close(Some(frame)).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    assert!(matches!(answer, Message::Close(Some(frame)) if frame.code == CloseCode::Away));
    assert!(socket.next().await.is_none());
    assert!(matches!(socket.send(Message::text("hello?")).await, Err(Error::AlreadyClosed)));
}

#[tokio::test]
async fn who_does_not_speak_the_protocol_is_shown_the_door() {
    let address = open().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: room\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // Closed, perhaps by a reset.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 101"));

    let (one, other) = tokio::io::duplex(64);
    let server = tokio::spawn(tokio_tungstenite::accept_async(other));
    let (mut client, response) = client_async("ws://pipe/", one).await.unwrap();
    assert_eq!(response.status(), 101);
    drop(server.await.unwrap().unwrap());
    assert!(client.next().await.is_none_or(|message| message.is_err()), "the other end is gone");
}
