//! Builds the tests of a cargo project and says which executables came of it.
//!
//! Cargo does the building, with the user's own selection; its messages go to standard error.

use crate::args::CargoArgs;
use crate::door::{Door, DoorKind, preloads};
use crate::exit::Stop;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use toml::{Table, Value};

/// A test executable.
#[derive(Clone, Debug)]
pub(crate) struct Executable {
    pub(crate) path: PathBuf,
    pub(crate) package: String,
    version: String,
    manifest: PathBuf,
    kind: String,
    /// The target's name as a crate.
    pub(crate) crate_name: String,
    target: String,
    /// Whether it understands libtest's options; `harness = false` in the manifest says that it does not.
    pub(crate) has_harness: bool,
    /// How it enters the world.
    pub(crate) door: DoorKind,
    /// The world's object, which is loaded before it where it performs runs.
    pub(crate) object: Option<PathBuf>,
}

impl Executable {
    /// The full name of the test that the executable knows as `path`, as `sim` itself derives it.
    pub(crate) fn full_name(&self, path: &str) -> String {
        let package = self.package.replace('-', "_");
        let parts = [package.as_str(), &self.crate_name, path];
        let first = usize::from(package == self.crate_name);
        parts[first..]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join("::")
    }

    /// The folder of its package, in which cargo starts it.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest.parent().unwrap_or(Path::new("."))
    }

    /// Cargo's option that builds this target and no other.
    pub(crate) fn selection(&self) -> Vec<String> {
        match self.kind.as_str() {
            kind @ ("test" | "bin" | "example" | "bench") => {
                vec![format!("--{kind}"), self.target.clone()]
            }
            _ => vec![String::from("--lib")],
        }
    }

    /// The executable as cargo would start it: in its package's folder, with the package's variables.
    ///
    /// No `SIM_*` variable passes: what they say has been merged into the plan.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        clean(&mut command);
        for (name, _) in
            env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SIM_"))
        {
            command.env_remove(name);
        }
        command.current_dir(self.folder()).env("CARGO_MANIFEST_DIR", self.folder());
        command.env("CARGO_MANIFEST_PATH", &self.manifest).env("CARGO_PKG_NAME", &self.package);
        command.env("CARGO_PKG_VERSION", &self.version).env("LD_LIBRARY_PATH", self.library_path());
        command
    }

    /// The same, in the world that its door leads to.
    pub(crate) fn command_in_world(&self) -> Command {
        let mut command = self.command();
        if let Some(object) = &self.object {
            command.env("LD_PRELOAD", preloads(object, env::var_os("LD_PRELOAD").as_deref()));
        }
        command
    }

    /// Where the executable's shared objects are: beside it, and for procedural macros in the toolchain.
    fn library_path(&self) -> OsString {
        let folders = self.path.ancestors().skip(1).take(2).map(Path::to_owned);
        let toolchain = (self.kind == "proc-macro").then(toolchain_libraries).flatten();
        let inherited = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let inherited = env::split_paths(&inherited).collect::<Vec<_>>();
        env::join_paths(folders.chain(toolchain).chain(inherited)).unwrap_or_default()
    }
}

#[cfg(test)]
impl Executable {
    /// The library of a package that does not exist.
    pub(crate) fn fake(package: &str) -> Self {
        Self {
            path: PathBuf::from("/nowhere/debug/deps/x"),
            package: package.to_owned(),
            version: String::from("0.1.0"),
            manifest: PathBuf::from("/nowhere/Cargo.toml"),
            kind: String::from("lib"),
            crate_name: package.replace('-', "_"),
            target: package.to_owned(),
            has_harness: true,
            door: DoorKind::Native,
            object: None,
        }
    }
}

fn toolchain_libraries() -> Option<PathBuf> {
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--print", "sysroot"])
        .output();
    let sysroot = String::from_utf8(output.ok()?.stdout).ok()?;
    Some(Path::new(sysroot.trim()).join("lib"))
}

