//! The story of a failure: what mattered, who did it, which choices made it so. Pure: from an execution to texts.

mod words;

use super::turns::{self, Named, Turn};
use crate::sentence;
use serde::Serialize;
use sim_core::choice::{Answer, Answered, Concern, Key, Log, Path};
use sim_core::trace::{Aside, Kind, Recorded};
use sim_explore::past::Past;
use std::collections::{BTreeMap, BTreeSet};
use words::{plain, shortened, without_column};

/// How many turns are shown before those between are left out.
const SHOWN: usize = 48;
/// How many columns there are at most; what is beyond has none of its own.
const COLUMNS: usize = 10;

/// What is told.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Story {
    pub(crate) test: String,
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) location: Option<String>,
    /// What it takes, in one sentence.
    pub(crate) sentence: String,
    /// How the log came to be what it is; empty if it is as it was found.
    pub(crate) shrunk: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
    pub(crate) choices: Vec<Choice>,
    /// The two that must not come in this order; `None` where no single choice turns the verdict.
    pub(crate) pair: Option<Pair>,
    pub(crate) remarks: Vec<String>,
    pub(crate) replay: String,
    pub(crate) debug: String,
}

/// An actor.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Column {
    /// The letter in the diagram.
    pub(crate) letter: String,
    /// Its path, shortened.
    pub(crate) name: String,
    /// The path as it is in the log.
    pub(crate) path: String,
    /// Where in the source it was spawned.
    pub(crate) spawned: Option<String>,
}

/// A turn in the diagram, or how many are left out here.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) event: usize,
    pub(crate) seconds: String,
    /// Whose column; `None` for what has none.
    pub(crate) column: Option<usize>,
    pub(crate) text: String,
    /// The choices made in it or leading to it.
    pub(crate) marks: Vec<usize>,
    /// Whether it is one of the critical pair.
    pub(crate) critical: bool,
    /// How many turns are left out, instead of a turn.
    pub(crate) left_out: usize,
}

/// A choice that was not dull.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Choice {
    pub(crate) number: usize,
    pub(crate) entry: String,
    pub(crate) text: String,
}

/// Two turns whose order decides.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Pair {
    pub(crate) first: String,
    pub(crate) second: String,
    /// The choice that puts them in this order.
    pub(crate) choice: usize,
}

/// The choice that turns the verdict, and the turns whose order it decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Critical<'a> {
    pub(crate) key: &'a Key,
    /// The one that must not come first, and the one that must.
    pub(crate) pair: Option<(Named, Named)>,
}

/// The turn that a scheduling answer gave.
pub(crate) fn ran(recorded: &Recorded, turns: &[Turn], answered: &Answered) -> Option<Named> {
    let Answer::Actor(actor, ordinal) = &answered.answer else { return None };
    let known = recorded.names.iter().find(|(_, text)| **text == **actor);
    let path = known.map_or_else(|| Path::parse(actor), |(path, _)| path);
    turns::next_of(turns, answered.turn, (path, *ordinal))
}

/// The turn that a scheduling answer put off; named also where the run ended before it came.
pub(crate) fn put_off(turns: &[Turn], answered: &Answered) -> Option<Named> {
    let (actor, number) = answered.first?;
    turns::next_of(turns, answered.turn, (actor, number)).or(Some((Kind::Poll, actor, number)))
}

/// The turns of tasks of which a reader wants to know where in the source they end.
pub(crate) fn wanted(
    recorded: &Recorded,
    critical: Option<&Critical<'_>>,
) -> BTreeSet<(Path, u32)> {
    let turns = turns::of(recorded);
    let mut wanted = BTreeSet::new();
    for answered in &recorded.answered {
        wanted.extend(turns.iter().find(|turn| turn.is(answered.turn)).map(Turn::named));
        wanted.extend(ran(recorded, &turns, answered));
        wanted.extend(put_off(&turns, answered));
    }
    let pair = critical.and_then(|critical| critical.pair);
    wanted.extend(pair.into_iter().flat_map(|(first, second)| [first, second]));
    wanted.into_iter().filter_map(|named| turns::behind(&turns, recorded, named)).collect()
}

