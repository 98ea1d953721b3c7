//! The harness, driven without cargo: a project is a folder of its own, a test is a closure.

use super::settings::Settings;
use super::subject::Subject;
use super::{TestSpec, Verdict, local, worker};
use crate::Builder;
use sim_core::simtrace::{self, FAILURES, Simtrace};
use sim_worker::json::{self, Value};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A project in a folder of its own, removed afterwards.
struct Project(PathBuf);

impl Project {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("sim-harness-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("bank")).unwrap();
        fs::write(root.join("Cargo.toml"), "[workspace]\nmembers = [\"bank\"]\n").unwrap();
        fs::write(root.join("bank/Cargo.toml"), "[package]\nname = \"bank\"\n").unwrap();
        Self(root)
    }

    fn spec(&self) -> TestSpec {
        TestSpec {
            package: "bank",
            // A spec is made of literals; a test that makes one up has to leak it.
            manifest_dir: Box::leak(self.0.join("bank").display().to_string().into_boxed_str()),
            module: "transfer::inner",
            name: "nothing_is_lost",
            file: "tests/transfer.rs",
            line: 7,
            runs: None,
            seed: None,
            time_limit: None,
            steps_max: None,
            should_fail: None,
        }
    }

    /// The stored failures.
    fn stored(&self) -> Vec<Simtrace> {
        let stored = simtrace::stored_all(&self.0.join(FAILURES)).unwrap();
        stored.into_iter().map(|(_, read)| read.unwrap()).collect()
    }

    /// Runs `body` as a worker with `plan` and returns its lines.
    fn work<T: Verdict + 'static>(
        &self,
        plan: &str,
        body: impl Fn() -> T + Send + Sync + Clone + 'static,
    ) -> Vec<Line> {
        let report = self.0.join("report");
        let _ = fs::remove_file(&report);
        worker::run(&subject(self.spec(), body), &report, plan).unwrap();
        fs::read_to_string(&report)
            .unwrap()
            .lines()
            .map(|line| Line(json::parse(line).unwrap()))
            .collect()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Line(BTreeMap<String, Value>);

impl Line {
    fn text(&self, key: &str) -> &str {
        match self.0.get(key) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    fn number(&self, key: &str) -> Option<u64> {
        match self.0.get(key) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }
}

fn subject<T: Verdict + 'static>(
    spec: TestSpec,
    body: impl Fn() -> T + Send + Sync + Clone + 'static,
) -> Subject<impl Fn() -> core::future::Ready<T> + Send + Sync + Clone + 'static> {
    Subject::new(spec, |builder: Builder| builder, move || core::future::ready(body()))
}

/// A body that counts how often it is run.
fn counted<T>(
    body: impl Fn(u64) -> T + Send + Sync + Clone + 'static,
) -> (Arc<AtomicU64>, impl Fn() -> T + Send + Sync + Clone + 'static) {
    let count = Arc::new(AtomicU64::new(0));
    let inside = Arc::clone(&count);
    (count, move || body(inside.fetch_add(1, Ordering::Relaxed)))
}

#[test]
fn names_are_those_that_cargo_sim_uses() {
    let project = Project::new("names");
    let spec = project.spec();
    assert_eq!(
        (spec.full_name().as_str(), spec.path_in_binary().as_str()),
        ("bank::transfer::inner::nothing_is_lost", "inner::nothing_is_lost")
    );
    let library = TestSpec { package: "my-bank", module: "my_bank", ..spec };
    assert_eq!(
        (library.full_name().as_str(), library.path_in_binary().as_str()),
        ("my_bank::nothing_is_lost", "nothing_is_lost")
    );
}

#[test]
fn a_passing_test_is_run_ten_times_or_as_said() {
    let project = Project::new("passing");
    let (count, body) = counted(|_| ());
    local::run(&subject(project.spec(), body.clone()), &Settings::default()).unwrap();
    assert_eq!(count.swap(0, Ordering::Relaxed), 10);
    local::run(
        &subject(TestSpec { runs: Some(3), ..project.spec() }, body.clone()),
        &Settings::default(),
    )
    .unwrap();
    assert_eq!(count.swap(0, Ordering::Relaxed), 3);
    let settings = Settings { runs: Some(40), ..Settings::default() };
    local::run(&subject(TestSpec { runs: Some(3), ..project.spec() }, body), &settings).unwrap();
    assert_eq!(count.swap(0, Ordering::Relaxed), 40);
    assert_eq!(project.stored(), []);
}

