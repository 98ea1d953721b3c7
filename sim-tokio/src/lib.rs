//! The tokio door: an unmodified project's own tokio, compiled so that a simulated world orders its tasks.
//!
//! Cargo compiles the project as always, with its own lock file. Only the compiler is wrapped: where cargo asks for the
//! library of the crate `tokio` 1.x for the target, rustc gets a copy of that very source in which a few places call
//! the module `sim_door`. Everything else of tokio stays what it is, under its own name.
//!
//! In reading order:
//! - [`mod@unit`]: which crate a command line of rustc compiles.
//! - [`mod@patch`]: what is changed in tokio's source, and what a version must have to be changed.
//! - [`mod@source`]: the copy on disk, and the files that become `sim_door` (in `inlay/`).
//! - [`mod@wrapper`]: the command that is run instead.
//!
//! Never: a file of the project or of cargo's registry is written; a host unit (build script, procedural macro) is
//! changed; a tokio that cannot be changed is compiled unchanged in silence.

pub mod patch;
mod sites;
pub mod source;
pub mod unit;
pub mod wrapper;

/// A number for everything here that decides what is compiled: the wrapper's own logic, the patches, the added files.
///
/// Cargo does not know that they matter, so whoever sets the wrapper keeps one target folder per number.
#[must_use]
pub fn version_key() -> u64 {
    let texts = source::INLAY.iter().map(|(_, text)| *text).chain(SOURCES);
    texts.flat_map(|text| text.bytes().chain([0])).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// This crate's own source.
const SOURCES: [&str; 5] = [
    include_str!("patch.rs"),
    include_str!("sites.rs"),
    include_str!("source.rs"),
    include_str!("unit.rs"),
    include_str!("wrapper.rs"),
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_key_is_the_same_each_time() {
        assert_eq!(super::version_key(), super::version_key());
        assert_ne!(super::version_key(), 0);
    }
}
