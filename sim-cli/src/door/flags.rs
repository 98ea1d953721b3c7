//! The project's own settings of cargo that the tokio door must not push aside: its wrapper, its flags.
//!
//! Cargo takes these from variables and from the files `.cargo/config.toml` above the project and in its home, and a
//! variable or a more specific key replaces the others. So what the door adds is added to the one that counts.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The settings, nearest first.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    variables: Vec<(String, String)>,
    files: Vec<(PathBuf, Table)>,
}

/// What to say to cargo.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) words: Vec<OsString>,
    pub(super) variables: Vec<(OsString, OsString)>,
}

impl Configuration {
    /// As cargo sees it from `folder`, or from here.
    pub(super) fn read(folder: Option<&Path>) -> Self {
        let here =
            folder.map(Path::to_owned).or_else(|| env::current_dir().ok()).unwrap_or_default();
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
        let above = here.ancestors().map(|folder| folder.join(".cargo"));
        let mut files = Vec::new();
        for folder in above.chain(home) {
            for name in ["config", "config.toml"] {
                let path = folder.join(name);
                // What cargo cannot read either, it says itself.
                let table = fs::read_to_string(&path).ok().and_then(|text| text.parse().ok());
                let is_new = files.iter().all(|(known, _)| *known != path);
                files.extend(table.filter(|_| is_new).map(|table| (path, table)));
            }
        }
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { variables: env::vars_os().filter_map(text).collect(), files }
    }

    /// The wrapper of rustc that the project uses.
    pub(super) fn wrapper(&self) -> Option<OsString> {
        let said = ["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"]
            .into_iter()
            .find_map(|name| self.variable(name));
        if let Some(said) = said {
            return Some(said.into());
        }
        let (path, value) = self.file(&["build", "rustc-wrapper"]).next()?;
        let wrapper = value.as_str()?;
        // A name is looked up in PATH; a path counts from the folder that holds `.cargo`.
        let folder = path.parent().and_then(Path::parent);
        match folder.filter(|_| wrapper.contains('/')) {
            Some(folder) => Some(folder.join(wrapper).into_os_string()),
            None => Some(wrapper.into()),
        }
    }

    /// `flags` for the target `triple`, behind those that the project has.
    pub(super) fn with_flags(&self, triple: &str, flags: &[&str]) -> Added {
        let variable = |name: &str, before: &str, between: &str| Added {
            words: Vec::new(),
            variables: vec![(
                name.into(),
                format!("{before}{between}{}", flags.join(between)).into(),
            )],
        };
        if let Some(before) = self.variable("CARGO_ENCODED_RUSTFLAGS") {
            return variable("CARGO_ENCODED_RUSTFLAGS", before, "\u{1f}");
        }
        if let Some(before) = self.variable("RUSTFLAGS") {
            return variable("RUSTFLAGS", before, " ");
        }
        let of_target =
            format!("CARGO_TARGET_{}_RUSTFLAGS", triple.to_uppercase().replace('-', "_"));
        if let Some(before) = self.variable(&of_target) {
            return variable(&of_target, before, " ");
        }
        // Flags of a target push those of the build aside, so these come along where the target has none of its own.
        let has_own = self.files.iter().any(|(_, table)| has_target_flags(table));
        let mut all = if has_own { Vec::new() } else { self.build_flags() };
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        // A list of texts is written the same in JSON and in TOML.
        let list = serde_json::Value::from(all);
        let words = vec!["--config".into(), format!("target.{triple}.rustflags={list}").into()];
        Added { words, variables: Vec::new() }
    }

    fn build_flags(&self) -> Vec<String> {
        if let Some(said) = self.variable("CARGO_BUILD_RUSTFLAGS") {
            return said.split_whitespace().map(str::to_owned).collect();
        }
        // Lists of several files are joined, the farthest first.
        let mut lists: Vec<_> =
            self.file(&["build", "rustflags"]).map(|(_, value)| words_of(value)).collect();
        lists.reverse();
        lists.concat()
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    fn file<'a>(&'a self, keys: &'a [&str; 2]) -> impl Iterator<Item = (&'a Path, &'a Value)> {
        self.files
            .iter()
            .filter_map(|(path, table)| Some((path.as_path(), table.get(keys[0])?.get(keys[1])?)))
    }
}

fn has_target_flags(table: &Table) -> bool {
    let targets = table.get("target").and_then(Value::as_table);
    targets.is_some_and(|targets| targets.values().any(|target| target.get("rustflags").is_some()))
}

fn words_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "x86_64-unknown-linux-gnu";

    fn configuration(variables: &[(&str, &str)], files: &[&str]) -> Configuration {
        let files = files.iter().enumerate();
        Configuration {
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            files: files
                .map(|(n, text)| {
                    (PathBuf::from(format!("/p{n}/.cargo/config.toml")), text.parse().unwrap())
                })
                .collect(),
        }
    }

    #[test]
    fn the_projects_wrapper_is_kept() {
        let of = |variables: &[_], files: &[_]| configuration(variables, files).wrapper();
        assert_eq!(of(&[], &[]), None);
        assert_eq!(
            of(&[("RUSTC_WRAPPER", "sccache")], &["build.rustc-wrapper = 'w'"]),
            Some("sccache".into())
        );
        assert_eq!(
            of(&[("RUSTC_WRAPPER", "")], &["", "build.rustc-wrapper = 'w'"]),
            Some("w".into())
        );
        assert_eq!(of(&[], &["", "build.rustc-wrapper = 'tools/w'"]), Some("/p1/tools/w".into()));
    }

    #[test]
    fn flags_are_added_to_those_that_count() {
        let of = |variables: &[_], files: &[_]| {
            configuration(variables, files).with_flags(HOST, &["--cfg", "a"])
        };
        let variable = |name: &str, value: &str| Added {
            words: vec![],
            variables: vec![(name.into(), value.into())],
        };
        assert_eq!(
            of(&[("RUSTFLAGS", "-Cx")], &["build.rustflags = ['b']"]),
            variable("RUSTFLAGS", "-Cx --cfg a")
        );
        let encoded = [("CARGO_ENCODED_RUSTFLAGS", "b\u{1f}c"), ("RUSTFLAGS", "d")];
        assert_eq!(
            of(&encoded, &[]),
            variable("CARGO_ENCODED_RUSTFLAGS", "b\u{1f}c\u{1f}--cfg\u{1f}a")
        );
        let target = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS";
        assert_eq!(of(&[(target, "e")], &[]), variable(target, "e --cfg a"));
        let word = |files: &[&str]| {
            configuration(&[], files).with_flags(HOST, &["--cfg", "a"]).words[1]
                .to_str()
                .unwrap()
                .replace(&format!("target.{HOST}."), "")
        };
        assert_eq!(word(&[]), r#"rustflags=["--cfg","a"]"#);
        assert_eq!(
            word(&["build.rustflags = ['b']", "build.rustflags = 'c d'"]),
            r#"rustflags=["c","d","b","--cfg","a"]"#
        );
        let own = "build.rustflags = ['b']\n[target.'cfg(unix)']\nrustflags = ['c']";
        assert_eq!(word(&[own]), r#"rustflags=["--cfg","a"]"#);
    }
}