#[test]
fn a_failure_is_stored_told_and_replayed_first_until_it_passes() {
    let project = Project::new("stored");
    let (count, body) = counted(|_| Err::<(), _>("3 coins lost"));
    let text =
        local::run(&subject(project.spec(), body.clone()), &Settings::default()).unwrap_err();
    assert_eq!(count.swap(0, Ordering::Relaxed), 2, "once to find it, once to record it");
    let [stored] = <[Simtrace; 1]>::try_from(project.stored()).unwrap();
    let path = format!(".sim/failures/{}", stored.file_name());
    assert_eq!((stored.kind.as_str(), stored.run, stored.strategy.as_str()), ("error", 0, "fifo"));
    assert!(stored.log.is_some());
    assert!(text.starts_with("bank::transfer::inner::nothing_is_lost failed: error at tests/transfer.rs:7\n  \"3 coins lost\"\nrun 0 of base seed 0x0, run seed 0x"), "{text}");
    assert!(text.ends_with(&format!(
        "replay: cargo sim replay {path}\n    or: SIM_REPLAY={path} cargo test -p bank inner::nothing_is_lost -- --exact\n"
    )), "{text}");

    let text =
        local::run(&subject(project.spec(), body.clone()), &Settings::default()).unwrap_err();
    assert_eq!(count.swap(0, Ordering::Relaxed), 1, "the stored failure comes first and is enough");
    assert!(text.contains(": the stored failure\n"), "{text}");
    let other =
        local::run(&subject(project.spec(), || Err::<(), _>("no money")), &Settings::default())
            .unwrap_err();
    assert!(other.contains(": another failure than the stored one\n"), "{other}");
    let only = Settings { replay: Some(PathBuf::from(&path)), ..Settings::default() };
    assert!(local::run(&subject(project.spec(), body), &only).is_err());

    let (count, fixed) = counted(|_| ());
    local::run(&subject(project.spec(), fixed.clone()), &only).unwrap();
    assert_eq!(count.swap(0, Ordering::Relaxed), 1);
    local::run(&subject(project.spec(), fixed), &Settings::default()).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 11, "the stored one, then ten new seeds");
}

#[test]
fn a_seed_that_gives_two_executions_is_a_divergence() {
    let project = Project::new("diverges");
    let (_, body) = counted(|n| if n == 4 { Err("only once") } else { Ok(()) });
    let text = local::run(&subject(project.spec(), body), &Settings::default()).unwrap_err();
    assert!(text.contains("failed: divergence\n"), "{text}");
    assert!(
        text.contains("find it: cargo sim doctor bank::transfer::inner::nothing_is_lost\n"),
        "{text}"
    );
    assert_eq!(project.stored(), [], "what cannot be repeated is not stored");
}

#[test]
fn mistakes_are_one_line_with_advice() {
    let project = Project::new("mistakes");
    let body = || ();
    let missing =
        Settings { replay: Some(PathBuf::from("nowhere.simtrace")), ..Settings::default() };
    let text = local::run(&subject(project.spec(), body), &missing).unwrap_err();
    assert!(
        text.starts_with("SIM_REPLAY: ")
            && text.contains("nowhere.simtrace: cannot be read")
            && !text.contains('\n'),
        "{text}"
    );

    let seed = TestSpec { seed: Some("x"), ..project.spec() };
    let text = local::run(&subject(seed, body), &Settings::default()).unwrap_err();
    assert!(text.starts_with("seed of #[sim::test]: 'x' is not a seed"), "{text}");

    let failing = local::run(&subject(project.spec(), || Err::<(), _>("x")), &Settings::default());
    assert!(failing.is_err());
    let path = project.0.join(FAILURES).join(project.stored()[0].file_name());
    let other = TestSpec { name: "another", ..project.spec() };
    let text = local::run(
        &subject(other, body),
        &Settings { replay: Some(path.clone()), ..Settings::default() },
    )
    .unwrap_err();
    assert!(text.contains("run that test alone"), "{text}");

    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let text = local::run(&subject(project.spec(), body), &Settings::default()).unwrap_err();
    assert!(text.contains("the file is cut short") && !text.contains('\n'), "{text}");
}

#[test]
fn a_bug_on_show_has_to_show() {
    let project = Project::new("show");
    let spec = TestSpec { should_fail: Some("coins lost"), ..project.spec() };
    let (count, body) = counted(|n| if n == 3 { Err("7 coins lost") } else { Ok(()) });
    local::run(&subject(spec, body), &Settings::default()).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 4);
    assert_eq!(project.stored(), []);
    let text = local::run(&subject(spec, || ()), &Settings::default()).unwrap_err();
    assert!(text.contains("no run failed with 'coins lost'") && !text.contains('\n'), "{text}");
    let text =
        local::run(&subject(spec, || Err::<(), _>("no money")), &Settings::default()).unwrap_err();
    assert!(text.contains("no money") && text.contains("replay: "), "{text}");
}

#[test]
fn a_limit_that_cannot_be_is_a_mistake_and_no_defect() {
    let project = Project::new("limit");
    let spec = TestSpec { steps_max: Some(0), ..project.spec() };
    let text = local::run(&subject(spec, || ()), &Settings::default()).unwrap_err();
    assert!(
        text.starts_with(
            "#[sim::test] of bank::transfer::inner::nothing_is_lost: steps_max is zero"
        ),
        "{text}"
    );
    let report = project.0.join("report");
    worker::run(&subject(spec, || ()), &report, "{\"protocol\":1}").unwrap();
    let text = fs::read_to_string(&report).unwrap();
    assert!(text.contains("\"refused\",\"message\":\"steps_max is zero"), "{text}");
}

