//! A pool of kept connections to one server, on hyper's client connections.

use super::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

/// Whatever went wrong.
pub(super) type AnyError = Box<dyn Error + Send + Sync>;

/// A request that gave no answer.
#[derive(Debug)]
pub(super) struct Failed {
    /// The request itself, if it never left: then it is safe to send it again.
    pub(super) unsent: Option<Request<Body>>,
    /// Whether it went out on a connection that had been used before.
    pub(super) reused: bool,
    /// Why.
    pub(super) error: AnyError,
}

/// Kept connections to one server.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    server: Rc<str>,
    idle: Rc<RefCell<Vec<SendRequest<Body>>>>,
}

impl Pool {
    pub(super) fn new(server: &str) -> Self {
        Self { server: server.into(), idle: Rc::default() }
    }

    /// Sends a request on a kept connection, or on a new one if there is none.
    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Failed> {
        let kept = self.idle.borrow_mut().pop().filter(|kept| !kept.is_closed());
        let reused = kept.is_some();
        let mut connection = match kept {
            Some(kept) => kept,
            None => match self.connect().await {
                Ok(connection) => connection,
                Err(error) => return Err(Failed { unsent: Some(request), reused, error }),
            },
        };
        match connection.try_send_request(request).await {
            Ok(response) => {
                self.idle.borrow_mut().push(connection);
                Ok(response)
            }
            Err(mut failed) => Err(Failed {
                unsent: failed.take_message(),
                reused,
                error: failed.into_error().into(),
            }),
        }
    }

    async fn connect(&self) -> Result<SendRequest<Body>, AnyError> {
        let stream = sim::net::TcpStream::connect(&*self.server).await?;
        let (sender, connection) = http1::handshake(stream).await?;
        // A connection that ends is noticed by whoever sends on it.
        sim::spawn(async move { drop(connection.await) }).detach();
        Ok(sender)
    }
}
