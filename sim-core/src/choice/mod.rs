//! Choices: all that could have gone otherwise.
//!
//! The world asks, a source answers: `pick(stream, n)` is in `0..n`, and **0 is always the dull
//! answer** (first in line, no fault, least delay). A seed, a recorded log or an odometer answers;
//! who asks cannot tell which.
//!
//! - A stream is the handle of one asker at one site: a key and a counter, kept in its owner (task
//!   cell, link, file) and derived once. A pick looks nothing up and allocates nothing.
//! - Streams are independent: the `n`-th answer is a function of (seed, site, path, n). A draw that
//!   is added elsewhere does not re-deal the others.
//! - The log is sparse and named; see [`Log`]. Searching records nothing: a run that failed is run
//!   again with [`Choices::record`] to obtain its log.
//! - Never: another random generator, hash order, address order, an environment variable or the wall
//!   clock in any decision.

mod concern;
mod log;
pub mod mix;
mod odometer;
mod path;
mod redraw;
mod seed;

pub use concern::Concern;
pub use log::{Answer, Key, Log, LogError};
pub use odometer::Odometer;
pub use path::{Names, Path, name_hash};
pub use redraw::Redraw;
pub use seed::{Seed, SeedError};

use log::Replay;
use redraw::Redrawn;
use std::collections::BTreeMap;

/// A place in the code where something could go otherwise. Its name is `crate.noun.verb`, such as `net.link.delay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    name: &'static str,
    id: u64,
}

impl Site {
    /// The site of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, id: mix::name(name) }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// Which actor has the next turn: answered by a scheduling policy, recorded as a deviation from first in line.
pub const SCHEDULE: Site = Site::new("sched.next");

/// Which actor runs before the asker touches what is shared, at a sync point: answered and recorded in the same way.
pub const SYNC: Site = Site::new("sched.sync");

/// One asker's questions at one site: `key` decides the answers, `occurrence` counts them.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    key: u64,
    path: Path,
    occurrence: u32,
}

/// The probability `num` / `den`, as whole numbers so that every machine agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// The numerator.
    pub num: u32,
    /// The denominator, at least 1.
    pub den: u32,
}

impl Ratio {
    /// Never.
    pub const ZERO: Self = Self { num: 0, den: 1 };
    /// Always.
    pub const ONE: Self = Self { num: 1, den: 1 };

    /// `num` in `den`.
    ///
    /// # Panics
    /// If `den` is 0 or less than `num`.
    #[must_use]
    pub const fn new(num: u32, den: u32) -> Self {
        assert!(den > 0 && num <= den, "a probability lies between 0 and 1");
        Self { num, den }
    }

    /// Whether it happens, decided by 64 random bits.
    #[inline]
    const fn holds(self, bits: u64) -> bool {
        mix::scale(bits, self.den as u64) < self.num as u64
    }
}

/// Who answers.
#[derive(Debug)]
enum Source {
    Seeded(Seed),
    Replay(Replay),
    Redrawn(Redrawn),
    Odometer(Odometer),
}

/// An entry of a log with the circumstances in which it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The question.
    pub key: Key,
    /// What was answered.
    pub answer: Answer,
    /// Who had the turn, and which of its own that was.
    pub turn: (Path, u32),
    /// For a scheduling answer: the turn that would have been next otherwise.
    pub first: Option<(Path, u32)>,
}

/// Who has a say in which actor runs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduler {
    /// The policy, drawing from its own stream.
    Policy,
    /// The recorded log.
    Log,
    /// Every order in turn.
    Odometer,
}

/// The answers of one run.
#[derive(Debug)]
pub struct Choices {
    source: Source,
    /// The derived keys of the sites asked so far; a ChaCha block each, so they are kept.
    sites: BTreeMap<u64, u64>,
    /// While recording: the site of each stream key and what was answered.
    recording: Option<Box<Recording>>,
    /// The hash of all answers, part of the fingerprint.
    answers: u64,
    /// The texts of paths, kept when the run is recorded or traced in full.
    pub names: Names,
}

#[derive(Debug)]
struct Recording {
    sites: BTreeMap<u64, &'static str>,
    /// In the order in which they were asked.
    answers: Vec<Recorded>,
    /// Who has the turn, and which of its own that is.
    turn: (Path, u32),
}

#[derive(Debug)]
struct Recorded {
    path: Path,
    occurrence: u32,
    answer: RecordedAnswer,
    /// The turn in which it was given.
    turn: (Path, u32),
}

#[derive(Debug)]
enum RecordedAnswer {
    /// At the site of this stream key.
    Value { key: u64, value: u64 },
    /// Who ran, at which of the scheduler's two sites, and who would have run otherwise.
    Actor { site: Site, actor: (Path, u32), first: (Path, u32) },
}

