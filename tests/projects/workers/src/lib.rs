//! A counting server whose runtime has several workers, and an end that lets clients finish.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{watch, Semaphore};
use tokio::task::{block_in_place, spawn_blocking, JoinSet};

/// Counts by name, in memory that threads share.
pub type Counts = Arc<Mutex<HashMap<String, u64>>>;

/// Serves until `end` says so, at most `limit` clients at once. Answers how many there were.
pub async fn serve(listener: TcpListener, limit: usize, counts: Counts, mut end: watch::Receiver<bool>) -> io::Result<usize> {
    let limit = Arc::new(Semaphore::new(limit));
    let mut clients = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = end.wait_for(|end| *end) => break,
            accepted = listener.accept() => accepted,
        };
        let (limit, counts) = (Arc::clone(&limit), Arc::clone(&counts));
        clients.spawn(async move {
            let _turn = limit.acquire().await;
            talk(accepted?.0, counts).await
        });
    }
    Ok(clients.join_all().await.len())
}

async fn talk(stream: TcpStream, counts: Counts) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Some(name) = lines.next_line().await? {
        let now = {
            let mut counts = counts.lock().expect("nobody panics with it");
            let count = counts.entry(name).or_default();
            *count += 1;
            *count
        };
        write.write_all(format!("{now}\n").as_bytes()).await?;
    }
    Ok(())
}

/// Names that were counted, the most frequent first. Sorting happens in a thread for blocking work.
pub async fn best(counts: Counts) -> Vec<(String, u64)> {
    let sorted = spawn_blocking(move || {
        let mut all: Vec<_> = counts.lock().expect("nobody panics with it").clone().into_iter().collect();
        all.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        all
    });
    sorted.await.expect("sorting does not panic")
}

/// The sum, computed on a worker that says that it will be busy.
pub fn total(counts: &Counts) -> u64 {
    block_in_place(|| counts.lock().expect("nobody panics with it").values().sum())
}
