//! What can befall links: cuts, partitions, latency, loss, resets. For simulated worlds only.

use crate::host::{Host, simulated};
use core::ops::RangeInclusive;
use sim_core::HostId;
use sim_core::choice::Ratio;
use sim_world::LinkConfig;
use std::time::Duration;

/// Cuts every link between hosts of different groups, both ways; hosts that are not named are apart from all groups.
///
/// # Panics
/// On the real backend, as every function of this module.
pub fn partition(groups: &[&[Host]]) {
    let groups: Vec<Vec<HostId>> =
        groups.iter().map(|group| group.iter().map(|host| host.id()).collect()).collect();
    let groups: Vec<&[HostId]> = groups.iter().map(Vec::as_slice).collect();
    simulated("a partition", |universe, env| universe.partition(env, &groups));
}

/// Cuts the link from one host to another; the way back stays.
pub fn cut(from: Host, to: Host) {
    simulated("a cut", |universe, env| universe.cut(env, from.id(), to.id()));
}

/// Cuts all links of a host.
pub fn isolate(host: Host) {
    simulated("an isolation", |universe, env| universe.isolate(env, host.id()));
}

/// Ends all cuts, partitions and isolations.
pub fn heal() {
    simulated("a heal", |universe, env| universe.heal(env));
}

/// Sets the latency between two hosts, both ways: the least, and the most.
pub fn latency(a: Host, b: Host, range: RangeInclusive<Duration>) {
    let nanos = |duration: &Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let (least, most) = (nanos(range.start()), nanos(range.end()));
    change(a, b, |config| {
        config.latency_min_ns = least;
        config.latency_jitter_ns = most.saturating_sub(least);
    });
}

/// Sets the chance that a packet between two hosts is lost, both ways.
///
/// # Panics
/// If the probability is above 1.
pub fn loss(a: Host, b: Host, numerator: u32, denominator: u32) {
    change(a, b, |config| config.loss = Ratio::new(numerator, denominator));
}

/// Sets the bandwidth between two hosts, both ways, in bytes a second; `None` is without limit.
pub fn bandwidth(a: Host, b: Host, bytes_per_s: Option<u64>) {
    change(a, b, |config| config.bandwidth_bytes_per_s = bytes_per_s);
}

/// Sets all there is about the links between two hosts, both ways.
pub fn set_links(a: Host, b: Host, config: LinkConfig) {
    change(a, b, |link| *link = config);
}

/// Resets every connection between two hosts: both ends learn `ECONNRESET`. Answers how many there were.
pub fn reset(a: Host, b: Host) -> usize {
    simulated("a reset", |universe, env| universe.reset_connections(env, a.id(), b.id()))
}

fn change(a: Host, b: Host, f: impl Fn(&mut LinkConfig)) {
    simulated("a link", |universe, env| {
        for (from, to) in [(a, b), (b, a)] {
            let mut config = universe.link(from.id(), to.id());
            f(&mut config);
            universe.set_link(env, from.id(), to.id(), config);
        }
    });
}
