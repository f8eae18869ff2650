//! Declared repairs of report rows: which rows, where each column's value really stands, and what
//! is lost. Read once, checked whole, and nothing of a row may be dropped by one.

use mesh_core::Result;
use serde::Deserialize;
use toml::Spanned;

use crate::declared::Declared;
use crate::form::{COLUMNS, Form, MAY_BE_LOST, place};

/// The repairs that are delivered with the domain.
pub const DELIVERED: &str = include_str!("../repairs/report.toml");

/// The repairs in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repairs {
    /// Raised with every change.
    pub revision: i32,
    repairs: Vec<Repair>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Repair {
    name: String,
    when: Vec<(usize, Form)>,
    /// Where the value of each column of the form comes from.
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Cell {
    From(usize),
    Set(String),
    Lost,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    revision: Spanned<i64>,
    repair: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    when: Vec<When>,
    #[serde(default, rename = "move")]
    moves: Vec<Move>,
    #[serde(default)]
    set: Vec<Set>,
    #[serde(default)]
    lost: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    column: Spanned<String>,
    is: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    to: Spanned<String>,
    from: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    column: Spanned<String>,
    value: Spanned<String>,
}

impl Repairs {
    /// Reads and checks `declared`.
    ///
    /// # Errors
    /// The first thing that is wrong, by file, line and field, with what to write instead.
    pub fn read(declared: &Declared) -> Result<Self> {
        let file: File = declared.parse()?;
        let revision = i32::try_from(*file.revision.get_ref())
            .ok()
            .filter(|revision| *revision >= 1)
            .ok_or_else(|| {
                declared.wrong(
                    &file.revision,
                    "revision",
                    "a revision is no whole number from 1 on",
                    "begin with 1 and raise it with every change",
                )
            })?;
        let mut repairs: Vec<Repair> = Vec::new();
        for entry in &file.repair {
            let repair = compile(declared, entry)?;
            if repairs.iter().any(|known| known.name == repair.name) {
                return Err(declared.wrong(
                    &entry.name,
                    "repair.name",
                    "two repairs have the same name",
                    "give each a name of its own",
                ));
            }
            repairs.push(repair);
        }
        Ok(Self { revision, repairs })
    }

    /// The row as the first repair that fits it has it, with the repair's name; `None` if none
    /// fits. A cell that is lost is `None`.
    pub fn apply<'a>(&'a self, cells: &[&'a str]) -> Option<(&'a str, Vec<Option<&'a str>>)> {
        if cells.len() != COLUMNS.len() {
            return None;
        }
        let fits = |repair: &&Repair| repair.when.iter().all(|(at, form)| form.holds(cells[*at]));
        let repair = self.repairs.iter().find(fits)?;
        let repaired = repair
            .cells
            .iter()
            .map(|cell| match cell {
                Cell::From(at) => Some(cells[*at]),
                Cell::Set(value) => Some(value.as_str()),
                Cell::Lost => None,
            })
            .collect();
        Some((&repair.name, repaired))
    }
}

fn compile(declared: &Declared, entry: &Entry) -> Result<Repair> {
    let name = entry.name.get_ref();
    if !(1..=100).contains(&name.len()) {
        return Err(declared.wrong(
            &entry.name,
            "repair.name",
            "the name of a repair is empty or longer than 100 characters",
            "give it a short name",
        ));
    }
    if entry.when.is_empty() {
        return Err(declared.wrong(
            &entry.name,
            "repair.when",
            "a repair has no condition, and would be done to every row",
            "say by which cells a row is known",
        ));
    }
    let mut when = Vec::new();
    for condition in &entry.when {
        let at = column(declared, &condition.column, "repair.when.column")?;
        let form = Form::named(condition.is.get_ref()).ok_or_else(|| {
            declared.wrong(
                &condition.is,
                "repair.when.is",
                "there is no such form",
                "write number, count, amount, day, age_band, gender or empty",
            )
        })?;
        when.push((at, form));
    }
    let mut cells: Vec<Option<Cell>> = vec![None; COLUMNS.len()];
    let mut fill = |name: &Spanned<String>, field: &'static str, cell: Cell| {
        let at = column(declared, name, field)?;
        match cells[at].replace(cell) {
            None => Ok(at),
            Some(_) => Err(declared.wrong(
                name,
                field,
                "a column is given two values",
                "name each column once under `move.to`, `set.column` and `lost`",
            )),
        }
    };
    for one in &entry.moves {
        let from = column(declared, &one.from, "repair.move.from")?;
        fill(&one.to, "repair.move.to", Cell::From(from))?;
    }
    for one in &entry.set {
        let value = one.value.get_ref().clone();
        let at = fill(&one.column, "repair.set.column", Cell::Set(value))?;
        if !Form::of_column(at).holds(one.value.get_ref()) {
            return Err(declared.wrong(
                &one.value,
                "repair.set.value",
                "a value is not what the form says of its column",
                "write the value as a sound row has it",
            ));
        }
    }
    for one in &entry.lost {
        if fill(one, "repair.lost", Cell::Lost).map(|at| COLUMNS[at])? != MAY_BE_LOST {
            return Err(declared.wrong(
                one,
                "repair.lost",
                "a column is lost that every row needs",
                format!("give it a value under `set`; only {MAY_BE_LOST} may be lost"),
            ));
        }
    }
    let cells: Vec<Cell> = cells
        .into_iter()
        .enumerate()
        .map(|(at, cell)| cell.unwrap_or(Cell::From(at)))
        .collect();
    for (at, dropped) in COLUMNS.iter().enumerate() {
        let taken = cells.iter().filter(|cell| **cell == Cell::From(at)).count();
        let empty = when.contains(&(at, Form::Empty));
        let problem = match taken {
            0 if !empty => format!("the cell under {dropped} is dropped"),
            0 | 1 => continue,
            _ => format!("the cell under {dropped} is used twice"),
        };
        return Err(declared.wrong(
            &entry.name,
            "repair.move.from",
            problem,
            "take every cell once, or let `when` say that it is empty",
        ));
    }
    Ok(Repair {
        name: name.clone(),
        when,
        cells,
    })
}

fn column(declared: &Declared, name: &Spanned<String>, field: &'static str) -> Result<usize> {
    place(name.get_ref()).ok_or_else(|| {
        declared.wrong(
            name,
            field,
            "the report has no such column",
            format!("write one of {}", COLUMNS.join(", ")),
        )
    })
}
