//! What a replay wants to know besides events: where in its source the program stands, and what it uses.

use crate::thread::Thread;
use crate::world::{World, me};
use sim_core::choice::Path;
use sim_core::place;

impl World {
    /// Who has the turn, and which turn of its own that is: the gated task that runs on this thread, else the thread.
    fn turn(&mut self) -> (Path, u32) {
        let Self { threads, gates, .. } = self;
        let thread: &Thread = threads.get(me());
        let task = thread.tasks.last().and_then(|(task, _)| gates.turn_of(*task));
        task.unwrap_or((thread.path(), thread.turns()))
    }

    /// Whoever has the turn may give it up here.
    pub fn note_place(&mut self) {
        if !self.env.trace.wants_places() {
            return;
        }
        let (path, turn) = self.turn();
        if self.env.trace.wants_place(path, turn) {
            self.env.trace.stood(path, turn, place::here());
        }
    }

    /// The task that has the turn uses an object of its runtime's here, `object` of `kind`; 0 where it is not known which.
    pub fn note_use(&mut self, kind: &str, object: usize) {
        if !self.env.trace.keeps_all() {
            return;
        }
        self.note_place();
        if object != 0 {
            let (path, _) = self.turn();
            self.env.trace.touched(path, kind, object as u64);
        }
    }
}
