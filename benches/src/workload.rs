//! What the contestants of a scenario do alike: its sizes, its pseudo-random pauses, and the parts of its program that need nothing of
//! a runtime but tokio's stream traits, which the peers' TCP streams have.

use std::{
    io,
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::frame::Measured;

/// The tasks of the switching scenario.
pub(crate) const SWITCH_TASKS: u64 = 1_000;
/// How often each of them yields.
pub(crate) const SWITCH_YIELDS: u64 = 1_000;

/// How many tasks are spawned and joined, one after the other.
pub(crate) const SPAWNS: u64 = 100_000;

/// The tasks of the timer scenario.
pub(crate) const TIMER_TASKS: u64 = 100_000;
/// How often each of them sleeps.
pub(crate) const TIMER_SLEEPS: u64 = 10;

/// The round trips of a TCP ping-pong, over all its clients.
pub(crate) const ROUND_TRIPS: u64 = 200_000;
/// The bytes of a request, of a response and of a datagram.
pub(crate) const MESSAGE_BYTES: usize = 64;
/// The one-way latency of every link, for each peer that lets it be fixed.
pub(crate) const LATENCY: Duration = Duration::from_millis(1);
/// The port on which the server of a scenario listens.
pub(crate) const PORT: u16 = 4_000;

/// The datagrams sent in all.
pub(crate) const DATAGRAMS: u64 = 100_000;
/// The datagrams sent at one instant, between pauses of [`LATENCY`]: fewer than the 64 that turmoil's receive buffer holds unless told
/// otherwise, so that none is lost.
pub(crate) const DATAGRAM_BURST: u64 = 50;

/// The bytes of the bulk transfer.
pub(crate) const BULK_BYTES: u64 = 1 << 30;
/// The bytes of each of its writes and the size of its reader's buffer.
pub(crate) const BULK_WRITE_BYTES: usize = 64 << 10;

/// The hosts that idle.
pub(crate) const IDLE_HOSTS: u64 = 100;
/// The simulated seconds for which they do.
pub(crate) const IDLE_SECONDS: u64 = 3_600;

/// The hosts of an empty simulation.
pub(crate) const EMPTY_HOSTS: u64 = 5;
/// How many of them are made and dropped.
pub(crate) const EMPTY_SIMS: u64 = 2_000;

/// The timeouts made and dropped.
pub(crate) const TIMEOUTS: u64 = 200_000;
/// Their limit; also what the tasks of the memory scenario sleep for.
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// How long the memory scenario waits until all of its tasks sleep, and an idling host until it wakes.
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// The tasks of the memory scenario.
pub(crate) const MEMORY_TASKS: u64 = 100_000;

/// Times `work`, which carries out `operations`.
pub(crate) fn timed(operations: u64, work: impl FnOnce()) -> Measured {
    let started = Instant::now();
    work();
    Measured::timed(operations, started.elapsed())
}

/// The pauses of one task of the timer scenario: 1 to 999 ms, spread evenly, from a linear congruential generator (Knuth's MMIX
/// constants) whose seed is the task's number.
pub(crate) fn pauses(task: u64) -> impl Iterator<Item = Duration> {
    let step = |state: &u64| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    };
    // The low bits of such a generator repeat soon, and the first state is as regular as the task numbers are.
    std::iter::successors(step(&task), step)
        .skip(1)
        .map(|state| Duration::from_millis(1 + (state >> 33) % 999))
        .take(TIMER_SLEEPS as usize)
}

/// Sends a request and awaits the whole response, `round_trips` times.
pub(crate) async fn ping(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    round_trips: u64,
) -> io::Result<()> {
    let request = [7; MESSAGE_BYTES];
    let mut response = [0; MESSAGE_BYTES];
    for _ in 0..round_trips {
        stream.write_all(&request).await?;
        // One peer keeps what is written until it is flushed; for the others this does nothing.
        stream.flush().await?;
        stream.read_exact(&mut response).await?;
    }
    Ok(())
}

/// Answers every request with itself until the stream ends.
pub(crate) async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut message = [0; MESSAGE_BYTES];
    loop {
        match stream.read_exact(&mut message).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        stream.write_all(&message).await?;
        stream.flush().await?;
    }
}

/// Writes [`BULK_BYTES`] in writes of [`BULK_WRITE_BYTES`].
pub(crate) async fn send_bulk(stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let chunk = vec![7; BULK_WRITE_BYTES];
    for _ in 0..BULK_BYTES / BULK_WRITE_BYTES as u64 {
        stream.write_all(&chunk).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// Reads [`BULK_BYTES`]. It counts instead of waiting for the stream's end, because turmoil 0.7.2 loses the end of a stream that
/// arrives while the receive buffer is exactly full.
pub(crate) async fn receive_bulk(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut buffer = vec![0; BULK_WRITE_BYTES];
    let mut missing = BULK_BYTES;
    while missing > 0 {
        match stream.read(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => missing -= count as u64,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_fixed_and_spread_over_their_range() {
        let mut all: Vec<_> = (0..1_000).flat_map(pauses).map(|pause| pause.as_millis()).collect();
        assert_eq!(
            all,
            (0..1_000).flat_map(pauses).map(|pause| pause.as_millis()).collect::<Vec<_>>()
        );
        all.sort_unstable();
        assert_eq!(all.len(), 10_000);
        assert!(all[0] >= 1 && all[9_999] <= 999);
        // Each tenth of the range holds about a tenth of the pauses.
        for (tenth, chunk) in all.chunks(1_000).enumerate() {
            let middle = tenth as u128 * 100 + 50;
            assert!(
                chunk[500].abs_diff(middle) < 25,
                "tenth {tenth} has its middle at {}",
                chunk[500]
            );
        }
    }
}
