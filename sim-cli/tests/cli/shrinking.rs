//! Failures made small, told, and replayed after the program was edited.

use crate::project::Project;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Two tasks add one each, and others have nothing to do with it. In the order in which they were spawned nothing is lost.
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

async fn audit(rounds: u32) {
    for _ in 0..rounds {
        sim::yield_now().await;
    }
}

async fn report(rounds: u32) {
    for _ in 0..rounds {
        sim::yield_now().await;
    }
}

#[sim::test]
async fn lost_update() {
    let balance = Rc::new(Cell::new(0));
    let audit = sim::spawn(audit(6));
    let report = sim::spawn(report(5));
    let first = sim::spawn(deposit(balance.clone(), 0));
    let second = sim::spawn(deposit(balance.clone(), 2));
    first.await.unwrap();
    second.await.unwrap();
    audit.await.unwrap();
    report.await.unwrap();
    assert_eq!(balance.get(), 2, "a deposit was lost");
}

#[sim::test]
async fn sleeps() {
    sim::time::sleep(std::time::Duration::from_secs(3600)).await;
}
"#;

fn mended() -> String {
    BANK.replace(
        "let seen = balance.get();\n    sim::yield_now().await;",
        "let seen = balance.get();",
    )
}

fn failure(json: &str) -> Value {
    let lines = json.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.into_iter().find(|line| line["event"] == "failure").unwrap_or_else(|| panic!("{json}"))
}

/// A project with the bug found and its failure stored, and the file's name.
fn found(name: &str, words: &str) -> (Project, String) {
    let project = Project::new(name, BANK);
    project.sim(&format!("test --seed 1 --runs 64 lost_update {words}")).exits(1);
    let [file] = <[String; 1]>::try_from(project.stored()).unwrap();
    (project, file)
}

fn read(project: &Project, file: &str) -> String {
    fs::read_to_string(project.root.join(file)).unwrap()
}

/// The lines of a failure's log.
fn log(text: &str) -> Vec<&str> {
    let (_, log) = text.split_once("\n\n").unwrap();
    log.lines().filter(|line| *line != "end").collect()
}

#[test]
fn a_failure_arrives_small_and_is_replayed_twenty_times_of_twenty() {
    let project = Project::new("small", BANK);
    let said = project.sim("test --seed 1 --runs 64 lost_update --format json").exits(1);
    let failure = failure(&said.out);
    let count = |key: &str| failure[key].as_u64().unwrap_or_else(|| panic!("{key}: {failure}"));
    assert!(count("choices") > 5, "{failure}");
    assert!((1..=3).contains(&count("shrunk_choices")), "{failure}");
    assert!(
        count("shrink_runs") < 200 && failure["shrink_wall_seconds"].as_f64().unwrap() < 30.0,
        "{failure}"
    );
    assert!(failure["shrunk"].as_str().unwrap().contains("no fault needed: "), "{failure}");
    let [file] = <[String; 1]>::try_from(project.stored()).unwrap();
    let text = read(&project, &file);
    assert_eq!(log(&text).len() as u64, count("shrunk_choices"), "{text}");
    assert!(text.contains(&format!("\nshrunk_from: {}\n", count("choices"))), "{text}");
    assert!(
        text.contains(&format!("\nrun: {}\n", count("run"))),
        "the seed's own line stays: {text}"
    );
    assert!(text.contains("\nbase_seed: 0x1\n"), "{text}");
    for _ in 0..20 {
        let replayed = project.sim(&format!("replay {file}")).exits(1);
        assert!(replayed.out.ends_with("\nthe same failure\n"), "{}", replayed.out);
    }
}

