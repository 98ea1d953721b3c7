//! What is changed in tokio's source.
//!
//! Each change inserts a call of `crate::sim_door` (see `inlay/mod.rs`) on a line that is there already, so that every
//! line keeps its number: panics and tracing spans of the user's tokio name lines.
//!
//! | change | without it |
//! |---|---|
//! | spawned and `block_on` futures go behind a gate | the version is refused: its tasks could not be ordered |
//! | `sim_door` is a module of the crate | the version is refused |
//! | leaf futures are sync points | a note: only polls are ordered |
//! | the rest | a note |
//!
//! Places are found by the names of functions and by the calls in them, which have been the same from tokio 1.32 to
//! 1.54. A place that is not found is reported, never skipped in silence.

use crate::sites::LEAVES;
use std::fmt;

/// The oldest version that is known to have every place.
pub const OLDEST: &str = "1.32";

/// What the changes found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Leaf futures that became sync points.
    pub leaves: usize,
    /// Those of them that are not known by name, as `file: function`.
    pub unknown: Vec<String>,
    /// Changes that found no place, and that the door can do without.
    pub without: Vec<&'static str>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sync points", self.leaves)?;
        if !self.unknown.is_empty() {
            write!(f, ", of which without a name: {}", self.unknown.join(", "))?;
        }
        match self.without.as_slice() {
            [] => Ok(()),
            without => write!(f, "; not there: {}", without.join(", ")),
        }
    }
}

/// A source that cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The places that were not found.
    pub missing: Vec<&'static str>,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = self.missing.join(", ");
        write!(f, "it has no {missing}: the oldest version that can be simulated is {OLDEST}")
    }
}

impl std::error::Error for Foreign {}

/// A change of one function of one file.
struct Change {
    /// The file, from `src/`.
    file: &'static str,
    what: &'static str,
    place: Place,
    need: Need,
}

/// When the door cannot do without a change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Always,
    /// In a version that has local runtimes.
    WithLocalRuntime,
    Never,
}

/// The file that versions with local runtimes have.
const LOCAL_RUNTIME: &str = "runtime/local_runtime/runtime.rs";

