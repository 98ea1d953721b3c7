//! Names to addresses (getaddrinfo(3)), whole: the C library's own would ask real name servers with system calls nobody sees.

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::address;
use crate::memory::{In, Out, allocate, free};
use crate::real::next;
use crate::thread::{self, WaitsFor};
use crate::world::{is_member, me, with};
use core::ffi::{c_char, c_int};
use core::ptr;
use libc::{addrinfo, sockaddr};
use sim_core::backend::Waiter;
use sim_core::backend::{Address, Backend, Op, Output};
use sim_core::{Errno, ThreadId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What is asked for.
#[derive(Clone, Copy)]
struct Wanted {
    flags: c_int,
    family: c_int,
    kind: c_int,
    protocol: c_int,
}

/// The kinds of socket that an address is given for where none is named, with their protocols.
const KINDS: [(c_int, c_int); 3] = [
    (libc::SOCK_STREAM, libc::IPPROTO_TCP),
    (libc::SOCK_DGRAM, libc::IPPROTO_UDP),
    (libc::SOCK_RAW, libc::IPPROTO_IP),
];

impl Wanted {
    fn of(hints: In<addrinfo>) -> Self {
        match hints.get() {
            Some(hints) => Self {
                flags: hints.ai_flags,
                family: hints.ai_family,
                kind: hints.ai_socktype,
                protocol: hints.ai_protocol,
            },
            None => Self { flags: 0, family: libc::AF_UNSPEC, kind: 0, protocol: 0 },
        }
    }

    fn takes(self, address: IpAddr) -> bool {
        match self.family {
            libc::AF_INET => address.is_ipv4(),
            libc::AF_INET6 => address.is_ipv6(),
            _ => true,
        }
    }

    fn kinds(self) -> impl Iterator<Item = (c_int, c_int)> {
        KINDS.into_iter().filter(move |(kind, protocol)| {
            let is_kind = self.kind == 0 || self.kind == *kind;
            is_kind && (self.protocol == 0 || self.protocol == *protocol)
        })
    }

    /// The address that no name stands for: any to listen at, or this machine's to connect to.
    fn nameless(self) -> Vec<IpAddr> {
        let both = match self.flags & libc::AI_PASSIVE != 0 {
            true => [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
            false => [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)],
        };
        both.to_vec()
    }
}

/// The well-known services that programs name (services(5)).
fn port(service: &str, flags: c_int) -> Result<u16, c_int> {
    if let Ok(port) = service.parse() {
        return Ok(port);
    }
    if flags & libc::AI_NUMERICSERV != 0 {
        return Err(libc::EAI_NONAME);
    }
    match service {
        "http" => Ok(80),
        "https" => Ok(443),
        "ftp" => Ok(21),
        "ssh" => Ok(22),
        "smtp" => Ok(25),
        "domain" => Ok(53),
        "postgresql" => Ok(5432),
        "redis" => Ok(6379),
        _ => Err(libc::EAI_SERVICE),
    }
}

/// Asks the world for a name, and waits for the answer.
fn resolve(name: &str) -> Result<Vec<IpAddr>, Errno> {
    let waiter = Waiter::Thread(ThreadId(me()));
    let op = with(|world| {
        let host = world.host();
        world.universe.submit(&mut world.env, host, Op::Resolve { name: name.into() }, waiter)
    });
    loop {
        match with(|world| world.universe.complete(&mut world.env, op, waiter)) {
            Some(Ok(Output::Addresses(addresses))) => return Ok(addresses),
            Some(Ok(other)) => unreachable!("a name is not resolved to {other:?}"),
            Some(Err(errno)) => return Err(errno),
            None => thread::wait(WaitsFor::Completion, None),
        }
    }
}

fn look_up(
    name: Option<&str>,
    service: Option<&str>,
    wanted: Wanted,
) -> Result<Vec<SocketAddr>, c_int> {
    let port = service.map_or(Ok(0), |service| port(service, wanted.flags))?;
    let addresses = match name {
        None if service.is_none() => return Err(libc::EAI_NONAME),
        None => wanted.nameless(),
        Some(name) => match name.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) if wanted.flags & libc::AI_NUMERICHOST != 0 => return Err(libc::EAI_NONAME),
            Err(_) => resolve(name).map_err(|errno| match errno {
                Errno::ENOENT => libc::EAI_NONAME,
                _ => libc::EAI_AGAIN,
            })?,
        },
    };
    let taken: Vec<SocketAddr> = addresses
        .into_iter()
        .filter(|address| wanted.takes(*address))
        .map(|address| SocketAddr::new(address, port))
        .collect();
    if taken.is_empty() { Err(libc::EAI_NONAME) } else { Ok(taken) }
}

