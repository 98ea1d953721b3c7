//! The text of a failure's file, written and read.

use super::{Origin, Simtrace, SimtraceError, VERSION};
use crate::choice::Log;
use crate::trace::Fingerprint;
use core::fmt;
use std::collections::BTreeMap;

const KEYS: [&str; 15] = [
    "package",
    "test",
    "seed",
    "base_seed",
    "run",
    "strategy",
    "replay",
    "config",
    "shrunk_from",
    "shrink_runs",
    "fingerprint",
    "schedule",
    "kind",
    "message",
    "location",
];

/// Reads a whole text; see [`Simtrace::parse`].
pub(super) fn parse(text: &str) -> Result<Simtrace, SimtraceError> {
    let mut lines = text.lines();
    check_version(lines.next().unwrap_or_default())?;
    // Looked for first: whatever else is wrong with half a file, restoring it is the advice.
    let lines: Vec<&str> = lines.collect();
    let last = lines.iter().rposition(|line| !line.trim().is_empty());
    let Some(end) = last.filter(|&at| lines[at].trim() == "end" && text.ends_with('\n')) else {
        return Err(SimtraceError::Truncated { line: last.map_or(2, |at| at + 3) });
    };
    let Some(blank) = lines[..end].iter().position(|line| line.is_empty()) else {
        return Err(SimtraceError::NoLog { line: end + 2 });
    };
    let mut header = Header::default();
    for (at, line) in lines[..blank].iter().enumerate() {
        header.take(at + 2, line)?;
    }
    let log = lines[blank + 1..end].iter().copied();
    let log =
        Log::parse(log, blank + 3).map_err(|error| SimtraceError::Choice(error.to_string()))?;
    header.finish(log)
}

impl fmt::Display for Simtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "simtrace {VERSION}")?;
        writeln!(f, "package: {}", escape(&self.package))?;
        writeln!(f, "test: {}", escape(&self.test))?;
        writeln!(f, "seed: {}\nbase_seed: {}\nrun: {}", self.seed, self.base_seed, self.run)?;
        writeln!(f, "strategy: {}", escape(&self.strategy))?;
        if self.log.is_none() {
            writeln!(f, "replay: seed")?;
        }
        for (key, value) in &self.config {
            writeln!(f, "config: {}={}", escape(key).replace('=', "\\u{3d}"), escape(value))?;
        }
        if let Some(Origin { choices, runs }) = self.shrunk {
            writeln!(f, "shrunk_from: {choices}\nshrink_runs: {runs}")?;
        }
        if let Some(fingerprint) = self.fingerprint {
            writeln!(f, "fingerprint: {fingerprint}")?;
        }
        if let Some(schedule) = self.schedule {
            writeln!(f, "schedule: {schedule}")?;
        }
        writeln!(f, "kind: {}\nmessage: {}", escape(&self.kind), escape(&self.message))?;
        if let Some(location) = &self.location {
            writeln!(f, "location: {}", escape(location))?;
        }
        writeln!(f)?;
        if let Some(log) = &self.log {
            write!(f, "{log}")?;
        }
        writeln!(f, "end")
    }
}

/// Keeps a value on its line. Outer spaces are escaped too, since an editor may strip them.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            ' ' if at == 0 || at == last => out.push_str("\\s"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

/// The value that [`escape`] wrote, or `None` where an escape is unknown.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            '\\' => out.push('\\'),
            'n' => out.push('\n'),
            's' => out.push(' '),
            'u' => {
                let (digits, rest) = chars.as_str().strip_prefix('{')?.split_once('}')?;
                out.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
                chars = rest.chars();
            }
            _ => return None,
        }
    }
    Some(out)
}

fn check_version(line: &str) -> Result<(), SimtraceError> {
    let version =
        line.strip_prefix("simtrace ").and_then(|version| version.trim().parse::<u32>().ok());
    match version {
        Some(VERSION) => Ok(()),
        Some(version) => Err(SimtraceError::Version(version)),
        None => Err(SimtraceError::NotASimtrace),
    }
}

/// The header while it is read: each key's value with the line it stood on.
#[derive(Default)]
struct Header {
    values: BTreeMap<&'static str, (usize, String)>,
    config: BTreeMap<String, String>,
}

impl Header {
    fn take(&mut self, number: usize, line: &str) -> Result<(), SimtraceError> {
        let bad = |value: &str| SimtraceError::Value { line: number, key: value.to_owned() };
        let Some((key, value)) = line.split_once(':') else {
            return Err(SimtraceError::Header { line: number, text: line.to_owned() });
        };
        let Some(known) = KEYS.into_iter().find(|known| *known == key) else {
            return Err(SimtraceError::Key { line: number, key: key.to_owned() });
        };
        // Only the space: another kind of white space is part of the value.
        let value = value.trim_matches(' ');
        if known == "config" {
            let (key, value) = value.split_once('=').ok_or_else(|| bad(known))?;
            let pair = unescape(key).zip(unescape(value)).ok_or_else(|| bad(known))?;
            self.config.insert(pair.0, pair.1);
        } else if self
            .values
            .insert(known, (number, unescape(value).ok_or_else(|| bad(known))?))
            .is_some()
        {
            return Err(SimtraceError::Twice { line: number, key: known });
        }
        Ok(())
    }

    fn finish(mut self, log: Log) -> Result<Simtrace, SimtraceError> {
        let by_seed = match self.values.remove("replay") {
            None => false,
            Some((_, how)) if how == "seed" => true,
            Some((line, _)) => {
                return Err(SimtraceError::Value { line, key: String::from("replay") });
            }
        };
        let hash = |text: &str| u64::from_str_radix(text, 16).ok().map(Fingerprint);
        let number = |text: &str| text.parse::<u64>().ok();
        let from = self.optional("shrunk_from", number)?;
        let runs = self.optional("shrink_runs", number)?.unwrap_or(0);
        Ok(Simtrace {
            package: self.required("package", |text| Some(text.to_owned()))?,
            test: self.required("test", |text| Some(text.to_owned()))?,
            seed: self.required("seed", |text| text.parse().ok())?,
            base_seed: self.required("base_seed", |text| text.parse().ok())?,
            run: self.required("run", |text| text.parse().ok())?,
            strategy: self.required("strategy", |text| Some(text.to_owned()))?,
            shrunk: from.map(|choices| Origin { choices, runs }),
            fingerprint: self.optional("fingerprint", hash)?,
            schedule: self.optional("schedule", hash)?,
            kind: self.required("kind", |text| Some(text.to_owned()))?,
            message: self.required("message", |text| Some(text.to_owned()))?,
            location: self.optional("location", |text| Some(text.to_owned()))?,
            config: self.config,
            log: (!by_seed).then_some(log),
        })
    }

    fn required<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, SimtraceError> {
        self.optional(key, read)?.ok_or(SimtraceError::Missing(key))
    }

    fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, SimtraceError> {
        let Some((line, text)) = self.values.remove(key) else { return Ok(None) };
        read(&text).map(Some).ok_or(SimtraceError::Value { line, key: key.to_owned() })
    }
}
