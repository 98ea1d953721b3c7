//! What of the real machine's files a world sees: trees that are declared, and nothing else.
//!
//! The declared trees lie below the simulated disk ([`Lower`]): they are read as long as the program has not changed them, and
//! never written. All else is simulated, and a few directories of it are there at the start. The directories on the way to either
//! exist and hold nothing else.
//!
//! - Declared: the cargo project around the working directory and around `CARGO_MANIFEST_DIR`, the program's own directory with the target
//!   directory around it, cargo's and rustup's directories, the system's libraries and data, and the few files of `/etc` that name
//!   hosts, users, zones and certificates.
//! - The real machine is asked about a name once, and for bytes whenever they are read. A run counts on it that these stay as they are.
//! - What is neither file nor directory nor symbolic link is not seen.

use sim_time::WallTime;
use sim_world::{Found, FoundNode, Lower};
use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

/// Declared wherever the program runs.
const ALWAYS: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/hosts",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/ld.so.cache",
    "/etc/passwd",
    "/etc/group",
];

/// Simulated directories that are there at the start.
const AT_THE_START: &[&str] =
    &["/tmp", "/var/tmp", "/dev/shm", "/etc", "/run", "/var/lib", "/var/log"];

/// What a directory of [`AT_THE_START`] for everybody's files may be used for.
const FOR_EVERYBODY: u32 = 0o1777;

/// What is there in the world of a process.
#[derive(Debug, Default)]
struct Declared {
    /// No tree lies in another.
    trees: BTreeSet<PathBuf>,
    /// Simulated directories that are there at the start.
    made: BTreeSet<PathBuf>,
}

/// Found out once by the worker, for all its runs.
static DECLARED: OnceLock<Declared> = OnceLock::new();

/// Finds out what is declared.
pub fn prepare() {
    DECLARED.get_or_init(Declared::of_process);
}

/// The declared trees, as a layer below a disk.
#[derive(Debug)]
pub struct Overlay {
    declared: &'static Declared,
    /// Nothing was changed later than this.
    start: WallTime,
}

/// A variable of the environment, which is declared by whoever starts the world.
fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The outermost directory around `path` that is a cargo project, or `path` itself if it is one.
fn project(path: &Path) -> Option<PathBuf> {
    let has_manifest = |folder: &&Path| folder.join("Cargo.toml").is_file();
    path.ancestors().filter(has_manifest).last().map(Path::to_owned)
}

/// The program's directory, and the target directory around it.
fn of_program() -> Vec<PathBuf> {
    let Ok(program) = env::current_exe() else { return Vec::new() };
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let folder = program.parent().map(Path::to_owned);
    folder.into_iter().chain(target.map(Path::to_owned)).collect()
}

impl Declared {
    fn of_process() -> Self {
        let (home, folder) = (variable("HOME"), env::current_dir().ok());
        let mut trees: Vec<PathBuf> = ALWAYS.iter().map(PathBuf::from).collect();
        trees.extend(folder.as_deref().and_then(project));
        trees.extend(variable("CARGO_MANIFEST_DIR").map(|path| project(&path).unwrap_or(path)));
        trees.extend(of_program());
        for (name, place) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            trees.extend(variable(name).or_else(|| Some(home.as_ref()?.join(place))));
        }
        let mut declared = Self::default();
        trees.iter().for_each(|path| declared.declare(path));
        declared.made.extend(AT_THE_START.iter().map(PathBuf::from));
        declared.made.extend(home.into_iter().chain(folder));
        declared
    }

    /// Declares a tree by the name that it was given, and by the one that it has without symbolic links.
    fn declare(&mut self, path: &Path) {
        let plain: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
        let resolved = fs::canonicalize(&plain).ok();
        for tree in [Some(plain), resolved].into_iter().flatten() {
            let is_whole = tree.parent().is_some()
                && !tree.components().any(|part| part == Component::ParentDir);
            if is_whole && !self.includes(&tree) {
                self.trees.retain(|other| !other.starts_with(&tree));
                self.trees.insert(tree);
            }
        }
    }

    fn includes(&self, path: &Path) -> bool {
        path.ancestors().any(|folder| self.trees.contains(folder))
    }

    /// Whether something that is there lies somewhere below.
    fn leads_on(&self, path: &Path) -> bool {
        let below = |set: &BTreeSet<PathBuf>| {
            set.range(path.to_owned()..).next().is_some_and(|first| first.starts_with(path))
        };
        below(&self.trees) || below(&self.made)
    }
}

