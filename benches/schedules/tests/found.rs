//! Every subject is found, and nothing is found in the corrected programs.

use sim::PolicyKind;
use sim_schedules::campaign::{is_failure, plain_run, trial};
use sim_schedules::enumeration::enumerate;
use sim_schedules::subjects::{self, Subject};
use sim_worker::strategy::Strategy;
use std::collections::BTreeSet;

/// After how many schedules a search gives up, as in the published studies.
const LIMIT: u32 = 10_000;

#[test]
fn there_are_enough_subjects_and_each_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = subjects::all().iter().map(|subject| subject.name).collect();
    assert_eq!(names.len(), subjects::all().len());
    assert!(names.len() >= 26, "{}", names.len());
}

#[test]
fn the_portfolio_finds_every_subject() {
    for subject in subjects::all() {
        let found = trial(&subject, Strategy::Portfolio, 0, LIMIT);
        assert!(found.is_some(), "{} is not found", subject.name);
    }
}

#[test]
fn no_interleaving_of_a_small_corrected_program_fails() {
    for subject in subjects::all() {
        let Some(small) = subject.corrected.and_then(|corrected| corrected.small) else { continue };
        let seen = enumerate(small, 30_000).expect("a small program has few interleavings");
        assert_eq!(seen.failing, 0, "{}", subject.name);
    }
}

#[test]
fn no_schedule_of_a_corrected_program_fails() {
    for subject in subjects::all() {
        let Some(corrected) = subject.corrected else { continue };
        let corrected = Subject { program: corrected.program, ..subject };
        assert_eq!(trial(&corrected, Strategy::Portfolio, 0, 100), None, "{}", subject.name);
    }
}

#[test]
fn a_deadlock_says_who_waits_for_a_lock() {
    let subject = subjects::named("deadlock01").expect("it is a subject");
    let failing = (0..100).find_map(|seed| {
        let run = plain_run(seed).policy(PolicyKind::Random).run(subject.program);
        is_failure(run.report.end.failure()).then(|| run.report.end.failure().cloned())
    });
    let details = failing.flatten().expect("one in three schedules fails").details;
    let of_crew = details.lines().filter(|line| line.contains("crew"));
    assert_eq!(of_crew.filter(|line| line.contains("waits for a lock")).count(), 2, "{details}");
}