#[test]
fn harmless_edits_are_survived_and_the_mended_program_passes() {
    let (project, file) = found("edited", "");
    let edits: [(&str, String); 5] = [
        (
            "a log line",
            BANK.replace(
                "let seen = balance.get();",
                "let seen = balance.get();\n    eprintln!(\"saw {seen}\");",
            ),
        ),
        ("another renamed function", BANK.replace("audit", "inspect")),
        (
            "an unrelated task",
            BANK.replace(
                "    first.await",
                "    let more = sim::spawn(async { sim::yield_now().await });\n    first.await",
            )
            .replace("    audit.await", "    more.await.unwrap();\n    audit.await"),
        ),
        (
            "a reordered spawn of unrelated tasks",
            BANK.replace(
                "    let audit = sim::spawn(audit(6));\n    let report = sim::spawn(report(5));",
                "    let report = sim::spawn(report(5));\n    let audit = sim::spawn(audit(6));",
            ),
        ),
        ("the renamed function itself", BANK.replace("deposit(", "pay_in(")),
    ];
    for (edit, text) in edits {
        assert_ne!(text, BANK, "{edit}");
        project.edit(&text);
        let replayed = project.sim(&format!("replay {file}")).exits(1);
        assert!(replayed.out.contains("a deposit was lost"), "{edit}: {}", replayed.out);
        let is_told = replayed.out.contains("\nthe same failure")
            || replayed.out.contains("run beside them fails the same way");
        assert!(is_told, "{edit}: {}", replayed.out);
        let again = project.sim("test --seed 2 --runs 1 lost_update").exits(1);
        assert!(again.out.contains("a deposit was lost"), "{edit}: {}", again.out);
    }
    // What has moved is stored anew.
    let moved = project.sim(&format!("shrink {file}")).exits(1);
    assert!(moved.out.contains("choices shrunk to "), "{}", moved.out);
    let replayed = project.sim(&format!("replay {file}")).exits(1);
    assert!(replayed.out.ends_with("\nthe same failure\n"), "{}", replayed.out);

    project.edit(&mended());
    let passes = project.sim(&format!("replay {file}")).exits(0);
    assert!(
        passes.out.contains("lost_update passes now, 200 runs beside it pass too, "),
        "{}",
        passes.out
    );
    let nothing = project.sim(&format!("shrink {file}")).exits(0);
    assert!(nothing.out.contains("there is nothing to shrink"), "{}", nothing.out);
    let told = project.sim(&format!("explain {file}")).exits(0);
    assert!(told.out.contains("passes now"), "{}", told.out);
    let campaign = project.sim("test --seed 1 --runs 64 lost_update").exits(0);
    let note =
        "passes now: keep it as a regression test, or remove it (200 runs beside it pass too)";
    assert!(campaign.out.contains(note), "{}", campaign.out);
    assert_eq!(project.stored(), [file], "nothing is lost");
}

#[test]
fn the_verb_shrinks_what_was_stored_as_found_alike_for_any_number_of_jobs() {
    let (project, file) = found("verb", "--no-shrink");
    let as_found = read(&project, &file);
    assert!(log(&as_found).len() > 5 && !as_found.contains("shrunk_from"), "{as_found}");
    let shrink = |words: &str| {
        fs::write(project.root.join(&file), &as_found).unwrap();
        let said = project.sim(&format!("shrink {file} {words}")).exits(1);
        assert!(said.out.contains(&format!("replay:  cargo sim replay {file}\n")), "{}", said.out);
        read(&project, &file)
    };
    let alone = shrink("--jobs 1");
    assert!(log(&alone).len() <= 3, "{alone}");
    assert_eq!(alone, shrink("--jobs 4"), "the same log in as many runs");
    let in_few = shrink("--runs 6 --jobs 2");
    assert!(in_few.contains("\nshrink_runs: 6\n"), "{in_few}");
    project.sim(&format!("replay {file}")).exits(1);
    fs::remove_dir_all(project.root.join(".sim")).unwrap();
    project.sim("test --seed 1 --runs 64 lost_update --jobs 3").exits(1);
    assert_eq!(read(&project, &file), alone, "what the campaign does by itself is the same");
}

