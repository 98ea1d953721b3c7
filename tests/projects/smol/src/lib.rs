//! A ferry that carries cars between two banks, on smol.

use smol::channel::{Receiver, Sender};
use smol::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use smol::lock::{Mutex, Semaphore};
use smol::net::{TcpListener, TcpStream};
use smol::stream::StreamExt;
use smol::{Executor, Timer};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Carries each car that comes, at most `places` at once, and hands them on as they arrive.
pub async fn ferry(executor: Arc<Executor<'static>>, cars: Receiver<u32>, places: usize, arrived: Sender<u32>) {
    let deck = Arc::new(Semaphore::new(places));
    while let Ok(car) = cars.recv().await {
        let place = deck.acquire_arc().await;
        let arrived = arrived.clone();
        let crossing = executor.spawn(async move {
            Timer::after(Duration::from_millis(u64::from(car % 5 + 1))).await;
            drop(place);
            arrived.send(car).await
        });
        crossing.detach();
    }
}

/// Tells everybody who asks how many have asked so far.
pub async fn serve(executor: Arc<Executor<'static>>, listener: TcpListener) -> io::Result<()> {
    let count = Arc::new(Mutex::new(0));
    let mut incoming = listener.incoming();
    while let Some(stream) = incoming.next().await {
        executor.spawn(tell(stream?, Arc::clone(&count))).detach();
    }
    Ok(())
}

async fn tell(mut stream: TcpStream, count: Arc<Mutex<u32>>) -> io::Result<()> {
    let mut lines = BufReader::new(stream.clone()).lines();
    while let Some(name) = lines.next().await {
        let mut count = count.lock().await;
        *count += 1;
        stream.write_all(format!("{} is number {count}\n", name?).as_bytes()).await?;
    }
    Ok(())
}
