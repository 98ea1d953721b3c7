//! The door by which a project's tests enter the simulated world, and what it changes of build and start.
//!
//! | door | build | start |
//! |---|---|---|
//! | native | as cargo does | as cargo does: the tests bring their world, or are plain |
//! | tokio | cargo with this binary as its compiler's wrapper, in a target folder of its own | with the world's object preloaded |
//! | libc | as cargo does | with the world's object preloaded |
//!
//! Where nobody says: native if the crate `sim` is among the dependencies, since those tests bring their world; tokio if
//! a tokio with its runtime is; else libc.

mod flags;
mod graph;
mod kind;

pub(crate) use kind::DoorKind;

use crate::args::CargoArgs;
use crate::build;
use crate::exit::Stop;
use crate::object;
use graph::Graph;
use sim_tokio::wrapper::{COPIES, JOURNAL, NEXT};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Another object than the one that the tool carries, for whoever works on it.
const OBJECT_VARIABLE: &str = "SIM_OBJECT";

/// A way into the world, ready to be used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Door {
    /// Which it is.
    pub(crate) kind: DoorKind,
    /// The object to preload; none for the native door.
    pub(crate) object: Option<PathBuf>,
    compiling: Option<Compiling>,
}

/// How the tokio door has cargo compile.
#[derive(Clone, Debug)]
struct Compiling {
    target_folder: PathBuf,
    words: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
}

impl Door {
    /// The door that `said` names, else the one that fits the project.
    pub(crate) fn open(
        said: Option<DoorKind>,
        args: &CargoArgs,
        folder: Option<&Path>,
    ) -> Result<Self, Stop> {
        let plain = |kind| Ok(Self { kind, object: Some(object()?), compiling: None });
        match said {
            Some(DoorKind::Native) => return Ok(Self::default()),
            Some(DoorKind::Libc) => return plain(DoorKind::Libc),
            Some(DoorKind::Tokio) | None => {}
        }
        let compiler = Compiler::ask()?;
        let graph = Graph::read(args, folder, &compiler.host)?;
        match (said, graph.has_sim, graph.has_tokio) {
            (Some(_), ..) | (None, false, true) => {
                let compiling = Compiling::prepare(args, folder, &graph, &compiler)?;
                Ok(Self { compiling: Some(compiling), ..plain(DoorKind::Tokio)? })
            }
            (None, true, _) => Ok(Self::default()),
            (None, false, false) => plain(DoorKind::Libc),
        }
    }

    /// Cargo's command with what the door needs, `words` being the project's own.
    pub(crate) fn dress(&self, command: &mut Command, words: &[OsString]) {
        let Some(compiling) = &self.compiling else {
            command.args(words);
            return;
        };
        command.args(without_target_folder(words)).args(&compiling.words);
        command.arg("--target-dir").arg(&compiling.target_folder);
        command.envs(compiling.variables.iter().map(|(name, value)| (name, value)));
    }

    /// What there is to say of the tokio that was compiled: the changes that found no place.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let Some(compiling) = &self.compiling else { return Vec::new() };
        let journal = fs::read_to_string(copies(&compiling.target_folder).join(JOURNAL));
        let mut lines: Vec<String> = journal
            .unwrap_or_default()
            .lines()
            .filter(|line| line.contains("without a name") || line.contains("not there"))
            .map(|line| format!("tokio {line}"))
            .collect();
        lines.dedup();
        lines
    }
}

/// The object of the world.
fn object() -> Result<PathBuf, Stop> {
    match env::var_os(OBJECT_VARIABLE).map(PathBuf::from) {
        Some(named) => named.canonicalize().map_err(|error| {
            Stop::usage(format!("{OBJECT_VARIABLE}: {}: {error}: unset it", named.display()))
        }),
        None => object::path(),
    }
}

/// The value of `LD_PRELOAD` that loads the object before what the user preloads.
pub(crate) fn preloads(object: &Path, inherited: Option<&OsStr>) -> OsString {
    let mut value = object.as_os_str().to_owned();
    if let Some(inherited) = inherited.filter(|inherited| !inherited.is_empty()) {
        value.push(":");
        value.push(inherited);
    }
    value
}

/// The compiler that cargo would use.
struct Compiler {
    host: String,
    version: String,
}

