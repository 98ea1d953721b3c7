//! A guest book in redis, and for its tests a small server that speaks redis' protocol.

pub mod server;

use redis::aio::ConnectionLike;
use redis::{AsyncCommands, RedisResult};

/// Writes a name, and answers how many have been written.
pub async fn sign(connection: &mut impl AsyncCommands, name: &str) -> RedisResult<u64> {
    let number: u64 = connection.incr("guests", 1).await?;
    let _: () = connection.set(format!("guest:{number}"), name).await?;
    Ok(number)
}

/// All names, read by one pipeline.
pub async fn guests(connection: &mut (impl AsyncCommands + ConnectionLike)) -> RedisResult<Vec<String>> {
    let count: Option<u64> = connection.get("guests").await?;
    let mut pipeline = redis::pipe();
    for number in 1..=count.unwrap_or(0) {
        pipeline.get(format!("guest:{number}"));
    }
    pipeline.query_async(connection).await
}
