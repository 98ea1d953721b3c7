//! An unmodified program in a process world: the object is loaded before it, and it cannot tell.

#[path = "process_world/files.rs"]
mod files;

use sim_worker::json::{self, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// The object that is loaded before the program, as cargo has built it beside this test.
fn object() -> PathBuf {
    let test = env::current_exe().unwrap();
    let name = "libsim_libc.so";
    let mut places = test.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    places.find(|path| path.is_file()).expect("cargo builds the object for this test")
}

type Line = BTreeMap<String, Value>;

/// A worker that performed runs of a program.
struct Worked {
    lines: Vec<Line>,
    output: Output,
}

impl Worked {
    fn runs(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| text(line, "event") == "run")
    }

    fn only(&self) -> &Line {
        self.runs().next().unwrap_or_else(|| panic!("a run ended: {:?}", self.output))
    }
}

fn text<'l>(line: &'l Line, key: &str) -> &'l str {
    match line.get(key) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

fn number(line: &Line, key: &str) -> u64 {
    match line.get(key) {
        Some(Value::Number(number)) => *number,
        _ => panic!("no number {key} in {line:?}"),
    }
}

fn work(program: &str, plan: &str) -> Worked {
    perform(Command::new(env!("CARGO_BIN_EXE_program")).arg(program), plan)
}

/// Lets a command perform runs.
fn perform(command: &mut Command, plan: &str) -> Worked {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let report = env::temp_dir().join(format!("sim-process-{}-{number}", std::process::id()));
    let test =
        command.get_args().last().and_then(|name| name.to_str()).unwrap_or("main").to_owned();
    let output = command
        .env("LD_PRELOAD", object())
        .env("SIM_WORKER", &report)
        .env("SIM_PLAN", format!("{{\"protocol\":1,\"test\":\"{test}\",{plan}}}"))
        .output()
        .unwrap();
    let lines = fs::read_to_string(&report).unwrap_or_default();
    let _ = fs::remove_file(&report);
    Worked { lines: lines.lines().map(|line| json::parse(line).unwrap()).collect(), output }
}

fn one(program: &str, seed: u32) -> Worked {
    work(program, &format!("\"base\":\"{seed}\",\"strategy\":\"random\",\"first\":1"))
}

fn many(program: &str, count: u32) -> Worked {
    work(
        program,
        &format!("\"base\":\"5\",\"strategy\":\"random\",\"count\":{count},\"stop\":false"),
    )
}

#[test]
fn what_a_program_does_ends_as_outside() {
    for program in ["everything", "sleep", "order", "echo", "timeouts", "names", "condvar"] {
        let worked = many(program, 20);
        let outcomes: BTreeSet<&str> = worked.runs().map(|run| text(run, "outcome")).collect();
        assert_eq!(outcomes, BTreeSet::from(["done"]), "{program}: {:?}", worked.lines);
        assert_eq!(worked.runs().count(), 20);
        assert!(worked.output.status.success());
    }
}

#[test]
fn an_hour_is_virtual() {
    let simulated = number(one("sleep", 1).only(), "simulated_ns");
    assert!((3_600_000_000_000..3_601_000_000_000).contains(&simulated), "{simulated}");
}

#[test]
fn a_run_is_the_same_in_every_process() {
    for seed in 0..20 {
        let (first, second) = (one("everything", seed), one("everything", seed));
        assert_eq!(first.output.stdout, second.output.stdout, "seed {seed}");
        let print = |worked: &Worked| text(worked.only(), "fingerprint").to_owned();
        assert_eq!(print(&first), print(&second), "seed {seed}");
    }
    // Nor does it matter how many runs were forked before it.
    let batch = many("everything", 8);
    let alone = work("everything", "\"base\":\"5\",\"strategy\":\"random\",\"first\":7");
    assert_eq!(
        text(batch.runs().last().unwrap(), "fingerprint"),
        text(alone.only(), "fingerprint")
    );
}

