//! The ledger: two accounts, and a counter of the transfers made.

use super::pool::{AnyError, Pool};
use super::{Body, answer};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::rc::Rc;

/// Where the ledger listens.
pub(super) const ADDRESS: &str = "ledger:7000";

/// Serves for ever.
pub(super) async fn serve() -> io::Result<()> {
    let moved = Rc::new(Cell::new(0_u32));
    let listener = sim::net::TcpListener::bind(ADDRESS).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let moved = Rc::clone(&moved);
        let service = service_fn(move |request| {
            let response = handle(&request, &moved);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection =
            http1::Builder::new().auto_date_header(false).serve_connection(stream, service);
        sim::spawn(async move { drop(connection.await) }).detach();
    }
}

fn handle(request: &Request<Incoming>, moved: &Cell<u32>) -> Response<Body> {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/move") => {
            moved.set(moved.get() + 1);
            answer(StatusCode::OK, "moved\n")
        }
        (&Method::GET, "/moved") => answer(StatusCode::OK, moved.get().to_string()),
        _ => answer(StatusCode::NOT_FOUND, "there are POST /move and GET /moved\n"),
    }
}

/// Asks the ledger to make a transfer.
pub(super) async fn make_transfer(pool: &Pool) -> Result<(), AnyError> {
    let request = Request::builder().method(Method::POST).uri("/move").header("host", "ledger");
    let response =
        pool.send(request.body(Full::default())?).await.map_err(|failed| failed.error)?;
    response.into_body().collect().await?;
    Ok(())
}

/// How many transfers the ledger has made.
pub(super) async fn moved() -> Result<u32, AnyError> {
    let request =
        Request::builder().uri("/moved").header("host", "ledger").body(Full::<Bytes>::default())?;
    let response = Pool::new(ADDRESS).send(request).await.map_err(|failed| failed.error)?;
    let text = response.into_body().collect().await?.to_bytes();
    Ok(std::str::from_utf8(&text)?.parse()?)
}
