//! TCP: listeners and streams (tcp(7)).

use super::{Socket, ToSocketAddrs, inet};
use core::future::poll_fn;
use core::task::{Context, Poll};
use sim_core::backend::{
    Domain, OptionName, Readiness, RecvFlags, Shutdown, SocketKind, SocketOption,
};
use sim_core::rt::{self, WakerSlot};
use sim_core::{Errno, Fd};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The backlog that std and tokio ask for.
const BACKLOG: u32 = 1024;

/// A socket that is neither connected nor listening yet, for setting options before.
#[derive(Debug)]
pub struct TcpSocket(Socket);

impl TcpSocket {
    /// For IPv4.
    ///
    /// # Errors
    /// If the kernel has no descriptor left.
    pub fn new_v4() -> io::Result<Self> {
        Self::new(Domain::Inet)
    }

    /// For IPv6.
    ///
    /// # Errors
    /// If the kernel has no descriptor left.
    pub fn new_v6() -> io::Result<Self> {
        Self::new(Domain::Inet6)
    }

    fn new(domain: Domain) -> io::Result<Self> {
        let host = rt::with(|runtime| runtime.host());
        let fd = rt::call(|backend, env| backend.socket(env, host, domain, SocketKind::Stream))?;
        Ok(Self(Socket::new(fd)))
    }

    /// Sets an option.
    ///
    /// # Errors
    /// As setsockopt(2); `Unsupported` for one that is not modelled.
    pub fn set(&self, option: SocketOption) -> io::Result<()> {
        self.0.set(option)
    }

    /// `SO_REUSEADDR`.
    ///
    /// # Errors
    /// As setsockopt(2).
    pub fn set_reuseaddr(&self, on: bool) -> io::Result<()> {
        self.set(SocketOption::ReuseAddr(on))
    }

    /// Gives it a local address.
    ///
    /// # Errors
    /// As bind(2).
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        Ok(rt::call(|backend, env| backend.bind(env, self.0.fd, addr.into()))?)
    }

    /// Listens.
    ///
    /// # Errors
    /// As listen(2).
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        rt::call(|backend, env| backend.listen(env, self.0.fd, backlog))?;
        Ok(TcpListener(self.0))
    }

    /// Connects.
    ///
    /// # Errors
    /// As connect(2).
    pub async fn connect(mut self, addr: SocketAddr) -> io::Result<TcpStream> {
        let fd = self.0.fd;
        match rt::call(|backend, env| backend.connect(env, fd, addr.into())) {
            Ok(()) => return Ok(TcpStream(self.0)),
            Err(Errno::EINPROGRESS) => {}
            Err(errno) => return Err(errno.into()),
        }
        poll_fn(|context| wait_connected(context, &mut self.0.write, fd)).await?;
        match self.0.take_error()? {
            None => Ok(TcpStream(self.0)),
            Some(error) => Err(error),
        }
    }
}

/// Waits until a connect has succeeded or failed: the socket is then ready to write.
fn wait_connected(context: &mut Context<'_>, slot: &mut WakerSlot, fd: Fd) -> Poll<io::Result<()>> {
    let ready = rt::poll_call(context, slot, fd, Readiness::OUT, |backend, env| {
        let ready = backend.readiness(env, fd)?;
        if ready.intersects(Readiness::OUT | Readiness::ERR | Readiness::HUP) {
            Ok(())
        } else {
            Err(Errno::EAGAIN)
        }
    });
    ready.map_err(Into::into)
}

/// Accepts connections.
#[derive(Debug)]
pub struct TcpListener(Socket);

