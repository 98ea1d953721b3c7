//! A line server with an orderly end, on tokio-util's codecs, tracker and cancellation token.

use futures::{SinkExt, StreamExt};
use std::io;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LinesCodec};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves until `end` is cancelled, then lets the connections finish. Answers how many there were.
pub async fn serve(listener: TcpListener, end: CancellationToken) -> io::Result<usize> {
    let tracker = TaskTracker::new();
    let mut served = 0;
    loop {
        let stream = tokio::select! {
            () = end.cancelled() => break,
            accepted = listener.accept() => accepted?.0,
        };
        served += 1;
        tracker.spawn(shout(stream));
    }
    tracker.close();
    tracker.wait().await;
    Ok(served)
}

/// Answers each line in capitals.
async fn shout(stream: TcpStream) {
    let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(64));
    while let Some(Ok(line)) = lines.next().await {
        if lines.send(line.to_uppercase()).await.is_err() {
            return;
        }
    }
}
