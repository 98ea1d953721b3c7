//! A machine: its disk, Unix sockets, clocks and entropy, and whether it is up.
//!
//! A world has many hosts that do little, so what a host may never need is made when it is first used. Its network stack is
//! kept with those of the others, in [`Stacks`](sim_net::Stacks).

use crate::table::DescriptionId;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sim_core::Env;
use sim_core::choice::{Path, Site};
use sim_fs::Disk;
use sim_net::UnixSockets;
use sim_time::{ClockModel, WallTime};

const ENTROPY: Site = Site::new("host.entropy.seed");

/// Whether a host is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState {
    /// It runs.
    Up,
    /// Its processes have no turn; its kernel answers.
    Paused,
    /// It crashed: packets to it vanish.
    Down,
}

/// The Unix sockets of a machine.
#[derive(Debug, Default)]
pub(crate) struct Unix {
    pub(crate) sockets: UnixSockets,
    /// Which description is behind each, by the socket's place.
    pub(crate) places: Vec<Option<DescriptionId>>,
}

/// One machine.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) path: Path,
    /// Its Unix sockets, made with the first.
    unix: Option<Box<Unix>>,
    /// Made when it is first asked for: most hosts have no use for one.
    disk: Option<Box<Disk>>,
    /// Where relative names of Unix sockets begin: the working directory of its process.
    /// `None` is the root.
    pub(crate) working: Option<Box<str>>,
    /// Whether real files lie below its disk.
    pub(crate) sees_real_files: bool,
    pub(crate) clock: ClockModel,
    pub(crate) state: HostState,
    /// How often it has started.
    pub(crate) incarnation: u32,
    /// How many kernel timers have come due; their ordinals.
    pub(crate) kernel_timers: u32,
    /// Made when it is first drawn from, and apart: a generator is larger than the rest of a host.
    entropy: Option<Box<ChaCha8Rng>>,
}

impl Host {
    pub(crate) fn new(
        env: &mut Env,
        name: String,
        path: Path,
        start: WallTime,
        uptime_ns: u64,
    ) -> Self {
        env.choices.names.note(path, Path::WORLD, &name, 0);
        Self {
            name,
            path,
            unix: None,
            disk: None,
            working: None,
            sees_real_files: false,
            clock: ClockModel::new(env.now, uptime_ns, start),
            state: HostState::Up,
            incarnation: 0,
            kernel_timers: 0,
            entropy: None,
        }
    }

    /// The path of the host of this name.
    pub(crate) fn path_of(name: &str) -> Path {
        Path::WORLD.child(name, 0)
    }

    /// The Unix sockets.
    pub(crate) fn unix(&mut self) -> &mut Unix {
        self.unix.get_or_insert_default()
    }

    /// The Unix sockets, to be looked at: `None` before there is one.
    pub(crate) fn unix_sockets(&self) -> Option<&UnixSockets> {
        self.unix.as_ref().map(|unix| &unix.sockets)
    }

    /// Its Unix sockets vanish.
    pub(crate) fn forget_unix(&mut self) {
        if let Some(unix) = &mut self.unix {
            unix.sockets.power_off();
            unix.places.clear();
        }
    }

    /// The disk.
    pub(crate) fn disk(&mut self, env: &mut Env) -> &mut Disk {
        let path = self.path;
        self.disk.get_or_insert_with(|| Box::new(Disk::new(env, path)))
    }

    /// Fills `into` from the host's generator, whose seed is one choice, asked for at the first draw.
    pub(crate) fn entropy(&mut self, env: &mut Env, into: &mut [u8]) {
        let path = self.path;
        let rng = self.entropy.get_or_insert_with(|| {
            let mut stream = env.choices.stream(ENTROPY, path);
            Box::new(ChaCha8Rng::seed_from_u64(env.choices.entropy_seed(&mut stream)))
        });
        rng.fill_bytes(into);
    }
}
