//! A node of Raft: a machine without a socket and without a clock (Ongaro and Ousterhout: In Search of an Understandable
//! Consensus Algorithm, USENIX ATC 2014, figure 2).
//!
//! - Whoever drives it lends it its disk for each call, sends what it has put into [`Node::outbox`], and calls [`Node::expire`] when its
//!   timer, of [`Node::patience`], has run out.
//! - A follower that hears of no leader becomes a candidate of the next term; a candidate with the votes of a majority leads;
//!   whoever hears of a later term follows.
//! - Never: two votes of one node in one term, or an entry of its own that a leader changes.

use super::message::{Entry, Index, Message, Position, Term};
use std::collections::BTreeSet;
use std::time::Duration;

/// How many nodes there are.
pub(super) const NODES: u32 = 3;
/// Who the client is where nodes are numbers.
pub(super) const CLIENT: u32 = NODES;
const MAJORITY: usize = NODES as usize / 2 + 1;
/// How often a leader says that it lives.
const HEARTBEAT: Duration = Duration::from_millis(50);
/// How long a follower hears nothing before it stands for election, at least; up to twice as long.
const ELECTION_MS: u64 = 50;
/// How many entries there are in a datagram at most.
const BATCH: usize = 1;
/// The command of an application on the node's own host; the client's begin at 1.
const LOCAL: u32 = 0;
/// In one of so many elections that application has had a command waiting for its node to lead.
const WAITING: u32 = 2;

/// What a node must not forget. It lives outside the host, and a write is durable at once: this example is not about disks.
#[derive(Debug, Default)]
pub(super) struct Disk {
    term: Term,
    vote: Option<u32>,
    log: Vec<Entry>,
}

impl Disk {
    fn last(&self) -> Position {
        let index = self.log.len() as Index;
        Position { term: self.term_at(index).expect("the last entry is there"), index }
    }

    /// The term of the entry at `index`, if the log reaches that far.
    fn term_at(&self, index: Index) -> Option<Term> {
        if index == 0 { Some(0) } else { self.log.get(index as usize - 1).map(|entry| entry.term) }
    }

    /// Puts what follows `previous` into the log. What is there already stays: the datagram may be an old one.
    fn put(&mut self, previous: Index, entries: &[Entry]) {
        for (index, &entry) in (previous as usize..).zip(entries) {
            if self.log.get(index).is_some_and(|there| there.term != entry.term) {
                self.log.truncate(index);
            }
            if self.log.len() == index {
                self.log.push(entry);
            }
        }
    }
}

/// Which entries a leader may take for committed once they are on a majority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The bug: all of them.
    AnyTerm,
    /// Those of its own term, and with them all before (section 5.4.2).
    OwnTerm,
}

#[derive(Debug)]
enum Role {
    Follower,
    Candidate {
        votes: BTreeSet<u32>,
    },
    /// By follower: the next entry to send, and up to where its log is known to be the leader's.
    Leader {
        next: [Index; NODES as usize],
        matched: [Index; NODES as usize],
    },
}

/// What becomes of the node's timer.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Timer {
    /// It runs on.
    RunsOn,
    /// It begins anew, with [`Node::patience`].
    BeginsAnew,
}

/// A node; see the module.
#[derive(Debug)]
pub(super) struct Node {
    id: u32,
    rule: Rule,
    role: Role,
    election: Duration,
    commit: Index,
    applied: Index,
    /// What is to be sent, and to whom.
    pub(super) outbox: Vec<(u32, Message)>,
}

impl Node {
    /// A node that has just started.
    pub(super) fn new(id: u32, rule: Rule) -> Self {
        let (role, election, outbox) = (Role::Follower, draw_election(id), Vec::new());
        Self { id, rule, role, election, commit: 0, applied: 0, outbox }
    }

    /// How long its timer is to run.
    pub(super) fn patience(&self) -> Duration {
        if matches!(self.role, Role::Leader { .. }) { HEARTBEAT } else { self.election }
    }

    /// The next entry to apply, with its index.
    pub(super) fn next_committed(&mut self, disk: &Disk) -> Option<(Index, Entry)> {
        let entry = *disk.log[..self.commit as usize].get(self.applied as usize)?;
        self.applied += 1;
        if matches!(self.role, Role::Leader { .. }) {
            self.outbox.push((CLIENT, Message::Applied(self.applied)));
        }
        Some((self.applied, entry))
    }

    /// Its timer has run out: a leader says that it lives, any other stands for election.
    pub(super) fn expire(&mut self, disk: &mut Disk) -> Timer {
        if matches!(self.role, Role::Leader { .. }) {
            self.others().for_each(|to| self.append(disk, to));
            return Timer::BeginsAnew;
        }
        (disk.term, disk.vote) = (disk.term + 1, Some(self.id));
        self.role = Role::Candidate { votes: BTreeSet::from([self.id]) };
        self.election = draw_election(self.id);
        let (term, last) = (disk.term, disk.last());
        self.outbox.extend(self.others().map(|to| (to, Message::AskVote { term, last })));
        Timer::BeginsAnew
    }

