//! Panics of the program: caught at the poll, with their place.
//!
//! The payload that `catch_unwind` gives has no location, so a hook, put before the one that was
//! there, notes it for the thread whose task is being polled. While a search runs thousands of
//! seeds the hook keeps silent; on a replay the earlier hook prints as ever.

use super::current;
use core::any::Any;
use core::cell::{Cell, RefCell};
use std::panic;
use std::sync::Once;

thread_local! {
    /// Whether a task of this thread is being polled, and whether its panics are printed.
    static WATCHED: Cell<Watch> = const { Cell::new(Watch::No) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    No,
    Silent,
    Loud,
}

static HOOK: Once = Once::new();

/// Puts the hook in its place, once a process.
pub(super) fn install() {
    HOOK.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let watched = WATCHED.try_with(Cell::get).unwrap_or(Watch::No);
            // A panic under the borrow is a defect of ours and is never kept silent.
            let watch = if current::is_borrowed() { Watch::No } else { watched };
            if watch != Watch::No {
                let place = info.location().map(ToString::to_string);
                PLACE.with(|last| *last.borrow_mut() = place);
            }
            if watch != Watch::Silent {
                earlier(info);
            }
        }));
    });
}

/// Has the panics of this thread watched while `f` runs, which drives tasks.
pub(super) fn watching<R>(silent: bool, f: impl FnOnce() -> R) -> R {
    /// Ends the watch also when `f` panics.
    struct Before(Watch);
    impl Drop for Before {
        fn drop(&mut self) {
            WATCHED.set(self.0);
        }
    }
    let _before = Before(WATCHED.replace(if silent { Watch::Silent } else { Watch::Loud }));
    f()
}

/// Runs the program's code, catching its panic.
#[inline]
pub(super) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, super::task::Payload> {
    // What `f` touches is dropped by the caller if it panicked, and the runtime is not borrowed meanwhile.
    panic::catch_unwind(panic::AssertUnwindSafe(f))
}

/// The place of the last panic that was caught on this thread.
pub(super) fn take_place() -> Option<String> {
    PLACE.with(|last| last.borrow_mut().take())
}

/// A payload's text.
#[must_use]
pub fn message(payload: &(dyn Any + Send)) -> &str {
    match payload.downcast_ref::<String>() {
        Some(text) => text,
        None => {
            payload.downcast_ref::<&'static str>().copied().unwrap_or("(a payload that is no text)")
        }
    }
}
