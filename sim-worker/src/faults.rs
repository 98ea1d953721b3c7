//! What may befall the hosts and links of a run: which kinds of fault, how often, for how long.
//!
//! A *profile* is what the user asks for; a [`Faults`] is what one batch of runs gets. The `swarm` profile draws one for each batch: every
//! kind on or off, every size from a logarithmic scale, and one batch in eight without any fault. Leaving kinds out
//! finds what a mixture of everything hides (Groce et al.: Swarm testing, ISSTA 2012).
//!
//! Whatever is drawn is text, printed with a failure and kept in its file, so that a replay has the same.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use sim_core::choice::{Choices, Path, Seed, Site};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FaultKind {
    /// Power is cut, and comes back: a host's memory and what it did not sync are gone.
    Crash,
    /// A host's processes are killed and started again: its kernel closes their sockets.
    Kill,
    /// A host's processes get no turn for a while.
    Pause,
    /// The hosts are parted into two groups.
    Partition,
    /// One direction between two hosts loses all.
    Cut,
    /// Packets between two hosts take up to a hundred times as long.
    Slow,
    /// One packet in four between two hosts is lost.
    Loss,
    /// All connections between two hosts are reset.
    Reset,
    /// The real-time clock of a host is stepped by up to an hour, forth or back.
    Clock,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Crash,
        Self::Kill,
        Self::Pause,
        Self::Partition,
        Self::Cut,
        Self::Slow,
        Self::Loss,
        Self::Reset,
        Self::Clock,
    ];

    /// Its name in texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::Cut => "cut",
            Self::Slow => "slow",
            Self::Loss => "loss",
            Self::Reset => "reset",
            Self::Clock => "clock",
        }
    }
}

/// The faults of a run. The default is none.
///
/// ```
/// use sim_worker::Faults;
/// let faults: Faults = "crash=8,pause=2,every=500ms,longest=10s,until=60s".parse()?;
/// assert_eq!(faults.to_string(), "crash=8,pause=2,every=500ms,longest=10000ms,until=60000ms");
/// assert_eq!(Faults::default().to_string(), "none");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// By kind, in the order of [`FaultKind::ALL`]: at one look in so many an episode of it begins; 0 is never.
    one_in: [u32; FaultKind::ALL.len()],
    /// How long it is from look to look.
    pub every: Duration,
    /// How long an episode lasts at most.
    pub longest: Duration,
    /// When no more episodes begin and those that are left end.
    pub until: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            one_in: [0; FaultKind::ALL.len()],
            every: Duration::from_millis(200),
            longest: Duration::from_secs(5),
            until: Duration::from_secs(60),
        }
    }
}

impl Faults {
    /// At one look in how many an episode of `kind` begins; 0 is never.
    #[must_use]
    pub const fn one_in(&self, kind: FaultKind) -> u32 {
        self.one_in[kind as usize]
    }

    /// The same with an episode of `kind` at one look in `one_in`.
    #[must_use]
    pub const fn with(mut self, kind: FaultKind, one_in: u32) -> Self {
        self.one_in[kind as usize] = one_in;
        self
    }

    /// Whether there is none at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.one_in.iter().all(|&one_in| one_in == 0)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        for kind in FaultKind::ALL.into_iter().filter(|&kind| self.one_in(kind) != 0) {
            write!(f, "{}={},", kind.name(), self.one_in(kind))?;
        }
        let [every, longest, until] =
            [self.every, self.longest, self.until].map(|time| time.as_millis());
        write!(f, "every={every}ms,longest={longest}ms,until={until}ms")
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        if text == "none" {
            return Ok(faults);
        }
        for part in text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) = part
                .split_once('=')
                .map(|(key, value)| (key.trim(), value.trim().trim_matches('"')))
                .ok_or_else(|| format!("'{part}' is not key=value"))?;
            faults.set(key, value)?;
        }
        Ok(faults)
    }
}

