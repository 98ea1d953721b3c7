//! The frame: a table of scenarios that modules enter their contestants into, and the rounds that measure them.
//!
//! Within a scenario the contestants run in alternation (A B C A B C ...), never A A A B B B, and a round goes through all scenarios
//! before the next begins. What slows the machine for seconds then neither falls on one contestant alone nor on all rounds of one
//! scenario: with the rounds of a scenario back to back, its best figure moved by half from one run of the program to the next.
//!
//! The frame knows no contestant by name except [`OURS`], and that only to keep it out of the peers.

use std::time::Duration;

use crate::figures::Unit;

/// The contestant that the others are the measure for.
pub(crate) const OURS: &str = "sim";

/// What one run of one contestant gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// How many of the scenario's operations were carried out; for a throughput, how many bytes were moved.
    pub(crate) operations: u64,
    /// The wall time they took, without what came before and after them.
    pub(crate) elapsed: Duration,
    /// The bytes of heap that the operations left allocated, where the scenario asks for them.
    pub(crate) heap_bytes: Option<u64>,
}

impl Measured {
    /// A run of which only the time matters.
    pub(crate) const fn timed(operations: u64, elapsed: Duration) -> Self {
        Self { operations, elapsed, heap_bytes: None }
    }

    /// The same run with the bytes it left allocated.
    pub(crate) const fn keeping(self, heap_bytes: u64) -> Self {
        Self { heap_bytes: Some(heap_bytes), ..self }
    }
}

/// One implementation of a scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contestant {
    /// The name in the table and on the command line.
    pub(crate) name: &'static str,
    /// Runs the scenario's program once.
    pub(crate) run: fn() -> Measured,
    /// Whether one run takes seconds. Such a contestant runs in the first round only, and `--quick` leaves it out.
    pub(crate) heavy: bool,
}

impl Contestant {
    /// A contestant that takes part in every round.
    pub(crate) const fn new(name: &'static str, run: fn() -> Measured) -> Self {
        Self { name, run, heavy: false }
    }

    /// A contestant whose single run takes seconds.
    pub(crate) const fn heavy(name: &'static str, run: fn() -> Measured) -> Self {
        Self { name, run, heavy: true }
    }
}

/// One program, and whoever runs it.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// The name in the table and on the command line.
    pub(crate) name: &'static str,
    /// What its figure counts.
    pub(crate) unit: Unit,
    /// The peer whose cost is the measure. Where it does not run, the best peer is.
    pub(crate) yardstick: &'static str,
    /// The greatest ratio of our cost to that peer's that reaches the target.
    pub(crate) target_ratio: f64,
    /// In the order in which they run and are printed.
    pub(crate) contestants: Vec<Contestant>,
}

impl Scenario {
    /// A scenario that nobody runs yet.
    pub(crate) const fn new(
        name: &'static str,
        unit: Unit,
        yardstick: &'static str,
        target_ratio: f64,
    ) -> Self {
        Self { name, unit, yardstick, target_ratio, contestants: Vec::new() }
    }
}

/// All scenarios, in the order in which they run.
#[derive(Debug)]
pub(crate) struct Table(Vec<Scenario>);

/// What to run of a table, and how often.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    /// Parts of scenario names; empty means every scenario.
    pub(crate) filter: &'a [String],
    /// Names of contestants; empty means every contestant.
    pub(crate) only: &'a [String],
    /// At least one.
    pub(crate) rounds: u32,
    /// Whether contestants that take seconds a run are left out.
    pub(crate) skip_heavy: bool,
}

/// All rounds of one contestant.
#[derive(Debug)]
pub(crate) struct Measurements {
    /// Whose they are.
    pub(crate) contestant: Contestant,
    /// In the order of the rounds; never empty once the first is over.
    pub(crate) runs: Vec<Measured>,
}

impl Measurements {
    fn take(&mut self, round: u32) {
        if round == 1 || !self.contestant.heavy {
            self.runs.push((self.contestant.run)());
        }
    }
}

/// A scenario and what its contestants reached.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) scenario: &'a Scenario,
    /// In the order of the scenario's contestants, those who were selected.
    pub(crate) measurements: Vec<Measurements>,
}

impl Table {
    /// A table of these scenarios.
    pub(crate) fn new(scenarios: Vec<Scenario>) -> Self {
        Self(scenarios)
    }

    /// Adds a contestant to a scenario.
    pub(crate) fn enter(&mut self, scenario: &str, contestant: Contestant) {
        let Some(entry) = self.0.iter_mut().find(|entry| entry.name == scenario) else {
            panic!("contestant {} enters {scenario}, which is a scenario", contestant.name)
        };
        assert!(
            entry.contestants.iter().all(|other| other.name != contestant.name),
            "{} enters {scenario} once",
            contestant.name
        );
        entry.contestants.push(contestant);
    }

    /// The scenario and its contestant of exactly these names, or advice which names there are.
    pub(crate) fn find(
        &self,
        scenario: &str,
        contestant: &str,
    ) -> Result<(&Scenario, Contestant), String> {
        let found = self.0.iter().find(|entry| entry.name == scenario);
        let found = found.ok_or_else(|| {
            format!("no scenario is called {scenario}; there are: {}", self.scenario_names())
        })?;
        let runner = found.contestants.iter().find(|entry| entry.name == contestant);
        runner.map(|runner| (found, *runner)).ok_or_else(|| {
            let names: Vec<_> = found.contestants.iter().map(|entry| entry.name).collect();
            format!("{contestant} does not run {scenario}; those who do: {}", names.join(", "))
        })
    }

