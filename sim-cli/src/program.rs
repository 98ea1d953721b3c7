//! Whether a stored failure is replayed by the program that it was recorded with.
//!
//! If it is, the replay must be the recorded execution, event by event, and anything else is a divergence. If the program or the
//! file was edited, the choices are taken for what they still mean.

use crate::exit::Stop;
use crate::list::Test;
use sim_core::choice::mix;
use sim_core::simtrace::Simtrace;
use sim_core::trace::payload_hash;
use std::fs;
use std::path::Path;

/// The key of a failure's file.
const KEY: &str = "program";

/// Notes in `file` which program its log belongs to.
pub(crate) fn seal(file: &mut Simtrace, test: &Test) -> Result<(), Stop> {
    let seal = seal_of(file, test)?;
    file.config.insert(String::from(KEY), seal);
    Ok(())
}

/// Whether `file` was recorded with the program of `test` as it is, and not edited since. `None` where the file does not say.
pub(crate) fn is_the_same(file: &Simtrace, test: &Test) -> Result<Option<bool>, Stop> {
    match file.config.get(KEY) {
        None => Ok(None),
        Some(seal) => Ok(Some(*seal == seal_of(file, test)?)),
    }
}

/// A hash of what decides a run: the executable and which of its tests, the object of its world, the log.
fn seal_of(file: &Simtrace, test: &Test) -> Result<String, Stop> {
    let log = file.log.as_ref().map(|log| mix::name(&log.to_string())).unwrap_or_default();
    let log = mix::join(log, mix::name(&file.test));
    let object = test.executable.object.as_deref().map(hash_of).transpose()?.unwrap_or_default();
    let program = mix::join(hash_of(&test.executable.path)?, object);
    Ok(format!("{:016x}", mix::join(program, log)))
}

fn hash_of(path: &Path) -> Result<u64, Stop> {
    let bytes = fs::read(path)
        .map_err(|error| Stop::refused(format!("{}: cannot be read: {error}", path.display())))?;
    Ok(bytes.chunks(256).fold(0, |hash: u64, chunk| hash.rotate_left(7) ^ payload_hash(chunk)))
}
