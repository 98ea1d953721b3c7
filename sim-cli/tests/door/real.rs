//! The same projects in the simulated world that the tool carries.

use super::{Project, files};
use std::collections::BTreeSet;

/// What `cargo sim` printed and its exit code.
fn said(project: &Project, words: &str) -> (String, Option<i32>) {
    let output = project.command(words).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.is_empty() || words.starts_with("run"), "{errors}");
    (text, output.status.code())
}

fn lines(json: &str, event: &str) -> Vec<serde_json::Value> {
    let lines = json.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter(|line| line["event"] == event).collect()
}

#[test]
fn races_are_found_within_fifty_runs_and_replayed_from_the_printed_line() {
    let project = Project::copy("real-race", "race");
    let before = files(&project.root);
    for seed in 1..=5 {
        let _ = std::fs::remove_dir_all(project.root.join(".sim"));
        let (text, code) =
            said(&project, &format!("test --seed {seed} --runs 50 --format json --locked"));
        assert_eq!(code, Some(1), "{text}");
        let failures = lines(&text, "failure");
        let failed: BTreeSet<&str> =
            failures.iter().map(|line| line["test"].as_str().unwrap()).collect();
        let expected = ["race::shop::nothing_is_sold_twice", "race::shop::the_price_is_set_first"];
        assert_eq!(failed, BTreeSet::from(expected), "seed {seed}");
        for failure in failures {
            assert!(
                failure["run"].as_u64().unwrap() > 0,
                "first in, first out is what tokio does by itself: {failure}"
            );
            let place = failure["location"].as_str().unwrap();
            assert!(place.starts_with("tests/shop.rs:"), "{place}");
            let line = failure["replay"].as_str().unwrap().strip_prefix("cargo sim ").unwrap();
            let (told, code) = said(&project, line);
            assert_eq!(code, Some(1), "{told}");
            assert!(told.ends_with("the same failure\n"), "{told}");
        }
    }
    std::fs::remove_dir_all(project.root.join(".sim")).unwrap();
    assert!(files(&project.root) == before, "a file of the project was written");
}

#[test]
fn every_kind_of_task_runs_in_every_run_and_is_deterministic() {
    let project = Project::copy("real-gate", "gate");
    let (text, code) = said(&project, "test --seed 3 --runs 64 --format json");
    assert_eq!(code, Some(0), "{text}");
    let tests = lines(&text, "test");
    assert!(tests.len() > 10, "{text}");
    assert!(tests.iter().all(|test| test["runs"] == 64), "each test is a simulated one: {text}");
    let (text, code) = said(&project, "doctor");
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("deterministic     gate::").count(), tests.len(), "{text}");
}

/// A copy of the race project under another name: cargo does not tell two folders' packages of one name apart in a target
/// directory, and these are edited.
fn race_called(name: &str) -> Project {
    let project = Project::copy(name, "race");
    for file in ["Cargo.toml", "Cargo.lock", "tests/shop.rs"] {
        let path = project.root.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace("name = \"race\"", &format!("name = \"{name}\""));
        std::fs::write(path, text.replace("use race::", &format!("use {name}::"))).unwrap();
    }
    project
}

/// Finds the failures of the race project with a seed, and answers the file of the one that sells twice.
fn sold_twice(project: &Project, words: &str) -> (String, serde_json::Value) {
    let (text, code) =
        said(project, &format!("test --seed 1 --runs 50 --format json twice {words}"));
    assert_eq!(code, Some(1), "{text}");
    let failure = lines(&text, "failure").remove(0);
    let file = failure["trace"].as_str().unwrap().to_owned();
    (file, failure)
}

#[test]
fn a_race_arrives_small_is_explained_and_is_replayed_twenty_times_of_twenty() {
    let project = race_called("small_race");
    let (file, failure) = sold_twice(&project, "");
    let count = |key: &str| failure[key].as_u64().unwrap_or_else(|| panic!("{key}: {failure}"));
    println!(
        "race: {} choices shrunk to {} in {} runs and {} s",
        count("choices"),
        count("shrunk_choices"),
        count("shrink_runs"),
        failure["shrink_wall_seconds"]
    );
    // One task must be interrupted between the look and the sale; nothing less will do, and nothing more is needed.
    assert_eq!(count("shrunk_choices"), 1, "{failure}");
    assert!(
        count("choices") > 1 && failure["shrink_wall_seconds"].as_f64().unwrap() < 30.0,
        "{failure}"
    );
    for _ in 0..20 {
        let (told, code) = said(&project, &format!("replay {file}"));
        assert_eq!(code, Some(1), "{told}");
        assert!(told.ends_with("\nthe same failure\n"), "{told}");
    }
    let (told, code) = said(&project, &format!("explain {file}"));
    assert_eq!(code, Some(1), "{told}");
    for part in [
        "\nNo fault needed: one preemption.\n",
        "small_race::two_customers, spawned at src/lib.rs:23\n",
        "small_race::two_customers#1, spawned at src/lib.rs:23\n",
        "\n  *1 ",
        "at src/lib.rs:13 in small_race::sell",
        "tokio.sync.mutex",
        "\nCritical pair: it fails because\n",
    ] {
        assert!(told.contains(part), "{part:?} in {told}");
    }
}

