use super::*;

/// A source tree with the places in the words of tokio, and nothing else.
fn tree(skip: &str) -> Vec<(&'static str, String)> {
    let spawn = |name: &str| {
        format!("fn {name}<T>(future: T) -> X\nwhere T: Future {{\n    task(future)\n}}\n")
    };
    let block = String::from(
        "/// fn block_on<\npub fn block_on<F: Future>(&self, future: F) -> F::Output {\n}\n",
    );
    let files = vec![
        ("lib.rs", String::from("mod trace {\n    fn trace_leaf() {}\n}\n")),
        (
            "runtime/context.rs",
            String::from("thread_local! { static CONTEXT: Context = new(); }\n"),
        ),
        ("task/spawn.rs", spawn("spawn_inner")),
        (
            "runtime/handle.rs",
            format!("{}{}{block}", spawn("spawn_named"), spawn("spawn_local_named")),
        ),
        (
            "task/local.rs",
            format!("{}self.context.spawn(future, meta);\n", spawn("spawn_local_inner")),
        ),
        ("runtime/runtime.rs", block.clone()),
        ("runtime/local_runtime/runtime.rs", block),
        ("task/blocking.rs", String::from("crate::runtime::scheduler::block_in_place(f)\n")),
        ("macros/support.rs", String::from("crate::runtime::context::thread_rng_n(n)\n")),
        (
            "runtime/builder.rs",
            String::from("let n = self.worker_threads.unwrap_or_else(num_cpus);\n"),
        ),
        (
            "runtime/scheduler/multi_thread/worker.rs",
            String::from("let (idle, idle_synced) = Idle::new(size);\n"),
        ),
        (
            "runtime/scheduler/multi_thread/worker/metrics.rs",
            String::from("self.remotes[worker].steal.len()\n"),
        ),
        (
            "sync/notify.rs",
            String::from(
                "fn poll() {\n    self.poll_notified(Some(cx))\n    ready!(crate::trace::trace_leaf(ctx));\n}\n",
            ),
        ),
        (
            "sync/mutex.rs",
            String::from(
                "async fn acquire(&self) {\n    crate::trace::async_trace_leaf().await;\n}\n",
            ),
        ),
        (
            "new/thing.rs",
            String::from(
                "fn poll_new(cx) {\n    // the fn of it\n    ready!(crate::trace::trace_leaf(cx));\n}\n",
            ),
        ),
    ];
    files.into_iter().filter(|(file, _)| *file != skip).collect()
}

fn patched(skip: &str) -> (Vec<(&'static str, String)>, Result<Report, Foreign>) {
    let mut patcher = Patcher::default();
    let files =
        tree(skip).into_iter().map(|(file, text)| (file, patcher.file(file, &text))).collect();
    (files, patcher.finish())
}

fn text<'a>(files: &'a [(&'static str, String)], name: &str) -> &'a str {
    &files.iter().find(|(file, _)| *file == name).unwrap().1
}

#[test]
fn every_place_is_found_and_no_line_moves() {
    let (files, report) = patched("");
    let report = report.unwrap();
    assert_eq!(
        report,
        Report {
            leaves: 2,
            unknown: vec![String::from("new/thing.rs: poll_new")],
            without: vec![]
        }
    );
    for ((file, before), (_, after)) in tree("").iter().zip(&files) {
        assert_ne!(before, after, "{file}");
        for (number, line) in before.lines().enumerate() {
            let shared = line.trim().get(..6).unwrap_or_default();
            assert!(after.lines().nth(number).unwrap().contains(shared), "{file}:{number}");
        }
    }
}

#[test]
fn a_comment_is_not_a_function() {
    let (files, _) = patched("");
    let after = text(&files, "runtime/runtime.rs");
    assert!(after.starts_with(
        "/// fn block_on<\npub fn block_on<F: Future>(&self, future: F) -> F::Output { let future"
    ));
}

#[test]
fn leaves_are_named_by_their_function() {
    let (files, _) = patched("");
    let expected =
        "ready!(crate::sim_door::leaf(crate::trace::trace_leaf(cx), cx, \"tokio.new.thing\", 0));";
    assert!(text(&files, "new/thing.rs").contains(expected));
    assert!(
        text(&files, "sync/mutex.rs")
            .contains("leaf_of(\"tokio.sync.mutex\", { let object: *const _ = &self.s;")
    );
    assert!(text(&files, "sync/notify.rs").contains("ready!(crate::trace::trace_leaf(ctx));"));
}

#[test]
fn what_the_door_needs_is_refused_by_name() {
    let (_, report) = patched("task/spawn.rs");
    let foreign = report.unwrap_err();
    assert_eq!(
        foreign.to_string(),
        "it has no task::spawn: the oldest version that can be simulated is 1.32"
    );
}

#[test]
fn what_it_can_do_without_is_noted() {
    let (_, report) = patched("macros/support.rs");
    assert_eq!(report.unwrap().without, ["select!'s start"]);
}

#[test]
fn a_source_without_leaves_is_noted() {
    let mut patcher = Patcher::default();
    for (file, text) in tree("")
        .into_iter()
        .filter(|(file, _)| !file.starts_with("sync/mutex") && !file.starts_with("new"))
    {
        let _ = patcher.file(file, &text);
    }
    assert_eq!(patcher.finish().unwrap().without, ["leaf futures"]);
}

#[test]
fn a_version_without_local_runtimes_needs_no_change_of_them() {
    let (_, report) = patched(LOCAL_RUNTIME);
    assert_eq!(report.unwrap().without, Vec::<&str>::new());
    let mut patcher = Patcher::default();
    for (file, text) in tree("runtime/handle.rs") {
        let _ = patcher.file(file, &text);
    }
    let _ = patcher.file("runtime/handle.rs", "fn spawn_named<F>() {}\nfn block_on<F>() {}\n");
    assert_eq!(patcher.finish().unwrap_err().missing, ["LocalRuntime::spawn_local"]);
}
