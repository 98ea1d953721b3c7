//! Connections to an office that are used again, in pools of deadpool and of bb8.

use deadpool::managed::{Metrics, RecycleError, RecycleResult};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What an office counts.
#[derive(Default)]
pub struct Counts {
    pub connections: AtomicUsize,
    open: AtomicUsize,
    /// The most connections that were open at once.
    pub most: AtomicUsize,
}

/// Answers lines: each number with the next one, and `bye` by hanging up.
pub async fn office(listener: TcpListener, counts: Arc<Counts>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let counts = Arc::clone(&counts);
        tokio::spawn(async move {
            counts.connections.fetch_add(1, Ordering::Relaxed);
            let open = counts.open.fetch_add(1, Ordering::Relaxed) + 1;
            counts.most.fetch_max(open, Ordering::Relaxed);
            let _ = answer(stream).await;
            counts.open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn answer(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let Ok(number) = line.trim_end().parse::<u64>() else { return Ok(()) };
        tokio::time::sleep(Duration::from_millis(2)).await;
        stream.write_all(format!("{}\n", number + 1).as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

/// One connection.
pub struct Line {
    stream: BufReader<TcpStream>,
    /// Whether it may not be used again.
    pub broken: bool,
}

impl Line {
    async fn open(to: SocketAddr) -> io::Result<Self> {
        Ok(Self { stream: BufReader::new(TcpStream::connect(to).await?), broken: false })
    }

    /// The number after `number`, says the office.
    pub async fn next(&mut self, number: u64) -> io::Result<u64> {
        let before = std::mem::replace(&mut self.broken, true);
        self.stream.write_all(format!("{number}\n").as_bytes()).await?;
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        let next = line.trim_end().parse().map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        self.broken = before;
        Ok(next)
    }

    /// Makes the office hang up.
    pub async fn bye(&mut self) -> io::Result<()> {
        self.broken = true;
        self.stream.write_all(b"bye\n").await
    }
}

/// Opens connections to one office.
#[derive(Clone)]
pub struct Dial(pub SocketAddr);

impl deadpool::managed::Manager for Dial {
    type Type = Line;
    type Error = io::Error;

    async fn create(&self) -> io::Result<Line> {
        Line::open(self.0).await
    }

    async fn recycle(&self, line: &mut Line, _: &Metrics) -> RecycleResult<io::Error> {
        if line.broken {
            return Err(RecycleError::message("the last question was not answered"));
        }
        Ok(())
    }
}

impl bb8::ManageConnection for Dial {
    type Connection = Line;
    type Error = io::Error;

    async fn connect(&self) -> io::Result<Line> {
        Line::open(self.0).await
    }

    async fn is_valid(&self, line: &mut Line) -> io::Result<()> {
        line.next(0).await.map(|_| ())
    }

    fn has_broken(&self, line: &mut Line) -> bool {
        line.broken
    }
}