/// The teller of one story.
pub(crate) struct Teller<'a> {
    recorded: &'a Recorded,
    turns: Vec<Turn>,
    columns: Vec<Path>,
    letters: BTreeMap<Path, String>,
    spawned: BTreeMap<Path, &'a str>,
    stood: BTreeMap<(Path, u32), &'a str>,
    pair: Option<(Named, Named)>,
    critical: Option<&'a Key>,
    /// The turns of tasks that choices and the pair are about.
    keys: BTreeSet<(Path, u32)>,
    past: Past,
}

impl<'a> Teller<'a> {
    /// Takes in an execution that ended `stuck` or not.
    pub(crate) fn new(
        recorded: &'a Recorded,
        stuck: bool,
        critical: Option<&'a Critical<'a>>,
    ) -> Self {
        let (mut spawned, mut stood) = (BTreeMap::new(), BTreeMap::new());
        for aside in &recorded.asides {
            match aside {
                Aside::Spawned { actor, place } => _ = spawned.insert(*actor, place.as_str()),
                Aside::Stood { actor, turn, place } => {
                    _ = stood.insert((*actor, *turn), place.as_str());
                }
                _ => {}
            }
        }
        let turns = turns::of(recorded);
        let mut teller = Self {
            recorded,
            columns: Vec::new(),
            letters: BTreeMap::new(),
            spawned,
            stood,
            pair: critical.and_then(|critical| critical.pair),
            turns,
            critical: critical.map(|critical| critical.key),
            keys: wanted(recorded, critical),
            past: Past::of(recorded, stuck),
        };
        teller.name();
        teller
    }

    /// Gives letters to the actors that are shown, those first that act first.
    fn name(&mut self) {
        let shown: Vec<usize> = self.shown();
        let mut actors: Vec<Path> = Vec::new();
        let is_key = |actor: &Path| self.keys.iter().any(|(key, _)| key == actor);
        let mut candidates: Vec<Path> = Vec::new();
        for turn in shown.iter().map(|at| &self.turns[*at]).filter(|turn| turn.is_poll()) {
            if !candidates.contains(&turn.actor) {
                candidates.push(turn.actor);
            }
        }
        actors.extend(candidates.iter().filter(|actor| is_key(actor)).take(COLUMNS));
        let others = candidates.iter().filter(|actor| !is_key(actor));
        actors.extend(others.take(COLUMNS.saturating_sub(actors.len())));
        actors.sort_by_key(|actor| candidates.iter().position(|known| known == actor));
        for (at, actor) in actors.iter().enumerate() {
            self.letters.insert(*actor, char::from(b'A' + at as u8).to_string());
        }
        self.columns = actors;
    }

    /// The turns that are shown: those of the failure's past, and those of its choices; where they are too many, those around the
    /// choices and the last.
    fn shown(&self) -> Vec<usize> {
        let is_pair = |turn: &Turn| {
            self.pair.is_some_and(|(first, second)| [first, second].contains(&turn.named()))
        };
        let matters = |turn: &Turn| {
            self.is_key(turn)
                || is_pair(turn)
                || (turn.events().any(|event| self.past.has(event)) && !self.is_idle(turn))
        };
        let all: Vec<usize> =
            (self.begin()..self.turns.len()).filter(|at| matters(&self.turns[*at])).collect();
        if all.len() <= SHOWN {
            return all;
        }
        let keys: BTreeSet<usize> = (0..all.len())
            .filter(|at| self.is_key(&self.turns[all[*at]]) || is_pair(&self.turns[all[*at]]))
            .collect();
        let near = |at: usize| keys.iter().any(|key| key.abs_diff(at) <= 1);
        let last = all.len() - 6;
        let kept = (0..all.len()).filter(|at| *at < 2 || *at >= last || near(*at));
        kept.map(|at| all[at]).collect()
    }

    /// The turn that spawned the first actor of a choice: what was before it is how a test comes to be run.
    fn begin(&self) -> usize {
        let is_key = |actor: &Path| self.keys.iter().any(|(key, _)| key == actor);
        let spawned = |event: usize| {
            let event = &self.recorded.events[event];
            event.kind == Kind::Spawn && is_key(&event.actor)
        };
        let spawns = |turn: &Turn| turn.events().any(spawned) || self.is_key(turn);
        self.turns.iter().position(spawns).unwrap_or(0)
    }

