//! The recorded answers of a real Linux kernel (6.18), replayed against the stack, answer by answer.
//!
//! Each case of the two recordings is either replayed here, by the same steps as the probe that made
//! it, or listed in [`NOT_APPLICABLE`] with the reason. Answers are compared as text. Where an answer
//! depends on the recording machine (times, buffer sizes), [`Answers::near`] and [`Answers::within`] compare ranges.

mod binding;
mod buffers;
mod epoll;
mod setup;
mod stream;
mod two_hosts;
mod udp;

use crate::wire::{Net, Sock, host};
use serde_json::Value;
use sim_core::backend::Readiness;
use sim_core::{Errno, Result};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

const LOOPBACK: &str =
    include_str!("../../../../tests/oracle/linux_oracle_tcp_udp_unix_pipes_v6.json");
const NETNS: &str = include_str!("../../../../tests/oracle/linux_oracle_netns.json");

/// Cases whose operations do not exist at this height, by the beginning of their names.
const NOT_APPLICABLE: &[(&str, &str)] = &[
    ("unix.", "named by the world's disk: replayed in the workspace's tests, `recorded`"),
    ("pipe.", "descriptors of the world: replayed in the workspace's tests, `recorded`"),
    ("tcp.SO_RCVTIMEO", "a blocking call's deadline belongs to the door that blocks"),
    ("tcp.OOB", "urgent data is not modelled"),
    ("tcp.accept_EMFILE", "descriptor limits belong to the world"),
    ("epoll.close_with_dup", "dup belongs to the world"),
    ("epoll.ctl_errors", "epoll objects belong to the world"),
    ("epoll.order_LT", "the order of reports belongs to the world's epoll objects"),
    ("udp.IP_RECVERR", "error queues are not modelled"),
    ("udp.multicast", "multicast is not modelled"),
    ("net.sysctl", "settings of the recording host; they are this crate's constants"),
    ("net.route_", "routes are not modelled, only addresses"),
    ("net.bcast_udp", "network masks are not modelled, so 10.9.0.255 is an address like others"),
    ("net.connect_SO_SNDTIMEO", "a blocking call's deadline belongs to the door that blocks"),
    (
        "net.tcp_retries2=3",
        "the number of retries cannot be set; the formula has a test of its own",
    ),
    ("net.local_link_down", "interfaces are not modelled"),
    ("net.local_addr_removed", "interfaces are not modelled"),
    ("net.SO_LINGER_1s", "close(2) does not block here; a notice says so"),
];

type Case = fn(&mut Answers);

fn cases() -> Vec<(&'static str, Case)> {
    [
        setup::CASES,
        stream::CASES,
        binding::CASES,
        buffers::CASES,
        epoll::CASES,
        udp::CASES,
        two_hosts::CASES,
    ]
    .concat()
}

/// The recorded answers of one case, and what the stack answered differently.
pub(crate) struct Answers {
    recorded: BTreeMap<String, Value>,
    differences: Vec<String>,
}

impl Answers {
    fn take(&mut self, key: &str) -> Option<Value> {
        let value = self.recorded.remove(key);
        if value.is_none() {
            self.differences.push(format!("{key} was not recorded, or is compared twice"));
        }
        value
    }

    /// The answer must be this very text or value.
    pub(crate) fn is(&mut self, key: &str, got: impl Into<Value>) {
        let got = got.into();
        if let Some(want) = self.take(key)
            && want != got
        {
            self.differences.push(format!("{key}: Linux {want}, here {got}"));
        }
    }

    /// The recorded number must lie in this range around what the stack answered: `low` to `high` times.
    pub(crate) fn within(&mut self, key: &str, got: f64, low: f64, high: f64) {
        let Some(want) = self.take(key) else { return };
        let number = want.as_f64().unwrap_or(f64::NAN);
        if !(number * low..=number * high).contains(&got) {
            self.differences
                .push(format!("{key}: Linux {want}, here {got}, not within {low} to {high} times"));
        }
    }

    /// The recorded seconds, to a twentieth and a fifth of a second: the recorder polls, and its kernel ticks.
    pub(crate) fn near(&mut self, key: &str, got: Option<Duration>) {
        let Some(want) = self.take(key) else { return };
        self.compare_seconds(key, &want, got);
    }

    /// A recorded pair of poll bits and the seconds until they came.
    pub(crate) fn event(&mut self, key: &str, got: (String, Duration)) {
        let Some(want) = self.take(key) else { return };
        if want[0] != got.0.as_str() {
            self.differences.push(format!("{key}: Linux {want}, here {got:?}"));
        }
        self.compare_seconds(key, &want[1], Some(got.1));
    }

    pub(crate) fn compare_seconds(&mut self, key: &str, want: &Value, got: Option<Duration>) {
        let number = want.as_f64().unwrap_or(f64::NAN);
        let close =
            got.is_some_and(|got| (got.as_secs_f64() - number).abs() <= 0.2 + number / 20.0);
        if !close {
            self.differences.push(format!("{key}: Linux {want} s, here {got:?}"));
        }
    }

