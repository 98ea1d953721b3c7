//! Lines there and back, and what waits in a queue of delays.

use futures::{SinkExt, StreamExt};
use lines::serve;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio_util::codec::{Framed, LinesCodec};
use tokio_util::sync::CancellationToken;
use tokio_util::task::LocalPoolHandle;
use tokio_util::time::DelayQueue;

#[tokio::test]
async fn every_line_is_answered_before_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let end = CancellationToken::new();
    let server = tokio::spawn(serve(listener, end.clone()));
    let clients: Vec<_> = (0..3)
        .map(|n| {
            tokio::spawn(async move {
                let stream = TcpStream::connect(address).await.unwrap();
                let mut lines = Framed::new(stream, LinesCodec::new());
                for word in ["one", "two"] {
                    lines.send(format!("{word} {n}")).await.unwrap();
                    let heard = lines.next().await.unwrap().unwrap();
                    assert_eq!(heard, format!("{} {n}", word.to_uppercase()));
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    end.cancel();
    assert_eq!(server.await.unwrap().unwrap(), 3);
}

#[tokio::test]
async fn delays_come_due_in_their_order() {
    let mut queue = DelayQueue::new();
    for millis in [30, 10, 20] {
        queue.insert(millis, Duration::from_millis(millis));
    }
    let mut due = Vec::new();
    while let Some(expired) = queue.next().await {
        due.push(expired.into_inner());
    }
    assert_eq!(due, [10, 20, 30]);
}

#[tokio::test]
async fn local_tasks_have_a_place() {
    let pool = LocalPoolHandle::new(2);
    let value = pool.spawn_pinned(|| async { *std::rc::Rc::new(4) }).await.unwrap();
    assert_eq!(value, 4);
    let local = LocalSet::new();
    let token = CancellationToken::new();
    let child = token.child_token();
    let waits = local.run_until(async move {
        let task = tokio::task::spawn_local(async move { child.cancelled().await });
        token.cancel();
        task.await
    });
    waits.await.unwrap();
}