impl Compiler {
    fn ask() -> Result<Self, Stop> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(&rustc).arg("-vV").output().map_err(|error| {
            Stop::usage(format!("{} cannot be started: {error}: put it on PATH", rustc.display()))
        })?;
        let version = String::from_utf8_lossy(&output.stdout).into_owned();
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host =
            host.ok_or_else(|| Stop::usage(String::from("rustc -vV names no host: is it rustc?")))?;
        Ok(Self { host: host.to_owned(), version })
    }
}

impl Compiling {
    fn prepare(
        args: &CargoArgs,
        folder: Option<&Path>,
        graph: &Graph,
        compiler: &Compiler,
    ) -> Result<Self, Stop> {
        let base = args.target_dir.clone().unwrap_or_else(|| graph.target_folder.clone());
        let base = std::path::absolute(&base).unwrap_or(base);
        let target_folder = base.join(format!("sim-tokio-{:016x}", key(&compiler.version)));
        let copies = copies(&target_folder);
        fs::create_dir_all(&copies).map_err(|error| {
            Stop::refused(format!("{}: {error}: it has to be writable", copies.display()))
        })?;
        let this = env::current_exe()
            .map_err(|error| Stop::defect(format!("this binary's path is not known: {error}")))?;
        let configuration = flags::Configuration::read(folder);
        let mut words = vec![OsString::from("--target"), OsString::from(&compiler.host)];
        let mut variables = vec![
            (OsString::from("RUSTC_WRAPPER"), this.into_os_string()),
            (OsString::from(COPIES), copies.into_os_string()),
            (OsString::from(NEXT), configuration.wrapper().unwrap_or_default()),
        ];
        if graph.has_rustix {
            let added = configuration.with_flags(&compiler.host, &["--cfg", "rustix_use_libc"]);
            words.extend(added.words);
            variables.extend(added.variables);
        }
        Ok(Self { target_folder, words, variables })
    }
}

/// Cargo does not know what the wrapper makes of a unit, so each state of it has a target folder of its own.
fn key(compiler: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (sim_tokio::version_key(), compiler).hash(&mut hasher);
    hasher.finish()
}

fn copies(target_folder: &Path) -> PathBuf {
    target_folder.join("sim-copies")
}

fn without_target_folder(words: &[OsString]) -> Vec<OsString> {
    let mut kept = Vec::with_capacity(words.len());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--target-dir" {
            let _ = words.next();
        } else {
            kept.push(word.clone());
        }
    }
    kept
}

/// Cargo, asked for the project's graph.
fn metadata(args: &CargoArgs, folder: Option<&Path>, host: &str) -> Command {
    let mut command = build::cargo();
    command.args(["metadata", "--format-version", "1", "--filter-platform", host]);
    if let Some(manifest) = &args.manifest_path {
        command.arg("--manifest-path").arg(manifest);
    }
    for (is_set, word) in [
        (args.locked, "--locked"),
        (args.offline, "--offline"),
        (args.frozen, "--frozen"),
        (args.all_features, "--all-features"),
        (args.no_default_features, "--no-default-features"),
    ] {
        command.args(is_set.then_some(word));
    }
    command.args(args.features.iter().flat_map(|value| ["--features", value]));
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doors_own_target_folder_replaces_the_users() {
        let words: Vec<OsString> =
            "--lib --target-dir d --release".split(' ').map(OsString::from).collect();
        assert_eq!(without_target_folder(&words), ["--lib", "--release"]);
        let door = Door {
            kind: DoorKind::Tokio,
            object: None,
            compiling: Some(Compiling {
                target_folder: PathBuf::from("/t/own"),
                words: vec![OsString::from("--target"), OsString::from("x")],
                variables: vec![(OsString::from("A"), OsString::from("b"))],
            }),
        };
        let mut command = Command::new("cargo");
        door.dress(&mut command, &words);
        let said: Vec<_> = command.get_args().collect();
        assert_eq!(said, ["--lib", "--release", "--target", "x", "--target-dir", "/t/own"]);
        assert_eq!(command.get_envs().count(), 1);
    }

    #[test]
    fn the_world_is_loaded_first() {
        let object = Path::new("/o/w.so");
        assert_eq!(preloads(object, None), "/o/w.so");
        assert_eq!(preloads(object, Some(OsStr::new(""))), "/o/w.so");
        assert_eq!(preloads(object, Some(OsStr::new("/a.so"))), "/o/w.so:/a.so");
    }

    #[test]
    fn another_compiler_has_another_folder() {
        assert_ne!(key("rustc 1.95.0"), key("rustc 1.96.0"));
        assert_eq!(key("rustc 1.95.0"), key("rustc 1.95.0"));
    }
}
