//! What no symbol of the C library sees, in a process world: the cycle counter, raw system calls, faults, spins.
#![cfg(target_arch = "x86_64")]

use sim_worker::json::{self, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

type Line = BTreeMap<String, Value>;

/// A run of a program.
struct Ran {
    run: Option<Line>,
    output: Output,
}

impl Ran {
    fn field(&self, key: &str) -> &str {
        match self.run.as_ref().and_then(|run| run.get(key)) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    fn printed(&self) -> &str {
        assert_eq!(self.field("outcome"), "done", "{:?} {:?}", self.run, self.output);
        std::str::from_utf8(&self.output.stdout).unwrap()
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }
}

/// The object that is loaded before the program, as cargo has built it beside this test.
fn object() -> PathBuf {
    let test = env::current_exe().unwrap();
    let mut places = test.ancestors().skip(1).take(2).map(|folder| folder.join("libsim_libc.so"));
    places.find(|path| path.is_file()).expect("cargo builds the object for this test")
}

fn command(program: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trapped"));
    command.arg(program);
    command
}

/// Has a run of the program performed, by a command that ends up in it with the object loaded.
fn run_as(mut command: Command, seed: u32) -> Ran {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let report = env::temp_dir().join(format!("sim-traps-{}-{number}", std::process::id()));
    let plan = format!(
        "{{\"protocol\":1,\"test\":\"t\",\"base\":\"{seed}\",\"strategy\":\"random\",\"first\":1}}"
    );
    let output = command.env("SIM_WORKER", &report).env("SIM_PLAN", plan).output().unwrap();
    let lines = fs::read_to_string(&report).unwrap_or_default();
    let _ = fs::remove_file(&report);
    let mut lines = lines.lines().map(|line| json::parse(line).unwrap());
    let run = lines.find(|line| line.get("event") == Some(&Value::Text("run".into())));
    Ran { run, output }
}

fn run(program: &str, seed: u32) -> Ran {
    let mut command = command(program);
    command.env("LD_PRELOAD", object());
    run_as(command, seed)
}

/// The same on a kernel that has no user dispatch.
fn run_filtered(program: &str, seed: u32) -> Ran {
    run_refused("refuse_dispatch", program, seed)
}

fn run_refused(what: &str, program: &str, seed: u32) -> Ran {
    let mut command = command(what);
    command.arg(program).env("PRELOAD", object());
    run_as(command, seed)
}

#[test]
fn the_cycle_counter_counts_virtual_time_at_3_ghz() {
    let first = run("counter", 1);
    assert_eq!(first.printed(), run("counter", 1).printed());
    let others: BTreeSet<String> =
        (2..8).map(|seed| run("counter", seed).printed().into()).collect();
    assert!(others.len() == 6 && !others.contains(first.printed()), "seeds differ");
    let lines: Vec<&str> = first.printed().lines().collect();
    // In milliseconds: what the calls in between cost is less.
    assert_eq!(lines[0], "slept 2000");
    let differences: Vec<u64> = lines[1]
        .trim_matches(['[', ']'])
        .split(", ")
        .map(|number| number.parse().unwrap())
        .collect();
    let kinds: BTreeSet<u64> = differences.iter().copied().collect();
    assert!(kinds.len() > 20, "there is jitter: {kinds:?}");
    assert!(differences.iter().all(|difference| (1..48).contains(difference)), "{kinds:?}");
    let mean = differences.iter().sum::<u64>() / differences.len() as u64;
    assert!((22..=26).contains(&mean), "a reading costs 8 ns: {mean}");
    assert!(lines[2].ends_with(" on 0"), "{}", lines[2]);
}

#[test]
fn raw_system_calls_get_the_worlds_answers() {
    for run in [run, run_filtered] {
        let first = run("calls", 3);
        assert_eq!(first.field("notices"), "");
        assert_eq!(first.printed(), run("calls", 3).printed());
        let lines: Vec<&str> = first.printed().lines().collect();
        assert!(lines.contains(&"slept 7200"), "{lines:?}");
        assert!(lines.contains(&"1000 1000"), "{lines:?}");
        assert!(lines.contains(&"written by an instruction"), "{lines:?}");
        assert_ne!(first.printed(), run("calls", 4).printed(), "random bytes have a seed");
    }
}

#[test]
fn both_ways_to_trap_answer_alike() {
    assert_eq!(run("calls", 5).printed(), run_filtered("calls", 5).printed());
}

#[test]
fn what_cannot_be_trapped_is_said() {
    let notice = "raw system calls cannot be trapped on this system";
    let ran = run_refused("refuse_both", "nothing", 1);
    assert!(ran.field("notices").contains(notice), "{:?}", ran.run);
    // Both other ways are the ways that these tests mean.
    for run in [run, run_filtered] {
        assert!(!run("nothing", 1).field("notices").contains(notice));
    }
}

#[test]
fn a_trapped_call_may_give_up_the_turn() {
    for seed in 0..10 {
        for run in [run, run_filtered] {
            let ran = run("threads", seed);
            assert_eq!(ran.printed(), "1001\n", "seed {seed}");
            assert_eq!(ran.field("fingerprint"), run("threads", seed).field("fingerprint"));
        }
    }
}

#[test]
fn a_raw_call_that_leaves_the_world_is_an_escape() {
    for (program, name) in [("fork", "fork (57)"), ("unknown", "number 163")] {
        for run in [run, run_filtered] {
            let ran = run(program, 1);
            assert_eq!(ran.field("outcome"), "escape", "{:?} {}", ran.run, ran.said());
            let message = ran.field("message");
            assert!(message.contains(&format!("the system call {name}")), "{message}");
            assert!(message.contains("by an instruction of /"), "{message}");
            assert!(message.contains("trapped"), "it names the object: {message}");
            let details = ran.field("details");
            assert!(details.contains("keep it out of the test"), "{details}");
            assert!(details.contains(&format!("trapped::traps::{program}")), "{details}");
        }
    }
}

#[test]
fn a_programs_own_handler_gets_its_faults() {
    let ran = run("own_handler", 1);
    assert_eq!(ran.printed(), "3 faults\n");
}

#[test]
fn faults_end_a_program_as_outside() {
    for program in ["bad_handler", "default_fault", "overflow"] {
        let (inside, outside) = (run(program, 1), command(program).output().unwrap());
        assert!(outside.status.signal().is_some(), "{program}: {outside:?}");
        assert_eq!(
            inside.output.status.signal(),
            outside.status.signal(),
            "{program}: {inside:?}",
            inside = inside.output
        );
        assert!(inside.run.is_none());
    }
    assert!(run("overflow", 1).said().contains("has overflowed its stack"));
}

fn expect_livelock(program: &str, place: &str) {
    let ran = run(program, 1);
    assert_eq!(ran.field("outcome"), "livelock", "{:?} {}", ran.run, ran.said());
    let message = ran.field("message");
    assert!(message.contains("spins without asking the kernel for anything"), "{message}");
    let details = ran.field("details");
    assert!(details.contains(place), "it says where: {details}");
    assert!(details.contains("thread 1"), "it says who cannot run: {details}");
}

#[test]
fn a_spin_is_a_livelock() {
    expect_livelock("spin", "wait_for");
}

#[test]
fn a_spin_that_reads_the_cycle_counter_is_one_too() {
    expect_livelock("spin_on_counter", "spin_on_counter");
}

#[test]
fn a_wait_that_looks_at_a_clock_lets_others_run() {
    for seed in 0..5 {
        let ran = run("spin_on_clock", seed);
        assert!(ran.printed().starts_with("1."), "after a millisecond: {}", ran.printed());
        assert_eq!(ran.printed(), run("spin_on_clock", seed).printed());
    }
}

/// The longer it goes on the more time passes by a look, but never beyond what is waited for by more than a time slice.
#[test]
fn staring_at_a_clock_for_seconds_is_cheap() {
    for seed in 0..5 {
        let ran = run("spin_for_seconds", seed);
        let times: Vec<f64> = ran
            .printed()
            .lines()
            .map(|line| match line.strip_suffix("ms") {
                Some(millis) => millis.parse::<f64>().unwrap() / 1e3,
                None => line.strip_suffix('s').unwrap().parse().unwrap(),
            })
            .collect();
        assert!((0.3..0.304).contains(&times[0]), "{times:?}");
        assert!((2.3..2.308).contains(&times[1]), "{times:?}");
        let steps = ran.run.as_ref().and_then(|run| run.get("steps"));
        let Some(Value::Number(steps)) = steps else { panic!("{:?}", ran.run) };
        assert!(*steps < 2000, "2.3 s are 575 slices of 4 ms, not {steps}");
    }
}

#[test]
fn outside_a_world_nothing_is_trapped() {
    let output = command("counter").env("LD_PRELOAD", object()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{output:?}", output = output.stderr);
    assert_ne!(printed.lines().next(), Some("slept 2000"), "the machine's own rate");
    let output = command("fork").env("LD_PRELOAD", object()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