    /// Measures what is selected, telling before each round which one it is, counted from one.
    ///
    /// A scenario of which no contestant is selected is left out.
    pub(crate) fn run(
        &self,
        selection: &Selection<'_>,
        mut begin_round: impl FnMut(u32),
    ) -> Vec<Outcome<'_>> {
        let scenarios = self.0.iter().filter(|scenario| selection.takes_scenario(scenario));
        let outcomes = scenarios.map(|scenario| selection.outcome_of(scenario));
        let mut outcomes: Vec<_> =
            outcomes.filter(|outcome| !outcome.measurements.is_empty()).collect();
        for round in 1..=selection.rounds {
            begin_round(round);
            for measurements in outcomes.iter_mut().flat_map(|outcome| &mut outcome.measurements) {
                measurements.take(round);
            }
        }
        outcomes
    }

    fn scenario_names(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|scenario| scenario.name).collect();
        names.join(", ")
    }
}

impl Selection<'_> {
    /// Fails with advice if a name fits nothing, since a silent empty table would look like a finished run.
    pub(crate) fn check(&self, table: &Table) -> Result<(), String> {
        if let Some(part) = self
            .filter
            .iter()
            .find(|part| !table.0.iter().any(|scenario| scenario.name.contains(part.as_str())))
        {
            return Err(format!(
                "no scenario's name contains {part}; there are: {}",
                table.scenario_names()
            ));
        }
        let mut names: Vec<_> = table
            .0
            .iter()
            .flat_map(|scenario| &scenario.contestants)
            .map(|entry| entry.name)
            .collect();
        names.sort_unstable();
        names.dedup();
        match self.only.iter().find(|only| !names.contains(&only.as_str())) {
            Some(unknown) => {
                Err(format!("no contestant is called {unknown}; there are: {}", names.join(", ")))
            }
            None => Ok(()),
        }
    }

    fn takes_scenario(&self, scenario: &Scenario) -> bool {
        self.filter.is_empty()
            || self.filter.iter().any(|part| scenario.name.contains(part.as_str()))
    }

    fn takes_contestant(&self, contestant: &Contestant) -> bool {
        let wanted = self.only.is_empty() || self.only.iter().any(|only| only == contestant.name);
        wanted && !(self.skip_heavy && contestant.heavy)
    }

    fn outcome_of<'a>(&self, scenario: &'a Scenario) -> Outcome<'a> {
        let contestants =
            scenario.contestants.iter().filter(|contestant| self.takes_contestant(contestant));
        let measurements =
            contestants.map(|&contestant| Measurements { contestant, runs: Vec::new() });
        Outcome { scenario, measurements: measurements.collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        static RAN: RefCell<String> = const { RefCell::new(String::new()) };
    }

    fn note(letter: char) -> Measured {
        RAN.with_borrow_mut(|ran| ran.push(letter));
        Measured::timed(1, Duration::from_nanos(1))
    }

    fn table() -> Table {
        let unit = Unit::NanosecondsPer("step");
        let mut table = Table::new(vec![
            Scenario::new("first", unit, "peer", 1.0),
            Scenario::new("second", unit, "peer", 1.0),
        ]);
        table.enter("first", Contestant::new("a", || note('a')));
        table.enter("first", Contestant::heavy("b", || note('b')));
        table.enter("first", Contestant::new("c", || note('c')));
        table.enter("second", Contestant::new("a", || note('A')));
        table
    }

    fn ran(filter: &[&str], only: &[&str], rounds: u32, skip_heavy: bool) -> (String, Vec<usize>) {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let (filter, only) = (owned(filter), owned(only));
        let (table, selection) =
            (table(), Selection { filter: &filter, only: &only, rounds, skip_heavy });
        selection.check(&table).expect("the tests name what there is");
        let outcomes = table.run(&selection, |_| RAN.with_borrow_mut(|ran| ran.push(' ')));
        (RAN.take(), outcomes.iter().map(|outcome| outcome.measurements.len()).collect())
    }

    #[test]
    fn rounds_go_through_the_table_and_heavy_contestants_run_once() {
        assert_eq!(ran(&[], &[], 3, false), (" abcA acA acA".to_owned(), vec![3, 1]));
        assert_eq!(ran(&[], &[], 2, true), (" acA acA".to_owned(), vec![2, 1]));
    }

    #[test]
    fn filter_and_only_leave_out_scenarios_with_nobody_left() {
        assert_eq!(ran(&["sec"], &[], 1, false), (" A".to_owned(), vec![1]));
        assert_eq!(ran(&[], &["c"], 2, false), (" c c".to_owned(), vec![1]));
    }

    #[test]
    fn names_that_fit_nothing_are_refused_with_those_that_would() {
        let (filter, only) = (["third".to_owned()], ["d".to_owned()]);
        let refused = |filter, only| {
            Selection { filter, only, rounds: 1, skip_heavy: false }.check(&table()).unwrap_err()
        };
        assert_eq!(
            refused(&filter, &[]),
            "no scenario's name contains third; there are: first, second"
        );
        assert_eq!(refused(&[], &only), "no contestant is called d; there are: a, b, c");
        assert_eq!(
            table().find("third", "a").unwrap_err(),
            "no scenario is called third; there are: first, second"
        );
        assert_eq!(
            table().find("second", "c").unwrap_err(),
            "c does not run second; those who do: a"
        );
    }

    #[test]
    #[should_panic(expected = "which is a scenario")]
    fn entering_a_scenario_that_is_not_in_the_table_is_a_mistake_of_ours() {
        table().enter("third", Contestant::new("a", || note('a')));
    }
}
