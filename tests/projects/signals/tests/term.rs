//! SIGTERM, from the process to itself.

use goodbye::{serve, Goodbye};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

#[tokio::test]
async fn clients_hear_goodbye() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, Duration::from_secs(5)));
    let mut clients = JoinSet::new();
    let (send, mut ready) = tokio::sync::mpsc::channel(3);
    for client in 0..3_u8 {
        let send = send.clone();
        clients.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&[client]).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), client);
            send.send(()).await.unwrap();
            let mut last = String::new();
            stream.read_to_string(&mut last).await.unwrap();
            assert_eq!(last, "goodbye");
        });
    }
    for _ in 0..3 {
        ready.recv().await.unwrap();
    }
    // SAFETY: kill(2) reads no memory.
    assert_eq!(unsafe { libc::kill(libc::getpid(), libc::SIGTERM) }, 0);
    clients.join_all().await;
    let goodbye = server.await.unwrap().unwrap();
    assert_eq!(goodbye, Goodbye { reason: "terminated", clients: 3, complete: true });
    assert!(TcpStream::connect(address).await.is_err());
}
