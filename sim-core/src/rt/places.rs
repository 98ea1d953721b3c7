//! Where in its source a task stands, for a replay that asks.
//!
//! Whatever makes a task wait keeps its waker, notes what it waits for, or wakes it while it runs; each of these happens below the
//! `await`, so that is when the place is read.

use super::Runtime;
use crate::place;

impl Runtime {
    /// The task that has the turn may give it up here.
    #[inline]
    pub(super) fn note_place(&mut self) {
        if self.env.trace.wants_places() {
            self.read_place();
        }
    }

    #[cold]
    fn read_place(&mut self) {
        let Some(id) = self.current else { return };
        let cell = self.tasks.cell(id);
        let (path, turn) = (cell.actor.path, cell.turns);
        if self.env.trace.wants_place(path, turn) {
            self.env.trace.stood(path, turn, place::here());
        }
    }
}
