//! An execution cut into turns: who acted, when, and what came of it, in a few words.

use sim_core::choice::Path;
use sim_core::trace::{Aside, Call, Event, Kind, Recorded};
use std::collections::BTreeMap;
use std::ops::Range;

/// A turn by name: what it is, whose, which.
pub(crate) type Named = (Kind, Path, u32);

/// A turn of a task or thread, or something that happened by itself: a message arrived, a timer ran out.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// Whose.
    pub(crate) actor: Path,
    /// Which of its own; for a message its number on its flow.
    pub(crate) number: u32,
    /// What began it: a task or thread that was polled, a message that arrived, a timer that was due.
    pub(crate) kind: Kind,
    /// The first event.
    pub(crate) first: usize,
    /// One past the last.
    pub(crate) end: usize,
}

impl Turn {
    /// Whether it is this turn of a task or thread.
    pub(crate) fn is(&self, turn: (Path, u32)) -> bool {
        self.is_poll() && (self.actor, self.number) == turn
    }

    /// Whether it is a task's or a thread's.
    pub(crate) fn is_poll(&self) -> bool {
        self.kind == Kind::Poll
    }

    /// What tells it from all others.
    pub(crate) fn named(&self) -> Named {
        (self.kind, self.actor, self.number)
    }

    pub(crate) fn events(&self) -> Range<usize> {
        self.first..self.end
    }
}

/// Whether an event of this kind begins a turn.
fn begins(kind: Kind) -> bool {
    matches!(kind, Kind::Poll | Kind::Deliver | Kind::Timer | Kind::KernelTimer | Kind::Complete)
}

/// The turns of an execution in order. What happened before the first of them is nobody's.
pub(crate) fn of(recorded: &Recorded) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for (number, event) in recorded.events.iter().enumerate() {
        if begins(event.kind) {
            turns.push(Turn {
                actor: event.actor,
                number: event.object as u32,
                kind: event.kind,
                first: number,
                end: number,
            });
        }
        if let Some(turn) = turns.last_mut() {
            turn.end = number + 1;
        }
    }
    turns
}

/// The turn that `actor` had next after the turn `giver`: a scheduling choice names who ran, and a message's number, but not
/// which turn of a task that was.
pub(crate) fn next_of(turns: &[Turn], giver: (Path, u32), actor: (Path, u32)) -> Option<Named> {
    let given = turns.iter().position(|turn| (turn.actor, turn.number) == giver);
    let after = &turns[given.map_or(0, |at| at + 1)..];
    let is_it = |turn: &&Turn| turn.actor == actor.0 && (turn.is_poll() || turn.number == actor.1);
    after.iter().find(is_it).map(Turn::named)
}

/// The first turns in which two executions part: ours, and theirs.
pub(crate) fn parted(ours: &[Turn], theirs: &[Turn]) -> Option<(Named, Named)> {
    let mut both = ours.iter().zip(theirs);
    let (ours, theirs) = both.find(|(ours, theirs)| ours.named() != theirs.named())?;
    Some((ours.named(), theirs.named()))
}

/// The turn of a task that stands behind a turn: itself, the one that waits for the timer, the one that sent the message.
pub(crate) fn behind(turns: &[Turn], recorded: &Recorded, named: Named) -> Option<(Path, u32)> {
    let (kind, actor, number) = named;
    let at = turns.iter().position(|turn| turn.named() == named);
    let poll = match kind {
        Kind::Poll => return Some((actor, number)),
        Kind::Timer => turns[..at?].iter().rev().find(|turn| turn.is_poll() && turn.actor == actor),
        Kind::Deliver => {
            let is_sending = |event: &Event| {
                event.kind == Kind::Send
                    && event.actor == actor
                    && event.object == u64::from(number)
            };
            turns.iter().find(|turn| {
                turn.is_poll() && recorded.events[turn.events()].iter().any(is_sending)
            })
        }
        _ => None,
    };
    poll.map(|turn| (turn.actor, turn.number))
}

