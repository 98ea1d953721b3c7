//! The binary form of a whole execution: what one process writes for another to compare or print.
//!
//! Little-endian: magic, version, counts, then names, events and log lines. It is an exchange format
//! of one version of the tool; what is kept for years is the text of a [`crate::simtrace`].

use super::{Event, Kind, LogLine, Recorded};
use crate::choice::{Names, Path};
use core::fmt;
use sim_time::Instant;

const MAGIC: &[u8; 8] = b"simtrace";
const VERSION: u32 = 1;

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
        for count in [names.len(), self.events.len(), self.lines.len()] {
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
        let mut recorded = Self { names: Names::default(), events: Vec::new(), lines: Vec::new() };
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
        if reader.0.is_empty() { Ok(recorded) } else { Err(TraceError::Invalid("length")) }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
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
}

#[cfg(test)]
mod tests {
    use super::*;

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
        Recorded { events: vec![event; 3], lines: vec![line], names }
    }

    #[test]
    fn reads_what_it_writes() {
        let bytes = recorded().to_bytes();
        assert_eq!(Recorded::from_bytes(&bytes).unwrap().to_string(), recorded().to_string());
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