    fn is_key(&self, turn: &Turn) -> bool {
        turn.is_poll() && self.keys.contains(&(turn.actor, turn.number))
    }

    /// Whether nothing is to be told of a turn: its task looked, and waited on.
    fn is_idle(&self, turn: &Turn) -> bool {
        turn.is_poll() && turns::told(turn, self.recorded, &|path| self.short(path)).is_empty()
    }

    /// How an actor is called in texts: by its letter, else by its name; a flow of messages by whoever opened its socket.
    fn short(&self, path: Path) -> String {
        match self.letters.get(&path) {
            Some(letter) => letter.clone(),
            None => self.short_text(&self.recorded.names.text(path)),
        }
    }

    fn short_text(&self, text: &str) -> String {
        let Some((opener, socket)) = text.split_once("/socket") else {
            let letter = self.letters.get(&Path::parse(text));
            return letter.cloned().unwrap_or_else(|| shortened(text));
        };
        let known = |path: &&Path| self.recorded.names.text(**path) == opener;
        let letter = self.letters.keys().find(known).map(|path| self.letters[path].clone());
        let opener = letter.unwrap_or_else(|| shortened(opener));
        match socket.strip_suffix("/peer") {
            Some(number) => format!("the peer of {opener}'s socket{number}"),
            None => format!("{opener}'s socket{socket}"),
        }
    }

    /// A turn in a text: whose, which, and where it stands in the source at its end.
    fn turn(&self, (kind, actor, number): Named) -> String {
        let name = self.short(actor);
        match kind {
            Kind::Poll => {}
            Kind::Timer | Kind::KernelTimer => {
                return format!("timer #{number} of {name}{}", self.behind((kind, actor, number)));
            }
            Kind::Complete => return format!("the end of operation #{number} of {name}"),
            _ => {
                return format!(
                    "message #{number} from {name}{}",
                    self.behind((kind, actor, number))
                );
            }
        }
        let exists = self.turns.iter().any(|turn| turn.is((actor, number)));
        let place = match (self.place((actor, number)), self.spawned.get(&actor)) {
            (Some(place), _) => format!(" at {place}"),
            (None, Some(spawned)) if exists => {
                format!(" (spawned at {})", without_column(spawned))
            }
            (None, _) => String::new(),
        };
        match exists {
            true => format!("{name} turn {number}{place}"),
            false => format!("{name}, which had no turn any more,"),
        }
    }

    /// The turn that a timer or a message comes from.
    fn behind(&self, named: Named) -> String {
        let turn = turns::behind(&self.turns, self.recorded, named);
        let sent = turn.map(|(actor, number)| self.turn((Kind::Poll, actor, number)));
        let how = if named.0 == Kind::Timer { "for which it waits since" } else { "sent in" };
        sent.map_or_else(String::new, |sent| format!(", {how} {sent}"))
    }

    /// The turn of this actor and number, of whatever kind it was.
    fn asked_in(&self, (actor, number): (Path, u32)) -> String {
        let turn = self.turns.iter().find(|turn| (turn.actor, turn.number) == (actor, number));
        match turn {
            Some(turn) => self.turn(turn.named()),
            None if actor == Path::WORLD => String::from("the beginning"),
            None => format!("{} turn {number}", self.short(actor)),
        }
    }

    /// Where in the source a turn ends: the innermost frame of the program's own code.
    fn place(&self, turn: (Path, u32)) -> Option<String> {
        let frame = self.stood.get(&turn)?.lines().next()?;
        Some(match frame.rsplit_once(" at ") {
            Some((function, place)) => format!("{place} in {}", plain(function)),
            None => format!("{} (no line: built without debug information)", plain(frame)),
        })
    }

    /// Where the program spawned an actor. The root was not, and what `sim` itself spawns lies in its own sources.
    fn spawned_at(&self, path: &Path) -> Option<&str> {
        let is_root = !self.recorded.names.text(*path).contains('/');
        let is_ours = |place: &str| {
            place.starts_with('/')
                && (place.contains("/sim/src/") || place.contains("/sim-core/src/"))
        };
        let place = self.spawned.get(path).filter(|place| !is_root && !is_ours(place))?;
        Some(without_column(place))
    }

