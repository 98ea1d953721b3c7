//! Streams beside each other, windows, resets, pings and an orderly end.

use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use h2::{Ping, Reason};
use http::{Request, StatusCode};
use library::{borrow, page, serve, write};
use std::io::ErrorKind;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

async fn open() -> (SendRequest<Bytes>, Connection<TcpStream, Bytes>, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (end, ended) = watch::channel(false);
    tokio::spawn(serve(listener, ended));
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    (sender, connection, end)
}

#[tokio::test]
async fn readers_share_a_connection() {
    let (sender, connection, _end) = open().await;
    tokio::spawn(connection);
    let mut readers = JoinSet::new();
    for len in [1, 300, 5000, 40_000] {
        let sender = sender.clone();
        readers.spawn(async move {
            let (status, body, trailers) = borrow(sender, &format!("/{len}")).await.unwrap();
            assert_eq!((status, body.len()), (StatusCode::OK, len));
            assert!(body == page(len));
            assert_eq!(trailers.unwrap()["pages"], len.to_string());
        });
    }
    readers.join_all().await;
    assert_eq!(borrow(sender, "/unknown").await.unwrap().0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_window_goes_up() {
    let (sender, connection, _end) = open().await;
    tokio::spawn(connection);
    let mut sender = sender.ready().await.unwrap();
    let request = Request::put("http://library/new").body(()).unwrap();
    let (response, mut stream) = sender.send_request(request, false).unwrap();
    write(&mut stream, &page(200_000)).await.unwrap();
    stream.send_data(Bytes::new(), true).unwrap();
    assert_eq!(response.await.unwrap().headers()["pages"], "200000");
}

#[tokio::test]
async fn a_refused_stream_harms_no_other() {
    let (sender, connection, _end) = open().await;
    tokio::spawn(connection);
    let (refused, lent) = tokio::join!(borrow(sender.clone(), "/secret"), borrow(sender, "/70000"));
    assert_eq!(refused.unwrap_err().reason(), Some(Reason::REFUSED_STREAM));
    assert!(lent.unwrap().1 == page(70_000));
}

#[tokio::test]
async fn a_ping_comes_back_and_a_dropped_reader_is_no_harm() {
    let (sender, mut connection, _end) = open().await;
    let mut pings = connection.ping_pong().unwrap();
    tokio::spawn(connection);
    pings.ping(Ping::opaque()).await.unwrap();
    let mut one = sender.clone().ready().await.unwrap();
    let (response, _) = one.send_request(Request::get("http://library/60000").body(()).unwrap(), true).unwrap();
    drop(response.await.unwrap());
    assert!(borrow(sender, "/1000").await.unwrap().1 == page(1000));
}

#[tokio::test]
async fn an_orderly_end_lets_a_reader_finish() {
    let (sender, connection, end) = open().await;
    let connection = tokio::spawn(connection);
    let mut one = sender.clone().ready().await.unwrap();
    let (response, _) = one.send_request(Request::get("http://library/90000").body(()).unwrap(), true).unwrap();
    let response = response.await.unwrap();
    end.send(true).unwrap();
    let (body, _) = library::read(response.into_body()).await.unwrap();
    assert!(body == page(90_000));
    drop(one);
    drop(sender);
    // The server may have hung up before the client has said goodbye in its turn.
    if let Err(error) = connection.await.unwrap() {
        let kind = error.get_io().expect("only the network fails").kind();
        assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind:?}");
    }
}