#[test]
fn a_race_survives_edits_and_lines_are_missing_only_without_debug_information() {
    let project = race_called("edited_race");
    let (file, _) = sold_twice(&project, "");
    let library = std::fs::read_to_string(project.root.join("src/lib.rs")).unwrap();
    let spawns = "    let customers: Vec<_> = (0..2)";
    let edits = [
        library.replace(
            "    if is_there {",
            "    println!(\"there is one: {is_there}\");\n    if is_there {",
        ),
        library.replace("sell(", "sell_one("),
        library.replace(
            spawns,
            &format!("    tokio::spawn(async {{ tokio::task::yield_now().await }});\n{spawns}"),
        ),
        library.replace(
            "pub async fn price_that_was_set",
            "pub async fn unrelated() {}\n\npub async fn price_that_was_set",
        ),
    ];
    for text in edits {
        assert_ne!(text, library);
        std::fs::write(project.root.join("src/lib.rs"), &text).unwrap();
        let (told, code) = said(&project, &format!("replay {file}"));
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("sold twice"), "{told}");
    }
    let mended = library.replace(
        "    let is_there = *stock.lock().await > 0;\n    if is_there {\n        *stock.lock().await -= 1;\n    }",
        "    let mut stock = stock.lock().await;\n    if *stock > 0 {\n        *stock -= 1;\n    }",
    );
    assert_ne!(mended, library);
    std::fs::write(project.root.join("src/lib.rs"), &mended).unwrap();
    let (told, code) = said(&project, &format!("replay {file}"));
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("twice passes now, 200 runs beside it pass too, "), "{told}");

    let manifest = std::fs::read_to_string(project.root.join("Cargo.toml")).unwrap();
    std::fs::write(
        project.root.join("Cargo.toml"),
        format!("{manifest}\n[profile.dev]\ndebug = false\n"),
    )
    .unwrap();
    std::fs::write(project.root.join("src/lib.rs"), &library).unwrap();
    let (told, _) = said(&project, &format!("explain {file}"));
    assert!(
        told.contains("at edited_race::sell (no line: built without debug information)"),
        "{told}"
    );
    assert!(told.contains("note: places are named by function"), "{told}");
}

#[test]
fn a_program_behind_the_libc_door_is_made_small_too() {
    let project = race_called("libc_race");
    let test = "use std::sync::{Arc, Mutex};\n\n#[test]\nfn two_threads_add() {\n    let sum = Arc::new(Mutex::new(0));\n    \
        let threads: Vec<_> = (0..2).map(|_| {\n        let sum = Arc::clone(&sum);\n        std::thread::spawn(move || {\n            \
        let seen = *sum.lock().unwrap();\n            let pair = std::os::unix::net::UnixStream::pair();\n            \
        *sum.lock().unwrap() = seen + 1;\n            drop(pair);\n        })\n    }).collect();\n    \
        let slow = std::thread::spawn(|| (0..20).for_each(|_| std::thread::yield_now()));\n    \
        for thread in threads { thread.join().unwrap(); }\n    slow.join().unwrap();\n    assert_eq!(*sum.lock().unwrap(), 2, \"lost\");\n}\n";
    std::fs::write(project.root.join("tests/shop.rs"), test).unwrap();
    let (text, code) =
        said(&project, "test --door libc --seed 1 --runs 50 --format json --test shop");
    assert_eq!(code, Some(1), "{text}");
    let failure = lines(&text, "failure").remove(0);
    let count = |key: &str| failure[key].as_u64().unwrap_or_else(|| panic!("{key}: {failure}"));
    assert!((1..=2).contains(&count("shrunk_choices")), "{failure}");
    let file = failure["trace"].as_str().unwrap();
    let (told, code) = said(&project, &format!("explain {file}"));
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("main/thread"), "{told}");
}
