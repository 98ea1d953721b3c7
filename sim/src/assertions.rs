//! What a program says of itself: what always holds, what sometimes happens, what happens in the end; and faults that it provokes.
//!
//! The macros may stay in the code that is shipped. In a simulated run they are part of the run; elsewhere they cost a look whether there is one:
//!
//! | | in a simulated run | elsewhere |
//! |---|---|---|
//! | [`always!`](crate::always), [`unreachable!`](crate::unreachable) | the run fails as `assertion`, whoever catches the panic | panic with the same text |
//! | [`sometimes!`](crate::sometimes), [`reachable!`](crate::reachable) | a probe: `cargo sim test` fails as `unreached` if no run reaches it | nothing; the condition is not evaluated |
//! | [`eventually!`](crate::eventually) | waits, and fails as `assertion` | waits, and panics; outside a runtime nothing |
//! | [`invariant`] | evaluated after every step; the run fails as `assertion` | nothing |
//! | [`buggify!`](crate::buggify) | now and then true | false |
//!
//! ```
//! use sim::{always, sometimes};
//!
//! fn withdraw(balance: &mut u32, amount: u32) -> bool {
//!     let covered = amount <= *balance;
//!     sometimes!(!covered, "a withdrawal is refused");
//!     if covered {
//!         *balance -= amount;
//!     }
//!     always!(*balance <= 100, "no account holds more than it was given", balance, amount);
//!     covered
//! }
//!
//! let run = sim::Builder::new().run(|| async { withdraw(&mut 30, sim::rand::range(0..100) as u32) });
//! assert_eq!(run.report.probes[0].message, "a withdrawal is refused");
//! ```
//!
//! A probe is known by its message: two places with one message are one probe. And it is known only once some run has come by it, with
//! its condition true or not; nobody lists the places of a program. So `sometimes!` where the code does run finds conditions that never come true, and a place that
//! no run ever comes by is reported only if somebody has said that he expects it, with [`expect_reached`]. Under `cargo test` alone, with its few runs,
//! and in a campaign that a failure has ended, that is a shard of one or has less than 32 runs, nobody judges.
//!
//! A program that enters a world by the tokio or the libc door runs none of this crate's runtimes: there it is as elsewhere.

use core::fmt::{Debug, Write as _};
use core::panic::Location;
use core::time::Duration;
use sim_core::choice::Ratio;
use sim_core::rt;

pub use sim_core::rt::invariant;

/// The longest text of a detail that is told.
const DETAIL_CHARS: usize = 200;

/// Fails unless the condition holds: `always!(condition, "message", details…)`.
///
/// The message says what always holds, in the same words in every run, and is what the failure is known by. Details are expressions
/// whose values are told beside it.
///
/// ```should_panic
/// let (sent, received) = (3, 2);
/// sim::always!(sent == received, "what was sent was received", sent, received);
/// ```
#[macro_export]
macro_rules! always {
    ($condition:expr, $message:literal $(, $detail:expr)* $(,)?) => {
        if !$condition {
            $crate::assertions::failed(
                $message,
                ::core::concat!("condition: ", ::core::stringify!($condition)),
                &[$((::core::stringify!($detail), &$detail)),*],
            );
        }
    };
}

/// Fails where it is reached: `unreachable!("message", details…)`.
///
/// ```should_panic
/// # let state = "closed";
/// sim::unreachable!("a closed connection answers", state);
/// ```
#[macro_export]
macro_rules! unreachable {
    ($message:literal $(, $detail:expr)* $(,)?) => {
        $crate::assertions::failed(
            $message,
            "reached, and must not be",
            &[$((::core::stringify!($detail), &$detail)),*],
        )
    };
}

/// A probe: some run of many must come by with the condition true, `sometimes!(condition, "message")`.
///
/// The condition is evaluated in simulated runs only, so it must change nothing. See the [module](crate::assertions) about what is known
/// of a probe that no run comes by.
#[macro_export]
macro_rules! sometimes {
    ($condition:expr, $message:literal $(,)?) => {
        if $crate::in_simulation() {
            $crate::assertions::probe($message, $condition);
        }
    };
}

/// A probe: a run has come by here, `reachable!("message")`.
#[macro_export]
macro_rules! reachable {
    ($message:literal $(,)?) => {
        $crate::assertions::probe($message, true)
    };
}

/// Waits until the condition holds, and fails if it does not within so much time of the host's monotonic clock:
/// `eventually!(condition, within, "message").await`.
///
/// With its first poll the tail of the run begins: the fault driver heals what it has done and begins nothing more, and every actor has its turns,
/// whatever the strategy, so that it judges the program and neither its circumstances nor the scheduler. What the test itself has done to
/// hosts and links it undoes before. The condition is looked at again after pauses, which begin with a millisecond and grow to a
/// hundredth of the time, so a state that does not last may be missed.
///
/// ```
/// use std::time::Duration;
/// use std::{cell::Cell, rc::Rc};
///
/// sim::Builder::new().run(|| async {
///     let leader = Rc::new(Cell::new(None));
///     let elects = Rc::clone(&leader);
///     sim::spawn(async move {
///         sim::time::sleep(Duration::from_secs(3)).await;
///         elects.set(Some("alice"));
///     }).detach();
///     sim::eventually!(leader.get().is_some(), Duration::from_secs(10), "there is a leader").await;
/// }).unwrap();
/// ```
#[macro_export]
macro_rules! eventually {
    ($condition:expr, $within:expr, $message:literal $(,)?) => {
        $crate::assertions::eventually(
            || $condition,
            $within,
            $message,
            ::core::stringify!($condition),
        )
    };
}

