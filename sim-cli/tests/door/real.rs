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
