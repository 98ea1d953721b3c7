//! What nodes and the client tell each other: a datagram each, of big-endian words of 32 bits.

/// A leader's time in office. Nobody leads in term 0.
pub(super) type Term = u32;
/// A place in the log, counted from 1; 0 is before the first entry.
pub(super) type Index = u32;

/// A command, and the term whose leader took it in. Two entries of one index and one term are the same entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) term: Term,
    pub(super) command: u32,
}

/// Which entry is where: what is compared of two logs. The order is that of elections: the later term wins, then the longer log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) term: Term,
    pub(super) index: Index,
}

/// One datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// The client to everybody, since it does not know who leads.
    Command(u32),
    /// A candidate to everybody: the last entry of its log.
    AskVote { term: Term, last: Position },
    /// The answer.
    Vote { term: Term, granted: bool },
    /// A leader to a follower: what follows `previous` in its log, and how much is committed. Without entries it says that it lives.
    Append { term: Term, previous: Position, entries: Vec<Entry>, commit: Index },
    /// The answer: up to where the follower's log is now the leader's, or `None` if it lacks `previous`.
    Appended { term: Term, matched: Option<Index> },
    /// A leader to the client: it has applied the entry of this index.
    Applied(Index),
}

impl Message {
    /// The term of whoever sent it; a client has none.
    pub(super) fn term(&self) -> Option<Term> {
        match self {
            Self::Command(_) | Self::Applied(_) => None,
            Self::AskVote { term, .. }
            | Self::Vote { term, .. }
            | Self::Append { term, .. }
            | Self::Appended { term, .. } => Some(*term),
        }
    }

    /// The datagram in which `sender` sends it.
    pub(super) fn write(&self, sender: u32) -> Vec<u8> {
        let mut words = vec![sender];
        match self {
            Self::Command(command) => words.extend([0, *command]),
            Self::AskVote { term, last } => words.extend([1, *term, last.term, last.index]),
            Self::Vote { term, granted } => words.extend([2, *term, u32::from(*granted)]),
            Self::Append { term, previous, entries, commit } => {
                words.extend([3, *term, previous.term, previous.index, *commit]);
                words.extend(entries.iter().flat_map(|entry| [entry.term, entry.command]));
            }
            Self::Appended { term, matched: None } => words.extend([4, *term]),
            Self::Appended { term, matched: Some(index) } => words.extend([4, *term, *index]),
            Self::Applied(index) => words.extend([5, *index]),
        }
        words.into_iter().flat_map(u32::to_be_bytes).collect()
    }

    /// Reads a datagram: its sender, and what it says.
    ///
    /// # Panics
    /// If no node wrote it.
    pub(super) fn read(datagram: &[u8]) -> (u32, Self) {
        let word = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four bytes"));
        let words: Vec<u32> = datagram.chunks(4).map(word).collect();
        let message = match words[1..] {
            [0, command] => Self::Command(command),
            [1, term, last_term, index] => {
                Self::AskVote { term, last: Position { term: last_term, index } }
            }
            [2, term, granted] => Self::Vote { term, granted: granted == 1 },
            [3, term, previous, index, commit, ref entries @ ..] => Self::Append {
                term,
                previous: Position { term: previous, index },
                entries: entries.chunks(2).map(|e| Entry { term: e[0], command: e[1] }).collect(),
                commit,
            },
            [4, term] => Self::Appended { term, matched: None },
            [4, term, index] => Self::Appended { term, matched: Some(index) },
            [5, index] => Self::Applied(index),
            _ => panic!("{words:?} is no message"),
        };
        (words[0], message)
    }
}
