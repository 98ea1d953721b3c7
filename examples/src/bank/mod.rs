//! A bank on three hosts: a client, a front that speaks HTTP to it, and a ledger behind the front.
//!
//! ```text
//!  client ──POST /transfer──▶ front ──POST /move──▶ ledger
//!     └── keep-alive pool ──┘ closes connections that have given no answer for KEEP_ALIVE
//! ```
//!
//! The front may close a kept connection while a request on it is being answered: the money has been
//! moved then, and the client learns only that the connection is gone. RFC 9110, section 9.2.2, has
//! a client not send such a request again unless it knows that it was not acted on. The client with
//! [`Retry::WhateverFailed`] does it all the same.
//!
//! The code knows nothing of simulation: it runs on [`sim::SimRuntime`] and [`sim::OsRuntime`] alike.

mod client;
mod front;
mod ledger;
mod pool;

pub use client::{Retry, Summary, transfer_many};
pub use front::{KEEP_ALIVE, PORT};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use std::io;
use std::time::Duration;

/// A message with its whole body in memory.
type Body = Full<Bytes>;

/// How many transfers the client of the tests makes.
const TRANSFERS: u32 = 8;

/// The ledger, on the host `ledger`: serves for ever.
///
/// # Errors
/// If its address cannot be listened at.
pub async fn serve_ledger() -> io::Result<()> {
    ledger::serve().await
}

/// The front, on the host `front`: serves for ever.
///
/// # Errors
/// If its address cannot be listened at.
pub async fn serve_front() -> io::Result<()> {
    front::serve().await
}

/// Starts both on hosts of their own.
fn start_servers() {
    sim::host("ledger").run(|| async { serve_ledger().await.expect("the ledger can listen") });
    sim::host("front").run(|| async { serve_front().await.expect("the front can listen") });
}

/// Makes transfers from a third host and compares what was acknowledged with what was moved.
///
/// # Panics
/// If more money has moved than the client can account for: the oracle of the example.
pub async fn scenario(retry: Retry) {
    start_servers();
    let client = sim::host("client").spawn(async move {
        sim::time::sleep(Duration::from_millis(10)).await;
        let summary = transfer_many(TRANSFERS, retry).await;
        let moved = ledger::moved().await.expect("the ledger answers");
        (summary, moved)
    });
    let (summary, moved) = client.await.expect("the client ends");
    let Summary { acknowledged, unknown } = summary;
    assert!(
        acknowledged <= moved,
        "money was lost: {acknowledged} transfers were acknowledged, {moved} were made"
    );
    let most = acknowledged + unknown;
    assert!(moved <= most, "money moved twice: {most} transfers were asked for, {moved} were made");
}

/// An answer with a text.
fn answer(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response
}
