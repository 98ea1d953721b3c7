//! Choices and names in words.

use super::super::turns;
use super::{Teller, put_off, ran};
use crate::sentence;
use sim_core::choice::{Answer, Answered, Concern, Path, SYNC};

impl Teller<'_> {
    /// What a choice was, in words.
    pub(super) fn told(&self, answered: &Answered) -> String {
        let turn = self.asked_in(answered.turn);
        let asker = self.short_text(&answered.key.path);
        let value = match &answered.answer {
            Answer::Value(value) => *value,
            Answer::Actor(..) => 0,
        };
        let (site, occurrence) = (&*answered.key.site, answered.key.occurrence);
        match Concern::of(site) {
            Concern::Schedule if site == SYNC.name() => {
                let ran = ran(self.recorded, &self.turns, answered).map(|turn| self.turn(turn));
                format!(
                    "{turn}{} is interrupted, and {} runs first",
                    self.used(answered.turn),
                    ran.unwrap_or_default()
                )
            }
            Concern::Fault => {
                let kind = sentence::fault(&answered.key.path);
                match site.rsplit('.').next().unwrap_or_default() {
                    "begin" => format!("a fault begins: {kind} ({asker})"),
                    "whom" => {
                        format!("the {kind} ({asker}) befalls number {value} of those it could")
                    }
                    "length" => format!("the {kind} ({asker}) lasts 2^{value} ms"),
                    _ => format!("{site} of the {kind} ({asker}) is {value}"),
                }
            }
            Concern::Schedule => {
                let ran = ran(self.recorded, &self.turns, answered).map(|turn| self.turn(turn));
                let first = put_off(&self.turns, answered);
                let first = first.map(|turn| format!(" instead of {}", self.turn(turn)));
                format!(
                    "after {turn}, {} runs{}",
                    ran.unwrap_or_default(),
                    first.unwrap_or_default()
                )
            }
            Concern::Delay => format!(
                "message #{occurrence} from {asker}, sent in {turn}, takes {} longer than the least",
                nanos(value)
            ),
            Concern::Packet => {
                let what = site.rsplit('.').next().unwrap_or(site);
                let what = match what {
                    "loss" => "is lost",
                    "duplicate" => "comes twice",
                    _ => "overtakes others",
                };
                format!("message #{occurrence} from {asker}, sent in {turn}, {what}")
            }
            Concern::Disk if site.ends_with(".delay") => format!(
                "operation #{occurrence} of {asker} takes {} longer than the least",
                nanos(value)
            ),
            Concern::Entropy => format!("the random bytes of {asker} come from seed {value}"),
            Concern::Branch => format!("{turn}: select! looks at branch {value} first, not at 0"),
            _ => format!("{turn}: {site} #{occurrence} is {value}"),
        }
    }

    /// What a turn used last: where it stands.
    fn used(&self, named: (Path, u32)) -> String {
        let turn = self.turns.iter().find(|turn| turn.is(named));
        let object = turn.and_then(|turn| turns::objects(turn, self.recorded).pop());
        object.map_or_else(String::new, |object| format!(", at {object},"))
    }
}

/// A path without what a reader can do without: the modules of types, the closures, the parents but the host.
pub(super) fn shortened(path: &str) -> String {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let name = segments.last().map_or_else(String::new, |last| plain(last));
    let name = match segments.len() {
        0 => String::from("/"),
        1 => name,
        _ => format!("{}/{name}", segments[0]),
    };
    const LONGEST: usize = 60;
    match name.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name,
    }
}

/// A function's or type's name without closures.
pub(super) fn plain(name: &str) -> String {
    let mut text = name.to_owned();
    for closure in [
        "::{{closure}}",
        "::{closure#0}",
        "::{closure#1}",
        "::{async_fn#0}",
        "::{async_block#0}",
        "::{closure}",
        "::{async_fn_env#0}",
        "::{async_block_env#0}",
        "::{closure_env#0}",
    ] {
        text = text.replace(closure, "");
    }
    text
}

pub(super) fn without_column(place: &str) -> &str {
    match place.rsplit_once(':') {
        Some((before, column))
            if before.contains(':') && column.bytes().all(|b| b.is_ascii_digit()) =>
        {
            before
        }
        _ => place,
    }
}

fn nanos(nanos: u64) -> String {
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} µs", nanos as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{} ms", nanos as f64 / 1e6),
        _ => format!("{} s", nanos as f64 / 1e9),
    }
}
