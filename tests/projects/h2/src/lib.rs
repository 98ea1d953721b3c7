//! A library that lends books over HTTP/2, on h2 without a framework.

use bytes::Bytes;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use std::future::poll_fn;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Serves one connection after the other beside each other, and closes them orderly when `end` says so.
pub async fn serve(listener: TcpListener, end: watch::Receiver<bool>) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let end = end.clone();
        tokio::spawn(async move { lend(stream, end).await });
    }
}

async fn lend(stream: TcpStream, mut end: watch::Receiver<bool>) -> Result<(), h2::Error> {
    let mut connection = h2::server::Builder::new().max_concurrent_streams(10).handshake(stream).await?;
    let mut closing = false;
    loop {
        tokio::select! {
            _ = end.wait_for(|end| *end), if !closing => {
                closing = true;
                connection.graceful_shutdown();
            }
            accepted = connection.accept() => match accepted {
                Some(accepted) => {
                    let (request, answer) = accepted?;
                    tokio::spawn(respond(request, answer));
                }
                None => return Ok(()),
            },
        }
    }
}

async fn respond(request: Request<RecvStream>, mut answer: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let (head, body) = request.into_parts();
    match (head.method, head.uri.path()) {
        // A book is returned: the answer says how long it was.
        (Method::PUT, _) => {
            let len = read(body).await?.0.len();
            let response = Response::builder().header("pages", len).body(()).expect("a small response");
            answer.send_response(response, true)?;
        }
        (Method::GET, "/secret") => answer.send_reset(Reason::REFUSED_STREAM),
        (Method::GET, path) => match path.trim_start_matches('/').parse::<usize>() {
            Ok(len) => {
                let mut stream = answer.send_response(Response::new(()), false)?;
                write(&mut stream, &page(len)).await?;
                let mut trailers = HeaderMap::new();
                trailers.insert("pages", len.into());
                stream.send_trailers(trailers)?;
            }
            Err(_) => {
                let response = Response::builder().status(StatusCode::NOT_FOUND).body(()).expect("a small response");
                answer.send_response(response, true)?;
            }
        },
        _ => answer.send_reset(Reason::PROTOCOL_ERROR),
    }
    Ok(())
}

/// The text of a book.
pub fn page(len: usize) -> Bytes {
    (0..len).map(|index| b'a' + (index % 23) as u8).collect()
}

/// Sends `bytes` as fast as the peer opens its window.
pub async fn write(stream: &mut SendStream<Bytes>, bytes: &Bytes) -> Result<(), h2::Error> {
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        stream.reserve_capacity(rest.len());
        let Some(capacity) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return Err(Reason::CANCEL.into()) };
        let part = rest.split_to(capacity?.min(rest.len()));
        stream.send_data(part, false)?;
    }
    Ok(())
}

/// All of a body, and what follows it. Opens the window again for what was read.
pub async fn read(mut body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut all = Vec::new();
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        all.extend_from_slice(&part);
    }
    let trailers = body.trailers().await?;
    Ok((all, trailers))
}

/// Borrows a book.
pub async fn borrow(sender: SendRequest<Bytes>, path: &str) -> Result<(StatusCode, Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut sender = sender.ready().await?;
    let request = Request::get(format!("http://library{path}")).body(()).expect("a small request");
    let (response, _) = sender.send_request(request, true)?;
    let response = response.await?;
    let status = response.status();
    let (body, trailers) = read(response.into_body()).await?;
    Ok((status, body, trailers))
}
