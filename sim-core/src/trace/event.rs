//! What happened, one flat record an event.

use crate::choice::Path;
use sim_time::Instant;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $number:literal, $name:literal;)*) => {
        /// What kind of thing happened. The numbers are part of the binary trace and of every fingerprint.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Kind { $($(#[$doc])* $kind = $number,)* }

        impl Kind {
            /// The name in texts.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The kind with this number, if there is one.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$kind),)* _ => None }
            }
        }
    };
}

kinds! {
    /// A task was polled. Object: its turn.
    Poll = 1, "poll";
    /// A task was spawned. Object: its ordinal among equal siblings; actor: the new task.
    Spawn = 2, "spawn";
    /// A task ended. Object: 0 completed, 1 cancelled, 2 panicked.
    End = 3, "end";
    /// A timer fired. Object: its ordinal among its task's timers.
    Timer = 4, "timer";
    /// A packet left its socket. Object: its number on its flow; length and data: the payload's.
    Send = 10, "send";
    /// A packet arrived. Object: its number on its flow; length: the payload's.
    Deliver = 11, "deliver";
    /// A packet was lost. Object: its number on its flow; data: why (0 loss, 1 partition, 2 no such host, 3 queue full).
    Drop = 12, "drop";
    /// A kernel's own timer ran out: retransmission, TIME_WAIT, delayed acknowledgement. Object: which socket.
    KernelTimer = 13, "kernel-timer";
    /// A call into the kernel. Object: the call's number ([`crate::backend::Call`]); length: its result; data: the payload's hash or the error.
    Call = 20, "call";
    /// A file operation completed. Object: its number; length: its result.
    Complete = 21, "complete";
    /// A host started. Object: its incarnation.
    HostUp = 30, "host-up";
    /// A host crashed. Object: its incarnation.
    HostCrash = 31, "host-crash";
    /// A host was paused (length 1) or went on (length 0).
    HostPause = 32, "host-pause";
    /// A fault began (length 1) or ended (length 0). Object: which.
    Fault = 33, "fault";
    /// A value the program asked to be part of the fingerprint.
    Observe = 40, "observe";
    /// Entropy was drawn. Length: how many bytes; data: their hash.
    Entropy = 41, "entropy";
}

/// One event of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in true time of the world.
    pub at: Instant,
    /// What.
    pub kind: Kind,
    /// Whose path.
    pub actor: Path,
    /// Which of the actor's objects, by ordinal; see [`Kind`].
    pub object: u64,
    /// A length in bytes or a small result; see [`Kind`].
    pub len: u64,
    /// A payload's hash or a detail; see [`Kind`].
    pub data: u64,
}
