//! Which scheduling policy a run gets.

use core::fmt;
use core::str::FromStr;
use sim_core::choice::{Choices, Path, Seed, Site};
use sim_core::policy::PolicyKind;

/// The strategies of the command line that this version does not have.
const LATER: [&str; 7] = ["sticky", "pos", "urw", "surw", "delay", "dfs", "guided"];

/// How the policies of a test's runs are picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Strategy {
    /// A mixture, drawn per run by its seed.
    #[default]
    Portfolio,
    /// One policy for all but the head of a batch.
    Policy(PolicyKind),
}

impl Strategy {
    /// The policy of the run with this seed, which is the head of its batch or one of the others.
    ///
    /// The head is FIFO whatever the strategy: it is the dull run that the others are measured against.
    #[must_use]
    pub fn policy(self, seed: Seed, is_head: bool) -> PolicyKind {
        match self {
            _ if is_head => PolicyKind::Fifo,
            Self::Policy(policy) => policy,
            Self::Portfolio => draw(seed),
        }
    }
}

/// Draws from the portfolio: 45 % random walks, 45 % PCT of some depth, and now and then an orderly policy.
fn draw(seed: Seed) -> PolicyKind {
    const PORTFOLIO: Site = Site::new("harness.portfolio.pick");
    const DEPTHS: [u32; 4] = [2, 3, 5, 10];
    // Choices of their own: the run that follows asks from the start, and its log has none of this.
    let mut choices = Choices::seeded(seed);
    let mut stream = choices.stream(PORTFOLIO, Path::WORLD);
    match choices.pick(&mut stream, 100) {
        0..45 => PolicyKind::Random,
        45..90 => PolicyKind::Pct {
            depth: DEPTHS[choices.pick(&mut stream, DEPTHS.len() as u64) as usize],
        },
        90..95 => PolicyKind::Fair,
        _ => PolicyKind::Priority,
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Portfolio => f.write_str("portfolio"),
            Self::Policy(policy) => policy.fmt(f),
        }
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const KNOWN: &str = "portfolio, fifo, random, priority, fair, pct:D";
        let name = text.split(':').next().unwrap_or_default();
        match text {
            "portfolio" => Ok(Self::Portfolio),
            _ if LATER.contains(&name) => {
                Err(format!("strategy '{text}' comes with a later version: give one of {KNOWN}"))
            }
            _ => text
                .parse()
                .map(Self::Policy)
                .map_err(|_| format!("'{text}' is not a strategy: give one of {KNOWN}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_portfolio_keeps_its_shares() {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for run in 0..10_000 {
            let seed = Seed::from_u64(1).for_run("portfolio", run);
            *counts.entry(Strategy::Portfolio.policy(seed, false).to_string()).or_default() += 1;
        }
        let pct: u32 =
            counts.iter().filter(|(name, _)| name.starts_with("pct")).map(|(_, count)| count).sum();
        // The standard deviation of a share of 45 % is 50, that of 5 % is 22; the seeds are fixed.
        assert!((4_300..4_700).contains(&counts["random"]), "{counts:?}");
        assert!((4_300..4_700).contains(&pct), "{counts:?}");
        assert!(
            (400..600).contains(&counts["fair"]) && (400..600).contains(&counts["priority"]),
            "{counts:?}"
        );
        assert_eq!(counts.len(), 7, "{counts:?}");
    }

    #[test]
    fn the_head_of_a_batch_is_fifo() {
        let policy = Strategy::Policy(PolicyKind::Random);
        assert_eq!(policy.policy(Seed::from_u64(3), true), PolicyKind::Fifo);
        assert_eq!(policy.policy(Seed::from_u64(3), false), PolicyKind::Random);
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_is() {
        let error = |text: &str| text.parse::<Strategy>().unwrap_err();
        let known = "give one of portfolio, fifo, random, priority, fair, pct:D";
        assert_eq!(
            error("sticky:3"),
            format!("strategy 'sticky:3' comes with a later version: {known}")
        );
        assert_eq!(error("pct:0"), format!("'pct:0' is not a strategy: {known}"));
        assert_eq!("pct:7".parse::<Strategy>().unwrap().to_string(), "pct:7");
    }
}
