//! `CREATE TABLE` statements of PostgreSQL, MySQL and ISO SQL.

mod checks;
mod statements;
mod types;

use std::collections::BTreeMap;

use mesh_core::contract::{Field, Type};
use mesh_core::{Error, Result};
use sqlparser::ast::{
    ColumnDef, ColumnOption, CommentDef, CreateTable, CreateTableOptions, IndexColumn, SqlOption,
    TableConstraint,
};

use self::statements::Statements;
use super::{check_size, choose, domain};
use crate::draft::{Choice, Columns, Draft, Imported, description, field};

/// The dialect that a file of statements is read in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SqlDialect {
    /// PostgreSQL.
    #[default]
    Postgres,
    /// MySQL and MariaDB.
    MySql,
    /// ISO SQL.
    Ansi,
}

/// Reads one table out of the statements `source` of the file called `file`; statements about
/// other things than tables, types and comments are passed over.
///
/// # Errors
/// If there is no table, or several and none is chosen, if a table's statement cannot be read,
/// or a column's type has none in the mesh.
pub fn read_sql(
    file: &str,
    source: &str,
    dialect: SqlDialect,
    choice: &Choice,
) -> Result<Imported> {
    check_size(file, source)?;
    let statements = Statements::read(file, source, dialect)?;
    let names: Vec<&str> = statements
        .tables
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let asked = choice.record.as_deref();
    let fits = |name: &str| match asked {
        Some(asked) => name == asked || name.rsplit('.').next() == Some(asked),
        None => true,
    };
    let mut found = statements.tables.iter().filter(|(name, _)| fits(name));
    let (name, table) = match (found.next(), found.next()) {
        (Some(one), None) => one,
        (None, _) if asked.is_none() => {
            return Err(Error::invalid("there is no CREATE TABLE")
                .with("file", file)
                .mend("give the statements that make the table, such as those of `pg_dump --schema-only`"));
        }
        _ => return Err(choose(file, "table", asked, &names)),
    };
    let parts: Vec<&str> = name.split('.').collect();
    let plain = Choice {
        record: None,
        without: choice.without.clone(),
    };
    let table_name = parts[parts.len() - 1];
    let mut draft = Draft::new(format!("the table {name} of {file}"), table_name, &plain);
    draft.domain = parts
        .len()
        .checked_sub(2)
        .map(|at| parts[at])
        .filter(|schema| !matches!(*schema, "public" | "dbo"))
        .and_then(domain);
    let comment = statements.table_comments.get(name).cloned();
    draft.description = description(comment.or_else(|| own_comment(table)).as_deref());
    if statements.passed_over > 0 {
        draft.note(
            "",
            format!(
                "{} other statements were passed over",
                statements.passed_over
            ),
        );
    }
    Reader {
        dialect,
        draft,
        enums: &statements.enums,
        comments: statements.column_comments.get(name),
        names: BTreeMap::new(),
    }
    .read(
        table,
        statements.constraints.get(name).map_or(&[], Vec::as_slice),
    )
}

/// The comment in a table's own options.
fn own_comment(table: &CreateTable) -> Option<String> {
    let text = |comment: &CommentDef| match comment {
        CommentDef::WithEq(text) | CommentDef::WithoutEq(text) => text.clone(),
    };
    if let Some(comment) = &table.comment {
        return Some(text(comment));
    }
    let CreateTableOptions::Plain(options) = &table.table_options else {
        return None;
    };
    options.iter().find_map(|option| match option {
        SqlOption::Comment(comment) => Some(text(comment)),
        _ => None,
    })
}

struct Reader<'a> {
    dialect: SqlDialect,
    draft: Draft,
    /// The labels of the types that are enumerations.
    enums: &'a BTreeMap<String, Vec<String>>,
    comments: Option<&'a BTreeMap<String, String>>,
    /// The columns' names here, by their names in the table.
    names: BTreeMap<String, String>,
}

