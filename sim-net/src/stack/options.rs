//! Socket options (socket(7), tcp(7), udp(7), ipv6(7)): values, ranges and defaults.

use super::ports::Class;
use super::rare::{Rare, is_of_datagrams, is_of_v6, rare_name_of};
use super::table::Entry;
use super::{SocketId, Stack};
use crate::tcp::State;
use core::time::Duration;
use sim_core::backend::{Domain, OptionName, SocketKind, SocketOption};
use sim_core::{Env, Errno, Result};

/// The most that a program can ask of a buffer before it is doubled (`wmem_max`, `rmem_max`).
const MAX_BUFFER_BYTES: u32 = 4_194_304;
/// The least a send buffer has.
pub(crate) const MIN_SEND_BUFFER_BYTES: u32 = 4608;
/// The least a receive buffer has.
pub(crate) const MIN_RECEIVE_BUFFER_BYTES: u32 = 2304;

/// What a stream says of its segments before it is connected (`TCP_MSS_DEFAULT`).
const UNCONNECTED_SEGMENT_BYTES: u32 = 536;

/// The options of a socket. In the order in which they stand here: what every segment asks for comes first.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Options {
    pub(crate) send_buffer: u32,
    pub(crate) receive_buffer: u32,
    /// The program set the size, so it is not tuned.
    pub(crate) send_buffer_fixed: bool,
    pub(crate) receive_buffer_fixed: bool,
    pub(crate) no_delay: bool,
    pub(crate) reuse_addr: bool,
    pub(crate) reuse_port: bool,
    pub(crate) keep_alive: bool,
    pub(crate) broadcast: bool,
    pub(crate) linger: Option<Duration>,
    /// Zero is the system's own patience.
    pub(crate) user_timeout: Duration,
    /// 0 is the system's own number.
    pub(crate) syn_count: u32,
    pub(crate) keep_idle: Duration,
    pub(crate) keep_interval: Duration,
    pub(crate) keep_count: u32,
    pub(crate) v6_only: bool,
    pub(crate) ttl: u32,
    /// What few programs set.
    pub(crate) rare: Rare,
}

impl Options {
    /// What a new socket has (tcp_wmem, tcp_rmem, wmem_default, tcp_keepalive_*).
    pub(crate) const fn new(kind: SocketKind) -> Self {
        let (send_buffer, receive_buffer) = match kind {
            SocketKind::Stream => (16_384, 131_072),
            SocketKind::Datagram | SocketKind::SeqPacket => (212_992, 212_992),
        };
        Self {
            reuse_addr: false,
            reuse_port: false,
            keep_alive: false,
            broadcast: false,
            linger: None,
            send_buffer,
            receive_buffer,
            send_buffer_fixed: false,
            receive_buffer_fixed: false,
            no_delay: false,
            user_timeout: Duration::ZERO,
            syn_count: 0,
            keep_idle: Duration::from_secs(7200),
            keep_interval: Duration::from_secs(75),
            keep_count: 9,
            v6_only: false,
            ttl: 64,
            rare: Rare::DEFAULT,
        }
    }

