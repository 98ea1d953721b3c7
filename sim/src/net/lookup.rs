//! From names to addresses.

use core::future::Future;
use sim_core::backend::{Op, Output};
use sim_core::{Errno, rt};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// What can be turned into socket addresses: addresses, and `host:port` as text or pair.
pub trait ToSocketAddrs {
    /// The addresses, in the order in which they should be tried.
    ///
    /// # Errors
    /// A name that nobody has, or a port that is no number.
    fn to_socket_addrs(&self) -> impl Future<Output = io::Result<Vec<SocketAddr>>>;
}

/// The addresses of a name with a port, such as `db:5432`, on the caller's host (getaddrinfo(3)).
///
/// # Errors
/// A name that nobody has, or a port that is no number.
///
/// # Panics
/// Outside a runtime.
pub async fn lookup_host(host: impl ToSocketAddrs) -> io::Result<impl Iterator<Item = SocketAddr>> {
    Ok(host.to_socket_addrs().await?.into_iter())
}

/// The addresses of a name.
async fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    match rt::submit(Op::Resolve { name: name.into() }).await {
        Ok(Output::Addresses(addrs)) if !addrs.is_empty() => Ok(addrs),
        Ok(_) | Err(Errno::ENOENT) => {
            let text = format!("failed to look up '{name}': name or service not known");
            Err(io::Error::new(io::ErrorKind::NotFound, text))
        }
        Err(errno) => Err(errno.into()),
    }
}

impl ToSocketAddrs for SocketAddr {
    async fn to_socket_addrs(&self) -> io::Result<Vec<Self>> {
        Ok(vec![*self])
    }
}

impl ToSocketAddrs for SocketAddrV4 {
    async fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![(*self).into()])
    }
}

impl ToSocketAddrs for SocketAddrV6 {
    async fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![(*self).into()])
    }
}

impl ToSocketAddrs for (IpAddr, u16) {
    async fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![(*self).into()])
    }
}

impl ToSocketAddrs for (Ipv4Addr, u16) {
    async fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![(*self).into()])
    }
}

impl ToSocketAddrs for (Ipv6Addr, u16) {
    async fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![(*self).into()])
    }
}

impl ToSocketAddrs for (&str, u16) {
    async fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        let addrs = resolve(self.0).await?;
        Ok(addrs.into_iter().map(|addr| SocketAddr::new(addr, self.1)).collect())
    }
}

impl ToSocketAddrs for str {
    async fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        if let Ok(addr) = self.parse::<SocketAddr>() {
            return Ok(vec![addr]);
        }
        let invalid =
            || io::Error::new(io::ErrorKind::InvalidInput, format!("'{self}' is not host:port"));
        let (name, port) = self.rsplit_once(':').ok_or_else(invalid)?;
        (name, port.parse::<u16>().map_err(|_| invalid())?).to_socket_addrs().await
    }
}

impl ToSocketAddrs for String {
    async fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.as_str().to_socket_addrs().await
    }
}

impl ToSocketAddrs for [SocketAddr] {
    async fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(self.to_vec())
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    async fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        (**self).to_socket_addrs().await
    }
}
