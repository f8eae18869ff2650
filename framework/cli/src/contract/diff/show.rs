//! The report for people: as text, and as Markdown for a pull request.

use std::fmt::Write;

use mesh_core::contract::diff::{Bump, Class, Touched};

use super::report::{Report, Told};
use crate::ui;

/// Columns of a line of text.
const WIDTH: usize = 100;
/// Characters of a value in a list; descriptions are longer.
const SHOWN: usize = 60;

/// The report as text.
pub(super) fn text(report: &Report) -> String {
    let mut out = String::new();
    let versions = format!("{} → {}", report.old_version, report.new_version);
    let _ = writeln!(out, "{}  {versions}\n", ui::bold(&report.product));
    let widest = |of: &dyn Fn(&Told) -> usize| report.changes.iter().map(of).max().unwrap_or(0);
    let paths = widest(&|change| change.path.chars().count());
    for change in &report.changes {
        let class = format!("{:<15}", change.class);
        let line = format!(
            "{}{:<paths$}  {:<9}  {}",
            ui::colour(&class, colour(change.class)),
            change.path,
            change.what,
            short(&change.transition),
        );
        let _ = writeln!(out, "{}", line.trim_end());
        if change.class == Class::Documentation && change.effects.is_empty() {
            continue;
        }
        let mut tell = |text: &str| {
            for line in wrapped(text, WIDTH - 15) {
                let _ = writeln!(out, "{:15}{}", "", ui::dim(&line));
            }
        };
        tell(&change.why);
        if let Some(effects) = effects(change) {
            tell(&format!("effects: {effects}"));
        }
        if let Some(touches) = touches(report, change) {
            tell(&format!("touches: {touches}"));
        }
        if let Some(mend) = &change.mend {
            tell(&format!("way out: {mend}"));
        }
    }
    if !report.changes.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "{}", summary(report));
    for note in &report.notes {
        let _ = writeln!(out, "note: {note}");
    }
    for refusal in &report.refusals {
        let _ = writeln!(
            out,
            "{} {}:{}: {}: {}\n  mend: {}",
            ui::colour("refused:", 1),
            refusal.file,
            refusal.line,
            refusal.path,
            refusal.message,
            refusal.mend
        );
    }
    if report.fits {
        let _ = writeln!(out, "{}", ui::colour("the version fits the changes", 2));
    }
    out.trim_end().to_owned()
}

/// The report in Markdown (GitHub's, for its tables).
pub(super) fn markdown(report: &Report) -> String {
    let mut out = format!(
        "### `{}` {} → {}\n\n",
        report.product, report.old_version, report.new_version
    );
    let verdict = if report.fits {
        "The version fits the changes."
    } else {
        "**The version does not fit the changes.**"
    };
    let _ = writeln!(out, "{verdict} {}\n", sentence(&summary(report)));
    for refusal in &report.refusals {
        let _ = writeln!(
            out,
            "- `{}:{}` {}: {}. To mend it: {}.",
            refusal.file,
            refusal.line,
            cell(&refusal.path),
            cell(&refusal.message),
            cell(&refusal.mend)
        );
    }
    if !report.refusals.is_empty() {
        out.push('\n');
    }
    if !report.changes.is_empty() {
        out.push_str("| class | where | what | effects | touches |\n|---|---|---|---|---|\n");
    }
    for change in &report.changes {
        let class = match change.class {
            Class::ReadersOnly | Class::Breaking => format!("**{}**", change.class),
            class => class.to_string(),
        };
        let what = format!("{} {}", change.what, short(&change.transition));
        let _ = writeln!(
            out,
            "| {class} | `{}` | {} | {} | {} |",
            change.path,
            cell(what.trim()),
            cell(&effects(change).unwrap_or_default()),
            cell(&touches(report, change).unwrap_or_default()),
        );
    }
    let grave: Vec<&Told> = report
        .changes
        .iter()
        .filter(|change| change.mend.is_some())
        .collect();
    if !grave.is_empty() {
        out.push_str("\n<details><summary>Why, and the way out</summary>\n\n");
        for change in grave {
            let mend = change.mend.as_deref().unwrap_or_default();
            let _ = writeln!(
                out,
                "- `{}`: {}. Way out: {}.",
                change.path,
                cell(&change.why),
                cell(mend)
            );
        }
        out.push_str("\n</details>\n");
    }
    for note in &report.notes {
        let _ = write!(out, "\n> {}\n", cell(note));
    }
    out.trim_end().to_owned()
}

fn colour(class: Class) -> u8 {
    match class {
        Class::Breaking => 1,
        Class::ReadersOnly => 3,
        Class::Compatible => 2,
        Class::Documentation => 7,
    }
}

/// How many changes of which class, and what they ask for.
fn summary(report: &Report) -> String {
    if report.changes.is_empty() {
        return "nothing changed".into();
    }
    let counts: Vec<String> = Class::ALL
        .iter()
        .rev()
        .filter_map(|class| {
            let count = report
                .changes
                .iter()
                .filter(|it| it.class == *class)
                .count();
            let named = match class {
                Class::ReadersOnly => "for readers only",
                class => class.as_str(),
            };
            (count > 0).then(|| format!("{count} {named}"))
        })
        .collect();
    let count = report.changes.len();
    let changes = if count == 1 { "change" } else { "changes" };
    let asked = match report.required {
        Bump::None => "the contract is the same".to_owned(),
        bump => format!("the contract needs a {bump} version"),
    };
    format!("{count} {changes} ({}); {asked}", counts.join(", "))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    format!("{}.", first.chain(letters).collect::<String>())
}

fn effects(change: &Told) -> Option<String> {
    let effects: Vec<String> = change.effects.iter().map(ToString::to_string).collect();
    (!effects.is_empty()).then(|| effects.join(", "))
}

/// The consumers with their columns; `None` where no mesh was searched, or where no reader
/// is concerned.
fn touches(report: &Report, change: &Told) -> Option<String> {
    report.consumers.as_ref()?;
    if !change.for_readers {
        return None;
    }
    if change.touches.is_empty() {
        return Some("nobody".into());
    }
    let one = |touched: &Touched| {
        let mut text = touched.domain.clone();
        if !touched.products.is_empty() {
            let _ = write!(text, " (for {})", touched.products.join(", "));
        }
        if !touched.columns.is_empty() {
            let _ = write!(text, " by {}", touched.columns.join(", "));
        }
        if touched.must_act {
            text.push_str(": it has to act first");
        }
        text
    };
    let all: Vec<String> = change.touches.iter().map(one).collect();
    Some(all.join("; "))
}

/// A value on one line, cut where it is long.
fn short(text: &str) -> String {
    let cut = |text: &str| {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(SHOWN) {
            Some((at, _)) => format!("{}…", &line[..at]),
            None => line,
        }
    };
    match text.split_once(" → ") {
        Some((old, new)) => format!("{} → {}", cut(old), cut(new)),
        None => cut(text),
    }
}

/// A text in a cell of a table, or in a line of a list.
fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('|', "\\|").replace('<', "&lt;")
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().map(|line| line.chars().count());
        let fits =
            line.is_some_and(|count| count == 0 || count + 1 + word.chars().count() <= width);
        match lines.last_mut() {
            Some(line) if fits => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
