//! Least virtual runtime first, as in CFS (Molnar, 2007).
//!
//! Every actor's runtime is kept across its turns. Who was away starts from the present minimum, so
//! that a long sleep is no credit.

use super::Policy;
use super::line::Line;
use crate::choice::Path;
use crate::members::{Member, Members, Place};
use std::collections::BTreeMap;

/// Runs whoever has used the least virtual time.
#[derive(Clone, Debug, Default)]
pub struct Fair {
    runtime_ns: BTreeMap<Path, u64>,
    line: Line,
    floor_ns: u64,
}

impl Fair {
    /// The policy before any step.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Policy for Fair {
    fn name(&self) -> &'static str {
        "fair"
    }

    fn watches(&self) -> bool {
        true
    }

    fn joined(&mut self, place: Place, member: &Member) {
        let runtime_ns = self.runtime_ns.entry(member.path).or_insert(self.floor_ns);
        *runtime_ns = (*runtime_ns).max(self.floor_ns);
        self.line.enter(place, *runtime_ns);
    }

    fn left(&mut self, place: Place) {
        let runtime_ns = self.line.leave(place);
        let least = self.line.least().map_or(runtime_ns, |(least, _)| least.min(runtime_ns));
        self.floor_ns = self.floor_ns.max(least);
    }

    fn moved(&mut self, from: Place, to: Place) {
        self.line.moved(from, to);
    }

    fn charged(&mut self, path: Path, cost_ns: u64) {
        if let Some(runtime_ns) = self.runtime_ns.get_mut(&path) {
            *runtime_ns += cost_ns;
        }
    }

    fn pick(&mut self, _members: &Members) -> Place {
        self.line.least().expect("a policy picks from a set that is not empty").1
    }
}
