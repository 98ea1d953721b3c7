use super::*;
use crate::choice::{Answer, Key};
use proptest::prelude::*;

fn failure() -> Simtrace {
    let log = Log::parse(
        ["net.link.delay fabric/a>b 3 17", "sched.next a/main 4 @b/serve#2!9"].into_iter(),
        1,
    )
    .unwrap();
    Simtrace {
        package: String::from("bank"),
        test: String::from("bank::transfer::nothing_is_lost"),
        seed: Seed::from_u64(42),
        base_seed: Seed::from_u64(0),
        run: 17,
        strategy: String::from("pct:3"),
        config: BTreeMap::from([(String::from("expected_choices"), String::from("412"))]),
        shrunk: Some(Origin { choices: 412, runs: 85 }),
        fingerprint: Some(Fingerprint(0xabc)),
        schedule: Some(Fingerprint(0xdef)),
        kind: String::from("panic"),
        message: String::from("assertion `left == right` failed\n  left: 99\n right: 100"),
        location: Some(String::from("tests/transfer.rs:31:5")),
        log: Some(log),
    }
}

/// A folder of its own for a test, removed afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("simtrace-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_text_is_as_documented() {
    let expected = "simtrace 1\npackage: bank\ntest: bank::transfer::nothing_is_lost\nseed: 0x2a\nbase_seed: 0x0\nrun: 17\n\
        strategy: pct:3\nconfig: expected_choices=412\nshrunk_from: 412\nshrink_runs: 85\nfingerprint: 0000000000000abc\nschedule: 0000000000000def\nkind: panic\n\
        message: assertion `left == right` failed\\n  left: 99\\n right: 100\nlocation: tests/transfer.rs:31:5\n\n\
        net.link.delay fabric/a>b 3 17\nsched.next a/main 4 @b/serve#2!9\nend\n";
    assert_eq!(failure().to_string(), expected);
    assert_eq!(Simtrace::parse(expected), Ok(failure()));
}

#[test]
fn a_run_without_a_log_is_replayed_by_seed() {
    let died =
        Simtrace { log: None, fingerprint: None, schedule: None, location: None, ..failure() };
    assert!(died.to_string().contains("\nreplay: seed\n"));
    assert_eq!(Simtrace::parse(&died.to_string()), Ok(died));
}

#[test]
fn every_cut_is_noticed() {
    let text = failure().to_string();
    for len in 0..text.len() {
        assert!(Simtrace::parse(&text[..len]).is_err(), "cut at byte {len} of {}", text.len());
    }
}

#[test]
fn errors_name_the_line_and_say_what_to_do() {
    let text = failure().to_string();
    let error = |from: &str, to: &str| {
        Simtrace::parse(&text.replacen(from, to, 1)).unwrap_err().to_string()
    };
    let found = [
        Simtrace::parse("").unwrap_err().to_string(),
        error("simtrace 1", "simtrace 2"),
        error("simtrace 1", "simtrace 0"),
        error("seed: 0x2a", "sede: 0x2a"),
        error("seed: 0x2a", "seed: 0xyz"),
        error("seed: 0x2a\n", ""),
        error("run: 17", "run"),
        error("run: 17", "seed: 17"),
        error("message: a", "message: \\q"),
        error("3 17", "three 17"),
        error("end\n", ""),
        error("\n\n", "\n"),
    ];
    let expected = [
        "line 1: not a recorded failure: its first line would be 'simtrace 1'",
        "line 1: version 2 was written by a newer version of the tool, this one reads 1: update it",
        "line 1: version 0 is not known, this tool reads 1: find the failure again by its seed",
        "line 4: unknown key 'sede': remove the line, or update the tool if a newer one wrote it",
        "line 4: 'seed' has a value that cannot be read: restore the file",
        "the key 'seed' is missing: restore the file, or find the failure again by its seed",
        "line 6: 'run' is not 'key: value': remove the line or restore the file",
        "line 6: 'seed' stands there a second time: remove one of the two",
        "line 14: 'message' has a value that cannot be read: restore the file",
        "line 17: 'net.link.delay fabric/a>b three 17' is not `site path occurrence answer`: remove the line (it then \
         counts as the dull answer) or restore the file",
        "line 19: the file is cut short (its last line would be 'end'): restore it, or find the failure again by its seed",
        "line 18: no empty line before it parts the header from the choices: put one back",
    ];
    assert_eq!(found, expected);
}

