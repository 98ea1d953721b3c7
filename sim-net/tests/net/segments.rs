//! Every kind of segment, at every position, with every kind of acknowledgement, in every state.
//!
//! The peer is played by hand: each combination gets a connection of its own, brought into the state
//! by the shortest exchange, then one segment. What follows is compared with the rules of RFC 9293,
//! section 3.10.7, that hold everywhere, and the plain cases are written down as a snapshot.

use crate::wire::addr;
use bytes::Bytes;
use sim_core::backend::{Domain, Shutdown, SocketKind};
use sim_core::choice::{Choices, Path, Seed};
use sim_core::{Env, HostId};
use sim_net::{Body, Ends, Flags, NO_PLACE, Packet, Segment, SocketId, Stacks, State};
use std::fmt::Write;
use std::net::SocketAddr;

/// The peer's first number.
const PEER_ISS: u64 = 1_000_000;
const WINDOW: u32 = 65_535;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Next,
    Before,
    Ahead,
    Beyond,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acks {
    Everything,
    Old,
    TooMuch,
}

const POSITIONS: [Position; 4] =
    [Position::Next, Position::Before, Position::Ahead, Position::Beyond];
const ACKS: [Acks; 3] = [Acks::Everything, Acks::Old, Acks::TooMuch];

/// The kinds: name, flags, payload length.
fn kinds() -> [(&'static str, Flags, usize); 12] {
    let none = Flags::from_bits(0);
    let (ack, syn, fin, rst) = (Flags::ACK, Flags::SYN, Flags::FIN, Flags::RST);
    [
        ("nothing", none, 0),
        ("data without ACK", none, 5),
        ("ACK", ack, 0),
        ("data", ack, 5),
        ("FIN", ack | fin, 0),
        ("data and FIN", ack | fin, 5),
        ("SYN", syn, 0),
        ("SYN-ACK", syn | ack, 0),
        ("RST", rst, 0),
        ("RST-ACK", rst | ack, 0),
        ("SYN-FIN", syn | fin, 0),
        ("SYN-RST", syn | rst, 0),
    ]
}

struct Bench {
    env: Env,
    stacks: Stacks,
    /// The socket under test: the listener in LISTEN, none in CLOSED.
    id: Option<SocketId>,
    local: SocketAddr,
    remote: SocketAddr,
    /// The peer's next number, and the next it expects.
    next: u64,
    expected: u64,
    replies: Vec<Segment>,
}

impl Bench {
    fn new() -> Self {
        let mut env = Env::new(Choices::seeded(Seed::from_u64(1)));
        let mut stacks = Stacks::default();
        let host = stacks.add_host(&mut env, Path::WORLD.child("host", 0), addr("10.9.0.1:0").ip());
        assert_eq!(host, HostId::ROOT);
        let (local, remote) = (addr("10.9.0.1:80"), addr("10.9.0.2:5000"));
        Self {
            env,
            stacks,
            id: None,
            local,
            remote,
            next: PEER_ISS,
            expected: 0,
            replies: Vec::new(),
        }
    }

    fn collect(&mut self) {
        let out = std::mem::take(self.stacks.out());
        for (_, packet) in out.packets {
            let Body::Tcp(segment) = packet.body else { panic!("the stack speaks TCP here") };
            self.expected = self.expected.max(segment.seq + segment.seq_len());
            self.replies.push(segment);
        }
    }

    fn inject(&mut self, flags: Flags, seq: u64, ack: u64, len: usize) {
        let payload = Bytes::from(vec![b'p'; len]).into();
        let body = Body::Tcp(Segment { seq, ack, window: WINDOW, flags, payload });
        let flow = Path::WORLD.child("peer", 0);
        let mut packet = Packet {
            ends: Ends::new(self.remote, self.local),
            flow,
            ordinal: 0,
            place: NO_PLACE,
            peer_place: NO_PLACE,
            body,
        };
        self.stacks.receive(&mut self.env, HostId::ROOT, &mut packet);
        self.collect();
    }

    /// The peer sends the next segment in order, acknowledging all.
    fn peer(&mut self, flags: Flags) {
        self.inject(flags | Flags::ACK, self.next, self.expected, 0);
        self.next += u64::from(flags.intersects(Flags::SYN | Flags::FIN));
    }

    fn socket(&mut self) -> SocketId {
        let path = Path::WORLD.child("socket", 0);
        let id = self
            .stacks
            .of(HostId::ROOT)
            .socket(&mut self.env, Domain::Inet, SocketKind::Stream, path)
            .unwrap();
        self.stacks.of(HostId::ROOT).bind(&mut self.env, id, self.local).unwrap();
        id
    }

    fn listen(&mut self) -> SocketId {
        let id = self.socket();
        self.stacks.of(HostId::ROOT).listen(&mut self.env, id, 5).unwrap();
        id
    }

    fn shut(&mut self, id: SocketId) {
        self.stacks.of(HostId::ROOT).shutdown(&mut self.env, id, Shutdown::Write).unwrap();
        self.collect();
    }

    fn established(&mut self) -> SocketId {
        let listener = self.listen();
        self.inject(Flags::SYN, self.next, 0, 0);
        self.next += 1;
        self.peer(Flags::ACK);
        let (id, _) = self.stacks.of(HostId::ROOT).accept(&mut self.env, listener).unwrap();
        self.stacks.of(HostId::ROOT).close(&mut self.env, listener);
        id
    }

    /// A bench whose socket is in `state`.
    fn in_state(state: State) -> Self {
        let mut bench = Self::new();
        let b = &mut bench;
        b.id = match state {
            State::Closed => None,
            State::Listen => Some(b.listen()),
            State::SynSent => {
                let id = b.socket();
                let _in_progress = b.stacks.of(HostId::ROOT).connect(&mut b.env, id, b.remote);
                b.collect();
                Some(id)
            }
            State::SynReceived => {
                let id = b.listen();
                b.inject(Flags::SYN, b.next, 0, 0);
                b.next += 1;
                Some(id)
            }
            _ => {
                let id = b.established();
                let ours_first =
                    [State::FinWait1, State::FinWait2, State::Closing, State::TimeWait];
                if ours_first.contains(&state) {
                    b.shut(id);
                }
                let una = b.expected - 1;
                match state {
                    State::FinWait2 => b.peer(Flags::ACK),
                    State::CloseWait => b.peer(Flags::FIN),
                    State::LastAck => {
                        b.peer(Flags::FIN);
                        b.shut(id);
                    }
                    State::TimeWait => b.peer(Flags::FIN),
                    State::Closing => {
                        b.inject(Flags::FIN | Flags::ACK, b.next, una, 0);
                        b.next += 1;
                    }
                    _ => {}
                }
                Some(id)
            }
        };
        bench.replies.clear();
        assert_eq!(bench.state(), state, "the bench is where it should be");
        bench
    }

    /// The state of the pair of addresses, or of the listener if there is no such pair.
    fn state(&self) -> State {
        let all = self.stacks.connections(HostId::ROOT);
        let pair = all.iter().find(|c| c.local == self.local && c.remote == self.remote);
        let listener = || all.iter().find(|c| c.state == State::Listen);
        pair.or_else(listener).map_or(State::Closed, |c| c.state)
    }

    fn try_segment(&mut self, flags: Flags, len: usize, position: Position, acks: Acks) {
        let seq = match position {
            Position::Next => self.next,
            Position::Before => self.next - 1000,
            Position::Ahead => self.next + 1000,
            Position::Beyond => self.next + 10_000_000,
        };
        let ack = match acks {
            Acks::Everything => self.expected,
            Acks::Old => self.expected.saturating_sub(100_000),
            Acks::TooMuch => self.expected + 1000,
        };
        let ack = if flags.contains(Flags::ACK) { ack } else { 0 };
        self.inject(flags, seq, ack, len);
    }

    fn replies(&self) -> String {
        let texts: Vec<String> =
            self.replies.iter().map(|reply| format!("{:?}", reply.flags)).collect();
        if texts.is_empty() { String::from("-") } else { texts.join(" ") }
    }
}

/// The states that one segment may lead to (RFC 9293, figure 5, and a reset from anywhere).
fn successors(state: State) -> &'static [State] {
    use State::{
        CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynReceived,
        SynSent, TimeWait,
    };
    match state {
        Closed => &[Closed],
        // The listener of a half-open connection stays when that is reset.
        Listen => &[Listen, SynReceived],
        SynSent => &[SynSent, Established, SynReceived, Closed],
        SynReceived => &[SynReceived, Established, CloseWait, Listen],
        Established => &[Established, CloseWait, Closed],
        FinWait1 => &[FinWait1, FinWait2, Closing, TimeWait, Closed],
        FinWait2 => &[FinWait2, TimeWait, Closed],
        CloseWait => &[CloseWait, Closed],
        Closing => &[Closing, TimeWait, Closed],
        LastAck => &[LastAck, Closed],
        // A fresh SYN ends TIME_WAIT; without a listener it is then refused.
        TimeWait => &[TimeWait, Closed],
    }
}

