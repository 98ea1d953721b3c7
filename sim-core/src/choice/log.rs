//! The choice log: the answers that were not dull, by name.
//!
//! Sparse: an answer of 0 is not kept, so the empty log is the FIFO run with no fault and least
//! delay. An entry is addressed by (site, path, occurrence), never by its position among the
//! others, so it keeps its meaning when unrelated code comes or goes, and deleting entries is
//! shrinking.
//! - An order is kept beside the names: that in which the entries were added, which for a recorded run is the one in which
//!   they were asked. It says what came when, and is no part of what a log means: equal entries are equal logs.

use super::Site;
use super::path::Path;
use core::fmt;
use std::collections::BTreeMap;

/// Where an answer belongs: which question, asked by whom, for the how many-th time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The site's name, such as `net.link.delay`.
    pub site: Box<str>,
    /// The text of the asker's path.
    pub path: Box<str>,
    /// How often that asker had asked at that site before.
    pub occurrence: u32,
}

/// An answer that was not dull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The alternative taken, above 0.
    Value(u64),
    /// The actor that ran instead of the first in line: its path, and which of its members (a message's number on its flow).
    Actor(Box<str>, u32),
}

/// The answers of a run that differ from the dull one.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Each answer, with the number of the addition that brought it.
    entries: BTreeMap<Key, (u64, Answer)>,
    added: u64,
}

impl PartialEq for Log {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Log {}

impl Log {
    /// Adds or replaces an answer.
    pub fn insert(&mut self, key: Key, answer: Answer) {
        self.added += 1;
        self.entries.insert(key, (self.added, answer));
    }

    /// All entries, ordered by site, path and occurrence.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Answer)> {
        self.entries.iter().map(|(key, (_, answer))| (key, answer))
    }

    /// All entries, in the order in which they were added.
    #[must_use]
    pub fn in_order(&self) -> Vec<(&Key, &Answer)> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(_, (added, _))| *added);
        entries.into_iter().map(|(key, (_, answer))| (key, answer)).collect()
    }

    /// The lines of [`Display`](fmt::Display), in the order in which the entries were added.
    #[must_use]
    pub fn lines_in_order(&self) -> String {
        self.in_order().iter().fold(String::new(), |text, (key, answer)| text + &line(key, answer))
    }

    /// How many answers were not dull.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether every answer was dull.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reads the lines that [`Display`](fmt::Display) writes. `first_line` is the number that errors count from.
    ///
    /// # Errors
    /// The first line that is not `site path occurrence answer`, with its number.
    pub fn parse<'t>(
        lines: impl Iterator<Item = &'t str>,
        first_line: usize,
    ) -> Result<Self, LogError> {
        let mut log = Self::default();
        for (index, line) in lines.enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let entry = parse_entry(line)
                .ok_or_else(|| LogError { line: first_line + index, text: line.to_owned() })?;
            log.insert(entry.0, entry.1);
        }
        Ok(log)
    }
}

/// Reads one line, or `None` where a field is missing or not a number.
fn parse_entry(line: &str) -> Option<(Key, Answer)> {
    let mut fields = line.split_ascii_whitespace();
    let (site, path, occurrence, answer) =
        (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() {
        return None;
    }
    let answer = match answer.strip_prefix('@') {
        Some(actor) => {
            let (path, ordinal) = actor
                .rsplit_once('!')
                .map_or(Some((actor, 0)), |(p, n)| Some((p, n.parse().ok()?)))?;
            Answer::Actor(path.into(), ordinal)
        }
        None => Answer::Value(answer.parse().ok()?),
    };
    Some((
        Key { site: site.into(), path: path.into(), occurrence: occurrence.parse().ok()? },
        answer,
    ))
}

impl fmt::Display for Log {
    /// One entry a line: `site path occurrence value`, or `… @actor!ordinal` for a scheduling answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(key, answer)| f.write_str(&line(key, answer)))
    }
}

