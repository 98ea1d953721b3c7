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
use sim_core::backend::{Backend, Credentials, Domain, OptionName, SocketKind, SocketOption};
use sim_core::{Errno, Fd, Result};

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

    /// A small number, as an `int` or as the single byte that some programs hand in.
    fn byte(self) -> Result<u8> {
        let value = if self.len == 1 {
            self.at.get().map(c_int::from).ok_or(Errno::EINVAL)?
        } else {
            self.int()?
        };
        u8::try_from(value).map_err(|_| Errno::EINVAL)
    }

    fn short(self) -> Result<u16> {
        u16::try_from(self.int()?).map_err(|_| Errno::EINVAL)
    }

    fn millis(self) -> Result<Duration> {
        self.count().map(|millis| Duration::from_millis(u64::from(millis)))
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

/// The options by level and name, with the kernel's word for each and how C has its value.
macro_rules! options {
    (
        both: { $($level:ident $name:ident = $option:ident as $form:ident;)* }
        asked: { $($asked_level:ident $asked_name:ident = $asked:ident as $asked_form:ident;)* }
    ) => {
        /// What an option is for the kernel; `None` for one that it does not know.
        fn option(level: c_int, name: c_int, value: Given) -> Result<Option<SocketOption>> {
            Ok(Some(match (level, name) {
                $((libc::$level, libc::$name) => SocketOption::$option(value.$form()?),)*
                _ => return Ok(None),
            }))
        }

        fn name(level: c_int, name: c_int) -> Option<OptionName> {
            Some(match (level, name) {
                (libc::SOL_SOCKET, libc::SO_ERROR) => OptionName::Error,
                $((libc::$level, libc::$name) => OptionName::$option,)*
                $((libc::$asked_level, libc::$asked_name) => OptionName::$asked,)*
                _ => return None,
            })
        }

        /// An option's value as C has it; `None` for one that C does not know.
        fn bytes(option: SocketOption) -> Option<Vec<u8>> {
            Some(match option {
                SocketOption::Error(errno) => give::count(u32::from(errno)),
                $(SocketOption::$option(value) => give::$form(value),)*
                $(SocketOption::$asked(value) => give::$asked_form(value),)*
                _ => return None,
            })
        }
    };
}

options! {
    both: {
    SOL_SOCKET SO_REUSEADDR = ReuseAddr as truth;
    SOL_SOCKET SO_REUSEPORT = ReusePort as truth;
    SOL_SOCKET SO_KEEPALIVE = KeepAlive as truth;
    SOL_SOCKET SO_BROADCAST = Broadcast as truth;
    SOL_SOCKET SO_LINGER = Linger as linger;
    SOL_SOCKET SO_SNDBUF = SendBuffer as count;
    SOL_SOCKET SO_RCVBUF = ReceiveBuffer as count;
    SOL_SOCKET SO_PASSCRED = PassCredentials as truth;
    IPPROTO_TCP TCP_NODELAY = NoDelay as truth;
    IPPROTO_TCP TCP_QUICKACK = QuickAck as truth;
    IPPROTO_TCP TCP_USER_TIMEOUT = UserTimeout as millis;
    IPPROTO_TCP TCP_SYNCNT = SynCount as count;
    IPPROTO_TCP TCP_KEEPIDLE = KeepIdle as seconds;
    IPPROTO_TCP TCP_KEEPINTVL = KeepInterval as seconds;
    IPPROTO_TCP TCP_KEEPCNT = KeepCount as count;
    IPPROTO_IP IP_TTL = Ttl as count;
    IPPROTO_IP IP_TOS = Tos as byte;
    IPPROTO_IP IP_RECVTOS = ReceiveTos as truth;
    IPPROTO_IP IP_PKTINFO = PacketInfo as truth;
    IPPROTO_IP IP_MTU_DISCOVER = MtuDiscover as byte;
    IPPROTO_IP IP_MULTICAST_TTL = MulticastTtl as byte;
    IPPROTO_IP IP_MULTICAST_LOOP = MulticastLoop as truth;
    IPPROTO_IPV6 IPV6_V6ONLY = V6Only as truth;
    IPPROTO_IPV6 IPV6_TCLASS = TrafficClass as byte;
    IPPROTO_IPV6 IPV6_RECVTCLASS = ReceiveTrafficClass as truth;
    IPPROTO_IPV6 IPV6_RECVPKTINFO = PacketInfoV6 as truth;
    IPPROTO_IPV6 IPV6_MTU_DISCOVER = MtuDiscoverV6 as byte;
    IPPROTO_IPV6 IPV6_UNICAST_HOPS = UnicastHops as byte;
    IPPROTO_IPV6 IPV6_MULTICAST_HOPS = MulticastHops as byte;
    IPPROTO_IPV6 IPV6_MULTICAST_LOOP = MulticastLoopV6 as truth;
    SOL_UDP UDP_SEGMENT = SegmentSize as short;
    }
    asked: {
    SOL_SOCKET SO_TYPE = Type as kind;
    SOL_SOCKET SO_DOMAIN = Domain as domain;
    SOL_SOCKET SO_PROTOCOL = Protocol as count;
    SOL_SOCKET SO_ACCEPTCONN = AcceptsConnections as truth;
    SOL_SOCKET SO_PEERCRED = PeerCredentials as credentials;
    IPPROTO_TCP TCP_MAXSEG = MaxSegment as count;
    }
}

/// Values as C has them.
mod give {
    use super::{Credentials, Domain, Duration, SocketKind, c_int};

    fn int(value: c_int) -> Vec<u8> {
        value.to_ne_bytes().to_vec()
    }

    pub(super) fn truth(value: bool) -> Vec<u8> {
        int(c_int::from(value))
    }

    pub(super) fn count(value: u32) -> Vec<u8> {
        int(value.cast_signed())
    }

    pub(super) fn byte(value: u8) -> Vec<u8> {
        int(c_int::from(value))
    }

    pub(super) fn short(value: u16) -> Vec<u8> {
        int(c_int::from(value))
    }

    pub(super) fn seconds(time: Duration) -> Vec<u8> {
        int(time.as_secs() as c_int)
    }

    pub(super) fn millis(time: Duration) -> Vec<u8> {
        int(time.as_millis() as c_int)
    }

    pub(super) fn linger(time: Option<Duration>) -> Vec<u8> {
        [truth(time.is_some()), seconds(time.unwrap_or_default())].concat()
    }

    pub(super) fn kind(kind: SocketKind) -> Vec<u8> {
        int(match kind {
            SocketKind::Stream => libc::SOCK_STREAM,
            SocketKind::Datagram => libc::SOCK_DGRAM,
            SocketKind::SeqPacket => libc::SOCK_SEQPACKET,
        })
    }

    pub(super) fn domain(domain: Domain) -> Vec<u8> {
        int(match domain {
            Domain::Inet => libc::AF_INET,
            Domain::Inet6 => libc::AF_INET6,
            Domain::Unix => libc::AF_UNIX,
        })
    }

    pub(super) fn credentials(Credentials { pid, uid, gid }: Credentials) -> Vec<u8> {
        [pid, uid, gid].map(u32::to_ne_bytes).concat()
    }
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
        match (level, wanted) {
            (libc::SOL_SOCKET, libc::SO_RCVTIMEO) => {
                return Ok(time_bytes(status.receive_timeout.get()));
            }
            (libc::SOL_SOCKET, libc::SO_SNDTIMEO) => {
                return Ok(time_bytes(status.send_timeout.get()));
            }
            _ => {}
        }
        let value = match name(level, wanted) {
            Some(name) => bytes(self.universe.option(&mut self.env, fd, name)?),
            None => None,
        };
        value.ok_or_else(|| {
            self.refuse(&format!("socket option {wanted} of level {level}"));
            Errno::ENOPROTOOPT
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
