//! The front: takes transfers over HTTP and has the ledger make them.

use super::pool::Pool;
use super::{Body, answer, ledger};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use sim::time::{Instant, sleep_until};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// How long a connection is kept after its last answer.
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Where the front listens.
pub const PORT: u16 = 8080;

/// Serves for ever.
pub(super) async fn serve() -> io::Result<()> {
    let ledger = Pool::new(ledger::ADDRESS);
    let listener = sim::net::TcpListener::bind(("front", PORT)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        sim::spawn(serve_connection(stream, ledger.clone())).detach();
    }
}

/// Serves one connection until it ends, or has given no answer for [`KEEP_ALIVE`].
async fn serve_connection(stream: sim::net::TcpStream, ledger: Pool) {
    let answered = Rc::new(Cell::new(Instant::now()));
    let service = service_fn(|request| {
        let (ledger, answered) = (ledger.clone(), Rc::clone(&answered));
        async move {
            let response = handle(request, &ledger).await;
            answered.set(Instant::now());
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection =
        pin!(http1::Builder::new().auto_date_header(false).serve_connection(stream, service));
    let mut timer = pin!(sleep_until(answered.get() + KEEP_ALIVE));
    // The connection first, so that a request that is there has begun when its time is up.
    poll_fn(|context| {
        if connection.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        while timer.as_mut().poll(context).is_ready() {
            let deadline = answered.get() + KEEP_ALIVE;
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            timer.set(sleep_until(deadline));
        }
        Poll::Pending
    })
    .await;
}

async fn handle(request: Request<Incoming>, ledger: &Pool) -> Response<Body> {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/transfer") => match ledger::make_transfer(ledger).await {
            Ok(()) => answer(StatusCode::OK, "done\n"),
            Err(error) => {
                answer(StatusCode::BAD_GATEWAY, format!("the ledger gave no answer: {error}\n"))
            }
        },
        _ => answer(StatusCode::NOT_FOUND, "there is POST /transfer\n"),
    }
}
