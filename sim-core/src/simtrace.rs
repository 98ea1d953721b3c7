//! The file of a failure: what a run was, how it ended, and the choices that lead there again.
//!
//! Text, so that it can be read, diffed and kept in a repository beside the code:
//!
//! ```text
//! simtrace 1
//! package: bank
//! test: bank::transfer::nothing_is_lost
//! seed: 0x5f1c…
//! base_seed: 0x0
//! run: 17
//! strategy: pct:3
//! config: expected_choices=412
//! shrunk_from: 412
//! shrink_runs: 85
//! fingerprint: 0123456789abcdef
//! schedule: fedcba9876543210
//! kind: panic
//! message: assertion failed: total == 100
//! location: tests/transfer.rs:31:5
//!
//! sched.next main/worker 3 @main/worker#1
//! end
//! ```
//!
//! - The first line is the version; this version reads and writes 1.
//! - `kind`, `message` and `location` identify the failure. The file's name is made of the test and
//!   of a hash of that identity, so the same failure found again replaces its file.
//! - The last line is `end`. A file without it was cut short, and half a log would be another run.
//! - `shrunk_from` and `shrink_runs` say how many choices the log had that the seed leads to, and how many runs it took to make it
//!   what it is here; fingerprint and schedule are those of the log as it stands.
//! - `replay: seed` stands for a log that could not be had, because the process died; the run is
//!   then repeated by seed and strategy.
//! - Never: a half-written file. It is written beside its place and renamed.

mod error;
#[cfg(test)]
mod tests;
mod text;

pub use error::SimtraceError;

use crate::choice::{Log, Seed, mix};
use crate::trace::Fingerprint;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The version of the format that is read and written.
pub const VERSION: u32 = 1;

/// Where the failures of a project are kept, below its root.
pub const FAILURES: &str = ".sim/failures";

/// A failure as it is kept in a file.
///
/// ```
/// use sim_core::simtrace::Simtrace;
/// let text = "simtrace 1\npackage: bank\ntest: bank::lost\nseed: 0x2a\nbase_seed: 0x0\nrun: 3\n\
///             strategy: random\nkind: panic\nmessage: lost\n\nnet.link.delay a>b 0 7\nend\n";
/// let failure = Simtrace::parse(text)?;
/// assert_eq!(failure.log.as_ref().map(|log| log.len()), Some(1));
/// assert_eq!(failure.to_string(), text);
/// # Ok::<(), sim_core::simtrace::SimtraceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simtrace {
    /// The cargo package that holds the test.
    pub package: String,
    /// The test's full name: package, target, modules and function.
    pub test: String,
    /// The seed of the run itself.
    pub seed: Seed,
    /// The seed that the run's was derived from.
    pub base_seed: Seed,
    /// Which run of the test under that seed.
    pub run: u64,
    /// The strategy that found it, as on the command line.
    pub strategy: String,
    /// What else the run depends on, by name: expected choices, build options.
    pub config: BTreeMap<String, String>,
    /// What its log was made smaller from; `None` if it is as it was found.
    pub shrunk: Option<Origin>,
    /// The hash of its events; `None` if the process died.
    pub fingerprint: Option<Fingerprint>,
    /// The hash of its schedule; `None` if the process died.
    pub schedule: Option<Fingerprint>,
    /// What kind of failure: `panic`, `deadlock` and so on.
    pub kind: String,
    /// What the failure says.
    pub message: String,
    /// `file:line:column`, where known.
    pub location: Option<String>,
    /// The choices; `None` if the process died before they could be had.
    pub log: Option<Log>,
}

/// What a shrunk log comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// How many choices there were.
    pub choices: u64,
    /// How many runs it took.
    pub runs: u64,
}

