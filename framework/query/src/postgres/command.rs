//! Statements that concern the connection, in PostgreSQL's own words.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer, Word};
use mesh_core::Error;

use super::report::Failure;

/// A statement that reads no table itself.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    /// Sets a variable, or takes it back without a value; for this transaction if `local`.
    Set {
        name: String,
        value: Option<String>,
        local: bool,
    },
    /// One variable, or all.
    Show(Option<String>),
    Reset(Option<String>),
    Begin,
    Commit,
    Rollback,
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    Declare {
        name: String,
        hold: bool,
        sql: String,
    },
    /// The next rows of a cursor, without them if it `moves`.
    Fetch {
        name: String,
        count: Count,
        moves: bool,
    },
    /// One cursor, or all.
    Close(Option<String>),
    /// One prepared statement, or all.
    Deallocate(Option<String>),
    Discard,
    /// Means nothing here and does no harm.
    Nothing(&'static str),
}

/// How many rows a FETCH is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Count {
    Rows(usize),
    All,
}

/// The words that commands begin with.
const WORDS: [&str; 22] = [
    "set",
    "show",
    "reset",
    "begin",
    "start",
    "commit",
    "end",
    "rollback",
    "abort",
    "savepoint",
    "release",
    "declare",
    "fetch",
    "move",
    "close",
    "deallocate",
    "discard",
    "listen",
    "unlisten",
    "prepare",
    "execute",
    "copy",
];

/// Tells a command from a statement that reads.
pub(super) fn command(sql: &str) -> Result<Option<Command>, Failure> {
    let first = sql
        .trim_start()
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    // A comment may stand before it.
    if !WORDS.contains(&first.as_str()) && !sql.trim_start().starts_with(['-', '/']) {
        return Ok(None);
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| Error::invalid(format!("the statement cannot be read: {error}")))?;
    let mut words = Words {
        tokens: tokens
            .into_iter()
            .filter(|token| !matches!(token.token, Token::Whitespace(_)))
            .map(|token| (token.token, token.span.start))
            .collect(),
        at: 0,
        sql,
    };
    let first = words.word().unwrap_or_default();
    if !WORDS.contains(&first.as_str()) {
        return Ok(None);
    }
    words.read(&first)
}

struct Words<'a> {
    tokens: Vec<(Token, Location)>,
    at: usize,
    sql: &'a str,
}