#[test]
fn a_failure_is_explained() {
    let (project, file) = found("explained", "");
    let told = project.sim(&format!("explain {file}")).exits(1);
    for part in [
        "explained::bank::lost_update: panic at tests/bank.rs:",
        "    assertion `left == right` failed: a deposit was lost\n",
        "\nNo fault needed: ",
        "shrunk from ",
        " = main/bank::deposit, spawned at tests/bank.rs:31\n",
        "\n  *1 ",
        "\nCritical pair: it fails because\n",
        "\nand passes the other way round, with all else alike (without *",
        &format!("\nreplay: cargo sim replay {file} --until "),
        &format!("\ndebug:  cargo sim replay --debug {file}\n"),
    ] {
        assert!(told.out.contains(part), "{part:?} in {}", told.out);
    }
    // Where the deposits give up their turns, which the compiler knows by line.
    assert!(
        told.out.contains("at tests/bank.rs:7 in bank::deposit")
            || told.out.contains("at tests/bank.rs:10 in bank::deposit"),
        "{}",
        told.out
    );
    assert_eq!(told.out, project.sim(&format!("explain {file}")).exits(1).out, "twice the same");

    project.sim(&format!("explain {file} --json story.json")).exits(1);
    let story: Value = serde_json::from_str(&read(&project, "story.json")).unwrap();
    assert_eq!(story["choices"].as_array().unwrap().len(), log(&read(&project, &file)).len());
    assert!(story["pair"]["first"].as_str().unwrap().contains("turn "), "{story}");
    assert!(story["rows"].as_array().unwrap().iter().any(|row| row["critical"] == true), "{story}");
    for option in ["--html", "--perfetto", "--pcap"] {
        let refused = project.sim(&format!("explain {file} {option} out")).exits(2);
        assert!(
            refused.error().starts_with(&format!("error: {option} comes with a later version")),
            "{}",
            refused.err
        );
    }
}

#[test]
fn files_that_cannot_be_read_are_refused_and_kept() {
    let (project, file) = found("refused", "");
    let good = read(&project, &file);
    for (text, expected) in [
        (
            good.replace("simtrace 1", "simtrace 9"),
            "line 1: version 9 was written by a newer version of the tool",
        ),
        (good.replace("sched.next ", "sched.next broken "), "is not `site path occurrence answer`"),
        (
            good.replace("::lost_update", "::found_update"),
            "has no test refused::bank::found_update",
        ),
        (good.replace("\nend\n", "\n"), "the file is cut short"),
    ] {
        assert_ne!(text, good, "{expected}");
        fs::write(project.root.join(&file), &text).unwrap();
        for verb in ["shrink", "explain", "replay"] {
            let refused = project.sim(&format!("{verb} {file}")).exits(2);
            assert!(refused.error().contains(expected), "{verb}: {}", refused.err);
            assert_eq!(read(&project, &file), text, "{verb} changed the file");
        }
    }
    // The choices of a test mean nothing to another one.
    let other = good.replace("::lost_update", "::sleeps");
    fs::write(project.root.join(&file), &other).unwrap();
    let replayed = project.sim(&format!("replay {file}")).exits(0);
    assert!(
        replayed.out.contains("of the recorded choices were not asked for"),
        "{}",
        replayed.out
    );
    let nothing = project.sim(&format!("shrink {file}")).exits(0);
    assert!(nothing.out.contains("is kept"), "{}", nothing.out);
    assert_eq!(read(&project, &file), other);
}

#[test]
fn the_same_program_with_another_execution_is_a_divergence() {
    let text = BANK.replace(
        "    let seen = balance.get();",
        "    if std::env::var(\"SLOWLY\").is_ok() {\n        sim::time::sleep(std::time::Duration::from_nanos(7)).await;\n    }\n    let seen = balance.get();",
    );
    let project = Project::new("outside", &text);
    project.sim("test --seed 1 --runs 64 lost_update").exits(1);
    let [file] = <[String; 1]>::try_from(project.stored()).unwrap();
    let replayed = project.sim_with(&format!("replay {file}"), ("SLOWLY", "1")).exits(3);
    assert!(
        replayed.out.contains("divergence: the program is the one it was recorded with\n"),
        "{}",
        replayed.out
    );
    assert!(
        replayed.out.contains("cargo sim doctor outside::bank::lost_update"),
        "{}",
        replayed.out
    );
    let campaign = project.sim_with("test --seed 1 --runs 1 lost_update", ("SLOWLY", "1")).exits(3);
    assert!(campaign.out.contains("divergence in run "), "{}", campaign.out);
    project.sim(&format!("replay {file}")).exits(1);
}

