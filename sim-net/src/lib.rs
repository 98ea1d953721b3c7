//! The network of a simulated world: pure machines, without futures, wakers or I/O.
//!
//! In reading order:
//! - [`packet`]: what travels: segments, datagrams and the notice that a port is closed.
//! - [`fabric`]: hosts by address and the directed links between them, with their delays and faults.
//! - [`stack`]: the hosts' sockets, ports and demultiplexing; the calls of a program.
//! - [`tcp`], [`udp`]: the machines behind the sockets.
//! - [`unix`]: Unix sockets, which never leave their host.
//! - [`pipe`]: pipes, likewise.
//! - [`names`]: host names and their addresses.
//!
//! A world owns the [`Stacks`] of its hosts and one [`Fabric`]. It calls a host's [`Stack`], drains [`Stacks::out`], asks
//! the fabric when each packet arrives, and brings packets and timers back with [`Stacks::receive`] and
//! [`Stack::timer`]. Packets to an address of the same host never leave the stack: as Linux's loopback
//! does, they are delivered before the call returns.
//!
//! ```
//! use sim_core::backend::{Domain, RecvFlags, SocketKind};
//! use sim_core::choice::{Choices, Path, Seed};
//! use sim_core::{Env, Errno};
//! use sim_net::{Fabric, LinkConfig, Stacks, Transit};
//! use std::net::IpAddr;
//!
//! let mut env = Env::new(Choices::seeded(Seed::from_u64(1)));
//! let mut fabric = Fabric::new(&mut env, LinkConfig::default());
//! let ips: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
//! let mut stacks = Stacks::default();
//! let [a, b] = ips.map(|ip| stacks.add_host(&mut env, Path::WORLD.child("host", 0), vec![ip]));
//! fabric.attach(a, &ips[..1]);
//! fabric.attach(b, &ips[1..]);
//!
//! let server = stacks.of(b).socket(&mut env, Domain::Inet, SocketKind::Stream, Path::WORLD.child("server", 0))?;
//! stacks.of(b).bind(&mut env, server, (ips[1], 80).into())?;
//! stacks.of(b).listen(&mut env, server, 16)?;
//! let client = stacks.of(a).socket(&mut env, Domain::Inet, SocketKind::Stream, Path::WORLD.child("client", 0))?;
//! assert_eq!(stacks.of(a).connect(&mut env, client, (ips[1], 80).into()), Err(Errno::EINPROGRESS));
//!
//! // Three packets pass: SYN, SYN-ACK, ACK. A world would put them on its agenda; here nothing else happens meanwhile.
//! for from in [a, b, a] {
//!     for (id, mut packet) in std::mem::take(&mut stacks.out().packets) {
//!         let transit = fabric.transit(&mut env, from, stacks.of(from).flow(id), &packet);
//!         let Transit::Arrive { host, at, .. } = transit else { panic!("the default link loses nothing") };
//!         env.now = at;
//!         stacks.receive(&mut env, host, &mut packet);
//!     }
//! }
//! let (accepted, peer) = stacks.of(b).accept(&mut env, server)?;
//! assert_eq!(peer.ip(), ips[0]);
//! assert_eq!(stacks.of(b).recv(&mut env, accepted, &mut [0; 8], RecvFlags::default()), Err(Errno::EAGAIN));
//! # Ok::<(), Errno>(())
//! ```
//!
//! What may never happen: a byte that a socket accepted is delivered twice, out of order, or lost
//! without either end learning of it; a decision that depends on hash order, addresses in memory or
//! anything but the arguments and [`Env`](sim_core::Env).
#![forbid(unsafe_code)]

mod address;
mod buffer;
pub mod fabric;
pub mod names;
pub mod packet;
mod payload;
pub mod pipe;
pub mod stack;
pub mod tcp;
pub mod udp;
pub mod unix;

pub use address::Addrs;
pub use fabric::{Fabric, LinkConfig, Loss, Transit};
pub use names::Names;
pub use packet::{Body, Ends, Flags, Flow, NO_PLACE, Packet, Segment};
pub use payload::Payload;
pub use stack::{Connection, Out, SocketId, Stack, Stacks};
pub use tcp::State;
pub use unix::{Passed, UnixId, UnixReceived, UnixSend, UnixSockets};
