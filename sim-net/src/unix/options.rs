//! Socket options of Unix sockets (unix(7), socket(7)).

use super::{Options, State, UnixId, UnixSockets};
use crate::stack::{MIN_RECEIVE_BUFFER_BYTES, MIN_SEND_BUFFER_BYTES, doubled};
use sim_core::backend::{Domain, OptionName, SocketOption};
use sim_core::{Env, Errno, Result};

impl UnixSockets {
    /// Sets a socket option (setsockopt(2)). Options of IP and TCP answer `EOPNOTSUPP`, as in Linux.
    pub fn set_option(&mut self, env: &mut Env, id: UnixId, option: SocketOption) -> Result<()> {
        let options = &mut self.get_mut(id)?.options;
        match option {
            SocketOption::SendBuffer(bytes) => {
                options.send_buffer = doubled(bytes).max(MIN_SEND_BUFFER_BYTES);
            }
            SocketOption::ReceiveBuffer(bytes) => {
                options.receive_buffer = doubled(bytes).max(MIN_RECEIVE_BUFFER_BYTES);
            }
            SocketOption::PassCredentials(on) => options.pass_credentials = on,
            // These mean nothing to a Unix socket, in Linux as well, and are kept.
            SocketOption::ReuseAddr(on) => options.reuse_addr = on,
            SocketOption::KeepAlive(on) => options.keep_alive = on,
            SocketOption::Broadcast(on) => options.broadcast = on,
            SocketOption::Linger(linger) => options.linger = linger,
            SocketOption::Error(_)
            | SocketOption::PeerCredentials(_)
            | SocketOption::Type(_)
            | SocketOption::Domain(_)
            | SocketOption::Protocol(_)
            | SocketOption::AcceptsConnections(_) => {
                return Err(Errno::ENOPROTOOPT);
            }
            other => {
                env.trace.notice(format!(
                    "a Unix socket has no option {other:?}: setting it answers EOPNOTSUPP"
                ));
                return Err(Errno::EOPNOTSUPP);
            }
        }
        Ok(())
    }

    /// A socket option's value (getsockopt(2)); reading `SO_ERROR` clears it.
    pub fn option(&mut self, id: UnixId, name: OptionName) -> Result<SocketOption> {
        let socket = self.get_mut(id)?;
        let Options { send_buffer, receive_buffer, pass_credentials, .. } = socket.options;
        Ok(match name {
            OptionName::Error => SocketOption::Error(socket.error.take().map_or(0, Errno::raw)),
            OptionName::SendBuffer => SocketOption::SendBuffer(send_buffer),
            OptionName::ReceiveBuffer => SocketOption::ReceiveBuffer(receive_buffer),
            OptionName::PassCredentials => SocketOption::PassCredentials(pass_credentials),
            OptionName::PeerCredentials => SocketOption::PeerCredentials(socket.peer_credentials),
            OptionName::Type => SocketOption::Type(socket.kind),
            OptionName::Domain => SocketOption::Domain(Domain::Unix),
            OptionName::Protocol => SocketOption::Protocol(0),
            OptionName::AcceptsConnections => {
                SocketOption::AcceptsConnections(matches!(socket.state, State::Listening(_)))
            }
            OptionName::ReuseAddr => SocketOption::ReuseAddr(socket.options.reuse_addr),
            OptionName::KeepAlive => SocketOption::KeepAlive(socket.options.keep_alive),
            OptionName::Broadcast => SocketOption::Broadcast(socket.options.broadcast),
            OptionName::Linger => SocketOption::Linger(socket.options.linger),
            _ => return Err(Errno::EOPNOTSUPP),
        })
    }
}
