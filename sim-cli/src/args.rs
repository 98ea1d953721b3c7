//! The words of the command line.
//!
//! Values are checked here, so that a wrong one is reported before anything is built.

use crate::config::parse;
use crate::door::DoorKind;
use crate::exit::{Code, Stop};
use clap::{Args, Parser, Subcommand};
use sim_core::choice::Seed;
use sim_worker::Profile;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Runs the tests of a project over many seeds of a simulated world.
#[derive(Debug, Parser)]
#[command(name = "cargo sim", bin_name = "cargo sim", version, about)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Replay the stored failures, then run each test over many seeds.
    Test(Box<TestArgs>),
    /// Run one recorded execution again, with its logs and every event.
    Replay(Box<ReplayArgs>),
    /// Find the first event in which two recorded executions differ.
    Diff(Box<DiffArgs>),
    /// Find out whether the tests are deterministic.
    Doctor(Box<DoctorArgs>),
    /// Shrink a recorded failure further.
    Shrink(Box<ShrinkArgs>),
    /// Tell the story of a failure.
    Explain(Box<ExplainArgs>),
    /// Run any program in the simulated world.
    Run(Box<RunArgs>),
}

/// Cargo's own options, passed on as they are.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cargo's options, passed on")]
pub(crate) struct CargoArgs {
    /// The package to test.
    #[arg(short, long, value_name = "SPEC")]
    pub(crate) package: Vec<String>,
    /// All packages of the workspace.
    #[arg(long, alias = "all")]
    pub(crate) workspace: bool,
    /// Packages to leave out.
    #[arg(long, value_name = "SPEC")]
    pub(crate) exclude: Vec<String>,
    /// The library's unit tests.
    #[arg(long)]
    pub(crate) lib: bool,
    /// A binary's unit tests.
    #[arg(long, value_name = "NAME")]
    pub(crate) bin: Vec<String>,
    /// All binaries' unit tests.
    #[arg(long)]
    pub(crate) bins: bool,
    /// An integration test.
    #[arg(long, value_name = "NAME")]
    pub(crate) test: Vec<String>,
    /// All integration tests.
    #[arg(long)]
    pub(crate) tests: bool,
    /// An example's tests.
    #[arg(long, value_name = "NAME")]
    pub(crate) example: Vec<String>,
    /// All examples' tests.
    #[arg(long)]
    pub(crate) examples: bool,
    /// The documentation's tests, which run once as they are.
    #[arg(long)]
    pub(crate) doc: bool,
    /// Features to turn on.
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub(crate) features: Vec<String>,
    /// All features.
    #[arg(long)]
    pub(crate) all_features: bool,
    /// No default features.
    #[arg(long)]
    pub(crate) no_default_features: bool,
    /// The release profile.
    #[arg(short, long)]
    pub(crate) release: bool,
    /// A profile by name.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The lock file must not change.
    #[arg(long)]
    pub(crate) locked: bool,
    /// No network.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Both of these.
    #[arg(long)]
    pub(crate) frozen: bool,
    /// The project's manifest.
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Where to build.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) target_dir: Option<PathBuf>,
    /// How the project enters the world: native, tokio, libc [default: the one that fits].
    #[arg(long, value_name = "DOOR", value_parser = parse::door, help_heading = "Options")]
    pub(crate) door: Option<DoorKind>,
}

/// Options of `test`.
#[derive(Debug, Default, Args)]
pub(crate) struct TestArgs {
    /// Parts of the names of the tests to run.
    pub(crate) filters: Vec<String>,
    /// Runs of each test [default: 100].
    #[arg(long, value_name = "N", value_parser = parse::runs)]
    pub(crate) runs: Option<u64>,
    /// Stop each test after this much wall time, such as 30s, 5m, 1h.
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    pub(crate) time: Option<Duration>,
    /// Base seed, decimal or 0x and hexadecimal digits [default: from the clock].
    #[arg(long, value_name = "S", value_parser = parse::seed)]
    pub(crate) seed: Option<Seed>,
    /// Processes at once [default: number of cores].
    #[arg(short, long, value_name = "J", value_parser = parse::jobs)]
    pub(crate) jobs: Option<usize>,
    /// How runs are scheduled: portfolio, fifo, random, sticky:N, pct:D, pos, urw, surw, delay:D, priority, fair [default: portfolio].
    #[arg(long, value_name = "NAME[:ARG]", value_parser = parse::strategy)]
    pub(crate) strategy: Option<String>,
    /// What befalls hosts and links: none, light, swarm, or a file [default: light for tests of sim, none for others].
    #[arg(long, value_name = "PROFILE", value_parser = parse::faults)]
    pub(crate) faults: Option<Profile>,
    /// Take every N-th batch of 32 runs, from the K-th.
    #[arg(long, value_name = "K/N", value_parser = parse::shard)]
    pub(crate) shard: Option<parse::Shard>,
    /// Stop everything at the first failure.
    #[arg(long, conflicts_with = "no_fail_fast")]
    pub(crate) fail_fast: bool,
    /// Go on with a test that has failed.
    #[arg(long)]
    pub(crate) no_fail_fast: bool,
    /// How to report: human, json [default: human].
    #[arg(long, value_name = "FORMAT", value_parser = parse::format)]
    pub(crate) format: Option<parse::Format>,
    /// Report failures as found.
    #[arg(long)]
    pub(crate) no_shrink: bool,
    /// End a run that takes longer than this much wall time [default: 1m].
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    pub(crate) stall: Option<Duration>,
    /// Cargo's options.
    #[command(flatten)]
    pub(crate) cargo: CargoArgs,
    /// After --: --exact, --skip, --ignored, --include-ignored, --nocapture.
    #[arg(last = true, value_name = "TEST OPTIONS")]
    pub(crate) libtest: Vec<String>,
}

