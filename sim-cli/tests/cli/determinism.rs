//! What decides although it must not: it is noticed, and named.

use crate::project::Project;

const CULPRITS: &str = r#"
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

static COUNT: AtomicU64 = AtomicU64::new(0);

#[sim::test]
async fn clock() {
    sim::observe(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64);
}

#[sim::test]
async fn environment() {
    sim::observe(std::env::var("TZ").map_or(0, |zone| zone.len() as u64));
}

#[sim::test]
async fn folder() {
    sim::observe(std::env::current_dir().unwrap().display().to_string().len() as u64);
}

#[sim::test]
async fn thread() {
    sim::observe(std::thread::current().name().map_or(0, |name| name.len() as u64));
}

#[sim::test]
async fn counter() {
    sim::observe(COUNT.fetch_add(1, Ordering::Relaxed));
}

#[sim::test]
async fn hash_order() {
    let map: std::collections::HashMap<u64, ()> = (0..100).map(|key| (key, ())).collect();
    map.keys().for_each(|&key| sim::observe(key));
}

#[sim::test]
async fn instant() {
    let shown = format!("{:?}", std::time::Instant::now());
    shown.bytes().for_each(|byte| sim::observe(u64::from(byte)));
}

#[sim::test]
async fn pointer() {
    let shown = format!("{:p}", Box::new(1));
    shown.bytes().for_each(|byte| sim::observe(u64::from(byte)));
}

#[sim::test]
async fn polled_thread() {
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let other = done.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(1));
        other.store(true, Ordering::SeqCst);
    });
    let mut polls = 0;
    while !done.load(Ordering::SeqCst) {
        polls += 1;
        sim::yield_now().await;
    }
    sim::observe(polls);
    thread.join().unwrap();
}

#[sim::test]
async fn nothing() {
    sim::observe(sim::rand::random());
}

#[test]
fn plain() {}
"#;

#[test]
fn the_doctor_names_the_culprit() {
    let project = Project::new("doctor", CULPRITS);
    insta::assert_snapshot!(project.sim("doctor").exits(3).steady());
    insta::assert_snapshot!(project.sim("doctor nothing").exits(0).steady());
}

#[test]
fn a_campaign_notices_what_decides_outside_the_choices() {
    let project = Project::new("diverges", CULPRITS);
    let said = project.sim("test --seed 1 --runs 64 clock counter nothing").exits(3);
    insta::assert_snapshot!(said.steady());
    assert_eq!(project.stored(), [] as [&str; 0], "what cannot be repeated is not stored");
}