impl Simtrace {
    /// Reads the text that [`Display`](core::fmt::Display) writes.
    ///
    /// # Errors
    /// Another version, a key that is unknown, missing or has a bad value, a broken line of the log, a
    /// missing end. The text names the line and says what to do.
    pub fn parse(text: &str) -> Result<Self, SimtraceError> {
        text::parse(text)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`Simtrace::parse`], and where the file cannot be read; the text names the file.
    pub fn read(path: &Path) -> Result<Self, SimtraceError> {
        let file = || path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|e| SimtraceError::Unreadable { file: file(), why: e.to_string() })?;
        Self::parse(&text)
            .map_err(|error| SimtraceError::In { file: file(), error: Box::new(error) })
    }

    /// A short hash of the failure's identity: test, kind, message without its digits, location.
    #[must_use]
    pub fn id(&self) -> String {
        let location = self.location.as_deref().unwrap_or_default();
        let parts = [self.test.as_str(), &self.kind, &normalise(&self.message), location];
        let hash = parts.into_iter().fold(0, |hash, part| mix::join(hash, mix::name(part)));
        format!("{:08x}", hash >> 32)
    }

    /// The name of its file: the test, then the [`id`](Self::id).
    #[must_use]
    pub fn file_name(&self) -> String {
        /// Most file systems end a name at 255 bytes; what is cut off the test's name is still part of the id.
        const TEST_LEN_MAX: usize = 180;
        let test: String = self.test.replace("::", ".").chars().map(file_char).collect();
        let start = test.len().saturating_sub(TEST_LEN_MAX);
        format!("{}-{}.simtrace", &test[start..], self.id())
    }

    /// Whether another end of a run is this failure: the same kind, and the same message but for digits.
    ///
    /// The place does not count: it moves with every edit above it.
    #[must_use]
    pub fn is_failure(&self, kind: &str, message: &str) -> bool {
        self.kind == kind && normalise(&self.message) == normalise(message)
    }

    /// Writes the file into `folder`, which is made where it does not exist, and returns its path.
    ///
    /// # Errors
    /// Where the file system refuses. The file is then as it was before.
    pub fn write_into(&self, folder: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join(self.file_name());
        self.write_to(&path).map(|()| path)
    }

    /// Writes the file as `path`.
    ///
    /// # Errors
    /// Where the file system refuses. The file is then as it was before.
    pub fn write_to(&self, path: &Path) -> io::Result<()> {
        // The process id keeps two processes that find the same failure out of each other's half-written file.
        let beside = path.with_file_name(format!(".{}.{}.tmp", self.id(), std::process::id()));
        let written =
            write_whole(&beside, &self.to_string()).and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            // The error to report is the first one; a leftover that cannot be removed either changes nothing.
            let _ = fs::remove_file(&beside);
        }
        written
    }
}

fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The failures stored for `test` in `folder`, ordered by name. Files that cannot be read as one are returned as errors.
///
/// # Errors
/// Where the folder exists but cannot be listed.
pub fn stored(
    folder: &Path,
    test: &str,
) -> io::Result<Vec<(PathBuf, Result<Simtrace, SimtraceError>)>> {
    let mut found = stored_all(folder)?;
    found.retain(|(path, read)| match read {
        Ok(failure) => failure.test == test,
        // A file that cannot be read concerns the test that its name begins with.
        Err(_) => is_named_after(path, test),
    });
    Ok(found)
}

/// Every failure stored in `folder`, ordered by name; none where there is no such folder.
///
/// # Errors
/// Where the folder exists but cannot be listed.
pub fn stored_all(folder: &Path) -> io::Result<Vec<(PathBuf, Result<Simtrace, SimtraceError>)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "simtrace"));
    paths.sort();
    Ok(paths.into_iter().map(|path| (path.clone(), Simtrace::read(&path))).collect())
}

fn is_named_after(path: &Path, test: &str) -> bool {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String = test.replace("::", ".").chars().map(file_char).collect();
    stem.rsplit_once('-').is_some_and(|(test, _)| test == name)
}

fn file_char(c: char) -> char {
    if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' }
}

/// A message without what changes between two finds of one failure: numbers, addresses, runs of white space.
#[must_use]
pub fn normalise(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message.trim();
    while let Some(c) = rest.chars().next() {
        let skipped = match c {
            '0'..='9' => {
                let hex = rest
                    .strip_prefix("0x")
                    .map_or(0, |digits| 2 + span(digits, |c| c.is_ascii_hexdigit()));
                hex.max(span(rest, |c| c.is_ascii_digit()))
            }
            c if c.is_whitespace() => {
                out.push(' ');
                span(rest, char::is_whitespace)
            }
            c => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[skipped..];
    }
    out
}

/// How many bytes at the beginning of `text` satisfy `like`.
fn span(text: &str, like: impl Fn(char) -> bool) -> usize {
    text.len() - text.trim_start_matches(like).len()
}
