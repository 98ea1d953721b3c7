//! On programs so small that all their interleavings can be run, what the strategies do is held to what can be computed.
//!
//! Every interval is one of 99 %; the seeds are fixed, so that a test passes always or never.

use sim::{Lesson, PolicyKind, Seed};
use sim_schedules::campaign::{fails, head};
use sim_schedules::enumeration::{Enumeration, enumerate};
use sim_schedules::primitives::{Shared, Work, crew};
use sim_schedules::subjects;

/// How many schedules are measured.
const RUNS: u64 = 4_000;

/// No small program has more interleavings.
const LIMIT: u64 = 30_000;

fn enumerated(program: fn() -> Work) -> Enumeration {
    enumerate(program, LIMIT).expect("a small program has few interleavings")
}

fn lesson(program: fn() -> Work) -> Lesson {
    head(program, Seed::from_u64(0)).lesson.expect("a head is counted")
}

/// How many of [`RUNS`] schedules fail.
fn hits(program: fn() -> Work, policy: PolicyKind) -> u64 {
    let lesson = lesson(program);
    let seed = |run| Seed::from_u64(7).for_run("exact", run);
    (0..RUNS).filter(|&run| fails(program, policy, seed(run), &lesson)).count() as u64
}

/// The greatest deviation from the expected number of hits, in 99 % of all cases.
fn deviation(chance: f64) -> f64 {
    2.576 * (RUNS as f64 * chance * (1.0 - chance)).sqrt()
}

/// Two add once each, a third twice, all without a lock: a sum that is too small was written over. Everybody's events are as many in every run.
fn additions() -> Work {
    Box::pin(async {
        let sum = Shared::new(0);
        let add = |count: usize| -> Work {
            let sum = sum.clone();
            Box::pin(async move {
                for _ in 0..count {
                    sum.add(1).await;
                }
            })
        };
        crew([add(1), add(1), add(2)]).await;
        // All of them began with what was there at first, or came last but one: rare enough, and not too rare.
        assert!(sum.settled(|sum| *sum) > 1, "all additions but one are lost");
    })
}

#[test]
fn an_enumeration_sees_every_interleaving_once() {
    let seen = enumerated(additions);
    // The beginnings of three tasks and their 2, 2 and 4 events: 11! / (3! 3! 5!).
    assert_eq!(seen.interleavings, 9_240);
    for small in subjects::small() {
        let seen = enumerated(small.program);
        assert!((seen.walk_total - 1.0).abs() < 1e-9, "{}: {seen:?}", small.name);
        assert!(seen.failing > 0, "{}: {seen:?}", small.name);
    }
}

#[test]
fn a_random_walk_fails_as_often_as_computed() {
    for small in subjects::small() {
        let chance = enumerated(small.program).walk_fails;
        let hits = hits(small.program, PolicyKind::Random) as f64;
        let expected = RUNS as f64 * chance;
        assert!(
            (hits - expected).abs() <= deviation(chance),
            "{}: {hits}, expected {expected}",
            small.name
        );
    }
}

#[test]
fn a_uniform_walk_fails_by_the_share_of_failing_interleavings() {
    let seen = enumerated(additions);
    let chance = seen.failing as f64 / seen.interleavings as f64;
    let hits = hits(additions, PolicyKind::Urw) as f64;
    let expected = RUNS as f64 * chance;
    assert!((hits - expected).abs() <= deviation(chance), "{hits}, expected {expected}");
    let walk = seen.walk_fails;
    assert!(
        (walk - chance).abs() * RUNS as f64 > 2.0 * deviation(chance),
        "a walk is another: {walk}, {chance}"
    );
}

#[test]
fn pct_fails_as_often_as_its_bound_says() {
    for small in subjects::small() {
        let lesson = lesson(small.program);
        // The root is a task as well.
        let (n, k) = (lesson.actors.len() as f64, f64::from(lesson.choices));
        let bound = 1.0 / (n * k.powi(small.depth as i32 - 1));
        let hits = hits(small.program, PolicyKind::Pct { depth: small.depth }) as f64;
        let least = RUNS as f64 * bound - deviation(bound);
        assert!(hits >= least, "{}: {hits}, at least {least}; {n} tasks, {k} choices", small.name);
    }
}

#[test]
fn partial_order_sampling_and_surw_find_what_fails() {
    for small in subjects::small() {
        for policy in [PolicyKind::Pos, PolicyKind::Surw, PolicyKind::Sticky { one_in: 8 }] {
            assert!(hits(small.program, policy) > 0, "{} under {policy}", small.name);
        }
    }
}
