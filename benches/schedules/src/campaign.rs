//! A campaign: schedules of one subject under one strategy, one after the other, until one fails.
//!
//! It goes as a batch of runs does. The first schedule is first in, first out, and is counted; it is the lesson for all others. So a defect that shows in
//! every schedule is found by the first. Trials differ by their base seed alone.

use crate::primitives::Work;
use crate::subjects::Subject;
use core::num::NonZeroU32;
use core::sync::atomic::{AtomicUsize, Ordering};
use sim::{Builder, Failure, FailureKind, Lesson, PolicyKind, Report, Seed};
use sim_worker::strategy::Strategy;
use std::sync::Mutex;
use std::thread;

/// How much is searched.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How often each campaign is repeated, with other seeds.
    pub trials: u32,
    /// After how many schedules a campaign gives up.
    pub limit: u32,
    /// How many threads search.
    pub jobs: NonZeroU32,
}

/// What the trials of a subject under a strategy found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The number of the first schedule that failed, for each trial that had one.
    pub first: Vec<u32>,
    /// How many trials there were.
    pub trials: u32,
    /// After how many schedules a trial gave up.
    pub limit: u32,
}

impl Found {
    /// How many trials found the defect.
    #[must_use]
    pub fn hits(&self) -> u32 {
        self.first.len() as u32
    }

    /// The mean over the trials that found it, as published studies give it; `None` if none did.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let sum: f64 = self.first.iter().copied().map(f64::from).sum();
        if self.first.is_empty() { None } else { Some(sum / f64::from(self.hits())) }
    }

    /// The mean over all trials, where one that found nothing counts as the limit.
    #[must_use]
    pub fn mean_of_all(&self) -> f64 {
        let missed = f64::from(self.trials - self.hits()) * f64::from(self.limit);
        let sum: f64 = self.first.iter().copied().map(f64::from).sum();
        (sum + missed) / f64::from(self.trials)
    }
}

/// A run of a subject's program, still to be given its policy.
#[must_use]
pub fn plain_run(seed: impl Into<Seed>) -> Builder {
    Builder::new().sync_points(true).seed(seed)
}

/// Whether this is a failure, of the kind that subjects have: an assertion, or a deadlock.
///
/// # Panics
/// If the run failed in any other way, which no subject does.
#[must_use]
pub fn is_failure(failure: Option<&Failure>) -> bool {
    let Some(failure) = failure else { return false };
    let is_expected = matches!(failure.kind, FailureKind::Panic | FailureKind::Deadlock);
    assert!(is_expected, "a subject fails by a panic or a deadlock, not so: {failure}");
    true
}

/// Runs the head of a batch: first in, first out, and counted.
#[must_use]
pub fn head(program: fn() -> Work, seed: Seed) -> Report {
    plain_run(seed).census(true).run(program).report
}

/// The number of the first schedule that fails, from 1; `None` if none does up to `limit`.
#[must_use]
pub fn trial(subject: &Subject, strategy: Strategy, trial: u32, limit: u32) -> Option<u32> {
    let base = Seed::from_u64(u64::from(trial));
    let seed = |number: u32| base.for_run(subject.name, u64::from(number) - 1);
    let head = head(subject.program, seed(1));
    if is_failure(head.end.failure()) {
        return Some(1);
    }
    let lesson = head.lesson.unwrap_or_default();
    (2..=limit).find(|number| {
        let seed = seed(*number);
        fails(subject.program, strategy.policy(seed, false), seed, &lesson)
    })
}

/// Whether the schedule of this policy and seed fails.
#[must_use]
pub fn fails(program: fn() -> Work, policy: PolicyKind, seed: Seed, lesson: &Lesson) -> bool {
    let run = plain_run(seed).policy(policy).lesson(lesson.clone()).run(program);
    is_failure(run.report.end.failure())
}

/// Searches every subject under every strategy: what was found, in this order, strategy by strategy within a subject.
///
/// `done` hears of each pair that is through.
///
/// # Panics
/// If a run panics outside its program.
#[must_use]
pub fn search(
    subjects: &[Subject],
    strategies: &[Strategy],
    effort: Effort,
    done: impl Fn(&Subject, Strategy, &Found) + Sync,
) -> Vec<Vec<Found>> {
    let width = strategies.len();
    let (next, pairs) = (AtomicUsize::new(0), subjects.len() * width);
    let found: Mutex<Vec<Option<Found>>> = Mutex::new(vec![None; pairs]);
    let work = || {
        loop {
            let pair = next.fetch_add(1, Ordering::Relaxed);
            if pair >= pairs {
                return;
            }
            let (subject, strategy) = (&subjects[pair / width], strategies[pair % width]);
            let trials = (0..effort.trials)
                .filter_map(|number| trial(subject, strategy, number, effort.limit));
            let Effort { trials: count, limit, .. } = effort;
            let here = Found { first: trials.collect(), trials: count, limit };
            done(subject, strategy, &here);
            found.lock().expect("no thread panics with the lock")[pair] = Some(here);
        }
    };
    thread::scope(|scope| {
        (0..effort.jobs.get()).for_each(|_| _ = scope.spawn(work));
    });
    let found = found.into_inner().expect("no thread has panicked");
    let found: Vec<Found> = found.into_iter().flatten().collect();
    found.chunks(width.max(1)).map(<[Found]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects;

    #[test]
    fn means_count_the_misses_or_leave_them_out() {
        let found = Found { first: vec![10, 20], trials: 4, limit: 100 };
        assert_eq!((found.hits(), found.mean(), found.mean_of_all()), (2, Some(15.0), 57.5));
        assert_eq!(Found { first: vec![], trials: 4, limit: 100 }.mean(), None);
    }

    #[test]
    fn a_trial_is_a_function_of_its_number() {
        let subject = subjects::named("reorder_3").unwrap();
        let strategy = Strategy::Policy(PolicyKind::Pos);
        let trials = |_| (0..5).map(|n| trial(&subject, strategy, n, 10_000)).collect::<Vec<_>>();
        assert_eq!(trials(0), trials(1));
        assert!(trials(0).windows(2).any(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn what_is_found_does_not_depend_on_the_threads() {
        let subjects: Vec<Subject> =
            ["reorder_3", "account", "sync01"].iter().filter_map(|n| subjects::named(n)).collect();
        let strategies = [Strategy::Policy(PolicyKind::Random), Strategy::Portfolio];
        let search = |jobs| {
            let jobs = NonZeroU32::new(jobs).unwrap();
            search(&subjects, &strategies, Effort { trials: 3, limit: 50, jobs }, |_, _, _| ())
        };
        assert_eq!(search(1), search(3));
        assert_eq!(
            search(1)[2][0].first,
            [1, 1, 1],
            "a deadlock in every schedule is in the first"
        );
    }
}
