//! How replays are shown to people.

use serde_json::{Value as Json, json};

use crate::ui;

const HEADS: [&str; 7] = [
    "replay",
    "state",
    "from",
    "done",
    "behind",
    "records/s",
    "left",
];

/// Prints `replays`, with their partitions if `whole`.
pub(super) fn print(replays: &[Json], whole: bool, as_json: bool) {
    if as_json {
        ui::line(format!("{:#}", json!({ "items": replays })));
        return;
    }
    if replays.is_empty() {
        ui::line("no domain declares a replay");
        return;
    }
    for line in table(&HEADS, replays.iter().map(row)) {
        ui::line(line);
    }
    if !whole {
        return;
    }
    for replay in replays {
        for line in details(replay) {
            ui::line(line);
        }
    }
}

fn row(replay: &Json) -> Vec<String> {
    let number = |name: &str| replay[name].as_u64().map_or_else(dash, thousands);
    vec![
        format!(
            "{}.{} {}",
            text(&replay["domain"]),
            text(&replay["handler"]),
            replay["version"]
        ),
        text(&replay["state"]),
        text(&replay["from"]),
        replay["percent"]
            .as_f64()
            .map_or_else(dash, |percent| format!("{percent:.1} %")),
        number("remaining"),
        replay["records_per_second"]
            .as_f64()
            .map_or_else(dash, |rate| thousands(rate.round() as u64)),
        replay["seconds_left"].as_u64().map_or_else(dash, duration),
    ]
}

fn details(replay: &Json) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut tell = |name: &str, value: String| {
        if value != "-" && !value.is_empty() {
            lines.push(format!("{name:<12} {value}"));
        }
    };
    let list = |value: &Json| {
        let items = value.as_array().into_iter().flatten();
        items.map(text).collect::<Vec<_>>().join(", ")
    };
    let by = |at: &str, by: &str| match (text(&replay[at]), text(&replay[by])) {
        (at, _) if at == "-" => at,
        (at, by) => format!("{at} by {by}"),
    };
    tell("reads", text(&replay["topic"]));
    tell("writes", list(&replay["writes"]));
    tell("group", text(&replay["group"]));
    tell("started", by("started_at", "started_by"));
    tell("switched", by("switched_at", "switched_by"));
    tell("still fed", list(&replay["fed"]));
    tell(
        "handled",
        replay["handled"].as_u64().map_or_else(dash, thousands),
    );
    if replay["set_aside"].as_u64() > Some(0) {
        tell("set aside", replay["set_aside"].to_string());
    }
    tell("waits", text(&replay["waiting"]));
    let partitions = replay["partitions"].as_array();
    if let Some(partitions) = partitions.filter(|is| !is.is_empty()) {
        let names = [
            "partition",
            "start",
            "position",
            "end_at_start",
            "end",
            "boundary",
        ];
        let heads = [
            "partition",
            "start",
            "position",
            "end at start",
            "end",
            "serves from",
        ];
        let rows = partitions.iter().map(|is| {
            let cell = |name: &&str| is[*name].as_u64().map_or_else(dash, thousands);
            names.iter().map(cell).collect()
        });
        lines.push(String::new());
        lines.extend(table(&heads, rows));
    }
    lines
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(dash, str::to_owned)
}

fn dash() -> String {
    "-".to_owned()
}

/// The lines of a table.
fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    let rows: Vec<Vec<String>> = rows.collect();
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(at, head)| {
            let cells = rows.iter().map(|row| row[at].chars().count());
            cells.max().unwrap_or(0).max(head.chars().count())
        })
        .collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!(" {}", padded.join(" | ")).trim_end().to_owned()
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let mut lines = vec![line(heads.to_vec()), rule.join("+")];
    lines.extend(
        rows.iter()
            .map(|row| line(row.iter().map(String::as_str).collect())),
    );
    lines
}

/// `1234567` as `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn duration(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_replay_is_a_row_and_its_partitions_a_table() {
        let replay = json!({
            "domain": "loan", "handler": "decide", "version": 2, "state": "replaying",
            "from": "earliest", "percent": 45.25, "remaining": 1234567,
            "records_per_second": 499.6, "seconds_left": 3725,
            "topic": "loan.applications.v1", "writes": ["loan.decisions.v2"], "fed": ["decide"],
            "handled": 10, "set_aside": 0,
            "partitions": [{"partition": 0, "start": 0, "position": 10, "end_at_start": 20,
                            "end": 1000, "boundary": null}],
        });
        let lines = table(&HEADS, [row(&replay)].into_iter());
        assert_eq!(
            lines[2],
            " loan.decide 2 | replaying | earliest | 45.2 % | 1,234,567 | 500       | 1 h 2 min"
        );
        let details = details(&replay);
        assert!(
            details
                .iter()
                .any(|line| line.contains("loan.decisions.v2"))
        );
        assert_eq!(
            details.last().unwrap(),
            " 0         | 0     | 10       | 20           | 1,000 | -"
        );
        assert_eq!(row(&json!({"state": "ready"}))[3], "-");
        assert_eq!(
            (duration(59), duration(61)),
            ("59 s".into(), "1 min 1 s".into())
        );
    }
}