impl Overlay {
    /// The trees of this process. Nothing in them is younger than `start`.
    pub fn new(start: WallTime) -> Self {
        Self { declared: DECLARED.get_or_init(Declared::of_process), start }
    }

    fn directory(&self, path: &Path) -> Found {
        let for_everybody = matches!(path.to_str(), Some("/tmp" | "/var/tmp" | "/dev/shm"));
        let mode = if for_everybody { FOR_EVERYBODY } else { 0o755 };
        Found { node: FoundNode::Directory, mode, modified: self.start }
    }

    /// A thing of the real machine.
    fn real(&self, path: &Path) -> Option<Found> {
        let mut stat = fs::symlink_metadata(path).ok()?;
        let mut target = None;
        if stat.is_symlink() {
            let leads_to = fs::read_link(path).ok()?;
            // A declared file that leads out of what is declared is what it leads to.
            let is_root = self.declared.trees.contains(path);
            let resolved = fs::canonicalize(path).ok();
            if is_root && resolved.is_some_and(|resolved| !self.declared.includes(&resolved)) {
                stat = fs::metadata(path).ok()?;
            } else {
                target = Some(leads_to.to_str()?.into());
            }
        }
        let node = match target {
            Some(target) => FoundNode::Symlink(target),
            None if stat.is_dir() => FoundNode::Directory,
            None if stat.is_file() => FoundNode::File(stat.len()),
            None => return None,
        };
        let seconds = u64::try_from(stat.mtime()).unwrap_or(0);
        let nanos = seconds.saturating_mul(1_000_000_000).saturating_add(stat.mtime_nsec() as u64);
        let modified = WallTime::from_nanos(nanos).min(self.start);
        Some(Found { node, mode: stat.mode() & 0o7777, modified })
    }
}

impl Lower for Overlay {
    fn find(&self, directory: &str, name: &str) -> Option<Found> {
        let path = Path::new(directory).join(name);
        if self.declared.includes(&path) {
            return self.real(&path);
        }
        if !self.declared.leads_on(&path) {
            return None;
        }
        // A link on the way to a tree is one here too, since the tree is declared by both of its names.
        match fs::read_link(&path) {
            Ok(target) if !self.declared.made.contains(&path) => {
                let node = FoundNode::Symlink(target.to_str()?.into());
                Some(Found { node, mode: 0o777, modified: self.start })
            }
            _ => Some(self.directory(&path)),
        }
    }

    fn list(&self, directory: &str) -> Vec<Box<str>> {
        let directory = Path::new(directory);
        if self.declared.includes(directory) {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            return entries.filter_map(|entry| Some(entry.file_name().to_str()?.into())).collect();
        }
        let below = self.declared.trees.iter().chain(&self.declared.made);
        let next = below.filter_map(|path| path.strip_prefix(directory).ok()?.components().next());
        let names: BTreeSet<&str> = next.filter_map(|part| part.as_os_str().to_str()).collect();
        names.into_iter().map(Box::from).collect()
    }

    fn read(&self, file: &str, offset: u64, into: &mut [u8]) {
        // One that was taken away since then reads as zeros, as what a crash of the real machine leaves.
        let Ok(file) = File::open(file) else { return };
        let (mut done, mut offset) = (0, offset);
        while done < into.len() {
            match file.read_at(&mut into[done..], offset) {
                Ok(0) => return,
                Ok(read) => (done, offset) = (done + read, offset + read as u64),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}
