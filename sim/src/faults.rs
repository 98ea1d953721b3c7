//! The fault driver: an actor of the world that begins and ends episodes, as the run's [`Faults`] say.
//!
//! It is a task of the root host like any other, so its turns compete with all others and what it draws is in the log. At every
//! look each kind is asked for once, under a name of its own (`faults/crash#3` is the third look's), so deleting an episode from a
//! log leaves the others as they were. An episode is what begins it, whom it befalls and how long it lasts.
//!
//! - The root host, where the test itself runs, is neither crashed nor paused, and its clock is left alone; its links are as
//!   exposed as others.
//! - A host is crashed or killed only if [`Host::run`] says how it starts again.
//! - After [`Faults::until`], or once somebody waits for what is to happen in the end ([`eventually!`](crate::eventually)), everything is healed
//!   and nothing more begins: whatever goes wrong then is the program's own.
//! - Never: an episode that does not end, or two at once on one host or pair.

pub use sim_worker::{FaultKind, Faults};

use crate::host::{Host, current, simulated};
use crate::net::faults;
use crate::time::{Instant, sleep_until};
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use sim_core::choice::{Choices, Path, Ratio, Site};
use sim_core::rt;
use sim_world::{HostState, LinkConfig};

const BEGIN: Site = Site::new("fault.episode.begin");
const WHOM: Site = Site::new("fault.episode.whom");
const LENGTH: Site = Site::new("fault.episode.length");
const SIZE: Site = Site::new("fault.episode.size");

/// The shortest episode.
const SHORTEST: Duration = Duration::from_millis(1);
/// The largest step of a clock, in either direction.
const STEP_MAX_NS: i64 = 3_600_000_000_000;

/// What befalls whom.
#[derive(Debug)]
enum Episode {
    Crash(Host),
    Kill(Host),
    Pause(Host),
    Cut(Vec<(Host, Host)>),
    Link(Host, Host, LinkConfig),
}

/// An episode and when it ends.
#[derive(Debug)]
struct Open {
    until: Instant,
    episode: Episode,
}

/// One look for one kind: the name under which it asks.
struct Look {
    kind: FaultKind,
    path: Path,
}

impl Look {
    fn new(driver: Path, kind: FaultKind, look: u32) -> Self {
        let path = driver.child(kind.name(), look);
        rt::with(|runtime| runtime.env().choices.names.note(path, driver, kind.name(), look));
        Self { kind, path }
    }

    fn ask<R>(
        &self,
        site: Site,
        f: impl FnOnce(&mut Choices, &mut sim_core::choice::Stream) -> R,
    ) -> R {
        rt::with(|runtime| {
            let choices = &mut runtime.env().choices;
            let mut stream = choices.stream(site, self.path);
            f(choices, &mut stream)
        })
    }

    fn begins(&self, one_in: u32) -> bool {
        self.ask(BEGIN, |choices, stream| choices.chance(stream, Ratio::new(1, one_in)))
    }

    fn pick(&self, site: Site, n: usize) -> usize {
        self.ask(site, |choices, stream| choices.pick(stream, n as u64)) as usize
    }

    /// How long it lasts: the length of an octave is drawn, so that short ones and long ones are as frequent.
    fn length(&self, longest: Duration) -> Duration {
        let octaves = (longest.as_millis().max(1) as u64).ilog2() as usize + 1;
        SHORTEST * (1 << self.pick(LENGTH, octaves))
    }

    fn one_of<T: Copy>(&self, all: &[T]) -> Option<T> {
        if all.is_empty() { None } else { Some(all[self.pick(WHOM, all.len())]) }
    }

    /// Two groups: each of `all` is asked for its side, so that every way to part them is as likely as any other.
    fn part(&self, all: Vec<Host>) -> (Vec<Host>, Vec<Host>) {
        self.ask(WHOM, |choices, stream| {
            all.into_iter().partition(|_| choices.pick(stream, 2) == 0)
        })
    }
}

/// Begins and ends episodes until the time for them is over, or the tail of the run begins.
pub(crate) async fn drive(faults: Faults) {
    let mut open = Vec::new();
    {
        let mut looks = pin!(look_about(faults, &mut open));
        poll_fn(|context| match rt::poll_tail() {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => looks.as_mut().poll(context),
        })
        .await;
    }
    open.into_iter().for_each(|open| open.episode.end());
}

async fn look_about(faults: Faults, open: &mut Vec<Open>) {
    let (begun, driver) = (Instant::now(), rt::with(|runtime| runtime.actor_path()));
    let end = begun + faults.until;
    for look in 1.. {
        let at = begun + faults.every * look;
        end_due(open, at.min(end)).await;
        if at >= end {
            break;
        }
        for kind in FaultKind::ALL.into_iter().filter(|&kind| faults.one_in(kind) != 0) {
            let look = Look::new(driver, kind, look);
            if look.begins(faults.one_in(kind))
                && let Some(episode) = begin(&look, open)
            {
                let until = Instant::now() + look.length(faults.longest);
                open.push(Open { until, episode });
            }
        }
    }
}

