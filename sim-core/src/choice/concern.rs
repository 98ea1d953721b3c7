//! What a site's answers are about: the word by which shrinkers and reports deal with choices of one sort together.

/// What a choice is about. Ordered as a shrinker takes them away: first what a reader would least expect to matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Concern {
    /// A disk's slowness, or what a power loss leaves.
    Disk,
    /// A clock's drift and steps.
    Clock,
    /// An episode: a crash, a partition, an error that is injected.
    Fault,
    /// A packet's loss, its duplicate, its overtaking.
    Packet,
    /// How long a message takes.
    Delay,
    /// The seed of random bytes.
    Entropy,
    /// Where a program picks at random by itself, such as the branch of a `select!`.
    Branch,
    /// Anything else that the program or the world asks: its workload among it.
    Other,
    /// Who runs next, and who before one that is about to touch what is shared.
    Schedule,
}

impl Concern {
    /// What the site of this name is about, read off its name: `crate.noun.verb`.
    #[must_use]
    pub fn of(site: &str) -> Self {
        let mut words = site.split('.');
        let last = words.clone().next_back().unwrap_or_default();
        match (words.next().unwrap_or_default(), words.next().unwrap_or_default(), last) {
            ("sched", ..) => Self::Schedule,
            ("fs", ..) => Self::Disk,
            ("fault", ..) => Self::Fault,
            (_, "clock", _) => Self::Clock,
            (_, _, "loss" | "duplicate" | "reorder") => Self::Packet,
            (_, _, "delay") => Self::Delay,
            (_, _, "seed") => Self::Entropy,
            ("tokio", ..) => Self::Branch,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sites_of_this_version_are_told_apart() {
        for (site, concern) in [
            ("sched.next", Concern::Schedule),
            ("sched.sync", Concern::Schedule),
            ("net.link.delay", Concern::Delay),
            ("net.link.loss", Concern::Packet),
            ("net.port.pick", Concern::Other),
            ("fs.disk.delay", Concern::Disk),
            ("fs.crash.keep", Concern::Disk),
            ("host.entropy.seed", Concern::Entropy),
            ("host.tsc.seed", Concern::Entropy),
            ("tokio.select.start", Concern::Branch),
            ("app.rand.draw", Concern::Other),
            ("fault.host.crash", Concern::Fault),
        ] {
            assert_eq!(Concern::of(site), concern, "{site}");
        }
    }
}
