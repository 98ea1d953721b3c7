//! Our runtime beside its peers: every scenario is one program, written once per contestant, and all contestants run in one process,
//! turn about, so that a busy machine slows all of them and the ratios stay.
//!
//! The peer madsim is a simulator only under a cfg of its own, which must reach the whole build:
//!
//! ```text
//! RUSTFLAGS="--cfg madsim" cargo run --release -p sim-benches            # from the workspace's root
//! cargo run --release                                                    # in this folder, whose .cargo/config.toml says the same
//! cargo run --release -- --quick tcp_rtt --only madsim                   # two rounds, one family, one contestant
//! cargo run --release -- --json > figures.json
//! valgrind --tool=callgrind target/release/sim-benches --single switch_1000 tokio
//! ```
//!
//! Without the cfg everything else still runs, and a note says what is missing. Under it, madsim also defines `clock_gettime`,
//! `getrandom` and `pthread_attr_init` in this binary. Outside a madsim run these hand on to the C library, so the other contestants
//! are not in its world; inside one, the clock is simulated, which is why every contestant is timed from outside its run.
//!
//! The modules: [`scenarios`] is the list of what is measured and against which target, [`workload`] is what all contestants of a
//! scenario do alike, [`ours`] and [`peers`] enter the contestants, [`frame`] runs the rounds, [`figures`] makes numbers of them, [`report`]
//! prints.

#![forbid(unsafe_code)]

mod figures;
mod frame;
mod heap;
mod ours;
mod peers;
mod report;
mod scenarios;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    figures::Row,
    frame::{Selection, Table},
};

/// The rounds of a full run: few enough that the whole table takes about two minutes.
const ROUNDS: u32 = 10;

/// The rounds of `--quick`: the second one shows whether the first was disturbed.
const QUICK_ROUNDS: u32 = 2;

/// Measures the runtime and its peers, scenario by scenario.
#[derive(Debug, Parser)]
#[command(name = "sim-benches", version)]
struct Arguments {
    /// Measure only the scenarios whose name contains one of these.
    filter: Vec<String>,

    /// Rounds per scenario; in each, every contestant runs once, turn about [default: 10, with --quick 2].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,

    /// Two rounds, without the contestants whose single round takes seconds.
    #[arg(long)]
    quick: bool,

    /// Measure only this contestant; may be given more than once.
    #[arg(long, value_name = "CONTESTANT")]
    only: Vec<String>,

    /// Print the figures as one JSON document instead of a table.
    #[arg(long)]
    json: bool,

    /// Run one contestant of one scenario once, for a profiler that counts its instructions.
    #[arg(long, num_args = 2, value_names = ["SCENARIO", "CONTESTANT"],
          conflicts_with_all = ["filter", "rounds", "quick", "only", "json"])]
    single: Option<Vec<String>>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut table = Table::new(scenarios::all());
    ours::enter(&mut table);
    peers::enter(&mut table);
    let outcome = match arguments.single.as_deref() {
        Some([scenario, contestant]) => run_single(&table, scenario, contestant),
        _ => run_table(&table, &arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(advice) => {
            eprintln!("error: {advice}");
            ExitCode::from(2)
        }
    }
}

fn run_single(table: &Table, scenario: &str, contestant: &str) -> Result<(), String> {
    let (scenario, contestant) = table.find(scenario, contestant)?;
    report::print_single(scenario, contestant.name, &(contestant.run)());
    Ok(())
}

fn run_table(table: &Table, arguments: &Arguments) -> Result<(), String> {
    let selection = Selection {
        filter: &arguments.filter,
        only: &arguments.only,
        rounds: arguments.rounds.unwrap_or(if arguments.quick { QUICK_ROUNDS } else { ROUNDS }),
        skip_heavy: arguments.quick,
    };
    selection.check(table)?;
    if let Some(note) = peers::missing() {
        eprintln!("note: {note}");
    }
    let outcomes =
        table.run(&selection, |round| eprintln!("round {round} of {}", selection.rounds));
    let rows: Vec<_> = outcomes.iter().map(Row::of).collect();
    if arguments.json {
        report::print_json(&rows);
    } else {
        report::print_text(&rows, selection.rounds);
    }
    Ok(())
}
