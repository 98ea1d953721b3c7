//! What a program has printed of its own failure: all that is known of one that knows nothing of a world.

use sim_core::rt::{Failure, FailureKind};

/// The last panic in a text, as std's hook prints it: `thread 'a' (1) panicked at src/lib.rs:1:2:`, then the message.
#[must_use]
pub fn printed_panic(output: &str) -> Option<Failure> {
    let (before, printed) = output.rsplit_once(" panicked at ")?;
    let (place, rest) = printed.split_once(":\n")?;
    if place.contains('\n') {
        return None;
    }
    let is_message =
        |line: &&str| !line.starts_with("note: ") && !line.starts_with("stack backtrace:");
    let message: Vec<&str> =
        rest.lines().take_while(is_message).take_while(|line| !line.is_empty()).collect();
    let thread = before.rsplit('\n').next().unwrap_or_default().to_owned();
    let mut failure = Failure::new(FailureKind::Panic, message.join("\n"));
    failure.location = Some(place.to_owned());
    failure.details = format!("in {thread}\n");
    Some(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_panic_is_read() {
        let text = "running 1 test\n\nthread 'bug' (7) panicked at tests/bug.rs:3:5:\nassertion failed: a\n  left: 1\nnote: run with `RUST_BACKTRACE=1`\ntest bug ... FAILED\n";
        let failure = printed_panic(text).unwrap();
        assert_eq!(failure.message, "assertion failed: a\n  left: 1");
        assert_eq!(failure.location.as_deref(), Some("tests/bug.rs:3:5"));
        assert_eq!(failure.details, "in thread 'bug' (7)\n");
        assert_eq!(printed_panic("all is well"), None);
    }
}
