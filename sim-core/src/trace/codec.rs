//! The binary form of a whole execution: what one process writes for another to compare or print.
//!
//! Little-endian: magic, version, counts, then names, events, log lines, asides and answers. It is an exchange format
//! of one version of the tool; what is kept for years is the text of a [`crate::simtrace`].

use super::{Aside, Event, Kind, LogLine, Recorded};
use crate::choice::{Answer, Answered, Key, Path};
use core::fmt;
use sim_time::Instant;

const MAGIC: &[u8; 8] = b"simtrace";
const VERSION: u32 = 2;

/// Why bytes are not an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceError {
    /// They do not begin as one.
    NotATrace,
    /// They were written by another version.
    Version(u32),
    /// They end too early.
    Truncated,
    /// A field holds what cannot be.
    Invalid(&'static str),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATrace => f.write_str("not an execution trace"),
            Self::Version(version) => {
                write!(f, "execution trace of version {version}, this is version {VERSION}")
            }
            Self::Truncated => f.write_str("execution trace is cut short"),
            Self::Invalid(field) => write!(f, "execution trace holds an invalid {field}"),
        }
    }
}

impl core::error::Error for TraceError {}

impl Recorded {
    /// The binary form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.events.len() * 41);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        let names: Vec<_> = self.names.iter().collect();
        let (asides, answered) = (self.asides.len(), self.answered.len());
        for count in [names.len(), self.events.len(), self.lines.len(), asides, answered] {
            out.extend_from_slice(&(count as u64).to_le_bytes());
        }
        for (path, text) in names {
            out.extend_from_slice(&path.to_bits().to_le_bytes());
            put_text(&mut out, text);
        }
        for event in &self.events {
            out.push(event.kind as u8);
            for field in
                [event.at.as_nanos(), event.actor.to_bits(), event.object, event.len, event.data]
            {
                out.extend_from_slice(&field.to_le_bytes());
            }
        }
        for line in &self.lines {
            for field in [line.after, line.at.as_nanos(), line.task.to_bits()] {
                out.extend_from_slice(&field.to_le_bytes());
            }
            put_text(&mut out, &line.text);
        }
        self.asides.iter().for_each(|aside| put_aside(&mut out, aside));
        self.answered.iter().for_each(|answered| put_answered(&mut out, answered));
        out
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// Another version, or bytes that are not a whole execution.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TraceError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(TraceError::NotATrace)?;
        let mut reader = Reader(rest);
        let version = u32::from_le_bytes(reader.array()?);
        if version != VERSION {
            return Err(TraceError::Version(version));
        }
        let (names, events, lines) = (reader.number()?, reader.number()?, reader.number()?);
        let (asides, answered) = (reader.number()?, reader.number()?);
        let mut recorded = Self::default();
        for _ in 0..names {
            let path = Path::from_bits(reader.number()?);
            recorded.names.put(path, reader.text()?);
        }
        for _ in 0..events {
            recorded.events.push(reader.event()?);
        }
        for _ in 0..lines {
            let (after, at) = (reader.number()?, Instant::from_nanos(reader.number()?));
            let task = Path::from_bits(reader.number()?);
            recorded.lines.push(LogLine { after, at, task, text: reader.text()? });
        }
        for _ in 0..asides {
            recorded.asides.push(reader.aside()?);
        }
        for _ in 0..answered {
            recorded.answered.push(reader.answered()?);
        }
        if reader.0.is_empty() { Ok(recorded) } else { Err(TraceError::Invalid("length")) }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_numbers(out: &mut Vec<u8>, numbers: &[u64]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

fn put_aside(out: &mut Vec<u8>, aside: &Aside) {
    match aside {
        Aside::Woke { after, by, whom } => {
            put_numbers(out, &[0, *after, by.to_bits(), whom.to_bits()]);
        }
        Aside::Spawned { actor, place } => {
            put_numbers(out, &[1, actor.to_bits()]);
            put_text(out, place);
        }
        Aside::Touched { after, actor, kind, object } => {
            put_numbers(out, &[2, *after, actor.to_bits(), *object]);
            put_text(out, kind);
        }
        Aside::Stood { actor, turn, place } => {
            put_numbers(out, &[3, actor.to_bits(), u64::from(*turn)]);
            put_text(out, place);
        }
    }
}

fn put_answered(out: &mut Vec<u8>, Answered { key, answer, turn, first }: &Answered) {
    put_text(out, &key.site);
    put_text(out, &key.path);
    let (first, first_turn) = first.unwrap_or((Path::WORLD, 0));
    put_numbers(out, &[u64::from(key.occurrence), turn.0.to_bits(), u64::from(turn.1)]);
    put_numbers(out, &[first.to_bits(), u64::from(first_turn)]);
    match answer {
        Answer::Value(value) => put_numbers(out, &[0, *value]),
        Answer::Actor(actor, ordinal) => {
            put_numbers(out, &[1, u64::from(*ordinal)]);
            put_text(out, actor);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], TraceError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(TraceError::Truncated)?;
        self.0 = rest;
        Ok(*head)
    }

    fn number(&mut self) -> Result<u64, TraceError> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<String, TraceError> {
        let len = usize::try_from(self.number()?).map_err(|_| TraceError::Truncated)?;
        let (text, rest) = self.0.split_at_checked(len).ok_or(TraceError::Truncated)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).map_err(|_| TraceError::Invalid("text"))
    }

    fn event(&mut self) -> Result<Event, TraceError> {
        let [kind] = self.array()?;
        let kind = Kind::from_number(kind).ok_or(TraceError::Invalid("kind of event"))?;
        let (at, actor) = (Instant::from_nanos(self.number()?), Path::from_bits(self.number()?));
        let (object, len, data) = (self.number()?, self.number()?, self.number()?);
        Ok(Event { at, kind, actor, object, len, data })
    }

    fn path(&mut self) -> Result<Path, TraceError> {
        self.number().map(Path::from_bits)
    }

    fn small(&mut self) -> Result<u32, TraceError> {
        u32::try_from(self.number()?).map_err(|_| TraceError::Invalid("number"))
    }

    fn aside(&mut self) -> Result<Aside, TraceError> {
        Ok(match self.number()? {
            0 => Aside::Woke { after: self.number()?, by: self.path()?, whom: self.path()? },
            1 => Aside::Spawned { actor: self.path()?, place: self.text()? },
            2 => {
                let (after, actor, object) = (self.number()?, self.path()?, self.number()?);
                Aside::Touched { after, actor, kind: self.text()?, object }
            }
            3 => Aside::Stood { actor: self.path()?, turn: self.small()?, place: self.text()? },
            _ => return Err(TraceError::Invalid("kind of aside")),
        })
    }

    fn answered(&mut self) -> Result<Answered, TraceError> {
        let (site, path) = (self.text()?.into(), self.text()?.into());
        let key = Key { site, path, occurrence: self.small()? };
        let turn = (self.path()?, self.small()?);
        let first = (self.path()?, self.small()?);
        let (answer, first) = match self.number()? {
            0 => (Answer::Value(self.number()?), None),
            1 => {
                let ordinal = self.small()?;
                (Answer::Actor(self.text()?.into(), ordinal), Some(first))
            }
            _ => return Err(TraceError::Invalid("kind of answer")),
        };
        Ok(Answered { key, answer, turn, first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Names;

    fn recorded() -> Recorded {
        let mut names = Names::default();
        names.keep();
        let host = Path::WORLD.child("a", 0);
        names.note(host, Path::WORLD, "a", 0);
        let event = Event {
            at: Instant::from_nanos(7),
            kind: Kind::Spawn,
            actor: host,
            object: 1,
            len: 2,
            data: 3,
        };
        let line = LogLine {
            after: 1,
            at: Instant::from_nanos(8),
            task: host,
            text: String::from("héllo"),
        };
        let asides = vec![
            Aside::Woke { after: 1, by: Path::WORLD, whom: host },
            Aside::Spawned { actor: host, place: String::from("a.rs:1:2") },
            Aside::Touched { after: 2, actor: host, kind: String::from("Mutex"), object: 3 },
            Aside::Stood { actor: host, turn: 4, place: String::from("f at a.rs:3") },
        ];
        let key = |site: &str| Key { site: site.into(), path: "a".into(), occurrence: 5 };
        let answered = vec![
            Answered {
                key: key("net.link.delay"),
                answer: Answer::Value(6),
                turn: (host, 7),
                first: None,
            },
            Answered {
                key: key("sched.next"),
                answer: Answer::Actor("b".into(), 8),
                turn: (host, 9),
                first: Some((Path::WORLD, 10)),
            },
        ];
        Recorded { events: vec![event; 3], lines: vec![line], asides, answered, names }
    }

    #[test]
    fn reads_what_it_writes() {
        let read = Recorded::from_bytes(&recorded().to_bytes()).unwrap();
        assert_eq!(read.to_string(), recorded().to_string());
        assert_eq!((read.asides, read.answered), (recorded().asides, recorded().answered));
    }

    #[test]
    fn every_cut_is_noticed() {
        let bytes = recorded().to_bytes();
        for len in 0..bytes.len() {
            assert!(Recorded::from_bytes(&bytes[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = recorded().to_bytes();
        bytes[8] = 9;
        assert_eq!(Recorded::from_bytes(&bytes).unwrap_err(), TraceError::Version(9));
    }
}
