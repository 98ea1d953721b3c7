//! Names that resolve, names that do not, and what becomes of the request.

use gazette::{gazette, read};
use reqwest::{Client, StatusCode};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;
use tokio::net::{lookup_host, TcpListener};
use tokio::task::JoinSet;

async fn open() -> u16 {
    let listener = TcpListener::bind("localhost:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async { axum::serve(listener, gazette()).await });
    port
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

#[tokio::test]
async fn four_readers_follow_a_redirect() {
    let port = open().await;
    let client = client();
    let mut readers = JoinSet::new();
    for _ in 0..4 {
        let client = client.clone();
        readers.spawn(async move { read(&client, &format!("http://localhost:{port}/today")).await.unwrap() });
    }
    assert!(readers.join_all().await.iter().all(|text| text == "news number 42"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_name_reaches_the_server() {
    let port = open().await;
    let host = read(&client(), &format!("http://localhost:{port}/host")).await.unwrap();
    assert_eq!(host, format!("localhost:{port}"));
    let missing = read(&client(), &format!("http://localhost:{port}/issues/0")).await.unwrap_err();
    assert_eq!(missing.status(), Some(StatusCode::NOT_FOUND));
}

#[tokio::test]
async fn a_name_of_the_clients_own() {
    let port = open().await;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let client = Client::builder().no_proxy().resolve("gazette.example", address).build().unwrap();
    assert_eq!(read(&client, &format!("http://gazette.example:{port}/issues/7")).await.unwrap(), "news number 7");
}

#[tokio::test]
async fn a_name_that_nobody_has() {
    let failure = read(&client(), "http://no-such-host.invalid/").await.unwrap_err();
    assert!(failure.is_connect() && !failure.is_timeout(), "{failure:?}");
    assert!(lookup_host("no-such-host.invalid:80").await.is_err());
}

#[tokio::test]
async fn nobody_listens_and_nobody_answers() {
    let port = open().await;
    let listener = TcpListener::bind("localhost:0").await.unwrap();
    let closed = listener.local_addr().unwrap().port();
    drop(listener);
    let refused = read(&client(), &format!("http://localhost:{closed}/")).await.unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
    let hasty = Client::builder().no_proxy().timeout(Duration::from_millis(200)).build().unwrap();
    let late = read(&hasty, &format!("http://localhost:{port}/slow")).await.unwrap_err();
    assert!(late.is_timeout(), "{late:?}");
}

#[tokio::test]
async fn localhost_is_a_loopback_address_for_everybody() {
    let of_tokio: Vec<_> = lookup_host("localhost:80").await.unwrap().collect();
    let of_std: Vec<_> = ("localhost", 80).to_socket_addrs().unwrap().collect();
    assert!(!of_tokio.is_empty() && of_tokio.iter().all(|address| address.ip().is_loopback()));
    assert_eq!(of_tokio, of_std);
}