    /// Takes a message in.
    pub(super) fn receive(&mut self, disk: &mut Disk, from: u32, message: Message) -> Timer {
        let stepped_down = message.term().is_some_and(|term| self.learn_of(disk, term));
        let timer = match message {
            Message::Command(command) => self.take_in(disk, command),
            Message::AskVote { term, last } => self.vote(disk, from, term, last),
            Message::Vote { term, granted } if term == disk.term && granted => {
                self.count_vote(disk, from)
            }
            Message::Append { term, previous, entries, commit } => {
                let matched = (term == disk.term).then(|| self.take_over(disk, previous, &entries));
                let matched = matched.flatten();
                self.commit = matched.map_or(self.commit, |at| self.commit.max(commit.min(at)));
                self.outbox.push((from, Message::Appended { term: disk.term, matched }));
                if term == disk.term { Timer::BeginsAnew } else { Timer::RunsOn }
            }
            Message::Appended { term, matched } if term == disk.term => {
                self.note(disk, from, matched)
            }
            Message::Vote { .. } | Message::Appended { .. } | Message::Applied(_) => Timer::RunsOn,
        };
        if stepped_down { Timer::BeginsAnew } else { timer }
    }

    /// Follows, if `term` is a later one. Answers whether it led until now.
    fn learn_of(&mut self, disk: &mut Disk, term: Term) -> bool {
        if term <= disk.term {
            return false;
        }
        (disk.term, disk.vote) = (term, None);
        let led = matches!(self.role, Role::Leader { .. });
        self.role = Role::Follower;
        led
    }

    fn vote(&mut self, disk: &mut Disk, from: u32, term: Term, last: Position) -> Timer {
        let is_free = disk.vote.is_none_or(|vote| vote == from);
        let granted = term == disk.term && is_free && last >= disk.last();
        if granted {
            disk.vote = Some(from);
        }
        self.outbox.push((from, Message::Vote { term: disk.term, granted }));
        if granted { Timer::BeginsAnew } else { Timer::RunsOn }
    }

    fn count_vote(&mut self, disk: &mut Disk, from: u32) -> Timer {
        let Role::Candidate { votes } = &mut self.role else { return Timer::RunsOn };
        votes.insert(from);
        if votes.len() < MAJORITY {
            return Timer::RunsOn;
        }
        let next = [disk.last().index + 1; NODES as usize];
        self.role = Role::Leader { next, matched: [0; NODES as usize] };
        if sim::rand::chance(1, WAITING) {
            return self.take_in(disk, LOCAL);
        }
        self.others().for_each(|to| self.append(disk, to));
        Timer::BeginsAnew
    }

    /// A command, which is for the leader.
    fn take_in(&mut self, disk: &mut Disk, command: u32) -> Timer {
        if !matches!(self.role, Role::Leader { .. }) {
            return Timer::RunsOn;
        }
        disk.log.push(Entry { term: disk.term, command });
        self.others().for_each(|to| self.append(disk, to));
        Timer::BeginsAnew
    }

    /// Makes the log the leader's, from `previous` on. Answers up to where it is now; `None` if `previous` is not there.
    fn take_over(
        &mut self,
        disk: &mut Disk,
        previous: Position,
        entries: &[Entry],
    ) -> Option<Index> {
        self.role = Role::Follower;
        if disk.term_at(previous.index) != Some(previous.term) {
            return None;
        }
        disk.put(previous.index, entries);
        Some(previous.index + entries.len() as Index)
    }

    /// The answer of a follower: sends what it still lacks, and commits what a majority has.
    fn note(&mut self, disk: &Disk, from: u32, answer: Option<Index>) -> Timer {
        let Role::Leader { next, matched } = &mut self.role else { return Timer::RunsOn };
        let follower = from as usize;
        match answer {
            Some(index) => {
                matched[follower] = matched[follower].max(index);
                next[follower] = next[follower].max(index + 1);
                if next[follower] <= disk.last().index {
                    self.append(disk, from);
                }
                self.advance(disk);
            }
            None => {
                next[follower] = (next[follower] - 1).max(matched[follower] + 1);
                self.append(disk, from);
            }
        }
        Timer::RunsOn
    }

    /// Commits what is on a majority.
    fn advance(&mut self, disk: &Disk) {
        let Role::Leader { matched, .. } = &self.role else { return };
        let mut there = *matched;
        there[self.id as usize] = disk.last().index;
        there.sort_unstable();
        let on_majority = there[NODES as usize - MAJORITY];
        let may_commit = match self.rule {
            Rule::AnyTerm => true,
            Rule::OwnTerm => disk.term_at(on_majority) == Some(disk.term),
        };
        if may_commit {
            self.commit = self.commit.max(on_majority);
        }
    }

    /// Sends a follower what follows the entry that it is thought to have.
    fn append(&mut self, disk: &Disk, to: u32) {
        let Role::Leader { next, .. } = &self.role else { return };
        let index = next[to as usize] - 1;
        let previous = Position { term: disk.term_at(index).expect("a leader's own entry"), index };
        let entries = disk.log.iter().skip(index as usize).take(BATCH).copied().collect();
        let append = Message::Append { term: disk.term, previous, entries, commit: self.commit };
        self.outbox.push((to, append));
    }

    fn others(&self) -> impl Iterator<Item = u32> + use<> {
        let id = self.id;
        (0..NODES).filter(move |&node| node != id)
    }
}

/// Nodes wait for different times, or they would all stand at once and each vote for itself.
fn draw_election(id: u32) -> Duration {
    let stagger_ms = 10 * u64::from(id);
    Duration::from_millis(ELECTION_MS + stagger_ms + sim::rand::range(0..ELECTION_MS))
}