impl Choices {
    /// Answers drawn from a seed.
    #[must_use]
    pub fn seeded(seed: Seed) -> Self {
        Self::new(Source::Seeded(seed))
    }

    /// Answers of a recorded run; what the log does not hold is answered 0.
    #[must_use]
    pub fn replay(log: &Log) -> Self {
        Self::new(Source::Replay(Replay::new(log)))
    }

    /// Answers of a recorded run, but for `what`, which is drawn from `seed`: a neighbour of that run.
    #[must_use]
    pub fn redrawn(log: &Log, what: Redraw, seed: Seed) -> Self {
        Self::new(Source::Redrawn(Redrawn::new(log, what, seed)))
    }

    /// Answers that count through every combination.
    #[must_use]
    pub fn odometer(odometer: Odometer) -> Self {
        Self::new(Source::Odometer(odometer))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            sites: BTreeMap::new(),
            recording: None,
            answers: 0,
            names: Names::default(),
        }
    }

    /// Keeps every answer that is not dull, for [`Choices::log`]. To be called before the first question.
    pub fn record(&mut self) {
        self.names.keep();
        self.recording = Some(Box::new(Recording {
            sites: BTreeMap::new(),
            answers: Vec::new(),
            turn: (Path::WORLD, 0),
        }));
    }

    /// The stream of `path`'s questions at `site`.
    pub fn stream(&mut self, site: Site, path: Path) -> Stream {
        let key = match &mut self.source {
            Source::Seeded(seed) => {
                let site_key =
                    *self.sites.entry(site.id).or_insert_with(|| seed.derive(site.id, 0));
                mix::join(site_key, path.to_bits())
            }
            Source::Redrawn(redrawn) => match redrawn.what.takes(site.name) {
                true => redrawn.draw(site.id, path),
                false => site.id,
            },
            // The log is addressed by name; the odometer by order.
            Source::Replay(_) | Source::Odometer(_) => site.id,
        };
        if let Some(recording) = &mut self.recording {
            recording.sites.insert(key, site.name);
        }
        Stream { key, path, occurrence: 0 }
    }

    /// Asks for one of `n` alternatives.
    ///
    /// # Panics
    /// If `n` is 0: a question without an answer.
    #[inline]
    pub fn pick(&mut self, stream: &mut Stream, n: u64) -> u64 {
        assert!(n > 0, "a choice needs an alternative");
        let occurrence = stream.occurrence;
        stream.occurrence = occurrence.wrapping_add(1);
        let value = match &mut self.source {
            Source::Seeded(_) => mix::scale(mix::value(stream.key, occurrence), n),
            Source::Replay(replay) => replay.value(stream.key, stream.path, occurrence, n - 1),
            Source::Redrawn(redrawn) if redrawn.draws(stream.key) => {
                mix::scale(mix::value(stream.key, occurrence), n)
            }
            Source::Redrawn(redrawn) => {
                redrawn.replay.value(stream.key, stream.path, occurrence, n - 1)
            }
            Source::Odometer(odometer) if n > 1 => odometer.pick(n),
            Source::Odometer(_) => 0,
        };
        self.note(stream, occurrence, value);
        value
    }

    /// Asks whether a thing of probability `ratio` happens. Impossible and certain things are not asked.
    #[inline]
    pub fn chance(&mut self, stream: &mut Stream, ratio: Ratio) -> bool {
        if ratio.num == 0 {
            return false;
        }
        let occurrence = stream.occurrence;
        stream.occurrence = occurrence.wrapping_add(1);
        let happens = match &mut self.source {
            Source::Seeded(_) => ratio.holds(mix::value(stream.key, occurrence)),
            Source::Replay(replay) => replay.value(stream.key, stream.path, occurrence, 1) == 1,
            Source::Redrawn(redrawn) if redrawn.draws(stream.key) => {
                ratio.holds(mix::value(stream.key, occurrence))
            }
            Source::Redrawn(redrawn) => {
                redrawn.replay.value(stream.key, stream.path, occurrence, 1) == 1
            }
            Source::Odometer(odometer) => odometer.pick(2) == 1,
        };
        self.note(stream, occurrence, u64::from(happens));
        happens
    }

    /// Asks for the seed of a generator of its own, for the many bytes that an actor draws as its entropy.
    ///
    /// One logged answer stands for all of them, so that a log stays small and a shrinker can make them plain.
    pub fn entropy_seed(&mut self, stream: &mut Stream) -> u64 {
        match self.source {
            Source::Seeded(_) | Source::Replay(_) | Source::Redrawn(_) => {
                self.pick(stream, u64::MAX)
            }
            // Every seed would be a run of its own; the enumeration is of orders and faults.
            Source::Odometer(_) => 0,
        }
    }

    #[inline]
    fn note(&mut self, stream: &Stream, occurrence: u32, value: u64) {
        self.answers = mix::mix(self.answers ^ value).wrapping_add(u64::from(occurrence));
        if let Some(recording) = &mut self.recording
            && value != 0
        {
            let answer = RecordedAnswer::Value { key: stream.key, value };
            let turn = recording.turn;
            recording.answers.push(Recorded { path: stream.path, occurrence, answer, turn });
        }
    }

    /// Whether answers are recorded.
    #[inline]
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.recording.is_some()
    }

    /// Who answers which actor runs next.
    #[inline]
    #[must_use]
    pub fn scheduler(&self) -> Scheduler {
        match &self.source {
            Source::Seeded(_) => Scheduler::Policy,
            Source::Redrawn(redrawn) if redrawn.what == Redraw::Schedule => Scheduler::Policy,
            Source::Replay(_) | Source::Redrawn(_) => Scheduler::Log,
            Source::Odometer(_) => Scheduler::Odometer,
        }
    }

    /// The private draws of a scheduling policy: neither logged nor part of the fingerprint.
    #[must_use]
    pub fn policy_draws(&self) -> Draws {
        self.draws("sched.policy")
    }

    /// Private draws for the purpose `name`: neither logged nor part of the fingerprint.
    #[must_use]
    pub(crate) fn draws(&self, name: &str) -> Draws {
        let state = match &self.source {
            Source::Seeded(seed) => seed.derive(mix::name(name), 0),
            Source::Redrawn(redrawn) => redrawn.seed.derive(mix::name(name), 0),
            Source::Replay(_) | Source::Odometer(_) => 0,
        };
        Draws { state }
    }

    /// The actor that the log runs after `giver` gave up its `turn`-th turn, if not the first in line.
    pub(crate) fn logged_actor(&mut self, giver: Path, turn: u32) -> Option<(Path, u32)> {
        match &mut self.source {
            Source::Replay(replay) => replay.actor(SCHEDULE, giver, turn),
            Source::Redrawn(redrawn) => redrawn.replay.actor(SCHEDULE, giver, turn),
            Source::Seeded(_) | Source::Odometer(_) => None,
        }
    }

    /// The actor that the log runs before `asker` goes on at its `occurrence`-th sync point, if any.
    pub(crate) fn logged_other(&mut self, asker: Path, occurrence: u32) -> Option<(Path, u32)> {
        match &mut self.source {
            Source::Replay(replay) => replay.actor(SYNC, asker, occurrence),
            Source::Redrawn(redrawn) => redrawn.replay.actor(SYNC, asker, occurrence),
            Source::Seeded(_) | Source::Odometer(_) => None,
        }
    }

    /// The place in the line that the odometer gives the next turn.
    pub(crate) fn odometer_place(&mut self, n: usize) -> usize {
        match &mut self.source {
            Source::Odometer(odometer) => odometer.pick(n as u64) as usize,
            Source::Seeded(_) | Source::Replay(_) | Source::Redrawn(_) => 0,
        }
    }

    /// Records that `actor` ran after `giver`'s turn although `first` was first in line.
    #[inline]
    pub(crate) fn note_actor(
        &mut self,
        giver: (Path, u32),
        actor: (Path, u32),
        first: (Path, u32),
    ) {
        if let Some(recording) = &mut self.recording {
            let (path, occurrence) = giver;
            let answer = RecordedAnswer::Actor { site: SCHEDULE, actor, first };
            recording.answers.push(Recorded { path, occurrence, answer, turn: giver });
        }
    }

    /// Records that `actor` ran before `asker` went on at its sync point.
    pub(crate) fn note_other(&mut self, asker: (Path, u32), actor: (Path, u32)) {
        if let Some(recording) = &mut self.recording {
            let ((path, occurrence), turn) = (asker, recording.turn);
            let answer = RecordedAnswer::Actor { site: SYNC, actor, first: (path, 0) };
            recording.answers.push(Recorded { path, occurrence, answer, turn });
        }
    }

    /// An actor begins a turn: what is answered from now on is answered in it.
    #[inline]
    pub(crate) fn begin_turn(&mut self, path: Path, ordinal: u32) {
        if let Some(recording) = &mut self.recording {
            recording.turn = (path, ordinal);
        }
    }

    /// The log of the answers so far, if they were recorded.
    #[must_use]
    pub fn log(&self) -> Option<Log> {
        let recording = self.recording.as_ref()?;
        Some(recording.answers.iter().map(|answer| self.entry(recording, answer)).collect())
    }

    fn entry(&self, recording: &Recording, recorded: &Recorded) -> (Key, Answer) {
        let (site, answer) = match recorded.answer {
            RecordedAnswer::Value { key, value } => (recording.sites[&key], Answer::Value(value)),
            RecordedAnswer::Actor { site, actor: (path, ordinal), .. } => {
                (site.name, Answer::Actor(self.names.text(path).into(), ordinal))
            }
        };
        let (path, occurrence) = (self.names.text(recorded.path).into(), recorded.occurrence);
        (Key { site: site.into(), path, occurrence }, answer)
    }

    /// In which turn each entry of the log was answered, in their order; none where no log is recorded.
    #[must_use]
    pub fn answered(&self) -> Vec<Answered> {
        let Some(recording) = &self.recording else { return Vec::new() };
        let answered = |recorded: &Recorded| {
            let first = match recorded.answer {
                RecordedAnswer::Actor { first, .. } => Some(first),
                RecordedAnswer::Value { .. } => None,
            };
            let (key, answer) = self.entry(recording, recorded);
            Answered { key, answer, turn: recorded.turn, first }
        };
        recording.answers.iter().map(answered).collect()
    }

    /// The hash of all answers so far, in the order in which they were given. The order of actors is
    /// not among them; the schedule hash has it.
    #[must_use]
    pub fn answers_hash(&self) -> u64 {
        self.answers
    }

    /// How many entries of a replayed log no question asked for: the drift between the log and the program.
    #[must_use]
    pub fn drift(&self) -> usize {
        match &self.source {
            Source::Replay(replay) => replay.unused(),
            Source::Redrawn(redrawn) => redrawn.replay.unused(),
            Source::Seeded(_) | Source::Odometer(_) => 0,
        }
    }

    /// The odometer, to be advanced for the next run; `None` if another source answered.
    #[must_use]
    pub fn into_odometer(self) -> Option<Odometer> {
        match self.source {
            Source::Odometer(odometer) => Some(odometer),
            Source::Seeded(_) | Source::Replay(_) | Source::Redrawn(_) => None,
        }
    }
}

