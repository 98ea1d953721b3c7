//! Workers that write a log with spans and times.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::{info, info_span, instrument, warn, Instrument};
use tracing_subscriber::fmt::MakeWriter;

/// Where the lines go: the test reads them again.
#[derive(Clone, Default)]
pub struct Book(Arc<Mutex<Vec<u8>>>);

impl Book {
    pub fn lines(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.0.lock().unwrap()).lines().map(str::to_owned).collect()
    }
}

impl io::Write for Book {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Book {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Does a step of work for `order`.
#[instrument(skip(wait))]
pub async fn step(order: u32, wait: Duration) {
    info!("begun");
    tokio::time::sleep(wait).await;
    if order % 2 == 1 {
        warn!(odd = order, "an odd order");
    }
    info!("done");
}

/// Several orders at once, each in a task with a span of its own.
pub async fn shift(orders: u32) {
    let tasks = (0..orders).map(|order| {
        let span = info_span!("worker", number = order);
        tokio::spawn(step(order, Duration::from_millis(10 * u64::from(order + 1))).instrument(span))
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("a worker does not panic");
    }
}

/// The microsecond of its day at which a line was written.
pub fn moment(line: &str) -> Option<u64> {
    let time = line.split(['T', 'Z']).nth(1)?;
    let mut parts = time.split([':', '.']).map(str::parse::<u64>);
    let mut next = || parts.next()?.ok();
    let (hours, minutes, seconds, micros) = (next()?, next()?, next()?, next()?);
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros)
}
