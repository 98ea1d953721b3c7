//! The table: what was found, beside what is published.

use crate::campaign::Found;
use crate::published::{self, Mean};
use crate::subjects::Subject;
use comfy_table::{CellAlignment, Table, presets};
use core::fmt::Write;
use sim_core::policy::PolicyKind;
use sim_worker::strategy::Strategy;

/// What a search found, with its rows and columns.
#[derive(Debug)]
pub struct Results {
    /// The rows.
    pub subjects: Vec<Subject>,
    /// The columns.
    pub strategies: Vec<Strategy>,
    /// What was found, by row and column.
    pub found: Vec<Vec<Found>>,
}

/// How the cells are to be read.
const LEGEND: &str = "mean schedules to the first bug, ours : published; (h) hits of the trials where not all; - never\n";

/// Our mean is at most so many times the published one.
const TIMES_PUBLISHED: f64 = 2.0;

/// The subjects on which SURW is held to the published mean: there the two see the same events.
const HELD: [&str; 8] = [
    "reorder_3",
    "reorder_4",
    "reorder_5",
    "reorder_10",
    "reorder_20",
    "reorder_50",
    "twostage_20",
    "twostage_50",
];

/// The portfolio needs at most so many times the schedules of its best member, in the geometric mean.
const TIMES_BEST: f64 = 3.0;

impl Results {
    /// All of it, as a table that is Markdown too, and the verdicts below.
    #[must_use]
    pub fn text(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        let names = self.strategies.iter().map(ToString::to_string);
        table.set_header(["subject".to_owned()].into_iter().chain(names));
        for (subject, found) in self.subjects.iter().zip(&self.found) {
            let cells = found.iter().zip(&self.strategies);
            let cells = cells
                .map(|(found, &strategy)| cell(found, published::mean(subject.name, strategy)));
            table.add_row([subject.name.to_owned()].into_iter().chain(cells));
        }
        table.add_row(self.row("**found per trial**", |column| {
            let hits: f64 =
                column.iter().map(|found| f64::from(found.hits()) / f64::from(found.trials)).sum();
            format!("{hits:.2}")
        }));
        table.add_row(
            self.row("**geometric mean**", |column| format!("{:.1}", geometric_mean(column))),
        );
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("{LEGEND}\n{table}\n\n{}", self.verdicts())
    }

    fn row(&self, name: &str, figure: impl Fn(&[&Found]) -> String) -> Vec<String> {
        let figures = (0..self.strategies.len()).map(|at| figure(&self.column(at)));
        [name.to_owned()].into_iter().chain(figures).collect()
    }

    fn column(&self, at: usize) -> Vec<&Found> {
        self.found.iter().map(|row| &row[at]).collect()
    }

    fn position(&self, strategy: Strategy) -> Option<usize> {
        self.strategies.iter().position(|&other| other == strategy)
    }

    /// Whether SURW keeps to the published means, and the portfolio to its best member.
    fn verdicts(&self) -> String {
        let mut text = String::new();
        if let Some(surw) = self.position(Strategy::Policy(PolicyKind::Surw)) {
            self.held_to_published(surw, &mut text);
        }
        if let Some(portfolio) = self.position(Strategy::Portfolio) {
            self.held_to_members(portfolio, &mut text);
        }
        text
    }

    fn held_to_published(&self, surw: usize, text: &mut String) {
        let strategy = self.strategies[surw];
        for (subject, found) in self.subjects.iter().zip(&self.found) {
            let published = published::mean(subject.name, strategy).and_then(|mean| mean.schedules);
            let Some(published) = published.filter(|_| HELD.contains(&subject.name)) else {
                continue;
            };
            let ours = found[surw].mean_of_all();
            let verdict = if ours <= TIMES_PUBLISHED * published { "ok" } else { "MISSED" };
            writeln!(
                text,
                "surw on {}: {ours:.1}, at most {:.1}: {verdict}",
                subject.name,
                TIMES_PUBLISHED * published
            )
            .expect("writing to a string does not fail");
        }
    }

