//! Which scheduling policy a run gets.

use core::fmt;
use core::str::FromStr;
use sim_core::choice::{Choices, Path, Seed, Site};
use sim_core::policy::PolicyKind;

/// The strategies of the command line that this version does not have.
const LATER: [&str; 2] = ["dfs", "guided"];

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

/// Draws from the portfolio. No member finds everything: SURW and URW are the best where the counts of the head are right, POS needs
/// none, PCT is what holds one participant back for long, and the walks are cheap. The shares are those that lost least against the
/// best member on each of a set of small programs.
fn draw(seed: Seed) -> PolicyKind {
    const PORTFOLIO: Site = Site::new("harness.portfolio.pick");
    const DEPTHS: [u32; 4] = [2, 3, 5, 10];
    // Choices of their own: the run that follows asks from the start, and its log has none of this.
    let mut choices = Choices::seeded(seed);
    let mut stream = choices.stream(PORTFOLIO, Path::WORLD);
    match choices.pick(&mut stream, 100) {
        0..35 => PolicyKind::Surw,
        35..60 => PolicyKind::Pos,
        60..75 => PolicyKind::Urw,
        75..90 => PolicyKind::Pct {
            depth: DEPTHS[choices.pick(&mut stream, DEPTHS.len() as u64) as usize],
        },
        90..95 => PolicyKind::Sticky { one_in: 8 },
        _ => PolicyKind::Random,
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
        const KNOWN: &str =
            "portfolio, fifo, random, sticky:N, pct:D, pos, urw, surw, delay:D, priority, fair";
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
            let policy = Strategy::Portfolio.policy(seed, false).to_string();
            *counts.entry(policy.split(':').next().unwrap().to_owned()).or_default() += 1;
        }
        let shares =
            [("surw", 35), ("pos", 25), ("urw", 15), ("pct", 15), ("sticky", 5), ("random", 5)];
        assert_eq!(counts.len(), shares.len());
        for (name, percent) in shares {
            // Four standard deviations, of which a share of one half has the largest; the seeds are fixed.
            assert!(counts[name].abs_diff(percent * 100) < 200, "{counts:?}");
        }
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
        let known = "give one of portfolio, fifo, random, sticky:N, pct:D, pos, urw, surw, delay:D, priority, fair";
        assert_eq!(error("dfs:3"), format!("strategy 'dfs:3' comes with a later version: {known}"));
        assert_eq!(error("pct:0"), format!("'pct:0' is not a strategy: {known}"));
        assert_eq!("pct:7".parse::<Strategy>().unwrap().to_string(), "pct:7");
    }
}
