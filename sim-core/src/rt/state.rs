//! The life of a task, as an explicit machine.
//!
//! ```text
//!            schedule          begin            pending
//!  Created ───────────▶ Scheduled ───▶ Running ─────────▶ Waiting
//!     │                   ▲  ▲  │        │ │ │              │ │
//!     │                   │  └──┼─wake───┼─┼─┼──────────────┘ │
//!     │ abort             │     │abort   │ │ └ ready ▶ Completed
//!     ▼                   │     ▼        │ └── panic ▶ Panicked
//!  Cancelling ◀───────────┼─────┘        │wake, abort while it runs
//!     ▲ │ begin           │              ▼
//!     │ └──▶ Cancelled    └─pending─ RunningWoken     RunningAborted ─pending─▶ Cancelled
//!     └── abort ── Waiting                             (a ready or a panic wins over the abort)
//! ```
//!
//! Who may move it: the owner of a waker calls [`State::wake`], the owner of a handle
//! [`State::abort`], the engine all others. What each move obliges the mover to do is the
//! `#[must_use]` answer. Never: two memberships in the enabled set, a poll after the end, a future
//! dropped while it is polled.

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has a place and a future, and was never in the enabled set.
    Created,
    /// It is in the enabled set (or its host is held).
    Scheduled,
    /// Its future is out of the cell, being polled.
    Running,
    /// As `Running`, and it was woken meanwhile.
    RunningWoken,
    /// As `Running`, and it is to be cancelled if it does not end by itself.
    RunningAborted,
    /// It is out of the set until it is woken.
    Waiting,
    /// It is in the enabled set in order to be dropped.
    Cancelling,
    /// It ended; its output is there or was taken.
    Completed,
    /// Its future was dropped, or its host crashed, before the end.
    Cancelled,
    /// It panicked; the payload is there or was taken.
    Panicked,
}

/// After [`State::wake`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a task to be enqueued is otherwise lost"]
pub enum Wake {
    /// Enter it into the enabled set.
    Enqueue,
    /// It is there, or will be, or has ended.
    Nothing,
}

/// After [`State::begin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the future is to be polled or dropped"]
pub enum Begin {
    /// Take the future out and poll it.
    Poll,
    /// Take the future out, drop it, and tell whoever joins.
    Cancel,
}

/// After [`State::pending`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the future must be put back or dropped"]
pub enum Pending {
    /// Put the future back; somebody will wake it.
    Park,
    /// Put the future back and enter it into the enabled set.
    Enqueue,
    /// Drop the future and tell whoever joins.
    Cancel,
}

/// After [`State::abort`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a task to be enqueued is otherwise never dropped"]
pub enum Abort {
    /// Enter it into the enabled set: it is dropped on its turn, not by the caller.
    Enqueue,
    /// It is in the set, or runs, or has ended: nothing to do.
    Nothing,
}

