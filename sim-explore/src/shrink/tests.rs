//! The shrinker against black boxes whose smallest logs are known.

use super::*;
use proptest::prelude::*;
use sim_core::choice::Key;

fn key(site: &str, path: &str, occurrence: u32) -> Key {
    Key { site: site.into(), path: path.into(), occurrence }
}

fn identity(message: &str) -> Identity {
    Identity::new("panic", message, None)
}

/// A program: from a log to what became of it.
type Program = dyn Fn(&Log) -> Outcome<String>;

/// It fails if `fails`, having used what `used` leaves of the log.
fn run(log: &Log, message: Option<&str>, used: impl Fn(&Key) -> bool) -> Outcome<String> {
    let Some(message) = message else { return Outcome::Passed };
    let entries = log.in_order().into_iter().filter(|(key, _)| used(key));
    let used: Log = entries.map(|(key, answer)| (key.clone(), answer.clone())).collect();
    let run = used.to_string();
    Outcome::Failed {
        identity: identity(message),
        fingerprint: run.clone(),
        used,
        bystanders: Vec::new(),
        run,
    }
}

/// Shrinks with `jobs` runs at once, whose outcomes come in an order that `shuffle` decides.
fn shrink(
    log: &Log,
    program: &Program,
    budget: u64,
    jobs: usize,
    shuffle: u64,
) -> (Result<Shrunk<String>, Unsteady>, u64) {
    let mut shrinker = Shrinker::new(log, identity("lost"), budget, vec![episode()]);
    let (mut out, mut performed, mut draw) = (Vec::new(), 0, shuffle);
    while !shrinker.is_over() {
        out.extend(shrinker.propose(jobs - out.len()));
        draw = mix::step(draw);
        let candidate: Candidate = out.swap_remove((mix::mix(draw) % out.len() as u64) as usize);
        performed += 1;
        shrinker.take(candidate.number, program(&candidate.log));
    }
    (shrinker.finish(), performed)
}

fn episode() -> Episode {
    Episode { begin: String::from("fault.host.crash"), end: String::from("fault.host.restart") }
}

fn noise(size: u32) -> Log {
    let mut log = Log::default();
    for n in 0..size {
        let host = ["a", "b", "c"][n as usize % 3];
        log.insert(
            key("sched.next", &format!("{host}/task#{}", n % 7), n),
            Answer::Actor("c/x".into(), n),
        );
        log.insert(
            key("net.link.delay", &format!("{host}>c"), n),
            Answer::Value(u64::from(n) * 1000 + 7),
        );
        log.insert(key("sched.sync", &format!("{host}/task"), n), Answer::Actor("c/y".into(), 0));
    }
    log.insert(key("host.entropy.seed", "a", 0), Answer::Value(0x1234_5678_9abc));
    log
}

#[test]
fn three_of_hundreds_are_found() {
    let log = noise(200);
    let needed = [
        ("sched.next", "c/task#5", 5),
        ("sched.sync", "b/task", 100),
        ("net.link.delay", "b>c", 151),
    ];
    let program = move |log: &Log| {
        let has = |(site, path, n): &(&str, &str, u32)| {
            log.iter().any(|(k, _)| *k == key(site, path, *n))
        };
        run(log, needed.iter().all(has).then_some("lost"), |_| true)
    };
    let (shrunk, _) = shrink(&log, &program, 2000, 1, 1);
    let shrunk = shrunk.unwrap();
    assert_eq!(
        shrunk.log.to_string(),
        "net.link.delay b>c 151 1\nsched.next c/task#5 5 @c/x!5\nsched.sync b/task 100 @c/y\n"
    );
    assert!(shrunk.is_minimal && shrunk.runs < 350, "{} runs", shrunk.runs);
    assert_eq!(shrunk.critical, Some(key("net.link.delay", "b>c", 151)), "the last that was asked");
    assert_eq!(*shrunk.run, shrunk.log.to_string());
}

