//! Messages with ancillary data (sendmsg(2), recvmsg(2), cmsg(3)).

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::io::{gather, scatter};
use super::socket::{Sending, receive, send_bytes};
use super::{answer, answer_int, blocking, call};
use crate::descriptors::{number, simulated};
use crate::memory::{In, Out, parts};
use crate::real::next;
use crate::world::{World, with};
use core::ffi::{c_int, c_uint, c_void};
use libc::{mmsghdr, msghdr, sockaddr};
use sim_core::backend::{Backend, Control, Credentials, Message, Readiness, RecvFlags, SocketKind};
use sim_core::{Errno, Fd, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The head of a piece of ancillary data: its length with this head, its level, its type.
const HEAD_BYTES: usize = size_of::<libc::cmsghdr>();
/// Pieces begin at multiples of this.
const ALIGNMENT: usize = size_of::<usize>();

/// Splits ancillary data into its pieces: level, type, data.
fn pieces(mut bytes: &[u8]) -> Vec<(c_int, c_int, &[u8])> {
    let mut pieces = Vec::new();
    while bytes.len() >= HEAD_BYTES {
        let int =
            |at: usize| bytes[at..at + 4].try_into().map(c_int::from_ne_bytes).unwrap_or_default();
        let len = bytes[..8].try_into().map(usize::from_ne_bytes).unwrap_or_default();
        if len < HEAD_BYTES || len > bytes.len() {
            break;
        }
        pieces.push((int(8), int(12), &bytes[HEAD_BYTES..len]));
        bytes = bytes.get(len.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
    }
    pieces
}

/// What a piece is for the kernel.
fn read_piece(world: &mut World, level: c_int, kind: c_int, data: &[u8]) -> Result<Control> {
    let int = |at: usize| {
        data.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_ne_bytes)
    };
    match (level, kind) {
        (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
            let descriptors =
                data.as_chunks::<4>().0.iter().map(|word| c_int::from_ne_bytes(*word));
            let rights: Option<Vec<Fd>> = descriptors.map(number_of).collect();
            rights
                .map(Control::Rights)
                .ok_or_else(|| world.refuse("passing a descriptor of the system"))
        }
        (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
            let (pid, uid, gid) = (int(0), int(4), int(8));
            let credentials = pid.zip(uid).zip(gid).ok_or(Errno::EINVAL)?;
            let ((pid, uid), gid) = credentials;
            Ok(Control::Credentials(Credentials { pid, uid, gid }))
        }
        (libc::IPPROTO_IP, libc::IP_TOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
            data.first().map(|&class| Control::TrafficClass(class)).ok_or(Errno::EINVAL)
        }
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            // The second of its three words is the source that is wanted.
            let octets: [u8; 4] =
                data.get(4..8).and_then(|octets| octets.try_into().ok()).ok_or(Errno::EINVAL)?;
            Ok(Control::PacketInfo(IpAddr::V4(Ipv4Addr::from(octets))))
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            let octets: [u8; 16] =
                data.get(..16).and_then(|octets| octets.try_into().ok()).ok_or(Errno::EINVAL)?;
            Ok(Control::PacketInfo(IpAddr::V6(Ipv6Addr::from(octets))))
        }
        (libc::SOL_UDP, libc::UDP_SEGMENT) => {
            let size = data.get(..2).and_then(|size| size.try_into().ok()).ok_or(Errno::EINVAL)?;
            Ok(Control::SegmentSize(u16::from_ne_bytes(size)))
        }
        _ => Err(world.refuse(&format!("ancillary data of level {level} and type {kind}"))),
    }
}

fn number_of(descriptor: c_int) -> Option<Fd> {
    // The world is lent, so that nobody is a member now; a number alone tells.
    (descriptor >= crate::descriptors::FIRST)
        .then(|| Fd::new((descriptor - crate::descriptors::FIRST) as u32))
}

