//! Both versions of HTTP, with several clients at once.

use echo::{say, serve, Version};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

async fn clients_hear_themselves(version: Version) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, version));
    let mut clients = JoinSet::new();
    for client in 0..4 {
        clients.spawn(async move {
            let texts: Vec<_> = (0..3).map(|n| format!("{client} says {n}")).collect();
            let words: Vec<_> = texts.iter().map(String::as_str).collect();
            let stream = TcpStream::connect(address).await.unwrap();
            assert_eq!(say(stream, version, &words).await.unwrap(), texts);
        });
    }
    clients.join_all().await;
    server.abort();
    assert!(server.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn over_http_1() {
    clients_hear_themselves(Version::One).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_2() {
    clients_hear_themselves(Version::Two).await;
}
