//! `cargo sim run`: any program in the simulated world, once.

use crate::args::RunArgs;
use crate::config::STALL;
use crate::exit::{Code, Stop};
use crate::object;
use crate::worker::{End, Order, Scratch, Surroundings, Worker};
use sim_core::choice::Seed;
use std::process::Command;

/// Runs the verb.
pub(crate) fn run(args: &RunArgs) -> Result<Code, Stop> {
    let Some((program, words)) = args.command.split_first() else {
        return Err(Stop::usage(
            "no command: say which, as in 'cargo sim run -- ./server --port 80'",
        ));
    };
    let seed = args.seed.unwrap_or_else(|| Seed::from_u64(0));
    let strategy = args.strategy.clone().unwrap_or_else(|| String::from("random"));
    // Run 0 of a batch is first in, first out; the seed alone is to say what happens.
    let order = Order {
        test: Some(program.to_string_lossy().into_owned()),
        ..Order::runs(seed.to_string(), strategy, 1, 1)
    };
    let scratch = Scratch::new()?;
    let mut command = Command::new(program);
    command.args(words).env("LD_PRELOAD", object::path()?);
    let around = Surroundings { shown: true, ..Surroundings::default() };
    let name = program.to_string_lossy();
    let stall = args.stall.unwrap_or(STALL);
    let outcome = Worker::of_command(command, &name, &order, &scratch, &around, stall)?.wait()?;
    outcome.check(&name)?;
    if outcome.hello.is_none() {
        return Err(Stop::refused(format!(
            "{name} does not load the object that holds the world: it is statically linked, or a script whose interpreter is"
        )));
    }
    let end = outcome.runs.first().map(|(_, end)| end);
    let failed = end.and_then(End::failed).or_else(|| outcome.death().map(|(_, failed)| failed));
    if let Some(end) = end {
        let seconds = end.simulated_ns as f64 / 1e9;
        eprintln!("{name}: {seconds} s simulated, seed {seed}, fingerprint {}", end.fingerprint);
        for notice in end.notices.lines() {
            eprintln!("note: {notice}");
        }
    }
    Ok(match failed {
        None => Code::Passed,
        Some(failed) => {
            eprintln!("{name}: {}: {}", failed.kind, failed.message);
            Code::Failed
        }
    })
}