/// Nor whether the trace is kept, or how long the orders are: the program's memory and stack lie where they lay.
#[test]
fn addresses_do_not_depend_on_the_orders() {
    let trace = Path::new(env!("CARGO_TARGET_TMPDIR")).join("addresses.trace");
    for seed in 0..5 {
        let plain = one("everything", seed);
        let kept = format!(
            "\"base\":\"{seed}\",\"strategy\":\"random\",\"first\":1,\"record\":true,\"trace\":\"{}\",\"thread\":\"{}\"",
            trace.display(),
            "long".repeat(1000)
        );
        let kept = work("everything", &kept);
        assert_eq!(plain.output.stdout, kept.output.stdout, "seed {seed}");
        assert_eq!(text(plain.only(), "fingerprint"), text(kept.only(), "fingerprint"));
        assert!(fs::metadata(&trace).unwrap().len() > 100, "the trace was written");
    }
}

#[test]
fn seeds_differ() {
    let worked = many("order", 64);
    let schedules: BTreeSet<&str> = worked.runs().map(|run| text(run, "schedule")).collect();
    assert!(schedules.len() > 50, "{} schedules of 64", schedules.len());
}

#[test]
fn a_lost_update_of_two_threads_is_found_and_replayed() {
    let worked =
        work("lost_update", "\"base\":\"1\",\"strategy\":\"random\",\"count\":50,\"stop\":true");
    let failed = worked.runs().last().unwrap();
    assert_eq!(text(failed, "outcome"), "panic", "{:?}", worked.lines);
    let message = text(failed, "message");
    assert!(message.contains("an update was lost"), "{message}");
    let place = text(failed, "location");
    assert!(place.starts_with("tests/programs/program.rs:"), "{place}");
    let run = number(failed, "run");
    let again = work(
        "lost_update",
        &format!("\"base\":\"1\",\"strategy\":\"random\",\"first\":{run},\"record\":true"),
    );
    assert_eq!(text(again.only(), "fingerprint"), text(failed, "fingerprint"));
    let log = text(again.only(), "log").to_owned();
    assert!(log.contains("sched.sync"), "{log}");
    let file = stored(&log);
    let replayed = work("lost_update", &format!("\"replay\":\"{}\"", file.display()));
    let _ = fs::remove_file(&file);
    assert_eq!(text(replayed.only(), "fingerprint"), text(failed, "fingerprint"), "{log}");
    assert_eq!(number(replayed.only(), "drift"), 0);
}

/// A stored failure with this log.
fn stored(log: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lost_update.simtrace");
    let head = "simtrace 1\npackage: tests\ntest: lost_update\nseed: 0x1\nbase_seed: 0x1\nrun: 0\nstrategy: random\nkind: panic\nmessage: x\n";
    fs::write(&path, format!("{head}\n{}\nend\n", log.trim_end())).unwrap();
    path
}

#[test]
fn a_run_that_fails_says_how() {
    for (program, outcome, part) in [
        ("deadlock", "deadlock", "waits for a lock"),
        ("process", "escape", "a process of the system"),
        ("panic", "panic", "the third shelf is empty"),
        ("status", "error", "the program ended with status 7"),
    ] {
        let worked = one(program, 1);
        let run = worked.only();
        assert_eq!(text(run, "outcome"), outcome, "{run:?}");
        let said = format!("{}{}", text(run, "message"), text(run, "details"));
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_run_that_dies_takes_its_worker_along() {
    use std::os::unix::process::ExitStatusExt;
    let worked = one("abort", 1);
    assert_eq!(worked.output.status.signal(), Some(6));
    assert_eq!(worked.runs().count(), 0);
    assert!(worked.lines.iter().any(|line| text(line, "event") == "begin"));
}

#[test]
fn bad_orders_are_refused() {
    let worked = work("sleep", "\"strategy\":\"dice\"");
    let refused = worked.lines.iter().find(|line| text(line, "event") == "refused").unwrap();
    assert!(text(refused, "message").starts_with("'dice' is not a strategy"), "{refused:?}");
    assert_eq!(worked.runs().count(), 0);
}

#[test]
fn without_orders_the_object_does_nothing() {
    let output = Command::new(env!("CARGO_BIN_EXE_program"))
        .arg("echo")
        .env("LD_PRELOAD", object())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
