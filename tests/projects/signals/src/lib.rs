//! A server that ends as `systemctl stop` asks: it takes nobody new, lets clients finish, and says what it did.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{signal, SignalKind};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why a server ended, and how many clients it had.
#[derive(Debug, PartialEq)]
pub struct Goodbye {
    pub reason: &'static str,
    pub clients: usize,
    /// Whether all clients were done in time.
    pub complete: bool,
}

/// Serves until SIGTERM or SIGINT, and then for at most `grace` longer.
pub async fn serve(listener: TcpListener, grace: Duration) -> io::Result<Goodbye> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (tracker, end) = (TaskTracker::new(), CancellationToken::new());
    let mut clients = 0;
    let reason = loop {
        tokio::select! {
            _ = terminate.recv() => break "terminated",
            _ = interrupt.recv() => break "interrupted",
            accepted = listener.accept() => {
                clients += 1;
                tracker.spawn(echo(accepted?.0, end.clone()));
            }
        }
    };
    drop(listener);
    end.cancel();
    tracker.close();
    let complete = tokio::time::timeout(grace, tracker.wait()).await.is_ok();
    Ok(Goodbye { reason, clients, complete })
}

/// Says back what it hears. At the end it finishes what has come, slowly.
async fn echo(mut stream: TcpStream, end: CancellationToken) -> io::Result<()> {
    let mut bytes = [0; 64];
    loop {
        let len = tokio::select! {
            () = end.cancelled() => break,
            len = stream.read(&mut bytes) => len?,
        };
        if len == 0 {
            return Ok(());
        }
        stream.write_all(&bytes[..len]).await?;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    stream.write_all(b"goodbye").await
}