/// Options of `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A .simtrace file, or the name of a test with --seed.
    pub(crate) target: String,
    /// The base seed of the run, with a test's name.
    #[arg(long, value_name = "S", value_parser = parse::seed)]
    pub(crate) seed: Option<Seed>,
    /// Which run under that seed [default: 0].
    #[arg(long, value_name = "N", value_parser = parse::count, requires = "seed")]
    pub(crate) run: Option<u64>,
    /// The strategy that the run was found with [default: portfolio].
    #[arg(long, value_name = "NAME[:ARG]", value_parser = parse::strategy, requires = "seed")]
    pub(crate) strategy: Option<String>,
    /// The faults that it was found with [default: as for test].
    #[arg(long, value_name = "PROFILE", value_parser = parse::faults, requires = "seed")]
    pub(crate) faults: Option<Profile>,
    /// Print no event after this one.
    #[arg(long, value_name = "EVENT", value_parser = parse::count)]
    pub(crate) until: Option<u64>,
    /// Start the debugger on the run.
    #[arg(long)]
    pub(crate) debug: bool,
    /// Cargo's options.
    #[command(flatten)]
    pub(crate) cargo: CargoArgs,
}

/// Options of `shrink`.
#[derive(Debug, Args)]
pub(crate) struct ShrinkArgs {
    /// A .simtrace file, which the smaller one replaces.
    pub(crate) file: PathBuf,
    /// Stop after this much wall time [default: 30s, unless --runs is given].
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    pub(crate) time: Option<Duration>,
    /// Stop after so many runs [default: 2000, unless --time is given].
    #[arg(long, value_name = "N", value_parser = parse::runs)]
    pub(crate) runs: Option<u64>,
    /// Processes at once [default: number of cores].
    #[arg(short, long, value_name = "J", value_parser = parse::jobs)]
    pub(crate) jobs: Option<usize>,
    /// Cargo's options.
    #[command(flatten)]
    pub(crate) cargo: CargoArgs,
}

/// Options of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A .simtrace file.
    pub(crate) file: PathBuf,
    /// Write all of it as JSON instead of printing it.
    #[arg(long, value_name = "OUT")]
    pub(crate) json: Option<PathBuf>,
    /// A page with the timeline (comes with a later version).
    #[arg(long, value_name = "OUT")]
    pub(crate) html: Option<PathBuf>,
    /// A trace for ui.perfetto.dev (comes with a later version).
    #[arg(long, value_name = "OUT")]
    pub(crate) perfetto: Option<PathBuf>,
    /// The packets (comes with a later version).
    #[arg(long, value_name = "OUT")]
    pub(crate) pcap: Option<PathBuf>,
    /// Cargo's options.
    #[command(flatten)]
    pub(crate) cargo: CargoArgs,
}

/// Options of `diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// A .simtrace file.
    pub(crate) left: PathBuf,
    /// Another.
    pub(crate) right: PathBuf,
    /// Cargo's options.
    #[command(flatten)]
    pub(crate) cargo: CargoArgs,
}

/// Options of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Parts of the names of the tests to examine.
    pub(crate) filters: Vec<String>,
    /// Base seed [default: 0].
    #[arg(long, value_name = "S", value_parser = parse::seed)]
    pub(crate) seed: Option<Seed>,
    /// Runs of each test to compare [default: 2].
    #[arg(long, value_name = "N", value_parser = parse::runs)]
    pub(crate) runs: Option<u64>,
    /// Cargo's options.
    #[command(flatten)]
    pub(crate) cargo: CargoArgs,
    /// After --: --exact, --skip, --ignored, --include-ignored.
    #[arg(last = true, value_name = "TEST OPTIONS")]
    pub(crate) libtest: Vec<String>,
}

/// Options of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The seed that decides what happens [default: 0].
    #[arg(long, value_name = "S", value_parser = parse::seed)]
    pub(crate) seed: Option<Seed>,
    /// How threads are scheduled [default: random].
    #[arg(long, value_name = "NAME[:ARG]", value_parser = parse::strategy)]
    pub(crate) strategy: Option<String>,
    /// End a run that takes longer than this much wall time [default: 1m].
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    pub(crate) stall: Option<Duration>,
    /// The program and its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// Reads the command line. `Ok(None)` where help or the version was asked for and has been printed.
pub(crate) fn read(words: impl Iterator<Item = OsString>) -> Result<Option<Cli>, Stop> {
    let mut words: Vec<OsString> = words.collect();
    // Cargo starts `cargo-sim sim test …` for `cargo sim test …`; the alias of this repository does not.
    if words.get(1).is_some_and(|word| word == "sim") {
        words.remove(1);
    }
    match Cli::try_parse_from(words) {
        Ok(cli) => Ok(Some(cli)),
        Err(error) if !error.use_stderr() => {
            // A reader that went away, as `| head` does, wants no more of it.
            let _ = error.print();
            Ok(None)
        }
        Err(error) => Err(Stop { code: Code::Usage, text: one_line(&error.render().to_string()) }),
    }
}

/// Clap's message with its tips, as one line.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for paragraph in text.split("\n\n") {
        let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        let kept =
            words.strip_prefix("error: ").or_else(|| words.starts_with("tip: ").then_some(&words));
        if let Some(kept) = kept {
            line.push_str(if line.is_empty() { "" } else { "; " });
            line.push_str(kept);
        }
    }
    if line.is_empty() {
        // No verb at all: clap answers with the help text alone.
        return String::from(
            "no verb: say what to do, such as 'cargo sim test'; 'cargo sim --help' lists the verbs",
        );
    }
    format!("{line}; 'cargo sim --help' says more")
}