    fn held_to_members(&self, portfolio: usize, text: &mut String) {
        let members = || (0..self.strategies.len()).filter(move |&at| at != portfolio);
        for (subject, found) in self.subjects.iter().zip(&self.found) {
            if found[portfolio].hits() == 0 && members().any(|at| found[at].hits() > 0) {
                writeln!(text, "portfolio on {}: MISSED what a member finds", subject.name)
                    .expect("writing to a string does not fail");
            }
        }
        let mean = geometric_mean(&self.column(portfolio));
        let best = members().map(|at| (geometric_mean(&self.column(at)), self.strategies[at]));
        let Some((best, name)) = best.min_by(|a, b| a.0.total_cmp(&b.0)) else { return };
        let verdict = if mean <= TIMES_BEST * best { "ok" } else { "MISSED" };
        writeln!(
            text,
            "portfolio: geometric mean {mean:.1}, best member {name} {best:.1}, ratio {:.2}, at most {TIMES_BEST}: {verdict}",
            mean / best
        )
        .expect("writing to a string does not fail");
    }
}

/// Of the schedules to the first bug over all subjects, where a trial that found nothing counts as the limit.
fn geometric_mean(column: &[&Found]) -> f64 {
    let logs: f64 = column.iter().map(|found| found.mean_of_all().ln()).sum();
    (logs / column.len() as f64).exp()
}

fn cell(found: &Found, published: Option<Mean>) -> String {
    let ours = figure(found.mean(), found.hits(), found.trials);
    match published {
        None => ours,
        Some(mean) => format!("{ours} : {}", figure(mean.schedules, mean.hits, 20)),
    }
}

fn figure(mean: Option<f64>, hits: u32, trials: u32) -> String {
    match mean {
        None => "-".to_owned(),
        Some(mean) if hits == trials => rounded(mean),
        Some(mean) => format!("{} ({hits})", rounded(mean)),
    }
}

fn rounded(mean: f64) -> String {
    if mean < 100.0 { format!("{mean:.1}") } else { format!("{mean:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects;

    fn found(first: &[u32]) -> Found {
        Found { first: first.to_vec(), trials: 4, limit: 1000 }
    }

    fn results(surw: &[u32], portfolio: &[u32]) -> Results {
        Results {
            subjects: vec![subjects::named("reorder_3").unwrap()],
            strategies: vec![Strategy::Policy(PolicyKind::Surw), Strategy::Portfolio],
            found: vec![vec![found(surw), found(portfolio)]],
        }
    }

    #[test]
    fn verdicts_say_what_is_kept() {
        let text = results(&[10, 12, 14, 16], &[20, 30, 40, 30]).text();
        assert!(text.contains("13.0 : 7.3"), "{text}");
        assert!(text.contains("surw on reorder_3: 13.0, at most 14.6: ok"), "{text}");
        assert!(
            text.contains("geometric mean 30.0, best member surw 13.0, ratio 2.31, at most 3: ok"),
            "{text}"
        );
    }

    #[test]
    fn verdicts_say_what_is_missed() {
        let text = results(&[20, 20, 20, 20], &[]).text();
        assert!(text.contains("surw on reorder_3: 20.0, at most 14.6: MISSED"), "{text}");
        assert!(text.contains("portfolio on reorder_3: MISSED what a member finds"), "{text}");
        assert!(text.contains("ratio 50.00, at most 3: MISSED"), "{text}");
    }

    #[test]
    fn hits_are_told_where_not_all_trials_found_it() {
        assert_eq!(cell(&found(&[5, 8]), None), "6.5 (2)");
        assert_eq!(
            cell(&found(&[]), Some(Mean { schedules: Some(1234.4), hits: 3 })),
            "- : 1234 (3)"
        );
    }
}
