//! Figure 8 of the Raft paper: a leader counts the replicas of an entry of an earlier term, takes it for committed and applies it;
//! then another is elected that never had it, and overwrites it. The figure has five nodes; three suffice:
//!
//! ```text
//!          terms of the entries       what has happened
//!     a    1 2     1 2     1 3        term 2: a leads and takes in an entry; nobody else gets it before it stops
//!     b    1       1 2     1 3        term 3: c leads with the vote of b, takes in another, and stops
//!     c    1 3     1 3     1 3        term 4: a leads with the vote of b, and brings its entry to b: a majority.
//!                                             With the bug it applies it. It stops before b has anything of term 4
//!                                     term 5: c leads with the vote of b, since 3 is later than 2, and overwrites it
//! ```
//!
//! - Each node has a host of its own, of which faults take power, time and links. Its disk lies outside and loses nothing: what is
//!   lost here is a majority, not a write.
//! - The oracle is state-machine safety, asked at every apply, also when a node that has restarted applies its log again: what
//!   was applied at an index on some node is never anything else on any.
//! - What the bug needs is many leaders, each with something of its own that it does not get rid of. So the timeouts are about
//!   as long as a datagram may take, and one holds one entry.

mod message;
mod node;

use message::{Entry, Index, Message};
use node::{CLIENT, Disk, NODES, Node, Rule, Timer};
use sim::Host;
use sim::net::UdpSocket;
use sim::net::faults::latency;
use sim::time::{Instant, sleep, timeout, timeout_at};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

const PORT: u16 = 7000;
/// By number; the client is the test itself.
const HOSTS: [&str; NODES as usize + 1] = ["a", "b", "c", "main"];
/// For how long the client sends.
const DURATION: Duration = Duration::from_secs(6);
/// How long it waits for an answer.
const RETRY: Duration = Duration::from_millis(100);
/// How long it is silent after one: so long, or twice, four times, … as long.
const SILENCE: Duration = Duration::from_millis(20);
const OCTAVES: u64 = 7;
/// How long a datagram takes, at least and at most.
const LATENCY: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(100);

/// What has been applied anywhere, by index.
type Applied = Rc<RefCell<Vec<Entry>>>;

fn host(number: u32) -> Host {
    sim::host(HOSTS[number as usize])
}

fn address(number: u32) -> SocketAddr {
    SocketAddr::new(host(number).ip(), PORT)
}

/// Runs a node on the caller's host.
async fn serve(id: u32, rule: Rule, disk: Rc<RefCell<Disk>>, applied: Applied) {
    let peers: Vec<SocketAddr> = (0..=NODES).map(address).collect();
    let socket = UdpSocket::bind(peers[id as usize]).await.expect("the port is free");
    let mut node = Node::new(id, rule);
    let mut deadline = Instant::now() + node.patience();
    let mut buffer = [0; 1500];
    loop {
        let timer = match timeout_at(deadline, socket.recv_from(&mut buffer)).await {
            Ok(received) => {
                let (len, _) = received.expect("a socket without a peer has no errors");
                let (from, message) = Message::read(&buffer[..len]);
                node.receive(&mut disk.borrow_mut(), from, message)
            }
            Err(_) => node.expire(&mut disk.borrow_mut()),
        };
        if timer == Timer::BeginsAnew {
            deadline = Instant::now() + node.patience();
        }
        while let Some((index, entry)) = node.next_committed(&disk.borrow()) {
            apply(&mut applied.borrow_mut(), id, index, entry);
        }
        for (to, message) in node.outbox.drain(..) {
            let sent = socket.send_to_addr(&message.write(id), peers[to as usize]).await;
            sent.expect("a datagram is sent or lost");
        }
    }
}

/// The oracle.
fn apply(applied: &mut Vec<Entry>, node: u32, index: Index, entry: Entry) {
    match applied.get(index as usize - 1) {
        Some(&before) => assert_eq!(
            before, entry,
            "a committed entry was overwritten: node {node} applies another at index {index}"
        ),
        None => applied.push(entry),
    }
}

/// Lets what the nodes tell each other take its time: elections and appends overlap then.
fn slow_down() {
    for (a, b) in (0..NODES).flat_map(|a| (0..a).map(move |b| (a, b))) {
        latency(host(a), host(b), LATENCY);
    }
}

/// Tells everybody a command, since it does not know who leads, until a leader says that one is applied; then it is silent for a while.
async fn client() {
    let socket = UdpSocket::bind(address(CLIENT)).await.expect("the port is free");
    let end = Instant::now() + DURATION;
    let mut commands = 0;
    while Instant::now() < end {
        // One command more each time, so that no two entries are equal.
        commands += 1;
        let datagram = Message::Command(commands).write(CLIENT);
        for node in 0..NODES {
            let sent = socket.send_to_addr(&datagram, address(node)).await;
            sent.expect("a datagram is sent or lost");
        }
        if timeout(RETRY, socket.recv_from(&mut [0; 16])).await.is_ok() {
            sleep(SILENCE * (1 << sim::rand::range(0..OCTAVES))).await;
        }
    }
}

/// A cluster and its client; answers what was applied.
async fn cluster(rule: Rule) -> Vec<Entry> {
    let applied = Applied::default();
    slow_down();
    for id in 0..NODES {
        let (disk, applied) = (Rc::default(), Rc::clone(&applied));
        host(id).run(move || serve(id, rule, Rc::clone(&disk), Rc::clone(&applied)));
    }
    client().await;
    applied.take()
}

// One run in several hundred finds it, under light faults as under swarm.
#[sim::test(should_fail = "a committed entry was overwritten", seed = "15", runs = 20_000)]
async fn counting_replicas_of_an_earlier_term_commits_too_early() {
    cluster(Rule::AnyTerm).await;
}

#[sim::test]
async fn a_leader_that_counts_those_of_its_own_term_does_not() {
    cluster(Rule::OwnTerm).await;
}

#[test]
fn without_faults_commands_are_applied() {
    for seed in 0..20 {
        let applied = sim::Builder::new().seed(seed).run(|| cluster(Rule::OwnTerm)).unwrap();
        assert!(applied.len() > 5, "{applied:?}");
    }
}