impl Faults {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let time = || {
            duration(value).ok_or_else(|| {
                format!("{key}: '{value}' is not a duration above 0, such as 200ms or 5s")
            })
        };
        match key {
            "every" => self.every = time()?,
            "longest" => self.longest = time()?,
            "until" => self.until = time()?,
            _ => {
                let kind = FaultKind::ALL.into_iter().find(|kind| kind.name() == key);
                let kind = kind.ok_or_else(|| format!("'{key}' is not a fault: {}", known()))?;
                let one_in = value.parse().map_err(|_| {
                    format!("{key}: '{value}' is not a number: {key}=8 begins an episode at one look in 8")
                })?;
                *self = self.with(kind, one_in);
            }
        }
        Ok(())
    }
}

fn known() -> String {
    let kinds: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
    format!("give {}, every, longest or until", kinds.join(", "))
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok().filter(|&number| number > 0)?;
    let ms = match &text[digits.len()..] {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        _ => None,
    };
    ms.map(Duration::from_millis)
}

/// What the user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Profile {
    /// No faults.
    #[default]
    None,
    /// What a healthy network does on a bad day: slow links, short pauses. Nothing is lost for good.
    Light,
    /// Drawn for each batch.
    Swarm,
    /// Exactly these.
    These(Faults),
}

const SWARM: Site = Site::new("harness.swarm.pick");

impl Profile {
    /// The faults of the batch whose head has this seed.
    #[must_use]
    pub fn draw(self, head: Seed) -> Faults {
        match self {
            Self::None => Faults::default(),
            Self::Light => Faults {
                longest: Duration::from_millis(500),
                until: Duration::from_secs(30),
                ..Faults::default().with(FaultKind::Slow, 8).with(FaultKind::Pause, 32)
            },
            Self::Swarm => swarm(head),
            Self::These(faults) => faults,
        }
    }
}

fn swarm(head: Seed) -> Faults {
    // Choices of their own, as for the portfolio.
    let mut choices = Choices::seeded(head);
    let mut stream = choices.stream(SWARM, Path::WORLD);
    let mut pick = |n| choices.pick(&mut stream, n);
    if pick(8) == 0 {
        return Faults::default();
    }
    let mut faults = Faults::default();
    for kind in FaultKind::ALL {
        let (on, octave) = (pick(2) == 1, pick(6));
        if on {
            faults = faults.with(kind, 2 << octave);
        }
    }
    let mut scale = |least_ms: u64, octaves| Duration::from_millis(least_ms << pick(octaves));
    faults.every = scale(20, 8);
    faults.longest = scale(20, 11);
    faults.until = scale(2_000, 7);
    faults
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Light => f.write_str("light"),
            Self::Swarm => f.write_str("swarm"),
            Self::These(faults) => faults.fmt(f),
        }
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "light" => Ok(Self::Light),
            "swarm" => Ok(Self::Swarm),
            _ => text.parse().map(Self::These),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_back() {
        for run in 0..200 {
            let faults = Profile::Swarm.draw(Seed::from_u64(3).for_run("t", run));
            assert_eq!(faults.to_string().parse(), Ok(faults));
            assert_eq!(Profile::These(faults).draw(Seed::default()), faults);
        }
        for profile in [Profile::None, Profile::Light, Profile::Swarm] {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
    }

    #[test]
    fn a_swarm_leaves_kinds_out_and_sometimes_all() {
        let drawn: Vec<Faults> =
            (0..800).map(|run| Profile::Swarm.draw(Seed::from_u64(7).for_run("t", run))).collect();
        let none = drawn.iter().filter(|faults| faults.is_none()).count();
        assert!((70..140).contains(&none), "one in eight: {none}");
        for kind in FaultKind::ALL {
            let on = drawn.iter().filter(|faults| faults.one_in(kind) != 0).count();
            assert!((280..420).contains(&on), "half of the others: {on} {}", kind.name());
        }
    }

    #[test]
    fn what_is_no_profile_is_refused_with_what_is() {
        let error = |text: &str| text.parse::<Profile>().unwrap_err();
        assert_eq!(error("heavy"), "'heavy' is not key=value");
        assert!(error("fire=3").starts_with("'fire' is not a fault: give crash, kill"));
        assert!(error("crash=x").contains("is not a number"));
        assert!(error("every=0s").contains("is not a duration above 0"));
    }
}