impl TcpListener {
    /// Binds to the first address that can be had, with `SO_REUSEADDR`, and listens.
    ///
    /// # Errors
    /// As bind(2) and listen(2), for the last address tried.
    ///
    /// # Panics
    /// Outside a runtime.
    pub async fn bind(addr: impl ToSocketAddrs) -> io::Result<Self> {
        let mut last = None;
        for addr in addr.to_socket_addrs().await? {
            let bound = TcpSocket::new(Domain::of(&addr)).and_then(|socket| {
                socket.set_reuseaddr(true)?;
                socket.bind(addr)?;
                socket.listen(BACKLOG)
            });
            match bound {
                Ok(listener) => return Ok(listener),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    /// The next connection, with its peer's address.
    ///
    /// # Errors
    /// As accept(2).
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        // Each call has a slot of its own: several tasks may accept from one listener.
        let mut slot = WakerSlot::new();
        poll_fn(|context| poll_accept(context, &mut slot, self.0.fd)).await
    }

    /// As [`TcpListener::accept`], by hand.
    pub fn poll_accept(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        poll_accept(context, &mut self.0.read, self.0.fd)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

fn poll_accept(
    context: &mut Context<'_>,
    slot: &mut WakerSlot,
    fd: Fd,
) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
    let accepted =
        rt::poll_call(context, slot, fd, Readiness::IN, |backend, env| backend.accept(env, fd));
    accepted.map(|accepted| {
        let (fd, peer) = accepted?;
        let stream = TcpStream(Socket::new(fd));
        Ok((stream, inet(peer)?))
    })
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "there is no address to try")
}

/// A connection.
#[derive(Debug)]
pub struct TcpStream(Socket);

impl TcpStream {
    /// Connects to the first address that answers.
    ///
    /// # Errors
    /// As connect(2), for the last address tried.
    ///
    /// # Panics
    /// Outside a runtime.
    pub async fn connect(addr: impl ToSocketAddrs) -> io::Result<Self> {
        let mut last = None;
        for addr in addr.to_socket_addrs().await? {
            match TcpSocket::new(Domain::of(&addr))?.connect(addr).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    /// Receives up to `into.len()` bytes; 0 is the end of the stream.
    ///
    /// # Errors
    /// As recv(2).
    pub async fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        poll_fn(|context| self.poll_read_slice(context, into)).await
    }

    /// Sends some of `data`: how many bytes were taken.
    ///
    /// # Errors
    /// As send(2).
    pub async fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        poll_fn(|context| self.poll_write_slice(context, data)).await
    }

    /// Sends all of `data`.
    ///
    /// # Errors
    /// As send(2); part of it may have been sent.
    pub async fn write_all(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let sent = poll_fn(|context| self.poll_write_slice(context, data)).await?;
            data = &data[sent..];
        }
        Ok(())
    }

    /// Fills `into`.
    ///
    /// # Errors
    /// As recv(2); `UnexpectedEof` if the stream ends before.
    pub async fn read_exact(&mut self, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            match poll_fn(|context| self.poll_read_slice(context, into)).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => into = &mut into[read..],
            }
        }
        Ok(())
    }

    /// Appends everything up to the end of the stream to `into`: how many bytes.
    ///
    /// # Errors
    /// As recv(2).
    pub async fn read_to_end(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        let before = into.len();
        let mut chunk = [0; 8192];
        loop {
            match self.read(&mut chunk).await? {
                0 => return Ok(into.len() - before),
                read => into.extend_from_slice(&chunk[..read]),
            }
        }
    }

    /// Appends everything up to the end of the stream to `into`: how many bytes.
    ///
    /// # Errors
    /// As recv(2); `InvalidData` if it is not UTF-8.
    pub async fn read_to_string(&mut self, into: &mut String) -> io::Result<usize> {
        let mut bytes = Vec::new();
        let read = self.read_to_end(&mut bytes).await?;
        into.push_str(
            core::str::from_utf8(&bytes)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
        );
        Ok(read)
    }

    /// Looks at what can be read, and leaves it there (`MSG_PEEK`).
    ///
    /// # Errors
    /// As recv(2).
    pub async fn peek(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let flags = RecvFlags { peek: true, whole_len: false };
        poll_fn(|context| poll_recv(context, &mut self.0.read, self.0.fd, into, flags)).await
    }

    /// Shuts one or both directions.
    ///
    /// # Errors
    /// As shutdown(2).
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        shut(self.0.fd, how)
    }

    #[inline]
    pub(super) fn poll_read_slice(
        &mut self,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        poll_recv(context, &mut self.0.read, self.0.fd, into, RecvFlags::default())
    }

    #[inline]
    pub(super) fn poll_write_slice(
        &mut self,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_send(context, &mut self.0.write, self.0.fd, data)
    }

    /// The socket's own address.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The peer's address.
    ///
    /// # Errors
    /// As getpeername(2).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// `TCP_NODELAY`.
    ///
    /// # Errors
    /// As setsockopt(2).
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.0.set(SocketOption::NoDelay(on))
    }

    /// `TCP_NODELAY`.
    ///
    /// # Errors
    /// As getsockopt(2).
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.0.get(OptionName::NoDelay)? == SocketOption::NoDelay(true))
    }

    /// `SO_LINGER`: with zero, closing resets the connection.
    ///
    /// # Errors
    /// As setsockopt(2).
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.0.set(SocketOption::Linger(linger))
    }

    /// Sets any option.
    ///
    /// # Errors
    /// As setsockopt(2); `Unsupported` for one that is not modelled.
    pub fn set(&self, option: SocketOption) -> io::Result<()> {
        self.0.set(option)
    }

    /// Any option's value.
    ///
    /// # Errors
    /// As getsockopt(2).
    pub fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.0.get(name)
    }

    /// The pending error, which is then no longer pending (`SO_ERROR`).
    ///
    /// # Errors
    /// As getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    /// Two halves for two tasks. The connection is closed when both are dropped; dropping the writing half sends the end of the stream.
    #[must_use]
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let socket = Arc::new(self.0);
        let read = OwnedReadHalf { socket: Arc::clone(&socket), slot: WakerSlot::new() };
        (read, OwnedWriteHalf { socket, slot: WakerSlot::new() })
    }
}

