//! A cargo project made for a test, and what `cargo sim` says in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A project with one integration test, `tests/bank.rs`.
pub(crate) struct Project {
    pub(crate) root: PathBuf,
}

/// What a command came to.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Project {
    /// A fresh project called `name` whose integration test is `text`.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects").join(name);
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("tests")).unwrap();
        fs::create_dir_all(root.join("src")).unwrap();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        // Each project's package has a name of its own, since cargo does not tell two folders' packages of one name apart
        // in a target directory. The profile is the repository's, so that what it has built of crates.io is used again.
        let manifest = format!(
            "[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dev-dependencies]\nsim = {{ path = {:?} }}\n\n\
             [[test]]\nname = \"custom\"\nharness = false\n\n\
             [profile.dev]\ndebug = \"line-tables-only\"\n\n[profile.test]\ndebug = \"line-tables-only\"\n",
            repository.join("sim")
        );
        fs::write(root.join("Cargo.toml"), manifest).unwrap();
        fs::write(root.join("src/lib.rs"), "").unwrap();
        fs::write(root.join("tests/custom.rs"), "fn main() {}\n").unwrap();
        fs::write(root.join("tests/bank.rs"), text).unwrap();
        fs::copy(repository.join("Cargo.lock"), root.join("Cargo.lock")).unwrap();
        Self { root }
    }

    /// Replaces the integration test.
    pub(crate) fn edit(&self, text: &str) {
        fs::write(self.root.join("tests/bank.rs"), text).unwrap();
    }

    /// Runs `cargo sim` with `words`.
    pub(crate) fn sim(&self, words: &str) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-sim"));
        command.arg("sim").args(words.split_whitespace());
        self.run(command, &[])
    }

    /// Runs plain cargo with `words` and variables.
    pub(crate) fn cargo(&self, words: &str, variables: &[(&str, &str)]) -> Said {
        let mut command = Command::new(env!("CARGO"));
        command.args(words.split_whitespace());
        self.run(command, variables)
    }

    /// Runs `cargo sim` with `words` and a variable.
    pub(crate) fn sim_with(&self, words: &str, variable: (&str, &str)) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-sim"));
        command.args(words.split_whitespace());
        self.run(command, &[variable])
    }

    fn run(&self, mut command: Command, variables: &[(&str, &str)]) -> Said {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_NET_OFFLINE", "true");
        command
            .env_remove("RUST_BACKTRACE")
            .env_remove("RUST_LOG")
            .env("CARGO_TERM_COLOR", "never");
        command.envs(variables.iter().copied());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    /// The stored failures, as paths from the project's root.
    pub(crate) fn stored(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join(".sim/failures")) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names.into_iter().map(|name| format!(".sim/failures/{name}")).collect()
    }
}

impl Said {
    /// Checks the exit code, showing what was said if it is another.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "standard output:\n{}\nstandard error:\n{}",
            self.out,
            self.err
        );
        self
    }

    /// The error line.
    pub(crate) fn error(&self) -> &str {
        self.err.lines().find(|line| line.starts_with("error: ")).unwrap_or_default()
    }

    /// What was printed, without what changes from machine to machine and with every edit of the engine: numbers, hashes,
    /// and which run, strategy and events led to a failure.
    pub(crate) fn steady(&self) -> String {
        let mut steady = String::new();
        let mut is_event = false;
        for line in self.out.lines() {
            is_event = is_event && line.starts_with("    ");
            if !is_event {
                steady.push_str(&steady_line(line));
                steady.push('\n');
            }
            is_event |= line == "  last events:";
        }
        steady
    }
}

fn steady_line(line: &str) -> String {
    if line.starts_with("  run ") {
        return String::from("  run … of base seed …");
    }
    if let Some((side, _)) =
        line.split_once(": ").filter(|(side, _)| ["both", "A", "B"].contains(&side.trim()))
    {
        return format!("{side}: …");
    }
    let words = line.split_inclusive([' ', '=', '-', ':', '.', '(', ')', ',', '#']);
    words.fold(String::new(), |mut steady, word| {
        let end = word.len()
            - word
                .chars()
                .next_back()
                .filter(|c| !c.is_ascii_alphanumeric())
                .map_or(0, char::len_utf8);
        let is_data = steady.ends_with("data=");
        steady.push_str(if is_data || is_number(&word[..end]) { "N" } else { &word[..end] });
        steady.push_str(&word[end..]);
        steady
    })
}

/// Whether a word is a decimal or hexadecimal number, or a time in seconds.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix("0x").unwrap_or(word).trim_end_matches('s');
    digits.chars().any(|c| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_hexdigit())
}
