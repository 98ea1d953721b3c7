//! `cargo sim`: runs the tests of a project over many seeds of a simulated world.
//!
//! In reading order:
//! - [`args`] and [`config`]: what is to be done, from the command line, `SIM_*` variables and `sim.toml`.
//! - [`mod@build`], [`mod@list`], [`project`]: the project, its test executables, their tests.
//! - [`door`], [`object`]: how a project enters the world, and what is loaded before one that does not know of it.
//! - [`worker`]: one process that performs runs. [`mod@plan`]: what one test's runs amount to, without any process.
//! - [`farm`]: many processes. [`judge`]: what a failing run becomes. [`report`]: what is said of it.
//! - [`pool`]: processes that are told runs one at a time, for [`shrink`] and [`around`]; [`program`]: what a stored failure was
//!   recorded with; [`sentence`]: what a log amounts to.
//! - the verbs: [`mod@test`], [`replay`], [`shrink`], [`explain`], [`diff`], [`doctor`], [`mod@run`]; [`exit`]: how each may end.
//!
//! This crate stands outside every run. It decides how many runs there are and which, never what one does.

mod args;
mod around;
mod build;
mod causes;
mod config;
mod diff;
mod doctor;
mod door;
mod exit;
mod explain;
mod farm;
mod judge;
mod list;
mod object;
mod plan;
mod pool;
mod program;
mod project;
mod replay;
mod report;
mod run;
mod sentence;
mod shrink;
mod test;
mod worker;

use args::{Cli, Verb};
use exit::{Code, Stop};
use sim_tokio::wrapper::Wrapper;
use std::env;
use std::panic;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Cargo runs this binary where it would run rustc, for the tokio door.
    if let Some(wrapper) = Wrapper::from_environment(|name| env::var_os(name)) {
        return compile(&wrapper);
    }
    let outcome = panic::catch_unwind(|| {
        args::read(env::args_os()).and_then(|cli| cli.map_or(Ok(Code::Passed), carry_out))
    });
    let code = match outcome {
        Ok(Ok(code)) => code,
        Ok(Err(Stop { code, text })) => {
            if !text.is_empty() {
                eprintln!("error: {text}");
            }
            code
        }
        Err(_) => {
            eprintln!(
                "error: this is a defect of cargo-sim: please report the lines above with the command line"
            );
            Code::Defect
        }
    };
    ExitCode::from(code as u8)
}

fn compile(wrapper: &Wrapper) -> ExitCode {
    match wrapper.run(env::args_os().skip(1).collect()) {
        Ok(code) => ExitCode::from(code),
        Err(refusal) => {
            eprintln!("error: cargo sim: {refusal}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(cli: Cli) -> Result<Code, Stop> {
    match cli.verb {
        Verb::Test(args) => test::run(&args),
        Verb::Replay(args) => replay::run(&args),
        Verb::Diff(args) => diff::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Shrink(args) => shrink::run(&args),
        Verb::Explain(args) => explain::run(&args),
        Verb::Run(args) => run::run(&args),
    }
}
