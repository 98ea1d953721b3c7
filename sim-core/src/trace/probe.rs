//! Probes: places and conditions of which somebody wants to know whether any run ever reaches them.
//!
//! A run notes each probe that it evaluates, and how often it was reached. Whoever makes many runs adds them up. A probe is known
//! by its message, and only once some run has come by it: nobody lists the places of a program. Probes are no
//! part of a fingerprint.

use core::fmt;
use core::panic::Location;
use core::str::FromStr;

/// What a run knows of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What it is known by: two places with one message are one probe.
    pub message: String,
    /// `file:line:column` of the place that was come by first.
    pub place: String,
    /// How often it was reached with its condition true.
    pub hits: u64,
}

/// The probes of a run, ordered by message.
#[derive(Debug, Default)]
pub(super) struct Probes(Vec<Probe>);

impl Probes {
    /// The run has come by a probe, which was `reached` or not.
    pub(super) fn note(&mut self, message: &str, place: &Location<'_>, reached: bool) {
        let at = match self.0.binary_search_by(|probe| probe.message.as_str().cmp(message)) {
            Ok(at) => at,
            Err(at) => {
                let place = place.to_string();
                self.0.insert(at, Probe { message: message.to_owned(), place, hits: 0 });
                at
            }
        };
        self.0[at].hits += u64::from(reached);
    }

    pub(super) fn as_slice(&self) -> &[Probe] {
        &self.0
    }
}

impl fmt::Display for Probe {
    /// One line: hits, place and message, between them a tab.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flat = |text: &str| text.replace(|c: char| c.is_control(), " ");
        write!(f, "{}\t{}\t{}", self.hits, flat(&self.place), flat(&self.message))
    }
}

impl FromStr for Probe {
    type Err = ();

    /// Reads the line that [`Display`](fmt::Display) writes.
    fn from_str(line: &str) -> Result<Self, ()> {
        let mut fields = line.splitn(3, '\t');
        let mut next = || fields.next().ok_or(());
        let hits = next()?.parse().map_err(|_| ())?;
        Ok(Self { hits, place: next()?.to_owned(), message: next()?.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reached_once_is_reached() {
        let mut probes = Probes::default();
        let place = Location::caller();
        probes.note("b", place, false);
        probes.note("a", place, true);
        probes.note("b", place, true);
        probes.note("c", place, false);
        let known: Vec<_> =
            probes.as_slice().iter().map(|p| (p.message.as_str(), p.hits)).collect();
        assert_eq!(known, [("a", 1), ("b", 1), ("c", 0)]);
    }

    #[test]
    fn reads_what_it_writes() {
        let probe =
            Probe { message: "a retry\tis sent".into(), place: "src/a.rs:3:5".into(), hits: 7 };
        let line = probe.to_string();
        assert_eq!(line, "7\tsrc/a.rs:3:5\ta retry is sent");
        assert_eq!(line.parse(), Ok(Probe { message: "a retry is sent".into(), ..probe }));
        assert_eq!("x\ty\tz".parse::<Probe>(), Err(()));
        assert_eq!("3\tplace".parse::<Probe>(), Err(()));
    }
}
