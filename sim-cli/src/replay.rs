//! `cargo sim replay`: one recorded execution again, with its logs and every event.

use crate::args::{CargoArgs, ReplayArgs};
use crate::around;
use crate::causes;
use crate::config::{self, STALL};
use crate::door::DoorKind;
use crate::exit::{Code, Stop};
use crate::judge::Replayed;
use crate::list::{Selection, Test};
use crate::pool::Pool;
use crate::project::{Project, shown};
use crate::worker::{self, End, Failed, Order, Outcome, Scratch, Surroundings, Worker};
use sim_core::simtrace::Simtrace;
use sim_core::trace::Recorded;
use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is to be run again.
struct Target {
    test: Test,
    order: Order,
    /// `None` for a run that is named by its seed.
    stored: Option<(PathBuf, Simtrace)>,
}

/// Runs the verb.
pub(crate) fn run(args: &ReplayArgs) -> Result<Code, Stop> {
    let target = if is_file(&args.target) { by_file(args)? } else { by_seed(args)? };
    if args.debug {
        return debug(&target);
    }
    let scratch = Scratch::new()?;
    let trace = scratch.path("trace");
    let around = Surroundings { shown: true, ..Surroundings::default() };
    let outcome = Worker::start(
        &target.test,
        &Order { echo: true, ..target.order.clone().traced(&trace) },
        &scratch,
        &around,
        STALL,
    )?
    .wait()?;
    outcome.check(&target.test.name)?;
    if outcome.hello.is_none() {
        return Err(not_native(&target.test));
    }
    let mut out = io::stdout().lock();
    if trace.exists() {
        print_trace(&mut out, &causes::read(&trace)?, args.until);
    }
    let (code, text) = verdict(&target, &outcome, &scratch)?;
    // A reader that went away does not change the verdict.
    let _ = out.write_all(text.as_bytes());
    Ok(code)
}

fn is_file(target: &str) -> bool {
    target.ends_with(".simtrace") || Path::new(target).is_file()
}

fn by_file(args: &ReplayArgs) -> Result<Target, Stop> {
    if args.seed.is_some() {
        return Err(Stop::usage(
            "--seed goes with a test's name: the file knows its own seed, leave it out",
        ));
    }
    let (test, path, file) = open(&args.cargo, Path::new(&args.target))?;
    Ok(Target { test, order: Order::replay(&path), stored: Some((path, file)) })
}

/// Reads the file of a failure and builds its test.
pub(crate) fn open(cargo: &CargoArgs, target: &Path) -> Result<(Test, PathBuf, Simtrace), Stop> {
    let path = Project::find(cargo, target);
    let file = Simtrace::read(&path).map_err(|error| Stop::usage(error.to_string()))?;
    // The worker is started in another folder.
    let path = path.canonicalize().unwrap_or(path);
    let test = Project::of_file(cargo, &path)?.test_of(&file)?;
    Ok((test, path, file))
}

fn by_seed(args: &ReplayArgs) -> Result<Target, Stop> {
    let Some(seed) = args.seed else {
        return Err(Stop::usage(format!(
            "'{}' is not a .simtrace file: give one, or a test's name with --seed S and --run N",
            args.target
        )));
    };
    let known = Project::here(&args.cargo)?.tests()?;
    let exact = Selection::only(&args.target).choose(&known);
    let tests = exact.or_else(|_| {
        Selection::new(std::slice::from_ref(&args.target), &[String::from("--include-ignored")])?
            .choose(&known)
    })?;
    let [test] = tests.as_slice() else {
        let names: Vec<&str> = tests.iter().map(|test| test.name.as_str()).collect();
        return Err(Stop::usage(format!(
            "'{}' names {} tests: give one of {}",
            args.target,
            names.len(),
            names.join(", ")
        )));
    };
    let strategy = args.strategy.clone().unwrap_or_else(|| String::from("portfolio"));
    let order = Order::runs(seed.to_string(), strategy, args.run.unwrap_or(0), 1)
        .with_faults(args.faults.unwrap_or(test.executable.door.faults()));
    Ok(Target { test: test.clone(), order, stored: None })
}

/// What is said to whoever replays a test without a world.
pub(crate) fn not_native(test: &Test) -> Stop {
    Stop::refused(format!(
        "{} is a plain test, which has no seed and no trace: write it with #[sim::test]",
        test.name
    ))
}

