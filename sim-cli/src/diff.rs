//! `cargo sim diff`: where two recorded executions part.

use crate::args::{CargoArgs, DiffArgs};
use crate::causes;
use crate::config::STALL;
use crate::exit::{Code, Stop};
use crate::replay;
use crate::worker::{Order, Scratch, Surroundings, Worker};
use sim_core::trace::{Recorded, first_divergence};
use std::io::{self, Write as _};
use std::path::Path;

/// Runs the verb.
pub(crate) fn run(args: &DiffArgs) -> Result<Code, Stop> {
    let scratch = Scratch::new()?;
    let left = execution(&args.cargo, &args.left, &scratch)?;
    let right = execution(&args.cargo, &args.right, &scratch)?;
    let (code, text) = match first_divergence(&left, &right) {
        None => (Code::Passed, format!("equal: {} events\n", left.events.len())),
        Some(divergence) => (Code::Failed, format!("{divergence}\n")),
    };
    // A reader that went away does not change the answer.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    Ok(code)
}

/// Every event of the execution that a file names.
fn execution(cargo: &CargoArgs, file: &Path, scratch: &Scratch) -> Result<Recorded, Stop> {
    let (test, path, _) = replay::open(cargo, file)?;
    let trace = scratch.path("trace");
    let order = Order::replay(&path).traced(&trace);
    let outcome = Worker::start(&test, &order, scratch, &Surroundings::default(), STALL)?.wait()?;
    outcome.check(&test.name)?;
    if outcome.hello.is_none() {
        return Err(replay::not_native(&test));
    }
    if let Some((_, failed)) = outcome.death() {
        return Err(Stop::refused(format!(
            "{}: {}: a process that dies leaves no events to compare, see cargo sim replay --debug",
            file.display(),
            failed.message
        )));
    }
    causes::read(&trace)
}