enum Place {
    /// Behind the opening brace of the first of these functions that the file has.
    Entry(&'static [&'static str], &'static str),
    /// Instead of a text, wherever it stands.
    Text(&'static str, &'static str),
    /// At the end of the file, which moves no line.
    End(&'static str),
}

use Place::{End, Entry, Text};

const SPAWNED: &str = " let future = crate::sim_door::spawned(future);";
const DRIVEN: &str = " let future = crate::sim_door::driven(future);";
const BLOCKED_ON: &str = " let future = crate::sim_door::blocked_on(future);";

/// A grant in the middle of a wait comes from outside the runtime, although on its thread: what the runtime does for a wake of its
/// own, which is to go on without a word because it runs, would leave it asleep.
const WITHOUT_SCHEDULER: &str = "
cfg_rt! {
    pub(crate) fn sim_without_scheduler<R>(f: impl FnOnce() -> R) -> R {
        struct Reset(*const scheduler::Context);
        impl Drop for Reset {
            fn drop(&mut self) {
                let _ = CONTEXT.try_with(|c| c.scheduler.inner.set(self.0));
            }
        }
        let before = CONTEXT.try_with(|c| c.scheduler.inner.replace(std::ptr::null()));
        let _reset = before.ok().map(Reset);
        f()
    }
}
#[cfg(not(feature = \"rt\"))]
pub(crate) fn sim_without_scheduler<R>(f: impl FnOnce() -> R) -> R {
    f()
}
";

/// Every change but that of the leaves.
const CHANGES: &[Change] = &[
    needed("lib.rs", "crate root", End("\nmod sim_door;\n")),
    needed("runtime/context.rs", "scheduler's context", End(WITHOUT_SCHEDULER)),
    needed("task/spawn.rs", "task::spawn", Entry(&["spawn_inner"], SPAWNED)),
    needed("runtime/handle.rs", "Handle::spawn", Entry(&["spawn_named"], SPAWNED)),
    local("runtime/handle.rs", "LocalRuntime::spawn_local", Entry(&["spawn_local_named"], SPAWNED)),
    needed("task/local.rs", "task::spawn_local", Entry(&["spawn_local_inner"], DRIVEN)),
    needed(
        "task/local.rs",
        "LocalSet::spawn_local",
        Text("self.context.spawn(future,", "self.context.spawn(crate::sim_door::driven(future),"),
    ),
    needed(
        "runtime/runtime.rs",
        "Runtime::block_on",
        Entry(&["block_on_inner", "block_on"], BLOCKED_ON),
    ),
    needed(
        "runtime/handle.rs",
        "Handle::block_on",
        Entry(&["block_on_inner", "block_on"], BLOCKED_ON),
    ),
    local(
        LOCAL_RUNTIME,
        "LocalRuntime::block_on",
        Entry(&["block_on_inner", "block_on"], BLOCKED_ON),
    ),
    optional(
        "task/blocking.rs",
        "block_in_place",
        Text(
            "crate::runtime::scheduler::block_in_place(f)",
            "crate::runtime::scheduler::block_in_place(crate::sim_door::unturned(f))",
        ),
    ),
    optional(
        "macros/support.rs",
        "select!'s start",
        Text(
            "crate::runtime::context::thread_rng_n(n)",
            "crate::sim_door::branch(n, crate::runtime::context::thread_rng_n)",
        ),
    ),
    optional(
        "runtime/builder.rs",
        "number of workers",
        Text(
            "= self.worker_threads.unwrap_or_else(num_cpus);",
            "= crate::sim_door::workers(self.worker_threads.unwrap_or_else(num_cpus));",
        ),
    ),
    optional(
        "runtime/scheduler/multi_thread/worker.rs",
        "metrics of workers",
        Text(
            "let (idle, idle_synced) = Idle::new(size);",
            "crate::sim_door::show_workers(&mut worker_metrics, || WorkerMetrics::from_config(&config)); let (idle, idle_synced) = Idle::new(size);",
        ),
    ),
    optional(
        "runtime/scheduler/multi_thread/worker/metrics.rs",
        "queues of workers",
        Text(
            "self.remotes[worker].steal.len()",
            "self.remotes.get(worker).map_or(0, |remote| remote.steal.len())",
        ),
    ),
    optional(
        "sync/notify.rs",
        "Notified",
        Text(
            "self.poll_notified(Some(cx",
            "std::task::ready!(crate::sim_door::leaf(Poll::Ready(()), cx, \"tokio.sync.notify\", { let object: *const _ = &*self.notify; object.cast::<()>() as usize })); self.poll_notified(Some(cx",
        ),
    ),
];

const fn needed(file: &'static str, what: &'static str, place: Place) -> Change {
    Change { file, what, place, need: Need::Always }
}

const fn local(file: &'static str, what: &'static str, place: Place) -> Change {
    Change { file, what, place, need: Need::WithLocalRuntime }
}

const fn optional(file: &'static str, what: &'static str, place: Place) -> Change {
    Change { file, what, place, need: Need::Never }
}

/// The changes of one source tree, file by file.
#[derive(Debug)]
pub struct Patcher {
    found: Vec<bool>,
    has_local_runtime: bool,
    report: Report,
}

impl Default for Patcher {
    fn default() -> Self {
        Self {
            found: vec![false; CHANGES.len()],
            has_local_runtime: false,
            report: Report::default(),
        }
    }
}

impl Patcher {
    /// The text of a file, `path` from `src/` with `/` between folders, after the changes.
    #[must_use]
    pub fn file(&mut self, path: &str, text: &str) -> String {
        self.has_local_runtime |= path == LOCAL_RUNTIME;
        let mut text = text.to_owned();
        for (change, found) in CHANGES.iter().zip(&mut self.found) {
            if change.file == path {
                *found |= change.place.apply(&mut text);
            }
        }
        if path.starts_with("lib.rs") { text } else { self.leaves(path, &text) }
    }

    /// What was found.
    ///
    /// # Errors
    /// If a place that the door cannot do without was not there.
    pub fn finish(mut self) -> Result<Report, Foreign> {
        let lost = |need| {
            let is_lost = move |(change, found): &(&Change, &bool)| !**found && change.need == need;
            CHANGES.iter().zip(&self.found).filter(is_lost).map(|(change, _)| change.what)
        };
        let mut missing: Vec<_> = lost(Need::Always).collect();
        if self.has_local_runtime {
            missing.extend(lost(Need::WithLocalRuntime));
        }
        if !missing.is_empty() {
            return Err(Foreign { missing });
        }
        self.report.without = lost(Need::Never).collect();
        if self.report.leaves == 0 {
            self.report.without.push("leaf futures");
        }
        Ok(self.report)
    }

