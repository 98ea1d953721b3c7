//! What is measured. The programs stand with the contestants; what they share, sizes above all, stands in [`crate::workload`].
//!
//! A target is the greatest ratio of our cost to one peer's, the yardstick, that counts as reached.

use crate::{
    figures::Unit::{GibibytesPerSecond, HeapBytesPer, NanosecondsPer},
    frame::Scenario,
};

/// A thousand tasks that yield in turn.
pub(crate) const SWITCH: &str = "switch_1000";
/// One trivial task at a time, spawned and joined.
pub(crate) const SPAWN_JOIN: &str = "spawn_join";
/// A hundred thousand tasks that sleep ten times each.
pub(crate) const TIMERS: &str = "timers_100k";
/// Ping-pong over TCP between one server host and ten client hosts.
pub(crate) const TCP_RTT_10: &str = "tcp_rtt_10";
/// The same with a hundred client hosts.
pub(crate) const TCP_RTT_100: &str = "tcp_rtt_100";
/// The same with a thousand client hosts.
pub(crate) const TCP_RTT_1000: &str = "tcp_rtt_1000";
/// A stream of small datagrams from one host to another.
pub(crate) const UDP_DATAGRAM: &str = "udp_datagram";
/// One gibibyte over one connection.
pub(crate) const TCP_BULK: &str = "tcp_bulk";
/// A hundred hosts that do nothing but wake once a second.
pub(crate) const IDLE_HOSTS: &str = "idle_100_hosts";
/// A simulation of five hosts, made and dropped.
pub(crate) const EMPTY_SIM: &str = "empty_sim_5_hosts";
/// A timeout whose inner future is ready at its first poll.
pub(crate) const TIMEOUT_DROPPED: &str = "timeout_dropped";
/// A timeout whose inner future waits once, so that the timer is armed before it is dropped.
pub(crate) const TIMEOUT_ARMED: &str = "timeout_armed";
/// The heap that a waiting task takes.
pub(crate) const MEMORY: &str = "memory_100k_tasks";

/// Every scenario, in the order of the report, with no contestants.
pub(crate) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new(SWITCH, NanosecondsPer("switch"), "tokio", 0.5),
        Scenario::new(SPAWN_JOIN, NanosecondsPer("task"), "tokio", 0.5),
        Scenario::new(TIMERS, NanosecondsPer("timer"), "tokio", 0.7),
        Scenario::new(TCP_RTT_10, NanosecondsPer("round trip"), "madsim", 0.35),
        Scenario::new(TCP_RTT_100, NanosecondsPer("round trip"), "madsim", 0.35),
        Scenario::new(TCP_RTT_1000, NanosecondsPer("round trip"), "madsim", 0.35),
        Scenario::new(UDP_DATAGRAM, NanosecondsPer("datagram"), "turmoil", 0.5),
        Scenario::new(TCP_BULK, GibibytesPerSecond, "turmoil", 1.0),
        Scenario::new(IDLE_HOSTS, NanosecondsPer("timer"), "madsim", 0.3),
        Scenario::new(EMPTY_SIM, NanosecondsPer("sim"), "madsim", 0.5),
        Scenario::new(TIMEOUT_DROPPED, NanosecondsPer("timeout"), "turmoil", 0.5),
        Scenario::new(TIMEOUT_ARMED, NanosecondsPer("timeout"), "turmoil", 0.5),
        Scenario::new(MEMORY, HeapBytesPer("task"), "bach", 0.5),
    ]
}
