//! What is run where cargo runs rustc.
//!
//! ```text
//! cargo ── RUSTC_WRAPPER ──▶ here ──▶ the project's own wrapper, if it has one ──▶ rustc
//! ```
//!
//! A unit that is not tokio's library is handed on as it came, in place of this process. For tokio's library the path of
//! the source becomes that of the changed copy, and rustc is told to name files as if it were the original: panics,
//! backtraces and spans are those of the user's tokio.

use crate::patch::Foreign;
use crate::source::{self, Failure};
use crate::unit::{Package, Unit, option};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says that this process is to be the wrapper; its value is the folder for copies of tokio.
pub const COPIES: &str = "SIM_TOKIO_COPIES";

/// The project's own wrapper, which is run between this one and rustc.
pub const NEXT: &str = "SIM_TOKIO_NEXT_WRAPPER";

/// The file that a line is appended to for each tokio that was changed: version, then what was found.
pub const JOURNAL: &str = "tokio.txt";

/// What the environment tells a wrapper.
#[derive(Clone, Debug)]
pub struct Wrapper {
    /// The folder for copies.
    pub copies: PathBuf,
    /// The wrapper that comes next.
    pub next: Option<OsString>,
    /// The package that cargo builds.
    pub package: Package,
}

/// Why a unit was not compiled.
#[derive(Debug)]
pub enum Refusal {
    /// Cargo said nothing to run.
    Nothing,
    /// A command cannot be started.
    Start(OsString, io::Error),
    /// There is no copy of this version of tokio.
    Tokio(String, Failure),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "the wrapper was called without a compiler"),
            Self::Start(command, error) => {
                write!(f, "{} cannot be started: {error}", command.display())
            }
            Self::Tokio(version, failure) => {
                write!(f, "tokio {version} cannot be simulated: {failure}")
            }
        }
    }
}

impl std::error::Error for Refusal {}

impl Wrapper {
    /// The wrapper that the environment asks for, read through `lookup`; none where it asks for none.
    #[must_use]
    pub fn from_environment(lookup: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let text = |name| lookup(name).unwrap_or_default().to_string_lossy().into_owned();
        Some(Self {
            copies: lookup(COPIES)?.into(),
            next: lookup(NEXT).filter(|next| !next.is_empty()),
            package: Package { name: text("CARGO_PKG_NAME"), version: text("CARGO_PKG_VERSION") },
        })
    }

    /// Compiles what `args` say, of which the first is the compiler; answers the exit code, unless this process has
    /// become the compiler.
    ///
    /// # Errors
    /// If the compiler cannot be started, or this version of tokio cannot be changed.
    pub fn run(&self, args: Vec<OsString>) -> Result<u8, Refusal> {
        let mut words = self.next.iter().cloned().chain(args);
        let program = words.next().ok_or(Refusal::Nothing)?;
        let args: Vec<OsString> = words.collect();
        let failed = |error| Refusal::Start(program.clone(), error);
        match Unit::of(&args, &self.package) {
            Unit::Other => Err(failed(Command::new(&program).args(args).exec())),
            Unit::Tokio { source } => {
                let plan = self.plan(args, source)?;
                let status = Command::new(&program).args(&plan.args).status().map_err(failed)?;
                plan.mend_dependencies();
                Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
            }
        }
    }

    /// Makes the copy that `args`, whose `source`th is tokio's `src/lib.rs`, are to compile instead.
    fn plan(&self, mut args: Vec<OsString>, source: usize) -> Result<Plan, Refusal> {
        let library = PathBuf::from(&args[source]);
        let original = library.parent().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        let original = if original.as_os_str().is_empty() { PathBuf::from(".") } else { original };
        let version = &self.package.version;
        let copy = self.copies.join(format!("tokio-{version}-{:016x}", hash(original.as_os_str())));
        let failed = |failure| Refusal::Tokio(version.clone(), failure);
        // The files that are added are written in that edition, and the versions before it have other places.
        if option(&args, "--edition").is_none_or(|edition| edition == "2015" || edition == "2018") {
            return Err(failed(Foreign { missing: vec!["edition 2021"] }.into()));
        }
        let report = source::copy(&original.join("src"), &copy).map_err(failed)?;
        self.note(&format!("{version}: {report}\n")).map_err(failed)?;
        args[source] = copy.join("src/lib.rs").into_os_string();
        let mut remap = OsString::from("--remap-path-prefix=");
        remap.push(copy.as_os_str());
        remap.push("=");
        remap.push(original.as_os_str());
        args.push(remap);
        let dependencies = dependencies(&args);
        Ok(Plan { args, original, copy, dependencies })
    }

