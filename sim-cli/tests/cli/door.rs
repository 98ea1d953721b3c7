//! A project that knows nothing of simulation, by the libc door: as cargo builds it, with the world loaded before it.

use crate::project::Project;

/// Threads of std, and a bug that needs one of them to run in the middle of another.
const SHOP: &str = r#"
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

fn sell(stock: &Mutex<i32>) {
    let seen = *stock.lock().unwrap();
    // Whatever asks the kernel for something may let another thread run.
    UdpSocket::bind("127.0.0.1:0").unwrap();
    *stock.lock().unwrap() = seen - 1;
}

#[test]
fn every_sale_counts() {
    let stock = Arc::new(Mutex::new(2));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let stock = Arc::clone(&stock);
            thread::spawn(move || sell(&stock))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*stock.lock().unwrap(), 0, "a sale was lost");
}

#[test]
fn an_hour_passes() {
    let began = Instant::now();
    thread::sleep(Duration::from_secs(3600));
    assert!(began.elapsed() >= Duration::from_secs(3600));
}
"#;

#[test]
fn a_plain_project_is_searched_stored_and_replayed() {
    let project = Project::new("shop", SHOP);
    let said = project.sim("test --door libc --seed 1 --test bank").exits(1);
    assert!(
        said.out.contains("ok     shop::bank::an_hour_passes (100 runs, 360000 s simulated"),
        "{}",
        said.out
    );
    assert!(said.out.contains("a sale was lost"), "{}", said.out);
    let stored = project.stored();
    assert_eq!(stored.len(), 1, "{stored:?}");
    let line =
        said.out.lines().find_map(|line| line.trim().strip_prefix("replay: cargo sim ")).unwrap();
    assert_eq!(line, format!("replay {}", stored[0]));
    let replayed = project.sim(line).exits(1);
    assert!(replayed.out.ends_with("the same failure\n"), "{}", replayed.out);
    // The file says which door it was, and the next campaign replays it first.
    let again = project.sim("test --door libc --seed 2 every_sale").exits(1);
    assert!(again.out.contains("a sale was lost"), "{}", again.out);
}

#[test]
fn a_plain_project_is_deterministic_in_a_world() {
    let project = Project::new("steady", SHOP);
    let said = project.sim("doctor --door libc --test bank").exits(0);
    assert_eq!(said.out.matches("deterministic     steady::bank::").count(), 2, "{}", said.out);
}

#[test]
fn a_program_runs_in_a_world() {
    let project = Project::new("program", SHOP);
    project.cargo("build", &[]).exits(0);
    let said = project.sim("run --seed 5 -- sleep 1000").exits(0);
    assert!(said.err.contains("sleep: 1000 s simulated"), "{}", said.err);
    let said = project.sim("run -- false").exits(1);
    assert!(said.err.contains("false: error: the program ended with status 1"), "{}", said.err);
    let said = project.sim("run -- /nowhere/program").exits(4);
    assert!(said.error().contains("cannot be started"), "{}", said.err);
}
