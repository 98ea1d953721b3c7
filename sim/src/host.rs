//! Hosts: machines with their own kernel, addresses, clock and disk.
//!
//! A task runs on the host it was spawned on, and what it opens belongs to that host. On the real
//! backend a host is a name with a loopback address of its own; what can befall a simulated machine
//! (crash, pause, clock step) has no counterpart there and panics with advice.
//!
//! ```
//! use std::time::Duration;
//! use sim::time::sleep;
//! sim::Builder::new().run(|| async {
//!     let db = sim::host("db");
//!     let task = db.spawn(async { sleep(Duration::from_secs(5)).await });
//!     sleep(Duration::from_secs(1)).await;
//!     db.crash();
//!     assert!(task.await.unwrap_err().is_cancelled());
//! }).unwrap();
//! ```

use core::any::Any;
use sim_core::backend::{Backend, Signal};
use sim_core::rt::{self, JoinHandle, TaskBuilder};
use sim_core::{Env, HostId};
use sim_os::OsBackend;
use sim_world::{HostState, Universe};
use std::net::IpAddr;
use std::rc::Rc;

/// A host. A handle is a number and may be copied freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host {
    id: HostId,
}

/// The host of this name, which is created at the first mention. Its name resolves to its address.
///
/// # Panics
/// Outside a runtime.
#[must_use]
pub fn host(name: &str) -> Host {
    let id = rt::call(|backend, env| {
        if let Some(universe) = (backend as &mut dyn Any).downcast_mut::<Universe>() {
            return universe.host_named(name).unwrap_or_else(|| universe.add_host(env, name));
        }
        let os = os(backend);
        os.host_named(name).unwrap_or_else(|| os.add_host(name))
    });
    Host { id }
}

/// The host that the caller runs on.
///
/// # Panics
/// Outside a runtime.
#[must_use]
pub fn current() -> Host {
    Host { id: rt::with(|runtime| runtime.host()) }
}

impl Host {
    /// The host of this number, which must be there.
    pub(crate) fn numbered(number: u32) -> Self {
        Self { id: HostId::new(number) }
    }

    /// Its number.
    #[must_use]
    pub fn id(self) -> HostId {
        self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> String {
        rt::with(|runtime| runtime.backend().host_name(self.id).to_owned())
    }

    /// Its first address.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        rt::call(|backend, _| match (backend as &mut dyn Any).downcast_mut::<Universe>() {
            Some(universe) => universe.addresses(self.id)[0],
            None => os(backend).host_addr(self.id),
        })
    }

    /// Spawns a task on it.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn spawn<F: Future + 'static>(self, future: F) -> JoinHandle<F::Output> {
        TaskBuilder::new().host(self.id).spawn(future)
    }

    /// Spawns what the host runs from its start on: now, and again at every restart.
    #[track_caller]
    pub fn run<F, Fut>(self, processes: F)
    where
        F: Fn() -> Fut + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        let boot: rt::Boot = Rc::new(move || self.spawn(processes()).detach());
        // What was there before is the program's, and is dropped after the borrow.
        drop(rt::with(|runtime| runtime.set_boot(self.id, Rc::clone(&boot))));
        boot();
    }

    /// Power is cut: no destructor runs, sockets vanish without a word, unsynced writes may be lost.
    ///
    /// Peers learn of it by time-outs alone. A task that crashes its own host runs on to its next await.
    ///
    /// # Panics
    /// On the real backend.
    pub fn crash(self) {
        rt::with(|runtime| runtime.kill_host(self.id));
        // What is spawned on it while it is down waits for the restart.
        rt::with(|runtime| runtime.hold_host(self.id));
        simulated("a crash", |universe, env| universe.crash(env, self.id));
    }

    /// Its processes are killed, as by `SIGKILL`: no destructor runs, but the kernel lives and closes their sockets.
    ///
    /// # Panics
    /// On the real backend.
    pub fn kill(self) {
        rt::with(|runtime| runtime.kill_host(self.id));
        simulated("a kill", |universe, env| universe.kill(env, self.id));
    }

    /// Starts it again, after a crash or a kill, with what [`Host::run`] was given.
    ///
    /// A host that is up is crashed first.
    ///
    /// # Panics
    /// On the real backend.
    pub fn restart(self) {
        if self.state() != HostState::Down {
            self.crash();
        }
        simulated("a restart", |universe, env| universe.restart(env, self.id));
        rt::with(|runtime| runtime.release_host(self.id));
        if let Some(boot) = rt::with(|runtime| runtime.boot(self.id)) {
            boot();
        }
    }

    /// Its tasks get no turn until [`Host::resume`], as by `SIGSTOP`; its kernel goes on answering.
    ///
    /// # Panics
    /// On the real backend.
    pub fn pause(self) {
        simulated("a pause", |universe, env| universe.set_paused(env, self.id, true));
        rt::with(|runtime| runtime.hold_host(self.id));
    }

    /// Ends a pause.
    ///
    /// # Panics
    /// On the real backend.
    pub fn resume(self) {
        simulated("a pause", |universe, env| universe.set_paused(env, self.id, false));
        rt::with(|runtime| runtime.release_host(self.id));
    }

    /// Whether it is there.
    ///
    /// # Panics
    /// On the real backend.
    #[must_use]
    pub fn state(self) -> HostState {
        simulated("the state of a host", |universe, _| universe.host_state(self.id))
    }

    /// Steps its real-time clock; the monotonic one does not move.
    ///
    /// # Panics
    /// On the real backend.
    pub fn step_clock(self, by_ns: i64) {
        simulated("a clock step", |universe, env| universe.step_clock(env, self.id, by_ns));
    }

    /// Lets its clocks run faster than true time by so many parts per billion, or slower.
    ///
    /// # Panics
    /// On the real backend.
    pub fn set_drift(self, ppb: i32) {
        simulated("a clock drift", |universe, env| universe.set_drift(env, self.id, ppb));
    }

    /// Sends its process a signal. Answers whether anything there takes it.
    ///
    /// # Panics
    /// On the real backend.
    pub fn signal(self, signal: Signal) -> bool {
        simulated("a signal to a host", |universe, env| universe.signal(env, self.id, signal))
    }
}

/// Does what only a simulated world can.
#[track_caller]
pub(crate) fn simulated<R>(what: &str, f: impl FnOnce(&mut Universe, &mut Env) -> R) -> R {
    rt::call(|backend, env| {
        let universe = (backend as &mut dyn Any).downcast_mut::<Universe>();
        let universe = universe.unwrap_or_else(|| {
            panic!("{what} is for a simulated world: ask sim::in_simulation() first")
        });
        f(universe, env)
    })
}

fn os(backend: &mut dyn Backend) -> &mut OsBackend {
    (backend as &mut dyn Any)
        .downcast_mut()
        .expect("a backend is a universe or the operating system")
}
