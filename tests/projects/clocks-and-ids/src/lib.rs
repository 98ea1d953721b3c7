//! Tickets with a number that nobody guesses and the time at which they were sold.

use rand::Rng;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    pub id: Uuid,
    pub secret: Uuid,
    pub row: u8,
    pub seat: u8,
    pub sold: SystemTime,
}

/// Sells a ticket after as long as the customer took to decide.
pub async fn sell() -> Ticket {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(1..20))).await;
    let row = rand::rng().random_range(1..=30);
    let seat = fastrand::u8(1..=40);
    Ticket { id: Uuid::now_v7(), secret: Uuid::new_v4(), row, seat, sold: SystemTime::now() }
}

/// The milliseconds since 1970 of the clocks of several libraries, each asked by its own call.
pub fn clocks() -> [(&'static str, i64); 5] {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970");
    let time = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    [
        ("std", since.as_millis() as i64),
        ("chrono", chrono::Utc::now().timestamp_millis()),
        ("time", time as i64),
        ("jiff", jiff::Timestamp::now().as_millisecond()),
        ("uuid", Uuid::now_v7().get_timestamp().map_or(0, |stamp| {
            let (seconds, nanos) = stamp.to_unix();
            seconds as i64 * 1000 + i64::from(nanos) / 1_000_000
        })),
    ]
}
