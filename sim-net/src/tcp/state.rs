//! The states of a connection, and what a transition asks of the stack.

/// State of a TCP socket (RFC 9293, section 3.3.2), with the names of `ss` and `/proc/net/tcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the state of the same name in RFC 9293")]
pub enum State {
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Closed,
        Self::Listen,
        Self::SynSent,
        Self::SynReceived,
        Self::Established,
        Self::FinWait1,
        Self::FinWait2,
        Self::CloseWait,
        Self::Closing,
        Self::LastAck,
        Self::TimeWait,
    ];

    /// The name in Linux's listings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSE",
            Self::Listen => "LISTEN",
            Self::SynSent => "SYN_SENT",
            Self::SynReceived => "SYN_RECV",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN_WAIT1",
            Self::FinWait2 => "FIN_WAIT2",
            Self::CloseWait => "CLOSE_WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST_ACK",
            Self::TimeWait => "TIME_WAIT",
        }
    }

    /// Whether data may still be transmitted or retransmitted: the handshake is done and our FIN not acknowledged.
    pub(crate) const fn transmits(self) -> bool {
        matches!(
            self,
            Self::Established | Self::CloseWait | Self::FinWait1 | Self::Closing | Self::LastAck
        )
    }

    /// Whether a program may send (tcp(7)).
    pub(crate) const fn takes_data(self) -> bool {
        matches!(self, Self::Established | Self::CloseWait)
    }

    /// Whether the two ends have agreed on sequence numbers, so that abandoning the connection owes the peer an RST.
    pub(crate) const fn owes_reset(self) -> bool {
        matches!(
            self,
            Self::Established
                | Self::CloseWait
                | Self::FinWait1
                | Self::FinWait2
                | Self::SynReceived
        )
    }
}

/// What the stack must do after a connection took a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a closed connection still stands in the stack's tables until this is done"]
pub(crate) enum Duty {
    /// Nothing.
    Nothing,
    /// The handshake is complete: into the listener's queue.
    Accept,
    /// Both FINs are acknowledged and ours was first: keep the pair of addresses for TIME_WAIT.
    TimeWait,
    /// The connection is gone: take it out of the tables.
    Close,
}
