//! The program's own choices: each task asks at a stream of its own.

use super::{Runtime, current};
use crate::choice::{Choices, Path, Ratio, Site, Stream};

const DRAW: Site = Site::new("app.rand.draw");

/// Asks for one of `n` alternatives on behalf of the task that has the turn; 0 is the dull one.
///
/// # Panics
/// Outside a runtime, or if `n` is 0.
#[must_use]
pub fn pick(n: u64) -> u64 {
    current::with(|runtime| runtime.draw(|choices, stream| choices.pick(stream, n)))
}

/// Asks whether a thing of probability `ratio` happens, on behalf of the task that has the turn.
///
/// # Panics
/// Outside a runtime.
#[must_use]
pub fn chance(ratio: Ratio) -> bool {
    current::with(|runtime| runtime.draw(|choices, stream| choices.chance(stream, ratio)))
}

impl Runtime {
    fn draw<R>(&mut self, f: impl FnOnce(&mut Choices, &mut Stream) -> R) -> R {
        let (choices, path) = (&mut self.env.choices, self.env.actor.path);
        let task = self.current.filter(|&id| self.tasks.get(id).is_some());
        match task {
            Some(id) => {
                let stream = self.tasks.record(id).draws(|| choices.stream(DRAW, path));
                f(choices, stream)
            }
            None => {
                let stream =
                    self.draws.get_or_insert_with(|| Box::new(choices.stream(DRAW, Path::WORLD)));
                f(choices, stream)
            }
        }
    }
}