#[test]
fn identity_ignores_digits_and_nothing_else() {
    let base = failure();
    let same = Simtrace {
        message: base.message.replace("99", "7"),
        seed: Seed::from_u64(9),
        run: 1,
        ..base.clone()
    };
    assert_eq!(same.file_name(), base.file_name());
    for other in [
        Simtrace { kind: String::from("error"), ..base.clone() },
        Simtrace { message: String::from("another"), ..base.clone() },
        Simtrace { location: None, ..base.clone() },
        Simtrace { test: String::from("bank::x"), ..base.clone() },
    ] {
        assert_ne!(other.id(), base.id(), "{other:?}");
    }
    assert!(base.is_failure("panic", "assertion `left == right` failed\n left: 1\n right: 100"));
    assert!(!base.is_failure("panic", "assertion `left != right` failed\n left: 1\n right: 100"));
    assert_eq!(normalise("at 0x7ffe12ab0 in 12 s\t\n x"), "at  in  s x");
}

#[test]
fn a_failure_found_again_replaces_its_file_and_leaves_nothing_beside_it() {
    let folder = Folder::new("replace");
    let first = failure().write_into(&folder.0).unwrap();
    let second = Simtrace { run: 99, ..failure() }.write_into(&folder.0).unwrap();
    assert_eq!(first, second);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    let stored = stored(&folder.0, &failure().test).unwrap();
    assert_eq!(stored.iter().map(|(_, read)| read.as_ref().unwrap().run).collect::<Vec<_>>(), [99]);
}

#[test]
fn a_file_that_cannot_be_read_belongs_to_the_test_it_is_named_after() {
    let folder = Folder::new("broken");
    let path = failure().write_into(&folder.0).unwrap();
    fs::write(&path, "simtrace 1\npackage: bank\n").unwrap();
    let read = stored(&folder.0, &failure().test).unwrap();
    assert!(
        read[0].1.as_ref().unwrap_err().to_string().contains("line 3: the file is cut short"),
        "{read:?}"
    );
    assert_eq!(stored(&folder.0, "bank::transfer").unwrap(), []);
}

#[test]
fn a_folder_that_refuses_keeps_no_half_file() {
    let folder = Folder::new("refuses");
    fs::create_dir_all(&folder.0).unwrap();
    let in_the_way = folder.0.join(failure().file_name());
    fs::create_dir_all(in_the_way.join("full")).unwrap();
    assert!(failure().write_into(&folder.0).is_err());
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
}

fn answer() -> impl Strategy<Value = Answer> {
    let actor = ("[a-z/#>]{1,9}", any::<u32>())
        .prop_map(|(path, ordinal)| Answer::Actor(path.into(), ordinal));
    prop_oneof![any::<u64>().prop_map(Answer::Value), actor]
}

fn log() -> impl Strategy<Value = Log> {
    let key = ("[a-z.]{1,9}", "[a-z/#>]{1,9}", any::<u32>());
    proptest::collection::vec((key, answer()), 0..8).prop_map(|entries| {
        let mut log = Log::default();
        for ((site, path, occurrence), answer) in entries {
            log.insert(Key { site: site.into(), path: path.into(), occurrence }, answer);
        }
        log
    })
}

proptest! {
    /// Whatever a message or a setting holds, line ends, equals signs and outer spaces among it, comes back.
    #[test]
    fn reads_what_it_writes(
        texts in proptest::collection::vec(any::<String>(), 5),
        config in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..4),
        location in proptest::option::of(any::<String>()),
        numbers in any::<(u64, u64, Option<u64>, Option<u64>)>(),
        log in proptest::option::of(log()),
    ) {
        let [package, test, strategy, kind, message] = <[String; 5]>::try_from(texts).unwrap();
        let (seed, run, fingerprint, schedule) = numbers;
        let written = Simtrace {
            package, test, strategy, kind, message, config, location, run, log,
            seed: Seed::from_u64(seed), base_seed: Seed::from_u64(!seed),
            shrunk: fingerprint.map(|choices| Origin { choices, runs: run }),
            fingerprint: fingerprint.map(Fingerprint), schedule: schedule.map(Fingerprint),
        };
        prop_assert_eq!(Simtrace::parse(&written.to_string()), Ok(written));
    }

    /// No text makes the reader panic.
    #[test]
    fn any_text_is_read_or_refused(text in "(simtrace 1\n)?([a-z]{1,5}: ?[a-z\\\\{}0-9]{0,6}\n){0,6}\n?(\\PC{0,9}\n){0,3}(end\n)?") {
        let _ = Simtrace::parse(&text);
    }
}