#[unsafe(no_mangle)]
extern "C" fn getaddrinfo(
    name: In<c_char>,
    service: In<c_char>,
    hints: In<addrinfo>,
    into: Out<*mut addrinfo>,
) -> c_int {
    if !is_member() {
        return next!(c"getaddrinfo"(name: In<c_char>, service: In<c_char>, hints: In<addrinfo>, into: Out<*mut addrinfo>) -> c_int);
    }
    let text = |text: In<c_char>| text.text().map(|text| text.to_string_lossy().into_owned());
    let wanted = Wanted::of(hints);
    match look_up(text(name).as_deref(), text(service).as_deref(), wanted) {
        Ok(addresses) => {
            into.set(list(&addresses, wanted, name));
            0
        }
        Err(error) => error,
    }
}

/// The list as C has it, each entry one piece of memory with its address behind it; the first entry carries the name if it was asked for.
fn list(addresses: &[SocketAddr], wanted: Wanted, name: In<c_char>) -> *mut addrinfo {
    let mut entries: Vec<*mut addrinfo> = Vec::new();
    for &address in addresses {
        entries.extend(wanted.kinds().map(|(kind, protocol)| entry(address, kind, protocol)));
    }
    let canonical = wanted.flags & libc::AI_CANONNAME != 0;
    if let (true, Some(&first), Some(name)) = (canonical, entries.first(), name.text()) {
        let bytes = name.to_bytes_with_nul();
        let memory = allocate(bytes.len()).cast::<u8>();
        Out(memory).slice(bytes.len()).copy_from_slice(bytes);
        let mut value = Out(first).get().unwrap_or_else(|| unreachable!("an entry is there"));
        value.ai_canonname = memory.cast::<c_char>();
        Out(first).set(value);
    }
    entries.iter().rev().fold(ptr::null_mut(), |next, &entry| {
        let mut value = Out(entry).get().unwrap_or_else(|| unreachable!("an entry is there"));
        value.ai_next = next;
        Out(entry).set(value);
        entry
    })
}

fn entry(address: SocketAddr, kind: c_int, protocol: c_int) -> *mut addrinfo {
    let bytes = address::bytes(Address::Inet(address));
    let memory = allocate(size_of::<addrinfo>() + bytes.len()).cast::<addrinfo>();
    let behind = memory.wrapping_add(1).cast::<u8>();
    Out(behind).slice(bytes.len()).copy_from_slice(&bytes);
    Out(memory).set(addrinfo {
        ai_flags: 0,
        ai_family: if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 },
        ai_socktype: kind,
        ai_protocol: protocol,
        ai_addrlen: bytes.len() as libc::socklen_t,
        ai_addr: behind.cast::<sockaddr>(),
        ai_canonname: ptr::null_mut(),
        ai_next: ptr::null_mut(),
    });
    memory
}

#[unsafe(no_mangle)]
extern "C" fn freeaddrinfo(first: *mut addrinfo) {
    if !is_member() {
        return next!(c"freeaddrinfo"(first: *mut addrinfo) -> ());
    }
    let mut entry = first;
    while let Some(value) = Out(entry).get() {
        free(Out(value.ai_canonname));
        free(Out(entry));
        entry = value.ai_next;
    }
}
