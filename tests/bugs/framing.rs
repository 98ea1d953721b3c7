//! A reader of frames is dropped between the parts of a frame, because something else was due, and begins the next frame in the
//! middle of this one.

use futures_util::future::{Either, select};
use sim::host;
use sim::net::{TcpListener, TcpStream};
use sim::time::sleep;
use std::io;
use std::pin::pin;
use std::time::Duration;

const FRAMES: u8 = 8;
const HEARTBEAT: Duration = Duration::from_millis(5);

/// Sends frames of a length and so many bytes of that number, in parts as they come from elsewhere.
async fn send() {
    let listener = TcpListener::bind("0.0.0.0:9").await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    for number in 1..=FRAMES {
        stream.write_all(&[number]).await.unwrap();
        sleep(Duration::from_millis(sim::rand::range(0..8))).await;
        stream.write_all(&vec![number; usize::from(number)]).await.unwrap();
    }
}

async fn connect() -> TcpStream {
    host("sender").spawn(send()).detach();
    loop {
        match TcpStream::connect("sender:9").await {
            Ok(stream) => return stream,
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    }
}

fn check(frame: &[u8], number: u8) {
    let is_whole = frame == vec![number; usize::from(number)];
    assert!(is_whole, "a frame came out of step: {frame:?} instead of {number} times {number}");
}

/// Reads a frame from the beginning. Whoever drops this has lost what it had read.
async fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0];
    stream.read_exact(&mut length).await?;
    let mut frame = vec![0; usize::from(length[0])];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

#[sim::test(runs = 100, should_fail = "out of step")]
async fn a_reader_that_is_dropped_has_lost_what_it_had_read() {
    let mut stream = connect().await;
    let mut expected = 1;
    while expected <= FRAMES {
        let due = pin!(sleep(HEARTBEAT));
        let read = pin!(read_frame(&mut stream));
        if let Either::Left((frame, _)) = select(read, due).await {
            match frame {
                Ok(frame) => check(&frame, expected),
                Err(error) => panic!("a frame came out of step: {error}"),
            }
            expected += 1;
        }
    }
}

/// Keeps what it has read of a frame.
#[derive(Default)]
struct Reader {
    bytes: Vec<u8>,
}

impl Reader {
    async fn frame(&mut self, stream: &mut TcpStream) -> io::Result<Vec<u8>> {
        loop {
            if let Some((&length, rest)) = self.bytes.split_first()
                && rest.len() >= usize::from(length)
            {
                let frame = rest[..usize::from(length)].to_vec();
                self.bytes.drain(..=usize::from(length));
                return Ok(frame);
            }
            // Nothing is between the read and the keeping of it.
            let mut part = [0; 16];
            let read = stream.read(&mut part).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.bytes.extend_from_slice(&part[..read]);
        }
    }
}

#[sim::test]
async fn a_reader_that_keeps_what_it_had_read_can_be_dropped() {
    let (mut stream, mut reader) = (connect().await, Reader::default());
    let mut expected = 1;
    while expected <= FRAMES {
        let due = pin!(sleep(HEARTBEAT));
        let read = pin!(reader.frame(&mut stream));
        if let Either::Left((frame, _)) = select(read, due).await {
            check(&frame.unwrap(), expected);
            expected += 1;
        }
    }
}
