//! Runs that are told one at a time: the logs that a shrinker wants tried.
//!
//! They come on standard input, each as lines, and the worker answers in its report before it reads the next:
//!
//! ```text
//! candidate 17                             or: candidate 17 traced
//! at main/worker#2 4                       the place in the source where this turn ends is wanted; any number of these
//! sched.next main 1 @main/worker#2         the log
//! end
//! ```
//!
//! `candidate 18 redraw schedule 0x7 pct:3 412` asks for a neighbour instead: what is drawn anew, from which seed, by which
//! policy, in about how many choices. The end of the input is the end of the work, so no worker outlives who started it.

use crate::run::RunPlan;
use sim_core::choice::{Log, Path, Redraw, Seed};
use sim_core::policy::{Lesson, PolicyKind};
use std::io::BufRead;

/// A log to be run.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// By which its outcome is told.
    pub number: u64,
    /// What is to be run.
    pub plan: RunPlan,
}

/// Reads the next candidate; `None` at the end of the input.
///
/// # Errors
/// A sentence for the coordinator to print: the two are not of one version.
pub fn next(input: &mut impl BufRead) -> Result<Option<Candidate>, String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        let read = input.read_line(&mut line);
        match read.map_err(|error| format!("the candidates cannot be read: {error}"))? {
            0 if lines.is_empty() => return Ok(None),
            0 => return Err(String::from("the candidates end in the middle of one")),
            _ if line.trim_end() == "end" => break,
            _ => lines.push(line.trim_end().to_owned()),
        }
    }
    parse(&lines).map(Some)
}

fn parse(lines: &[String]) -> Result<Candidate, String> {
    let wrong = |line: &str| {
        format!("'{line}' is no line of a candidate: use equal versions of sim and cargo-sim")
    };
    let (header, rest) = lines.split_first().ok_or_else(|| wrong("end"))?;
    let words: Vec<&str> = header.split(' ').collect();
    let ["candidate", number, how @ ..] = words.as_slice() else { return Err(wrong(header)) };
    let number = number.parse().map_err(|_| wrong(header))?;
    let mut plan = RunPlan::by_seed(Seed::default(), PolicyKind::Fifo, None);
    plan.record = true;
    match how {
        [] => {}
        ["traced"] => plan.keep_trace = true,
        ["redraw", what, seed, policy, expected] => {
            plan.redraw = Some(what.parse::<Redraw>()?);
            plan.seed = seed.parse().map_err(|_| wrong(header))?;
            plan.policy = policy.parse().map_err(|_| wrong(header))?;
            let expected = expected.parse().map_err(|_| wrong(header))?;
            plan.lesson = Some(Lesson::of_choices(expected));
        }
        _ => return Err(wrong(header)),
    }
    let (places, log): (Vec<&String>, Vec<&String>) =
        rest.iter().partition(|line| line.starts_with("at ") && line.matches(' ').count() == 2);
    for line in places {
        let (path, turn) = line["at ".len()..].rsplit_once(' ').ok_or_else(|| wrong(line))?;
        plan.places.insert((Path::parse(path), turn.parse().map_err(|_| wrong(line))?));
    }
    let log = Log::parse(log.into_iter().map(String::as_str), 1);
    plan.replay = Some(log.map_err(|error| error.to_string())?);
    Ok(Candidate { number, plan })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_read_one_after_another() {
        let text = "candidate 3\nsched.next a 1 @b\nend\ncandidate 4 traced\nat a/b#1 7\nend\n\
            candidate 5 redraw schedule 0x7 pct:3 412\nnet.link.delay a>b 0 9\nend\n";
        let mut input = text.as_bytes();
        let first = next(&mut input).unwrap().unwrap();
        assert_eq!((first.number, first.plan.record, first.plan.keep_trace), (3, true, false));
        assert_eq!(first.plan.replay.unwrap().to_string(), "sched.next a 1 @b\n");
        let second = next(&mut input).unwrap().unwrap();
        assert!(second.plan.keep_trace && second.plan.replay.unwrap().is_empty());
        assert!(second.plan.places.contains(&(Path::WORLD.child("a", 0).child("b", 1), 7)));
        let third = next(&mut input).unwrap().unwrap();
        assert_eq!(third.plan.redraw, Some(Redraw::Schedule));
        assert_eq!(third.plan.seed, Seed::from_u64(7));
        assert_eq!(third.plan.lesson.map(|lesson| lesson.choices), Some(412));
        assert!(next(&mut input).unwrap().is_none());
    }

    #[test]
    fn half_a_candidate_and_other_lines_are_refused() {
        for text in [
            "candidate 3\nsched.next a 1 @b\n",
            "end\n",
            "candidate x\nend\n",
            "candidate 3 quickly\nend\n",
            "candidate 3 redraw weather 1 fifo 2\nend\n",
            "candidate 3\nsched.next a\nend\n",
        ] {
            assert!(next(&mut text.as_bytes()).is_err(), "{text}");
        }
    }
}