    /// Makes the leaf futures of a file sync points.
    fn leaves(&mut self, path: &str, text: &str) -> String {
        const POLL: &str = "crate::trace::trace_leaf(";
        const ASYNC: &str = "crate::trace::async_trace_leaf().await;";
        let mut changed = String::with_capacity(text.len());
        let mut rest = text;
        loop {
            let next = [POLL, ASYNC].into_iter().filter_map(|call| Some((rest.find(call)?, call)));
            let Some((at, call)) = next.min() else { break };
            let before = text.len() - rest.len() + at;
            // Inside a task dump only: `Notified` is a sync point of its own.
            let is_dump = path == "sync/notify.rs";
            let end = if call == POLL {
                rest[at..].find(')').map(|len| at + len + 1)
            } else {
                Some(at + call.len())
            };
            let Some(end) = end else { break };
            changed.push_str(&rest[..at]);
            let original = &rest[at..end];
            if is_dump {
                changed.push_str(original);
            } else {
                let (kind, object) = self.name(path, function_before(&text[..before]));
                if call == POLL {
                    let cx = &original[POLL.len()..original.len() - 1];
                    changed.push_str(&format!(
                        "crate::sim_door::leaf({original}, {cx}, \"{kind}\", {object})"
                    ));
                } else {
                    changed.push_str(&format!(
                        "{original} crate::sim_door::leaf_of(\"{kind}\", {object}).await;"
                    ));
                }
            }
            rest = &rest[end..];
        }
        changed.push_str(rest);
        changed
    }

    /// Kind and object of the leaf in `function` of the file.
    fn name(&mut self, path: &str, function: &str) -> (String, String) {
        self.report.leaves += 1;
        match LEAVES.iter().find(|leaf| leaf.file == path && leaf.function == function) {
            Some(leaf) if leaf.object.is_empty() => (leaf.kind.to_owned(), String::from("0")),
            Some(leaf) => (leaf.kind.to_owned(), address(leaf.object)),
            None => {
                self.report.unknown.push(format!("{path}: {function}"));
                let kind = path.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', ".");
                (format!("tokio.{kind}"), String::from("0"))
            }
        }
    }
}

/// An expression for the address of what a reference refers to.
fn address(reference: &str) -> String {
    format!("{{ let object: *const _ = {reference}; object.cast::<()>() as usize }}")
}

/// The name of the last function that begins before the end of `text`.
fn function_before(text: &str) -> &str {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.rmatch_indices("fn ")
        .filter(|(at, _)| !text[..*at].ends_with(is_name) && !is_comment(text, *at))
        .map(|(at, found)| &text[at + found.len()..])
        .find_map(|rest| {
            let len = rest.find(|c| !is_name(c))?;
            (len > 0 && rest[len..].starts_with(['<', '('])).then(|| &rest[..len])
        })
        .unwrap_or_default()
}

impl Place {
    /// Whether it was found; if so, `text` is changed.
    fn apply(&self, text: &mut String) -> bool {
        match self {
            End(more) => {
                text.push_str(more);
                true
            }
            Text(old, new) => {
                let found = text.contains(old);
                *text = text.replace(old, new);
                found
            }
            Entry(functions, more) => {
                let body = functions.iter().find_map(|function| body_of(text, function));
                if let Some(at) = body {
                    text.insert_str(at, more);
                }
                body.is_some()
            }
        }
    }
}

/// Behind the opening brace of the generic function `name`. Comments that mention it are not code.
fn body_of(text: &str, name: &str) -> Option<usize> {
    let head = format!("fn {name}<");
    let (at, _) = text.match_indices(&head).find(|(at, _)| !is_comment(text, *at))?;
    Some(at + text[at..].find('{')? + 1)
}

/// Whether the place is in a line of comment.
fn is_comment(text: &str, at: usize) -> bool {
    let line = text[..at].rsplit('\n').next().unwrap_or_default();
    line.trim_start().starts_with("//")
}

#[cfg(test)]
mod tests;
