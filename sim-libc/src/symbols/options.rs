//! Socket options (setsockopt(2), getsockopt(2)). One that is not modelled is refused with a notice, never accepted and ignored.

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::{answer_int, call};
use crate::descriptors::simulated;
use crate::memory::{In, Out};
use crate::real::next;
use crate::world::World;
use core::ffi::c_int;
use core::time::Duration;
use libc::{linger, socklen_t, timeval};
use sim_core::backend::{Address, Backend, Credentials, OptionName, SocketKind, SocketOption};
use sim_core::{Errno, Fd, Result};
use std::net::SocketAddr;

/// A value as the caller hands it in.
#[derive(Clone, Copy)]
struct Given {
    at: In<u8>,
    len: usize,
}

impl Given {
    fn int(self) -> Result<c_int> {
        if self.len < size_of::<c_int>() {
            Err(Errno::EINVAL)
        } else {
            In(self.at.0.cast()).get().ok_or(Errno::EINVAL)
        }
    }

    fn truth(self) -> Result<bool> {
        self.int().map(|value| value != 0)
    }

    fn count(self) -> Result<u32> {
        u32::try_from(self.int()?).map_err(|_| Errno::EINVAL)
    }

    fn seconds(self) -> Result<Duration> {
        self.count().map(|seconds| Duration::from_secs(u64::from(seconds)))
    }

    fn time(self) -> Result<Duration> {
        if self.len < size_of::<timeval>() {
            return Err(Errno::EINVAL);
        }
        let time: timeval = In(self.at.0.cast()).get().ok_or(Errno::EINVAL)?;
        let micros = u64::try_from(time.tv_usec).ok().filter(|&micros| micros < 1_000_000);
        // A number of microseconds that is none is refused with EDOM, which programs do not tell from EINVAL.
        let (seconds, micros) = (u64::try_from(time.tv_sec), micros.ok_or(Errno::EINVAL)?);
        Ok(Duration::from_secs(seconds.unwrap_or(0)) + Duration::from_micros(micros))
    }

    fn linger(self) -> Result<Option<Duration>> {
        if self.len < size_of::<linger>() {
            return Err(Errno::EINVAL);
        }
        let value: linger = In(self.at.0.cast()).get().ok_or(Errno::EINVAL)?;
        Ok((value.l_onoff != 0).then(|| Duration::from_secs(value.l_linger.max(0) as u64)))
    }
}

/// What an option is for the kernel.
fn option(level: c_int, name: c_int, value: Given) -> Result<Option<SocketOption>> {
    Ok(Some(match (level, name) {
        (libc::SOL_SOCKET, libc::SO_REUSEADDR) => SocketOption::ReuseAddr(value.truth()?),
        (libc::SOL_SOCKET, libc::SO_REUSEPORT) => SocketOption::ReusePort(value.truth()?),
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE) => SocketOption::KeepAlive(value.truth()?),
        (libc::SOL_SOCKET, libc::SO_BROADCAST) => SocketOption::Broadcast(value.truth()?),
        (libc::SOL_SOCKET, libc::SO_LINGER) => SocketOption::Linger(value.linger()?),
        (libc::SOL_SOCKET, libc::SO_SNDBUF) => SocketOption::SendBuffer(value.count()?),
        (libc::SOL_SOCKET, libc::SO_RCVBUF) => SocketOption::ReceiveBuffer(value.count()?),
        (libc::IPPROTO_TCP, libc::TCP_NODELAY) => SocketOption::NoDelay(value.truth()?),
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) => {
            SocketOption::UserTimeout(Duration::from_millis(u64::from(value.count()?)))
        }
        (libc::IPPROTO_TCP, libc::TCP_SYNCNT) => SocketOption::SynCount(value.count()?),
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE) => SocketOption::KeepIdle(value.seconds()?),
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL) => SocketOption::KeepInterval(value.seconds()?),
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT) => SocketOption::KeepCount(value.count()?),
        (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY) => SocketOption::V6Only(value.truth()?),
        (libc::IPPROTO_IP, libc::IP_TTL) => SocketOption::Ttl(value.count()?),
        (libc::SOL_SOCKET, libc::SO_PASSCRED) => SocketOption::PassCredentials(value.truth()?),
        _ => return Ok(None),
    }))
}

fn name(level: c_int, name: c_int) -> Option<OptionName> {
    Some(match (level, name) {
        (libc::SOL_SOCKET, libc::SO_ERROR) => OptionName::Error,
        (libc::SOL_SOCKET, libc::SO_REUSEADDR) => OptionName::ReuseAddr,
        (libc::SOL_SOCKET, libc::SO_REUSEPORT) => OptionName::ReusePort,
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE) => OptionName::KeepAlive,
        (libc::SOL_SOCKET, libc::SO_BROADCAST) => OptionName::Broadcast,
        (libc::SOL_SOCKET, libc::SO_LINGER) => OptionName::Linger,
        (libc::SOL_SOCKET, libc::SO_SNDBUF) => OptionName::SendBuffer,
        (libc::SOL_SOCKET, libc::SO_RCVBUF) => OptionName::ReceiveBuffer,
        (libc::IPPROTO_TCP, libc::TCP_NODELAY) => OptionName::NoDelay,
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) => OptionName::UserTimeout,
        (libc::IPPROTO_TCP, libc::TCP_SYNCNT) => OptionName::SynCount,
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE) => OptionName::KeepIdle,
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL) => OptionName::KeepInterval,
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT) => OptionName::KeepCount,
        (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY) => OptionName::V6Only,
        (libc::IPPROTO_IP, libc::IP_TTL) => OptionName::Ttl,
        (libc::SOL_SOCKET, libc::SO_PASSCRED) => OptionName::PassCredentials,
        (libc::SOL_SOCKET, libc::SO_PEERCRED) => OptionName::PeerCredentials,
        _ => return None,
    })
}

