//! A failure as it is told: the file that keeps it and the text that prints it.

use super::TestSpec;
use sim_core::rt::{Failure, Report};
use sim_core::simtrace::{FAILURES, Simtrace};
use sim_worker::report::last_lines;
use sim_worker::run::FAULTS;
use sim_worker::{RunPlan, Series};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the project: the folder of the nearest manifest that has a `[workspace]`, else that of the package.
pub(super) fn project_root(manifest_dir: &str) -> PathBuf {
    let package = Path::new(manifest_dir);
    let is_workspace = |folder: &&Path| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        manifest.lines().any(|line| line.trim_start().starts_with("[workspace"))
    };
    package.ancestors().find(is_workspace).unwrap_or(package).to_owned()
}

/// The folder of the project's stored failures.
pub(super) fn failures(spec: &TestSpec) -> PathBuf {
    project_root(spec.manifest_dir).join(FAILURES)
}

/// The file of a failure found in run `run`, recorded in `report`.
pub(super) fn simtrace(
    spec: &TestSpec,
    series: &Series,
    run: u64,
    plan: &RunPlan,
    report: &Report,
    failure: &Failure,
) -> Simtrace {
    let mut config = BTreeMap::new();
    if !plan.faults.is_none() {
        config.insert(FAULTS.to_owned(), plan.faults.to_string());
    }
    Simtrace {
        package: spec.package.to_owned(),
        test: series.test.clone(),
        seed: plan.seed,
        base_seed: series.base,
        run,
        strategy: plan.policy.to_string(),
        config,
        shrunk: None,
        fingerprint: Some(report.fingerprint),
        schedule: Some(report.schedule),
        kind: failure.kind.name().to_owned(),
        message: failure.message.clone(),
        location: failure.location.clone(),
        log: report.log.clone(),
    }
}

/// What failed and where: the first lines of every story.
pub(super) fn headline(spec: &TestSpec, failure: &Failure) -> String {
    let place = failure.location.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
    let mut text = format!(
        "{} failed: {}{place}\n{}",
        spec.full_name(),
        failure.kind.name(),
        indent(&failure.message)
    );
    if !failure.details.trim().is_empty() {
        text.push_str(&indent(&failure.details));
    }
    text
}

/// Which run it was.
pub(super) fn circumstances(series: &Series, run: u64, plan: &RunPlan, report: &Report) -> String {
    let faults =
        if plan.faults.is_none() { String::new() } else { format!("faults: {}\n", plan.faults) };
    format!(
        "{faults}run {run} of base seed {}, run seed {}, strategy {}: {} choices in {} turns, {} simulated\n",
        series.base, plan.seed, plan.policy, report.choices, report.steps, report.elapsed
    )
}

/// The last events of a run under their heading.
pub(super) fn last_events(report: &Report) -> String {
    match last_lines(report) {
        lines if lines.is_empty() => String::new(),
        lines => format!("last events:\n{}", indent(&lines.join("\n"))),
    }
}

/// How to run a stored failure again: under `cargo sim`, and without it.
pub(super) fn replay_lines(spec: &TestSpec, path: &Path) -> String {
    let root = project_root(spec.manifest_dir);
    let path = path.strip_prefix(&root).unwrap_or(path).display();
    let (package, test) = (spec.package, spec.path_in_binary());
    format!(
        "replay: cargo sim replay {path}\n    or: SIM_REPLAY={path} cargo test -p {package} {test} -- --exact\n"
    )
}

/// Every line two columns further in, with a line end.
fn indent(text: &str) -> String {
    text.trim_end().lines().fold(String::new(), |mut out, line| {
        let _ = writeln!(out, "  {line}");
        out
    })
}
