//! A story as text: the sentence, the diagram, the legend, the pair, two commands.

use super::story::{Row, Story};
use std::fmt::Write as _;

/// The whole text.
pub(crate) fn text(story: &Story) -> String {
    let place = story.location.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
    let mut text = format!("{}: {}{place}\n", story.test, story.kind);
    text.push_str(&indented(&story.message));
    let _ = writeln!(text, "\n{}", sentence(&story.sentence));
    if !story.shrunk.is_empty() {
        let _ = writeln!(text, "({})", story.shrunk);
    }
    text.push_str(&columns(story));
    text.push_str(&diagram(story));
    text.push_str(&legend(story));
    text.push_str(&pair(story));
    for remark in &story.remarks {
        let _ = writeln!(text, "note: {remark}");
    }
    let _ = write!(text, "\nreplay: {}\ndebug:  {}\n", story.replay, story.debug);
    text
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

fn indented(text: &str) -> String {
    text.trim_end().lines().fold(String::new(), |text, line| text + "    " + line + "\n")
}

fn columns(story: &Story) -> String {
    let mut text = String::from("\n");
    for column in &story.columns {
        let spawned = column.spawned.as_ref().map(|place| format!(", spawned at {place}"));
        let _ =
            writeln!(text, "  {} = {}{}", column.letter, column.name, spawned.unwrap_or_default());
    }
    text
}

/// A line for each turn: when, whose, what; the column's letter where it acts, a bar where it lives.
fn diagram(story: &Story) -> String {
    let count = story.columns.len();
    let seen = |rows: &[Row], column| rows.iter().position(|row| row.column == Some(column));
    let mut alive: Vec<(usize, usize)> = Vec::new();
    for column in 0..count {
        let first = seen(&story.rows, column).unwrap_or(usize::MAX);
        let last = story.rows.iter().rposition(|row| row.column == Some(column)).unwrap_or(0);
        alive.push((first, last));
    }
    let header: String = story.columns.iter().map(|column| format!("{} ", column.letter)).collect();
    let mut text = format!("\n{:>8}  {:<14} {header} what\n", "event", "time");
    for (at, row) in story.rows.iter().enumerate() {
        let lane = |column: usize| match alive[column] {
            _ if row.left_out > 0 => ": ",
            _ if row.column == Some(column) => "o ",
            (first, last) if first < at && at < last => "| ",
            _ => ". ",
        };
        let lanes: String = (0..count).map(lane).collect();
        if row.left_out > 0 {
            let _ = writeln!(text, "{:>25} {lanes} ({} turns left out)", "", row.left_out);
            continue;
        }
        let marks: String = row.marks.iter().map(|mark| format!(" *{mark}")).collect();
        let critical = if row.critical { " <<" } else { "" };
        let _ = writeln!(
            text,
            "{:>8}  {:<14} {lanes} {}{marks}{critical}",
            row.event, row.seconds, row.text
        );
    }
    text
}

fn legend(story: &Story) -> String {
    let mut text = String::from("\n");
    for choice in &story.choices {
        let _ = writeln!(text, "  *{} {}", choice.number, choice.text);
        let _ = writeln!(text, "       {}", choice.entry);
    }
    if story.choices.is_empty() {
        text.push_str("  no choice is needed\n");
    }
    text
}

fn pair(story: &Story) -> String {
    match &story.pair {
        Some(pair) => format!(
            "\nCritical pair: it fails because\n    {}\ncomes before\n    {}\nand passes the other way round, with all else alike (without *{}).\n",
            pair.first, pair.second, pair.choice
        ),
        None if story.choices.is_empty() => String::new(),
        None => String::from("\nNo single choice turns the verdict.\n"),
    }
}
