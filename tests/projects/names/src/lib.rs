//! A gazette that is read by the name of its host.

use axum::extract::Path;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use axum::Router;
use std::time::Duration;

pub fn gazette() -> Router {
    Router::new()
        .route("/today", get(|| async { Redirect::temporary("/issues/42") }))
        .route("/issues/{number}", get(issue))
        .route("/slow", get(|| tokio::time::sleep(Duration::from_secs(30))))
        .route("/host", get(host))
}

async fn issue(Path(number): Path<u32>) -> impl IntoResponse {
    match number {
        0 => Err(StatusCode::NOT_FOUND),
        _ => Ok(format!("news number {number}")),
    }
}

async fn host(headers: axum::http::HeaderMap) -> String {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned()
}

/// Reads one page.
pub async fn read(client: &reqwest::Client, url: &str) -> reqwest::Result<String> {
    client.get(url).send().await?.error_for_status()?.text().await
}