    pub(super) fn set(&mut self, option: SocketOption) -> Result<()> {
        match option {
            SocketOption::ReuseAddr(on) => self.reuse_addr = on,
            SocketOption::ReusePort(on) => self.reuse_port = on,
            SocketOption::KeepAlive(on) => self.keep_alive = on,
            SocketOption::Broadcast(on) => self.broadcast = on,
            SocketOption::Linger(linger) => self.linger = linger,
            SocketOption::SendBuffer(bytes) => {
                self.send_buffer = doubled(bytes).max(MIN_SEND_BUFFER_BYTES);
                self.send_buffer_fixed = true;
            }
            SocketOption::ReceiveBuffer(bytes) => {
                self.receive_buffer = doubled(bytes).max(MIN_RECEIVE_BUFFER_BYTES);
                self.receive_buffer_fixed = true;
            }
            SocketOption::NoDelay(on) => self.no_delay = on,
            SocketOption::UserTimeout(timeout) => self.user_timeout = timeout,
            SocketOption::SynCount(count) => self.syn_count = within(count, 1, 127)?,
            SocketOption::KeepIdle(idle) => self.keep_idle = seconds(idle)?,
            SocketOption::KeepInterval(interval) => self.keep_interval = seconds(interval)?,
            SocketOption::KeepCount(count) => self.keep_count = within(count, 1, 127)?,
            SocketOption::V6Only(on) => self.v6_only = on,
            SocketOption::Ttl(hops) => self.ttl = within(hops, 1, 255)?,
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    pub(super) fn get(&self, name: OptionName) -> Result<SocketOption> {
        Ok(match name {
            OptionName::ReuseAddr => SocketOption::ReuseAddr(self.reuse_addr),
            OptionName::ReusePort => SocketOption::ReusePort(self.reuse_port),
            OptionName::KeepAlive => SocketOption::KeepAlive(self.keep_alive),
            OptionName::Broadcast => SocketOption::Broadcast(self.broadcast),
            OptionName::Linger => SocketOption::Linger(self.linger),
            OptionName::SendBuffer => SocketOption::SendBuffer(self.send_buffer),
            OptionName::ReceiveBuffer => SocketOption::ReceiveBuffer(self.receive_buffer),
            OptionName::NoDelay => SocketOption::NoDelay(self.no_delay),
            OptionName::UserTimeout => SocketOption::UserTimeout(self.user_timeout),
            OptionName::SynCount => {
                SocketOption::SynCount(if self.syn_count == 0 { 6 } else { self.syn_count })
            }
            OptionName::KeepIdle => SocketOption::KeepIdle(self.keep_idle),
            OptionName::KeepInterval => SocketOption::KeepInterval(self.keep_interval),
            OptionName::KeepCount => SocketOption::KeepCount(self.keep_count),
            OptionName::V6Only => SocketOption::V6Only(self.v6_only),
            OptionName::Ttl => SocketOption::Ttl(self.ttl),
            _ => return Err(Errno::ENOPROTOOPT),
        })
    }
}

/// What a buffer of `bytes` becomes: twice as much, since a kernel's own data counts too.
pub(crate) fn doubled(bytes: u32) -> u32 {
    bytes.min(MAX_BUFFER_BYTES) * 2
}

fn within(value: u32, least: u32, most: u32) -> Result<u32> {
    if (least..=most).contains(&value) { Ok(value) } else { Err(Errno::EINVAL) }
}

/// A keepalive time: whole seconds from 1 to 32767, as the kernel takes them.
fn seconds(duration: Duration) -> Result<Duration> {
    within(u32::try_from(duration.as_secs()).unwrap_or(u32::MAX), 1, 32_767)?;
    Ok(Duration::from_secs(duration.as_secs()))
}

/// Options that only a stream has.
const fn is_of_streams(name: OptionName) -> bool {
    matches!(
        name,
        OptionName::NoDelay
            | OptionName::QuickAck
            | OptionName::UserTimeout
            | OptionName::SynCount
            | OptionName::KeepIdle
            | OptionName::KeepInterval
            | OptionName::KeepCount
            | OptionName::MaxSegment
    )
}

const fn name_of(option: &SocketOption) -> Option<OptionName> {
    Some(match option {
        SocketOption::ReuseAddr(_) => OptionName::ReuseAddr,
        SocketOption::ReusePort(_) => OptionName::ReusePort,
        SocketOption::KeepAlive(_) => OptionName::KeepAlive,
        SocketOption::Broadcast(_) => OptionName::Broadcast,
        SocketOption::Linger(_) => OptionName::Linger,
        SocketOption::SendBuffer(_) => OptionName::SendBuffer,
        SocketOption::ReceiveBuffer(_) => OptionName::ReceiveBuffer,
        SocketOption::NoDelay(_) => OptionName::NoDelay,
        SocketOption::QuickAck(_) => OptionName::QuickAck,
        SocketOption::UserTimeout(_) => OptionName::UserTimeout,
        SocketOption::SynCount(_) => OptionName::SynCount,
        SocketOption::KeepIdle(_) => OptionName::KeepIdle,
        SocketOption::KeepInterval(_) => OptionName::KeepInterval,
        SocketOption::KeepCount(_) => OptionName::KeepCount,
        SocketOption::V6Only(_) => OptionName::V6Only,
        SocketOption::Ttl(_) => OptionName::Ttl,
        other => return rare_name_of(other),
    })
}

impl Stack<'_> {
    /// Sets a socket option (setsockopt(2)). An option that a socket of this kind or family does not
    /// have answers `ENOPROTOOPT`; a value out of range, `EINVAL`.
    pub fn set_option(&mut self, env: &mut Env, id: SocketId, option: SocketOption) -> Result<()> {
        let Some(name) = name_of(&option) else {
            env.trace.notice(format!(
                "the socket option {option:?} is not modelled: setting it answers ENOPROTOOPT"
            ));
            return Err(Errno::ENOPROTOOPT);
        };
        self.check_has_option(id, name)?;
        let stream = matches!(self.slab.get(id), Some(Entry::Tcp(_)));
        if stream && is_of_datagrams(name) {
            env.trace.notice(format!(
                "the socket option {option:?} is not modelled on a stream: setting it answers EOPNOTSUPP"
            ));
            return Err(Errno::EOPNOTSUPP);
        }
        // What it says is no setting but how the connection is just now.
        if name != OptionName::QuickAck {
            self.options_mut(id)?.set_any(option, stream)?;
        }
        self.reclassify(id);
        if let Ok(socket) = self.slab.udp(id) {
            socket.way = None;
        }
        if let Some(Entry::Tcp(connection)) = self.slab.get_mut(id) {
            match option {
                SocketOption::KeepAlive(_) | SocketOption::KeepIdle(_) => {
                    connection.set_keepalive(env);
                }
                SocketOption::NoDelay(_) => connection.push(env, self.io),
                SocketOption::QuickAck(on) => connection.set_quick_ack(env, self.io, on),
                _ => {}
            }
            connection.arm(self.io);
        }
        self.deliver_local(env);
        Ok(())
    }

    /// A socket option's value (getsockopt(2)); reading `SO_ERROR` clears it.
    pub fn option(
        &mut self,
        _env: &mut Env,
        id: SocketId,
        name: OptionName,
    ) -> Result<SocketOption> {
        if name == OptionName::Error {
            let error = match self.slab.get_mut(id) {
                Some(Entry::Tcp(connection)) => connection.error.take(),
                Some(Entry::Udp(socket)) => socket.error.take(),
                _ => return Err(Errno::EBADF),
            };
            return Ok(SocketOption::Error(error.map_or(0, Errno::raw)));
        }
        if let Some(answer) = self.told_only(id, name)? {
            return Ok(answer);
        }
        if let Some(Entry::Udp(socket)) = self.slab.get(id)
            && is_of_streams(name)
        {
            // Each family has a word of its own for it.
            let v4 = socket.domain == Domain::Inet;
            return Err(if v4 { Errno::EOPNOTSUPP } else { Errno::ENOPROTOOPT });
        }
        self.options_mut(id)?.get_any(name)
    }

    /// What a socket is, which can be asked for and not be set. Also refuses what its family does not have.
    fn told_only(&self, id: SocketId, name: OptionName) -> Result<Option<SocketOption>> {
        let (kind, domain, protocol, listening, segment, quick_ack) = match self.slab.get(id) {
            Some(Entry::Tcp(connection)) => {
                let listening = connection.state == State::Listen;
                let idle = matches!(connection.state, State::Closed | State::Listen);
                let segment = if idle { UNCONNECTED_SEGMENT_BYTES } else { connection.snd.mss };
                let quick_ack = connection.has_quick_ack();
                (SocketKind::Stream, connection.domain, 6, listening, segment, quick_ack)
            }
            Some(Entry::Udp(socket)) => (SocketKind::Datagram, socket.domain, 17, false, 0, false),
            _ => return Err(Errno::EBADF),
        };
        if is_of_v6(name) && domain == Domain::Inet
            || protocol == 6 && name == OptionName::SegmentSize
        {
            return Err(Errno::EOPNOTSUPP);
        }
        Ok(Some(match name {
            OptionName::Type => SocketOption::Type(kind),
            OptionName::Domain => SocketOption::Domain(domain),
            OptionName::Protocol => SocketOption::Protocol(protocol),
            OptionName::AcceptsConnections => SocketOption::AcceptsConnections(listening),
            OptionName::MaxSegment if protocol == 6 => SocketOption::MaxSegment(segment),
            OptionName::QuickAck if protocol == 6 => SocketOption::QuickAck(quick_ack),
            _ => return Ok(None),
        }))
    }

    fn check_has_option(&self, id: SocketId, name: OptionName) -> Result<()> {
        let (stream, v6, bound) = match self.slab.get(id) {
            Some(Entry::Tcp(connection)) => (true, connection.domain, connection.local.port() != 0),
            Some(Entry::Udp(socket)) => (false, socket.domain, socket.local.port() != 0),
            _ => return Err(Errno::EBADF),
        };
        if !stream && is_of_streams(name) {
            return Err(Errno::ENOPROTOOPT);
        }
        if is_of_v6(name) && v6 == Domain::Inet || stream && name == OptionName::SegmentSize {
            return Err(Errno::ENOPROTOOPT);
        }
        if name == OptionName::V6Only && bound {
            return Err(Errno::EINVAL);
        }
        Ok(())
    }

    fn options_mut(&mut self, id: SocketId) -> Result<&mut Options> {
        match self.slab.get_mut(id) {
            Some(Entry::Tcp(connection)) => Ok(&mut connection.options),
            Some(Entry::Udp(socket)) => Ok(&mut socket.options),
            _ => Err(Errno::EBADF),
        }
    }

    /// Brings a bound socket's entry among the port's holders up to its options and state.
    pub(super) fn reclassify(&mut self, id: SocketId) {
        let (ports, port, binding, options, listening) = match self.slab.get_mut(id) {
            Some(Entry::Tcp(c)) => (
                &mut self.tables.tcp_ports,
                c.local.port(),
                &mut c.binding,
                &c.options,
                c.state == State::Listen,
            ),
            Some(Entry::Udp(s)) => {
                (&mut self.tables.udp_ports, s.local.port(), &mut s.binding, &s.options, false)
            }
            _ => return,
        };
        let (reuse_addr, reuse_port) = (options.reuse_addr, options.reuse_port);
        let class = binding.class.map(|class| Class { reuse_addr, reuse_port, listening, ..class });
        if let (Some(old), Some(new)) = (binding.class, class)
            && old != new
        {
            ports.release(port, &old);
            ports.hold(port, new);
            binding.class = class;
        }
    }
}
