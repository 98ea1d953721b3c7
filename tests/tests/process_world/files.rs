//! Files of an unmodified program: the same answers as on this machine, and nothing real is changed.

use super::{Worked, perform, text};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn files(program: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_files"));
    command.arg(program).current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn runs(command: &mut Command, seed: u32, count: u32) -> Worked {
    let plan = format!("\"base\":\"{seed}\",\"strategy\":\"random\",\"count\":{count}");
    let worked = perform(command, &plan);
    for run in worked.runs() {
        assert_eq!(text(run, "outcome"), "done", "{command:?}: {run:?} {:?}", worked.output);
    }
    assert_eq!(worked.runs().count(), count as usize, "{:?}", worked.output);
    worked
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a program prints on this machine, without the object.
fn on_linux(command: &mut Command) -> String {
    let output = command.env("OUTSIDE", "1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    printed(&output)
}

#[test]
fn a_program_cannot_tell_its_disk_from_this_machine_s() {
    for program in
        ["battery", "listing", "links", "attributes", "locks", "working", "threads", "declared"]
    {
        let real = on_linux(&mut files(program));
        for seed in 0..4 {
            let worked = runs(&mut files(program), seed, 1);
            assert_eq!(printed(&worked.output), real, "{program}, seed {seed}");
        }
    }
}

#[test]
fn nor_can_a_program_that_does_as_c_does() {
    let streams = || Command::new(env!("CARGO_BIN_EXE_streams"));
    let real = on_linux(&mut streams());
    assert_eq!(printed(&runs(&mut streams(), 1, 1).output), real);
}

#[test]
fn nor_can_a_program_that_shares_memory_with_files() {
    let mapped = || Command::new(env!("CARGO_BIN_EXE_mapped"));
    let real = on_linux(&mut mapped());
    for seed in 0..8 {
        let worked = runs(&mut mapped(), seed, 1);
        assert_eq!(printed(&worked.output), real, "seed {seed}");
        assert!(
            !worked.lines.iter().any(|line| text(line, "event") == "note"),
            "{:?}",
            worked.lines
        );
    }
}

/// A copy of this package, which a program may be let loose on.
fn copied_project(name: &str) -> PathBuf {
    let (from, to) =
        (Path::new(env!("CARGO_MANIFEST_DIR")), Path::new(env!("CARGO_TARGET_TMPDIR")));
    let to = to.join(name);
    let _ = fs::remove_dir_all(&to);
    for file in ["Cargo.toml", "programs/program.rs", "programs/files.rs", "tests/process_world.rs"]
    {
        fs::create_dir_all(to.join(file).parent().unwrap()).unwrap();
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    fs::create_dir(to.join("oracle")).unwrap();
    fs::write(to.join("oracle/answers.json"), "[]").unwrap();
    to
}

/// All that lies below a directory, with its content.
fn picture(at: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut stack) = (BTreeMap::new(), vec![at.to_owned()]);
    while let Some(folder) = stack.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                stack.push(path.clone());
                found.insert(path, Vec::new());
            } else {
                found.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_project_is_changed_for_the_run_alone() {
    let project = copied_project("copied_project");
    let before = picture(&project);
    let worked = runs(files("project").current_dir(&project), 3, 3);
    assert_eq!(picture(&project), before);
    let line = "Cargo.toml false,renamed true,tests true\n";
    assert_eq!(printed(&worked.output), line.repeat(3), "each run finds it as it was");
}

#[test]
fn it_does_not_matter_where_a_project_lies() {
    let prints = ["one_place", "another"].map(|place| {
        let project = copied_project(place);
        let worked = runs(files("project").current_dir(project), 3, 1);
        text(worked.only(), "fingerprint").to_owned()
    });
    assert_eq!(prints[0], prints[1]);
}

#[test]
fn what_is_not_declared_is_not_there() {
    let worked = runs(&mut files("hidden"), 1, 1);
    let printed = printed(&worked.output);
    assert_eq!(printed.matches("NotFound Some(2)").count(), 6, "{printed}");
    assert!(printed.ends_with("[]\nPermissionDenied Some(1)\n"), "{printed}");
    let notices = text(worked.only(), "notices");
    assert!(notices.contains("/proc/meminfo tells about the machine"), "{notices}");
}

#[test]
fn two_processes_with_one_seed_see_the_same_disk() {
    for seed in 0..4 {
        let [first, second] = [(); 2].map(|()| runs(&mut files("unlike"), seed, 1));
        assert_eq!(printed(&first.output), printed(&second.output), "seed {seed}");
        let print = |worked: &Worked| text(worked.only(), "fingerprint").to_owned();
        assert_eq!(print(&first), print(&second), "seed {seed}");
    }
}

#[test]
fn no_run_sees_the_files_of_another() {
    runs(&mut files("alone"), 1, 20);
}

#[test]
fn who_waits_for_a_lock_for_ever_is_told() {
    let plan = "\"base\":\"1\",\"strategy\":\"random\",\"count\":1";
    let worked = perform(&mut files("stuck"), plan);
    let run = worked.only();
    assert_eq!(text(run, "outcome"), "deadlock", "{run:?}");
    assert!(text(run, "details").contains("waits for a lock on a file"), "{run:?}");
}
