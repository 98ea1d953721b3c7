//! The tokio door from outside: projects that know nothing of it, with a world preloaded that orders tasks and checks
//! the contract of every call (`world.rs`, compiled here by the compiler that cargo uses).

mod real;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Where everything is built, so that projects share what they have in common.
fn scratch() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("door");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The world as an object.
fn object() -> &'static Path {
    static OBJECT: OnceLock<PathBuf> = OnceLock::new();
    OBJECT.get_or_init(|| {
        let object = scratch().join("libworld.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/door/world.rs");
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition", "2024", "-O", "-A", "dead_code", "--crate-type", "cdylib", "-o"]);
        let output = rustc.arg(&object).arg(source).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        object
    })
}

/// A copy of a project of `tests/projects`.
struct Project {
    root: PathBuf,
}

impl Project {
    fn copy(name: &str, of: &str) -> Self {
        let root = scratch().join(name);
        let _ = fs::remove_dir_all(&root);
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/projects").join(of);
        for (path, bytes) in files(&original) {
            if !path.starts_with("target") {
                fs::create_dir_all(root.join(&path).parent().unwrap()).unwrap();
                fs::write(root.join(&path), bytes).unwrap();
            }
        }
        Self { root }
    }

    /// `cargo sim` with `words` and variables, in the world of these tests.
    fn sim(&self, words: &str, variables: &[(&str, &str)]) -> Output {
        self.command(words)
            .env("SIM_OBJECT", object())
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// `cargo sim` with `words`.
    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-sim"));
        command.args(words.split_whitespace()).current_dir(&self.root);
        command.env("CARGO_TARGET_DIR", scratch().join("target")).env("CARGO_TERM_COLOR", "never");
        command.env_remove("RUST_BACKTRACE");
        command
    }

    /// The tests that failed in one run of each, in a world with this seed and a yield at every third sync point or so.
    fn failures(&self, words: &str, seed: u64) -> BTreeSet<String> {
        let yields = if seed == 0 { "0" } else { "3" };
        let output = self.sim(
            &format!("test --jobs 2 --format json --locked {words}"),
            &[("WORLD_SEED", &seed.to_string()), ("WORLD_YIELDS", yields)],
        );
        let text = String::from_utf8(output.stdout).unwrap();
        let tests: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|line: &serde_json::Value| line["event"] == "test")
            .collect();
        assert!(!tests.is_empty(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let failed = tests.iter().filter(|test| test["failures"] != 0);
        failed.map(|test| test["test"].as_str().unwrap().to_owned()).collect()
    }
}

/// Every file below `root` and its bytes.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn every_kind_of_task_runs_in_any_order_and_the_project_stays_as_it_is() {
    let project = Project::copy("gate", "gate");
    let before = files(&project.root);
    for seed in 0..4 {
        assert_eq!(project.failures("", seed), BTreeSet::new(), "seed {seed}");
    }
    assert!(files(&project.root) == before, "a file of the project was written");
}

#[test]
fn races_that_plain_tests_do_not_see_are_found() {
    let project = Project::copy("race", "race");
    assert_eq!(project.failures("", 0), BTreeSet::new(), "first in, first out");
    let found: Vec<_> = (1..=20).map(|seed| project.failures("", seed)).collect();
    let count = |test: &str| found.iter().filter(|failed| failed.contains(test)).count();
    let (sold, price) =
        (count("race::shop::nothing_is_sold_twice"), count("race::shop::the_price_is_set_first"));
    assert!((1..20).contains(&sold), "sold twice in {sold} of 20");
    assert!((1..20).contains(&price), "read too early in {price} of 20");
    assert_eq!(count("race::shop::no_order_is_served_twice"), 0);
    assert_eq!(found[4], project.failures("", 5), "the same seed finds the same");
}

#[test]
fn select_asks_the_world_where_to_begin() {
    let project = Project::copy("select", "race");
    let served = |seed: &str| {
        let words = "test no_order_is_served_twice --jobs 1 -- --nocapture";
        let output = project.sim(words, &[("WORLD_SEED", seed)]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.lines().find_map(|line| Some(line.split_once("served ")?.1.to_owned())).expect(&text)
    };
    assert_eq!(served("0"), "0", "the first branch is the dull one");
    let all: BTreeSet<_> = (1..8).map(|seed: u32| served(&seed.to_string())).collect();
    assert!(all.len() > 1, "{all:?}");
}

#[test]
fn host_units_stay_as_they_are_and_the_projects_wrapper_is_kept() {
    let project = Project::copy("host", "race");
    let manifest = fs::read_to_string(project.root.join("Cargo.toml")).unwrap();
    let manifest = format!(
        "{manifest}\n[build-dependencies]\ntokio = {{ version = \"1\", features = [\"full\"] }}\n"
    );
    fs::write(project.root.join("Cargo.toml"), manifest).unwrap();
    let script = "fn main() {\n    let runtime = tokio::runtime::Runtime::new().unwrap();\n    runtime.block_on(async {});\n}\n";
    fs::write(project.root.join("build.rs"), script).unwrap();
    let wrapper = project.root.join("wrapper.sh");
    fs::write(&wrapper, "#!/bin/sh\necho \"$CARGO_CRATE_NAME\" >> \"$WRAPPED\"\nexec \"$@\"\n")
        .unwrap();
    fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (wrapped, target) = (scratch().join("wrapped"), scratch().join("host-target"));
    let _ = (fs::remove_file(&wrapped), fs::remove_dir_all(&target));
    let output = project.sim(
        "test --jobs 1",
        &[
            ("RUSTC_WRAPPER", wrapper.to_str().unwrap()),
            ("WRAPPED", wrapped.to_str().unwrap()),
            ("CARGO_TARGET_DIR", target.to_str().unwrap()),
        ],
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let compiled = fs::read_to_string(&wrapped).unwrap();
    assert_eq!(compiled.lines().filter(|name| *name == "tokio").count(), 2, "for host and target");
    let own: Vec<_> = fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(own.len(), 1, "one folder in the user's target folder: {own:?}");
    let journal = fs::read_to_string(own[0].join("sim-copies/tokio.txt")).unwrap();
    assert_eq!(journal.lines().count(), 1, "only the target's is changed: {journal}");
}

#[test]
fn an_object_that_is_not_there_is_refused() {
    let project = Project::copy("refused", "race");
    let output = project.sim("test --door tokio", &[("SIM_OBJECT", "/nonexistent")]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("SIM_OBJECT: /nonexistent: No such file"), "{said}");
}

#[test]
fn a_tokio_without_its_runtime_can_be_built_too() {
    let project = Project::copy("without-rt", "race");
    let manifest = fs::read_to_string(project.root.join("Cargo.toml")).unwrap();
    let manifest = manifest.replace("\"full\"", "\"macros\", \"sync\"").replace("race", "without");
    fs::write(project.root.join("Cargo.toml"), manifest).unwrap();
    let library = "pub fn pair() -> (tokio::sync::oneshot::Sender<u8>, tokio::sync::oneshot::Receiver<u8>) {\n    \
                   tokio::sync::oneshot::channel()\n}\n";
    fs::write(project.root.join("src/lib.rs"), library).unwrap();
    let test = "#[test]\nfn a_value_crosses() {\n    let (send, receive) = without::pair();\n    \
                send.send(5).unwrap();\n    assert_eq!(receive.blocking_recv(), Ok(5));\n}\n";
    fs::write(project.root.join("tests/shop.rs"), test).unwrap();
    let output = project.sim("test --door tokio", &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
