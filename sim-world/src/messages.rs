//! Addresses and messages of the two families of sockets, where a call may be of either.

use crate::universe::Universe;
use crate::unix::refuse_control;
use sim_core::backend::{Address, Backend, Message, ReceivedMessage, RecvFlags};
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
        self.socket_of(fd)?;
        if let Some(control) = message.control.first() {
            return Err(refuse_control(env, control));
        }
        match message.to {
            None => self.send(env, fd, message.data),
            Some(Address::Inet(to)) => self.send_to(env, fd, message.data, to),
            Some(Address::Unix(_)) => Err(Errno::EAFNOSUPPORT),
        }
    }

    /// Receives a message over IP.
    pub(crate) fn recv_socket_message(
        &mut self,
        env: &mut Env,
        fd: Fd,
        into: &mut [u8],
        flags: RecvFlags,
    ) -> Result<ReceivedMessage> {
        let received = self.recv_from(env, fd, into, flags)?;
        Ok(ReceivedMessage {
            len: received.len,
            from: Some(Address::Inet(received.from)),
            truncated: received.truncated,
            control: Vec::new(),
        })
    }
}
