//! UDP (udp(7)).

use super::{Socket, ToSocketAddrs};
use core::future::poll_fn;
use core::task::{Context, Poll};
use sim_core::backend::{
    Backend, Domain, OptionName, Readiness, RecvFlags, SocketKind, SocketOption,
};
use sim_core::rt::{self, WakerSlot};
use sim_core::{Env, Fd, Result};
use std::io;
use std::net::SocketAddr;

/// A datagram socket.
#[derive(Debug)]
pub struct UdpSocket(Socket);

impl UdpSocket {
    /// Binds to the first address that can be had.
    ///
    /// # Errors
    /// As bind(2), for the last address tried.
    ///
    /// # Panics
    /// Outside a runtime.
    pub async fn bind(addr: impl ToSocketAddrs) -> io::Result<Self> {
        let mut last = None;
        for addr in addr.to_socket_addrs().await? {
            let host = rt::with(|runtime| runtime.host());
            let fd = rt::call(|backend, env| {
                backend.socket(env, host, Domain::of(&addr), SocketKind::Datagram)
            })?;
            let socket = Self(Socket::new(fd));
            match rt::call(|backend, env| backend.bind(env, fd, addr.into())) {
                Ok(()) => return Ok(socket),
                Err(errno) => last = Some(io::Error::from(errno)),
            }
        }
        Err(last.unwrap_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "there is no address to try")
        }))
    }

    /// Sets the peer: others are filtered out, and errors of its host are reported.
    ///
    /// # Errors
    /// As connect(2).
    pub async fn connect(&self, addr: impl ToSocketAddrs) -> io::Result<()> {
        let addrs = addr.to_socket_addrs().await?;
        let addr = addrs.first().copied().ok_or(io::ErrorKind::InvalidInput)?;
        Ok(rt::call(|backend, env| backend.connect(env, self.0.fd, addr.into()))?)
    }

    /// Sends a datagram to the peer.
    ///
    /// # Errors
    /// As send(2).
    pub async fn send(&self, data: &[u8]) -> io::Result<usize> {
        let fd = self.0.fd;
        let mut slot = WakerSlot::new();
        poll_fn(|context| {
            poll_out(context, &mut slot, fd, |backend, env| backend.send(env, fd, data))
        })
        .await
    }

    /// Sends a datagram.
    ///
    /// # Errors
    /// As sendto(2).
    pub async fn send_to(&self, data: &[u8], to: impl ToSocketAddrs) -> io::Result<usize> {
        let addrs = to.to_socket_addrs().await?;
        let to = addrs.first().copied().ok_or(io::ErrorKind::InvalidInput)?;
        self.send_to_addr(data, to).await
    }

    /// Sends a datagram to an address that is known: no list of addresses is made.
    ///
    /// # Errors
    /// As sendto(2).
    pub async fn send_to_addr(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        let fd = self.0.fd;
        let mut slot = WakerSlot::new();
        poll_fn(|context| {
            poll_out(context, &mut slot, fd, |backend, env| backend.send_to(env, fd, data, to))
        })
        .await
    }

    /// Receives a datagram from the peer; what does not fit is discarded.
    ///
    /// # Errors
    /// As recv(2).
    pub async fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_from(into).await?.0)
    }

    /// Receives a datagram with its sender; what does not fit is discarded.
    ///
    /// # Errors
    /// As recvfrom(2).
    pub async fn recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        // Each call has a slot of its own: several tasks may receive from one socket.
        let mut slot = WakerSlot::new();
        poll_fn(|context| poll_in(context, &mut slot, self.0.fd, into)).await
    }

    /// As [`UdpSocket::recv_from`], by hand.
    pub fn poll_recv_from(
        &mut self,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        poll_in(context, &mut self.0.read, self.0.fd, into)
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
}

#[inline]
fn poll_in(
    context: &mut Context<'_>,
    slot: &mut WakerSlot,
    fd: Fd,
    into: &mut [u8],
) -> Poll<io::Result<(usize, SocketAddr)>> {
    let received = rt::poll_call(context, slot, fd, Readiness::IN, |backend, env| {
        backend.recv_from(env, fd, into, RecvFlags::default())
    });
    received.map(|received| received.map(|r| (r.len, r.from)).map_err(Into::into))
}

#[inline]
fn poll_out<R>(
    context: &mut Context<'_>,
    slot: &mut WakerSlot,
    fd: Fd,
    f: impl FnOnce(&mut dyn Backend, &mut Env) -> Result<R>,
) -> Poll<io::Result<R>> {
    rt::poll_call(context, slot, fd, Readiness::OUT, f).map_err(Into::into)
}