/// Appends a piece to ancillary data, if there is room for all of it.
fn put_piece(bytes: &mut Vec<u8>, room: usize, level: c_int, kind: c_int, data: &[u8]) -> bool {
    let len = HEAD_BYTES + data.len();
    if bytes.len() + len > room {
        return false;
    }
    bytes.extend(len.to_ne_bytes());
    bytes.extend(level.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT).min(room), 0);
    true
}

/// Received descriptors get their numbers in the program.
fn write_rights(world: &mut World, rights: &[Fd], close_on_exec: bool) -> Vec<u8> {
    let mut data = Vec::new();
    for &fd in rights {
        world.descriptors.open(fd, false, close_on_exec);
        data.extend(number(fd).to_ne_bytes());
    }
    data
}

/// All that came with a message, as far as there is room. Whether there was.
fn write_control(
    world: &mut World,
    control: &[Control],
    room: usize,
    close_on_exec: bool,
) -> (Vec<u8>, bool) {
    let (mut bytes, mut fits) = (Vec::new(), true);
    for piece in control {
        let (level, kind, data) = match piece {
            Control::Rights(rights) => {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS, write_rights(world, rights, close_on_exec))
            }
            Control::Credentials(Credentials { pid, uid, gid }) => {
                let words = [*pid, *uid, *gid].map(u32::to_ne_bytes);
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS, words.concat())
            }
            Control::PacketInfo(IpAddr::V4(address)) => {
                let octets = address.octets();
                (libc::IPPROTO_IP, libc::IP_PKTINFO, [[1, 0, 0, 0], octets, octets].concat())
            }
            Control::PacketInfo(IpAddr::V6(address)) => {
                let mut data = address.octets().to_vec();
                data.extend(1_u32.to_ne_bytes());
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, data)
            }
            Control::TrafficClass(class) => (libc::IPPROTO_IP, libc::IP_TOS, vec![*class]),
            Control::SegmentSize(size) => (
                libc::SOL_UDP,
                libc::UDP_GRO,
                c_int::from(size.cast_signed()).to_ne_bytes().to_vec(),
            ),
            other => {
                world.refuse(&format!("received ancillary data {other:?}"));
                continue;
            }
        };
        fits &= put_piece(&mut bytes, room, level, kind, &data);
    }
    (bytes, fits)
}

fn send_message(fd: Fd, message: In<msghdr>, flags: c_int) -> Result<usize> {
    let message = message.get().ok_or(Errno::EINVAL)?;
    let data = gather(parts(In(message.msg_iov), message.msg_iovlen));
    let address = In(message.msg_name.cast::<sockaddr>());
    let sending = Sending { data: &data, flags, address, size: message.msg_namelen };
    let bytes = In(message.msg_control.cast::<u8>()).slice(message.msg_controllen);
    if bytes.is_empty() {
        return send_bytes(fd, sending);
    }
    let control: Vec<Control> = with(|world| {
        let pieces = pieces(bytes).into_iter();
        pieces
            .map(|(level, kind, data)| read_piece(world, level, kind, data))
            .collect::<Result<_>>()
    })?;
    let to = sending.to()?;
    blocking(fd, Readiness::OUT, flags & libc::MSG_DONTWAIT != 0, |world| {
        let message = Message { data: &data, to, control: &control };
        world.universe.send_message(&mut world.env, fd, message)
    })
}