#[test]
fn every_segment_in_every_state() {
    let (mut tried, mut table) = (0, String::new());
    for state in State::ALL {
        writeln!(table, "{}", state.name()).unwrap();
        for (name, flags, len) in kinds() {
            for position in POSITIONS {
                for acks in ACKS {
                    let mut bench = Bench::in_state(state);
                    bench.try_segment(flags, len, position, acks);
                    tried += 1;
                    let (after, what) =
                        (bench.state(), format!("{state:?} {name} {position:?} {acks:?}"));
                    assert!(successors(state).contains(&after), "{what}: to {after:?}");
                    check_replies(&bench, flags, &what);
                    if position != Position::Next {
                        let unsynchronised =
                            [State::Closed, State::Listen, State::SynSent].contains(&state);
                        // Before TIME_WAIT's end only a later SYN counts, and it is by definition ahead.
                        let late_syn = state == State::TimeWait && flags == Flags::SYN;
                        assert!(
                            unsynchronised
                                || late_syn
                                || after == state
                                || acks == Acks::Everything,
                            "{what}: to {after:?}"
                        );
                    }
                    if position == Position::Next && acks == Acks::Everything {
                        writeln!(table, "  {name:16} -> {:11} {}", after.name(), bench.replies())
                            .unwrap();
                    }
                }
            }
        }
    }
    assert_eq!(tried, 11 * 12 * 4 * 3);
    insta::assert_snapshot!("next_in_order", table);
}

