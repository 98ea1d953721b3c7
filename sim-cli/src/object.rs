//! The object that is loaded before an unmodified program. The tool carries it, and puts it into the user's cache where it is missing.

use crate::exit::Stop;
use sim_core::trace::payload_hash;
use std::env;
use std::fs;
use std::path::PathBuf;

static OBJECT: &[u8] = include_bytes!(env!("SIM_OBJECT"));

/// The object's path; it is written first where this version's is not there yet.
pub(crate) fn path() -> Result<PathBuf, Stop> {
    let whole =
        OBJECT.chunks(256).fold(0, |hash: u64, chunk| hash.rotate_left(7) ^ payload_hash(chunk));
    let folder = cache().join(format!("{}-{whole:016x}", env!("CARGO_PKG_VERSION")));
    let path = folder.join("libsim_libc.so");
    if fs::metadata(&path).is_ok_and(|file| file.len() == OBJECT.len() as u64) {
        return Ok(path);
    }
    let failed = |error: std::io::Error| {
        Stop::refused(format!(
            "{}: {error}: set XDG_CACHE_HOME to a folder that can be written",
            path.display()
        ))
    };
    fs::create_dir_all(&folder).map_err(failed)?;
    // Beside its place and renamed, since another process may be loading it.
    let beside = folder.join(format!(".{}.tmp", std::process::id()));
    fs::write(&beside, OBJECT).and_then(|()| fs::rename(&beside, &path)).map_err(failed)?;
    Ok(path)
}

fn cache() -> PathBuf {
    let named = env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = env::var_os("HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let folder = named.or(home.map(|home| home.join(".cache"))).unwrap_or_else(env::temp_dir);
    folder.join("cargo-sim")
}