impl State {
    /// Every state, for tests that enumerate.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Scheduled,
        Self::Running,
        Self::RunningWoken,
        Self::RunningAborted,
        Self::Waiting,
        Self::Cancelling,
        Self::Completed,
        Self::Cancelled,
        Self::Panicked,
    ];

    /// The spawned task enters the enabled set.
    pub fn schedule(&mut self) {
        assert!(
            *self == Self::Created,
            "a task is scheduled once, before anything else ({self:?})"
        );
        *self = Self::Scheduled;
    }

    /// Somebody who holds its waker wakes it.
    #[inline]
    pub fn wake(&mut self) -> Wake {
        match self {
            Self::Waiting => {
                *self = Self::Scheduled;
                Wake::Enqueue
            }
            Self::Running => {
                *self = Self::RunningWoken;
                Wake::Nothing
            }
            _ => Wake::Nothing,
        }
    }

    /// It has the turn.
    #[inline]
    pub fn begin(&mut self) -> Begin {
        match self {
            Self::Scheduled => {
                *self = Self::Running;
                Begin::Poll
            }
            Self::Cancelling => {
                *self = Self::Cancelled;
                Begin::Cancel
            }
            _ => panic!("only a member of the enabled set gets a turn ({self:?})"),
        }
    }

    /// The poll left it waiting.
    #[inline]
    pub fn pending(&mut self) -> Pending {
        match self {
            Self::Running => {
                *self = Self::Waiting;
                Pending::Park
            }
            Self::RunningWoken => {
                *self = Self::Scheduled;
                Pending::Enqueue
            }
            Self::RunningAborted => {
                *self = Self::Cancelled;
                Pending::Cancel
            }
            // Its host crashed during the poll.
            Self::Cancelled => Pending::Cancel,
            _ => panic!("only a running task can be left waiting ({self:?})"),
        }
    }

    /// The poll ended it.
    pub fn complete(&mut self) {
        self.end(Self::Completed);
    }

    /// The poll panicked.
    pub fn panicked(&mut self) {
        self.end(Self::Panicked);
    }

    fn end(&mut self, end: Self) {
        match self {
            Self::Running | Self::RunningWoken | Self::RunningAborted => *self = end,
            // A task that crashed its own host is cancelled, whatever its last poll gave.
            Self::Cancelled => {}
            _ => panic!("only a running task can end ({self:?})"),
        }
    }

    /// The owner of a handle wants it dropped.
    pub fn abort(&mut self) -> Abort {
        match self {
            Self::Waiting => {
                *self = Self::Cancelling;
                Abort::Enqueue
            }
            Self::Scheduled => {
                *self = Self::Cancelling;
                Abort::Nothing
            }
            Self::Running | Self::RunningWoken => {
                *self = Self::RunningAborted;
                Abort::Nothing
            }
            Self::Created => panic!("nobody holds a handle before the task is scheduled"),
            _ => Abort::Nothing,
        }
    }

    /// Its host crashed: it never has a turn again.
    pub fn kill(&mut self) {
        if !self.has_ended() {
            *self = Self::Cancelled;
        }
    }

    /// Whether it has ended, one way or another.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Panicked)
    }

    /// Whether it is a member of the enabled set, or would be if its host ran.
    #[must_use]
    pub fn is_enabled(self) -> bool {
        matches!(self, Self::Scheduled | Self::Cancelling)
    }

    /// The name for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Scheduled => "scheduled",
            Self::Running | Self::RunningWoken | Self::RunningAborted => "running",
            Self::Waiting => "waiting",
            Self::Cancelling | Self::Cancelled => "cancelled",
            Self::Completed => "completed",
            Self::Panicked => "panicked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    type Verb = fn(&mut State);

    const VERBS: [(&str, Verb); 7] = [
        ("schedule", State::schedule),
        ("wake", |s| _ = s.wake()),
        ("begin", |s| _ = s.begin()),
        ("pending", |s| _ = s.pending()),
        ("complete", State::complete),
        ("panicked", State::panicked),
        ("abort", |s| _ = s.abort()),
    ];

    #[test]
    fn every_move_is_listed() {
        let mut moves = Vec::new();
        let mut refused = 0;
        for from in State::ALL {
            for (name, verb) in VERBS {
                match catch_unwind(|| {
                    let mut s = from;
                    verb(&mut s);
                    s
                }) {
                    Ok(to) if to != from => moves.push(format!("{from:?} {name} {to:?}")),
                    Ok(_) => {}
                    Err(_) => refused += 1,
                }
            }
        }
        let expected = [
            "Created schedule Scheduled",
            "Scheduled begin Running",
            "Scheduled abort Cancelling",
            "Running wake RunningWoken",
            "Running pending Waiting",
            "Running complete Completed",
            "Running panicked Panicked",
            "Running abort RunningAborted",
            "RunningWoken pending Scheduled",
            "RunningWoken complete Completed",
            "RunningWoken panicked Panicked",
            "RunningWoken abort RunningAborted",
            "RunningAborted pending Cancelled",
            "RunningAborted complete Completed",
            "RunningAborted panicked Panicked",
            "Waiting wake Scheduled",
            "Waiting abort Cancelling",
            "Cancelling begin Cancelled",
        ];
        assert_eq!(moves, expected);
        assert_eq!(refused, 36, "and every other combination is either no move or a broken belief");
    }

    #[test]
    fn an_end_is_an_end() {
        for end in [State::Completed, State::Cancelled, State::Panicked] {
            let mut state = end;
            assert_eq!((state.wake(), state.abort()), (Wake::Nothing, Abort::Nothing));
            state.kill();
            assert_eq!(state, end);
        }
    }
}