/// Waits until `at`, and ends on the way what is over.
async fn end_due(open: &mut Vec<Open>, at: Instant) {
    while let Some(next) = (0..open.len()).min_by_key(|&n| open[n].until)
        && open[next].until <= at
    {
        sleep_until(open[next].until).await;
        open.remove(next).episode.end();
    }
    sleep_until(at).await;
}

/// Begins an episode, if there is anybody whom it can befall. Those that are over at once leave nothing to end.
fn begin(look: &Look, open: &[Open]) -> Option<Episode> {
    match look.kind {
        FaultKind::Crash => {
            let host = look.one_of(&restartable(open))?;
            host.crash();
            Some(Episode::Crash(host))
        }
        FaultKind::Kill => {
            let host = look.one_of(&restartable(open))?;
            host.kill();
            Some(Episode::Kill(host))
        }
        FaultKind::Pause => {
            let host = look.one_of(&free(open))?;
            host.pause();
            Some(Episode::Pause(host))
        }
        FaultKind::Partition => {
            let (left, right) = look.part(all());
            let pairs =
                left.iter().flat_map(|&a| right.iter().flat_map(move |&b| [(a, b), (b, a)]));
            pairs.clone().next()?;
            Some(cut(pairs.collect()))
        }
        FaultKind::Cut => Some(cut(vec![look.one_of(&pairs())?])),
        FaultKind::Slow => {
            let octave = look.pick(SIZE, 7);
            link(look, open, |config| {
                config.latency_min_ns <<= octave;
                config.latency_jitter_ns <<= octave;
            })
        }
        FaultKind::Loss => link(look, open, |config| config.loss = Ratio::new(1, 4)),
        FaultKind::Reset => {
            let (a, b) = look.one_of(&pairs())?;
            faults::reset(a, b);
            None
        }
        FaultKind::Clock => {
            let host = look.one_of(&free(open))?;
            // Seconds, minutes or an hour, forth and back by turns.
            let size = look.pick(SIZE, 24);
            let step = STEP_MAX_NS >> (11 - size / 2);
            host.step_clock(if size.is_multiple_of(2) { step } else { -step });
            None
        }
        _ => None,
    }
}

impl Episode {
    /// The host that it befalls as a whole.
    fn host(&self) -> Option<Host> {
        match self {
            Self::Crash(host) | Self::Kill(host) | Self::Pause(host) => Some(*host),
            Self::Cut(_) | Self::Link(..) => None,
        }
    }

    /// Ends it, unless the program has done so itself.
    fn end(self) {
        match self {
            Self::Crash(host) if host.state() == HostState::Down => host.restart(),
            Self::Kill(host) if host.state() == HostState::Up => {
                if let Some(boot) = rt::with(|runtime| runtime.boot(host.id())) {
                    boot();
                }
            }
            Self::Pause(host) if host.state() == HostState::Paused => host.resume(),
            Self::Crash(_) | Self::Kill(_) | Self::Pause(_) => {}
            Self::Cut(pairs) => {
                simulated("a cut", |universe, env| {
                    pairs.iter().for_each(|(from, to)| universe.mend(env, from.id(), to.id()));
                });
            }
            Self::Link(a, b, before) => faults::set_links(a, b, before),
        }
    }
}

fn cut(pairs: Vec<(Host, Host)>) -> Episode {
    pairs.iter().for_each(|&(from, to)| faults::cut(from, to));
    Episode::Cut(pairs)
}

fn link(look: &Look, open: &[Open], change: impl FnOnce(&mut LinkConfig)) -> Option<Episode> {
    let (a, b) = look.one_of(&pairs())?;
    let is_taken = |open: &Open| matches!(open.episode, Episode::Link(x, y, _) if (x, y) == (a, b) || (x, y) == (b, a));
    if open.iter().any(is_taken) {
        return None;
    }
    let before = simulated("a link", |universe, _| universe.link(a.id(), b.id()));
    let mut config = before;
    change(&mut config);
    faults::set_links(a, b, config);
    Some(Episode::Link(a, b, before))
}

/// All hosts, in the order of their creation; the root first.
fn all() -> Vec<Host> {
    let count = simulated("the number of hosts", |universe, _| universe.host_count());
    (0..count as u32).map(Host::numbered).collect()
}

/// The hosts that are up and in no episode, but for the one that the driver runs on.
fn free(open: &[Open]) -> Vec<Host> {
    let root = current();
    let befallen = |host: Host| open.iter().any(|open| open.episode.host() == Some(host));
    let is_free = |&host: &Host| host != root && host.state() == HostState::Up && !befallen(host);
    all().into_iter().filter(is_free).collect()
}

/// Those that know how to start again.
fn restartable(open: &[Open]) -> Vec<Host> {
    let has_boot = |host: &Host| rt::with(|runtime| runtime.boot(host.id())).is_some();
    free(open).into_iter().filter(has_boot).collect()
}

/// Every ordered pair of hosts.
fn pairs() -> Vec<(Host, Host)> {
    let hosts = all();
    let others = |a: Host| hosts.iter().filter(move |&&b| a != b).map(move |&b| (a, b));
    hosts.iter().flat_map(|&a| others(a)).collect()
}
