//! Sensors that send numbers, and a collector that merges them, on tokio-stream.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{IntervalStream, LinesStream, ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};

/// `count` readings of a sensor, one each `period`.
pub fn sensor(name: &'static str, period: Duration, count: usize) -> impl Stream<Item = (&'static str, usize)> {
    IntervalStream::new(tokio::time::interval(period)).take(count).enumerate_with(name)
}

trait EnumerateWith: Stream + Sized {
    fn enumerate_with(self, name: &'static str) -> impl Stream<Item = (&'static str, usize)>;
}

impl<S: Stream> EnumerateWith for S {
    fn enumerate_with(self, name: &'static str) -> impl Stream<Item = (&'static str, usize)> {
        let mut next = 0;
        self.map(move |_| {
            next += 1;
            (name, next - 1)
        })
    }
}

/// The sums of groups of at most `size` numbers, or of fewer if `patience` is over.
pub fn sums(numbers: mpsc::Receiver<u32>, size: usize, patience: Duration) -> impl Stream<Item = u32> {
    ReceiverStream::new(numbers).chunks_timeout(size, patience).map(|group| group.iter().sum())
}

/// Takes `clients` connections and adds up the numbers that stand on their lines.
pub async fn add_up(listener: TcpListener, clients: usize) -> io::Result<u64> {
    let mut total = 0;
    let mut streams = TcpListenerStream::new(listener).take(clients);
    let mut tasks = Vec::new();
    while let Some(stream) = streams.next().await {
        let stream = stream?;
        tasks.push(tokio::spawn(async move {
            let lines = LinesStream::new(BufReader::new(stream).lines());
            let numbers = lines.filter_map(|line| line.ok()?.parse::<u64>().ok());
            numbers.fold(0, |sum, number| sum + number).await
        }));
    }
    for task in tasks {
        total += task.await?;
    }
    Ok(total)
}
