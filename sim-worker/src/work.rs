//! The loop: a slice of a test's runs, the replay of one stored failure, or logs that are told one at a time.

use crate::batch::{Planner, Series};
use crate::candidates;
use crate::json::Object;
use crate::plan::Plan;
use crate::report::{Lines, begin};
use crate::run::{Broken, Perform, RunPlan};
use sim_core::simtrace::Simtrace;
use std::path::Path;
use std::time::Instant;

/// Why a plan was not carried out to its end.
enum Stop {
    Refused(String),
    Defect(u64, String),
    Forked,
}

impl Stop {
    fn of(run: u64, broken: Broken) -> Self {
        match broken {
            Broken::Mistake(text) => Self::Refused(text),
            Broken::Defect(text) => Self::Defect(run, text),
            Broken::Forked => Self::Forked,
        }
    }
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self::Refused(text)
    }
}

/// Carries out orders for `test`, which asks for `own_runs` itself, and ends the report. The orders are as they were read:
/// their mistake, if they have one, is reported.
///
/// # Errors
/// A sentence, where the report file fails. Failures of the test are reported, not returned.
pub fn carry_out(
    orders: Result<Plan, String>,
    test: &str,
    own_runs: Option<u64>,
    lines: &mut Lines,
    performer: &mut impl Perform,
) -> Result<(), String> {
    let carried_out = orders.map_err(Stop::Refused).and_then(|plan| match &plan.replay {
        Some(file) => replay(&plan, file, lines, performer),
        None if plan.candidates => one_by_one(&plan, lines, performer),
        None => slice(&plan, test, own_runs, lines, performer),
    });
    match carried_out {
        Ok(()) => lines.write(Object::event("end")),
        Err(Stop::Forked) => Ok(()),
        Err(Stop::Refused(message)) => {
            lines.write(Object::event("refused").text("message", &message))
        }
        Err(Stop::Defect(run, message)) => {
            lines.write(Object::event("defect").number("run", run).text("message", &message))
        }
    }
}

fn slice(
    plan: &Plan,
    test: &str,
    own_runs: Option<u64>,
    lines: &mut Lines,
    performer: &mut impl Perform,
) -> Result<(), Stop> {
    let series = Series {
        test: test.to_owned(),
        base: plan.base,
        strategy: plan.strategy,
        faults: plan.faults,
    };
    let mut planner = Planner::new(&series);
    #[expect(
        clippy::disallowed_methods,
        reason = "a budget of wall time decides how many runs there are, not what a run does"
    )]
    let begun = Instant::now();
    let mut end = plan.first.saturating_add(plan.count);
    if let Some(runs) = own_runs.filter(|_| plan.own_runs) {
        end = end.min(runs);
    }
    for run in plan.first..end {
        // The first run is performed whatever the time: a budget too small for one run would test nothing.
        if run > plan.first && plan.deadline.is_some_and(|deadline| begun.elapsed() >= deadline) {
            return Ok(());
        }
        let broken = |broken| Stop::of(run, broken);
        let mut run_plan = planner.plan(performer, run).map_err(broken)?;
        run_plan.thread.clone_from(&plan.thread);
        if run + 1 == end && (plan.record || plan.trace.is_some()) {
            run_plan = run_plan.recorded();
            run_plan.echo = plan.echo;
        }
        lines.write(begin(run, &run_plan))?;
        let ended = performer.report(run, &run_plan).map_err(broken)?;
        let failed = ended.failed;
        planner.learn(run, ended);
        if plan.stop && failed {
            return Ok(());
        }
    }
    Ok(())
}

fn replay(
    plan: &Plan,
    file: &Path,
    lines: &mut Lines,
    performer: &mut impl Perform,
) -> Result<(), Stop> {
    let stored = Simtrace::read(file).map_err(|error| error.to_string())?;
    let broken = |broken| Stop::of(stored.run, broken);
    let mut run_plan = RunPlan::of_stored(&stored, performer).map_err(broken)?;
    run_plan.thread.clone_from(&plan.thread);
    run_plan.echo = plan.echo;
    lines.write(begin(stored.run, &run_plan))?;
    performer.report(stored.run, &run_plan).map_err(broken)?;
    Ok(())
}

/// Performs the logs that come on standard input, for as long as some come.
fn one_by_one(plan: &Plan, lines: &mut Lines, performer: &mut impl Perform) -> Result<(), Stop> {
    let mut input = std::io::stdin().lock();
    while let Some(candidates::Candidate { number, plan: mut run_plan }) =
        candidates::next(&mut input)?
    {
        run_plan.thread.clone_from(&plan.thread);
        // A stored failure's faults are these and no others, whatever the seed.
        run_plan.faults = plan.faults.draw(run_plan.seed);
        lines.write(begin(number, &run_plan))?;
        performer.report(number, &run_plan).map_err(|broken| Stop::of(number, broken))?;
    }
    Ok(())
}