#[test]
fn values_are_lowered_to_the_least_that_fails() {
    let log: Log = [
        (key("net.link.delay", "a>b", 0), Answer::Value(123_456)),
        (key("net.link.delay", "a>b", 1), Answer::Value(99_999)),
        (key("host.entropy.seed", "a", 0), Answer::Value(u64::MAX)),
    ]
    .into_iter()
    .collect();
    let value = |log: &Log, n: u32| {
        log.iter().find_map(|(k, answer)| match answer {
            Answer::Value(value) if *k == key("net.link.delay", "a>b", n) => Some(*value),
            _ => None,
        })
    };
    let program = move |log: &Log| {
        let late = value(log, 0).unwrap_or(0) > 1000 + value(log, 1).unwrap_or(0);
        let seeded = log.iter().any(|(key, _)| &*key.site == "host.entropy.seed");
        run(log, (late && seeded).then_some("lost"), |_| true)
    };
    let (shrunk, _) = shrink(&log, &program, 2000, 1, 1);
    assert_eq!(
        shrunk.unwrap().log.to_string(),
        "host.entropy.seed a 0 1\nnet.link.delay a>b 0 1001\n"
    );
}

#[test]
fn episodes_go_whole_are_merged_and_shortened() {
    let mut log = Log::default();
    for n in 0..3 {
        log.insert(key("fault.host.crash", "a", n), Answer::Value(1));
        log.insert(key("fault.host.restart", "a", n), Answer::Value(500));
    }
    // Down somehow from the first crash until at least 40 in sum after it, however often.
    let program = |log: &Log| {
        let crashes = log.iter().filter(|(key, _)| &*key.site == "fault.host.crash").count();
        let down: u64 = log
            .iter()
            .filter(|(key, _)| &*key.site == "fault.host.restart")
            .map(|(_, answer)| match answer {
                Answer::Value(value) => *value,
                Answer::Actor(..) => 0,
            })
            .sum();
        run(log, (crashes > 0 && down >= 40).then_some("lost"), |_| true)
    };
    let shrunk = shrink(&log, &program, 500, 1, 1).0.unwrap();
    assert_eq!(shrunk.weight.episodes, 1);
    assert_eq!(shrunk.log.len(), 2, "{}", shrunk.log);
    assert!(shrunk.log.to_string().contains("fault.host.restart a 0 40"), "{}", shrunk.log);
}

#[test]
fn many_early_turns_become_those_of_one_actor() {
    // Fails if c's first two turns come early, however that is brought about.
    let ran = |n, actor: &str| {
        (key("sched.next", ["a", "b", "d", "e"][n], 1), Answer::Actor(actor.into(), 0))
    };
    let log: Log = [ran(0, "b"), ran(1, "d"), ran(2, "c"), ran(3, "c")].into_iter().collect();
    let all: Vec<Key> = log.iter().map(|(key, _)| key.clone()).collect();
    let program = move |log: &Log| {
        let has = |key: &Key| log.iter().any(|(known, _)| known == key);
        let burst = (1..3).all(|turn| has(&key("sched.next", "c", turn)));
        run(log, (burst || all.iter().all(has)).then_some("lost"), |_| true)
    };
    let shrunk = shrink(&log, &program, 500, 1, 1).0.unwrap();
    assert_eq!(shrunk.log.to_string(), "sched.next c 1 @c\nsched.next c 2 @c\n");
}

#[test]
fn two_interruptions_become_one() {
    // Either of two alike fails if it is interrupted at its third step; here the second is, after it was let go first.
    let stop = |who: &str, n, by: &str| (key("sched.sync", who, n), Answer::Actor(by.into(), 0));
    let log: Log = [stop("a", 0, "b"), stop("b", 2, "a")].into_iter().collect();
    let program = |log: &Log| {
        let has = |who: &str, n| log.iter().any(|(known, _)| *known == key("sched.sync", who, n));
        let fails = if has("a", 0) { has("b", 2) } else { has("a", 2) };
        run(log, fails.then_some("lost"), |_| true)
    };
    let shrunk = shrink(&log, &program, 500, 1, 1).0.unwrap();
    assert_eq!(shrunk.log.to_string(), "sched.sync a 2 @b\n");
}

