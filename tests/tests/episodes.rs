//! The fault driver: episodes of every kind begin and end, all is healed in the end, and a run with faults is a value like any other.

use sim::faults::{FaultKind, Faults};
use sim::net::{TcpListener, TcpStream};
use sim::{Builder, Log, PolicyKind, Run, host};
use sim_core::choice::Answer;
use sim_core::trace::Kind;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

const UNTIL: Duration = Duration::from_secs(20);

fn faults(kind: FaultKind) -> Faults {
    let mut faults = Faults::default().with(kind, 3);
    (faults.every, faults.longest) = (Duration::from_millis(300), Duration::from_secs(2));
    faults.until = UNTIL;
    faults
}

/// Answers whatever comes.
async fn echo() {
    let listener = TcpListener::bind("0.0.0.0:7").await.unwrap();
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        sim::spawn(async move {
            let mut byte = [0];
            while stream.read(&mut byte).await.is_ok_and(|read| read == 1) {
                if stream.write_all(&byte).await.is_err() {
                    return;
                }
            }
        })
        .detach();
    }
}

async fn ask(name: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((name, 7)).await?;
    stream.write_all(b"x").await?;
    stream.read_exact(&mut [0]).await.map(|_| ())
}

/// Three servers, asked again and again: how many answers failed while there were faults, and afterwards.
async fn three_servers() -> (u32, u32) {
    let names = ["a", "b", "c"];
    names.iter().for_each(|name| host(name).run(echo));
    let failed = Rc::new(Cell::new((0, 0)));
    let ask_all = |failed: Rc<Cell<(u32, u32)>>, calm: bool| async move {
        for name in names {
            let asked = sim::time::timeout(Duration::from_secs(1), ask(name)).await;
            if !asked.is_ok_and(|answer| answer.is_ok()) {
                let (before, after) = failed.get();
                failed.set(if calm { (before, after + 1) } else { (before + 1, after) });
            }
        }
    };
    for _ in 0..60 {
        ask_all(Rc::clone(&failed), false).await;
        sim::time::sleep(Duration::from_millis(300)).await;
    }
    // Until the last connection attempt of the stormy time is over.
    sim::time::sleep(UNTIL).await;
    for _ in 0..20 {
        ask_all(Rc::clone(&failed), true).await;
    }
    failed.get()
}

fn run(builder: Builder) -> Run<(u32, u32)> {
    builder.keep_trace(true).record(true).run(three_servers)
}

#[test]
fn every_kind_begins_and_ends_and_leaves_a_healthy_world() {
    for kind in FaultKind::ALL {
        let run = run(Builder::new().seed(5).faults(faults(kind)));
        let events = run.report.recorded.as_ref().unwrap().events.iter();
        let of = |wanted: Kind| events.clone().filter(|event| event.kind == wanted).count();
        let happened = match kind {
            FaultKind::Crash => of(Kind::HostCrash).min(of(Kind::HostUp)),
            FaultKind::Kill => of(Kind::HostCrash),
            FaultKind::Pause => of(Kind::HostPause) / 2,
            _ => of(Kind::Fault),
        };
        assert!(happened >= 5, "{}: {happened} episodes in twenty seconds", kind.name());
        let (stormy, calm) = run.unwrap();
        assert_eq!(calm, 0, "{}: all is healed", kind.name());
        let hurts = !matches!(kind, FaultKind::Slow | FaultKind::Clock | FaultKind::Reset);
        assert_eq!(stormy > 0, hurts, "{}: {stormy}", kind.name());
    }
}

#[test]
fn a_run_with_faults_replays_from_its_log() {
    let all = FaultKind::ALL.into_iter().fold(faults(FaultKind::Crash), |f, kind| f.with(kind, 8));
    for seed in 0..5 {
        let found = run(Builder::new().seed(seed).policy(PolicyKind::Random).faults(all));
        let log = found.report.log.clone().unwrap();
        let again = run(Builder::new().replay(log).faults(all));
        assert_eq!(again.report.fingerprint, found.report.fingerprint, "seed {seed}");
        assert_eq!(again.report.drift, 0);
    }
}

#[test]
fn the_empty_log_is_a_run_without_faults() {
    let all = FaultKind::ALL.into_iter().fold(faults(FaultKind::Crash), |f, kind| f.with(kind, 2));
    let run = run(Builder::new().replay(Log::default()).faults(all));
    assert_eq!(run.unwrap(), (0, 0));
}

#[test]
fn an_episode_can_be_left_out_and_the_others_stay() {
    let crashes = faults(FaultKind::Crash);
    let begins = |log: &Log| -> Vec<String> {
        let of = log.iter().filter(|(key, answer)| {
            &*key.site == "fault.episode.begin" && **answer == Answer::Value(1)
        });
        of.map(|(key, _)| key.path.to_string()).collect()
    };
    let found = run(Builder::new().seed(2).faults(crashes));
    let whole = found.report.log.unwrap();
    let paths = begins(&whole);
    assert!(paths.len() > 5, "{paths:?}");
    let mut without = Log::default();
    for (key, answer) in whole.iter().filter(|(key, _)| *key.path != *paths[2]) {
        without.insert(key.clone(), answer.clone());
    }
    let again = run(Builder::new().replay(without).faults(crashes));
    let expected: Vec<String> = paths.iter().filter(|path| **path != paths[2]).cloned().collect();
    assert_eq!(begins(&again.report.log.unwrap()), expected);
}

#[test]
fn a_partition_may_part_the_hosts_in_every_way() {
    let mut ways = BTreeSet::new();
    for seed in 0..8 {
        let found = run(Builder::new().seed(seed).faults(faults(FaultKind::Partition)));
        let mut far_side: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for (key, _) in found.report.log.unwrap().iter() {
            if &*key.site == "fault.episode.whom" {
                far_side.entry(key.path.to_string()).or_default().insert(key.occurrence);
            }
        }
        ways.extend(far_side.into_values());
    }
    // Of four hosts, any of the other three may be parted from the root, but not none of them.
    let all: BTreeSet<u32> = (0..4).collect();
    let complement = |way: &BTreeSet<u32>| all.difference(way).copied().collect::<BTreeSet<u32>>();
    let canonical =
        ways.iter().map(|way| if way.contains(&0) { complement(way) } else { way.clone() });
    let canonical: BTreeSet<_> = canonical.filter(|way| !way.is_empty()).collect();
    assert_eq!(canonical.len(), 7, "{canonical:?}");
}
