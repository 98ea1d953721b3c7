//! Whose certificate is believed, and what passes under it.

use letters::{connect, post, serve, Office};
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::rustls::ProtocolVersion;

async fn open(office: &Office, asks: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, office.acceptor(office.issue("post.example").unwrap(), asks)));
    address
}

#[tokio::test]
async fn letters_pass_under_seal() {
    let office = Office::new().unwrap();
    let address = open(&office, false).await;
    let connector = office.connector(None);
    let mut posting = JoinSet::new();
    for len in [0, 1, 20_000] {
        let connector = connector.clone();
        posting.spawn(async move {
            let stream = connect(address, "post.example", &connector).await.unwrap();
            assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
            assert_eq!(post(stream, &vec![7; len]).await.unwrap(), format!("{len} bytes, unsigned"));
        });
    }
    posting.join_all().await;
}

#[tokio::test]
async fn a_wrong_name_and_a_strange_issuer_are_refused() {
    let (office, strange) = (Office::new().unwrap(), Office::new().unwrap());
    let address = open(&office, false).await;
    for (name, connector) in [("bank.example", office.connector(None)), ("post.example", strange.connector(None))] {
        let failure = connect(address, name, &connector).await.err().unwrap();
        assert_eq!(failure.kind(), ErrorKind::InvalidData, "{failure}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_must_show_a_certificate_and_has_none() {
    let office = Office::new().unwrap();
    let address = open(&office, true).await;
    let known = office.connector(Some(office.issue("ada.example").unwrap()));
    let stream = connect(address, "post.example", &known).await.unwrap();
    assert_eq!(post(stream, b"hello").await.unwrap(), "5 bytes, signed");
    // In TLS 1.3 a client learns it only when it reads.
    let unknown = match connect(address, "post.example", &office.connector(None)).await {
        Ok(stream) => post(stream, b"hello").await,
        Err(error) => Err(error),
    };
    assert!(unknown.is_err());
}
