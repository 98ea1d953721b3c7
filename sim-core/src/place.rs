//! Where in its source the program stands: the frames of its own code, read off a backtrace.
//!
//! Only replays ask, and only for a few turns: a backtrace costs more than most runs. Without debug information a frame is
//! its function alone.

use std::backtrace::Backtrace;
use std::fmt::Write as _;

/// How many frames are told.
const FRAMES: usize = 6;

/// Crates whose frames are never the program's own: what runs it, and what it is run by.
const NOT_ITS_OWN: [&str; 22] = [
    "std",
    "core",
    "alloc",
    "test",
    "tokio",
    "futures_core",
    "futures_util",
    "futures_executor",
    "pin_project_lite",
    "backtrace",
    "sim",
    "sim_abi",
    "sim_core",
    "sim_fs",
    "sim_libc",
    "sim_net",
    "sim_os",
    "sim_time",
    "sim_tokio",
    "sim_worker",
    "sim_world",
    "sim_explore",
];

/// How the paths of this project's own sources begin: those of all its crates, whose names do too.
fn ours() -> &'static str {
    let here = env!("CARGO_MANIFEST_DIR");
    here.strip_suffix("-core").unwrap_or(here)
}

/// Where the caller was called from: the frames of the program's own code, innermost first, a line each, `function` or
/// `function at file:line`. Empty where there are none.
#[must_use]
#[cold]
pub fn here() -> String {
    own_frames(&Backtrace::force_capture().to_string())
}

/// The frames of a printed backtrace that are the program's own, or those of its libraries where there are no others.
fn own_frames(printed: &str) -> String {
    let frames = named(frames(printed));
    let all = || frames.iter().filter(|frame| !frame.is_of_the_machinery());
    let own: Vec<&Frame<'_>> = all().filter(|frame| !frame.is_of_a_library()).collect();
    let chosen = if own.is_empty() { all().collect() } else { own };
    chosen.into_iter().take(FRAMES).fold(String::new(), |mut text, frame| {
        let _ = match frame.place {
            Some(place) => writeln!(text, "{} at {place}", frame.function),
            None => writeln!(text, "{}", frame.function),
        };
        text
    })
}

/// A line of a backtrace, with the line below it.
#[derive(Debug)]
struct Frame<'t> {
    function: &'t str,
    /// `file:line`.
    place: Option<&'t str>,
}

fn frames(printed: &str) -> Vec<Frame<'_>> {
    let mut frames: Vec<Frame<'_>> = Vec::new();
    for line in printed.lines().map(str::trim) {
        if let Some(place) = line.strip_prefix("at ") {
            if let Some(frame) = frames.last_mut() {
                frame.place = Some(without_column(place));
            }
        } else if let Some((number, function)) = line.split_once(": ")
            && number.bytes().all(|byte| byte.is_ascii_digit())
        {
            frames.push(Frame { function, place: None });
        }
    }
    frames
}

/// Gives an async function that was compiled into its caller the name that the caller tells its future by.
fn named(mut frames: Vec<Frame<'_>>) -> Vec<Frame<'_>> {
    for at in 1..frames.len() {
        let told = frames[at].function.split_once('<').and_then(|(_, rest)| rest.strip_suffix('>'));
        if let Some(told) = told
            && told.ends_with("_env#0}")
            && frames[at - 1].function.starts_with('{')
        {
            frames[at - 1].function = told;
        }
    }
    frames
}

/// `file:line` of `file:line:column`, without the `./` of what lies in the working directory.
fn without_column(place: &str) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let place = place.strip_prefix("./").unwrap_or(place);
    match place.rsplit_once(':') {
        Some((before, last))
            if is_number(last)
                && before.rsplit_once(':').is_some_and(|(_, line)| is_number(line)) =>
        {
            before
        }
        _ => place,
    }
}