#[test]
fn a_worker_reports_each_run_of_its_slice() {
    let project = Project::new("slice");
    let lines = project.work(r#"{"protocol":1,"base":"0x5","first":32,"count":3}"#, || ());
    let events: Vec<(&str, Option<u64>)> =
        lines.iter().map(|line| (line.text("event"), line.number("run"))).collect();
    let run = |n| [("begin", Some(n)), ("run", Some(n))];
    assert_eq!(
        events,
        [[("sim", None)].as_slice(), &run(32), &run(33), &run(34), &[("end", None)]].concat()
    );
    assert_eq!(lines[0].text("test"), "bank::transfer::inner::nothing_is_lost");
    assert_eq!(lines[1].text("strategy"), "fifo", "the head of a batch");
    assert!(
        lines
            .iter()
            .filter(|line| line.text("event") == "run")
            .all(|line| line.text("outcome") == "done")
    );
}

#[test]
fn a_worker_stops_at_a_failure_unless_told_to_go_on() {
    let project = Project::new("stops");
    let outcomes = |plan: &str| {
        let (_, body) = counted(|n| if n == 1 { Err("lost") } else { Ok(()) });
        let lines = project.work(plan, body);
        lines
            .iter()
            .filter(|line| line.text("event") == "run")
            .map(|line| line.text("outcome").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(outcomes(r#"{"protocol":1,"count":4,"strategy":"random"}"#), ["done", "error"]);
    let all = r#"{"protocol":1,"count":4,"strategy":"random","stop":false}"#;
    assert_eq!(outcomes(all), ["done", "error", "done", "done"]);
}

#[test]
fn a_slice_without_its_head_runs_the_head_for_its_lesson() {
    let project = Project::new("lesson");
    let runs = |plan: &str| {
        let (count, body) = counted(|_| ());
        project.work(plan, body);
        count.load(Ordering::Relaxed)
    };
    assert_eq!(runs(r#"{"protocol":1,"strategy":"pct:3","first":5,"count":2}"#), 3);
    assert_eq!(runs(r#"{"protocol":1,"strategy":"random","first":5,"count":2}"#), 2);
    // A head teaches its own batch, and no other.
    assert_eq!(runs(r#"{"protocol":1,"strategy":"urw","first":32,"count":2}"#), 2);
    assert_eq!(runs(r#"{"protocol":1,"strategy":"urw","first":31,"count":3}"#), 4);
}

#[test]
fn a_recorded_run_has_a_log_and_a_trace_and_replays() {
    let project = Project::new("record");
    let trace = project.0.join("trace").display().to_string();
    let plan = format!(r#"{{"protocol":1,"count":1,"record":true,"trace":"{trace}"}}"#);
    let lines = project.work(&plan, || Err::<(), _>("lost"));
    let found = &lines[2];
    assert!(found.0.contains_key("log") && found.0.contains_key("recent"), "{:?}", found.0);
    sim_core::trace::Recorded::from_bytes(&fs::read(&trace).unwrap()).unwrap();

    local::run(&subject(project.spec(), || Err::<(), _>("lost")), &Settings::default())
        .unwrap_err();
    let file = project.0.join(FAILURES).join(project.stored()[0].file_name());
    let replay = format!(r#"{{"protocol":1,"replay":"{}"}}"#, file.display());
    let lines = project.work(&replay, || Err::<(), _>("lost"));
    assert_eq!((lines[2].text("outcome"), lines[2].number("drift")), ("error", Some(0)));
    assert_eq!(lines[2].text("fingerprint"), project.stored()[0].fingerprint.unwrap().to_string());
}

#[test]
fn a_plan_that_cannot_be_carried_out_is_refused_in_the_report() {
    let project = Project::new("refused");
    for (plan, expected) in [
        ("{}", "speaks protocol 1 and cargo-sim none"),
        (r#"{"protocol":1,"strategy":"guided"}"#, "comes with a later version"),
        (r#"{"protocol":1,"replay":"nowhere"}"#, "nowhere: cannot be read"),
    ] {
        let lines = project.work(plan, || ());
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1].text("event"), "refused");
        assert!(lines[1].text("message").contains(expected), "{}", lines[1].text("message"));
    }
}

#[test]
fn the_attributes_runs_cut_a_slice_only_where_asked() {
    let project = Project::new("own-runs");
    let runs = |plan: &str| {
        let (count, body) = counted(|_| ());
        let report = project.0.join("own");
        let spec = TestSpec { runs: Some(2), ..project.spec() };
        worker::run(&subject(spec, body), &report, plan).unwrap();
        count.load(Ordering::Relaxed)
    };
    assert_eq!(runs(r#"{"protocol":1,"count":5,"strategy":"fifo"}"#), 5);
    assert_eq!(runs(r#"{"protocol":1,"count":5,"strategy":"fifo","own_runs":true}"#), 2);
}