impl FromIterator<(Key, Answer)> for Log {
    fn from_iter<T: IntoIterator<Item = (Key, Answer)>>(entries: T) -> Self {
        let mut log = Self::default();
        entries.into_iter().for_each(|(key, answer)| log.insert(key, answer));
        log
    }
}

fn line(key: &Key, answer: &Answer) -> String {
    let (site, path, occurrence) = (&key.site, &key.path, key.occurrence);
    match answer {
        Answer::Value(value) => format!("{site} {path} {occurrence} {value}\n"),
        // What follows the last `!` is the number, so a path that has one of its own is never left without.
        Answer::Actor(actor, 0) if !actor.contains('!') => {
            format!("{site} {path} {occurrence} @{actor}\n")
        }
        Answer::Actor(actor, ordinal) => {
            format!("{site} {path} {occurrence} @{actor}!{ordinal}\n")
        }
    }
}

/// A line of a log that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogError {
    line: usize,
    text: String,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: '{}' is not `site path occurrence answer`", self.line, self.text)
    }
}

impl core::error::Error for LogError {}

/// The log made ready for look-up while a run replays it, with a count of what was used.
#[derive(Clone, Debug, Default)]
pub(super) struct Replay {
    values: BTreeMap<(u64, u64, u32), (u64, bool)>,
    actors: BTreeMap<(u64, u64, u32), (Path, u32, bool)>,
}

impl Replay {
    pub(super) fn new(log: &Log) -> Self {
        let mut replay = Self::default();
        for (key, answer) in log.iter() {
            let (site, path) = (super::mix::name(&key.site), Path::parse(&key.path).to_bits());
            match answer {
                Answer::Value(value) => {
                    replay.values.insert((site, path, key.occurrence), (*value, false));
                }
                Answer::Actor(actor, ordinal) => {
                    let actor = (Path::parse(actor), *ordinal, false);
                    replay.actors.insert((site, path, key.occurrence), actor);
                }
            }
        }
        replay
    }

    /// The logged value; 0 where there is none, the largest alternative where it is out of range.
    pub(super) fn value(&mut self, site: u64, path: Path, occurrence: u32, last: u64) -> u64 {
        match self.values.get_mut(&(site, path.to_bits(), occurrence)) {
            Some((value, used)) => {
                *used = true;
                (*value).min(last)
            }
            None => 0,
        }
    }

    /// Which actor the log runs where `asker` asks at `site` for the `occurrence`-th time, if not the first in line.
    pub(super) fn actor(
        &mut self,
        site: Site,
        asker: Path,
        occurrence: u32,
    ) -> Option<(Path, u32)> {
        let key = (site.id, asker.to_bits(), occurrence);
        let (path, ordinal, used) = self.actors.get_mut(&key)?;
        *used = true;
        Some((*path, *ordinal))
    }

    /// How many entries no question has asked for.
    pub(super) fn unused(&self) -> usize {
        let values = self.values.values().filter(|(_, used)| !used).count();
        values + self.actors.values().filter(|(.., used)| !used).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let text = "net.link.delay fabric/a>b 3 17\nsched.next a/main 4 @b/serve#2!9\nsched.next a/main 5 @b/serve\n";
        let log = Log::parse(text.lines(), 1).unwrap();
        assert_eq!(log.len(), 3);
        assert_eq!(log.to_string(), text);
    }

    #[test]
    fn the_order_of_the_entries_is_kept_and_means_nothing() {
        let text = "b x 0 1\na x 1 @y\nc x 0 2\n";
        let log = Log::parse(text.lines(), 1).unwrap();
        assert_eq!(log.lines_in_order(), text);
        assert_eq!(Log::parse(log.to_string().lines(), 1).unwrap(), log);
        assert_ne!(Log::parse("b x 0 1".lines(), 1).unwrap(), log);
    }

    #[test]
    fn a_broken_line_is_named() {
        let error = Log::parse("a b 1 2\na b one 2\n".lines(), 10).unwrap_err();
        assert_eq!(error.to_string(), "line 11: 'a b one 2' is not `site path occurrence answer`");
    }
}
