//! Who asks: the structural name of an actor or object.
//!
//! A path is host / parent / name # ordinal among equal siblings. It never holds a line number, a
//! global counter or the time, which is why a log keeps its meaning after the program was edited.
//! At run time only the hash is carried; the text is kept aside by [`Names`] when somebody will read it.

use super::mix;
use core::fmt;
use std::collections::BTreeMap;

/// The hash of a structural name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(u64);

impl Path {
    /// The world itself: the parent of all hosts.
    pub const WORLD: Self = Self(mix::name("/"));

    /// The path of the child `name`, the `ordinal`-th of its siblings of that name.
    #[must_use]
    pub const fn child(self, name: &str, ordinal: u32) -> Self {
        self.child_hashed(mix::name(name), ordinal)
    }

    /// As [`Path::child`], for a name hashed before (see [`name_hash`]).
    #[must_use]
    pub const fn child_hashed(self, name: u64, ordinal: u32) -> Self {
        Self(mix::join(self.0, name.wrapping_add(ordinal as u64)))
    }

    /// The path whose text is `text`, as [`Names`] writes it: segments `name` or `name#ordinal`, separated by `/`.
    ///
    /// A segment's ordinal follows its last `#`; one without is the first of its name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let segments = text.split('/').filter(|segment| !segment.is_empty());
        segments.fold(Self::WORLD, |path, segment| match segment.rsplit_once('#') {
            Some((name, ordinal)) => match ordinal.parse() {
                Ok(ordinal) => path.child(name, ordinal),
                Err(_) => path.child(segment, 0),
            },
            None => path.child(segment, 0),
        })
    }

    /// The hash as a number.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// From the hash.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "path:{:016x}", self.0)
    }
}

/// The hash of a name, to be computed once and used for many children.
#[must_use]
pub const fn name_hash(name: &str) -> u64 {
    mix::name(name)
}

/// Texts of the paths that somebody may read: kept only while a run is recorded or traced in full.
#[derive(Clone, Debug, Default)]
pub struct Names {
    texts: BTreeMap<Path, Box<str>>,
    kept: bool,
}

impl Names {
    /// Starts keeping texts.
    pub fn keep(&mut self) {
        self.kept = true;
    }

    /// Whether texts are kept; if not, a caller need not build one.
    #[must_use]
    pub fn are_kept(&self) -> bool {
        self.kept
    }

    /// Notes that `parent`'s child `name` # `ordinal` is `path`. Does nothing unless texts are kept.
    pub fn note(&mut self, path: Path, parent: Path, name: &str, ordinal: u32) {
        if !self.kept {
            return;
        }
        let parent = self.texts.get(&parent).map_or("", |text| text);
        let name = name.replace(|c: char| c == '/' || c.is_ascii_whitespace(), "_");
        let mut text = String::with_capacity(parent.len() + name.len() + 4);
        text.push_str(parent);
        if !parent.is_empty() {
            text.push('/');
        }
        text.push_str(&name);
        if ordinal != 0 || name.is_empty() || name.contains('#') {
            text.push('#');
            text.push_str(&ordinal.to_string());
        }
        self.texts.insert(path, text.into());
    }

    /// Keeps a whole text, as read from a file.
    pub fn put(&mut self, path: Path, text: String) {
        self.texts.insert(path, text.into());
    }

    /// All texts kept, ordered by hash.
    pub fn iter(&self) -> impl Iterator<Item = (Path, &str)> {
        self.texts.iter().map(|(path, text)| (*path, &**text))
    }

    /// The text of `path`, or its hash where none was kept.
    #[must_use]
    pub fn text(&self, path: Path) -> String {
        match self.texts.get(&path) {
            Some(text) => text.to_string(),
            None if path == Path::WORLD => String::from("/"),
            None => format!("{path:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_hash_agree() {
        let mut names = Names::default();
        names.keep();
        let host = Path::WORLD.child("bank", 0);
        names.note(host, Path::WORLD, "bank", 0);
        let task = host.child("serve <A, B>/x", 3);
        names.note(task, host, "serve <A, B>/x", 3);
        assert_eq!(names.text(task), "bank/serve_<A,_B>_x#3");
        assert_eq!(Path::parse("bank/serve_<A,_B>_x#3"), task);
    }

    #[test]
    fn siblings_differ() {
        let host = Path::WORLD.child("bank", 0);
        assert_ne!(host.child("a", 0), host.child("a", 1));
        assert_ne!(host.child("a", 0), host.child("b", 0));
    }
}
