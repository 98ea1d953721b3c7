//! `cargo sim shrink`, and what `cargo sim test` does with a failure before it tells it: its log made small.
//!
//! Which logs are tried is `sim-explore`'s; here they are performed, in several processes at once, and what comes out is kept.

use crate::args::ShrinkArgs;
use crate::around;
use crate::causes;
use crate::config::{self, STALL};
use crate::exit::{Code, Stop};
use crate::judge::{hash, parse_log};
use crate::list::Test;
use crate::pool::{Pool, Search};
use crate::program;
use crate::project::{quoted, shown};
use crate::replay;
use crate::sentence;
use crate::worker::{Ask, End, Said, Scratch};
use sim_core::choice::Log;
use sim_core::simtrace::{Origin, Simtrace};
use sim_explore::past::Past;
use sim_explore::{Episode, Find, Identity, Outcome, Shrinker, Shrunk, Unsteady};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long shrinking may take where nobody says.
pub(crate) const TIME: Duration = Duration::from_secs(30);

/// How many runs it may take where nobody says.
pub(crate) const RUNS: u64 = 2000;

/// What shrinking may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    pub(crate) runs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: TIME, runs: RUNS }
    }
}

/// A failure made small.
#[derive(Debug)]
pub(crate) struct Smaller {
    /// The file as it is to be kept now.
    pub(crate) file: Simtrace,
    /// The run that its log leads to.
    pub(crate) end: End,
    /// How many runs it took, and how long.
    pub(crate) runs: u64,
    pub(crate) time: Duration,
    /// Whether nothing smaller is near.
    pub(crate) is_minimal: bool,
    /// Other failures that were found on the way.
    pub(crate) finds: Vec<Simtrace>,
}

/// Makes the log of `file` small. The failure it leads to stays the one it is.
pub(crate) fn shrink(
    test: &Test,
    file: &Simtrace,
    pool: &mut Pool<'_>,
    limits: Limits,
) -> Result<Result<Smaller, Unsteady>, Stop> {
    let Some(log) = &file.log else { return Ok(Err(Unsteady::Unknown)) };
    let began = Instant::now();
    let identity = Identity::new(&file.kind, &file.message, file.location.as_deref());
    let shrinker = Shrinker::new(log, identity, limits.runs, vec![episode()]);
    let mut shrinking = Shrinking { shrinker, until: began + limits.time };
    pool.work(&mut shrinking)?;
    let shrunk = match shrinking.shrinker.finish() {
        Ok(shrunk) => shrunk,
        Err(unsteady) => return Ok(Err(unsteady)),
    };
    let found = log.len() as u64;
    let from = file.shrunk.map_or(found, |origin| origin.choices);
    let before = file.shrunk.map_or(0, |origin| origin.runs);
    let end = End::clone(&shrunk.run);
    let origin = Origin { choices: from, runs: before + shrunk.runs };
    let Shrunk { runs, is_minimal, .. } = shrunk;
    let finds = shrunk
        .finds
        .iter()
        .map(|find: &std::rc::Rc<Find<End>>| kept(test, file, &find.log, &find.run, None));
    Ok(Ok(Smaller {
        finds: finds.collect::<Result<_, _>>()?,
        file: kept(test, file, &shrunk.log, &end, Some(origin))?,
        end,
        runs,
        time: began.elapsed(),
        is_minimal,
    }))
}

/// How the fault driver writes what begins and for how long.
fn episode() -> Episode {
    let site = |word: &str| format!("fault.episode.{word}");
    Episode { begin: site("begin"), end: site("length") }
}

/// The file of a failure that `log` leads to, found from where `file` was.
fn kept(
    test: &Test,
    file: &Simtrace,
    log: &Log,
    end: &End,
    shrunk: Option<Origin>,
) -> Result<Simtrace, Stop> {
    let failed = end.failed().unwrap_or_default();
    let mut kept = Simtrace {
        fingerprint: Some(hash(&end.fingerprint)?),
        schedule: Some(hash(&end.schedule)?),
        kind: failed.kind,
        message: failed.message,
        location: failed.location,
        log: Some(log.clone()),
        shrunk,
        ..file.clone()
    };
    program::seal(&mut kept, test)?;
    Ok(kept)
}

/// The search as the pool sees it.
struct Shrinking {
    shrinker: Shrinker<End>,
    until: Instant,
}

impl Search for Shrinking {
    fn next(&mut self, free: usize) -> Vec<Ask> {
        if Instant::now() >= self.until {
            self.shrinker.stop();
            return Vec::new();
        }
        let candidates = self.shrinker.propose(free).into_iter();
        let ask = |candidate: sim_explore::Candidate| Ask {
            number: candidate.number,
            log: candidate.log,
            traced: candidate.traced,
            ..Ask::default()
        };
        candidates.map(ask).collect()
    }

    fn take(&mut self, number: u64, said: Said, trace: &Path) -> Result<(), Stop> {
        let outcome = match said {
            Said::Died(_) => Outcome::Lost,
            Said::Ended(end) => outcome(*end, trace)?,
        };
        self.shrinker.take(number, outcome);
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.shrinker.is_over()
    }
}