    fn note(&self, line: &str) -> Result<(), Failure> {
        let path = self.copies.join(JOURNAL);
        let written = fs::File::options().create(true).append(true).open(&path);
        written
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .map_err(|error| Failure::Io(path, error))
    }
}

/// A compilation of the copy.
struct Plan {
    args: Vec<OsString>,
    original: PathBuf,
    copy: PathBuf,
    /// The file in which rustc lists what it has read.
    dependencies: Option<PathBuf>,
}

impl Plan {
    /// Lets cargo watch the original: a tokio that the user edits is compiled again when *it* changes.
    fn mend_dependencies(&self) {
        let Some(path) = &self.dependencies else { return };
        let Ok(text) = fs::read_to_string(path) else { return };
        let mended = mended(&text, &self.copy, &self.original);
        // If it cannot be written, cargo watches the copy, which costs a build at most.
        let _ = fs::write(path, mended);
    }
}

/// The file of dependencies with the originals instead of the copies, and without what only the copy has.
fn mended(text: &str, copy: &Path, original: &Path) -> String {
    let (copy, original) = (format!("{}/", escaped(copy)), format!("{}/", escaped(original)));
    let door = format!("{copy}src/sim_door/");
    let mut lines = String::with_capacity(text.len());
    for line in text.lines().filter(|line| !line.starts_with(&door)) {
        match line.split_once(": ") {
            Some((target, files)) => {
                let kept: Vec<_> =
                    files.split(' ').filter(|file| !file.starts_with(&door)).collect();
                lines.push_str(&format!("{target}: {}", kept.join(" ").replace(&copy, &original)));
            }
            None => lines.push_str(&line.replace(&copy, &original)),
        }
        lines.push('\n');
    }
    lines
}

/// A path as rustc writes it there.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(' ', "\\ ")
}

/// Where rustc lists what it reads: `<out-dir>/<crate><extra-filename>.d`.
fn dependencies(args: &[OsString]) -> Option<PathBuf> {
    let folder = option(args, "--out-dir")?;
    let extra =
        args.iter().find_map(|arg| arg.to_str()?.strip_prefix("extra-filename=")).unwrap_or("");
    Some(Path::new(folder).join(format!("tokio{extra}.d")))
}

/// A number for a path.
fn hash(text: &OsStr) -> u64 {
    text.as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_watches_the_original() {
        let text = "/t/libtokio.rmeta: /cd/src/lib.rs /c/src/lib.rs /c/src/sim_door/mod.rs /c/src/task/mod.rs\n\n\
                    /c/src/lib.rs:\n/c/src/sim_door/mod.rs:\n# env-dep:X\n";
        let expected = "/t/libtokio.rmeta: /cd/src/lib.rs /o/src/lib.rs /o/src/task/mod.rs\n\n\
                        /o/src/lib.rs:\n# env-dep:X\n";
        assert_eq!(mended(text, Path::new("/c"), Path::new("/o")), expected);
    }

    #[test]
    fn a_tokio_of_an_older_edition_is_refused() {
        let package = Package { name: String::from("tokio"), version: String::from("1.25.3") };
        let wrapper = Wrapper { copies: PathBuf::from("/nowhere"), next: None, package };
        let args = "--crate-name tokio --edition=2018 /r/tokio/src/lib.rs --target x";
        let args: Vec<OsString> = args.split(' ').map(OsString::from).collect();
        let refusal = wrapper.plan(args, 3).err().unwrap().to_string();
        assert_eq!(
            refusal,
            "tokio 1.25.3 cannot be simulated: it has no edition 2021: the oldest version that can be simulated is 1.32"
        );
    }

    #[test]
    fn the_environment_says_whether_this_is_a_wrapper() {
        let lookup = |name: &str| match name {
            COPIES => Some(OsString::from("/c")),
            "CARGO_PKG_NAME" => Some(OsString::from("tokio")),
            NEXT => Some(OsString::new()),
            _ => None,
        };
        let wrapper = Wrapper::from_environment(lookup).unwrap();
        assert_eq!((wrapper.copies, wrapper.next), (PathBuf::from("/c"), None));
        assert_eq!(wrapper.package.name, "tokio");
        assert!(Wrapper::from_environment(|_| None).is_none());
    }
}