/// Cargo itself. Its own variables about *this* tool's package are not for the project's build.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    clean(&mut command);
    command
}

fn clean(command: &mut Command) {
    let ours = |name: &OsStr| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || name.starts_with("CARGO_BIN_")
    };
    for (name, _) in env::vars_os().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
}

impl CargoArgs {
    /// The options as cargo takes them.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        let mut flag = |is_set: bool, name: &str| words.extend(is_set.then(|| name.into()));
        flag(self.workspace, "--workspace");
        flag(self.lib, "--lib");
        flag(self.bins, "--bins");
        flag(self.tests, "--tests");
        flag(self.examples, "--examples");
        flag(self.locked, "--locked");
        flag(self.offline, "--offline");
        flag(self.frozen, "--frozen");
        let lists =
            [("--package", &self.package), ("--exclude", &self.exclude), ("--bin", &self.bin)];
        for (name, values) in
            lists.into_iter().chain([("--test", &self.test), ("--example", &self.example)])
        {
            words.extend(values.iter().flat_map(|value| [name.into(), value.into()]));
        }
        let paths = [("--manifest-path", &self.manifest_path), ("--target-dir", &self.target_dir)];
        for (name, value) in
            paths.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)))
        {
            words.extend([name.into(), value.into()]);
        }
        words.extend(self.flavour().into_iter().map(OsString::from));
        words
    }

    /// The options that change what is built rather than how much: a replay needs the same.
    pub(crate) fn flavour(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut flag = |is_set: bool, name: &str| words.extend(is_set.then(|| name.to_owned()));
        flag(self.all_features, "--all-features");
        flag(self.no_default_features, "--no-default-features");
        flag(self.release, "--release");
        words.extend(
            self.features.iter().flat_map(|value| [String::from("--features"), value.clone()]),
        );
        words.extend(
            self.profile.iter().flat_map(|value| [String::from("--profile"), value.clone()]),
        );
        words
    }
}

/// The root of the project that `args` or the current folder belong to.
pub(crate) fn project_root(args: &CargoArgs, folder: Option<&Path>) -> Result<PathBuf, Stop> {
    let mut command = cargo();
    command.args(["locate-project", "--workspace", "--message-format", "plain"]);
    if let Some(manifest) = &args.manifest_path {
        command.arg("--manifest-path").arg(manifest);
    }
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let output = command.output().map_err(|error| {
        Stop::usage(format!("cargo cannot be started: {error}: put it on PATH"))
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
        return Err(Stop::usage(format!(
            "no cargo project: {said}: go to one, or say --manifest-path"
        )));
    }
    let manifest = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    Ok(manifest.parent().map(Path::to_owned).unwrap_or_default())
}

/// Builds the tests that `words` select for their door, from `folder` or the current one.
pub(crate) fn build(
    words: &[OsString],
    folder: Option<&Path>,
    door: &Door,
) -> Result<Vec<Executable>, Stop> {
    let mut command = cargo();
    command.args(["test", "--no-run", "--message-format=json-render-diagnostics"]);
    door.dress(&mut command, words);
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| {
        Stop::usage(format!("cargo cannot be started: {error}: put it on PATH"))
    })?;
    let mut manifests = Manifests::default();
    let mut executables = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(|error| {
                Stop::defect(format!("cargo's messages cannot be read: {error}"))
            })?;
            executables.extend(
                serde_json::from_str(&line)
                    .ok()
                    .and_then(|message| executable(message, &mut manifests, door)),
            );
        }
    }
    match child.wait() {
        Ok(status) if status.success() => {
            for remark in door.remarks() {
                eprintln!("note: {remark}");
            }
            Ok(executables)
        }
        _ => Err(Stop::build()),
    }
}