    /// The recorded value is not comparable, and why.
    pub(crate) fn skip(&mut self, key: &str, _why: &str) {
        self.take(key);
    }

    pub(crate) fn recorded(&mut self, key: &str) -> Value {
        self.take(key).unwrap_or(Value::Null)
    }

    pub(crate) fn differs(&mut self, text: String) {
        self.differences.push(text);
    }
}

#[test]
fn every_applicable_recorded_answer_is_given() {
    let mut recorded: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for text in [LOOPBACK, NETNS] {
        let list: Vec<BTreeMap<String, Value>> =
            serde_json::from_str(text).expect("the recordings are lists of cases");
        for mut case in list {
            let name = case
                .remove("case")
                .and_then(|name| name.as_str().map(String::from))
                .expect("cases have names");
            assert!(recorded.insert(name, case).is_none(), "names are unique");
        }
    }
    let total = recorded.len();
    let (mut passed, mut failed) = (0, Vec::new());
    for (name, case) in cases() {
        let answers = recorded
            .remove(name)
            .unwrap_or_else(|| panic!("{name} is not among the recorded cases"));
        let mut answers = Answers { recorded: answers, differences: Vec::new() };
        case(&mut answers);
        let unread: Vec<_> = answers.recorded.keys().cloned().collect();
        answers.differences.extend(unread.into_iter().map(|key| format!("{key} was not compared")));
        match answers.differences.is_empty() {
            true => passed += 1,
            false => failed.push(format!("{name}:\n    {}", answers.differences.join("\n    "))),
        }
    }
    for name in recorded.keys() {
        let reason = NOT_APPLICABLE.iter().find(|(begin, _)| name.starts_with(begin));
        assert!(reason.is_some(), "{name} is neither replayed nor listed with a reason");
    }
    let applicable = total - recorded.len();
    println!("{applicable} of {total} recorded cases apply, {passed} pass");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!((total, applicable, passed), (147, 109, 109));
}

/// An outcome as the recordings write it.
pub(crate) fn outcome<T>(result: &Result<T>) -> String {
    match result {
        Ok(_) => "ok".into(),
        // Python's name for the number.
        Err(Errno::EOPNOTSUPP) => "ENOTSUP".into(),
        Err(error) => error.to_string(),
    }
}

/// A count as the recordings write it.
pub(crate) fn count(result: &Result<usize>) -> String {
    match result {
        Ok(n) => format!("ok:{n}"),
        Err(_) => outcome(result),
    }
}

/// The length of what was received, as the recordings write it.
pub(crate) fn length(result: &Result<Vec<u8>>) -> String {
    count(&result.as_ref().map(Vec::len).map_err(|&error| error))
}

/// `SO_ERROR` as the recordings write it.
pub(crate) fn so_error(net: &mut Net, s: Sock) -> Value {
    net.error(s).map_or(Value::from(0), |error| Value::from(error.to_string()))
}

/// The poll bits, after a short wait if there are none.
pub(crate) fn ep(net: &mut Net, s: Sock) -> String {
    if net.poll(s) == Readiness::NONE {
        net.run_ms(50);
    }
    net.poll(s).to_string()
}

/// A short pause, as between the probe's steps.
pub(crate) fn pause(net: &mut Net) {
    net.run_ms(50);
}

pub(crate) fn send(net: &mut Net, s: Sock, data: &[u8]) -> String {
    count(&net.send(s, data))
}

pub(crate) fn recv(net: &mut Net, s: Sock, len: usize) -> String {
    length(&net.recv(s, len))
}

/// connect(2) of a blocking socket: its outcome, and how long it took.
pub(crate) fn connect_blocking(net: &mut Net, s: Sock, to: SocketAddr) -> (String, Duration) {
    match net.connect(s, to) {
        Err(Errno::EINPROGRESS) => {}
        other => return (outcome(&other), Duration::ZERO),
    }
    let took = net.run_until(Duration::from_secs(300), |net| net.poll(s) != Readiness::NONE);
    let Some(took) = took else { return ("never".into(), Duration::MAX) };
    (net.error(s).map_or("ok".into(), |error| error.to_string()), took)
}

/// Sends 64 KiB at a time until there is no room: how much.
pub(crate) fn fill(net: &mut Net, s: Sock) -> usize {
    let chunk = vec![b'x'; 65_536];
    let mut total = 0;
    while let Ok(n) = net.send(s, &chunk) {
        total += n;
    }
    total
}

/// Receives until there is nothing: how much, and what came then.
pub(crate) fn drain(net: &mut Net, s: Sock) -> (usize, String) {
    let mut total = 0;
    loop {
        match net.recv(s, 1 << 20) {
            Ok(data) if data.is_empty() => return (total, "eof".into()),
            Ok(data) => total += data.len(),
            Err(error) => return (total, error.to_string()),
        }
    }
}

/// The names of the states of the connections of `port`, in any place of the pair.
pub(crate) fn states(net: &Net, port: u16) -> Vec<&'static str> {
    let all = net.stacks.connections(host(0));
    all.iter()
        .filter(|c| c.local.port() == port || c.remote.port() == port)
        .map(|c| c.state.name())
        .collect()
}
