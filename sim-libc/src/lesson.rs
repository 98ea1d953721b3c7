//! What a counted run has taught, on its way from the process of the run to its worker: through a file in memory that both have open.

use crate::memfile::MemoryFile;
use sim_core::policy::Lesson;
use std::sync::OnceLock;

static FILE: OnceLock<MemoryFile> = OnceLock::new();

/// Opens the file, before the first run is forked.
pub fn prepare() {
    FILE.get_or_init(|| MemoryFile::create(c"sim-lesson"));
}

/// The run leaves what it has taught.
pub fn put(lesson: &Lesson) {
    if let Some(file) = FILE.get() {
        file.write(&lesson.to_bytes());
    }
}

/// The worker takes what the last run has left; `None` if it left nothing.
pub fn take() -> Option<Lesson> {
    let file = FILE.get()?;
    let lesson = Lesson::from_bytes(&file.read());
    file.clear();
    lesson
}
