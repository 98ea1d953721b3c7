//! One test's campaign: what is to be run next, and what the runs so far amount to.
//!
//! ```text
//! stored failures ──all pass──▶ first batch ──▶ plain: done
//!        │                           └────────▶ native: its head and its last run again, each in a process of its own; other batches
//!        └─one fails─▶ done                        └─a run fails─▶ only batches before it ─▶ done
//! ```
//!
//! - Batches are the unit that processes and shards divide; a run depends on nothing but its batch.
//! - The failure that is reported is the one of the lowest run, and only runs up to it are counted,
//!   so that a report does not depend on how many processes there were.

mod probes;

pub(crate) use probes::Reached;

use crate::config::Budget;
use crate::config::RUNS;
use crate::config::parse::Shard;
use crate::worker::{Begin, End, Failed};
use sim_core::choice::mix;
use sim_core::trace::Probe;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many runs a batch has; the crate `sim` counts the same.
pub(crate) const BATCH_RUNS: u64 = 32;

/// Something for a process to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Replay the stored failure of this number.
    Stored(usize),
    /// Perform the runs of a batch.
    Batch { first: u64, count: u64 },
    /// Perform a run of the first batch a second time, in another process.
    Again { run: u64 },
}

/// What a test turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    Native,
    Plain,
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) begin: Begin,
    pub(crate) failed: Failed,
    /// `None` if the process died.
    pub(crate) fingerprint: Option<String>,
}

/// What the runs amount to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) runs: u64,
    pub(crate) failures: u64,
    pub(crate) simulated_ns: u128,
    /// A hash over the fingerprints of all runs in order.
    pub(crate) fingerprint: u64,
    /// How many different schedules there were.
    pub(crate) schedules: usize,
    /// How many different executions there were.
    pub(crate) executions: usize,
    /// What the first run that had any remarks remarked. They name tasks and times, so no two runs' are equal.
    pub(crate) remarks: Option<String>,
    /// How many runs had any.
    pub(crate) remarked: u64,
    /// How often more than one actor could be next.
    pub(crate) choices: u64,
    /// The probes that the runs have come by, ordered by message.
    pub(crate) probes: Vec<Reached>,
}

/// A run as far as the campaign remembers it.
#[derive(Debug)]
struct Done {
    fingerprint: String,
    schedule: String,
    simulated_ns: u64,
    notices: String,
    choices: u64,
    probes: Vec<Probe>,
}

/// The campaign of one test.
#[derive(Debug)]
pub(crate) struct Campaign {
    budget: Budget,
    shard: Shard,
    /// Whether a test that failed goes on.
    goes_on: bool,
    stored: usize,
    stored_issued: usize,
    stored_failed: bool,
    nature: Option<Nature>,
    /// How many batches of this shard were issued.
    batches: u64,
    /// The runs of the first batch that are still to be performed a second time.
    to_check: Vec<u64>,
    /// What those came to, the second time.
    checked: BTreeMap<u64, Option<String>>,
    out: BTreeSet<Task>,
    done: BTreeMap<u64, Done>,
    findings: BTreeMap<u64, Finding>,
}

impl Campaign {
    /// The campaign of a test with `stored` stored failures.
    pub(crate) fn new(budget: Budget, shard: Shard, goes_on: bool, stored: usize) -> Self {
        Self {
            budget,
            shard,
            goes_on,
            stored,
            stored_issued: 0,
            stored_failed: false,
            nature: None,
            batches: 0,
            to_check: Vec::new(),
            checked: BTreeMap::new(),
            out: BTreeSet::new(),
            done: BTreeMap::new(),
            findings: BTreeMap::new(),
        }
    }

    /// The runs of the test in all shards; `None` if only time limits them.
    fn runs(&self) -> Option<u64> {
        self.budget.runs.or(if self.budget.time.is_none() { Some(RUNS) } else { None })
    }

    /// Whether the attribute's own number of runs counts, because nobody else gave one.
    pub(crate) fn has_own_runs(&self) -> bool {
        self.budget.runs.is_none() && self.budget.time.is_none()
    }

