use super::*;
use proptest::prelude::*;

const NOW: Duration = Duration::ZERO;

fn campaign(runs: u64) -> Campaign {
    let budget = Budget { runs: Some(runs), ..Budget::default() };
    Campaign::new(budget, Shard::default(), false, 0)
}

/// A batch in which every run passes, but for those in `failing`.
fn batch(task: Task, failing: &[u64]) -> Vec<(Begin, End)> {
    let Task::Batch { first, count } = task else { panic!("not a batch: {task:?}") };
    let mut runs = Vec::new();
    for run in first..first + count {
        let fails = failing.contains(&run);
        let begin = Begin { run, ..Begin::default() };
        let outcome = if fails { "panic" } else { "done" };
        let (outcome, message) = (outcome.to_owned(), format!("lost {run}"));
        runs.push((
            begin,
            End { outcome, message, fingerprint: format!("{run:x}"), ..End::default() },
        ));
        if fails {
            break;
        }
    }
    runs
}

#[test]
fn a_plain_test_is_started_once() {
    let mut campaign = campaign(100);
    let task = campaign.next(NOW).unwrap();
    assert_eq!(task, Task::Batch { first: 0, count: 32 });
    assert_eq!(campaign.next(NOW), None, "nothing before it is known what the test is");
    campaign.learn(Nature::Plain, None);
    campaign.performed(task, Vec::new(), None);
    assert!(campaign.is_over(NOW));
}

#[test]
fn stored_failures_come_first_and_one_that_fails_ends_the_test() {
    let mut campaign = Campaign::new(Budget::default(), Shard::default(), false, 2);
    assert_eq!(
        [campaign.next(NOW), campaign.next(NOW), campaign.next(NOW)],
        [Some(Task::Stored(0)), Some(Task::Stored(1)), None]
    );
    campaign.replayed(Task::Stored(0), false);
    assert_eq!(campaign.next(NOW), None);
    campaign.replayed(Task::Stored(1), true);
    assert!(campaign.is_over(NOW));
}

#[test]
fn the_ends_of_the_first_batch_are_run_twice_and_compared() {
    let right = [Some("0"), Some("1f")];
    for (again, diverged) in
        [(right, None), ([Some("f"), right[1]], Some(0)), ([right[0], None], Some(31))]
    {
        let mut campaign = campaign(32);
        let task = campaign.next(NOW).unwrap();
        campaign.learn(Nature::Native, None);
        campaign.performed(task, batch(task, &[]), None);
        for (run, fingerprint) in [0, 31].into_iter().zip(again) {
            let task = campaign.next(NOW).unwrap();
            assert_eq!(task, Task::Again { run });
            campaign.performed_again(task, fingerprint.map(str::to_owned));
        }
        assert_eq!(campaign.diverged(), diverged);
        assert!(campaign.is_over(NOW));
    }
}

#[test]
fn a_failure_lets_earlier_batches_finish_and_is_replaced_by_theirs() {
    let mut campaign = campaign(128);
    let first = campaign.next(NOW).unwrap();
    campaign.learn(Nature::Native, None);
    campaign.performed(first, batch(first, &[]), None);
    let tasks: Vec<Task> = core::iter::from_fn(|| campaign.next(NOW)).collect();
    assert_eq!(tasks.len(), 5, "two runs again, then three batches: {tasks:?}");
    campaign.performed_again(tasks[0], Some(String::from("0")));
    campaign.performed_again(tasks[1], Some(String::from("1f")));
    campaign.performed(tasks[3], batch(tasks[3], &[70]), None);
    assert!(campaign.is_moot(tasks[4]) && !campaign.is_moot(tasks[2]));
    campaign.dropped(tasks[4]);
    assert!(!campaign.is_over(NOW));
    campaign.performed(tasks[2], batch(tasks[2], &[40]), None);
    assert!(campaign.is_over(NOW));
    assert_eq!(
        campaign.findings().iter().map(|finding| finding.begin.run).collect::<Vec<_>>(),
        [40]
    );
    assert_eq!((campaign.tally().runs, campaign.tally().failures), (41, 1));
}

