//! The subjects: programs with a known defect of concurrency, by the names under which they are published.
//!
//! They come from SCTBench (Thomson, Donaldson, Betts: Concurrency testing using controlled schedulers, TOPC 2016), some in the sizes
//! of the PERIOD study (Wen et al., ICSE 2022). Each is written anew from what its original does: the threads are tasks, the shared
//! accesses are sync points, and what is not shared is left out. A failed assertion is a panic; a deadlock is the engine's report.
//!
//! - The main thread only spawns and waits, unless a subject says otherwise.
//! - An original that ends without waiting for its threads waits here.

mod buffers;
mod conditions;
mod driver;
mod locks;
mod reorder;
mod ring;
mod sorting;
mod stealing;
mod twostage;

use crate::primitives::Work;

/// A program with a defect.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// Its published name.
    pub name: &'static str,
    /// Makes the program; to be called inside a run.
    pub program: fn() -> Work,
    /// The program without the defect, if there is a sensible one.
    pub corrected: Option<Corrected>,
}

/// A program without the defect.
#[derive(Clone, Copy, Debug)]
pub struct Corrected {
    /// At the size of the subject.
    pub program: fn() -> Work,
    /// So small that all its interleavings can be run, where that can be.
    pub small: Option<fn() -> Work>,
}

/// A program with a defect, so small that all its interleavings can be run.
#[derive(Clone, Copy, Debug)]
pub struct Small {
    /// Which subject it is a small form of.
    pub name: &'static str,
    /// Makes the program; to be called inside a run.
    pub program: fn() -> Work,
    /// How many orders of two events have to come about for it to fail, the depth of the defect; at most.
    pub depth: u32,
}

/// Which of the two programs of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Buggy,
    Corrected,
}

/// All subjects.
#[must_use]
pub fn all() -> Vec<Subject> {
    [
        reorder::SUBJECTS,
        twostage::SUBJECTS,
        buffers::SUBJECTS,
        driver::SUBJECTS,
        locks::SUBJECTS,
        ring::SUBJECTS,
        conditions::SUBJECTS,
        stealing::SUBJECTS,
        sorting::SUBJECTS,
    ]
    .concat()
}

/// Small forms of subjects.
#[must_use]
pub fn small() -> Vec<Small> {
    [reorder::SMALL, twostage::SMALL, buffers::SMALL, driver::SMALL, locks::SMALL].concat()
}

/// The subject of this name.
#[must_use]
pub fn named(name: &str) -> Option<Subject> {
    all().into_iter().find(|subject| subject.name == name)
}
