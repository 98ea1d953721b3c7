//! The past of a run's end: what it can depend on at all.
//!
//! An execution is read backwards. Whoever is known to matter from some event on also mattered before it; whoever made such an
//! actor ready, spawned it, sent it a message or used an object before it did matters too. What is left are bystanders: their
//! choices can be made dull without a second look at most of them, and a story can do without them.
//!
//! The relation is what the events and asides show. Tasks of one process also share memory that no event shows, so a bystander is
//! a guess: a shrinker tries it, and a story shows what the choices touched in any case.

use sim_core::choice::{Answer, Answered, Key, Path};
use sim_core::trace::{Aside, Event, Kind, Recorded};
use std::collections::BTreeSet;

/// Which turns matter to the end of an execution.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Per event, whether it does.
    events: Vec<bool>,
    turns: BTreeSet<(Path, u32)>,
}

/// Who is known to matter, while the execution is read backwards.
#[derive(Debug, Default)]
struct Matters {
    actors: BTreeSet<Path>,
    objects: BTreeSet<u64>,
}

impl Past {
    /// The past of the end of `recorded`. Where the run was `stuck`, everybody who had not ended is part of that end.
    #[must_use]
    pub fn of(recorded: &Recorded, stuck: bool) -> Self {
        let holders = holders(&recorded.events);
        let mut matters =
            Matters { actors: culprits(&recorded.events, stuck), ..Matters::default() };
        let mut past = Self { events: vec![false; recorded.events.len()], ..Self::default() };
        let mut asides =
            recorded.asides.iter().rev().filter(|aside| after(aside).is_some()).peekable();
        for (number, event) in recorded.events.iter().enumerate().rev() {
            while let Some(aside) = asides.next_if(|aside| after(aside) > Some(number as u64)) {
                matters.hear(aside, holders[number]);
            }
            let holder = holders[number];
            past.events[number] = matters.see(event, holder);
            // A thread goes on behind a task that it drove.
            if event.kind == Kind::Call && past.events[number] && number > 0 {
                matters.actors.insert(holders[number - 1]);
            }
            if past.events[number] && event.kind == Kind::Poll {
                past.turns.insert((event.actor, event.object as u32));
            }
        }
        past
    }

    /// Whether event `number` is part of it.
    #[must_use]
    pub fn has(&self, number: usize) -> bool {
        self.events.get(number).copied().unwrap_or(false)
    }

    /// Whether a turn of an actor is part of it.
    #[must_use]
    pub fn has_turn(&self, turn: (Path, u32)) -> bool {
        self.turns.contains(&turn)
    }

    /// The entries of the log of `recorded` that were asked for outside of it.
    #[must_use]
    pub fn bystanders(&self, recorded: &Recorded) -> Vec<Key> {
        let is_bystander = |answered: &&Answered| {
            let actors = [answered.first.map(|(actor, _)| actor), who_ran(recorded, answered)];
            !self.has_turn(answered.turn)
                && self.is_a_task(recorded, answered.turn.0)
                && actors.into_iter().flatten().all(|actor| {
                    self.is_a_task(recorded, actor)
                        && !self.acts_after(recorded, answered.turn, actor)
                })
        };
        let bystanders = recorded.answered.iter().filter(is_bystander);
        bystanders.map(|answered| answered.key.clone()).collect()
    }

    /// Whether an actor's turns are a task's or a thread's; of a message's it is not known whom they concern.
    fn is_a_task(&self, recorded: &Recorded, actor: Path) -> bool {
        recorded.events.iter().any(|event| event.kind == Kind::Poll && event.actor == actor)
    }

    /// Whether the first turn of `actor` after the turn `given` is part of it.
    fn acts_after(&self, recorded: &Recorded, given: (Path, u32), actor: Path) -> bool {
        let is_turn = |event: &&Event| event.kind == Kind::Poll;
        let polls = recorded.events.iter().filter(is_turn);
        let mut after =
            polls.skip_while(|event| (event.actor, event.object as u32) != given).skip(1);
        after
            .find(|event| event.actor == actor)
            .is_some_and(|event| self.has_turn((actor, event.object as u32)))
    }
}

/// Who ran by a scheduling answer.
fn who_ran(recorded: &Recorded, answered: &Answered) -> Option<Path> {
    match &answered.answer {
        Answer::Actor(actor, _) => {
            let known = recorded.names.iter().find(|(_, text)| **text == **actor);
            Some(known.map_or_else(|| Path::parse(actor), |(path, _)| path))
        }
        Answer::Value(_) => None,
    }
}

fn after(aside: &Aside) -> Option<u64> {
    match aside {
        Aside::Woke { after, .. } | Aside::Touched { after, .. } => Some(*after),
        _ => None,
    }
}

impl Matters {
    /// An aside of a turn of `holder`, read backwards.
    fn hear(&mut self, aside: &Aside, holder: Path) {
        match aside {
            // A thread that drives a task wakes on its behalf.
            Aside::Woke { by, whom, .. } if self.actors.contains(whom) => {
                self.actors.extend([*by, holder]);
            }
            Aside::Touched { actor, object, .. } => {
                if self.actors.contains(actor) {
                    self.objects.insert(*object);
                } else if self.objects.contains(object) {
                    self.actors.insert(*actor);
                }
            }
            _ => {}
        }
    }