impl Reader<'_> {
    fn read(mut self, table: &CreateTable, added: &[TableConstraint]) -> Result<Imported> {
        let mut columns = Columns::default();
        for column in &table.columns {
            let source_name = column.name.value.clone();
            let Some((name, path)) = columns.next(&source_name, &mut self.draft)? else {
                continue;
            };
            self.names.insert(source_name.clone(), name.clone());
            match self.data_type(&column.data_type, &path) {
                Ok(ty) => {
                    let mut made = field(&name, ty, true);
                    made.description = description(
                        self.comments
                            .and_then(|all| all.get(&source_name))
                            .map(String::as_str),
                    );
                    self.options(column, &mut made, &path);
                    columns.push(&source_name, made, &mut self.draft);
                }
                Err(reason) => self.draft.unfit(&path, reason),
            }
        }
        let mut fields = columns.fields;
        for constraint in table.constraints.iter().chain(added) {
            self.constraint(constraint, &mut fields);
        }
        for field in fields
            .iter_mut()
            .filter(|field| self.draft.key.contains(&field.name))
        {
            field.nullable = false;
        }
        // A key whose columns cannot all be keys here is no key; the author names another.
        let known = |name: &String| {
            fields
                .iter()
                .any(|field| field.name == *name && field.ty.is_key())
        };
        if !self.draft.key.iter().all(known) {
            let key = std::mem::take(&mut self.draft.key).join(", ");
            self.draft.note(key, "the primary key cannot be one here");
        }
        self.draft.finish(fields)
    }

    fn options(&mut self, column: &ColumnDef, field: &mut Field, path: &str) {
        for option in &column.options {
            match &option.option {
                ColumnOption::NotNull => field.nullable = false,
                ColumnOption::PrimaryKey(_) => {
                    field.nullable = false;
                    self.draft.key.push(field.name.clone());
                }
                ColumnOption::Unique(_) => field.unique = true,
                ColumnOption::Comment(text) => field.description = description(Some(text)),
                ColumnOption::Check(check) => self.check(&check.expr, std::slice::from_mut(field)),
                ColumnOption::ForeignKey(key) => self.draft.note(
                    path,
                    format!("the reference to {} is not carried over", key.foreign_table),
                ),
                ColumnOption::Default(_) => {
                    self.draft.note(path, "its default is not carried over")
                }
                ColumnOption::Generated { .. } | ColumnOption::Identity(_) => {
                    self.draft
                        .note(path, "that its values are generated is not carried over");
                }
                _ => {}
            }
        }
    }

    fn constraint(&mut self, constraint: &TableConstraint, fields: &mut [Field]) {
        match constraint {
            TableConstraint::PrimaryKey(key) => {
                self.draft.key = self.own_names(&key.columns);
            }
            TableConstraint::Unique(unique) => match self.own_names(&unique.columns).as_slice() {
                [one] => {
                    for field in fields.iter_mut().filter(|field| field.name == *one) {
                        field.unique = true;
                    }
                }
                several => self.draft.note(
                    several.join(", "),
                    "that they are unique together is not carried over",
                ),
            },
            TableConstraint::ForeignKey(key) => {
                let names: Vec<&str> = key.columns.iter().map(|name| name.value.as_str()).collect();
                self.draft.note(
                    names.join(", "),
                    format!("the reference to {} is not carried over", key.foreign_table),
                );
            }
            TableConstraint::Check(check) => self.check(&check.expr, fields),
            _ => {}
        }
    }

    fn own_names(&self, columns: &[IndexColumn]) -> Vec<String> {
        columns
            .iter()
            .map(|column| {
                let name = statements::bare(&column.column.expr.to_string());
                self.names.get(&name).cloned().unwrap_or(name)
            })
            .collect()
    }

    fn check(&mut self, condition: &sqlparser::ast::Expr, fields: &mut [Field]) {
        let names = &self.names;
        let mut apply = |column: &str, promise: &checks::Promise| {
            let name = names.get(column).map_or(column, String::as_str);
            let field = fields.iter_mut().find(|field| field.name == name);
            field.is_some_and(|field| checks::apply(promise, field))
        };
        let carried = checks::promises(condition).is_some_and(|promises| {
            promises
                .iter()
                .fold(true, |all, (column, promise)| apply(column, promise) && all)
        });
        if !carried {
            let place = match fields {
                [one] => one.name.clone(),
                _ => String::new(),
            };
            self.draft
                .note(place, format!("CHECK ({condition}) is not carried over"));
        }
    }

    fn data_type(
        &mut self,
        ty: &sqlparser::ast::DataType,
        path: &str,
    ) -> std::result::Result<Type, String> {
        let mut notes = Vec::new();
        let found = types::read(ty, self.dialect, self.enums, &mut notes);
        for text in notes {
            self.draft.note(path, text);
        }
        found
    }
}
