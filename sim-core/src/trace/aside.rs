//! What a reader of a whole execution wants to know, and no fingerprint holds.

use crate::choice::Path;

/// Something said beside the events. None of it is hashed, and keeping it changes no choice.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Aside {
    /// `by`, which had the turn, made `whom` ready.
    Woke {
        /// How many events had happened before.
        after: u64,
        /// Who had the turn: a task, a thread, a flow of messages.
        by: Path,
        /// Who can run now.
        whom: Path,
    },
    /// An actor was spawned at a place of the source.
    Spawned {
        /// The new actor.
        actor: Path,
        /// `file:line:column`.
        place: String,
    },
    /// An actor used an object that others may use too.
    Touched {
        /// How many events had happened before.
        after: u64,
        /// Who used it.
        actor: Path,
        /// What sort of object it is, in the program's words.
        kind: String,
        /// Which of them, counted by first use.
        object: u64,
    },
    /// Where in the source an actor stood at the end of a turn that was asked for.
    Stood {
        /// Who.
        actor: Path,
        /// Which turn of its own.
        turn: u32,
        /// The frames of the program's own code, innermost first, a line each: `function` or `function at file:line`.
        place: String,
    },
}