/// What holds of every answer, whatever the state.
fn check_replies(bench: &Bench, flags: Flags, what: &str) {
    assert!(
        bench.replies.len() <= 1,
        "{what}: one segment has at most one answer, not {:?}",
        bench.replies
    );
    for reply in &bench.replies {
        assert!(reply.payload.is_empty(), "{what}: there is no data to send");
        assert!(
            !(flags.contains(Flags::RST) && reply.flags.contains(Flags::RST)),
            "{what}: a reset answers a reset"
        );
        let counts = reply.flags.intersects(Flags::ACK | Flags::RST);
        assert!(counts, "{what}: an answer acknowledges or resets, not {reply:?}");
    }
}

/// A reset counts at the very next number alone (RFC 5961).
#[test]
fn a_blind_reset_resets_nothing() {
    for state in [
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::CloseWait,
        State::Closing,
        State::LastAck,
    ] {
        for (position, survives) in [
            (Position::Next, false),
            (Position::Ahead, true),
            (Position::Before, true),
            (Position::Beyond, true),
        ] {
            let mut bench = Bench::in_state(state);
            bench.try_segment(Flags::RST, 0, position, Acks::Old);
            assert_eq!(bench.state() == state, survives, "{state:?} {position:?}");
            assert_eq!(
                bench.replies(),
                if position == Position::Ahead { "." } else { "-" },
                "{state:?} {position:?}"
            );
        }
    }
}