/// One of cargo's messages, as far as it matters.
#[derive(Deserialize)]
struct Message {
    reason: String,
    package_id: Option<String>,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

fn executable(message: Message, manifests: &mut Manifests, door: &Door) -> Option<Executable> {
    if message.reason != "compiler-artifact" || !message.profile?.test {
        return None;
    }
    let (target, manifest) = (message.target?, message.manifest_path?);
    let (package, version) = package(&message.package_id?);
    let kind = target.kind.first().cloned().unwrap_or_default();
    Some(Executable {
        path: message.executable?,
        has_harness: manifests.has_harness(&manifest, &kind, &target.name),
        crate_name: target.name.replace('-', "_"),
        target: target.name,
        package,
        version,
        manifest,
        kind,
        door: door.kind,
        object: door.object.clone(),
    })
}

/// Name and version from a package id: `path+file:///home/a/bank#0.1.0` or `…#bank@0.1.0`.
fn package(id: &str) -> (String, String) {
    let (source, fragment) = id.rsplit_once('#').unwrap_or((id, ""));
    match fragment.rsplit_once('@') {
        Some((name, version)) => (name.to_owned(), version.to_owned()),
        None => (source.rsplit('/').next().unwrap_or_default().to_owned(), fragment.to_owned()),
    }
}

/// The manifests read so far. Cargo's messages do not say `harness = false`.
#[derive(Default)]
struct Manifests(BTreeMap<PathBuf, Table>);

impl Manifests {
    fn has_harness(&mut self, manifest: &Path, kind: &str, name: &str) -> bool {
        let read = |path: &Path| fs::read_to_string(path).ok().and_then(|text| text.parse().ok());
        let table =
            self.0.entry(manifest.to_owned()).or_insert_with(|| read(manifest).unwrap_or_default());
        let is_off = |target: &Value| target.get("harness").and_then(Value::as_bool) == Some(false);
        match table.get(kind) {
            Some(Value::Array(targets)) => {
                let named =
                    |target: &&Value| target.get("name").and_then(Value::as_str) == Some(name);
                !targets.iter().find(named).is_some_and(is_off)
            }
            Some(target) => !is_off(target),
            None => !table.get("lib").filter(|_| kind.ends_with("lib")).is_some_and(is_off),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn executable(package: &str, crate_name: &str) -> Executable {
        Executable { crate_name: crate_name.to_owned(), ..Executable::fake(package) }
    }

    #[test]
    fn names_are_those_that_sim_derives() {
        assert_eq!(executable("my-bank", "my_bank").full_name("a::b"), "my_bank::a::b");
        assert_eq!(executable("my-bank", "transfer").full_name("b"), "my_bank::transfer::b");
        assert_eq!(executable("bank", "custom").full_name(""), "bank::custom");
    }

    #[test]
    fn package_ids_of_both_forms_are_read() {
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(package("path+file:///home/a/bank#0.1.0"), pair("bank", "0.1.0"));
        assert_eq!(package("path+file:///home/a/crates/x#bank@0.2.0"), pair("bank", "0.2.0"));
    }

    #[test]
    fn a_target_without_a_harness_is_found_in_the_manifest() {
        let manifest = PathBuf::from("/nowhere/Cargo.toml");
        let text = "[lib]\nharness = false\n[[test]]\nname = \"a\"\nharness = false\n[[test]]\nname = \"b\"\n";
        let mut manifests = Manifests(BTreeMap::from([(manifest.clone(), text.parse().unwrap())]));
        let found = [("lib", "x"), ("rlib", "x"), ("test", "a"), ("test", "b"), ("bin", "a")];
        let found = found.map(|(kind, name)| manifests.has_harness(&manifest, kind, name));
        assert_eq!(found, [false, false, false, true, true]);
    }

    #[test]
    fn options_are_passed_on() {
        let args = CargoArgs {
            package: vec![String::from("a"), String::from("b")],
            release: true,
            features: vec![String::from("x,y")],
            test: vec![String::from("t")],
            target_dir: Some(PathBuf::from("d")),
            ..CargoArgs::default()
        };
        let expected = "--package a --package b --test t --target-dir d --release --features x,y";
        assert_eq!(args.words(), expected.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(args.flavour(), ["--release", "--features", "x,y"]);
    }
}