#[test]
fn a_death_counts_as_a_run_that_failed() {
    let mut campaign = campaign(32);
    let task = campaign.next(NOW).unwrap();
    campaign.learn(Nature::Native, None);
    let runs = batch(task, &[]).into_iter().take(5).collect();
    let death = (
        Begin { run: 5, ..Begin::default() },
        Failed { kind: String::from("abort"), ..Failed::default() },
    );
    campaign.performed(task, runs, Some(death));
    assert_eq!((campaign.tally().runs, campaign.tally().failures), (6, 1));
    assert_eq!(campaign.findings()[0].fingerprint, None);
}

#[test]
fn going_on_reports_each_different_failure_once() {
    let budget = Budget { runs: Some(64), ..Budget::default() };
    let mut campaign = Campaign::new(budget, Shard::default(), true, 0);
    let task = campaign.next(NOW).unwrap();
    campaign.learn(Nature::Native, None);
    let mut runs: Vec<(Begin, End)> =
        (0..32).flat_map(|run| batch(Task::Batch { first: run, count: 1 }, &[3, 9])).collect();
    runs[9].1.message = String::from("another");
    runs[11].1 = runs[3].1.clone();
    campaign.performed(task, runs, None);
    assert_eq!(
        campaign.findings().iter().map(|finding| finding.begin.run).collect::<Vec<_>>(),
        [3, 9]
    );
    assert_eq!((campaign.tally().runs, campaign.tally().failures), (32, 3));
    assert!(
        campaign.next(NOW).is_some() && campaign.next(NOW).is_some(),
        "and the second batch is still to come"
    );
}

#[test]
fn time_is_the_only_limit_where_it_is_the_only_one_given() {
    let budget = Budget { time: Some(Duration::from_secs(1)), ..Budget::default() };
    let mut campaign = Campaign::new(budget, Shard::default(), false, 0);
    let late = Duration::from_secs(2);
    let task = campaign.next(late).expect("the first batch comes however late");
    campaign.learn(Nature::Native, None);
    campaign.performed(task, batch(task, &[]), None);
    for _ in 0..2 {
        let again = campaign.next(NOW).unwrap();
        assert!(matches!(again, Task::Again { .. }), "{again:?}");
    }
    assert_eq!(campaign.next(NOW), Some(Task::Batch { first: 32, count: 32 }));
    assert_eq!(campaign.next(NOW), Some(Task::Batch { first: 64, count: 32 }));
    assert_eq!(campaign.next(late), None);
}

#[test]
fn the_attributes_runs_count_where_nobody_else_says() {
    let mut own = Campaign::new(Budget::default(), Shard::default(), false, 0);
    let task = own.next(NOW).unwrap();
    own.learn(Nature::Native, Some(3));
    own.performed(task, batch(Task::Batch { first: 0, count: 3 }, &[]), None);
    assert_eq!(
        [own.next(NOW), own.next(NOW), own.next(NOW)],
        [Some(Task::Again { run: 0 }), Some(Task::Again { run: 2 }), None]
    );
    let mut said = campaign(64);
    let task = said.next(NOW).unwrap();
    said.learn(Nature::Native, Some(3));
    said.performed(task, batch(task, &[]), None);
    assert!((0..3).all(|_| said.next(NOW).is_some()), "two runs again, and the second batch");
}

