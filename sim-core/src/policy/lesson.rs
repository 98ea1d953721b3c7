//! What the first run of a batch teaches the others: how much each actor does, and to which objects.
//!
//! The head of a batch runs first in, first out, and is counted ([`Census`]). PCT draws its points of change below the
//! number of choices, URW weighs actors by what they still have to do, SURW picks an object that several actors touch. The counts are
//! those of one run, so they are estimates: a policy never relies on them for more than a good guess.

use super::numbers::Numbers;
use crate::choice::Path;
use crate::object::Object;
use std::collections::BTreeMap;

/// A shared object and who touches it how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// The object.
    pub object: Object,
    /// The actors by their number in [`Lesson::actors`], and how often each touches it.
    pub by: Vec<(u32, u32)>,
}

/// An actor of the first run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Its path.
    pub path: Path,
    /// The number of the actor that spawned it; its own if nobody did. No child stands before its parent.
    pub parent: u32,
    /// How many events it had: turns, and sync points that it passed in them.
    pub events: u32,
}

/// What is known of a program before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// How many choices among actors a run makes.
    pub choices: u32,
    /// The actors, in the order of their births.
    pub actors: Vec<Counted>,
    /// The objects that more than one actor touches, ordered by name.
    pub objects: Vec<Touched>,
}

/// How many choices a run is expected to make where nobody has counted.
const CHOICES: u32 = 1000;

/// So many pairs of an actor and an object are kept; a larger program is sampled by its first.
const PAIRS_MAX: usize = 1 << 16;

impl Default for Lesson {
    fn default() -> Self {
        Self::of_choices(CHOICES)
    }
}

impl Lesson {
    /// Nothing is known but how many choices there will be.
    #[must_use]
    pub const fn of_choices(choices: u32) -> Self {
        Self { choices, actors: Vec::new(), objects: Vec::new() }
    }

    /// The lesson as bytes, for another process.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut words = vec![u64::from(self.choices), self.actors.len() as u64];
        for actor in &self.actors {
            words.extend([actor.path.to_bits(), pair(actor.parent, actor.events)]);
        }
        for touched in &self.objects {
            words.extend([touched.object.to_bits(), touched.by.len() as u64]);
            words.extend(touched.by.iter().map(|&(actor, count)| pair(actor, count)));
        }
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Reads what [`Lesson::to_bytes`] wrote; `None` if it is not that.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
        let choices = u32::try_from(words.next()?).ok()?;
        let mut lesson = Self::of_choices(choices);
        for _ in 0..words.next()? {
            let path = Path::from_bits(words.next()?);
            let (parent, events) = parts(words.next()?);
            lesson.actors.push(Counted { path, parent, events });
        }
        while let Some(object) = words.next() {
            let count = words.next()?;
            let by = (0..count).map(|_| words.next().map(parts)).collect::<Option<_>>()?;
            lesson.objects.push(Touched { object: Object::from_bits(object), by });
        }
        rest.is_empty().then_some(lesson)
    }
}

fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn parts(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// Counts a run.
#[derive(Clone, Debug, Default)]
pub struct Census {
    numbers: BTreeMap<Path, u32>,
    actors: Vec<Counted>,
    touched: BTreeMap<(Object, u32), u32>,
}

impl Census {
    fn number(&mut self, path: Path, parent: Option<u32>) -> u32 {
        let next = self.actors.len() as u32;
        *self.numbers.entry(path).or_insert_with(|| {
            self.actors.push(Counted { path, parent: parent.unwrap_or(next), events: 0 });
            next
        })
    }

    /// `parent` has spawned `actor`.
    pub fn born(&mut self, actor: Path, parent: Path) {
        let parent = self.number(parent, None);
        self.number(actor, Some(parent));
    }

    /// An event of `actor`: it touched `object`.
    pub fn ran(&mut self, actor: Path, object: Object) {
        let number = self.number(actor, None);
        self.actors[number as usize].events += 1;
        if object.is_known() && self.touched.len() < PAIRS_MAX {
            *self.touched.entry((object, number)).or_default() += 1;
        }
    }

    /// The sum of it, for a run that made so many choices.
    #[must_use]
    pub fn lesson(&self, choices: u64) -> Lesson {
        let choices = u32::try_from(choices).unwrap_or(u32::MAX).max(1);
        let mut objects: Vec<Touched> = Vec::new();
        for (&(object, actor), &count) in &self.touched {
            match objects.last_mut().filter(|touched| touched.object == object) {
                Some(touched) => touched.by.push((actor, count)),
                None => objects.push(Touched { object, by: vec![(actor, count)] }),
            }
        }
        objects.retain(|touched| touched.by.len() > 1);
        Lesson { choices, actors: self.actors.clone(), objects }
    }
}

/// What each actor still has to do, those that it will spawn included.
#[derive(Clone, Debug, Default)]
pub(super) struct Remaining {
    numbers: Numbers,
    left: Vec<u64>,
}

impl Remaining {
    /// From what each actor of `lesson` does itself, by its number.
    pub(super) fn new(lesson: &Lesson, does: impl Fn(usize) -> u64) -> Self {
        let mut left: Vec<u64> = (0..lesson.actors.len()).map(does).collect();
        for (number, actor) in lesson.actors.iter().enumerate().rev() {
            if actor.parent as usize != number {
                left[actor.parent as usize] += left[number];
            }
        }
        let mut numbers = Numbers::default();
        for actor in &lesson.actors {
            numbers.number(actor.path.to_bits());
        }
        Self { numbers, left }
    }

    /// The number of the actor at `path`, if the lesson knows it.
    #[inline]
    pub(super) fn number(&self, path: Path) -> Option<u32> {
        self.numbers.get(path.to_bits())
    }

    /// What actor `number` still has to do.
    pub(super) fn left(&self, number: u32) -> u64 {
        self.left[number as usize]
    }

    /// One of its events has happened.
    pub(super) fn spend(&mut self, number: u32) {
        let left = &mut self.left[number as usize];
        *left = left.saturating_sub(1);
    }

    /// What `child` has to do is no longer its parent's.
    pub(super) fn give(&mut self, child: u32, parent: u32) {
        let given = self.left[child as usize];
        let left = &mut self.left[parent as usize];
        *left = left.saturating_sub(given);
    }

    /// The actors, by number.
    pub(super) fn len(&self) -> usize {
        self.left.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::ObjectKind;

    fn counted() -> Lesson {
        let (main, child) = (Path::WORLD.child("main", 0), Path::WORLD.child("child", 0));
        let lock = Object::new(ObjectKind::Lock, main, 0);
        let mut census = Census::default();
        census.ran(main, Object::UNKNOWN);
        census.born(child, main);
        census.ran(child, lock);
        census.ran(child, lock);
        census.ran(main, lock);
        census.ran(main, Object::new(ObjectKind::File, main, 1));
        census.lesson(5)
    }

    #[test]
    fn counts_events_and_shared_objects() {
        let lesson = counted();
        assert_eq!(
            lesson.actors.iter().map(|a| (a.parent, a.events)).collect::<Vec<_>>(),
            [(0, 3), (0, 2)]
        );
        assert_eq!(lesson.objects.len(), 1, "only what two touch can be raced for");
        assert_eq!(lesson.objects[0].by, [(0, 1), (1, 2)]);
    }

    #[test]
    fn bytes_are_read_back_and_others_refused() {
        let bytes = counted().to_bytes();
        assert_eq!(Lesson::from_bytes(&bytes), Some(counted()));
        assert_eq!(Lesson::from_bytes(&bytes[..bytes.len() - 8]), None);
        assert_eq!(Lesson::from_bytes(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn a_child_takes_its_share_along() {
        let lesson = counted();
        let mut remaining = Remaining::new(&lesson, |n| u64::from(lesson.actors[n].events));
        assert_eq!((remaining.left(0), remaining.left(1)), (5, 2));
        remaining.give(1, 0);
        remaining.spend(0);
        assert_eq!((remaining.left(0), remaining.left(1), remaining.len()), (2, 2, 2));
    }
}
