//! A room in which everybody hears everybody, over WebSockets.

use futures_util::{SinkExt, StreamExt};
use std::io;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{self, error::RecvError, Sender};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Lets everybody in who comes.
pub async fn room(listener: TcpListener) -> io::Result<()> {
    let (said, _) = broadcast::channel(64);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(guest(stream, said.clone()));
    }
}

async fn guest(stream: TcpStream, said: Sender<String>) -> Result<(), Error> {
    let mut socket = accept_async(stream).await?;
    let mut heard = said.subscribe();
    // Who has heard this is in the room.
    socket.send(Message::text("welcome")).await?;
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    // Oneself is listening.
                    let _ = said.send(text.to_string());
                }
                Some(Ok(Message::Binary(bytes))) => {
                    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
                    socket.send(Message::binary(reversed)).await?;
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            text = heard.recv() => match text {
                Ok(text) => socket.send(Message::text(text)).await?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            },
        }
    }
}
