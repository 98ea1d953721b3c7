//! Prints how many schedules each strategy needs to the first bug of each published subject, or what a step costs.

use clap::{Args, Parser, Subcommand};
use comfy_table::{CellAlignment, Table, presets};
use core::num::NonZeroU32;
use sim_schedules::campaign::{self, Effort};
use sim_schedules::cost::{Cost, PROGRAMS, Program, TASKS};
use sim_schedules::enumeration;
use sim_schedules::report::Results;
use sim_schedules::subjects::{self, Subject};
use sim_worker::strategy::Strategy;
use std::time::Duration;

/// Published subjects of schedule exploration.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Searches subjects under strategies, and prints the mean numbers of schedules to the first bug.
    Search(Search),
    /// Prints what a step costs with a thousand tasks.
    Cost(CostOptions),
    /// Runs every interleaving of the small programs, and prints how many fail and how likely that is in a random walk.
    Enumerate {
        /// A program with more interleavings is given up.
        #[arg(long, default_value_t = 200_000)]
        limit: u64,
    },
    /// Prints the names of the subjects.
    List,
}

#[derive(Args)]
struct Search {
    /// The subjects, by name, or by the beginning of it and a star; all if none is given.
    #[arg(long, value_delimiter = ',')]
    subjects: Vec<String>,
    /// The strategies, as `cargo sim` names them.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "surw,pct:3,pct:10,pos,random,urw,sticky:8,delay:2,portfolio"
    )]
    strategies: Vec<Strategy>,
    /// How often each campaign is repeated.
    #[arg(long, default_value_t = 20)]
    trials: u32,
    /// After how many schedules a campaign gives up.
    #[arg(long, default_value_t = 10_000)]
    limit: u32,
    /// How many threads search.
    #[arg(long, default_value_t = NonZeroU32::MIN)]
    jobs: NonZeroU32,
}

#[derive(Args)]
struct CostOptions {
    /// The strategies, the first of which is the measure for the others.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "random,fifo,sticky:8,pct:3,pos,urw,surw,portfolio"
    )]
    strategies: Vec<Strategy>,
    /// The programs; both if none is given.
    #[arg(long, value_delimiter = ',')]
    programs: Vec<String>,
    /// The best of so many rounds counts.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
}

fn main() {
    match Options::parse().command {
        Command::Search(options) => search(&options),
        Command::Cost(options) => cost(&options),
        Command::Enumerate { limit } => println!("{}", enumerate(limit)),
        Command::List => subjects::all().iter().for_each(|subject| println!("{}", subject.name)),
    }
}

fn search(options: &Search) {
    let is_meant = |subject: &Subject| {
        let is_named = |name: &String| match name.strip_suffix('*') {
            Some(beginning) => subject.name.starts_with(beginning),
            None => subject.name == name,
        };
        options.subjects.is_empty() || options.subjects.iter().any(is_named)
    };
    let subjects: Vec<Subject> = subjects::all().into_iter().filter(is_meant).collect();
    let Search { strategies, trials, limit, jobs, .. } = options;
    let effort = Effort { trials: *trials, limit: *limit, jobs: *jobs };
    let found = campaign::search(&subjects, strategies, effort, |subject, strategy, found| {
        let (hits, mean) = (found.hits(), found.mean_of_all());
        eprintln!("{} {strategy}: {hits} of {trials} trials, mean {mean:.1}", subject.name);
    });
    print!("{}", Results { subjects, strategies: strategies.clone(), found }.text());
}

fn enumerate(limit: u64) -> Table {
    let mut table = Table::new();
    let header = ["program", "interleavings", "failing", "chance in a walk"];
    table.load_preset(presets::ASCII_MARKDOWN).set_header(header);
    let buggy = subjects::small().into_iter().map(|small| (small.name.to_owned(), small.program));
    let corrected = subjects::all().into_iter().filter_map(|subject| {
        Some((format!("{}, corrected", subject.name), subject.corrected?.small?))
    });
    for (name, program) in buggy.chain(corrected) {
        match enumeration::enumerate(program, limit) {
            Some(seen) => {
                let (all, failing) = (seen.interleavings.to_string(), seen.failing.to_string());
                table.add_row([name, all, failing, format!("{:.5}", seen.walk_fails)])
            }
            None => table.add_row([name, format!("more than {limit}")]),
        };
    }
    table
}

fn cost(options: &CostOptions) {
    println!("nanoseconds a step with {TASKS} tasks, and how many times the first\n");
    let is_meant = |program: &Program| {
        options.programs.is_empty() || options.programs.iter().any(|name| name == program.name)
    };
    for program in PROGRAMS.into_iter().filter(is_meant) {
        let costs = program.costs(&options.strategies, options.rounds);
        println!("{}\n{}\n", program.name, table(&costs));
    }
    peers(options.rounds);
}

#[cfg(feature = "shuttle")]
fn peers(rounds: u32) {
    println!("yields in shuttle\n{}", table(&sim_schedules::cost::shuttle::costs(rounds.min(2))));
}

#[cfg(not(feature = "shuttle"))]
fn peers(_rounds: u32) {
    println!("build with --features shuttle for the comparison with shuttle");
}

fn table(costs: &[Cost]) -> Table {
    let first = costs.first().map_or(Duration::ZERO, |cost| cost.step).as_secs_f64();
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header(["strategy", "ns", "times"]);
    for Cost { name, step } in costs {
        let ratio = format!("{:.2}", step.as_secs_f64() / first);
        table.add_row([name.clone(), step.as_nanos().to_string(), ratio]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
