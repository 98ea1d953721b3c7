//! A machine: its addresses, network stack, disk, clocks and entropy, and whether it is up.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sim_core::Env;
use sim_core::choice::{Path, Site};
use sim_fs::Disk;
use sim_net::{Addrs, Stack, UnixSockets};
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

/// One machine.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: Box<str>,
    pub(crate) path: Path,
    pub(crate) stack: Stack,
    pub(crate) unix: UnixSockets,
    /// Made when it is first asked for: most hosts have no use for one.
    disk: Option<Box<Disk>>,
    /// Where relative names of Unix sockets begin: the working directory of its process.
    pub(crate) working: Box<str>,
    /// Whether real files lie below its disk.
    pub(crate) sees_real_files: bool,
    pub(crate) clock: ClockModel,
    pub(crate) state: HostState,
    /// How often it has started.
    pub(crate) incarnation: u32,
    /// How many kernel timers have come due; their ordinals.
    pub(crate) kernel_timers: u32,
    /// Which description is behind each of the stack's sockets, by the socket's place.
    pub(crate) sockets: Vec<Option<crate::table::DescriptionId>>,
    /// Which description is behind each Unix socket, by the socket's place.
    pub(crate) unix_places: Vec<Option<crate::table::DescriptionId>>,
    /// Made when it is first drawn from, and apart: a generator is larger than the rest of a host.
    entropy: Option<Box<ChaCha8Rng>>,
}

impl Host {
    pub(crate) fn new(
        env: &mut Env,
        name: &str,
        addrs: Addrs,
        start: WallTime,
        uptime_ns: u64,
    ) -> Self {
        let path = Path::WORLD.child(name, 0);
        env.choices.names.note(path, Path::WORLD, name, 0);
        Self {
            name: name.into(),
            path,
            stack: Stack::new(env, path, addrs),
            unix: UnixSockets::default(),
            disk: None,
            working: "/".into(),
            sees_real_files: false,
            clock: ClockModel::new(env.now, uptime_ns, start),
            state: HostState::Up,
            incarnation: 0,
            kernel_timers: 0,
            sockets: Vec::new(),
            unix_places: Vec::new(),
            entropy: None,
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