/// Whether a fault is provoked here and now: `buggify!()`, `buggify!(1/100)`, `buggify!("name")`, `buggify!("name", 1/100)`.
///
/// A place is active in a quarter of the runs, and fires in a quarter of its uses there, or with the probability that is given. Both are choices of their
/// own, and the dull answer is no. Without a name the place is the function around it, so that stored failures survive edits; several in one
/// function need names. A run has them where [`Builder::buggify`](crate::Builder::buggify) says so; a `#[sim::test]` where it has faults at all, so with
/// `--faults none` it has none.
///
/// ```
/// use std::time::Duration;
///
/// async fn flush() {
///     if sim::buggify!() {
///         sim::time::sleep(Duration::from_secs(5)).await; // The disk is slow.
///     }
/// }
/// assert!(!sim::buggify!("never outside a simulation", 1/1));
/// # sim::Builder::new().run(flush).unwrap();
/// ```
#[macro_export]
macro_rules! buggify {
    () => {
        $crate::buggify!(1 / 4)
    };
    ($num:literal / $den:literal) => {{
        fn place() {}
        $crate::assertions::buggify($crate::assertions::function(&place), $num, $den)
    }};
    ($name:literal) => {
        $crate::buggify!($name, 1 / 4)
    };
    ($name:literal, $num:literal / $den:literal) => {
        $crate::assertions::buggify(
            ::core::concat!(::core::module_path!(), "::", $name),
            $num,
            $den,
        )
    };
}

/// An assertion does not hold.
#[doc(hidden)]
#[cold]
#[track_caller]
pub fn failed(message: &str, why: &str, details: &[(&str, &dyn Debug)]) -> ! {
    failed_at(message, &told(why, details), Location::caller())
}

#[cold]
#[track_caller]
fn failed_at(message: &str, details: &str, place: &Location<'_>) -> ! {
    rt::assertion_failed(message, details, place);
    let details = details.lines().fold(String::new(), |text, line| text + "\n  " + line);
    panic!("{message}{details}")
}

/// Why an assertion failed, and the values beside it, a line each.
fn told(why: &str, details: &[(&str, &dyn Debug)]) -> String {
    let mut text = format!("{}\n", one_line(why));
    for (name, value) in details {
        let _ = writeln!(text, "{} = {}", one_line(name), one_line(&format!("{value:?}")));
    }
    text
}

fn one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(DETAIL_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[doc(hidden)]
#[track_caller]
pub fn probe(message: &str, reached: bool) {
    rt::probe(message, reached);
}

/// Says that some run must come by the probe `message`, so that it is known although none does.
///
/// A test says so at its beginning, and `cargo sim test` then fails as `unreached` if no run of it comes by. Does nothing outside a simulated
/// run.
///
/// ```
/// let run = sim::Builder::new().run(|| async {
///     sim::assertions::expect_reached("the connection is resumed");
/// });
/// assert_eq!(run.report.probes[0].hits, 0);
/// ```
#[track_caller]
pub fn expect_reached(message: &str) {
    rt::probe(message, false);
}

#[doc(hidden)]
#[track_caller]
pub fn eventually(
    holds: impl FnMut() -> bool,
    within: Duration,
    message: &'static str,
    condition: &'static str,
) -> impl Future<Output = ()> {
    wait_for(holds, within, message, condition, Location::caller())
}

async fn wait_for(
    mut holds: impl FnMut() -> bool,
    within: Duration,
    message: &'static str,
    condition: &'static str,
    place: &'static Location<'static>,
) {
    const FIRST_PAUSE: Duration = Duration::from_millis(1);
    if !rt::is_inside() {
        return;
    }
    rt::begin_tail();
    let began = crate::time::Instant::now();
    let mut pause = FIRST_PAUSE;
    while !holds() {
        let left = within.saturating_sub(began.elapsed());
        if left.is_zero() {
            let why = format!("not within {within:?}, condition: {condition}");
            failed_at(message, &told(&why, &[]), place);
        }
        crate::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(FIRST_PAUSE.max(within / 100));
    }
}

#[doc(hidden)]
#[must_use]
pub fn buggify(place: &'static str, num: u32, den: u32) -> bool {
    rt::buggify(place, Ratio::new(num, den))
}

/// The path of the function in which the function `_place` is declared.
#[doc(hidden)]
#[must_use]
pub fn function<F>(_place: &F) -> &'static str {
    let path = core::any::type_name::<F>();
    path.strip_suffix("::place").unwrap_or(path)
}