/// A run as the shrinker judges it.
fn outcome(end: End, trace: &Path) -> Result<Outcome<End>, Stop> {
    let Some(failed) = end.failed() else { return Ok(Outcome::Passed) };
    let used = parse_log(end.log.as_deref().unwrap_or_default())?;
    let bystanders = match trace.exists() {
        true => {
            let recorded = causes::read(trace)?;
            // The next run of this process need not be traced.
            let _ = std::fs::remove_file(trace);
            Past::of(&recorded, is_stuck(&failed.kind)).bystanders(&recorded)
        }
        false => Vec::new(),
    };
    Ok(Outcome::Failed {
        identity: Identity::new(&failed.kind, &failed.message, failed.location.as_deref()),
        used,
        fingerprint: end.fingerprint.clone(),
        bystanders,
        run: end,
    })
}

/// Whether a failure of this kind is nobody's in particular: everybody waited.
pub(crate) fn is_stuck(kind: &str) -> bool {
    ["deadlock", "livelock", "limit", "timeout", "leak"].contains(&kind)
}

/// Runs the verb.
pub(crate) fn run(args: &ShrinkArgs) -> Result<Code, Stop> {
    let (test, path, file) = replay::open(&args.cargo, &args.file)?;
    if file.log.is_none() {
        return Err(Stop::refused(format!(
            "{}: the process died before its choices could be had, so there is nothing to shrink: cargo sim replay --debug starts the debugger on it",
            shown(&path)
        )));
    }
    let limits = Limits {
        time: args.time.unwrap_or(if args.runs.is_some() { Duration::MAX / 4 } else { TIME }),
        runs: args.runs.unwrap_or(if args.time.is_some() { u64::MAX } else { RUNS }),
    };
    let scratch = Scratch::new()?;
    let jobs = args.jobs.unwrap_or_else(config::cores);
    let mut pool = Pool::new(&test, &file, &scratch, STALL, jobs);
    let (code, text) = match shrink(&test, &file, &mut pool, limits)? {
        Ok(smaller) => (Code::Failed, keep(&path, &file, &smaller)?),
        Err(Unsteady::Gone) => elsewhere(&test, &path, &file, &mut pool, limits)?,
        Err(Unsteady::Differs) => (
            Code::Diverged,
            format!(
                "the recorded choices lead to two different executions, so nothing can be shrunk: cargo sim doctor {} finds out why\n",
                test.name
            ),
        ),
        Err(Unsteady::Unknown) => {
            (Code::Failed, String::from("the time was up before two runs had ended: give more\n"))
        }
    };
    // A reader that went away does not change what was kept.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    Ok(code)
}

/// The log fails no more: looks around it, and shrinks what is found there.
fn elsewhere(
    test: &Test,
    path: &Path,
    file: &Simtrace,
    pool: &mut Pool<'_>,
    limits: Limits,
) -> Result<(Code, String), Stop> {
    let Some(found) = around::look(file, pool, around::TIME)?.found else {
        let text = format!(
            "{} passes now, and so do the runs beside it: there is nothing to shrink, {} is kept\n",
            test.name,
            shown(path)
        );
        return Ok((Code::Passed, text));
    };
    let moved =
        kept(test, file, &parse_log(found.log.as_deref().unwrap_or_default())?, &found, None)?;
    let text = "the recorded choices pass now, and a run beside them fails the same way: that one is shrunk\n";
    match shrink(test, &moved, pool, limits)? {
        Ok(smaller) => Ok((Code::Failed, format!("{text}{}", keep(path, file, &smaller)?))),
        Err(_) => {
            Ok((Code::Failed, format!("{text}it could not be repeated, {} is kept\n", shown(path))))
        }
    }
}

/// Writes what shrinking came to, and tells it.
fn keep(path: &Path, before: &Simtrace, smaller: &Smaller) -> Result<String, Stop> {
    let unwritable = |error: io::Error| {
        Stop::refused(format!("{}: cannot be written: {error}: make it writable", path.display()))
    };
    smaller.file.write_to(path).map_err(unwritable)?;
    let told = tell(before.log.as_ref().map_or(0, Log::len), smaller);
    let mut text = format!("{told} ({:.1} s)\n", smaller.time.as_secs_f64());
    for find in &smaller.finds {
        let folder = path.parent().unwrap_or(Path::new("."));
        let stored = find.write_into(folder).map_err(unwritable)?;
        text.push_str(&format!("{}\n", told_find(find, &stored)));
    }
    let name = quoted(&shown(path));
    text.push_str(&format!(
        "replay:  cargo sim replay {name}\nexplain: cargo sim explain {name}\n"
    ));
    Ok(text)
}

/// What shrinking came to, in a line.
pub(crate) fn tell(before: usize, smaller: &Smaller) -> String {
    let log = smaller.file.log.as_ref();
    let after = log.map_or(0, Log::len);
    let more = if smaller.is_minimal { "" } else { "; the time or the runs were up" };
    let sentence = log.map(sentence::of).unwrap_or_default();
    format!("{before} choices shrunk to {after} in {} runs{more}: {sentence}", smaller.runs)
}

/// A failure that was found while another was shrunk, in a line.
pub(crate) fn told_find(find: &Simtrace, stored: &Path) -> String {
    let first = find.message.lines().next().unwrap_or_default();
    format!(
        "found on the way: {}: {first}: replay it with cargo sim replay {}",
        find.kind,
        quoted(&shown(stored))
    )
}