    /// The strategy of its runs.
    pub(crate) fn strategy(&self) -> String {
        self.budget.strategy.clone().unwrap_or_else(|| String::from("portfolio"))
    }

    /// What is left of its time, `elapsed` after its beginning.
    pub(crate) fn time_left(&self, elapsed: Duration) -> Option<Duration> {
        self.budget.time.map(|time| time.saturating_sub(elapsed))
    }

    /// The next task, if there is one now.
    pub(crate) fn next(&mut self, elapsed: Duration) -> Option<Task> {
        let task = self.peek(elapsed)?;
        match task {
            Task::Stored(_) => self.stored_issued += 1,
            Task::Batch { .. } => self.batches += 1,
            Task::Again { .. } => drop(self.to_check.remove(0)),
        }
        self.out.insert(task);
        Some(task)
    }

    fn peek(&self, elapsed: Duration) -> Option<Task> {
        if self.stored_issued < self.stored {
            return Some(Task::Stored(self.stored_issued));
        }
        let replays_are_out = self.out.iter().any(|task| matches!(task, Task::Stored(_)));
        if replays_are_out || (self.stored_failed && !self.goes_on) {
            return None;
        }
        let batch = self.next_batch(elapsed);
        match self.nature {
            None if self.batches == 0 => batch,
            None | Some(Nature::Plain) => None,
            Some(Nature::Native) if !self.to_check.is_empty() => {
                Some(Task::Again { run: self.to_check[0] })
            }
            Some(Nature::Native) => batch,
        }
    }

    fn next_batch(&self, elapsed: Duration) -> Option<Task> {
        // The first batch is issued whatever the time: a budget too small for it would test nothing.
        let is_late =
            self.batches > 0 && self.time_left(elapsed).is_some_and(|left| left.is_zero());
        let first = (self.batches * self.shard.of + self.shard.this - 1) * BATCH_RUNS;
        let end = self.runs().unwrap_or(u64::MAX);
        let is_over = is_late || first >= end || self.cutoff().is_some_and(|run| run < first);
        (!is_over).then(|| Task::Batch { first, count: BATCH_RUNS.min(end - first) })
    }

    /// The run after which nothing counts any more.
    fn cutoff(&self) -> Option<u64> {
        if self.goes_on { None } else { self.findings.keys().next().copied() }
    }

    /// Whether `task`'s result would not count any more.
    pub(crate) fn is_moot(&self, task: Task) -> bool {
        matches!(task, Task::Batch { first, .. } if self.cutoff().is_some_and(|run| run < first))
    }

    /// Whether nothing is out and nothing will come.
    pub(crate) fn is_over(&self, elapsed: Duration) -> bool {
        self.out.is_empty() && self.peek(elapsed).is_none()
    }

    /// A stored failure was replayed.
    pub(crate) fn replayed(&mut self, task: Task, failed: bool) {
        self.out.remove(&task);
        self.stored_failed |= failed;
    }

    /// What the test is, as its first worker told. `own_runs` is what the attribute says.
    pub(crate) fn learn(&mut self, nature: Nature, own_runs: Option<u64>) {
        self.nature = Some(nature);
        if self.has_own_runs() {
            self.budget.runs = own_runs;
        }
    }

    /// A batch was performed, or as much of it as came before a failure, a death or the deadline.
    pub(crate) fn performed(
        &mut self,
        task: Task,
        runs: Vec<(Begin, End)>,
        death: Option<(Begin, Failed)>,
    ) {
        self.out.remove(&task);
        if self.done.is_empty() {
            self.to_check = ends(&runs);
        }
        for (begin, end) in runs {
            if let Some(failed) = end.failed() {
                let fingerprint = Some(end.fingerprint.clone());
                self.findings
                    .insert(begin.run, Finding { begin: begin.clone(), failed, fingerprint });
            }
            let probes = probes::read(&end.probes);
            let End { fingerprint, schedule, simulated_ns, notices, choices, .. } = end;
            let done = Done { fingerprint, schedule, simulated_ns, notices, choices, probes };
            self.done.insert(begin.run, done);
        }
        if let Some((begin, failed)) = death {
            self.findings.insert(begin.run, Finding { begin, failed, fingerprint: None });
        }
    }

