//! What can be wrong with a failure's file.

use super::VERSION;
use core::fmt;

/// Why a text is not the file of a failure, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SimtraceError {
    /// The first line is not `simtrace` and a number.
    NotASimtrace,
    /// It was written by another version.
    Version(u32),
    /// The last line is not `end`; `line` is where more was expected.
    Truncated {
        /// The line, counted from 1.
        line: usize,
    },
    /// No empty line parts the header from the log.
    NoLog {
        /// The line before which one is expected, counted from 1.
        line: usize,
    },
    /// A line of the header is not `key: value`.
    Header {
        /// The line, counted from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A key that this version does not know.
    Key {
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: String,
    },
    /// A key that stands there a second time.
    Twice {
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: &'static str,
    },
    /// A value that is not of its key's kind.
    Value {
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: String,
    },
    /// A key that must be there and is not.
    Missing(&'static str),
    /// A line of the log that cannot be read, in the words of [`crate::choice::LogError`].
    Choice(String),
    /// The file cannot be opened or is not text.
    Unreadable {
        /// The file.
        file: String,
        /// The system's words.
        why: String,
    },
    /// An error with the file it was found in.
    In {
        /// The file.
        file: String,
        /// What is wrong in it.
        error: Box<Self>,
    },
}

impl fmt::Display for SimtraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASimtrace => {
                write!(
                    f,
                    "line 1: not a recorded failure: its first line would be 'simtrace {VERSION}'"
                )
            }
            Self::Version(version) if *version > VERSION => write!(
                f,
                "line 1: version {version} was written by a newer version of the tool, this one reads {VERSION}: update it"
            ),
            Self::Version(version) => {
                write!(
                    f,
                    "line 1: version {version} is not known, this tool reads {VERSION}: find the failure again by its seed"
                )
            }
            Self::Truncated { line } => {
                write!(
                    f,
                    "line {line}: the file is cut short (its last line would be 'end'): restore it, or find the failure again by its seed"
                )
            }
            Self::NoLog { line } => {
                write!(
                    f,
                    "line {line}: no empty line before it parts the header from the choices: put one back"
                )
            }
            Self::Header { line, text } => write!(
                f,
                "line {line}: '{text}' is not 'key: value': remove the line or restore the file"
            ),
            Self::Key { line, key } => {
                write!(
                    f,
                    "line {line}: unknown key '{key}': remove the line, or update the tool if a newer one wrote it"
                )
            }
            Self::Twice { line, key } => {
                write!(f, "line {line}: '{key}' stands there a second time: remove one of the two")
            }
            Self::Value { line, key } => {
                write!(f, "line {line}: '{key}' has a value that cannot be read: restore the file")
            }
            Self::Missing(key) => write!(
                f,
                "the key '{key}' is missing: restore the file, or find the failure again by its seed"
            ),
            Self::Choice(error) => write!(
                f,
                "{error}: remove the line (it then counts as the dull answer) or restore the file"
            ),
            Self::Unreadable { file, why } => write!(f, "{file}: cannot be read: {why}"),
            Self::In { file, error } => write!(f, "{file}: {error}"),
        }
    }
}

impl core::error::Error for SimtraceError {}