/// What a turn came to, in the words of its events; `name` is how an actor is called.
pub(crate) fn told(turn: &Turn, recorded: &Recorded, name: &dyn Fn(Path) -> String) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut calls: BTreeMap<&str, u32> = BTreeMap::new();
    let mut spawned = Vec::new();
    for event in &recorded.events[turn.events()] {
        match event.kind {
            Kind::Spawn => spawned.push(name(event.actor)),
            Kind::Call if !is_quiet(event) => {
                let call = Call::from_number(event.object).map_or("call", Call::name);
                *calls.entry(call).or_default() += 1;
            }
            // Through a pipe or to itself: the call says it.
            Kind::Send if event.actor == turn.actor => {}
            _ => parts.extend(told_event(event, name)),
        }
    }
    if !calls.is_empty() {
        let call = |(name, count): (&&str, &u32)| match count {
            1 => (*name).to_owned(),
            count => format!("{name} ×{count}"),
        };
        parts.insert(0, calls.iter().map(call).collect::<Vec<_>>().join(", "));
    }
    if !spawned.is_empty() {
        parts.insert(0, format!("spawns {}", few(&spawned)));
    }
    let woken = woken(turn, recorded, name);
    if !woken.is_empty() {
        parts.push(format!("wakes {}", few(&woken)));
    }
    parts.extend(used(turn, recorded));
    parts.dedup();
    parts.join("; ")
}

/// Calls that are made by the way, and say nothing of what a program does. Eight bytes are written to wake a thread.
fn is_quiet(event: &Event) -> bool {
    const QUIET: [Call; 7] = [
        Call::Epoll,
        Call::SetOption,
        Call::GetOption,
        Call::Dup,
        Call::EventFd,
        Call::SocketPair,
        Call::Close,
    ];
    let wakes = event.object == Call::Write as u64 && event.len == 8;
    wakes || QUIET.iter().any(|call| *call as u64 == event.object)
}

fn told_event(event: &Event, name: &dyn Fn(Path) -> String) -> Option<String> {
    let Event { kind, object, len, data, .. } = event;
    let flow = || name(event.actor);
    Some(match kind {
        Kind::Send if *len > 0 => format!("sends #{object} of {len} B"),
        Kind::Deliver if *len > 0 => format!("#{object} of {len} B arrives from {}", flow()),
        Kind::Deliver => format!("#{object} arrives from {}", flow()),
        Kind::Drop => {
            let why = ["lost", "cut off", "to no host", "no room"].get(*data as usize);
            format!("#{object} of {len} B is {}", why.unwrap_or(&"lost"))
        }
        Kind::Timer => format!("timer #{object} of {} is due", flow()),
        Kind::KernelTimer => format!("a timer of the kernel is due, for {}", flow()),
        Kind::Complete => format!("an operation is done, {len} B"),
        Kind::End => match object {
            0 => String::from("ends"),
            1 => String::from("is cancelled"),
            _ => String::from("panics"),
        },
        Kind::HostUp => String::from("the host starts"),
        Kind::HostCrash => String::from("the host crashes"),
        Kind::Fault if *len > 0 => String::from("a fault begins"),
        Kind::Fault => String::from("a fault ends"),
        Kind::Observe => format!("observes {data:x}"),
        _ => return None,
    })
}

/// Whom a turn made ready, by name.
fn woken(turn: &Turn, recorded: &Recorded, name: &dyn Fn(Path) -> String) -> Vec<String> {
    let range = turn.first as u64 + 1..=turn.end as u64;
    let mut woken: Vec<String> = Vec::new();
    for aside in &recorded.asides {
        if let Aside::Woke { after, by, whom } = aside
            && range.contains(after)
            && *by == turn.actor
            && by != whom
        {
            let whom = name(*whom);
            if !whom.is_empty() && !woken.contains(&whom) {
                woken.push(whom);
            }
        }
    }
    woken
}

/// The objects of its runtime that a turn used.
fn used(turn: &Turn, recorded: &Recorded) -> Option<String> {
    let objects = objects(turn, recorded);
    (!objects.is_empty()).then(|| format!("uses {}", few(&objects)))
}

/// The objects that a turn used, in order: `kind 3`.
pub(crate) fn objects(turn: &Turn, recorded: &Recorded) -> Vec<String> {
    let range = turn.first as u64 + 1..=turn.end as u64;
    let mut used: Vec<(u64, String)> = Vec::new();
    for aside in &recorded.asides {
        if let Aside::Touched { after, actor, kind, object } = aside
            && range.contains(after)
            && *actor == turn.actor
        {
            // A lock that is made of a semaphore is one object: the outer name is the program's.
            if used.last().is_none_or(|(last, _)| last != object) {
                used.push((*object, format!("{kind} {object}")));
            }
        }
    }
    let mut names: Vec<String> = Vec::new();
    for (_, name) in used {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// At most three of them.
fn few(names: &[String]) -> String {
    const FEW: usize = 3;
    match names.len().saturating_sub(FEW) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..FEW].join(", ")),
    }
}