impl Words<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    /// The next word in lower case, if it is one without quotes.
    fn word(&mut self) -> Option<String> {
        match self.peek() {
            Some(Token::Word(Word {
                value,
                quote_style: None,
                ..
            })) => {
                let word = value.to_ascii_lowercase();
                self.at += 1;
                Some(word)
            }
            _ => None,
        }
    }

    /// Takes the words if they are next.
    fn take(&mut self, words: &[&str]) -> bool {
        let begin = self.at;
        for word in words {
            if self.word().as_deref() != Some(*word) {
                self.at = begin;
                return false;
            }
        }
        true
    }

    /// A name, in quotes or folded to lower case.
    fn name(&mut self) -> Result<String, Failure> {
        let name = match self.peek() {
            Some(Token::Word(word)) => match word.quote_style {
                Some(_) => word.value.clone(),
                None => word.value.to_ascii_lowercase(),
            },
            _ => return Err(wrong()),
        };
        self.at += 1;
        Ok(name)
    }

    /// A name with dots in it, as those of settings are.
    fn setting(&mut self) -> Result<String, Failure> {
        let mut name = self.name()?;
        while matches!(self.peek(), Some(Token::Period)) {
            self.at += 1;
            name.push('.');
            name.push_str(&self.name()?);
        }
        Ok(name)
    }

    fn end<T>(&self, value: T) -> Result<T, Failure> {
        match self.tokens[self.at..]
            .iter()
            .all(|(token, _)| *token == Token::SemiColon)
        {
            true => Ok(value),
            false => Err(wrong()),
        }
    }

    fn read(&mut self, first: &str) -> Result<Option<Command>, Failure> {
        let command = match first {
            "set" => self.set()?,
            "show" => match self.show()? {
                Some(command) => command,
                None => return Ok(None),
            },
            "reset" if self.take(&["all"]) => Command::Reset(None),
            "reset" if self.take(&["time", "zone"]) => Command::Reset(Some("TimeZone".into())),
            "reset" => Command::Reset(Some(self.setting()?)),
            "begin" | "start" => {
                if first == "start" && !self.take(&["transaction"]) {
                    return Err(wrong());
                }
                self.modes();
                Command::Begin
            }
            "commit" | "end" => {
                self.noise();
                Command::Commit
            }
            "rollback" | "abort" => {
                self.noise();
                match self.take(&["to"]) {
                    true => {
                        self.take(&["savepoint"]);
                        Command::RollbackTo(self.name()?)
                    }
                    false => Command::Rollback,
                }
            }
            "savepoint" => Command::Savepoint(self.name()?),
            "release" => {
                self.take(&["savepoint"]);
                Command::Release(self.name()?)
            }
            "declare" => return self.declare().map(Some),
            "fetch" | "move" => self.fetch(first == "move")?,
            "close" if self.take(&["all"]) => Command::Close(None),
            "close" => Command::Close(Some(self.name()?)),
            "deallocate" => {
                self.take(&["prepare"]);
                match self.take(&["all"]) {
                    true => Command::Deallocate(None),
                    false => Command::Deallocate(Some(self.name()?)),
                }
            }
            "discard" => {
                let what = self.word();
                match what.as_deref() {
                    Some("all") => Command::Discard,
                    Some("plans" | "sequences" | "temp" | "temporary") => {
                        Command::Nothing("DISCARD")
                    }
                    _ => return Err(wrong()),
                }
            }
            "unlisten" => {
                self.at = self.tokens.len();
                Command::Nothing("UNLISTEN")
            }
            other => {
                let word = other.to_ascii_uppercase();
                let mend = match other {
                    "prepare" | "execute" => {
                        "prepare statements with the client's own calls, which use the protocol's"
                    }
                    "copy" => "SELECT the rows, or ask the HTTP door for CSV or Parquet",
                    _ => "SELECT what is of interest again",
                };
                return Err(Failure::new("0A000", format!("{word} is not built")).mend(mend));
            }
        };
        self.end(Some(command))
    }

    fn set(&mut self) -> Result<Command, Failure> {
        if self.take(&["session", "characteristics", "as", "transaction"])
            || self.take(&["transaction"])
        {
            self.modes();
            return Ok(Command::Nothing("SET"));
        }
        let local = self.take(&["local"]);
        if !local {
            self.take(&["session"]);
        }
        let name = if self.take(&["time", "zone"]) {
            "TimeZone".to_owned()
        } else if self.take(&["names"]) {
            "client_encoding".to_owned()
        } else {
            let name = self.setting()?;
            let equals = matches!(self.peek(), Some(Token::Eq));
            if equals {
                self.at += 1;
            } else if !self.take(&["to"]) {
                return Err(wrong());
            }
            name
        };
        let value = match self.take(&["default"]) {
            true => None,
            false => Some(self.values()?),
        };
        Ok(Command::Set { name, value, local })
    }

    /// One value or several, with commas between them.
    fn values(&mut self) -> Result<String, Failure> {
        let mut values = String::new();
        loop {
            let value = match self.peek() {
                Some(Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text)) => {
                    text.clone()
                }
                Some(Token::Number(number, _)) => number.clone(),
                Some(Token::Minus) => {
                    self.at += 1;
                    match self.peek() {
                        Some(Token::Number(number, _)) => format!("-{number}"),
                        _ => return Err(wrong()),
                    }
                }
                Some(Token::Word(word)) => word.value.clone(),
                _ => return Err(wrong()),
            };
            self.at += 1;
            values.push_str(&value);
            if !matches!(self.peek(), Some(Token::Comma)) {
                return Ok(values);
            }
            self.at += 1;
            values.push_str(", ");
        }
    }

    /// Nothing for what shows tables and the like.
    fn show(&mut self) -> Result<Option<Command>, Failure> {
        for (words, name) in [
            (&["time", "zone"][..], "TimeZone"),
            (
                &["transaction", "isolation", "level"],
                "transaction_isolation",
            ),
            (&["session", "authorization"], "session_authorization"),
        ] {
            if self.take(words) {
                return Ok(Some(Command::Show(Some(name.to_owned()))));
            }
        }
        if self.take(&["all"]) {
            return Ok(Some(Command::Show(None)));
        }
        for word in ["tables", "columns", "functions"] {
            if self.take(&[word]) {
                return Ok(None);
            }
        }
        self.setting().map(|name| Some(Command::Show(Some(name))))
    }

    /// The modes of a transaction: all that statements do here is read.
    fn modes(&mut self) {
        self.noise();
        while matches!(self.peek(), Some(Token::Word(_) | Token::Comma)) {
            self.at += 1;
        }
    }

    fn noise(&mut self) {
        let _ = self.take(&["work"]) || self.take(&["transaction"]);
    }

    fn declare(&mut self) -> Result<Command, Failure> {
        let name = self.name()?;
        let mut hold = false;
        loop {
            match self.word().as_deref() {
                Some("with") => hold = true,
                Some("for") => break,
                Some(
                    "binary" | "asensitive" | "insensitive" | "no" | "scroll" | "cursor"
                    | "without" | "hold",
                ) => {}
                _ => return Err(wrong()),
            }
        }
        let (_, start) = self.tokens.get(self.at).ok_or_else(wrong)?;
        let sql = self.sql.get(offset(self.sql, *start)..).ok_or_else(wrong)?;
        Ok(Command::Declare {
            name,
            hold,
            sql: sql.trim_end_matches([';', ' ', '\n']).to_owned(),
        })
    }

    fn fetch(&mut self, moves: bool) -> Result<Command, Failure> {
        let backward = || {
            Failure::new("55000", "cursors run forward only").mend("declare it again to begin anew")
        };
        let mut count = Count::Rows(1);
        if self.take(&["backward"]) || self.take(&["prior"]) || self.take(&["absolute"]) {
            return Err(backward());
        }
        let forward = self.take(&["forward"]) || self.take(&["relative"]);
        if self.take(&["all"]) {
            count = Count::All;
        } else if let Some(Token::Number(number, _)) = self.peek() {
            count = Count::Rows(number.parse().map_err(|_| wrong())?);
            self.at += 1;
        } else if matches!(self.peek(), Some(Token::Minus)) {
            return Err(backward());
        } else if !forward {
            self.take(&["next"]);
        }
        let _ = self.take(&["from"]) || self.take(&["in"]);
        Ok(Command::Fetch {
            name: self.name()?,
            count,
            moves,
        })
    }
}

