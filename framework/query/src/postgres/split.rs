//! The statements of a query message.

/// Cuts `sql` at the semicolons that stand in no literal, name or comment; statements that
/// are empty are left out.
pub(super) fn split(sql: &str) -> Vec<&str> {
    let bytes = sql.as_bytes();
    let mut statements = Vec::new();
    let (mut begin, mut at, mut empty) = (0, 0, true);
    while at < bytes.len() {
        let next = match bytes[at] {
            b';' => {
                if !empty {
                    statements.push(sql[begin..at].trim());
                }
                begin = at + 1;
                empty = true;
                at += 1;
                continue;
            }
            byte if byte.is_ascii_whitespace() => at + 1,
            b'-' if bytes[at..].starts_with(b"--") => {
                at = find(bytes, at, b"\n");
                continue;
            }
            b'/' if bytes[at..].starts_with(b"/*") => {
                at = comment(bytes, at);
                continue;
            }
            b'\'' => {
                let escapes = at > 0
                    && matches!(bytes[at - 1], b'e' | b'E')
                    && !(at > 1 && is_word(bytes[at - 2]));
                quoted(bytes, at, escapes)
            }
            b'"' => quoted(bytes, at, false),
            b'$' if at == 0 || !is_word(bytes[at - 1]) => dollars(bytes, at),
            _ => at + 1,
        };
        empty &= bytes[at].is_ascii_whitespace();
        at = next;
    }
    if !empty {
        statements.push(sql[begin..].trim());
    }
    statements
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// After the next `what`, or the end.
fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    bytes[from..]
        .windows(what.len())
        .position(|window| window == what)
        .map_or(bytes.len(), |at| from + at + what.len())
}

/// After a comment, which may hold others.
fn comment(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from + 2, 1);
    while depth > 0 && at < bytes.len() {
        let two = &bytes[at..bytes.len().min(at + 2)];
        at += match two {
            b"/*" => {
                depth += 1;
                2
            }
            b"*/" => {
                depth -= 1;
                2
            }
            _ => 1,
        };
    }
    at
}

/// After a literal or a name. A quote that is written twice ends one and begins another.
fn quoted(bytes: &[u8], from: usize, escapes: bool) -> usize {
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 2,
            byte if byte == bytes[from] => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// After `$tag$…$tag$`; a parameter such as `$1` is no tag.
fn dollars(bytes: &[u8], from: usize) -> usize {
    let tag = bytes[from + 1..]
        .iter()
        .position(|byte| !is_word(*byte))
        .map(|length| from + 1 + length);
    match tag {
        Some(end) if bytes[end] == b'$' && !bytes[from + 1].is_ascii_digit() => {
            find(bytes, end + 1, &bytes[from..=end])
        }
        _ => from + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_outside_of_literals_and_comments() {
        for (sql, expected) in [
            ("", &[][..]),
            (" ; ;\n", &[]),
            ("-- nothing; at all", &[]),
            ("/* no; /* nothing; */ ; */;", &[]),
            ("SELECT 1", &["SELECT 1"]),
            ("SELECT 1; SELECT 2 ;", &["SELECT 1", "SELECT 2"]),
            (
                "SELECT ';', \"a;b\" -- ;\n;x",
                &["SELECT ';', \"a;b\" -- ;", "x"],
            ),
            ("SELECT 'it''s;' ; y", &["SELECT 'it''s;'", "y"]),
            ("SELECT E'\\';' ; y", &["SELECT E'\\';'", "y"]),
            ("SELECT 'a\\' ; y", &["SELECT 'a\\'", "y"]),
            ("SELECT $a$;$b$;$a$ ; y", &["SELECT $a$;$b$;$a$", "y"]),
            ("SELECT $1;y", &["SELECT $1", "y"]),
            ("SELECT $1, $2; y", &["SELECT $1, $2", "y"]),
            ("SELECT 'open ; y", &["SELECT 'open ; y"]),
            ("a$;b$", &["a$", "b$"]),
            ("ü;ß", &["ü", "ß"]),
            ("$", &["$"]),
        ] {
            assert_eq!(split(sql), expected, "{sql}");
        }
    }
}