    /// The columns.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let text = |path: &Path| self.recorded.names.text(*path);
        let name = |path: &Path| {
            let short = shortened(&text(path));
            let is_alone =
                self.columns.iter().filter(|other| shortened(&text(other)) == short).count() < 2;
            if is_alone { short } else { text(path) }
        };
        let column = |path: &Path| {
            let text = text(path);
            Column {
                letter: self.short(*path),
                name: name(path),
                path: text,
                spawned: self.spawned_at(path).map(str::to_owned),
            }
        };
        self.columns.iter().map(column).collect()
    }

    /// The choices, numbered in the order in which they were made.
    pub(crate) fn choices(&self) -> Vec<Choice> {
        let choice = |(at, answered): (usize, &Answered)| {
            let log: Log = [(answered.key.clone(), answered.answer.clone())].into_iter().collect();
            let entry = log.to_string().trim_end().to_owned();
            Choice { number: at + 1, entry, text: self.told(answered) }
        };
        self.recorded.answered.iter().enumerate().map(choice).collect()
    }

    /// The pair, with the number of the choice that puts it in order.
    pub(crate) fn pair(&self) -> Option<Pair> {
        let (first, second) = self.pair?;
        let choice = self.recorded.answered.iter().position(|a| Some(&a.key) == self.critical)? + 1;
        Some(Pair { first: self.turn(first), second: self.turn(second), choice })
    }

    /// The rows of the diagram.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut before = None;
        for at in self.shown() {
            let left_out = before.map_or(0, |before: usize| at - before - 1);
            let relevant = (at - left_out..at).filter(|at| {
                self.turns[*at].events().any(|event| self.past.has(event))
                    && !self.is_idle(&self.turns[*at])
            });
            let left_out = relevant.count();
            if left_out > 0 {
                rows.push(Row { left_out, ..self.row(at) });
            }
            rows.push(self.row(at));
            before = Some(at);
        }
        rows
    }

    fn row(&self, at: usize) -> Row {
        let turn = &self.turns[at];
        let event = &self.recorded.events[turn.first];
        let is_pair = |pair: &(Named, Named)| [pair.0, pair.1].contains(&turn.named());
        let told = turns::told(turn, self.recorded, &|path| self.short(path));
        let text = match turn.is_poll() {
            true if told.is_empty() => format!("turn {}", turn.number),
            true => format!("turn {}: {told}", turn.number),
            false => told,
        };
        Row {
            event: turn.first,
            seconds: event.at.to_string(),
            column: self.columns.iter().position(|actor| *actor == turn.actor && turn.is_poll()),
            text,
            marks: self.marks(turn),
            critical: self.pair.as_ref().is_some_and(is_pair),
            left_out: 0,
        }
    }

    /// The choices that a turn was given by, and those that were made in it.
    fn marks(&self, turn: &Turn) -> Vec<usize> {
        let is_here = |answered: &Answered| match Concern::of(&answered.key.site) {
            Concern::Schedule => ran(self.recorded, &self.turns, answered) == Some(turn.named()),
            _ => (turn.actor, turn.number) == answered.turn,
        };
        let all = self.recorded.answered.iter().enumerate();
        all.filter(|(_, answered)| is_here(answered)).map(|(at, _)| at + 1).collect()
    }

    /// Remarks about what is not there.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let bare = self
            .stood
            .values()
            .any(|place| place.lines().next().is_some_and(|frame| !frame.contains(" at ")));
        if bare {
            remarks.push(String::from(
                "places are named by function: build with debug = \"line-tables-only\" in the profile to see lines",
            ));
        }
        let ended =
            self.recorded.events.iter().filter(|event| event.kind == Kind::HostCrash).count();
        if ended > 0 {
            remarks.push(format!("{ended} hosts crashed"));
        }
        remarks
    }

    /// The whole.
    pub(crate) fn story(&self) -> Story {
        let log: Log =
            self.recorded.answered.iter().map(|a| (a.key.clone(), a.answer.clone())).collect();
        Story {
            sentence: sentence::of(&log),
            columns: self.columns(),
            rows: self.rows(),
            choices: self.choices(),
            pair: self.pair(),
            remarks: self.remarks(),
            ..Story::default()
        }
    }
}
