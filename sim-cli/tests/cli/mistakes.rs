//! Mistakes: one line with advice, the documented exit code, and nothing left behind.

use crate::project::Project;
use std::fmt::Write as _;
use std::fs;

const PASSES: &str = "#[sim::test]\nasync fn passes() {}\n";

#[test]
fn wrong_words_are_refused_before_anything_is_built() {
    let project = Project::new("words", PASSES);
    let words = [
        "",
        "tset",
        "test --runs 0",
        "test --runs many",
        "test --jobs 0",
        "test --time 0",
        "test --time 5x",
        "test --seed 0xyz",
        "test --strategy dfs:3",
        "test --strategy luck",
        "test --shard 3/2",
        "test --shard 0/2",
        "test --faults heavy",
        "test --format xml",
        "test --sede 1",
        "test --fail-fast --no-fail-fast",
        "test -- --test-threads=1",
        "test --door window",
        "test --manifest-path nowhere/Cargo.toml",
        "replay",
        "replay passes",
        "replay nowhere.simtrace",
        "replay nowhere.simtrace --seed 1",
        "diff only-one",
        "shrink x.simtrace --time 30s",
        "explain x.simtrace --html out",
        "run",
    ];
    let mut told = String::new();
    for words in words {
        let said = project.sim(words);
        assert!(said.out.is_empty(), "{words}: {}", said.out);
        assert_eq!(said.err.trim_end().lines().count(), 1, "{words}: {}", said.err);
        let _ = writeln!(
            told,
            "cargo sim {words}\n  {} (exit {})",
            said.error(),
            said.code.unwrap_or_default()
        );
    }
    insta::assert_snapshot!(told.replace(&project.root.display().to_string(), "ROOT"));
}

#[test]
fn wrong_variables_and_files_are_refused() {
    let project = Project::new("files", PASSES);
    let mut told = String::new();
    let mut tell = |what: &str, said: crate::project::Said| {
        assert!(said.out.is_empty(), "{what}: {}", said.out);
        let _ =
            writeln!(told, "{what}\n  {} (exit {})", said.error(), said.code.unwrap_or_default());
    };
    for variable in [
        ("SIM_SEED", "x"),
        ("SIM_RUNS", "0"),
        ("SIM_JOBS", "-1"),
        ("SIM_RUN", "3"),
        ("SIM_STRATEGY", "dfs"),
    ] {
        tell(&format!("{}={}", variable.0, variable.1), project.sim_with("test", variable));
    }
    for text in ["rnus = 3", "runs = 0", "runs =", "[tests.slow]\nruns = []"] {
        fs::write(project.root.join("sim.toml"), text).unwrap();
        tell(text, project.sim("test"));
    }
    fs::remove_file(project.root.join("sim.toml")).unwrap();
    tell("a filter that matches nothing", project.sim("test pases"));
    let folder = project.root.join(".sim/failures");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("files.bank.passes-0.simtrace");
    for (what, text) in [
        ("empty", ""),
        ("cut short", "simtrace 1\npackage: bank\n"),
        ("newer", "simtrace 9\nend\n"),
    ] {
        fs::write(&file, text).unwrap();
        tell(&format!("test beside a file that is {what}"), project.sim("test"));
        tell(
            &format!("replay of a file that is {what}"),
            project.sim("replay .sim/failures/files.bank.passes-0.simtrace"),
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), text, "it is left as it is");
    }
    insta::assert_snapshot!(told.replace(&project.root.display().to_string(), "ROOT"));
}

#[test]
fn plain_cargo_test_fails_with_one_line() {
    let project = Project::new("plain", PASSES);
    let mut told = String::new();
    for variables in [
        &[("SIM_SEED", "x")][..],
        &[("SIM_RUNS", "0")],
        &[("SIM_RUN", "1"), ("SIM_RUNS", "2")],
        &[("SIM_STRATEGY", "dfs:3")],
        &[("SIM_REPLAY", "nowhere.simtrace")],
    ] {
        let said = project.cargo("test -q --test bank", variables).exits(101);
        let printed = said.out.lines().skip_while(|line| !line.starts_with("---- ")).skip(1);
        let printed: Vec<&str> = printed
            .take_while(|line| *line != "failures:")
            .filter(|line| !line.is_empty())
            .collect();
        let _ = writeln!(told, "{variables:?}\n  {}", printed.join("\n  "));
    }
    insta::assert_snapshot!(told.replace(&project.root.display().to_string(), "ROOT"));
}

#[test]
fn a_build_that_fails_is_said_so() {
    let project = Project::new("broken", "#[sim::test]\nasync fn broken() { let x: u8 = \"\"; }\n");
    let said = project.sim("test").exits(101);
    assert!(said.err.contains("mismatched types") && said.out.is_empty(), "{}", said.err);
}
