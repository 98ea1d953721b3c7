//! Campaigns: what is found, stored, told, replayed and forgiven.

use crate::project::Project;
use serde_json::Value;
use std::fs;

/// Two tasks add one each. In the order in which they were spawned nothing is lost; in some others it is.
const BANK: &str = r#"
use std::cell::Cell;
use std::rc::Rc;

async fn deposit(balance: Rc<Cell<u32>>, before: u32) {
    for _ in 0..before {
        sim::yield_now().await;
    }
    let seen = balance.get();
    sim::yield_now().await;
    balance.set(seen + 1);
}

#[sim::test]
async fn lost_update() {
    let balance = Rc::new(Cell::new(0));
    let first = sim::spawn(deposit(balance.clone(), 0));
    let second = sim::spawn(deposit(balance.clone(), 4));
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(balance.get(), 2, "a deposit was lost");
}

#[sim::test(runs = 5)]
async fn sleeps() {
    sim::time::sleep(std::time::Duration::from_secs(3600)).await;
}

#[test]
fn plain() {}
"#;

/// The same test without the bug.
fn mended() -> String {
    BANK.replace(
        "let seen = balance.get();\n    sim::yield_now().await;",
        "let seen = balance.get();",
    )
}

#[test]
fn a_bug_is_found_stored_replayed_and_mended() {
    let project = Project::new("mended", BANK);
    let found = project.sim("test --seed 1 --runs 64").exits(1);
    insta::assert_snapshot!(found.steady());
    let [file] = <[String; 1]>::try_from(project.stored()).unwrap();
    let line =
        found.out.lines().find_map(|line| line.trim().strip_prefix("replay: cargo sim ")).unwrap();
    assert_eq!(line, format!("replay {file}"));

    let replayed = project.sim(line).exits(1);
    assert!(replayed.out.ends_with("\nthe same failure\n"), "{}", replayed.out);
    assert!(replayed.out.starts_with("0 "), "every event from the first: {}", replayed.out);
    let cut = project.sim(&format!("{line} --until 3")).exits(1);
    assert!(cut.out.contains("\n3 ") && !cut.out.contains("\n4 "), "{}", cut.out);

    let again = project.sim("test --seed 2 --runs 1 lost_update").exits(1);
    assert!(again.out.contains("the stored failure, replayed"), "{}", again.out);
    assert!(
        again.out.contains("(0 runs"),
        "the stored failure comes first and is enough: {}",
        again.out
    );

    project.edit(&mended());
    let passes = project.sim(line).exits(0);
    assert!(passes.out.contains("lost_update passes now"), "{}", passes.out);
    let passes = project.sim("test --seed 1 --runs 64 lost_update").exits(0);
    assert!(passes.out.contains("passes now: keep it as a regression test"), "{}", passes.out);
}

#[test]
fn cargo_test_replays_what_cargo_sim_has_found_and_the_other_way_round() {
    let project = Project::new("both-ways", BANK);
    project.sim("test --seed 1 --runs 64 lost_update").exits(1);
    let plain =
        project.cargo("test -q --test bank lost_update", &[("RUST_BACKTRACE", "1")]).exits(101);
    assert!(plain.out.contains(": the stored failure\n"), "{}", plain.out);
    assert!(!plain.out.contains("stack backtrace"), "{}", plain.out);
    let line =
        plain.out.lines().find_map(|line| line.trim().strip_prefix("or: ")).unwrap().to_owned();
    let (variable, cargo) = line.split_once(" cargo ").unwrap();
    let variable = variable.split_once('=').unwrap();
    project.cargo(cargo, &[variable]).exits(101);

    fs::remove_dir_all(project.root.join(".sim")).unwrap();
    let plain = project.cargo("test -q --test bank lost_update", &[("SIM_RUNS", "64")]).exits(101);
    let line =
        plain.out.lines().find_map(|line| line.trim().strip_prefix("replay: cargo sim ")).unwrap();
    assert!(project.sim(line).exits(1).out.ends_with("\nthe same failure\n"));
}

#[test]
fn a_seed_names_a_run_wherever_it_is_performed() {
    let project = Project::new("by-seed", BANK);
    let found = project.sim("test --seed 1 --runs 64 lost_update --format json").exits(1);
    let failure = lines(&found.out).into_iter().find(|line| line["event"] == "failure").unwrap();
    let run = failure["run"].as_u64().unwrap().to_string();
    project.sim(&format!("replay lost_update --seed 1 --run {run}")).exits(1);
    fs::remove_dir_all(project.root.join(".sim")).unwrap();
    let variables = [("SIM_SEED", "1"), ("SIM_RUN", run.as_str())];
    let plain = project.cargo("test -q --test bank lost_update", &variables).exits(101);
    assert!(plain.out.contains("a deposit was lost"), "{}", plain.out);
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect()
}