/// A policy's private random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Draws {
    state: u64,
}

impl Draws {
    /// A number in `0..n`.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        mix::scale(self.bits(), n)
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.state = mix::step(self.state);
        mix::mix(self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Site = Site::new("test.a.pick");
    const B: Site = Site::new("test.b.pick");

    fn draw(choices: &mut Choices, site: Site, count: usize) -> Vec<u64> {
        let mut stream = choices.stream(site, Path::WORLD.child("x", 0));
        (0..count).map(|_| choices.pick(&mut stream, 10)).collect()
    }

    #[test]
    fn streams_are_independent() {
        let mut alone = Choices::seeded(Seed::from_u64(5));
        let expected = draw(&mut alone, A, 20);
        let mut beside = Choices::seeded(Seed::from_u64(5));
        draw(&mut beside, B, 7);
        assert_eq!(draw(&mut beside, A, 20), expected);
        assert_ne!(draw(&mut beside, B, 20), expected);
    }

    #[test]
    fn a_log_replays_its_run_and_nothing_else() {
        let mut recorded = Choices::seeded(Seed::from_u64(9));
        recorded.record();
        let host = Path::WORLD.child("x", 0);
        recorded.names.note(host, Path::WORLD, "x", 0);
        let (a, b) = (draw(&mut recorded, A, 50), draw(&mut recorded, B, 50));
        let log = recorded.log().unwrap();
        assert!(log.len() < 100, "zeros are not kept");
        let mut replayed = Choices::replay(&log);
        assert_eq!((draw(&mut replayed, A, 50), draw(&mut replayed, B, 50)), (a, b));
        assert_eq!(replayed.drift(), 0);
        assert_eq!(draw(&mut Choices::replay(&Log::default()), A, 5), [0; 5]);
    }

    #[test]
    fn drift_counts_what_was_not_asked_for() {
        let log = Log::parse(["test.a.pick x 0 3", "test.a.pick x 9 3"].into_iter(), 1).unwrap();
        let mut replayed = Choices::replay(&log);
        assert_eq!(draw(&mut replayed, A, 2), [3, 0]);
        assert_eq!(replayed.drift(), 1);
    }

    #[test]
    fn out_of_range_answers_clamp() {
        let log = Log::parse(["test.a.pick x 0 300"].into_iter(), 1).unwrap();
        assert_eq!(draw(&mut Choices::replay(&log), A, 1), [9]);
    }
}
