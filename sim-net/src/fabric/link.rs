//! One directed link: what becomes of a packet that enters it.

use sim_core::HostId;
use sim_core::choice::Ratio;
use sim_time::Instant;

const NS_PER_S: u128 = 1_000_000_000;
/// The payload of a full frame on a link of 1500 bytes, with TCP timestamps.
const FRAME_PAYLOAD_BYTES: u64 = 1448;
/// What Ethernet, IP and TCP add to each frame.
const FRAME_OVERHEAD_BYTES: u64 = 66;

/// How a link behaves. The default is a quiet local network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// The least time a packet takes, in nanoseconds.
    pub latency_min_ns: u64,
    /// How much longer it may take: `net.link.delay` picks from `0..=latency_jitter_ns`.
    pub latency_jitter_ns: u64,
    /// How likely a packet is lost (`net.link.loss`).
    pub loss: Ratio,
    /// How likely a packet arrives twice (`net.link.duplicate`).
    pub duplicate: Ratio,
    /// How likely a TCP segment may overtake the ones before it (`net.link.reorder`). Without it the
    /// packets of a connection arrive in order, as on one path; datagrams always overtake freely.
    pub reorder: Ratio,
    /// Bytes a second, headers included; `None` is without limit.
    pub bandwidth_bytes_per_s: Option<u64>,
    /// How many bytes may wait for a link of limited bandwidth; what exceeds them is lost.
    pub queue_bytes: Option<u64>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            latency_min_ns: 100_000,
            latency_jitter_ns: 700_000,
            loss: Ratio::ZERO,
            duplicate: Ratio::ZERO,
            reorder: Ratio::ZERO,
            bandwidth_bytes_per_s: None,
            queue_bytes: None,
        }
    }
}

impl LinkConfig {
    const fn only_delays(&self) -> bool {
        let chances = self.loss.num | self.duplicate.num | self.reorder.num;
        chances == 0 && self.bandwidth_bytes_per_s.is_none()
    }
}

/// A directed link between two hosts.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) from: HostId,
    pub(super) to: HostId,
    config: LinkConfig,
    /// Whether the link does nothing but delay: no chance to take, no queue.
    pub(super) only_delays: bool,
    /// Whether the present partition separates the two; right while `epoch` is the fabric's.
    pub(super) cut: bool,
    pub(super) epoch: u64,
    /// Packets that enter before then are held until then.
    pub(super) clogged_until: Instant,
    /// When the last byte now queued will have left.
    busy_until: Instant,
}

impl Link {
    pub(super) fn new(from: HostId, to: HostId, config: LinkConfig) -> Self {
        let (clogged_until, busy_until) = (Instant::ZERO, Instant::ZERO);
        let only_delays = config.only_delays();
        Self { from, to, config, only_delays, cut: false, epoch: 0, clogged_until, busy_until }
    }

    pub(super) const fn config(&self) -> &LinkConfig {
        &self.config
    }

    pub(super) const fn configure(&mut self, config: LinkConfig) {
        self.config = config;
        self.only_delays = config.only_delays();
    }

    /// When a packet of `payload_len` bytes that enters at `now` has left the queue; `None` if the queue is full.
    pub(super) fn depart(&mut self, now: Instant, payload_len: usize) -> Option<Instant> {
        let now = now.max(self.clogged_until);
        let Some(rate) = self.config.bandwidth_bytes_per_s else { return Some(now) };
        let start = now.max(self.busy_until);
        let size = wire_bytes(payload_len);
        if let Some(limit) = self.config.queue_bytes {
            let waiting = start.duration_since(now).as_nanos() * u128::from(rate) / NS_PER_S;
            if waiting + u128::from(size) > u128::from(limit) {
                return None;
            }
        }
        let takes_ns = (u128::from(size) * NS_PER_S).div_ceil(u128::from(rate.max(1)));
        self.busy_until = start.saturating_add_nanos(u64::try_from(takes_ns).unwrap_or(u64::MAX));
        Some(self.busy_until)
    }
}

/// What a payload takes on the wire: a long segment is cut into frames, each with its headers.
fn wire_bytes(payload_len: usize) -> u64 {
    let payload = payload_len as u64;
    payload + FRAME_OVERHEAD_BYTES * payload.div_ceil(FRAME_PAYLOAD_BYTES).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(rate: u64, queue: Option<u64>) -> Link {
        let config = LinkConfig {
            bandwidth_bytes_per_s: Some(rate),
            queue_bytes: queue,
            ..LinkConfig::default()
        };
        Link::new(HostId::new(0), HostId::new(1), config)
    }

    #[test]
    fn packets_queue_behind_each_other() {
        let mut link = link(1_000_000, None);
        let at = |us: u64| Some(Instant::from_nanos(us * 1000));
        assert_eq!(link.depart(Instant::ZERO, 934), at(1000));
        assert_eq!(link.depart(Instant::ZERO, 934), at(2000));
        assert_eq!(link.depart(Instant::from_nanos(5_000_000), 934), at(6000));
        assert_eq!(wire_bytes(0), 66);
        assert_eq!(wire_bytes(1449), 1449 + 132);
    }

    #[test]
    fn a_full_queue_refuses_until_it_drains() {
        let mut link = link(1_000_000, Some(2500));
        assert!(link.depart(Instant::ZERO, 934).is_some());
        assert!(link.depart(Instant::ZERO, 934).is_some());
        assert_eq!(link.depart(Instant::ZERO, 934), None);
        assert!(link.depart(Instant::from_nanos(1_000_000), 934).is_some());
    }
}
