//! Sockets, names, and what can befall links.

pub mod faults;
mod lookup;
mod tcp;
mod traits;
mod udp;

pub use lookup::{ToSocketAddrs, lookup_host};
pub use sim_core::backend::{OptionName, Shutdown, SocketOption};
pub use tcp::{OwnedReadHalf, OwnedWriteHalf, TcpListener, TcpSocket, TcpStream};
pub use udp::UdpSocket;

use sim_core::Fd;
use sim_core::backend::Address;
use sim_core::rt::{self, WakerSlot};
use std::io;
use std::net::SocketAddr;

/// A descriptor that is closed when it is dropped, with a place for a waker in each direction.
#[derive(Debug)]
struct Socket {
    fd: Fd,
    read: WakerSlot,
    write: WakerSlot,
}

impl Socket {
    const fn new(fd: Fd) -> Self {
        Self { fd, read: WakerSlot::new(), write: WakerSlot::new() }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        inet(rt::call(|backend, env| backend.local_addr(env, self.fd))?)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        inet(rt::call(|backend, env| backend.peer_addr(env, self.fd))?)
    }

    fn set(&self, option: SocketOption) -> io::Result<()> {
        Ok(rt::call(|backend, env| backend.set_option(env, self.fd, option))?)
    }

    fn get(&self, name: OptionName) -> io::Result<SocketOption> {
        Ok(rt::call(|backend, env| backend.option(env, self.fd, name))?)
    }

    /// The pending error, if there is one (`SO_ERROR`).
    fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self.get(OptionName::Error)? {
            SocketOption::Error(0) => Ok(None),
            SocketOption::Error(errno) => Ok(Some(sim_core::Errno::from_raw(errno).into())),
            other => unreachable!("SO_ERROR answers an error, not {other:?}"),
        }
    }
}

/// The address of a socket of the network.
fn inet(addr: Address) -> io::Result<SocketAddr> {
    Ok(addr.inet().ok_or(sim_core::Errno::EAFNOSUPPORT)?)
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A descriptor of a crashed host is gone already.
        rt::try_call(|backend, env| backend.close(env, self.fd).unwrap_or_default());
    }
}