#[test]
fn another_failure_is_kept_and_never_taken() {
    let log = noise(20);
    let program = |log: &Log| {
        let has = |site: &str| log.iter().any(|(key, _)| &*key.site == site);
        let message = match (has("sched.next"), has("sched.sync")) {
            (true, true) => Some("lost"),
            (true, false) => Some("found"),
            _ => None,
        };
        run(log, message, |_| true)
    };
    let shrunk = shrink(&log, &program, 500, 2, 1).0.unwrap();
    assert_eq!(shrunk.log.len(), 2, "{}", shrunk.log);
    let [find] = shrunk.finds.as_slice() else { panic!("{:?}", shrunk.finds) };
    assert!(find.identity.is(&identity("found")));
}

#[test]
fn what_the_failure_cannot_see_goes_at_once() {
    let log = noise(100);
    let is_needed = |key: &Key| &*key.path == "a/task#0" || &*key.site == "sched.sync";
    let program = move |log: &Log| {
        let needed = noise(100)
            .iter()
            .filter(|(key, _)| is_needed(key))
            .all(|(key, _)| log.iter().any(|(k, _)| k == key));
        match run(log, needed.then_some("lost"), |_| true) {
            Outcome::Failed { identity, used, fingerprint, run, .. } => {
                let bystanders =
                    used.iter().map(|(key, _)| key.clone()).filter(|key| !is_needed(key)).collect();
                Outcome::Failed { identity, used, fingerprint, bystanders, run }
            }
            other => other,
        }
    };
    let shrunk = shrink(&log, &program, 5000, 1, 1).0.unwrap();
    assert_eq!(shrunk.log.len(), noise(100).iter().filter(|(key, _)| is_needed(key)).count());
}

#[test]
fn a_log_that_leads_nowhere_or_elsewhere_is_refused() {
    let gone = shrink(&noise(5), &|_| Outcome::Passed, 100, 1, 1);
    assert!(matches!(gone, (Err(Unsteady::Gone), 1)), "{gone:?}");
    let other = shrink(&noise(5), &|log| run(log, Some("found"), |_| true), 100, 1, 1).0;
    assert_eq!(other.unwrap_err(), Unsteady::Gone);
    let died = shrink(&noise(5), &|_| Outcome::Lost, 100, 1, 1).0;
    assert_eq!(died.unwrap_err(), Unsteady::Gone);
    let count = std::cell::Cell::new(0);
    let program = move |log: &Log| {
        count.set(count.get() + 1);
        match run(log, Some("lost"), |_| true) {
            Outcome::Failed { identity, used, bystanders, run, .. } => Outcome::Failed {
                identity,
                used,
                bystanders,
                run,
                fingerprint: count.get().to_string(),
            },
            other => other,
        }
    };
    assert_eq!(shrink(&noise(5), &program, 100, 1, 1).0.unwrap_err(), Unsteady::Differs);
}

#[test]
fn the_budget_is_kept_and_what_was_reached_counts() {
    let program = |log: &Log| {
        let switches = log.iter().filter(|(key, _)| &*key.site == "sched.next").count();
        run(log, (switches >= 40).then_some("lost"), |_| true)
    };
    let shrunk = shrink(&noise(100), &program, 30, 1, 1).0.unwrap();
    assert_eq!((shrunk.runs, shrunk.is_minimal), (30, false));
    assert!(shrunk.log.len() < 300, "{}", shrunk.log.len());
}

/// A program that fails if one of several sets of entries is there, and asks for an entry only if a number before it is there.
#[derive(Clone, Debug)]
struct Synthetic {
    size: u32,
    causes: Vec<Vec<u32>>,
    gates: Vec<(u32, u32)>,
}

