//! The client: transfers at a steady pace over a pool of kept connections.

use super::pool::Pool;
use super::{Body, KEEP_ALIVE, PORT};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use std::time::Duration;

/// What a client does about a request that gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Sends it again if the connection had been used before, on the theory that the server had just closed it. The bug.
    WhateverFailed,
    /// Sends it again only if it never left.
    OnlyUnsent,
}

/// What a client knows in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Transfers that were answered.
    pub acknowledged: u32,
    /// Transfers that may have been made or not.
    pub unknown: u32,
}

/// Its pace: the server's patience, less a moment. Two periods that nearly agree are what meets such
/// races in the field; the moment is long enough that it takes a slow day of the network.
const PACE: Duration = KEEP_ALIVE.saturating_sub(Duration::from_micros(2_700));

/// Makes `count` transfers, one after another.
pub async fn transfer_many(count: u32, retry: Retry) -> Summary {
    let pool = Pool::new(&format!("front:{PORT}"));
    let mut summary = Summary::default();
    for _ in 0..count {
        if transfer(&pool, retry).await {
            summary.acknowledged += 1;
        } else {
            summary.unknown += 1;
        }
        sim::time::sleep(PACE).await;
    }
    summary
}

/// Makes one transfer: whether it was acknowledged.
async fn transfer(pool: &Pool, retry: Retry) -> bool {
    let mut request = transfer_request();
    loop {
        let failed = match pool.send(request).await {
            Ok(response) => {
                return response.status().is_success()
                    && response.into_body().collect().await.is_ok();
            }
            Err(failed) => failed,
        };
        request = match (failed.unsent, retry) {
            (Some(unsent), _) if failed.reused => unsent,
            (None, Retry::WhateverFailed) if failed.reused => transfer_request(),
            _ => return false,
        };
    }
}

fn transfer_request() -> Request<Body> {
    let request = Request::builder().method(Method::POST).uri("/transfer").header("host", "front");
    request.body(Full::default()).expect("a request of constants is well formed")
}
