//! What is printed: a table, one JSON document, or the one run of a profiler.

use crate::{
    figures::Row,
    frame::{Measured, Scenario},
};

/// Prints the table for people.
pub(crate) fn print_text(scenarios: &[Vec<Row>], rounds: u32) {
    println!(
        "{rounds} rounds, in alternation; best and median of the rounds; ratios are of costs, best run to the yardstick's best run"
    );
    println!(
        "{:<18} {:<8} {:>12} {:>12} {:<13} {:>8} {:>7} {:>7} {:>10}",
        "scenario", "who", "best", "median", "unit", "ratio", "target", "", "kept B/op"
    );
    for rows in scenarios {
        for (index, row) in rows.iter().enumerate() {
            println!("{}", line(row, index == 0));
        }
    }
}

fn line(row: &Row, first: bool) -> String {
    let scenario = if first { row.scenario } else { "" };
    let ratio =
        row.ratio_to_yardstick.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
    let (target, verdict) = match row.target_reached {
        Some(reached) => {
            (format!("<={}", row.target_ratio), if reached { "reached" } else { "MISSED" })
        }
        None => (String::new(), ""),
    };
    let kept = row.heap_bytes_per_operation.map_or_else(String::new, |bytes| format!("{bytes:.1}"));
    let line = format!(
        "{scenario:<18} {:<8} {:>12.2} {:>12.2} {:<13} {ratio:>8} {target:>7} {verdict:>7} {kept:>10}",
        row.contestant, row.best, row.median, row.unit
    );
    line.trim_end().to_owned()
}

/// Prints the document for programs: a list of rows.
pub(crate) fn print_json(scenarios: &[Vec<Row>]) {
    let rows: Vec<_> = scenarios.iter().flatten().collect();
    println!(
        "{}",
        serde_json::to_string_pretty(&rows).expect("rows hold only strings and numbers")
    );
}

/// Prints one run of one contestant, raw: a profiler's own figures are what is wanted beside it.
pub(crate) fn print_single(scenario: &Scenario, contestant: &str, measured: &Measured) {
    let figure = scenario.unit.figure(measured);
    let Measured { operations, elapsed, heap_bytes } = measured;
    println!("{} {contestant}: {figure:.2} {}", scenario.name, scenario.unit.label());
    println!("operations {operations}, elapsed {elapsed:?}, heap bytes kept {heap_bytes:?}");
}