    /// A task was given up because its result does not count any more.
    pub(crate) fn dropped(&mut self, task: Task) {
        self.out.remove(&task);
    }

    /// A run was performed a second time, with this fingerprint if it ended at all.
    pub(crate) fn performed_again(&mut self, task: Task, fingerprint: Option<String>) {
        self.out.remove(&task);
        if let Task::Again { run } = task {
            self.checked.insert(run, fingerprint);
        }
    }

    /// The first run of which two executions differ.
    pub(crate) fn diverged(&self) -> Option<u64> {
        let differs = |(run, again): &(&u64, &Option<String>)| {
            self.done.get(run).map(|done| &done.fingerprint) != again.as_ref()
        };
        self.checked.iter().find(differs).map(|(run, _)| *run)
    }

    /// The failures to report: the lowest run's, or each different one where the test goes on.
    pub(crate) fn findings(&self) -> Vec<&Finding> {
        let mut seen = BTreeSet::new();
        let all = self.findings.values().filter(|finding| seen.insert(identity(&finding.failed)));
        if self.goes_on { all.collect() } else { all.take(1).collect() }
    }

    /// What the test is; `None` if no process of it was started.
    pub(crate) fn nature(&self) -> Option<Nature> {
        self.nature
    }

    /// What the runs that count amount to.
    pub(crate) fn tally(&self) -> Tally {
        let last = self.cutoff().unwrap_or(u64::MAX);
        let mut tally =
            Tally { failures: self.findings.range(..=last).count() as u64, ..Tally::default() };
        let (mut schedules, mut executions) = (BTreeSet::new(), BTreeSet::new());
        let mut reached = BTreeMap::new();
        for done in self.done.range(..=last).map(|(_, done)| done) {
            tally.runs += 1;
            tally.simulated_ns += u128::from(done.simulated_ns);
            tally.fingerprint = mix::join(tally.fingerprint, mix::name(&done.fingerprint));
            schedules.insert(done.schedule.as_str());
            executions.insert(done.fingerprint.as_str());
            tally.choices += done.choices;
            probes::add(&mut reached, &done.probes);
            if !done.notices.is_empty() {
                tally.remarked += 1;
                tally.remarks.get_or_insert_with(|| done.notices.clone());
            }
        }
        let deaths =
            self.findings.range(..=last).filter(|(_, finding)| finding.fingerprint.is_none());
        tally.runs += deaths.count() as u64;
        (tally.schedules, tally.executions) = (schedules.len(), executions.len());
        tally.probes = reached.into_values().collect();
        tally
    }

    /// The probes that no run has reached, if the campaign was whole: nothing failed, it is no shard of one, and there was at least a batch. Fewer
    /// runs say little, and a run that failed ended early.
    pub(crate) fn unreached(&self, tally: &Tally) -> Vec<Reached> {
        let is_whole = self.shard.of == 1
            && self.findings.is_empty()
            && !self.stored_failed
            && self.diverged().is_none()
            && tally.runs >= BATCH_RUNS;
        let missed = tally.probes.iter().filter(|probe| is_whole && probe.runs == 0);
        missed.cloned().collect()
    }
}

/// The runs to perform again: the head, which two processes run alike unless the process decides, and the last one,
/// which is alone then and was not before. Runs that failed are performed again in any case.
fn ends(runs: &[(Begin, End)]) -> Vec<u64> {
    let passed = |index: usize| runs.get(index).filter(|(_, end)| end.failed().is_none());
    let (first, last) = (passed(0), passed(runs.len().saturating_sub(1)));
    let mut runs: Vec<u64> = first.into_iter().chain(last).map(|(begin, _)| begin.run).collect();
    runs.dedup();
    runs
}

/// What makes two failures of one test the same: digits differ from seed to seed.
fn identity(failed: &Failed) -> (String, String, Option<String>) {
    let message = failed.message.chars().filter(|c| !c.is_ascii_digit()).collect();
    (failed.kind.clone(), message, failed.location.clone())
}

#[cfg(test)]
mod tests;