proptest! {
    /// Shards together perform every run once, whatever their number.
    #[test]
    fn shards_divide_the_runs(runs in 1_u64..300, of in 1_u64..6) {
        let mut seen = Vec::new();
        for this in 1..=of {
            let budget = Budget { runs: Some(runs), ..Budget::default() };
            let mut campaign = Campaign::new(budget, Shard { this, of }, false, 0);
            campaign.nature = Some(Nature::Native);
            while let Some(Task::Batch { first, count }) = campaign.next(NOW) {
                seen.extend(first..first + count);
            }
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..runs).collect::<Vec<_>>());
    }

    /// Whichever order the batches end in, the report is of the lowest failing run.
    #[test]
    fn the_report_does_not_depend_on_the_order_of_ends(
        failing in proptest::collection::btree_set(0_u64..256, 0..6),
        picks in proptest::collection::vec(any::<proptest::sample::Index>(), 64),
    ) {
        let failing: Vec<u64> = failing.into_iter().collect();
        let mut campaign = campaign(256);
        let mut out = vec![campaign.next(NOW).unwrap()];
        campaign.learn(Nature::Native, None);
        for pick in picks {
            while out.len() < 4 {
                match campaign.next(NOW) {
                    Some(task) => out.push(task),
                    None => break,
                }
            }
            if out.is_empty() {
                break;
            }
            let task = out.swap_remove(pick.index(out.len()));
            match task {
                Task::Again { run } => campaign.performed_again(task, Some(format!("{run:x}"))),
                _ if campaign.is_moot(task) => campaign.dropped(task),
                _ => campaign.performed(task, batch(task, &failing), None),
            }
        }
        prop_assert!(campaign.is_over(NOW));
        let expected = failing.first().copied();
        prop_assert_eq!(campaign.findings().first().map(|finding| finding.begin.run), expected);
        prop_assert_eq!(campaign.tally().runs, expected.map_or(256, |run| run + 1));
    }
}

/// Performs a whole campaign in which every run tells of the probes that `probes` says.
fn probed(runs: u64, shard: Shard, failing: &[u64], probes: fn(u64) -> &'static str) -> Campaign {
    let budget = Budget { runs: Some(runs), ..Budget::default() };
    let mut campaign = Campaign::new(budget, shard, false, 0);
    while let Some(task) = campaign.next(NOW) {
        if let Task::Again { run } = task {
            campaign.performed_again(task, Some(format!("{run:x}")));
            continue;
        }
        let mut runs = batch(task, failing);
        for (begin, end) in &mut runs {
            probes(begin.run).clone_into(&mut end.probes);
        }
        campaign.learn(Nature::Native, None);
        campaign.performed(task, runs, None);
    }
    campaign
}

/// A probe is reached if one run has reached it, and it is known if one run has come by.
#[test]
fn probes_are_added_up_over_all_runs() {
    let probes = |run| match run {
        3 => "0\tsrc/a.rs:1:1\trare\n0\tsrc/b.rs:2:2\tnever",
        70 => "2\tsrc/c.rs:3:3\trare\n1\tsrc/d.rs:4:4\tlate",
        _ => "",
    };
    let campaign = probed(100, Shard::default(), &[], probes);
    let tally = campaign.tally();
    let known: Vec<_> =
        tally.probes.iter().map(|probe| (&*probe.message, &*probe.place, probe.runs)).collect();
    assert_eq!(
        known,
        [("late", "src/d.rs:4:4", 1), ("never", "src/b.rs:2:2", 0), ("rare", "src/a.rs:1:1", 1)]
    );
    let unreached = campaign.unreached(&tally);
    assert_eq!(unreached.iter().map(|probe| &*probe.message).collect::<Vec<_>>(), ["never"]);
}

#[test]
fn only_a_whole_campaign_says_that_a_probe_is_not_reached() {
    let probes = |_| "0\tsrc/a.rs:1:1\tnever";
    let unreached = |runs, shard, failing: &[u64]| {
        let campaign = probed(runs, shard, failing, probes);
        let tally = campaign.tally();
        assert_eq!(tally.probes.len(), 1, "it is known in any case");
        campaign.unreached(&tally).len()
    };
    assert_eq!(unreached(64, Shard::default(), &[]), 1);
    assert_eq!(unreached(31, Shard::default(), &[]), 0, "less than a batch");
    assert_eq!(unreached(64, Shard { this: 1, of: 2 }, &[]), 0, "another shard may reach it");
    assert_eq!(unreached(64, Shard::default(), &[40]), 0, "a failure ended it");
}
