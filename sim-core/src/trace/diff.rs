//! Where two executions part.

use super::{Recorded, describe};
use core::fmt;

/// The first event in which two executions differ, with the last one they share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Its number.
    pub event: u64,
    /// The last line that both have, if any.
    pub shared: Option<String>,
    /// What the first execution did there; `None` where it had ended.
    pub left: Option<String>,
    /// What the second did.
    pub right: Option<String>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |line: &Option<String>| line.clone().unwrap_or_else(|| String::from("(ended)"));
        writeln!(f, "first difference at event {}", self.event)?;
        if let Some(shared) = &self.shared {
            writeln!(f, "  both: {shared}")?;
        }
        writeln!(f, "  A:    {}", side(&self.left))?;
        write!(f, "  B:    {}", side(&self.right))
    }
}

/// Finds the first event in which two executions differ; `None` if they are equal.
#[must_use]
pub fn first_divergence(left: &Recorded, right: &Recorded) -> Option<Divergence> {
    let shared = left.events.iter().zip(&right.events).take_while(|(a, b)| a == b).count();
    if shared == left.events.len() && shared == right.events.len() {
        return None;
    }
    let line = |side: &Recorded, at: usize| {
        side.events.get(at).map(|event| describe(at as u64, event, &side.names))
    };
    Some(Divergence {
        event: shared as u64,
        shared: shared.checked_sub(1).and_then(|last| line(left, last)),
        left: line(left, shared),
        right: line(right, shared),
    })
}