#[test]
fn the_report_does_not_depend_on_the_number_of_processes() {
    let project = Project::new("processes", BANK);
    let report = |words: &str| {
        let said = project.sim(&format!("test --seed 7 --runs 160 --format json {words}"));
        let mut lines = lines(&said.out);
        for line in &mut lines {
            for taken in ["wall_seconds", "shrink_wall_seconds"] {
                line.as_object_mut().unwrap().remove(taken);
            }
        }
        fs::remove_dir_all(project.root.join(".sim")).ok();
        (said.code, lines)
    };
    let alone = report("--jobs 1");
    assert_eq!(alone, report("--jobs 5"));
    let events: Vec<&str> = alone.1.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!((events.first(), events.last()), (Some(&"start"), Some(&"summary")));
    assert_eq!(alone.1[0]["seed"], "0x7");
    assert_eq!(alone.1[0]["tests"], 4);
}

#[test]
fn shards_together_are_the_whole() {
    let project = Project::new("shards", &mended());
    let runs = |words: &str| {
        let said = project
            .sim(&format!("test --seed 7 --runs 100 --format json lost_update {words}"))
            .exits(0);
        lines(&said.out).into_iter().find(|line| line["event"] == "test").unwrap()["runs"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(
        [runs(""), runs("--shard 1/3"), runs("--shard 2/3"), runs("--shard 3/3")],
        [100, 36, 32, 32]
    );
}

#[test]
fn a_process_that_dies_fails_the_run_it_was_in() {
    let text = "#[sim::test]\nasync fn dies() { if sim::rand::range(0..40) == 7 { std::process::abort() } }\n\
        #[sim::test]\nasync fn leaves() { if sim::rand::range(0..40) == 7 { std::process::exit(0) } }\n\
        #[sim::test]\nasync fn hangs() { if sim::rand::range(0..40) == 7 { loop { std::hint::spin_loop() } } }\n\
        #[test]\nfn plain() { panic!(\"no\") }\n";
    let project = Project::new("dies", text);
    let found = project.sim("test --seed 1 --runs 320 --stall 2s").exits(1);
    insta::assert_snapshot!(found.steady());
    let died = project.stored().into_iter().find(|file| file.contains("dies")).unwrap();
    let replayed = project.sim(&format!("replay {died}")).exits(1);
    assert!(replayed.out.contains("signal 6 (SIGABRT)"), "{}", replayed.out);
    assert!(replayed.out.ends_with("the same failure\n"), "{}", replayed.out);
}

#[test]
fn an_error_that_is_returned_is_a_failure_and_another_one_is_another_execution() {
    let text = "#[sim::test]\nasync fn fails() -> Result<(), String> { Err(String::from(\"no money\")) }\n";
    let project = Project::new("returns", text);
    let found = project.sim("test --seed 1 --runs 3").exits(1);
    assert!(found.out.contains("returns::bank::fails: error at tests/bank.rs:"), "{}", found.out);
    let [file] = <[String; 1]>::try_from(project.stored()).unwrap();
    project.edit(&text.replace("no money", "no bank"));
    let other = project.sim(&format!("replay {file}")).exits(3);
    assert!(
        other.out.contains("another execution: the stored failure is error: \"no money\""),
        "{}",
        other.out
    );
}

#[test]
fn two_recorded_executions_are_compared() {
    let project = Project::new("compared", BANK);
    project.sim("test --seed 1 --runs 64 lost_update").exits(1);
    let [file] = <[String; 1]>::try_from(project.stored()).unwrap();
    let copy = ".sim/copy.simtrace";
    let text = fs::read_to_string(project.root.join(&file)).unwrap();
    fs::write(project.root.join(copy), &text).unwrap();
    assert!(project.sim(&format!("diff {file} {copy}")).exits(0).out.starts_with("equal: "));
    let dull: Vec<&str> = text.lines().filter(|line| !line.starts_with("sched.next ")).collect();
    fs::write(project.root.join(copy), dull.join("\n") + "\n").unwrap();
    let said = project.sim(&format!("diff {file} {copy}")).exits(1);
    assert!(
        said.out.starts_with("first difference at event ") && said.out.contains("\n  A:    "),
        "{}",
        said.out
    );
}

/// A server that keeps what it was told in memory: it forgets when it crashes, and at no other time.
const FORGETFUL: &str = r#"
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

#[sim::test]
async fn remembers() {
    let told = Rc::new(Cell::new(0));
    let memory = told.clone();
    sim::host("db").run(move || {
        memory.set(0);
        let memory = memory.clone();
        async move {
            loop {
                sim::time::sleep(Duration::from_millis(100)).await;
                memory.set(memory.get() + 1);
            }
        }
    });
    let mut last = 0;
    for _ in 0..100 {
        sim::time::sleep(Duration::from_secs(1)).await;
        assert!(told.get() >= last, "it has forgotten {} of them", last - told.get());
        last = told.get();
    }
}
"#;

#[test]
fn a_bug_that_needs_a_crash_is_found_with_faults_and_replayed() {
    let project = Project::new("forgetful", FORGETFUL);
    project.sim("test --seed 1 --runs 64").exits(0);
    let found = project.sim("test --seed 1 --runs 256 --faults swarm --no-shrink").exits(1);
    assert!(found.out.contains("it has forgotten"), "{}", found.out);
    assert!(found.out.contains(", faults "), "what befell it is said: {}", found.out);
    let [file] = <[String; 1]>::try_from(project.stored()).unwrap();
    let stored = fs::read_to_string(project.root.join(&file)).unwrap();
    assert!(
        stored.contains("\nconfig: faults=") && stored.contains("\nfault.episode.begin "),
        "{stored}"
    );
    let replayed = project.sim(&format!("replay {file}")).exits(1);
    assert!(replayed.out.ends_with("\nthe same failure\n"), "{}", replayed.out);
    fs::remove_file(project.root.join(&file)).unwrap();
    fs::write(project.root.join("profile"), "crash = 4\nevery = \"1s\"\nuntil = \"60s\"\n")
        .unwrap();
    project.sim("test --seed 1 --runs 2 --faults profile --no-shrink").exits(1);
}

/// A condition that is never true, one that is true now and then, and a place that is expected and that no run comes by.
#[test]
fn what_no_run_reaches_is_a_failure_of_the_campaign() {
    let text = "#[sim::test]\nasync fn probed() {\n    \
            sim::assertions::expect_reached(\"somebody comes by\");\n    \
            let n = sim::rand::range(0..10);\n    \
            sim::sometimes!(n == 7, \"seven is drawn\");\n    \
            sim::sometimes!(n == 11, \"eleven is drawn\");\n    \
            sim::reachable!(\"the end is reached\");\n    \
            sim::always!(n < 10, \"a draw is in its range\", n);\n}\n";
    let project = Project::new("probes", text);
    let said = project.sim("test --seed 1 --runs 64 --format json").exits(1);
    let lines = lines(&said.out);
    let coverage = lines.iter().find(|line| line["event"] == "coverage").unwrap();
    assert!(coverage["choices"].as_u64().is_some() && coverage["schedules"].as_u64().is_some());
    let probes = coverage["probes"].as_array().unwrap();
    let runs = |probe: &Value| {
        (probe["message"].as_str().unwrap().to_owned(), probe["runs"].as_u64().unwrap())
    };
    let known: Vec<_> = probes.iter().map(runs).collect();
    assert_eq!(known[0], (String::from("eleven is drawn"), 0));
    assert!(known[1].0 == "seven is drawn" && (1..64).contains(&known[1].1), "{known:?}");
    assert_eq!(known[2], (String::from("somebody comes by"), 0));
    assert_eq!(known[3], (String::from("the end is reached"), 64));
    let failures: Vec<_> = lines.iter().filter(|line| line["event"] == "failure").collect();
    let told: Vec<_> = failures
        .iter()
        .map(|line| (line["kind"].as_str().unwrap(), line["location"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("unreached", "tests/bank.rs:6:5"), ("unreached", "tests/bank.rs:3:5")]);
    let said = project.sim("test --seed 1 --runs 64").exits(1);
    assert!(
        said.out.contains("2 of 4 probes reached, not 'eleven is drawn', 'somebody comes by'"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("unreached at tests/bank.rs:6:5\n    eleven is drawn\n"),
        "{}",
        said.out
    );
    project.sim("test --seed 1 --runs 20").exits(0);
    project.edit(&text.replace("n < 10", "n < 9"));
    let said = project.sim("test --seed 1 --runs 64").exits(1);
    assert!(
        said.out.contains("assertion at tests/bank.rs:8:5\n    a draw is in its range\n"),
        "{}",
        said.out
    );
    assert!(
        !said.out.contains("unreached at"),
        "a campaign that a failure has ended says nothing of probes"
    );
    let again = project.sim(&format!("replay {}", project.stored()[0])).exits(1);
    assert!(again.out.contains("a draw is in its range"), "{}", again.out);
}