    /// An event in a turn of `holder`, read backwards; whether it matters.
    fn see(&mut self, event: &Event, holder: Path) -> bool {
        let matters = self.actors.contains(&event.actor);
        match event.kind {
            // Before it was spawned it was not there.
            Kind::Spawn if matters => {
                self.actors.insert(holder);
                self.actors.remove(&event.actor);
            }
            Kind::Send | Kind::Drop if matters => {
                self.actors.insert(holder);
            }
            _ => {}
        }
        matters || self.actors.contains(&holder) && holder == event.actor
    }
}

/// For each event, who had the turn.
fn holders(events: &[Event]) -> Vec<Path> {
    let mut holder = Path::WORLD;
    let mut holders = Vec::with_capacity(events.len());
    for event in events {
        if matches!(
            event.kind,
            Kind::Poll | Kind::Timer | Kind::Deliver | Kind::KernelTimer | Kind::Call
        ) {
            holder = event.actor;
        }
        holders.push(holder);
    }
    holders
}

/// Who ended the run: a task that panicked, else whoever had the last turn; where nobody could go on, all who had not ended.
fn culprits(events: &[Event], stuck: bool) -> BTreeSet<Path> {
    const PANICKED: u64 = 2;
    if stuck {
        let of = |kind| events.iter().filter(move |event| event.kind == kind).map(|e| e.actor);
        let ended: BTreeSet<Path> = of(Kind::End).collect();
        return of(Kind::Poll).filter(|actor| !ended.contains(actor)).collect();
    }
    let panicked =
        events.iter().rev().find(|event| event.kind == Kind::End && event.object == PANICKED);
    let last = || events.iter().rev().find(|event| event.kind == Kind::Poll);
    panicked.or_else(last).map(|event| event.actor).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::choice::Names;
    use sim_time::Instant;

    fn path(name: &str) -> Path {
        Path::WORLD.child(name, 0)
    }

    fn event(kind: Kind, actor: &str, object: u64) -> Event {
        Event { at: Instant::ZERO, kind, actor: path(actor), object, len: 0, data: 0 }
    }

    /// Main spawns three; `a` wakes `b`, `c` has nothing to do with either; `b` panics.
    fn recorded() -> Recorded {
        let events = vec![
            event(Kind::Poll, "main", 1),
            event(Kind::Spawn, "a", 0),
            event(Kind::Spawn, "b", 0),
            event(Kind::Spawn, "c", 0),
            event(Kind::Poll, "c", 1),
            event(Kind::Poll, "a", 1),
            event(Kind::Poll, "c", 2),
            event(Kind::Poll, "b", 1),
            event(Kind::End, "b", 2),
        ];
        let asides = vec![Aside::Woke { after: 6, by: path("a"), whom: path("b") }];
        let ran = |giver: &str, turn, actor: &str, ordinal, first: &str| Answered {
            key: Key { site: "sched.next".into(), path: giver.into(), occurrence: turn },
            answer: Answer::Actor(actor.into(), ordinal),
            turn: (path(giver), turn),
            first: Some((path(first), 1)),
        };
        let answered = vec![ran("main", 1, "c", 1, "a"), ran("c", 1, "c", 2, "c")];
        let mut names = Names::default();
        names.keep();
        for name in ["main", "a", "b", "c"] {
            names.note(path(name), Path::WORLD, name, 0);
        }
        Recorded { events, asides, answered, names, ..Recorded::default() }
    }

    #[test]
    fn wakes_and_spawns_lead_back_and_bystanders_are_told_apart() {
        let recorded = recorded();
        let past = Past::of(&recorded, false);
        let matter: Vec<usize> = (0..recorded.events.len()).filter(|n| past.has(*n)).collect();
        assert_eq!(matter, [0, 1, 2, 5, 7, 8]);
        let bystanders = past.bystanders(&recorded);
        assert_eq!(bystanders.len(), 1, "main's matters since main does: {bystanders:?}");
        assert_eq!((&*bystanders[0].path, bystanders[0].occurrence), ("c", 1));
    }

    #[test]
    fn objects_in_common_lead_back_too() {
        let mut recorded = recorded();
        let touched = |after, actor| {
            let kind = String::from("Mutex");
            Aside::Touched { after, actor: path(actor), kind, object: 7 }
        };
        recorded.asides = vec![touched(5, "c"), touched(8, "b")];
        let past = Past::of(&recorded, false);
        assert!(past.has(4) && !past.has(5) && !past.has(6), "c's first turn, not its second");
    }

    #[test]
    fn where_nobody_goes_on_everybody_matters() {
        let mut recorded = recorded();
        recorded.events.pop();
        let past = Past::of(&recorded, true);
        assert!((0..recorded.events.len()).all(|number| past.has(number)));
    }
}
