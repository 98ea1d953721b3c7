//! Addresses and messages of the two families of sockets, where a call may be of either.

use crate::universe::Universe;
use sim_core::backend::{Address, Call, Message, ReceivedMessage, RecvFlags};
use sim_core::{Env, Errno, Fd, Result};

impl Universe {
    /// Binds to a name that is no IP address: a Unix socket can, another cannot.
    pub(crate) fn bind_name(&mut self, env: &mut Env, fd: Fd, addr: Address) -> Result<()> {
        match addr {
            Address::Unix(name) if self.is_unix(fd) => self.bind_unix(env, fd, name),
            _ => self.socket_of(fd).and(Err(Errno::EAFNOSUPPORT)),
        }
    }

    /// Connects to a name that is no IP address.
    pub(crate) fn connect_name(&mut self, env: &mut Env, fd: Fd, addr: Address) -> Result<()> {
        match addr {
            Address::Unix(name) if self.is_unix(fd) => self.connect_unix(env, fd, name),
            _ => self.socket_of(fd).and(Err(Errno::EAFNOSUPPORT)),
        }
    }

    /// Sends a message over IP.
    pub(crate) fn send_socket_message(
        &mut self,
        env: &mut Env,
        fd: Fd,
        message: Message<'_>,
    ) -> Result<usize> {
        let to = match message.to {
            None => None,
            Some(Address::Inet(to)) => Some(to),
            Some(Address::Unix(_)) => return self.socket_of(fd).and(Err(Errno::EAFNOSUPPORT)),
        };
        self.on_socket(
            env,
            fd,
            Call::SendMessage,
            |stack, env, socket| stack.send_message(env, socket, message.data, to, message.control),
            |&len| len as u64,
        )
    }

    /// Receives a message over IP.
    pub(crate) fn recv_socket_message(
        &mut self,
        env: &mut Env,
        fd: Fd,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<ReceivedMessage> {
        let (received, is_datagram, control) = self.on_socket(
            env,
            fd,
            Call::RecvMessage,
            |stack, env, socket| stack.recv_message(env, socket, into, flags),
            |(received, ..)| received.len as u64,
        )?;
        Ok(ReceivedMessage {
            len: received.len,
            from: is_datagram.then_some(Address::Inet(received.from)),
            truncated: received.truncated,
            control,
        })
    }
}
