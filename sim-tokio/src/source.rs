//! The copy of tokio's source on disk.
//!
//! One folder for each original. It is made beside its place and moved there, so that of several compilers that want it
//! at once each finds a whole one, and what a killed build left behind is in nobody's way.

use crate::patch::{Foreign, Patcher, Report};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;

/// The files of the module `sim_door`: path from the copy's `src/`, and text.
pub const INLAY: [(&str, &str); 6] = [
    ("sim_door/mod.rs", include_str!("../inlay/mod.rs")),
    ("sim_door/abi.rs", include_str!("../../sim-abi/src/lib.rs")),
    ("sim_door/gate.rs", include_str!("../inlay/gate.rs")),
    ("sim_door/name.rs", include_str!("../inlay/name.rs")),
    ("sim_door/turn.rs", include_str!("../inlay/turn.rs")),
    ("sim_door/world.rs", include_str!("../inlay/world.rs")),
];

/// Why there is no copy.
#[derive(Debug)]
pub enum Failure {
    /// The source cannot be changed.
    Foreign(Foreign),
    /// A file cannot be read or written.
    Io(PathBuf, io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(foreign) => foreign.fmt(f),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Failure {}

impl From<Foreign> for Failure {
    fn from(foreign: Foreign) -> Self {
        Self::Foreign(foreign)
    }
}

/// Makes `to` a changed copy of the package whose `src` is `from`; its own source is then `to/src`.
///
/// # Errors
/// If the source is not one that can be changed, or a file cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> Result<Report, Failure> {
    let draft = to.with_extension(format!("draft-{}", process::id()));
    let made = draft_of(from, &draft);
    if made.is_ok() {
        // What is there is of an earlier state of the same source.
        remove(to)?;
        if let Err(error) = fs::rename(&draft, to) {
            // Somebody else was faster, and made the same.
            if !to.join("src/lib.rs").is_file() {
                return Err(Failure::Io(to.to_owned(), error));
            }
        }
    }
    remove(&draft)?;
    made
}

fn remove(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::Io(folder.to_owned(), error))
        }
        _ => Ok(()),
    }
}

fn draft_of(from: &Path, draft: &Path) -> Result<Report, Failure> {
    let mut patcher = Patcher::default();
    let sources = draft.join("src");
    for path in files(from, Path::new("")).map_err(|error| Failure::Io(from.to_owned(), error))? {
        let original = from.join(&path);
        let failed = |error| Failure::Io(original.clone(), error);
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&original).map_err(failed)?;
            write(&sources.join(&path), &patcher.file(&path.to_string_lossy(), &text))?;
        } else {
            let bytes = fs::read(&original).map_err(failed)?;
            write_bytes(&sources.join(&path), &bytes)?;
        }
    }
    let report = patcher.finish()?;
    for (path, text) in INLAY {
        write(&sources.join(path), text)?;
    }
    // What tokio includes from beside its `src`.
    if let Some(package) = from.parent() {
        for name in ["README.md"] {
            if let Ok(bytes) = fs::read(package.join(name)) {
                write_bytes(&draft.join(name), &bytes)?;
            }
        }
    }
    Ok(report)
}

/// Every file below `root`, as paths from it, in the order of their names.
fn files(root: &Path, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<_> = fs::read_dir(root.join(folder))?.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut found = Vec::new();
    for entry in entries {
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            found.extend(files(root, &path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    write_bytes(path, text.as_bytes())
}

fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, bytes))
        .map_err(|error| Failure::Io(path.to_owned(), error))
}
