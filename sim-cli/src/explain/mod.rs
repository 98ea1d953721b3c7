//! `cargo sim explain`: the story of a failure.
//!
//! The failure is performed again with every event kept; then without each of its choices, from the last, until one is found
//! without which it passes; then once more with a backtrace at the turns that matter. [`turning`] finds what turns the verdict,
//! [`turns`] cuts the execution into turns, [`story`] says which of them matter and why, [`text`] writes it down.

mod story;
#[cfg(test)]
mod tests;
mod text;
mod turning;
mod turns;

use crate::args::ExplainArgs;
use crate::config::{self, STALL};
use crate::exit::{Code, Stop};
use crate::judge::Replayed;
use crate::pool::Pool;
use crate::project::{quoted, shown};
use crate::replay;
use crate::shrink::is_stuck;
use crate::worker::{Ask, End, Failed, Said, Scratch};
use sim_core::simtrace::Simtrace;
use sim_core::trace::Recorded;
use sim_explore::Identity;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use story::{Critical, Story, Teller};

/// Runs the verb.
pub(crate) fn run(args: &ExplainArgs) -> Result<Code, Stop> {
    for (option, given) in
        [("--html", &args.html), ("--perfetto", &args.perfetto), ("--pcap", &args.pcap)]
    {
        if given.is_some() {
            return Err(Stop::usage(format!(
                "{option} comes with a later version: without it the story is printed as text, --json FILE writes all of it"
            )));
        }
    }
    let (test, path, file) = replay::open(&args.cargo, &args.file)?;
    let Some(log) = &file.log else {
        return Err(Stop::refused(format!(
            "{}: the process died before its choices could be had, so there is no story of them: cargo sim replay --debug starts the debugger on it",
            shown(&path)
        )));
    };
    let scratch = Scratch::new()?;
    let mut pool = Pool::new(&test, &file, &scratch, STALL, config::cores());
    let ask = Ask { log: log.clone(), traced: true, ..Ask::default() };
    let (said, bytes) = pool.perform(ask)?;
    let (end, failed) = match &said {
        Said::Ended(end) => (Some(&**end), end.failed()),
        Said::Died(failed) => (None, Some(failed.clone())),
    };
    let replayed = Replayed::of(&test, &file, end, failed)?;
    let (Some(end), Replayed::Same { failed, way }) = (end, &replayed) else {
        // What it is instead is said as a replay says it.
        let stored = (path, file.clone());
        let failed = end.and_then(End::failed);
        let (code, text) = replay::compare(&test, &stored, end, failed, &scratch)?;
        let _ = io::stdout().lock().write_all(text.as_bytes());
        return Ok(code);
    };
    let recorded = read(bytes)?;
    let mut story = tell(&mut pool, &recorded, failed)?;
    story.remarks.extend((!way.is_empty()).then(|| way.trim_start_matches(", ").to_owned()));
    story.remarks.extend(
        (end.drift > 0)
            .then(|| format!("{} of the recorded choices were not asked for", end.drift)),
    );
    let story = Story {
        test: test.name.clone(),
        kind: failed.kind.clone(),
        message: failed.message.clone(),
        location: failed.location.clone(),
        ..about(story, &file, &path)
    };
    if let Some(out) = &args.json {
        write_json(&story, out)?;
    } else {
        // A reader that went away does not change the verdict.
        let _ = io::stdout().lock().write_all(text::text(&story).as_bytes());
    }
    Ok(Code::Failed)
}

/// What the file says of itself, and the commands.
fn about(story: Story, file: &Simtrace, path: &Path) -> Story {
    let name = quoted(&shown(path));
    let shrunk = match file.shrunk {
        Some(origin) => format!(
            "run {} of base seed {}, shrunk from {} choices in {} runs",
            file.run, file.base_seed, origin.choices, origin.runs
        ),
        None => format!("as it was found: cargo sim shrink {name} makes it smaller"),
    };
    let event =
        story.rows.iter().rfind(|row| row.critical && row.left_out == 0).map(|row| row.event);
    let until = event.map(|event| format!(" --until {event}")).unwrap_or_default();
    Story {
        shrunk,
        replay: format!("cargo sim replay {name}{until}"),
        debug: format!("cargo sim replay --debug {name}"),
        ..story
    }
}

fn write_json(story: &Story, out: &Path) -> Result<(), Stop> {
    let json = serde_json::to_string_pretty(story)
        .map_err(|error| Stop::defect(format!("a story cannot be written: {error}")))?;
    fs::write(out, json + "\n")
        .map_err(|error| Stop::refused(format!("{}: cannot be written: {error}", out.display())))
}

fn read(bytes: Option<Vec<u8>>) -> Result<Recorded, Stop> {
    let bytes = bytes.ok_or_else(|| Stop::defect("a worker left no trace of its run"))?;
    Recorded::from_bytes(&bytes).map_err(|error| {
        Stop::usage(format!(
            "a worker's trace cannot be read: {error}: use equal versions of sim and cargo-sim"
        ))
    })
}

/// Finds what turns the verdict, looks where the program stands, and tells it.
fn tell(pool: &mut Pool<'_>, recorded: &Recorded, failed: &Failed) -> Result<Story, Stop> {
    let identity = Identity::new(&failed.kind, &failed.message, failed.location.as_deref());
    let turning = turning::find(pool, recorded, identity)?;
    let critical =
        turning.as_ref().map(|turning| Critical { key: &turning.key, pair: turning.pair });
    let places = story::wanted(recorded, critical.as_ref());
    let places = places.into_iter().map(|(path, turn)| (recorded.names.text(path), turn)).collect();
    let log = turning::used(recorded, None);
    let (_, bytes) = pool.perform(Ask { log, traced: true, places, ..Ask::default() })?;
    let placed = read(bytes)?;
    let mut story = Teller::new(&placed, is_stuck(&failed.kind), critical.as_ref()).story();
    if placed.events != recorded.events {
        story.remarks.push(String::from(
            "with backtraces taken it was another execution: addresses decide something",
        ));
    }
    Ok(story)
}