#[inline]
fn poll_recv(
    context: &mut Context<'_>,
    slot: &mut WakerSlot,
    fd: Fd,
    into: &mut [u8],
    flags: RecvFlags,
) -> Poll<io::Result<usize>> {
    let read = rt::poll_call(context, slot, fd, Readiness::READ, |backend, env| {
        backend.recv(env, fd, into, flags)
    });
    read.map_err(Into::into)
}

#[inline]
fn poll_send(
    context: &mut Context<'_>,
    slot: &mut WakerSlot,
    fd: Fd,
    data: &[u8],
) -> Poll<io::Result<usize>> {
    let sent = rt::poll_call(context, slot, fd, Readiness::OUT, |backend, env| {
        backend.send(env, fd, data)
    });
    sent.map_err(Into::into)
}

fn shut(fd: Fd, how: Shutdown) -> io::Result<()> {
    Ok(rt::call(|backend, env| backend.shutdown(env, fd, how))?)
}

/// The receiving half of a connection.
#[derive(Debug)]
pub struct OwnedReadHalf {
    socket: Arc<Socket>,
    slot: WakerSlot,
}

impl OwnedReadHalf {
    /// As [`TcpStream::read`].
    ///
    /// # Errors
    /// As recv(2).
    pub async fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        poll_fn(|context| self.poll_read_slice(context, into)).await
    }

    #[inline]
    pub(super) fn poll_read_slice(
        &mut self,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        poll_recv(context, &mut self.slot, self.socket.fd, into, RecvFlags::default())
    }
}

/// The sending half of a connection.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    socket: Arc<Socket>,
    slot: WakerSlot,
}

impl OwnedWriteHalf {
    /// As [`TcpStream::write`].
    ///
    /// # Errors
    /// As send(2).
    pub async fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        poll_fn(|context| self.poll_write_slice(context, data)).await
    }

    /// As [`TcpStream::write_all`].
    ///
    /// # Errors
    /// As send(2); part of it may have been sent.
    pub async fn write_all(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let sent = self.write(data).await?;
            data = &data[sent..];
        }
        Ok(())
    }

    #[inline]
    pub(super) fn poll_write_slice(
        &mut self,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_send(context, &mut self.slot, self.socket.fd, data)
    }

    pub(super) fn shut(&self) -> io::Result<()> {
        shut(self.socket.fd, Shutdown::Write)
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        // Both halves may be on their way out, or the peer gone: then there is nobody to tell.
        rt::try_call(|backend, env| {
            backend.shutdown(env, self.socket.fd, Shutdown::Write).unwrap_or_default();
        });
    }
}

impl TcpStream {
    pub(super) fn shut(&self) -> io::Result<()> {
        match shut(self.0.fd, Shutdown::Write) {
            // As in tokio: a connection that is gone has no direction left to shut.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}