/// Where a token stands, in bytes.
fn offset(sql: &str, location: Location) -> usize {
    let mut line = 1;
    let mut column = 1;
    for (at, character) in sql.char_indices() {
        if line == location.line && column == location.column {
            return at;
        }
        if character == '\n' {
            line += 1;
            column = 1;
        } else {
            column += 1;
        }
    }
    sql.len()
}

fn wrong() -> Failure {
    Failure::new(
        "42601",
        "the statement does not parse as a command of this server",
    )
    .mend("docs/postgres.md lists the commands")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn commands_are_told_from_statements_that_read() {
        let set = |name: &str, value: Option<&str>| {
            Some(Command::Set {
                name: name.into(),
                value: value.map(str::to_owned),
                local: false,
            })
        };
        let show = |name: &str| Some(Command::Show(Some(name.into())));
        for (sql, expected) in [
            ("SELECT 1", None),
            ("-- set\nSELECT 1", None),
            ("show tables", None),
            (
                "set mesh.purpose to fraud",
                set("mesh.purpose", Some("fraud")),
            ),
            (
                "/* x */ SET mesh.purpose = 'a b'",
                set("mesh.purpose", Some("a b")),
            ),
            (
                "SET search_path TO a, \"B\"",
                set("search_path", Some("a, B")),
            ),
            (
                "SET extra_float_digits = -3",
                set("extra_float_digits", Some("-3")),
            ),
            ("SET TIME ZONE 'UTC'", set("TimeZone", Some("UTC"))),
            ("SET NAMES 'utf8'", set("client_encoding", Some("utf8"))),
            ("SET jit TO DEFAULT", set("jit", None)),
            (
                "SET LOCAL jit = off",
                Some(Command::Set {
                    name: "jit".into(),
                    value: Some("off".into()),
                    local: true,
                }),
            ),
            (
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE",
                Some(Command::Nothing("SET")),
            ),
            ("SHOW mesh.purpose", show("mesh.purpose")),
            (
                "show transaction isolation level",
                show("transaction_isolation"),
            ),
            ("SHOW ALL;", Some(Command::Show(None))),
            ("RESET ALL", Some(Command::Reset(None))),
            (
                "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                Some(Command::Begin),
            ),
            ("start transaction", Some(Command::Begin)),
            ("END", Some(Command::Commit)),
            ("ABORT", Some(Command::Rollback)),
            (
                "ROLLBACK TO SAVEPOINT \"A\"",
                Some(Command::RollbackTo("A".into())),
            ),
            ("RELEASE s", Some(Command::Release("s".into()))),
            ("DISCARD ALL", Some(Command::Discard)),
            ("UNLISTEN *", Some(Command::Nothing("UNLISTEN"))),
            ("CLOSE ALL", Some(Command::Close(None))),
            (
                "DEALLOCATE PREPARE p",
                Some(Command::Deallocate(Some("p".into()))),
            ),
            (
                "DECLARE \"c 1\" NO SCROLL CURSOR WITHOUT HOLD FOR\n SELECT 'ü', 1;",
                Some(Command::Declare {
                    name: "c 1".into(),
                    hold: false,
                    sql: "SELECT 'ü', 1".into(),
                }),
            ),
            (
                "FETCH FORWARD 100 FROM c",
                Some(Command::Fetch {
                    name: "c".into(),
                    count: Count::Rows(100),
                    moves: false,
                }),
            ),
            (
                "MOVE ALL IN c",
                Some(Command::Fetch {
                    name: "c".into(),
                    count: Count::All,
                    moves: true,
                }),
            ),
        ] {
            assert_eq!(command(sql).unwrap(), expected, "{sql}");
        }
        for (sql, state) in [
            ("SET a", "42601"),
            ("SET a = 1 b", "42601"),
            ("SET ROLE admin", "42601"),
            ("BEGIN (1)", "42601"),
            ("FETCH BACKWARD 1 FROM c", "55000"),
            ("COPY a.b TO STDOUT", "0A000"),
            ("PREPARE p AS SELECT 1", "0A000"),
            ("DECLARE c", "42601"),
        ] {
            assert_eq!(command(sql).unwrap_err().state, state, "{sql}");
        }
    }
}