fn print_trace(out: &mut impl Write, trace: &Recorded, until: Option<u64>) {
    let end = until
        .map_or(usize::MAX, |until| usize::try_from(until).unwrap_or(usize::MAX).saturating_add(1));
    let shown = Recorded {
        events: trace.events.iter().take(end).copied().collect(),
        lines: trace.lines.iter().filter(|line| line.after < end as u64).cloned().collect(),
        names: trace.names.clone(),
        ..Recorded::default()
    };
    // A reader that went away wants no more of it.
    let _ = write!(out, "{shown}");
}

fn verdict(target: &Target, outcome: &Outcome, scratch: &Scratch) -> Result<(Code, String), Stop> {
    let end = outcome.runs.first().map(|(_, end)| end);
    let failed = end.and_then(End::failed).or_else(|| outcome.death().map(|(_, failed)| failed));
    let name = &target.test.name;
    let told = failed.as_ref().map(|failed| tell(name, failed)).unwrap_or_default();
    let (code, verdict) = match (&target.stored, failed) {
        (None, None) => (Code::Passed, format!("{name} passes\n")),
        (None, Some(_)) => (Code::Failed, String::new()),
        (Some(stored), failed) => compare(&target.test, stored, end, failed, scratch)?,
    };
    Ok((code, format!("{told}{}{verdict}", drift(end))))
}

/// What is said of recorded choices that mean nothing any more.
fn drift(end: Option<&End>) -> String {
    match end.map_or(0, |end| end.drift) {
        0 => String::new(),
        drift => format!(
            "drift: {drift} of the recorded choices were not asked for: the program has changed since\n"
        ),
    }
}

/// Whether what came of a replay is the stored failure, and was reached the same way.
pub(crate) fn compare(
    test: &Test,
    (path, file): &(PathBuf, Simtrace),
    end: Option<&End>,
    failed: Option<Failed>,
    scratch: &Scratch,
) -> Result<(Code, String), Stop> {
    Ok(match Replayed::of(test, file, end, failed)? {
        Replayed::Same { way, .. } => (Code::Failed, format!("the same failure{way}\n")),
        Replayed::Other(_) => {
            let text = format!(
                "another execution: the stored failure is {}: {}\n",
                file.kind, file.message
            );
            (Code::Diverged, text)
        }
        Replayed::Diverged(difference) => {
            let text = format!(
                "divergence: {difference}\nsomething outside the choices decided: cargo sim doctor {} finds out what\n",
                test.name
            );
            (Code::Diverged, text)
        }
        Replayed::Passes => {
            let mut pool = Pool::new(test, file, scratch, STALL, config::cores());
            let around = around::look(file, &mut pool, around::TIME)?;
            match around.found {
                Some(end) => {
                    let told = end.failed().map(|failed| tell(&test.name, &failed));
                    let moved = around::moved(around.tried, path);
                    (Code::Failed, format!("{}{moved}\n", told.unwrap_or_default()))
                }
                None => (Code::Passed, passes(test, path, around.tried)),
            }
        }
    })
}

fn passes(test: &Test, path: &Path, tried: u64) -> String {
    let beside = match tried {
        0 => String::new(),
        tried => format!("{tried} runs beside it pass too, "),
    };
    format!("{} passes now, {beside}{} is kept\n", test.name, shown(path))
}

fn tell(name: &str, failed: &Failed) -> String {
    let place = failed.location.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
    let details = if failed.details.trim().is_empty() {
        String::new()
    } else {
        format!("{}\n", failed.details.trim_end())
    };
    format!("\n{name}: {}{place}\n{}\n{details}", failed.kind, failed.message.trim_end())
}

/// Starts the debugger on the run, at the panic if there is one.
fn debug(target: &Target) -> Result<Code, Stop> {
    let scratch = Scratch::new()?;
    let mut run = worker::command(&target.test);
    let named = (target.test.executable.door != DoorKind::Native).then(|| target.test.name.clone());
    let order = Order { echo: true, test: named, ..target.order.clone() };
    worker::ordered(&mut run, &order, &scratch.path("report"))?;
    let debugger = ["rust-gdb", "gdb"].into_iter().find(|name| is_there(name));
    let debugger =
        debugger.ok_or_else(|| Stop::refused("there is neither rust-gdb nor gdb: install gdb"))?;
    let mut command = Command::new(debugger);
    command.args([
        "-quiet",
        "-ex",
        "set breakpoint pending on",
        "-ex",
        "break rust_panic",
        "-ex",
        "run",
        "--args",
    ]);
    command.arg(run.get_program()).args(run.get_args());
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(target.test.executable.folder());
    let status = command
        .status()
        .map_err(|error| Stop::refused(format!("{debugger} cannot be started: {error}")))?;
    Ok(if status.success() { Code::Passed } else { Code::Failed })
}

fn is_there(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