impl World {
    fn set_option(&mut self, fd: Fd, level: c_int, name: c_int, value: Given) -> Result<c_int> {
        let status = self.descriptors.status(fd);
        match (level, name) {
            (libc::SOL_SOCKET, libc::SO_RCVTIMEO) => status.receive_timeout.set(value.time()?),
            (libc::SOL_SOCKET, libc::SO_SNDTIMEO) => status.send_timeout.set(value.time()?),
            _ => match option(level, name, value)? {
                Some(option) => self.universe.set_option(&mut self.env, fd, option)?,
                None => {
                    self.refuse(&format!("socket option {name} of level {level}"));
                    return Err(Errno::ENOPROTOOPT);
                }
            },
        }
        Ok(0)
    }

    /// The bytes of an option's value.
    fn option_bytes(&mut self, fd: Fd, level: c_int, wanted: c_int) -> Result<Vec<u8>> {
        let status = self.descriptors.status(fd);
        let int = |value: c_int| value.to_ne_bytes().to_vec();
        match (level, wanted) {
            (libc::SOL_SOCKET, libc::SO_RCVTIMEO) => {
                return Ok(time_bytes(status.receive_timeout.get()));
            }
            (libc::SOL_SOCKET, libc::SO_SNDTIMEO) => {
                return Ok(time_bytes(status.send_timeout.get()));
            }
            (libc::SOL_SOCKET, libc::SO_TYPE) => {
                return match status.kind {
                    Some(SocketKind::Stream) => Ok(int(libc::SOCK_STREAM)),
                    Some(SocketKind::Datagram) => Ok(int(libc::SOCK_DGRAM)),
                    Some(SocketKind::SeqPacket) => Ok(int(libc::SOCK_SEQPACKET)),
                    None => Err(Errno::ENOTSOCK),
                };
            }
            (libc::SOL_SOCKET, libc::SO_DOMAIN) => {
                let address = self.universe.local_addr(&mut self.env, fd)?;
                return Ok(int(match address {
                    Address::Inet(SocketAddr::V4(_)) => libc::AF_INET,
                    Address::Inet(SocketAddr::V6(_)) => libc::AF_INET6,
                    Address::Unix(_) => libc::AF_UNIX,
                }));
            }
            _ => {}
        }
        let Some(name) = name(level, wanted) else {
            self.refuse(&format!("socket option {wanted} of level {level}"));
            return Err(Errno::ENOPROTOOPT);
        };
        let seconds = |time: Duration| int(time.as_secs() as c_int);
        Ok(match self.universe.option(&mut self.env, fd, name)? {
            SocketOption::Error(errno) => int(c_int::from(errno as i16)),
            SocketOption::ReuseAddr(value)
            | SocketOption::ReusePort(value)
            | SocketOption::KeepAlive(value)
            | SocketOption::Broadcast(value)
            | SocketOption::NoDelay(value)
            | SocketOption::PassCredentials(value)
            | SocketOption::V6Only(value) => int(c_int::from(value)),
            SocketOption::SendBuffer(value)
            | SocketOption::ReceiveBuffer(value)
            | SocketOption::SynCount(value)
            | SocketOption::KeepCount(value)
            | SocketOption::Ttl(value) => int(value as c_int),
            SocketOption::UserTimeout(time) => int(time.as_millis() as c_int),
            SocketOption::KeepIdle(time) | SocketOption::KeepInterval(time) => seconds(time),
            SocketOption::PeerCredentials(Credentials { pid, uid, gid }) => {
                [pid, uid, gid].map(u32::to_ne_bytes).concat()
            }
            SocketOption::Linger(time) => {
                let mut bytes = int(c_int::from(time.is_some()));
                bytes.extend(seconds(time.unwrap_or_default()));
                bytes
            }
            other => {
                self.refuse(&format!("socket option {other:?}"));
                return Err(Errno::ENOPROTOOPT);
            }
        })
    }
}

fn time_bytes(time: Duration) -> Vec<u8> {
    let mut bytes = (time.as_secs() as i64).to_ne_bytes().to_vec();
    bytes.extend(i64::from(time.subsec_micros()).to_ne_bytes());
    bytes
}

#[unsafe(no_mangle)]
extern "C" fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: In<u8>,
    len: socklen_t,
) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"setsockopt"(fd: c_int, level: c_int, name: c_int, value: In<u8>, len: socklen_t) -> c_int);
    };
    let value = Given { at: value, len: len as usize };
    answer_int(call(|world| world.set_option(object, level, name, value)))
}

#[unsafe(no_mangle)]
extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    into: Out<u8>,
    len: Out<socklen_t>,
) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"getsockopt"(fd: c_int, level: c_int, name: c_int, into: Out<u8>, len: Out<socklen_t>) -> c_int);
    };
    answer_int(call(|world| {
        let bytes = world.option_bytes(object, level, name)?;
        let fits = bytes.len().min(len.get().unwrap_or_default() as usize);
        into.slice(fits).copy_from_slice(&bytes[..fits]);
        len.set(fits as socklen_t);
        Ok(0)
    }))
}