impl Synthetic {
    fn key(n: u32) -> Key {
        let site = ["sched.next", "sched.sync", "net.link.delay", "app.rand.draw"][n as usize % 4];
        key(site, &format!("{}/t#{}", ["a", "b"][n as usize % 2], n % 5), n)
    }

    fn log(&self) -> Log {
        let answer = |n: u32| {
            if n % 4 < 2 { Answer::Actor("b/x".into(), n) } else { Answer::Value(u64::from(n) + 1) }
        };
        (0..self.size).map(|n| (Self::key(n), answer(n))).collect()
    }

    fn perform(&self, log: &Log) -> Outcome<String> {
        // What is asked for only behind something that is not asked for is not asked for either.
        let is_there = |n: &u32| log.iter().any(|(key, _)| *key == Self::key(*n));
        let mut asked: BTreeSet<u32> = (0..self.size).filter(is_there).collect();
        while let Some((_, gated)) =
            self.gates.iter().find(|(gate, gated)| asked.contains(gated) && !asked.contains(gate))
        {
            asked.remove(gated);
        }
        let has = |n: u32| asked.contains(&n);
        let fails = self.causes.iter().any(|cause| cause.iter().all(|n| has(*n)));
        let used = |key: &Key| (0..self.size).any(|n| Self::key(n) == *key && has(n));
        run(log, fails.then_some("lost"), used)
    }
}

fn synthetic() -> impl Strategy<Value = Synthetic> {
    (4_u32..40).prop_flat_map(|size| {
        let cause = proptest::collection::vec(0..size, 1..5);
        let gate = (0..size, 0..size);
        (Just(size), proptest::collection::vec(cause, 1..4), proptest::collection::vec(gate, 0..6))
            .prop_map(|(size, causes, gates)| Synthetic { size, causes, gates })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The same log, in as many runs, however many runs there are at once and in whatever order they end; and no entry can
    /// be left out of it, nor a value be lowered to 1.
    #[test]
    fn the_result_is_minimal_and_the_same_for_any_number_of_jobs(program in synthetic(), jobs in 2_usize..9, shuffle: u64) {
        let log = program.log();
        let box_ = {
            let program = program.clone();
            move |log: &Log| program.perform(log)
        };
        let fails = matches!(program.perform(&log), Outcome::Failed { .. });
        let (alone, performed) = shrink(&log, &box_, 3000, 1, 0);
        let (many, _) = shrink(&log, &box_, 3000, jobs, shuffle);
        prop_assert_eq!(alone.is_ok(), fails);
        let Ok(alone) = alone else { return Ok(()) };
        let many = many.unwrap();
        prop_assert_eq!(&alone.log, &many.log);
        prop_assert_eq!(alone.runs, many.runs);
        prop_assert_eq!(alone.runs, performed, "alone, nothing is performed that does not count");
        prop_assert_eq!(&alone.critical, &many.critical);
        prop_assert!(alone.is_minimal);
        for (key, answer) in alone.log.iter() {
            let without: Log = alone.log.iter().filter(|(k, _)| *k != key).map(|(k, a)| (k.clone(), a.clone())).collect();
            prop_assert!(matches!(program.perform(&without), Outcome::Passed), "{} is not needed", key.path);
            prop_assert!(!matches!(answer, Answer::Value(2..)), "{} could be 1", key.path);
        }
        prop_assert_eq!(alone.critical.is_some(), !alone.log.is_empty());
    }

    /// A budget ends it, and the log it ends with fails.
    #[test]
    fn any_budget_gives_a_log_that_fails(program in synthetic(), budget in 2_u64..80, jobs in 1_usize..5) {
        let log = program.log();
        let box_ = {
            let program = program.clone();
            move |log: &Log| program.perform(log)
        };
        if let Ok(shrunk) = shrink(&log, &box_, budget, jobs, 3).0 {
            prop_assert!(shrunk.runs <= budget);
            let fails = matches!(program.perform(&shrunk.log), Outcome::Failed { .. });
            prop_assert!(fails);
        }
    }
}
