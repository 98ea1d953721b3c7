//! SIGINT, which is also what Ctrl-C sends.

use goodbye::serve;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_patience_leaves_a_client_behind() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, Duration::from_millis(10)));
    let _client = TcpStream::connect(address).await.unwrap();
    // The server has asked for its signals before it took the client or not at all.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let pressed = tokio::spawn(tokio::signal::ctrl_c());
    tokio::time::sleep(Duration::from_millis(20)).await;
    // SAFETY: raise(3) reads no memory.
    assert_eq!(unsafe { libc::raise(libc::SIGINT) }, 0);
    pressed.await.unwrap().unwrap();
    let goodbye = server.await.unwrap().unwrap();
    assert_eq!((goodbye.reason, goodbye.clients, goodbye.complete), ("interrupted", 1, false));
}
