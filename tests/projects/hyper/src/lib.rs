//! An HTTP server that says what it was told, on hyper without a framework.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io;
use tokio::net::{TcpListener, TcpStream};

/// Which version of HTTP is spoken.
#[derive(Clone, Copy, Debug)]
pub enum Version {
    One,
    Two,
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    Ok(Response::new(Full::new(body)))
}

/// Serves whoever connects.
pub async fn serve(listener: TcpListener, version: Version) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let stream = TokioIo::new(stream);
            // A client that goes away is no failure of the server.
            let _ = match version {
                Version::One => {
                    hyper::server::conn::http1::Builder::new().serve_connection(stream, service_fn(echo)).await
                }
                Version::Two => {
                    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    builder.serve_connection(stream, service_fn(echo)).await
                }
            };
        });
    }
}

/// Says `texts`, one after the other on one connection, and answers what came back.
pub async fn say(stream: TcpStream, version: Version, texts: &[&str]) -> Result<Vec<String>, hyper::Error> {
    let mut heard = Vec::new();
    let stream = TokioIo::new(stream);
    let request = |text: &str| Request::post("http://echo/").body(Full::new(Bytes::from(text.to_owned()))).unwrap();
    match version {
        Version::One => {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
            tokio::spawn(connection);
            for text in texts {
                sender.ready().await?;
                heard.push(text_of(sender.send_request(request(text)).await?).await?);
            }
        }
        Version::Two => {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
            tokio::spawn(connection);
            for text in texts {
                heard.push(text_of(sender.send_request(request(text)).await?).await?);
            }
        }
    }
    Ok(heard)
}

async fn text_of(answer: Response<Incoming>) -> Result<String, hyper::Error> {
    let bytes = answer.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
