//! How the entries of a log belong together: what is taken away at once.

use super::Episode;
use super::pass::Entries;
use crate::weight::is_switch;
use sim_core::choice::{Answer, Concern, Key};
use std::collections::BTreeMap;

/// Entries that go together.
pub(super) type Group = Vec<Key>;

/// Groups the entries by what `name` says of each; `None` leaves one out. Groups come in the order of their last entries.
fn by<N: Ord>(entries: &Entries, name: impl Fn(&(Key, Answer)) -> Option<N>) -> Vec<Group> {
    let mut groups: BTreeMap<N, (usize, Group)> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        if let Some(name) = name(entry) {
            let (last, group) = groups.entry(name).or_default();
            *last = at;
            group.push(entry.0.clone());
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|(last, _)| *last);
    groups.into_iter().map(|(_, group)| group).collect()
}

/// One group of all.
pub(super) fn everything(entries: &Entries) -> Vec<Group> {
    by(entries, |_| Some(()))
}

/// By what they are about, in the order in which they are to be tried from the end.
pub(super) fn concerns(entries: &Entries) -> Vec<Group> {
    let mut groups: BTreeMap<Concern, Group> = BTreeMap::new();
    for (key, _) in entries {
        groups.entry(Concern::of(&key.site)).or_default().push(key.clone());
    }
    groups.into_values().rev().collect()
}

/// Every two of what they are about.
pub(super) fn concern_pairs(entries: &Entries) -> Vec<Group> {
    pairs(&concerns(entries))
}

/// By the host that asked: the first word of its path.
pub(super) fn hosts(entries: &Entries) -> Vec<Group> {
    by(entries, |(key, _)| key.path.split('/').next().map(str::to_owned))
}

/// By the actor that asked.
pub(super) fn actors(entries: &Entries) -> Vec<Group> {
    by(entries, |(key, _)| Some(key.path.clone()))
}

/// By the actor that ran out of turn.
pub(super) fn targets(entries: &Entries) -> Vec<Group> {
    by(entries, |(_, answer)| match answer {
        Answer::Actor(actor, _) => Some(actor.clone()),
        Answer::Value(_) => None,
    })
}

/// By the question.
pub(super) fn sites(entries: &Entries) -> Vec<Group> {
    by(entries, |(key, _)| Some(key.site.clone()))
}

/// Whole episodes: beginning and end together.
pub(super) fn episodes(entries: &Entries, episodes: &[Episode]) -> Vec<Group> {
    let begins = began(entries, episodes);
    begins
        .into_iter()
        .map(|(begin, end)| [Some(begin), end].into_iter().flatten().collect())
        .collect()
}

/// The end of each episode and the beginning of the next of its kind at the same path: without them the two are one.
pub(super) fn seams(entries: &Entries, episodes: &[Episode]) -> Vec<Group> {
    let all = began(entries, episodes);
    let next = |(begin, _): &&(Key, Option<Key>), of: &Key| {
        begin.site == of.site && begin.path == of.path && begin.occurrence > of.occurrence
    };
    let seam = |(begin, end): &(Key, Option<Key>)| {
        let (next, _) =
            all.iter().filter(|other| next(other, begin)).min_by_key(|(b, _)| b.occurrence)?;
        Some(vec![end.clone()?, next.clone()])
    };
    all.iter().filter_map(seam).collect()
}

/// The beginning of each episode, with its end where the log has one.
fn began(entries: &Entries, episodes: &[Episode]) -> Vec<(Key, Option<Key>)> {
    let mut found = Vec::new();
    for (key, _) in entries {
        let Some(episode) = episodes.iter().find(|episode| *episode.begin == *key.site) else {
            continue;
        };
        let end = Key { site: episode.end.as_str().into(), ..key.clone() };
        let is_there = entries.iter().any(|(key, _)| *key == end);
        found.push((key.clone(), is_there.then_some(end)));
    }
    found
}

/// Each switch by itself.
pub(super) fn switches(entries: &Entries) -> Vec<Group> {
    let keys = entries.iter().map(|(key, _)| key).filter(|key| is_switch(&key.site));
    keys.map(|key| vec![key.clone()]).collect()
}

/// Each entry by itself.
pub(super) fn singles(entries: &Entries) -> Vec<Group> {
    entries.iter().map(|(key, _)| vec![key.clone()]).collect()
}

/// Every two of `groups`.
pub(super) fn pairs(groups: &[Group]) -> Vec<Group> {
    let mut pairs = Vec::new();
    for (at, first) in groups.iter().enumerate() {
        pairs.extend(groups[..at].iter().map(|second| [second.as_slice(), first].concat()));
    }
    pairs
}
