//! The peers, one module each, and the scenarios they run.
//!
//! A peer enters every scenario whose program it can carry out at all, in the configuration its documentation shows first, except
//! where a scenario needs a setting (latency, simulated duration, buffer sizes); each such setting is argued where it is made.

mod on_bach;
#[cfg(madsim)]
mod on_madsim;
mod on_tokio;
mod on_turmoil;

use crate::frame::Table;

/// Enters every peer that this build has.
pub(crate) fn enter(table: &mut Table) {
    on_tokio::enter(table);
    on_turmoil::enter(table);
    on_bach::enter(table);
    #[cfg(madsim)]
    on_madsim::enter(table);
}

/// What this build lacks and how to get it.
pub(crate) fn missing() -> Option<&'static str> {
    if cfg!(madsim) {
        return None;
    }
    Some(
        "built without madsim; for its rows: RUSTFLAGS=\"--cfg madsim\" cargo run --release -p sim-benches",
    )
}