impl Frame<'_> {
    /// The crate that its function is of: the first name in it that has a path. None for a function that was compiled into its
    /// caller and lost its path.
    fn crate_name(&self) -> Option<&str> {
        let mut name = self.function.trim_start_matches(['<', '&', '*', '[', '(']);
        for word in ["dyn ", "mut ", "impl "] {
            name = name.strip_prefix(word).unwrap_or(name);
        }
        let (name, _) = name.split_once("::")?;
        let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        (is_name && !name.is_empty()).then_some(name)
    }

    /// Whether it is of what runs the program: this project, the runtime, the standard library, the C library.
    fn is_of_the_machinery(&self) -> bool {
        let is_elsewhere = self
            .place
            .is_some_and(|place| place.starts_with("/rustc/") || place.starts_with(ours()));
        match self.crate_name() {
            Some(name) => is_elsewhere || name.starts_with("__") || NOT_ITS_OWN.contains(&name),
            // A closure or an async function without its path; what else has none is C's or a library's.
            None => {
                let is_closure = self.function.starts_with('{') && self.place.is_some();
                is_elsewhere || !is_closure || self.is_of_a_library()
            }
        }
    }

    /// Whether its source lies where cargo keeps what it has fetched or where a changed copy was built.
    fn is_of_a_library(&self) -> bool {
        let folders = ["/registry/src/", "/git/checkouts/", "/sim-copies/", "/vendor/"];
        self.place.is_some_and(|place| folders.iter().any(|folder| place.contains(folder)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "   0: std::backtrace::Backtrace::force_capture
             at /rustc/59807616e1fa/library/std/src/backtrace.rs:331:18
   1: sim_core::place::here
             at /elsewhere/sim-core/src/place.rs:20:5
   2: sim_libc::gate::sync_point
   3: <tokio::sync::mutex::Mutex<i32>>::acquire::{closure#0}
             at /target/sim-copies/tokio/src/sync/mutex.rs:660:20
   4: hyper::proto::h1::dispatch::Dispatcher<D,Bs,I,T>::poll_read
             at /root/.cargo/registry/src/index/hyper-1.7.0/src/proto.rs:12:3
   5: race::sell::{closure#0}
             at ./src/lib.rs:12:36
   6: <race::Customer as core::future::future::Future>::poll
             at ./src/lib.rs:24:48
   7: <core::pin::Pin<&mut dyn core::future::Future<Output = ()>> as core::future::Future>::poll
             at /rustc/59807616e1fa/library/core/src/future/future.rs:133:9
   8: {closure#0}<core::task::poll::Poll<()>, sim_core::rt::timers::{impl#4}::poll::{closure_env#0}>
             at /elsewhere/sim-core/src/rt/current.rs:73:9
   9: {async_fn#0}
             at ./src/lib.rs:31:26
  10: poll<race::report::{async_fn_env#0}>
             at /elsewhere/sim-core/src/rt/task.rs:58:16
  11: __libc_start_main
  12: main
";

    /// As it is printed where this crate lies.
    fn printed() -> String {
        let root = ours().strip_suffix("/sim").unwrap();
        PRINTED.replace("/elsewhere", root)
    }

    #[test]
    fn the_programs_own_frames_are_left() {
        let expected = "race::sell::{closure#0} at src/lib.rs:12\n\
            <race::Customer as core::future::future::Future>::poll at src/lib.rs:24\n\
            race::report::{async_fn_env#0} at src/lib.rs:31\n";
        assert_eq!(own_frames(&printed()), expected);
    }

    #[test]
    fn a_librarys_frames_stand_in_for_them() {
        let library: String = printed()
            .lines()
            .filter(|line| !line.contains("/lib.rs") && !line.contains("race::"))
            .fold(String::new(), |text, line| text + line + "\n");
        assert!(own_frames(&library).starts_with("hyper::proto"), "{}", own_frames(&library));
    }

    #[test]
    fn without_debug_information_functions_are_told() {
        let bare: String = printed()
            .lines()
            .filter(|line| !line.trim().starts_with("at "))
            .fold(String::new(), |text, line| text + line + "\n");
        assert!(own_frames(&bare).contains("race::sell::{closure#0}\n"), "{}", own_frames(&bare));
    }

    #[test]
    fn somewhere_is_found() {
        // This crate is none of the program's own.
        assert_eq!(here(), "");
    }
}