fn receive_message(fd: Fd, place: Out<msghdr>, flags: c_int) -> Result<usize> {
    let mut message = place.get().ok_or(Errno::EINVAL)?;
    let parts_of = || parts(In(message.msg_iov), message.msg_iovlen);
    let mut data = vec![0; parts_of().map(|part| part.len()).sum()];
    let name = Out(message.msg_name.cast::<sockaddr>());
    let (mut size, mut told) = (message.msg_namelen, 0);
    let (len, from, control) =
        if message.msg_controllen == 0 && !with(|world| world.keeps_messages_apart(fd)) {
            let received = receive(fd, &mut data, flags, !name.is_null())?;
            told |= if received.truncated { libc::MSG_TRUNC } else { 0 };
            (received.len, received.from, Vec::new())
        } else {
            let how = RecvFlags {
                peek: flags & libc::MSG_PEEK != 0,
                whole_len: flags & libc::MSG_TRUNC != 0,
            };
            let received = blocking(fd, Readiness::IN, flags & libc::MSG_DONTWAIT != 0, |world| {
                world.universe.recv_message(&mut world.env, fd, &mut data, how)
            })?;
            told |= if received.truncated { libc::MSG_TRUNC } else { 0 };
            (received.len, received.from, received.control)
        };
    scatter(parts_of(), &data[..len.min(data.len())]);
    match from {
        Some(from) => super::address::write(name, Out(&raw mut size), from),
        None => size = 0,
    }
    let room = message.msg_controllen;
    let (bytes, fits) =
        call(|world| write_control(world, &control, room, flags & libc::MSG_CMSG_CLOEXEC != 0));
    Out(message.msg_control.cast::<u8>()).slice(bytes.len()).copy_from_slice(&bytes);
    told |= if fits { 0 } else { libc::MSG_CTRUNC };
    (message.msg_namelen, message.msg_controllen, message.msg_flags) = (size, bytes.len(), told);
    place.set(message);
    Ok(len)
}

impl World {
    /// Whether a socket's messages have bounds, so that one is received whole or cut short.
    pub fn keeps_messages_apart(&self, fd: Fd) -> bool {
        matches!(
            self.descriptors.status(fd).kind,
            Some(SocketKind::Datagram | SocketKind::SeqPacket)
        )
    }
}

#[unsafe(no_mangle)]
extern "C" fn sendmsg(fd: c_int, message: In<msghdr>, flags: c_int) -> isize {
    let Some(object) = simulated(fd) else {
        return next!(c"sendmsg"(fd: c_int, message: In<msghdr>, flags: c_int) -> isize);
    };
    answer(send_message(object, message, flags))
}

#[unsafe(no_mangle)]
extern "C" fn recvmsg(fd: c_int, message: Out<msghdr>, flags: c_int) -> isize {
    let Some(object) = simulated(fd) else {
        return next!(c"recvmsg"(fd: c_int, message: Out<msghdr>, flags: c_int) -> isize);
    };
    answer(receive_message(object, message, flags))
}

/// Several messages in one call: how many until the first that fails, whose error counts if there was none before.
fn each(
    messages: Out<mmsghdr>,
    count: c_uint,
    mut one: impl FnMut(usize, &mut mmsghdr) -> Result<usize>,
) -> c_int {
    let mut done = 0;
    for (n, message) in messages.slice(count as usize).iter_mut().enumerate() {
        match one(n, message) {
            Ok(len) => message.msg_len = len as c_uint,
            Err(errno) if n == 0 => return answer_int(Err(errno)),
            Err(_) => break,
        }
        done += 1;
    }
    done
}

#[unsafe(no_mangle)]
extern "C" fn sendmmsg(fd: c_int, messages: Out<mmsghdr>, count: c_uint, flags: c_int) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"sendmmsg"(fd: c_int, messages: Out<mmsghdr>, count: c_uint, flags: c_int) -> c_int);
    };
    each(messages, count, |_, message| send_message(object, In(&raw const message.msg_hdr), flags))
}

#[unsafe(no_mangle)]
extern "C" fn recvmmsg(
    fd: c_int,
    messages: Out<mmsghdr>,
    count: c_uint,
    flags: c_int,
    timeout: Out<c_void>,
) -> c_int {
    let Some(object) = simulated(fd) else {
        return next!(c"recvmmsg"(fd: c_int, messages: Out<mmsghdr>, count: c_uint, flags: c_int, timeout: Out<c_void>) -> c_int);
    };
    let waits_for_one = flags & libc::MSG_WAITFORONE != 0;
    each(messages, count, |n, message| {
        let later = if n > 0 && waits_for_one { libc::MSG_DONTWAIT } else { 0 };
        receive_message(
            object,
            Out(&raw mut message.msg_hdr),
            flags & !libc::MSG_WAITFORONE | later,
        )
    })
}