#[test]
fn the_bank_of_the_examples_is_made_small() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let test = fs::read_to_string(repository.join("examples/tests/bank.rs")).unwrap();
    let project = Project::new("example-bank", &test.replace("sim_examples", "example_bank"));
    fs::create_dir_all(project.root.join("src/bank")).unwrap();
    for entry in fs::read_dir(repository.join("examples/src/bank")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), project.root.join("src/bank").join(entry.file_name())).unwrap();
    }
    fs::write(project.root.join("src/lib.rs"), "pub mod bank;\n").unwrap();
    let manifest = read(&project, "Cargo.toml");
    let dependencies = format!(
        "[dependencies]\nbytes = \"1\"\nhttp-body-util = \"0.1\"\nhyper = {{ version = \"1\", features = [\"client\", \"http1\", \"server\"] }}\n\
         sim = {{ path = {:?}, features = [\"hyper\"] }}\n\n[dev-dependencies]",
        repository.join("sim")
    );
    fs::write(
        project.root.join("Cargo.toml"),
        manifest.replace("[dev-dependencies]", &dependencies),
    )
    .unwrap();
    let said = project
        .sim("test --seed 1 --runs 400 moves_money_twice --faults none --format json")
        .exits(1);
    let failure = failure(&said.out);
    let count = |key: &str| failure[key].as_u64().unwrap_or_else(|| panic!("{key}: {failure}"));
    println!(
        "bank: {} choices shrunk to {} in {} runs and {} s",
        count("choices"),
        count("shrunk_choices"),
        count("shrink_runs"),
        failure["shrink_wall_seconds"]
    );
    assert!(count("choices") > 30 && count("shrunk_choices") <= 6, "{failure}");
    assert!(failure["shrink_wall_seconds"].as_f64().unwrap() < 30.0, "{failure}");
    let [file] = <[String; 1]>::try_from(project.stored()).unwrap();
    let told = project.sim(&format!("explain {file}")).exits(1);
    assert!(told.out.contains("delayed message"), "{}", told.out);
    assert!(
        told.out.contains("/bank/front.rs:") || told.out.contains("src/bank/front.rs:"),
        "{}",
        told.out
    );
    assert!(told.out.contains("Critical pair: "), "{}", told.out);
    for _ in 0..3 {
        project.sim(&format!("replay {file}")).exits(1);
    }
}

#[test]
fn a_candidate_that_dies_loses_only_itself() {
    let text = "#[sim::test]\nasync fn large() {\n    let drawn = sim::rand::range(0..1000);\n    \
        if (300..400).contains(&drawn) {\n        std::process::abort();\n    }\n    assert!(drawn < 500, \"{drawn} is too large\");\n}\n";
    let project = Project::new("deadly", text);
    let said = project.sim("test --seed 1 --runs 64 --no-fail-fast --format json").exits(1);
    let failures: Vec<Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let panic = failures.iter().find(|line: &&Value| line["kind"] == "panic").unwrap();
    assert_eq!(
        panic["message"], "500 is too large",
        "the least that fails, though 350 killed a process: {panic}"
    );
    let abort = failures.iter().find(|line| line["kind"] == "abort").unwrap();
    assert!(abort["shrunk_choices"].is_null() && abort["choices"].is_null(), "{abort}");
    let died = project
        .stored()
        .into_iter()
        .find(|file| read(&project, file).contains("kind: abort"))
        .unwrap();
    let refused = project.sim(&format!("shrink {died}")).exits(4);
    assert!(
        refused.error().contains("the process died before its choices could be had"),
        "{}",
        refused.err
    );
}

#[test]
fn another_failure_that_is_met_on_the_way_is_stored_too() {
    let text = "#[sim::test]\nasync fn large() {\n    let drawn = sim::rand::range(0..1000);\n    \
        assert!(!(300..400).contains(&drawn), \"odd\");\n    assert!(drawn < 500, \"{drawn} is too large\");\n}\n";
    let project = Project::new("second", text);
    // The first failing run of this seed draws a number above 599, so that the search passes through the odd ones.
    let failure = |seed: u64| {
        let _ = fs::remove_dir_all(project.root.join(".sim"));
        let said = project.sim(&format!("test --seed {seed} --runs 64 --format json")).exits(1);
        failure(&said.out)
    };
    let failure = (1..20).map(failure).find(|failure| !failure["found"].is_null()).unwrap();
    assert_eq!(failure["message"], "500 is too large", "{failure}");
    let found = failure["found"][0].as_str().unwrap();
    assert!(
        found.starts_with("found on the way: panic: odd: replay it with cargo sim replay .sim/"),
        "{found}"
    );
    assert_eq!(project.stored().len(), 2);
    let (_, replay) = found.split_once("cargo sim ").unwrap();
    assert!(project.sim(replay).exits(1).out.contains("odd"));
}
